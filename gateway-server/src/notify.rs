//! What a service manager is told: ready, stopping, reloading, alive (sd_notify(3)).
//!
//! Holds the datagrams. Does not decide when they are sent. Where NOTIFY_SOCKET is not set, nothing is sent and nothing is tried.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Whom to tell, if anybody.
#[derive(Debug, Default)]
pub(crate) struct ServiceManager {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants to hear that the process is alive.
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// Whoever the environment names (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`). One that cannot be reached counts as none.
    pub(crate) fn from_environment() -> Self {
        let text = |name| std::env::var(name).ok();
        let to = std::env::var_os("NOTIFY_SOCKET").and_then(|path| reach(path.as_bytes()).ok());
        Self { to, watchdog: watchdog(text("WATCHDOG_USEC"), text("WATCHDOG_PID"), std::process::id()) }
    }

    /// `READY=1`, and a line about it.
    pub(crate) fn ready(&self, status: &str) {
        self.say(&format!("READY=1\nSTATUS={}", status.replace('\n', " ")));
    }

    /// `STOPPING=1`
    pub(crate) fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=finishing requests");
    }

    /// `RELOADING=1`, to be followed by [`ServiceManager::ready`].
    #[cfg(feature = "cli")]
    pub(crate) fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1000);
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// `MAINPID=`: from now on this other process is the service.
    #[cfg(feature = "cli")]
    pub(crate) fn main_process(&self, pid: u32) {
        self.say(&format!("MAINPID={pid}\nREADY=1"));
    }

    /// Sends `WATCHDOG=1` twice as often as it is wanted, for as long as it is polled: the runtime that polls it is alive.
    pub(crate) async fn keep_alive(&self) {
        match self.watchdog {
            Some(time) if self.to.is_some() => {
                let mut ticks = tokio::time::interval(time / 2);
                loop {
                    ticks.tick().await;
                    self.say("WATCHDOG=1");
                }
            }
            _ => std::future::pending().await,
        }
    }

    fn say(&self, text: &str) {
        if let Some((socket, address)) = &self.to {
            // A manager that does not listen cannot be helped.
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }
}

fn reach(path: &[u8]) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match path {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    // A full queue must not stop the server.
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

/// The time within which the manager wants to hear from this process; `None` if it wants to hear from another or from nobody.
fn watchdog(micros: Option<String>, pid: Option<String>, this: u32) -> Option<Duration> {
    if pid.is_some_and(|pid| pid.parse() != Ok(this)) {
        return None;
    }
    micros?.parse().ok().filter(|micros| *micros > 1).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_is_for_the_process_that_it_names() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(watchdog(text("3000000"), None, 7), Some(Duration::from_secs(3)));
        assert_eq!(watchdog(text("3000000"), text("7"), 7), Some(Duration::from_secs(3)));
        for (micros, pid) in [
            (text("3000000"), text("8")),
            (text("3000000"), text("")),
            (text("0"), None),
            (text("x"), None),
            (None, None),
        ] {
            assert_eq!(watchdog(micros.clone(), pid.clone(), 7), None, "{micros:?} {pid:?}");
        }
    }

    #[test]
    fn messages_arrive_by_path_and_by_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("gateway-test-{}", std::process::id());
        let abstract_address = SocketAddr::from_abstract_name(&name).unwrap();
        for (given, socket) in [
            (path.as_os_str().as_bytes().to_vec(), UnixDatagram::bind(&path).unwrap()),
            (format!("@{name}").into_bytes(), UnixDatagram::bind_addr(&abstract_address).unwrap()),
        ] {
            let manager = ServiceManager { to: Some(reach(&given).unwrap()), watchdog: None };
            manager.ready("two\nlines");
            let mut bytes = [0; 100];
            let length = socket.recv(&mut bytes).unwrap();
            assert_eq!(&bytes[..length], b"READY=1\nSTATUS=two lines");
        }
        ServiceManager::default().stopping();
    }
}
