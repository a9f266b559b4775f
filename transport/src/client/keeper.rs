//! Keeps a road to the server for all sessions on it, and finds a new one when it is lost.

use super::Address;
use super::connect::{ConnectOptions, Road};
use super::shared::Shared;
use crate::road::RoadError;

/// The road that sessions share. When to try again is the choice of their machines.
pub(super) struct Keeper {
    address: Address,
    options: ConnectOptions,
    road: tokio::sync::Mutex<Option<Road>>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Keeper").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Keeper {
    pub(super) fn new(address: Address, options: ConnectOptions, road: Road) -> Self {
        Self { address, options, road: tokio::sync::Mutex::new(Some(road)) }
    }

    /// Sends a request and hands what is answered to the machine.
    pub(super) async fn exchange(
        &self,
        shared: &Shared,
        id: u64,
        path_and_query: &str,
    ) -> Result<(), RoadError> {
        let road = self.road().await?;
        let outcome = async {
            let (head, mut body) = road.request(path_and_query).await?;
            shared.handle_head(id, head.status, &head.headers);
            while let Some(chunk) = body.chunk().await? {
                shared.handle_body(id, &chunk);
            }
            Ok(())
        };
        let outcome = outcome.await;
        if outcome.is_err() {
            // Whatever it was, a new connection does no harm. Other responses keep theirs.
            *self.road.lock().await = None;
        }
        outcome
    }

    async fn road(&self) -> Result<Road, RoadError> {
        let mut kept = self.road.lock().await;
        match kept.as_ref().filter(|road| !road.is_closed()) {
            Some(road) => Ok(road.clone()),
            None => Ok(kept.insert(Road::connect(&self.address, &self.options).await?).clone()),
        }
    }

    /// Closes the connection, telling the server.
    pub(super) async fn close(self) {
        if let Some(road) = self.road.into_inner() {
            road.close().await;
        }
    }
}
