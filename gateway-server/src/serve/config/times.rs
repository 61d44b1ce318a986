//! How long the listener waits, and how slow a client may be meanwhile.
//!
//! Holds the setters. Their values stand beside the others, with the defaults.

use super::Config;
use std::time::Duration;

impl Config {
    /// From the beginning of a connection until a request may come, where something comes before it: a PROXY header, a TLS handshake,
    /// the preface of HTTP/2. Default 10 s: a handshake is two round trips, and until it is done nobody knows who keeps us busy. Then:
    /// closed without a word.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// From the first byte of a request head, or from the beginning of the connection, to the head's end. Default 30 s; the
    /// whole head counts, so sending it drop by drop does not help. Then: 408.
    #[must_use]
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout;
        self
    }

    /// How long an idle connection is kept. Default 75 s, longer than the 60 s of common proxies, so that it is they who
    /// close, and no request is lost in between. Then: closed without a word.
    #[must_use]
    pub fn keep_alive_timeout(mut self, timeout: Duration) -> Self {
        self.keep_alive_timeout = timeout;
        self
    }

    /// Longest pause within a request body. Default 30 s, some retransmissions of a lost packet. Then: 408, if nothing was answered
    /// yet. A body that nobody reads is read away for this long at most.
    #[must_use]
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// Longest pause of a client that takes nothing of its response. Default 30 s, as for bodies. Then: reset.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// How long a client may keep us waiting in all before the two rates below are asked of it. Default 10 s: a line that stutters at
    /// its beginning is no attack.
    #[must_use]
    pub fn rate_grace(mut self, grace: Duration) -> Self {
        self.rate_grace = grace;
        self
    }

    /// How fast a request body must come, on average, while it is waited for; 0 asks for nothing. Default 240: slower than any line in
    /// use, yet pauses alone would let a client hold a place with one byte in half a minute. Then: 408, if nothing was answered
    /// yet. Time in which the application does not read is not the client's.
    #[must_use]
    pub fn min_body_bytes_per_second(mut self, bytes: u64) -> Self {
        self.min_body_bytes_per_second = bytes;
        self
    }

    /// How fast a client must take its response, on average, while it is waited for; 0 asks for nothing. Default 240, as for bodies.
    /// What the buffers of the system hold at first does not count. Then: reset.
    #[must_use]
    pub fn min_write_bytes_per_second(mut self, bytes: u64) -> Self {
        self.min_write_bytes_per_second = bytes;
        self
    }

    /// How long a client that sends no more may wait for its response (HTTP-173). Most such clients are gone: whoever closes a
    /// connection sends no more, and nothing else tells the two apart. Then the request is given up, and with it whatever
    /// works on it. Looked at once a second. Default 5 s: longer than simple clients that do this on purpose wait, shorter
    /// than programs should run for nobody.
    #[must_use]
    pub fn half_close_timeout(mut self, timeout: Duration) -> Self {
        self.half_close_timeout = timeout;
        self
    }

    /// How long a connection that we close is read on, so that the last response is not lost (HTTP-172). Default 2 s, some
    /// round trips.
    #[must_use]
    pub fn linger_timeout(mut self, timeout: Duration) -> Self {
        self.linger_timeout = timeout;
        self
    }

    /// How long a graceful stop waits for requests in progress. Default 30 s, what service managers grant.
    #[must_use]
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = timeout;
        self
    }
}
