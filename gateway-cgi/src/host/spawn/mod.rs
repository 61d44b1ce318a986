//! How a program is started: [`Program`] says what, and `start` does it.
//!
//! Holds the program, its arguments, environment and directory in the form that the kernel takes. Does not hold the
//! system calls between clone and exec (`linux`), nor what becomes of the process (`process`).

mod block;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;

use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::Pid;

use block::Block;

#[cfg(target_os = "linux")]
pub(super) use linux::{report_ends, start};
#[cfg(not(target_os = "linux"))]
pub(super) use portable::{report_ends, start};

/// A usual environment: 25 to 40 variables, 1 to 2 KiB.
const ENVIRONMENT: usize = 2 * 1024;
const VARIABLES: usize = 40;

/// What is started: everything that a process gets from whoever starts it, but for its descriptors.
pub(super) struct Program {
    path: Block,
    arguments: Block,
    environment: Block,
    directory: Option<Block>,
    /// What it is called in messages, if that is not its path.
    called: Option<String>,
    /// The first thing that the system could not have been told: a NUL ends every string there.
    invalid: Option<&'static str>,
}

impl Program {
    /// A program by its absolute path, with that path as its first argument and an empty environment.
    pub(super) fn new(path: &Path) -> Self {
        Self::named(path, path.as_os_str().as_bytes())
    }

    /// A program that is told its name is `name`.
    pub(super) fn named(path: &Path, name: &[u8]) -> Self {
        let path = path.as_os_str().as_bytes();
        let mut program = Program {
            path: Block::default(),
            arguments: Block::default(),
            environment: Block::with_room(ENVIRONMENT, VARIABLES),
            directory: None,
            called: None,
            invalid: None,
        };
        program.check(path, "the path has a NUL");
        program.path.push(&[path]);
        program.argument(name);
        program
    }

    /// Appends an argument.
    pub(super) fn argument(&mut self, argument: &[u8]) {
        self.check(argument, "an argument has a NUL");
        self.arguments.push(&[argument]);
    }

    /// Appends a variable. Each name is given once.
    pub(super) fn variable(&mut self, name: &[u8], value: &[u8]) {
        self.check(name, "the name of a variable has a NUL");
        self.check(value, "the value of a variable has a NUL");
        self.environment.push(&[name, b"=", value]);
    }

    /// Says where it starts; without this, in the directory of the gateway.
    pub(super) fn directory(&mut self, path: &Path) {
        let path = path.as_os_str().as_bytes();
        self.check(path, "the directory has a NUL");
        let mut directory = Block::default();
        directory.push(&[path]);
        self.directory = Some(directory);
    }

    /// Names it for messages: an interpreter is called by its script.
    pub(super) fn called(&mut self, name: &[u8]) {
        self.called = Some(name.escape_ascii().to_string());
    }

    /// Its name for messages; its path unless it is called otherwise.
    pub(super) fn name(&self) -> String {
        self.called.clone().unwrap_or_else(|| self.path.first().escape_ascii().to_string())
    }

    fn check(&mut self, text: &[u8], problem: &'static str) {
        if text.contains(&0) {
            self.invalid = Some(problem);
        }
    }
}

/// The ends of a program's three descriptors that become its own.
pub(super) struct Ends<'a> {
    pub(super) stdin: BorrowedFd<'a>,
    pub(super) stdout: BorrowedFd<'a>,
    pub(super) stderr: BorrowedFd<'a>,
    /// Becomes descriptor 3.
    pub(super) control: Option<BorrowedFd<'a>>,
}

/// A process that runs.
pub(super) struct Started {
    pub(super) pid: Pid,
    /// Becomes readable when it ends; `None` where the system has no such descriptor (Linux before 5.2).
    pub(super) pidfd: Option<OwnedFd>,
}

/// Why a program was not started: at which step, and what the system said.
#[derive(Debug)]
pub(super) struct SpawnError {
    pub(super) step: Step,
    pub(super) source: io::Error,
}

/// What is done between the wish and the program's first instruction, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Pipes and the process itself.
    Process,
    Group,
    Descriptors,
    Limits,
    Groups,
    GroupId,
    UserId,
    Directory,
    NoNewPrivileges,
    ReadOnly,
    EndsWithParent,
    Exec,
}

impl Step {
    /// Whether it is the gateway's confinement that could not be applied, and not the program that could not be run.
    pub(super) fn is_confinement(self) -> bool {
        matches!(
            self,
            Step::Limits
                | Step::Groups
                | Step::GroupId
                | Step::UserId
                | Step::NoNewPrivileges
                | Step::ReadOnly
                | Step::EndsWithParent
        )
    }
}

impl Step {
    /// What is being done, for messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Step::Process => "making the process",
            Step::Group => "making its process group",
            Step::Descriptors => "giving it its descriptors",
            Step::Limits => "setting a resource limit",
            Step::Groups => "setting the supplementary groups",
            Step::GroupId => "setting the group",
            Step::UserId => "setting the user",
            Step::Directory => "changing to its directory",
            Step::NoNewPrivileges => "giving up new privileges",
            Step::ReadOnly => "making the file system read-only by Landlock",
            Step::EndsWithParent => "tying its end to the gateway's",
            Step::Exec => "executing the file",
        }
    }
}

impl SpawnError {
    /// Whether the file is open for writing: somebody is copying it to its place.
    pub(super) fn is_being_written(&self) -> bool {
        self.step == Step::Exec && self.source.kind() == io::ErrorKind::ExecutableFileBusy
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step.name(), self.source)
    }
}

impl std::error::Error for SpawnError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl From<io::Error> for SpawnError {
    fn from(source: io::Error) -> Self {
        SpawnError { step: Step::Process, source }
    }
}

impl Program {
    fn valid(&self) -> Result<(), SpawnError> {
        match self.invalid {
            None => Ok(()),
            Some(problem) => Err(io::Error::new(io::ErrorKind::InvalidInput, problem).into()),
        }
    }
}
