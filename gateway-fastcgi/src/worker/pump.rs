//! Connections with several requests at a time: one task reads for all of them and never waits for an application.
//!
//! Holds the pump, and who becomes one when a request keeps a connection waiting. Does not hold the sorting of input (`link`).
//!
//! FastCGI has no flow control between the requests of a connection. What an application does not take would have to stop the
//! reading, and with it its neighbours: so it is kept instead, a window of it in memory and the rest in a file without a name.

use super::Shared;
use super::leave::Leave;
use super::link::{Begun, Caller, Link, LinkError, Read};
use super::request::serve;
use crate::calls::{Blocked, Turns};
use crate::protocol::ProtocolStatus;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tracing::Instrument;

/// Answers that no request waits for, such as refusals, may wait up to here before no more is read.
const MAX_UNASKED: usize = 64 * 1024;

/// How long an answer may take before somebody else reads on: shorter than a user would notice.
pub(super) const STALL: Duration = Duration::from_millis(10);

/// How long until that is looked at again, at most, where the application itself reads for so long.
pub(super) const LONGEST_STALL: Duration = Duration::from_millis(160);

/// Serves all requests of a connection, side by side, until the connection can be closed.
pub(super) async fn pump(
    shared: &Arc<Shared>,
    link: &Arc<Link>,
    mut end: watch::Receiver<bool>,
    first: Option<Begun>,
    mut served: u64,
) -> Result<(), LinkError> {
    let config = &shared.config;
    // Whatever is configured, a clock can count it, and it is no busy loop.
    let often = config.read_timeout.clamp(Duration::from_millis(1), Duration::from_secs(24 * 60 * 60));
    let mut silence = tokio::time::interval(often);
    silence.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut begun = first;
    let mut leave = Leave::Not;
    let mut turns = Turns::default();
    loop {
        while let Some(request) = begun.take().or_else(|| link.take_begun()) {
            if leave.is_late() || link.is_closing() {
                link.refuse(&request, ProtocolStatus::OVERLOADED);
                continue;
            }
            served += 1;
            spawn(shared, link, request);
        }
        if link.is_quiet() && link.is_closing() {
            return link.take_broken().map_or(Ok(()), |error| Err(error.into()));
        }
        // A connection that has just been made gets one answer all the same (FCGI-10).
        if served > 0 && (*end.borrow() || served >= config.max_connection_requests) {
            leave.begin(link, config.linger);
        }
        let left = leave.left().filter(|left| !left.is_zero());
        let is_ending = *end.borrow();
        turns.next().await;
        tokio::select! {
            biased;
            () = link.changed() => {}
            _ = end.wait_for(|end| *end), if !is_ending => {}
            () = tokio::time::sleep(left.unwrap_or_default()), if left.is_some() => {}
            _ = silence.tick() => {
                let expired = link.expire();
                if expired > 0 {
                    tracing::warn!(requests = expired, "parameters did not come");
                }
            }
            // Last: a gateway that always has something to say is no reason to miss the rest.
            read = receive(link, config.idle_timeout) => {
                if let Read::End = read? {
                    break;
                }
            }
        }
    }
    // The applications know that nobody waits for them; until they are done, what they hold is in use.
    while !link.is_quiet() {
        link.changed().await;
    }
    Ok(())
}

fn spawn(shared: &Arc<Shared>, link: &Arc<Link>, begun: Begun) {
    let (shared, link) = (Arc::clone(shared), Arc::clone(link));
    let serving = async move {
        let serial = begun.serial;
        let served = serve(&shared, &link, begun).await;
        // What the application has kept of this request has no access to the next.
        link.end(serial);
        match served {
            Ok(()) => {
                // Else whoever waits for its own output sends this too.
                let _ = link.flush().await;
            }
            // A response that is not whole must not look so: the connection ends without its END_REQUEST, after the others.
            Err(LinkError::BrokenOff) => link.drain(),
            Err(error) => tracing::debug!(%error, "request ended"),
        }
    };
    tokio::spawn(serving.in_current_span());
}

