//! Connections that nobody takes: what workers on demand are started by.
//!
//! Holds the wait for one. Does not start workers.

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::unix::AsyncFd;

use crate::manager::mode::Mode;
use crate::manager::socket::Socket;

/// Connections that come while no worker may be there to take them: what on-demand workers are started by.
#[derive(Debug)]
pub(super) struct Arrivals(Option<AsyncFd<OwnedFd>>);

/// What idle workers need to accept, and the shortest time between two looks.
const TIME_TO_ACCEPT: Duration = Duration::from_millis(10);

impl Arrivals {
    pub(super) fn new(mode: &Mode, socket: &Socket) -> io::Result<Self> {
        let watch = matches!(mode, Mode::OnDemand { .. }).then(|| socket.watch());
        Ok(Self(watch.transpose()?))
    }

    /// Waits for a connection that nobody takes.
    pub(super) async fn wait(&self, socket: &Socket) {
        let Some(watch) = &self.0 else { return pending().await };
        loop {
            if let Ok(mut ready) = watch.readable().await {
                ready.clear_ready();
            }
            tokio::time::sleep(TIME_TO_ACCEPT).await;
            if socket.has_waiting() {
                return;
            }
        }
    }
}
