//! How work learns that nobody waits for its result any more.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

/// Told once that a request is over: answered, given up by its client, or timed out. Clones are told together.
///
/// An asynchronous application need not look at it: it is dropped when its client has gone. What it has started elsewhere, such
/// as a task of its own or a query on a server, is not. A gateway that can tell puts one into the extensions of the environ.
///
/// # Examples
/// ```
/// use gateway_spec::{Cancellation, Environ};
///
/// let mut environ = Environ::example("GET", "/report");
/// environ.extensions.insert(Cancellation::new()); // by the gateway
///
/// let cancellation: Option<Cancellation> = environ.extensions.get().cloned();
/// for row in 0..1_000_000 {
///     if cancellation.as_ref().is_some_and(Cancellation::is_cancelled) {
///         break;
///     }
/// #   let _ = row; break;
/// }
/// ```
#[derive(Clone, Default)]
pub struct Cancellation {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Cancellation {
    /// Not cancelled yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Is nobody waiting for the result any more?
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Acquire)
    }

    /// Waits until nobody waits for the result any more.
    pub async fn cancelled(&self) {
        poll_fn(|cx| {
            if self.is_cancelled() {
                return Poll::Ready(());
            }
            let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            // Looked at under the lock: whoever cancels wakes those that are in the list by then.
            if self.is_cancelled() {
                return Poll::Ready(());
            }
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Tells everybody. For gateways.
    pub fn cancel(&self) {
        let waiting = {
            let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            self.shared.cancelled.store(true, Ordering::Release);
            std::mem::take(&mut *waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancellation").field("cancelled", &self.is_cancelled()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Wake};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn everybody_who_waits_is_told_once() {
        let cancellation = Cancellation::new();
        let clone = cancellation.clone();
        let counts = [Arc::new(Count::default()), Arc::new(Count::default())];
        let wakers = counts.clone().map(Waker::from);
        let (mut first, mut second) = (pin!(cancellation.cancelled()), pin!(clone.cancelled()));
        for _ in 0..3 {
            assert!(first.as_mut().poll(&mut Context::from_waker(&wakers[0])).is_pending());
            assert!(second.as_mut().poll(&mut Context::from_waker(&wakers[1])).is_pending());
        }
        clone.cancel();
        clone.cancel();
        assert!(cancellation.is_cancelled());
        assert_eq!(counts.each_ref().map(|count| count.0.load(Ordering::Relaxed)), [1, 1]);
        assert!(first.as_mut().poll(&mut Context::from_waker(&wakers[0])).is_ready());
    }
}
