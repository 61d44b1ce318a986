//! Which processes a fleet has now, of which kind each is, and what they use together.

use std::io;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

use super::super::model::{Front, Model, Way};
use super::super::result::Parts;
use super::crew::Crew;
use super::proc::{self, Stat};
use super::usage::{Live, Part, Times, Used, sum};

/// How kinds of processes are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Census {
    way: Way,
    is_alone: bool,
    /// What the front runs: its own processes all run the same file, and no CGI program does.
    front: Option<PathBuf>,
    workers: Vec<Pid>,
    /// The last start of a process that belongs to the front, in ticks.
    settled: u64,
}

/// Servers fork all their processes at once; the last may follow the first answer.
const MARGIN: u64 = 2;

/// What is looked at of a process that is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    pid: Pid,
    part: Part,
    stat: Stat,
    /// On its way from the front to a CGI program: not executed yet.
    is_nascent: bool,
}

impl Census {
    pub(super) fn new(model: &Model, crew: &Crew) -> Census {
        let started = crew.members().unwrap_or_default().into_iter().filter_map(|pid| Some(Stat::of(pid)?.started));
        Census {
            way: model.way,
            is_alone: model.front == Front::Application,
            front: crew.front_pid().and_then(proc::executable),
            workers: crew.worker_pids(),
            settled: started.max().unwrap_or(0) + MARGIN,
        }
    }

    pub(super) fn cpu(&self, crew: &Crew) -> io::Result<Used> {
        // The group first: what a process does between the two looks must not be taken away from the children.
        let group = crew.group_times()?;
        let live: Vec<Live> = self.members(crew)?.iter().filter_map(time).collect();
        Ok(sum(self.way, &live, group))
    }

    pub(super) fn memory(&self, crew: &Crew) -> io::Result<Parts> {
        let mut parts = Parts::default();
        // The memory of a nascent program is the front's own (it was made by vfork), which is counted with the front.
        for Member { pid, part, .. } in self.members(crew)?.iter().filter(|member| !member.is_nascent) {
            *part.of(&mut parts) += proc::memory(*pid).unwrap_or(0.0);
        }
        Ok(parts)
    }

    /// Processes that are alive. One that has just ended has no executable any more, and is left out.
    fn members(&self, crew: &Crew) -> io::Result<Vec<Member>> {
        let known = |pid| Some(self.member(pid, &proc::executable(pid)?, Stat::of(pid)?));
        Ok(crew.members()?.into_iter().filter_map(known).collect())
    }

    fn member(&self, pid: Pid, executable: &Path, stat: Stat) -> Member {
        let runs_front = self.front.as_deref() == Some(executable);
        let is_nascent = self.way == Way::Cgi && runs_front && stat.started > self.settled;
        let part = if self.is_alone {
            Part::Server
        } else if self.workers.contains(&pid) {
            Part::Worker
        } else if runs_front && !is_nascent {
            Part::Server
        } else if self.way == Way::Cgi {
            Part::Child
        } else {
            // A worker's own: php-cgi, for one, starts further processes.
            Part::Worker
        };
        Member { pid, part, stat, is_nascent }
    }
}

fn time(member: &Member) -> Option<Live> {
    let total = proc::cpu_time(member.pid)?;
    let user = total * member.stat.user_share();
    let own = Times { user, kernel: total - user };
    Some(Live { part: member.part, own, reaped: member.stat.reaped as f64 * proc::TICK })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Started at this tick, as a process with this number.
    fn seen(census: &Census, number: i32, started: u64, executable: &str) -> (Part, bool) {
        let stat = Stat { parent: 1, started, user: 0, kernel: 0, reaped: 0 };
        let member = census.member(Pid::from_raw(number).unwrap(), Path::new(executable), stat);
        (member.part, member.is_nascent)
    }

    /// The front is ready at tick 100; process 7 is a worker.
    fn census(way: Way, is_alone: bool) -> Census {
        let workers = Pid::from_raw(7).into_iter().collect();
        Census { way, is_alone, front: Some("/bin/front".into()), workers, settled: 100 }
    }

    #[test]
    fn whoever_runs_the_fronts_file_is_the_server() {
        let cgi = census(Way::Cgi, false);
        assert_eq!(seen(&cgi, 1, 100, "/bin/front"), (Part::Server, false));
        assert_eq!(seen(&cgi, 2, 150, "/bin/app"), (Part::Child, false));
    }

    #[test]
    fn a_program_that_is_not_executed_yet_is_a_child_without_memory_of_its_own() {
        assert_eq!(seen(&census(Way::Cgi, false), 2, 101, "/bin/front"), (Part::Child, true));
    }

    #[test]
    fn workers_and_what_they_start_are_workers() {
        let fastcgi = census(Way::FastCgiUnix, false);
        assert_eq!(seen(&fastcgi, 1, 150, "/bin/front"), (Part::Server, false));
        assert_eq!(seen(&fastcgi, 7, 1, "/bin/front"), (Part::Worker, false));
        assert_eq!(seen(&fastcgi, 8, 150, "/bin/app"), (Part::Worker, false));
    }

    #[test]
    fn an_application_that_listens_itself_is_the_server_with_all_it_starts() {
        let alone = census(Way::InProcess, true);
        assert_eq!(seen(&alone, 7, 1, "/bin/front"), (Part::Server, false));
        assert_eq!(seen(&alone, 8, 150, "/bin/helper"), (Part::Server, false));
    }
}
