//! Starting a program where clone is not to be had: by the standard library, which uses `posix_spawn`.
//!
//! Confinement is Linux's: what is asked for cannot be applied here, so the program is not run.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::Pid;

use super::super::confine::Confinement;
use super::{Ends, Program, SpawnError, Started, Step};

/// Makes sure that an ended process stays until it is reaped, also if this one was started with SIGCHLD ignored: a handler
/// takes the place of "ignore".
pub(in super::super) fn report_ends() {
    drop(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::child()));
}

pub(in super::super) fn start(
    program: &Program,
    ends: &Ends<'_>,
    confinement: &Confinement,
) -> Result<Started, SpawnError> {
    program.valid()?;
    if !confinement.is_none() || ends.control.is_some() {
        let source = io::Error::new(io::ErrorKind::Unsupported, "confinement needs Linux");
        return Err(SpawnError { step: Step::UserId, source });
    }
    let mut command = Command::new(OsStr::from_bytes(program.path.first()));
    command.env_clear().args(program.arguments.iter().skip(1).map(OsStr::from_bytes));
    for entry in program.environment.iter() {
        let (name, value) = entry.split_at(entry.iter().position(|byte| *byte == b'=').unwrap_or(entry.len()));
        command.env(OsStr::from_bytes(name), OsStr::from_bytes(value.get(1..).unwrap_or_default()));
    }
    if let Some(directory) = &program.directory {
        command.current_dir(OsStr::from_bytes(directory.first()));
    }
    let duplicate = |end: std::os::fd::BorrowedFd<'_>| Ok::<_, io::Error>(Stdio::from(end.try_clone_to_owned()?));
    command.stdin(duplicate(ends.stdin)?).stdout(duplicate(ends.stdout)?).stderr(duplicate(ends.stderr)?);
    let child = command.process_group(0).spawn().map_err(|source| SpawnError { step: Step::Exec, source })?;
    Ok(Started { pid: Pid::from_child(&child), pidfd: None })
}
