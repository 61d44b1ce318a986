//! Accepting connections on one socket: who comes in, and which task serves it.
//!
//! Holds the loop, and what it does when the system has no more descriptors. Does not hold how many connections a peer may have (`peers`),
//! or who makes room (`room`).

use super::arrival::serve_arrival;
use super::connection::serve_connection;
use super::endpoint::Endpoint;
use super::peers::Present;
use super::room::place;
use super::shared::Shared;
use super::wire::Wire;
use gateway_fastcgi::calls::Turns;
use gateway_fastcgi::net::AcceptTrouble;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Accepts connections until the stop.
pub(super) async fn accept(endpoint: Endpoint, shared: Arc<Shared>, places: Arc<Semaphore>) -> io::Result<()> {
    let (listener, way) = endpoint.into_parts();
    let wanted = shared.stop.wanted();
    tokio::pin!(wanted);
    let mut turns = Turns::default();
    loop {
        turns.next().await;
        let accepted = tokio::select! {
            () = &mut wanted => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Behind a proxy it is the client that counts, once its name is known.
                let comes_by_proxy = way.as_ref().is_some_and(|way| way.proxies.is_some());
                let present = if comes_by_proxy { Some(Present::uncounted()) } else { shared.let_in(&stream, peer) };
                let Some(present) = present else { continue };
                // A stop that comes now is no reason to drop a connection that has a place.
                let place = tokio::select! {
                    biased;
                    place = place(&places, &shared) => place,
                    () = &mut wanted => return Ok(()),
                };
                tracing::trace!(target: "gateway::marks", mark = "accepted");
                let (id, task) = match &way {
                    None => {
                        let wire = Arc::new(Wire::new(stream.into(), peer, Arc::clone(&shared)));
                        let guest: Weak<Wire> = Arc::downgrade(&wire);
                        let entry = shared.enter(Some(guest));
                        let id = entry.id;
                        let serving = async move {
                            let _held = (entry, place, present);
                            serve_connection(wire).await;
                        };
                        (id, tokio::spawn(serving))
                    }
                    Some(way) => {
                        let entry = shared.enter(None);
                        let id = entry.id;
                        let (way, shared) = (Arc::clone(way), Arc::clone(&shared));
                        let serving = async move {
                            let _held = (place, present);
                            serve_arrival(stream, peer, way, shared, &entry).await;
                        };
                        (id, tokio::spawn(serving))
                    }
                };
                shared.note_task(id, task.abort_handle());
            }
            Err(error) => match AcceptTrouble::of(&error) {
                AcceptTrouble::Connection => {}
                AcceptTrouble::Exhausted => {
                    tracing::error!(%error, "cannot accept connections");
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                }
                AcceptTrouble::Listener => return Err(error),
            },
        }
    }
}

/// How long to leave a system alone that has no descriptors left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
