//! One more connection of a worker, when there is a place for it.

use crate::net::{AcceptTrouble, Listener, Peer, Stream};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Waits for a free place, then for a connection. Lost connections and a lack of descriptors are waited out.
pub(super) async fn accept(
    listener: &Listener,
    places: &Arc<Semaphore>,
) -> io::Result<(Stream, Peer, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    loop {
        let error = match listener.accept().await {
            Ok((stream, peer)) => return Ok((stream, peer, place)),
            Err(error) => error,
        };
        match AcceptTrouble::of(&error) {
            AcceptTrouble::Connection => tracing::debug!(%error, "connection lost before it was accepted"),
            AcceptTrouble::Exhausted => {
                tracing::error!(%error, "cannot accept");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
            AcceptTrouble::Listener => return Err(error),
        }
    }
}

/// Long enough to be no busy loop, short enough for a descriptor that was just closed.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
