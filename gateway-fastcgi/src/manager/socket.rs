//! The socket that workers accept from.
//!
//! Holds a private directory with the socket's file in it, both removed on drop. The socket is blocking, because workers
//! share that setting and those written in C rely on it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// How many connections may wait for a worker. The system may cut it (`somaxconn`).
const BACKLOG: i32 = 1024;

/// A listening socket with its file.
#[derive(Debug)]
pub(super) struct Socket {
    listener: OwnedFd,
    path: PathBuf,
    /// Held for its drop.
    _directory: TempDir,
}

impl Socket {
    /// Makes the directory under `parent`, mode 0700, and in it the socket, mode 0600 (FCGI-123, FCGI-133).
    pub(super) fn open(parent: &Path) -> io::Result<Self> {
        let private = std::fs::Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().prefix("gateway-").permissions(private).tempdir_in(parent)?;
        let path = directory.path().join("socket");
        let listener = OwnedFd::from(UnixListener::bind(&path)?);
        // Until here the directory's mode has kept others out.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(Self { listener, path, _directory: directory })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The same socket once more, to be handed to a worker.
    pub(super) fn duplicate(&self) -> io::Result<OwnedFd> {
        self.listener.as_fd().try_clone_to_owned()
    }
}