/// Reads once, when there is something; sends meanwhile what nobody else does.
async fn receive(link: &Link, idle: Duration) -> Result<Read, LinkError> {
    loop {
        let sent = link.try_flush(Caller::Pump)?;
        if !sent && link.unasked_output() > MAX_UNASKED {
            // Whoever asks and does not listen is not asked for more.
            link.flush().await?;
        }
        if link.is_full() {
            // Until something changes.
            return std::future::pending().await;
        }
        match link.read(Caller::Pump)? {
            Read::Nothing => {}
            read => return Ok(read),
        }
        let stream = link.stream();
        let ready = async {
            tokio::select! {
                ready = stream.readable() => ready,
                ready = stream.writable(), if !sent => ready,
            }
        };
        if link.is_quiet() {
            tokio::time::timeout(idle, ready).await.map_err(|_| LinkError::Silent(idle))??;
        } else {
            ready.await?;
        }
    }
}

/// The connections on which an application runs on the runtime's own thread: if it blocks, somebody else has to read on.
#[derive(Default)]
pub(super) struct Pumping {
    /// By the address of the link, which stays as long as the session does.
    places: Mutex<HashMap<usize, Place>>,
}

struct Place {
    link: Weak<Link>,
    pump: Option<JoinHandle<Result<(), LinkError>>>,
}

fn key(link: &Arc<Link>) -> usize {
    Arc::as_ptr(link).addr()
}

impl Pumping {
    /// Includes a connection.
    pub(super) fn watch(&self, link: &Arc<Link>) {
        self.places().insert(key(link), Place { link: Arc::downgrade(link), pump: None });
    }

    pub(super) fn forget(&self, link: &Arc<Link>) {
        self.places().remove(&key(link));
    }

    /// The pump of a connection, if somebody started one.
    pub(super) fn of(&self, link: &Arc<Link>) -> Option<JoinHandle<Result<(), LinkError>>> {
        if !link.is_pumped() {
            return None;
        }
        self.places().get_mut(&key(link))?.pump.take()
    }

    /// Starts a pump, if the gateway may send more requests and nobody reads.
    pub(super) fn take_over(shared: &Arc<Shared>, link: &Arc<Link>, served: u64) -> bool {
        let mut places = shared.pumping.places();
        if link.is_known_for_one() || !link.become_pump() {
            return false;
        }
        let (shared, kept) = (Arc::clone(shared), Arc::clone(link));
        let end = shared.end.subscribe();
        let pump = async move { pump(&shared, &kept, end, None, served).await };
        let pump = tokio::spawn(pump.in_current_span());
        if let Some(place) = places.get_mut(&key(link)) {
            place.pump = Some(pump);
        }
        true
    }

    /// Looks after a connection whose session cannot, because a call of its own waits on that very thread: until the request is over, a
    /// pump is started where that takes long.
    pub(super) fn look_after(shared: &Arc<Shared>, link: &Arc<Link>, serial: u64) {
        if link.is_known_for_one() {
            return;
        }
        let (shared, link) = (Arc::clone(shared), Arc::downgrade(link));
        tokio::spawn(async move {
            let mut stall = STALL;
            loop {
                tokio::time::sleep(stall).await;
                let Some(link) = link.upgrade() else { return };
                if link.lock_for(serial).is_err() || Self::take_over(&shared, &link, 0) {
                    return;
                }
                stall = (2 * stall).min(LONGEST_STALL);
            }
        });
    }

    /// Ends all connections at once; whoever waits for one wakes up.
    pub(super) fn cut(&self) {
        let links: Vec<_> = self.places().values().filter_map(|place| place.link.upgrade()).collect();
        links.iter().for_each(|link| link.shut());
    }

    fn places(&self) -> MutexGuard<'_, HashMap<usize, Place>> {
        // Nothing inside panics.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls block: on connections where one runs, somebody has to read on.
impl Blocked for Shared {
    fn blocked(self: Arc<Self>, runtime: &Handle) {
        let calling: Vec<_> = self.pumping.places().values().filter_map(|place| place.link.upgrade()).collect();
        let calling: Vec<_> = calling.into_iter().filter(|link| link.is_call_blocked()).collect();
        if calling.is_empty() {
            return;
        }
        runtime.spawn(async move {
            for link in calling {
                Pumping::take_over(&self, &link, 0);
            }
        });
    }
}
