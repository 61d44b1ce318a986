//! The text of a time in a line, written anew once a second.
//!
//! Holds the two spellings, both in UTC: a log that many machines write must not depend on where they are.

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second, spelled.
#[derive(Debug, Default)]
pub(super) struct Clock {
    second: Option<u64>,
    common: Vec<u8>,
    iso: Vec<u8>,
}

impl Clock {
    /// `06/Nov/1994:08:49:37 +0000`
    pub(super) fn common(&mut self, time: SystemTime) -> &[u8] {
        self.turn(time);
        &self.common
    }

    /// Writes `1994-11-06T08:49:37.123Z`.
    pub(super) fn iso(&mut self, line: &mut Vec<u8>, time: SystemTime) {
        let since = self.turn(time);
        line.extend_from_slice(&self.iso);
        let _ = write!(line, ".{:03}Z", since.subsec_millis());
    }

    fn turn(&mut self, time: SystemTime) -> Duration {
        // The latest time that `humantime` writes is in the year 9999.
        const LAST: Duration = Duration::from_secs(253_402_300_799);
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default().min(LAST);
        if self.second != Some(since.as_secs()) {
            self.second = Some(since.as_secs());
            let whole = UNIX_EPOCH + Duration::from_secs(since.as_secs());
            self.iso.clear();
            let _ = write!(self.iso, "{}", humantime::format_rfc3339_seconds(whole));
            self.iso.pop();
            // `Sun, 06 Nov 1994 08:49:37 GMT`
            let date = httpdate::HttpDate::from(whole).to_string();
            let part = |range| date.get(range).unwrap_or_default();
            self.common.clear();
            let _ = write!(self.common, "{}/{}/{}:{} +0000", part(5..7), part(8..11), part(12..16), part(17..25));
        }
        since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spelled_in_two_ways() {
        let mut clock = Clock::default();
        let iso = |clock: &mut Clock, time| {
            let mut line = Vec::new();
            clock.iso(&mut line, time);
            String::from_utf8(line).unwrap()
        };
        let time = UNIX_EPOCH + Duration::from_millis(784_111_777_123);
        assert_eq!(iso(&mut clock, time), "1994-11-06T08:49:37.123Z");
        assert_eq!(clock.common(time), b"06/Nov/1994:08:49:37 +0000");
        assert_eq!(iso(&mut clock, time + Duration::from_millis(900)), "1994-11-06T08:49:38.023Z");
        assert_eq!(clock.common(time + Duration::from_secs(1)), b"06/Nov/1994:08:49:38 +0000");
        assert_eq!(iso(&mut clock, UNIX_EPOCH - Duration::from_secs(5)), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(&mut clock, UNIX_EPOCH + Duration::from_secs(1 << 40)), "9999-12-31T23:59:59.000Z");
    }
}
