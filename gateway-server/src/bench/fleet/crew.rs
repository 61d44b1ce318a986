//! All processes of a fleet: started in order, ended in order.

use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::FleetError;
use super::group::Group;
use super::proc::{self, Stat};
use super::process::{Process, last_lines};
use super::usage::Times;

/// How long processes have to end by themselves when they are asked to.
const GRACE: Duration = Duration::from_secs(3);

/// The processes; ended on drop.
#[derive(Debug)]
pub(super) struct Crew {
    front: Option<Process>,
    workers: Vec<Process>,
    group: Option<Group>,
}

impl Crew {
    pub(super) fn new() -> Crew {
        Crew { front: None, workers: Vec::new(), group: Group::new() }
    }

    pub(super) fn start_worker(&mut self, name: &str, command: Command, log: PathBuf) -> Result<(), FleetError> {
        let process = self.start(name, command, log)?;
        self.workers.push(process);
        Ok(())
    }

    pub(super) fn start_front(&mut self, name: &str, command: Command, log: PathBuf) -> Result<(), FleetError> {
        self.front = Some(self.start(name, command, log)?);
        Ok(())
    }

    fn start(&mut self, name: &str, command: Command, log: PathBuf) -> Result<Process, FleetError> {
        let process = Process::start(name, command, log)?;
        self.take_in(process.pid());
        Ok(process)
    }

    /// Takes in whoever was started before its parent was in the group.
    pub(super) fn complete(&mut self) {
        for pid in proc::families(&self.roots()).unwrap_or_default() {
            self.take_in(pid);
        }
    }

    /// A group that does not take somebody in while it is alive would count wrongly: better none.
    fn take_in(&mut self, pid: Pid) {
        let refused = self.group.as_ref().is_some_and(|group| group.add(pid).is_err());
        if refused && proc::executable(pid).is_some() {
            self.group = None;
        }
    }

    pub(super) fn front_pid(&self) -> Option<Pid> {
        self.front.as_ref().map(Process::pid)
    }

    pub(super) fn worker_pids(&self) -> Vec<Pid> {
        self.workers.iter().map(Process::pid).collect()
    }

    fn roots(&self) -> Vec<Pid> {
        self.processes().map(Process::pid).collect()
    }

    fn processes(&self) -> impl Iterator<Item = &Process> {
        self.front.iter().chain(&self.workers)
    }

    /// Every process that is alive, ours and what they started.
    pub(super) fn members(&self) -> io::Result<Vec<Pid>> {
        match &self.group {
            Some(group) => group.members(),
            None => proc::families(&self.roots()),
        }
    }

    /// What the group has counted, if there is one.
    pub(super) fn group_times(&self) -> io::Result<Option<Times>> {
        self.group.as_ref().map(Group::times).transpose()
    }

    /// The name of whoever listens.
    pub(super) fn name(&self) -> String {
        self.front.as_ref().map(|front| front.name().to_owned()).unwrap_or_default()
    }

    /// All that the front wrote.
    pub(super) fn front_said(&self) -> String {
        self.front.as_ref().map(Process::said).unwrap_or_default()
    }

    /// The last lines that anybody wrote.
    pub(super) fn said(&self) -> String {
        let all: Vec<String> = self.processes().map(|process| last_lines(&process.said())).collect();
        all.iter().filter(|said| !said.is_empty()).map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// The error of a process that has ended, if one has.
    pub(super) fn check(&self) -> Result<(), FleetError> {
        for process in self.processes() {
            if let Some(how) = process.ended() {
                let said = last_lines(&process.said());
                return Err(FleetError::Ended { server: process.name().to_owned(), how, said });
            }
        }
        Ok(())
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        // What they started loses its parent when they end, and could not be found after that.
        self.complete();
        let others: Vec<(Pid, Stat)> = self.members().unwrap_or_default().into_iter().filter_map(known).collect();
        // The front first: it may still need the workers for the requests in progress.
        end(self.front.take().into_iter().collect());
        end(std::mem::take(&mut self.workers));
        let joined = self.group.as_ref().and_then(|group| group.members().ok()).unwrap_or_default();
        let late: Vec<(Pid, Stat)> = joined.into_iter().filter_map(known).collect();
        for (pid, stat) in others.iter().chain(&late) {
            // The same id may be somebody else's by now; the same id and start cannot.
            if Stat::of(*pid).is_some_and(|now| now.started == stat.started) {
                let _ = rustix::process::kill_process(*pid, Signal::KILL);
            }
        }
    }
}

fn known(pid: Pid) -> Option<(Pid, Stat)> {
    Some((pid, Stat::of(pid)?))
}

fn end(processes: Vec<Process>) {
    processes.iter().for_each(Process::terminate);
    let began = Instant::now();
    while processes.iter().any(|process| process.ended().is_none()) && began.elapsed() < GRACE {
        thread::sleep(Duration::from_millis(1));
    }
    processes.into_iter().for_each(Process::kill);
}

#[cfg(test)]
mod tests {
    use super::super::process::quiet;
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = quiet("/bin/sh");
        command.args(["-c", script]);
        command
    }

    /// Looks until there is something, but not for ever.
    #[track_caller]
    fn poll<T>(mut look: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "nothing to be seen");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn nothing_is_left_of_processes_that_do_not_want_to_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut crew = Crew::new();
        let script = "trap '' TERM; setsid sleep 1000 & echo ready; wait";
        crew.start_front("front", shell(script), folder.path().join("log")).unwrap();
        poll(|| (crew.front_said() == "ready\n").then_some(()));
        crew.complete();
        let members = poll(|| crew.members().ok().filter(|members| members.len() == 2));
        drop(crew);
        // One that nobody has waited for yet has no executable any more.
        poll(|| members.iter().all(|&pid| proc::executable(pid).is_none()).then_some(()));
    }

    #[test]
    fn a_process_that_left_before_it_was_in_the_group_is_ended_too() {
        let folder = tempfile::tempdir().unwrap();
        let script = "setsid sleep 1000 & echo $!; wait";
        let process = Process::start("front", shell(script), folder.path().join("log")).unwrap();
        let late = poll(|| proc::process_id(process.said().trim()));
        let mut crew = Crew::new();
        crew.front = Some(process);
        drop(crew);
        poll(|| proc::executable(late).is_none().then_some(()));
    }

    #[test]
    fn a_process_that_ended_by_itself_is_told_with_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut crew = Crew::new();
        crew.start_front("front", shell("echo no such option >&2; exit 2"), folder.path().join("log")).unwrap();
        let error = poll(|| crew.check().err());
        assert_eq!(error.to_string(), "front ended (exit code 2) before it answered; it said:\nno such option");
    }
}
