//! Listening sockets that whoever started us has left open: descriptor 0, or systemd's from 3 on.
//!
//! Holds finding and duplicating them. Does not decide what is served on them.

use rustix::process::{PidfdFlags, PidfdGetfdFlags};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Is this descriptor a listening socket?
///
/// FastCGI 1.0 §2.2 (FCGI-3) asks whether `getpeername` fails with ENOTCONN. SO_ACCEPTCONN asks the same and is not taken
/// in by a socket that was never connected.
pub fn is_listening_socket(fd: impl AsFd) -> bool {
    rustix::net::sockopt::socket_acceptconn(fd).unwrap_or(false)
}

/// A duplicate of descriptor 0, if it is a listening socket.
///
/// A closed descriptor 0 answers `None`: the standard library opens /dev/null in its place before `main`.
///
/// # Errors
/// What the system says when it cannot be duplicated.
pub fn inherited_stdin() -> io::Result<Option<OwnedFd>> {
    let stdin = io::stdin();
    if !is_listening_socket(stdin.as_fd()) {
        return Ok(None);
    }
    stdin.as_fd().try_clone_to_owned().map(Some)
}

/// A socket that systemd opened for this process.
#[derive(Debug)]
pub struct PassedSocket {
    /// `FileDescriptorName=` of its unit, which is the unit's own name where it says nothing; empty if systemd told no names.
    pub name: String,
    /// The socket.
    pub socket: OwnedFd,
}

/// Duplicates of the sockets that systemd passed (`LISTEN_PID`, `LISTEN_FDS`, `LISTEN_FDNAMES`; sd_listen_fds(3)); empty if it
/// passed none.
///
/// # Errors
/// What the system says when one cannot be duplicated.
pub fn systemd_sockets() -> io::Result<Vec<PassedSocket>> {
    let text = |name| std::env::var(name).ok();
    let Some(count) = passed(text("LISTEN_PID"), text("LISTEN_FDS"), std::process::id()) else { return Ok(Vec::new()) };
    let names = text("LISTEN_FDNAMES").unwrap_or_default();
    let names = names.split(':').map(str::to_owned).chain(std::iter::repeat_with(String::new));
    let sockets = duplicates(FIRST_PASSED, count)?;
    Ok(names.zip(sockets).map(|(name, socket)| PassedSocket { name, socket }).collect())
}

/// How many sockets are meant for this process; `None` for another's.
fn passed(pid: Option<String>, count: Option<String>, this: u32) -> Option<u32> {
    let number = |text: Option<String>| text?.parse::<u32>().ok();
    (number(pid)? == this).then(|| number(count).unwrap_or(0).min(MAX_PASSED))
}

/// A duplicate of the descriptor with this number.
#[cfg(feature = "worker")]
pub(crate) fn duplicate(number: u32) -> io::Result<OwnedFd> {
    duplicates(number, 1)?.pop().ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// Duplicates of `count` descriptors from the number `first` on.
fn duplicates(first: u32, count: u32) -> io::Result<Vec<OwnedFd>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    // The one way to a descriptor by its number that needs no unsafe code: ask for it as for another process's.
    let this = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    (first..first.saturating_add(count))
        .map(|number| {
            let number = i32::try_from(number).map_err(io::Error::other)?;
            Ok(rustix::process::pidfd_getfd(&this, number, PidfdGetfdFlags::empty())?)
        })
        .collect()
}

/// SD_LISTEN_FDS_START
const FIRST_PASSED: u32 = 3;

/// No sane unit passes more; a wild number in the environment must not cost more than this.
const MAX_PASSED: u32 = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_passed_socket_is_found_by_its_number() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let number = u32::try_from(socket.as_raw_fd()).unwrap();
        let passed = duplicates(number, 1).unwrap();
        assert!(is_listening_socket(&passed[0]));
        let passed = std::net::TcpListener::from(passed.into_iter().next().unwrap());
        assert_eq!(passed.local_addr().unwrap(), socket.local_addr().unwrap());
        assert!(duplicates(number, 0).unwrap().is_empty());
    }

    #[test]
    fn a_number_that_is_no_descriptor_is_an_error() {
        assert!(duplicates(1_000_000, 1).is_err());
    }

    #[test]
    fn nothing_is_passed_to_another_process() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(passed(text("7"), text("2"), 7), Some(2));
        assert_eq!(passed(text("7"), text("4294967295"), 7), Some(MAX_PASSED));
        assert_eq!(passed(text("7"), text("-1"), 7), Some(0));
        for pid in [None, text("8"), text("")] {
            assert_eq!(passed(pid, text("2"), 7), None);
        }
        // Tests run without LISTEN_PID, or with one of an ancestor.
        assert!(systemd_sockets().unwrap().is_empty());
    }
}
