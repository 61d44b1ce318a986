//! Why a worker has ended, in words for the log.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::Signal;

/// Why we let a worker go, or killed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// A reload: it is of an older generation.
    Reload,
    MaxRequests,
    Lifetime,
    Memory,
    /// More workers than are wanted.
    Spare,
    /// All are to end.
    Stop,
    /// A request took too long; it was killed.
    RequestTimeout,
    /// It did not become ready in time; it was killed.
    StartTimeout,
}

impl Reason {
    pub(super) fn name(self) -> &'static str {
        match self {
            Reason::Reload => "reload",
            Reason::MaxRequests => "max_requests",
            Reason::Lifetime => "lifetime",
            Reason::Memory => "max_memory",
            Reason::Spare => "not needed",
            Reason::Stop => "stop",
            Reason::RequestTimeout => "request_timeout",
            Reason::StartTimeout => "start_timeout",
        }
    }
}

/// How a process ended, told in the way of the field: what it said, or what killed it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Death {
    pub(super) status: Option<ExitStatus>,
    /// We have killed it, for this.
    pub(super) killed_for: Option<Reason>,
    /// The system has killed a process for want of memory since this one was started.
    pub(super) out_of_memory: bool,
}

impl Death {
    pub(super) fn is_clean(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    fn is_sigkill(&self) -> bool {
        self.status.and_then(|status| status.signal()) == Some(Signal::KILL.as_raw())
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            None => f.write_str("unknown")?,
            Some(status) => write!(f, "{status}")?,
        }
        match self.killed_for {
            Some(reason) => write!(f, ", killed by the manager for {}", reason.name()),
            None if self.is_sigkill() && self.out_of_memory => f.write_str(", the system was out of memory"),
            None if self.is_sigkill() => f.write_str(", killed by somebody else"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: i32, killed_for: Option<Reason>, out_of_memory: bool, text: &str) {
        let death = Death { status: Some(ExitStatus::from_raw(status)), killed_for, out_of_memory };
        assert_eq!(death.to_string(), text);
    }

    #[test]
    fn fcgi_123_an_end_says_what_it_was_and_who_meant_it() {
        check(3 << 8, None, true, "exit status: 3");
        check(11, None, true, "signal: 11 (SIGSEGV)");
        check(9, None, false, "signal: 9 (SIGKILL), killed by somebody else");
        check(9, None, true, "signal: 9 (SIGKILL), the system was out of memory");
        let killed = "signal: 9 (SIGKILL), killed by the manager for request_timeout";
        check(9, Some(Reason::RequestTimeout), true, killed);
    }
}
