//! Addresses of a name, and which of them answers first.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Address;
use crate::road::RoadError;

pub(super) async fn look_up(address: &Address, port: u16) -> Result<Vec<SocketAddr>, RoadError> {
    let found = tokio::net::lookup_host((address.host.as_str(), port)).await;
    let found: Vec<_> = found.map_err(|error| address.unreachable(error.to_string()))?.collect();
    if found.is_empty() { Err(address.unreachable("the name has no address".to_owned())) } else { Ok(found) }
}

/// Tries each address, a little after the one before it or when that has failed; the first to succeed wins, and the
/// others are given up. If none does, the first refusal for reasons of trust is told, else the last failure.
pub(super) async fn first_of<T, F>(
    addresses: Vec<SocketAddr>,
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<T, RoadError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, RoadError>> + Send + 'static,
{
    let mut addresses = addresses.into_iter();
    let mut attempts = JoinSet::new();
    let mut failure = None;
    loop {
        let next = addresses.next();
        let more = next.is_some();
        if let Some(address) = next {
            attempts.spawn(attempt(address));
        }
        let outcome = if more {
            tokio::time::timeout(STAGGER, attempts.join_next()).await.unwrap_or(None)
        } else {
            match attempts.join_next().await {
                Some(outcome) => Some(outcome),
                None => break,
            }
        };
        match outcome {
            Some(Ok(Ok(won))) => return Ok(won),
            Some(Ok(Err(error))) if !matches!(failure, Some(RoadError::Untrusted { .. })) => {
                failure = Some(error)
            }
            _ => {}
        }
    }
    Err(failure.unwrap_or_else(|| RoadError::Lost("the attempt was given up".to_owned())))
}

/// Time between attempts at the addresses of one name.
const STAGGER: Duration = Duration::from_millis(100);
