//! The two clocks: the time that all processes share, and the CPU time of the calling thread.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

use super::Mark;

/// CLOCK_MONOTONIC: what other processes write down can be compared with it.
pub(super) fn now() -> Mark {
    nanoseconds(clock_gettime(ClockId::Monotonic))
}

/// CPU time that the calling thread has used, in the kernel too.
pub(super) fn thread_cpu() -> Duration {
    Duration::from_nanos(nanoseconds(clock_gettime(ClockId::ThreadCPUTime)))
}

/// The moment `wait` after `mark`.
pub(super) fn after(mark: Mark, wait: Duration) -> Mark {
    mark.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX))
}

/// Neither clock is ever negative.
fn nanoseconds(time: Timespec) -> u64 {
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}
