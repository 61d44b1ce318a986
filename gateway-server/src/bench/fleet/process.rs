//! One process that the fleet started: in a process group of its own, its standard error in a file.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus};

use super::FleetError;

/// A process; ended by [`Crew`](super::crew::Crew), which knows in which order.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; `log` gets both its outputs.
    pub(super) fn start(name: &str, mut command: Command, log: PathBuf) -> Result<Process, FleetError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let started = File::options().append(true).create(true).open(&log).and_then(|error| {
            command.process_group(0).stdout(error.try_clone()?).stderr(error);
            command.spawn()
        });
        match started {
            Ok(child) => Ok(Process { name: name.to_owned(), child, log }),
            Err(source) => Err(FleetError::Spawn { server: name.to_owned(), program, source }),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// How it ended, if it has. It is not reaped by that, so its id stays its own.
    pub(super) fn ended(&self) -> Option<String> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        rustix::process::waitid(WaitId::Pid(self.pid()), options).ok().flatten().map(|status| how(&status))
    }

    /// All that it wrote.
    pub(super) fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) {
        // An error says that it has ended.
        let _ = rustix::process::kill_process(self.pid(), Signal::TERM);
    }

    /// Ends it, and what is left of its group; the group's id is its own as long as it is not reaped.
    pub(super) fn kill(mut self) {
        let _ = rustix::process::kill_process_group(self.pid(), Signal::KILL);
        let _ = self.child.wait();
    }
}

fn how(status: &WaitIdStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "for an unknown reason".to_owned(),
    }
}

/// The last lines of a text, as far as a reader wants them.
pub(super) fn last_lines(text: &str) -> String {
    const LINES: usize = 6;
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(LINES)).copied().collect::<Vec<_>>().join("\n")
}

/// A command without an input.
pub(super) fn quiet(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> (tempfile::TempDir, Process) {
        let folder = tempfile::tempdir().unwrap();
        let mut command = quiet("/bin/sh");
        command.args(["-c", script]);
        let process = Process::start("sh", command, folder.path().join("log")).unwrap();
        (folder, process)
    }

    fn wait_ended(process: &Process) -> String {
        rustix::process::waitid(WaitId::Pid(process.pid()), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
        process.ended().unwrap()
    }

    #[test]
    fn the_end_of_a_process_is_told_with_what_it_said() {
        let (_folder, process) = shell("echo one; echo two >&2; exit 3");
        assert_eq!(wait_ended(&process), "exit code 3");
        assert_eq!(process.said(), "one\ntwo\n");
        process.kill();
    }

    #[test]
    fn a_process_that_stays_is_ended() {
        let (_folder, process) = shell("exec sleep 1000");
        assert_eq!(process.ended(), None);
        process.terminate();
        assert_eq!(wait_ended(&process), "signal 15");
        process.kill();
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Process::start("app", quiet("/no/such/program"), folder.path().join("log")).unwrap_err();
        assert!(error.to_string().starts_with("app cannot be started (/no/such/program): "), "{error}");
    }

    #[test]
    fn last_lines_are_the_end_of_a_text() {
        assert_eq!(last_lines("a\nb\n"), "a\nb");
        let many: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        assert_eq!(last_lines(&many.join("\n")), many[14..].join("\n"));
    }
}
