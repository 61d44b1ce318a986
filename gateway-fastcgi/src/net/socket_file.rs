//! The file of a listening UNIX socket: what is in its way, who owns it, and who removes it.
//!
//! Holds the file alone. Does not bind or listen (`listener`).

use super::Owner;
use rustix::fs::{AtFlags, CWD, FileType, Gid, Stat, Uid};
use rustix::io::Errno;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The file of a bound UNIX socket; removes it on drop unless somebody has replaced it.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
    /// Another process removes it.
    is_left: AtomicBool,
}

impl SocketFile {
    /// Of the file that has just been made here.
    pub(super) fn made(path: &Path) -> io::Result<Self> {
        let identity = identity(&rustix::fs::lstat(path)?);
        Ok(Self { path: std::path::absolute(path)?, identity, is_left: AtomicBool::new(false) })
    }

    /// From now on it is somebody else's to remove.
    pub(super) fn leave(&self) {
        self.is_left.store(true, Ordering::Relaxed);
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_there = || rustix::fs::lstat(&self.path).is_ok_and(|found| identity(&found) == self.identity);
        if !self.is_left.load(Ordering::Relaxed) && is_there() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(found: &Stat) -> (u64, u64) {
    (found.st_dev, found.st_ino)
}

/// Removes a socket file that a dead process has left.
pub(super) fn remove_stale(path: &Path) -> io::Result<()> {
    let found = match rustix::fs::lstat(path) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "a file that is no socket is in the way"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Err(e),
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process answers on this socket")),
    }
}

/// Gives a socket file to its owner.
pub(super) fn give(path: &Path, owner: &Owner) -> io::Result<()> {
    let (uid, gid) = (owner.uid().map(Uid::from_raw), owner.gid().map(Gid::from_raw));
    rustix::fs::chownat(CWD, path, uid, gid, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| {
        let error = io::Error::from(error);
        io::Error::new(error.kind(), format!("the socket file cannot be given to another owner: {error}"))
    })
}
