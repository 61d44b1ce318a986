//! CPU time by kind of process: how what the clocks say is put together.
//!
//! Holds sums alone; nothing is read here. The time of a process is exact (its clock), and how it divides into user and
//! kernel is sampled by the kernel.

use std::time::Duration;

use super::super::model::Way;
use super::super::result::Parts;

/// CPU time since the start of a fleet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// Whoever listens, in user mode.
    pub(crate) server: Duration,
    /// FastCGI workers, in user mode.
    pub(crate) workers: Duration,
    /// CGI programs, in user mode.
    pub(crate) children: Duration,
    /// The kernel, on behalf of all of them.
    pub(crate) kernel: Duration,
}

impl Used {
    /// All of it.
    pub(crate) fn total(&self) -> Duration {
        self.server + self.workers + self.children + self.kernel
    }

    /// What was used between an earlier look and this one.
    ///
    /// A part that seems to have shrunk is 0: how it divides is an estimate, and a later one may differ.
    pub(crate) fn since(&self, earlier: &Used) -> Used {
        Used {
            server: self.server.saturating_sub(earlier.server),
            workers: self.workers.saturating_sub(earlier.workers),
            children: self.children.saturating_sub(earlier.children),
            kernel: self.kernel.saturating_sub(earlier.kernel),
        }
    }

    /// Adds what was used at another time.
    pub(crate) fn add(&mut self, other: &Used) {
        self.server += other.server;
        self.workers += other.workers;
        self.children += other.children;
        self.kernel += other.kernel;
    }
}

/// User and kernel time of a process or of many, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Times {
    pub(super) user: f64,
    pub(super) kernel: f64,
}

/// Which part of a model a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Server,
    Worker,
    Child,
}

impl Part {
    /// Its field in a quantity by kind of process.
    pub(super) fn of(self, parts: &mut Parts) -> &mut f64 {
        match self {
            Part::Server => &mut parts.server,
            Part::Worker => &mut parts.workers,
            Part::Child => &mut parts.children,
        }
    }
}

/// A process that is alive: what it used, and what its children did that it has waited for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Live {
    pub(super) part: Part,
    pub(super) own: Times,
    pub(super) reaped: f64,
}

/// The sum of a fleet; `group` is what its control group has counted, if there is one.
pub(super) fn sum(way: Way, live: &[Live], group: Option<Times>) -> Used {
    let (mut user, mut kernel) = (Parts::default(), 0.0);
    for Live { part, own, reaped } in live {
        *part.of(&mut user) += own.user;
        kernel += own.kernel;
        if way == Way::Cgi {
            user.children += reaped;
        }
    }
    // Only here do processes end that matter: children are what is left of the group when the others are taken away.
    if let (Way::Cgi, Some(group)) = (way, group) {
        user.children = group.user - user.server - user.workers;
        kernel = group.kernel;
    }
    let time = |nanoseconds: f64| Duration::from_secs_f64(nanoseconds.max(0.0) / 1e9);
    let Parts { server, workers, children } = user;
    Used { server: time(server), workers: time(workers), children: time(children), kernel: time(kernel) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(part: Part, user: f64, kernel: f64, reaped: f64) -> Live {
        Live { part, own: Times { user, kernel }, reaped }
    }

    /// Nanoseconds of server, workers, children, kernel.
    fn used([server, workers, children, kernel]: [u64; 4]) -> Used {
        let time = Duration::from_nanos;
        Used { server: time(server), workers: time(workers), children: time(children), kernel: time(kernel) }
    }

    #[test]
    fn without_programs_that_end_the_parts_are_the_processes() {
        let workers = [live(Part::Worker, 4.0, 8.0, 0.0), live(Part::Worker, 16.0, 32.0, 0.0)];
        let all = [live(Part::Server, 1.0, 2.0, 9.0), workers[0], workers[1]];
        let group = Some(Times { user: 500.0, kernel: 500.0 });
        let sums = [sum(Way::FastCgiUnix, &all, None), sum(Way::FastCgiTcp, &all, group)];
        assert_eq!(sums, [used([1, 20, 0, 42]); 2]);
    }

    #[test]
    fn children_are_what_the_group_has_beyond_the_others() {
        let all = [live(Part::Server, 100.0, 50.0, 7.0), live(Part::Child, 3.0, 4.0, 0.0)];
        let sum = sum(Way::Cgi, &all, Some(Times { user: 300.0, kernel: 200.0 }));
        assert_eq!(sum, used([100, 0, 200, 200]));
        assert_eq!(sum.total(), Duration::from_nanos(500));
    }

    #[test]
    fn children_are_never_negative() {
        let all = [live(Part::Server, 100.0, 50.0, 0.0)];
        assert_eq!(sum(Way::Cgi, &all, Some(Times { user: 90.0, kernel: 60.0 })), used([100, 0, 0, 60]));
    }

    #[test]
    fn without_a_group_children_are_those_waited_for_and_those_alive() {
        let all = [live(Part::Server, 100.0, 50.0, 70.0), live(Part::Child, 3.0, 4.0, 0.0)];
        assert_eq!(sum(Way::Cgi, &all, None), used([100, 0, 73, 54]));
    }

    #[test]
    fn a_difference_has_no_negative_part_and_can_be_added_up() {
        let (earlier, later) = (used([10, 20, 30, 40]), used([11, 19, 30, 45]));
        let mut difference = later.since(&earlier);
        assert_eq!(difference, used([1, 0, 0, 5]));
        difference.add(&earlier);
        assert_eq!(difference, used([11, 20, 30, 45]));
    }
}
