//! Places for requests: who may begin, who waits, and for how long.
//!
//! Holds the queue in front of the upstreams and the place of each request. Does not decide between upstreams (`balance`) or
//! open connections (`pool`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::balance::{Avoid, Balance, Choice};
use super::health::{Change, Failure, HealthLimits};
use super::{ClientError, Config};
use crate::net::Address;

/// The places at all upstreams of a client, and the queue before them.
#[derive(Debug)]
pub(super) struct Places {
    addresses: Vec<Address>,
    state: Mutex<State>,
    max_queue: usize,
    queue_timeout: Duration,
}

#[derive(Debug)]
struct State {
    balance: Balance,
    /// Requests that wait, the first first. Whoever is served is told its place.
    waiting: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    avoid: Avoid,
    told: oneshot::Sender<Place>,
}

/// One request's place at an upstream. Dropping gives it to the next.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    choice: Choice,
    /// Whether the place is given back by the drop.
    is_held: bool,
}

impl Places {
    pub(super) fn new(addresses: Vec<Address>, config: &Config) -> Arc<Self> {
        let limits = HealthLimits { max_failures: config.max_failures, max_backoff: config.max_backoff };
        let balance = Balance::new(addresses.len(), config.max_connections, limits);
        Arc::new(Self {
            addresses,
            state: Mutex::new(State { balance, waiting: VecDeque::new() }),
            max_queue: config.max_queue,
            queue_timeout: config.queue_timeout,
        })
    }

    /// A place at any upstream, if one is free.
    pub(super) fn take(self: &Arc<Self>, avoid: Avoid, now: Instant) -> Option<Place> {
        // Whoever waits could not use what is free, so nobody is overtaken.
        let choice = self.state().balance.begin(avoid, now)?;
        Some(self.place(choice))
    }

    /// Waits for a place at any upstream that is not to be avoided.
    ///
    /// # Errors
    /// [`ClientError::QueueFull`] and [`ClientError::QueueTimeout`].
    pub(super) async fn wait(self: &Arc<Self>, avoid: Avoid) -> Result<Place, ClientError> {
        let turn = {
            let mut state = self.state();
            if let Some(choice) = state.balance.begin(avoid, Instant::now()) {
                return Ok(self.place(choice));
            }
            if state.waiting.len() >= self.max_queue {
                state.waiting.retain(|waiter| !waiter.told.is_closed());
            }
            if state.waiting.len() >= self.max_queue {
                return Err(ClientError::QueueFull { limit: self.max_queue });
            }
            let (told, turn) = oneshot::channel();
            state.waiting.push_back(Waiter { avoid, told });
            turn
        };
        let limit = self.queue_timeout;
        match timeout(limit, turn).await {
            Ok(Ok(place)) => Ok(place),
            // The sender is never dropped before it was used.
            Ok(Err(_)) | Err(_) => Err(ClientError::QueueTimeout { limit }),
        }
    }

    /// Is there an upstream that this request has not had?
    pub(super) fn has_another(&self, avoid: Avoid) -> bool {
        self.state().balance.has_another(avoid)
    }

    /// How many requests an upstream has, and whether it is out.
    pub(super) fn state_of(&self, upstream: usize) -> (usize, bool) {
        self.state().balance.state(upstream, Instant::now())
    }

    /// How many requests wait for a place.
    pub(super) fn waiting(&self) -> usize {
        self.state().waiting.iter().filter(|waiter| !waiter.told.is_closed()).count()
    }

    /// How many requests an upstream takes at a time, from now on.
    pub(super) fn set_max_requests(self: &Arc<Self>, upstream: usize, max_requests: usize) {
        let mut state = self.state();
        state.balance.set_max_requests(upstream, max_requests);
        self.serve(&mut state);
    }

    /// Gives places to those who wait, in their order, as far as there are any for them.
    fn serve(self: &Arc<Self>, state: &mut State) {
        if state.waiting.is_empty() {
            return;
        }
        let now = Instant::now();
        let mut at = 0;
        while let Some(avoid) = state.waiting.get(at).map(|waiter| waiter.avoid) {
            let Some(choice) = state.balance.begin(avoid, now) else {
                // Nothing for one who avoids nothing is nothing for anybody.
                if avoid == Avoid::NONE {
                    return;
                }
                at += 1;
                continue;
            };
            let Some(waiter) = state.waiting.remove(at) else { return };
            if let Err(mut unwanted) = waiter.told.send(self.place(choice)) {
                // It went meanwhile. The lock is held, so its drop may not take it.
                unwanted.is_held = false;
                state.leave(choice, true);
            }
        }
    }

    fn place(self: &Arc<Self>, choice: Choice) -> Place {
        Place { places: Arc::clone(self), choice, is_held: true }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self, upstream: usize, change: Change) {
        let Some(address) = self.addresses.get(upstream) else { return };
        match change {
            Change::None => {}
            Change::Out(backoff) => tracing::warn!(upstream = %address, ?backoff, "upstream is out"),
            Change::Back => tracing::info!(upstream = %address, "upstream is back"),
        }
    }
}

