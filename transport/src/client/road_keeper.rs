//! Keeps a road to the server for all sessions on it, and finds a new one when it is lost.

use super::Address;
use super::connect::{ConnectOptions, Road};
use super::shared::Shared;
use crate::road::RoadError;

/// The road that sessions share. When to try again is the choice of their machines.
pub(super) struct RoadKeeper {
    address: Address,
    options: ConnectOptions,
    kept: tokio::sync::Mutex<Kept>,
}

struct Kept {
    road: Option<Road>,
    /// How many roads there were before it.
    number: u64,
}

impl std::fmt::Debug for RoadKeeper {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RoadKeeper").field("address", &self.address).finish_non_exhaustive()
    }
}

impl RoadKeeper {
    pub(super) fn new(address: Address, options: ConnectOptions, road: Road) -> Self {
        let kept = Kept { road: Some(road), number: 0 };
        Self { address, options, kept: tokio::sync::Mutex::new(kept) }
    }

    /// Sends a request and hands what is answered to the machine.
    pub(super) async fn exchange(
        &self,
        shared: &Shared,
        id: u64,
        path_and_query: &str,
    ) -> Result<(), RoadError> {
        let (road, number) = self.road().await?;
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
            // Whatever it was, a new connection does no harm. Other responses keep theirs, and a road that has been
            // found meanwhile stays.
            let mut kept = self.kept.lock().await;
            if kept.number == number {
                kept.road = None;
            }
        }
        outcome
    }

    async fn road(&self) -> Result<(Road, u64), RoadError> {
        let mut kept = self.kept.lock().await;
        if let Some(road) = kept.road.as_ref().filter(|road| !road.is_closed()) {
            return Ok((road.clone(), kept.number));
        }
        let road = Road::connect(&self.address, &self.options).await?;
        kept.number += 1;
        kept.road = Some(road.clone());
        Ok((road, kept.number))
    }

    /// Closes the connection, telling the server.
    pub(super) async fn close(self) {
        if let Some(road) = self.kept.into_inner().road {
            road.close().await;
        }
    }
}
