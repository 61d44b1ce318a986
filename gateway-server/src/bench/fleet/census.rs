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
}

impl Census {
    pub(super) fn new(model: &Model, crew: &Crew) -> Census {
        Census {
            way: model.way,
            is_alone: model.front == Front::Application,
            front: crew.front_pid().and_then(proc::executable),
            workers: crew.worker_pids(),
        }
    }

    pub(super) fn cpu(&self, crew: &Crew) -> io::Result<Used> {
        // The group first: what a process does between the two looks must not be taken away from the children.
        let group = crew.group_times()?;
        let live = self.members(crew)?;
        Ok(sum(self.way, &live.iter().filter_map(|&(pid, part)| time(pid, part)).collect::<Vec<_>>(), group))
    }

    pub(super) fn memory(&self, crew: &Crew) -> io::Result<Parts> {
        let mut parts = Parts::default();
        for (pid, part) in self.members(crew)? {
            *part.of(&mut parts) += proc::memory(pid).unwrap_or(0.0);
        }
        Ok(parts)
    }

    /// Processes that are alive. One that has just ended has no executable any more, and is left out.
    fn members(&self, crew: &Crew) -> io::Result<Vec<(Pid, Part)>> {
        let members = crew.members()?.into_iter();
        Ok(members.filter_map(|pid| Some((pid, self.part(pid, &proc::executable(pid)?)))).collect())
    }

    fn part(&self, pid: Pid, executable: &Path) -> Part {
        if self.is_alone {
            Part::Server
        } else if self.workers.contains(&pid) {
            Part::Worker
        } else if self.front.as_deref() == Some(executable) {
            Part::Server
        } else if self.way == Way::Cgi {
            Part::Child
        } else {
            // A worker's own: php-cgi, for one, starts further processes.
            Part::Worker
        }
    }
}

fn time(pid: Pid, part: Part) -> Option<Live> {
    let (stat, total) = (Stat::of(pid)?, proc::cpu_time(pid)?);
    let user = total * stat.user_share();
    let reaped = stat.reaped as f64 * proc::TICK;
    Some(Live { part, own: Times { user, kernel: total - user }, reaped })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(number: i32) -> Pid {
        Pid::from_raw(number).unwrap()
    }

    fn census(way: Way, is_alone: bool) -> Census {
        Census { way, is_alone, front: Some("/bin/front".into()), workers: vec![pid(7)] }
    }

    #[test]
    fn whoever_runs_the_fronts_file_is_the_server() {
        let cgi = census(Way::Cgi, false);
        assert_eq!(cgi.part(pid(1), Path::new("/bin/front")), Part::Server);
        assert_eq!(cgi.part(pid(2), Path::new("/bin/app")), Part::Child);
    }

    #[test]
    fn workers_and_what_they_start_are_workers() {
        let fastcgi = census(Way::FastCgiUnix, false);
        assert_eq!(fastcgi.part(pid(1), Path::new("/bin/front")), Part::Server);
        assert_eq!(fastcgi.part(pid(7), Path::new("/bin/front")), Part::Worker);
        assert_eq!(fastcgi.part(pid(8), Path::new("/bin/app")), Part::Worker);
    }

    #[test]
    fn an_application_that_listens_itself_is_the_server_with_all_it_starts() {
        let alone = census(Way::InProcess, true);
        assert_eq!(alone.part(pid(7), Path::new("/bin/front")), Part::Server);
        assert_eq!(alone.part(pid(8), Path::new("/bin/helper")), Part::Server);
    }
}