impl State {
    fn leave(&mut self, choice: Choice, is_trial: bool) {
        self.balance.end(choice.upstream);
        if is_trial && choice.is_trial {
            self.balance.trial_told_nothing(choice.upstream);
        }
    }
}

impl Place {
    /// The number of the upstream.
    pub(super) fn upstream(&self) -> usize {
        self.choice.upstream
    }

    /// The upstream answers: whatever it did before is forgotten.
    pub(super) fn succeeded(&mut self) {
        let mut state = self.places.state();
        if state.balance.is_spotless(self.choice.upstream) {
            return;
        }
        let change = state.balance.succeeded(self.choice.upstream);
        drop(state);
        self.choice.is_trial = false;
        self.places.log(self.choice.upstream, change);
    }

    /// The upstream failed. Those who wait for it may have to look elsewhere.
    pub(super) fn failed(&mut self, failure: Failure) {
        let mut state = self.places.state();
        let change = state.balance.failed(self.choice.upstream, failure, Instant::now());
        self.places.serve(&mut state);
        drop(state);
        self.choice.is_trial = false;
        self.places.log(self.choice.upstream, change);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_held {
            let mut state = self.places.state();
            state.leave(self.choice, true);
            self.places.serve(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn places(upstreams: usize, connections: usize) -> Arc<Places> {
        let addresses = (0..upstreams).map(|n| Address::unix(format!("/{n}"))).collect();
        Places::new(addresses, &Config::default().max_connections(connections).max_queue(3))
    }

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn those_who_wait_are_served_in_their_order() {
        let places = places(1, 1);
        let first = places.wait(Avoid::NONE).await.unwrap();
        let (mut second, mut third) = (pin!(places.wait(Avoid::NONE)), pin!(places.wait(Avoid::NONE)));
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        drop(first);
        assert!(poll(third.as_mut()).is_pending());
        let Poll::Ready(Ok(place)) = poll(second.as_mut()) else { panic!("not served") };
        drop(place);
        assert!(poll(third.as_mut()).is_ready());
    }

    #[tokio::test]
    async fn one_who_left_the_queue_keeps_nobody_waiting() {
        let places = places(1, 1);
        let first = places.wait(Avoid::NONE).await.unwrap();
        {
            let mut gone = pin!(places.wait(Avoid::NONE));
            assert!(poll(gone.as_mut()).is_pending());
        }
        let mut waiting = pin!(places.wait(Avoid::NONE));
        assert!(poll(waiting.as_mut()).is_pending());
        drop(first);
        assert!(poll(waiting.as_mut()).is_ready());
        // Also one that was told already.
        let held = places.wait(Avoid::NONE).await.unwrap();
        {
            let mut told = pin!(places.wait(Avoid::NONE));
            assert!(poll(told.as_mut()).is_pending());
            drop(held);
        }
        assert!(poll(pin!(places.wait(Avoid::NONE))).is_ready());
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_those_who_left_do_not_count() {
        let places = places(1, 1);
        let _held = places.wait(Avoid::NONE).await.unwrap();
        for _ in 0..9 {
            let mut gone = pin!(places.wait(Avoid::NONE));
            assert!(poll(gone.as_mut()).is_pending());
        }
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(places.wait(Avoid::NONE))).collect();
        for one in &mut waiting {
            assert!(poll(one.as_mut()).is_pending());
        }
        assert!(matches!(places.wait(Avoid::NONE).await, Err(ClientError::QueueFull { limit: 3 })));
    }

    #[tokio::test]
    async fn who_waits_for_one_upstream_does_not_stand_in_the_way_of_another() {
        let places = places(2, 1);
        let (zero, one) = (places.wait(Avoid::NONE).await.unwrap(), places.wait(Avoid::NONE).await.unwrap());
        let mut picky = pin!(places.wait(Avoid::NONE.and(0)));
        let mut any = pin!(places.wait(Avoid::NONE));
        assert!(poll(picky.as_mut()).is_pending() && poll(any.as_mut()).is_pending());
        assert_eq!((zero.upstream(), one.upstream()), (0, 1));
        drop(zero);
        assert!(poll(picky.as_mut()).is_pending());
        assert!(matches!(poll(any.as_mut()), Poll::Ready(Ok(place)) if place.upstream() == 0));
        drop(one);
        assert!(matches!(poll(picky.as_mut()), Poll::Ready(Ok(place)) if place.upstream() == 1));
    }

    #[tokio::test]
    async fn when_an_upstream_fails_those_who_wait_for_it_go_to_another() {
        let places = places(2, 1);
        let mut zero = places.wait(Avoid::NONE).await.unwrap();
        zero.failed(Failure::Unreachable);
        drop(zero);
        let mut one = places.wait(Avoid::NONE).await.unwrap();
        assert_eq!(one.upstream(), 1);
        let mut waiting = pin!(places.wait(Avoid::NONE));
        assert!(poll(waiting.as_mut()).is_pending(), "the one that is well is worth waiting for");
        one.failed(Failure::Unreachable);
        assert!(matches!(poll(waiting.as_mut()), Poll::Ready(Ok(place)) if place.upstream() == 0));
    }
}
