//! SIGHUP: everything that is read or begun again while the server goes on, in one order.
//!
//! Holds the list and the signal. Does not hold what is reloaded: each part adds an action of its own.

use std::fmt::Display;
use std::pin::Pin;
use std::sync::Arc;

use tokio::signal::unix::Signal;

use crate::notify::ServiceManager;

/// What is done at SIGHUP, in the order in which it was added.
#[derive(Default)]
pub(super) struct Reloads(Vec<(&'static str, Action)>);

type Action = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

impl Reloads {
    /// Adds an action, by the name that it has in the log: a noun, such as `access log`. One that fails is logged and leaves things as they
    /// were; those behind it are done all the same.
    pub(super) fn add<E: Display>(
        &mut self,
        what: &'static str,
        action: impl Fn() -> Result<(), E> + Send + Sync + Clone + 'static,
    ) {
        self.add_async(what, move || {
            let action = action.clone();
            async move { action() }
        });
    }

    /// [`Reloads::add`] for an action that waits; those behind it wait too.
    pub(super) fn add_async<E: Display, F>(
        &mut self,
        what: &'static str,
        action: impl Fn() -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let action = move || {
            let done = action();
            Box::pin(async move { done.await.map_err(|error| error.to_string()) }) as Pin<Box<_>>
        };
        self.0.push((what, Box::new(action)));
    }

    /// Does all of it, once.
    async fn run(&self) {
        for (what, action) in &self.0 {
            // That it went well is said by whoever knows what that means.
            if let Err(error) = action().await {
                tracing::error!(%error, what, "not reloaded: it stays as it was");
            }
        }
    }

    /// Does all of it at each of these signals, from now on, and tells the service manager, with `status` at the end. One that comes meanwhile is done after.
    pub(super) fn at_each(self, mut hangups: Signal, manager: Arc<ServiceManager>, status: String) {
        tokio::spawn(async move {
            while hangups.recv().await.is_some() {
                manager.reloading();
                self.run().await;
                manager.ready(&status);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn all_actions_are_done_in_order_whatever_becomes_of_those_before() {
        let done = Arc::new(Mutex::new(Vec::new()));
        let note = |name: &'static str, result: Result<(), &'static str>| {
            let done = Arc::clone(&done);
            move || {
                done.lock().unwrap().push(name);
                result
            }
        };
        let mut reloads = Reloads::default();
        reloads.add("one", note("one", Err("no")));
        let two = note("two", Ok(()));
        reloads.add_async("two", move || std::future::ready(two()));
        reloads.run().await;
        reloads.run().await;
        assert_eq!(*done.lock().unwrap(), ["one", "two", "one", "two"]);
    }
}
