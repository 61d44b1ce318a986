//! Starting a program that stays: a worker that serves requests from a socket, for its manager (FastCGI 1.0 §2).
//!
//! Holds the start alone, by the same clone and with the same confinement as CGI programs. When to start, to watch and to end
//! one is the manager's.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Once;

use super::spawn::{self, Ends, Program, Started};
use super::{Confinement, process};

/// A program that stays, and how it is started.
///
/// # Examples
/// ```
/// use gateway_cgi::host::Resident;
/// use std::os::fd::AsFd;
///
/// let null = std::fs::File::open("/dev/null")?;
/// let mut program = Resident::new("/bin/true", "true");
/// program.variable("LANG", "C");
/// let started = program.start(null.as_fd(), null.as_fd(), None)?;
/// assert!(started.pid > 0);
/// let ended = rustix::process::waitid(
///     rustix::process::WaitId::PidFd(started.pidfd.as_fd()),
///     rustix::process::WaitIdOptions::EXITED,
/// )?;
/// assert!(ended.is_some());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Resident {
    program: Program,
    confinement: Confinement,
}

/// A process that was started: the leader of a group of its own. Whoever has this has to wait for it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Running {
    /// Its number.
    pub pid: u32,
    /// Stands for this very process, however its number is used again; readable once it has ended.
    pub pidfd: OwnedFd,
}

impl Resident {
    /// The program at an absolute path, which is told that its name is `name` (`argv[0]`), with an empty environment.
    pub fn new(path: impl AsRef<Path>, name: impl AsRef<OsStr>) -> Self {
        let program = Program::named(path.as_ref(), name.as_ref().as_bytes());
        Self { program, confinement: Confinement::new() }
    }

    /// Appends an argument.
    pub fn argument(&mut self, argument: impl AsRef<OsStr>) {
        self.program.argument(argument.as_ref().as_bytes());
    }

    /// Appends a variable of the environment; each name once.
    pub fn variable(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        self.program.variable(name.as_ref().as_bytes(), value.as_ref().as_bytes());
    }

    /// Where it starts; without this, where this process is.
    pub fn directory(&mut self, path: &Path) {
        self.program.directory(path);
    }

    /// How it is confined; its directory there counts for CGI programs alone.
    pub fn confinement(&mut self, confinement: Confinement) {
        self.confinement = confinement;
    }

    /// Starts it with `socket` as descriptor 0 (FCGI-2), standard output to nowhere, `errors` as its standard error,
    /// `control`, if there is one, as descriptor 3, no other descriptor, and every signal as the system sets it. Returns when it
    /// is executed.
    ///
    /// # Errors
    /// What the system says of the step that failed; nothing runs then. [`io::ErrorKind::Unsupported`] where the system has no
    /// pidfd.
    pub fn start(
        &self,
        socket: BorrowedFd<'_>,
        errors: BorrowedFd<'_>,
        control: Option<BorrowedFd<'_>>,
    ) -> io::Result<Running> {
        static REPORTED: Once = Once::new();
        REPORTED.call_once(spawn::report_ends);
        let null = process::null_for_writing()?;
        let ends = Ends { stdin: socket, stdout: null.as_fd(), stderr: errors, control };
        let Started { pid, pidfd } = spawn::start(&self.program, &ends, &self.confinement)
            .map_err(|error| io::Error::new(error.source.kind(), error.to_string()))?;
        let Some(pidfd) = pidfd else {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
            return Err(io::Error::new(io::ErrorKind::Unsupported, "watching processes needs Linux 5.2"));
        };
        Ok(Running { pid: pid.as_raw_nonzero().get().unsigned_abs(), pidfd })
    }
}

impl std::fmt::Debug for Resident {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resident").field("program", &self.program.name()).finish_non_exhaustive()
    }
}
