//! Workers seen from outside: what the system says of a process and of the socket it accepts from.
//!
//! Holds the reading of `/proc`. This is all that is known of a worker that is not ours: it has a connection or it has none.
//! Whether a connection that it has holds a request, is not to be seen.

use std::collections::HashSet;
use std::time::Duration;

use procfs::WithCurrentSystemInfo as _;
use procfs::net::TcpState;
use procfs::process::{FDTarget, Process};

use crate::net::Address;

/// One worker and its children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) memory_bytes: u64,
    pub(super) cpu: Duration,
    /// The connections from our socket, by the numbers the system lists them by.
    pub(super) connections: Vec<u64>,
}

/// The socket: what waits, and what was accepted from it by anybody.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// Connections that nobody has accepted yet.
    pub(super) queue: usize,
    accepted: HashSet<u64>,
}

/// Looks at the socket. What cannot be read counts as nothing.
pub(super) fn traffic(address: &Address, inode: u64) -> Traffic {
    match address {
        Address::Unix(path) => unix(path, inode),
        Address::Tcp { .. } => tcp(inode),
    }
}

/// Accepted sockets have the path of the one they were accepted from; those that wait have no number yet (unix(7) calls it
/// the inode).
fn unix(path: &std::path::Path, listening: u64) -> Traffic {
    let mut traffic = Traffic::default();
    for entry in procfs::net::unix().unwrap_or_default() {
        if entry.path.as_deref() == Some(path) {
            match entry.inode {
                0 => traffic.queue += 1,
                inode if inode == listening => {}
                inode => drop(traffic.accepted.insert(inode)),
            }
        }
    }
    traffic
}

fn tcp(inode: u64) -> Traffic {
    let mut entries = procfs::net::tcp().unwrap_or_default();
    entries.extend(procfs::net::tcp6().unwrap_or_default());
    let Some(listening) = entries.iter().find(|entry| entry.inode == inode) else { return Traffic::default() };
    let port = listening.local_address.port();
    let accepted = entries.iter().filter(|entry| entry.state != TcpState::Listen && entry.local_address.port() == port);
    Traffic {
        // Of a listening socket this is how many wait.
        queue: listening.rx_queue as usize,
        accepted: accepted.map(|entry| entry.inode).filter(|inode| *inode != 0).collect(),
    }
}

/// Looks at a worker; nothing if it has gone.
pub(super) fn worker(pid: u32, traffic: Option<&Traffic>) -> Option<Seen> {
    let mut seen = Seen::default();
    let process = Process::new(i32::try_from(pid).ok()?).ok()?;
    add(&mut seen, &process, traffic)?;
    // php-cgi with PHP_FCGI_CHILDREN lets its children work.
    let children = process.task_main_thread().and_then(|main| main.children()).unwrap_or_default();
    for child in children.into_iter().filter_map(|pid| Process::new(i32::try_from(pid).ok()?).ok()) {
        add(&mut seen, &child, traffic);
    }
    Some(seen)
}

fn add(seen: &mut Seen, process: &Process, traffic: Option<&Traffic>) -> Option<()> {
    let stat = process.stat().ok()?;
    seen.memory_bytes += stat.rss_bytes().get();
    let ticks = Duration::from_secs(stat.utime + stat.stime) / u32::try_from(procfs::ticks_per_second()).unwrap_or(100);
    seen.cpu += ticks;
    if let Some(traffic) = traffic.filter(|traffic| !traffic.accepted.is_empty()) {
        let descriptors = process.fd().ok().into_iter().flatten().flatten();
        seen.connections.extend(descriptors.filter_map(|descriptor| match descriptor.target {
            FDTarget::Socket(inode) => Some(inode).filter(|inode| traffic.accepted.contains(inode)),
            _ => None,
        }));
        seen.connections.sort_unstable();
        seen.connections.dedup();
    }
    Some(())
}

/// How often the system has killed a process because memory was used up, on the whole machine.
pub(super) fn out_of_memory_kills() -> u64 {
    procfs::vmstat()
        .ok()
        .and_then(|counts| counts.get("oom_kill").copied())
        .and_then(|n| n.try_into().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::os::unix::net::{UnixListener, UnixStream};

    fn check(address: &Address, listener: &impl AsFd, connect: impl Fn(), accept: impl Fn() -> std::os::fd::OwnedFd) {
        let inode = |fd: &dyn AsFd| rustix::fs::fstat(fd.as_fd()).unwrap().st_ino;
        let look = || traffic(address, inode(listener));
        assert_eq!((look().queue, look().accepted.len()), (0, 0));
        connect();
        connect();
        assert_eq!(look().queue, 2);
        let accepted = accept();
        let seen = look();
        assert_eq!(seen.queue, 1);
        let me = worker(std::process::id(), Some(&seen)).unwrap();
        assert!(me.connections.contains(&inode(&accepted)) && me.memory_bytes > 100_000, "{me:?}");
    }

    #[test]
    fn what_waits_on_a_unix_socket_and_who_has_accepted_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let clients = std::cell::RefCell::new(Vec::new());
        check(
            &Address::unix(&path),
            &listener,
            || clients.borrow_mut().push(UnixStream::connect(&path).unwrap()),
            || listener.accept().unwrap().0.into(),
        );
    }

    #[test]
    fn what_waits_on_a_tcp_socket_and_who_has_accepted_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let clients = std::cell::RefCell::new(Vec::new());
        check(
            &address.into(),
            &listener,
            || clients.borrow_mut().push(TcpStream::connect(address).unwrap()),
            || listener.accept().unwrap().0.into(),
        );
    }

    #[test]
    fn a_process_that_has_gone_is_not_seen() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert_eq!(worker(child.id(), None), None);
    }
}
