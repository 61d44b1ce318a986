//! A folder that files are opened below, and the confinement to it (HTTP-210).
//!
//! Holds the opening. Does not hold which names may be asked for.
//!
//! The system itself keeps to the folder: `openat2` with `RESOLVE_BENEATH` follows links as long as they stay below, and there
//! is no time between a look and the opening in which somebody could change one. A link by an absolute path counts as leaving
//! there, so such a path is followed to its end first, and what comes out is opened without following anything. Systems
//! without `openat2` (before Linux 5.6, or in a sandbox that does not know it) get the look and the opening, one after the
//! other.
//!
//! What the system has at hand (`RESOLVE_CACHED`) is opened at once; only what may have to be fetched from a disk goes to a
//! thread that may wait.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use super::Links;

/// A folder.
#[derive(Debug)]
pub(in crate::mount) struct Root {
    /// Links followed.
    path: PathBuf,
    links: Links,
}

/// Something below a root, open for reading.
#[derive(Debug)]
pub(in crate::mount) struct Opened {
    pub(in crate::mount) file: File,
    pub(in crate::mount) metadata: Metadata,
}

/// What the way of opening can say beside yes and no.
enum Attempt {
    Opened(Opened),
    /// Not by this way.
    Otherwise,
}

/// `O_NONBLOCK`: opening a pipe would wait for its other end, and a pipe is refused after a look at it anyway.
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC).union(OFlags::NOCTTY);
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Root {
    /// The folder at `path`, whose links have been followed. Nothing is looked at.
    pub(in crate::mount) fn new(path: PathBuf, links: Links) -> Self {
        Root { path, links }
    }

    /// Opens `below`, a relative path, waiting elsewhere for what is not at hand.
    pub(in crate::mount) async fn open(self: &Arc<Self>, below: PathBuf) -> io::Result<Opened> {
        if let Attempt::Opened(opened) = self.attempt(&below, ResolveFlags::CACHED)? {
            return Ok(opened);
        }
        let root = Arc::clone(self);
        tokio::task::spawn_blocking(move || root.open_waiting(&below)).await.map_err(io::Error::other)?
    }

    /// Opens `below`, waiting here.
    fn open_waiting(&self, below: &Path) -> io::Result<Opened> {
        if let Attempt::Opened(opened) = self.attempt(below, ResolveFlags::empty())? {
            return Ok(opened);
        }
        let real = self.path.join(below).canonicalize()?;
        let inside = match (self.links, real.strip_prefix(&self.path)) {
            (Links::Anywhere, _) => return opened(File::open(&real)?),
            (Links::Inside, Ok(inside)) => inside,
            (Links::Inside, Err(_)) => {
                return Err(io::Error::new(io::ErrorKind::NotFound, "a link in it leads out of the root"));
            }
        };
        match self.attempt(inside, ResolveFlags::NO_SYMLINKS)? {
            Attempt::Opened(opened) => Ok(opened),
            Attempt::Otherwise => opened(File::open(&real)?),
        }
    }

    fn attempt(&self, below: &Path, more: ResolveFlags) -> io::Result<Attempt> {
        let confined = match self.links {
            Links::Inside => ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
            Links::Anywhere => ResolveFlags::NO_MAGICLINKS,
        };
        let open = || {
            let cached = more & ResolveFlags::CACHED;
            let folder = openat2(rustix::fs::CWD, &self.path, FOLDER, Mode::empty(), cached)?;
            openat2(folder, below, FLAGS, Mode::empty(), confined | more)
        };
        match rustix::io::retry_on_intr(open) {
            Ok(file) => opened(File::from(file)).map(Attempt::Opened),
            // Not at hand; a link that seems to lead out; a system that does not know the call.
            Err(Errno::AGAIN | Errno::XDEV | Errno::NOSYS | Errno::PERM) => Ok(Attempt::Otherwise),
            Err(error) => Err(error.into()),
        }
    }
}

fn opened(file: File) -> io::Result<Opened> {
    let metadata = file.metadata()?;
    Ok(Opened { file, metadata })
}

/// Whether an error of the file system means that there is no such file for the world.
pub(in crate::mount) fn is_absence(error: &io::Error) -> bool {
    let nothing = [Errno::NOENT, Errno::NOTDIR, Errno::ACCESS, Errno::LOOP, Errno::NAMETOOLONG, Errno::NXIO];
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
        || nothing.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
