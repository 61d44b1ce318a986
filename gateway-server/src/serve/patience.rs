//! How long an application is let be that has nothing to send yet.

use std::time::Duration;

/// Longer each time it says so.
#[derive(Debug, Default)]
pub(super) struct Patience {
    times: u32,
}

impl Patience {
    pub(super) const LONGEST: Duration = Duration::from_millis(20);

    pub(super) fn next(&mut self) -> Duration {
        self.times = (self.times + 1).min(10);
        Duration::from_micros(20 << self.times).min(Self::LONGEST)
    }
}
