//! The text of the Date field (HTTP-151), written anew once a second.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// `Sun, 06 Nov 1994 08:49:37 GMT`
const LENGTH: usize = 29;

/// Each connection keeps its own: nothing is shared, and most of them are busy for less than a second.
#[derive(Debug)]
pub(super) struct DateText {
    second: u64,
    text: [u8; LENGTH],
}

impl DateText {
    pub(super) fn new() -> Self {
        Self { second: u64::MAX, text: [b' '; LENGTH] }
    }

    /// The text for now.
    pub(super) fn now(&mut self) -> [u8; LENGTH] {
        let now = SystemTime::now();
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if second != self.second {
            self.second = second;
            // It has this length until the year 10000.
            let _ = write!(&mut self.text[..], "{}", httpdate::HttpDate::from(now));
        }
        self.text
    }
}
