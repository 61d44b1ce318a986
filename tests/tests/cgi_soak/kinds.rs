//! The mixture: thirty kinds of requests, with the programs that answer them and what they must get.

use gateway_tests::client::Payload;

/// Each mount is the same folder, with how many places and what limits. Who must be answered may wait long for a place.
pub(crate) const MOUNTS: [(&str, usize, &str); 6] = [
    ("/plain", 32, "queue_timeout=5min"),
    ("/late", 16, "queue_timeout=5min&header_timeout=500ms"),
    ("/stall", 16, "queue_timeout=5min&idle_timeout=500ms"),
    ("/long", 8, "queue_timeout=5min&timeout=500ms"),
    ("/full", 1, "queue_timeout=20ms"),
    ("/left", 16, "queue_timeout=5min&header_timeout=1s"),
];

/// One kind of request.
pub(crate) struct Kind {
    /// How many of a round's thousand.
    pub(crate) share: usize,
    pub(crate) mount: &'static str,
    pub(crate) name: &'static str,
    pub(crate) client: Client,
    pub(crate) due: Due,
    /// For `/bin/sh`, behind [`PRELUDE`].
    pub(crate) program: &'static str,
}

/// What the client does.
pub(crate) enum Client {
    Gets,
    Heads,
    Posts(Payload),
    /// Leaves when something of the answer has come; more is under way, so the connection is reset.
    LeavesInTheAnswer,
    /// Closes the connection before anything of the answer has come.
    ClosesBefore,
    /// Resets the connection before anything of the answer has come.
    ResetsBefore,
    /// Sends half of its body and goes.
    SendsHalf,
}

/// What a request must get.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    /// A whole answer: this text and the request's own number.
    Own(&'static str),
    /// A whole answer with this status.
    Whole(u16),
    /// A whole answer with this status, and these words in the log.
    Failed(u16, &'static str),
    /// The start of an answer, broken off so that the client can see it, and these words in the log.
    Cut(&'static str),
    /// [`Due::Own`], or 503 because no place became free.
    OwnOr503,
    /// Nobody waits for it.
    Nobody,
}

/// What every program begins with. PATH_INFO is the request's number behind a slash.
pub(crate) const PRELUDE: &str = r#"#!/bin/sh
head() { printf 'Content-Type: text/plain\n\n%s' "$1"; }
own() { head "$1$PATH_INFO"; }
say() { echo "said by $PATH_INFO" >&2; }
"#;

/// How much came of how much that was announced.
const UPLOAD: &str = r#"own "$(wc -c) of $CONTENT_LENGTH""#;
/// More on standard error than a pipe holds, before anything else.
const CHATTY: &str = r#"line=$(printf %01000d 0); for i in $(seq 100); do echo "$line"; done >&2; say; own"#;
const SHORT: &str = r#"say; printf 'Content-Type: text/plain\nContent-Length: 100\n\npart'"#;

pub(crate) static KINDS: [Kind; 29] = {
    use Client::{ClosesBefore, Gets, Heads, LeavesInTheAnswer, Posts, ResetsBefore, SendsHalf};
    use Due::{Cut, Failed, Nobody, Own, OwnOr503, Whole};
    const fn kind(
        share: usize,
        mount: &'static str,
        name: &'static str,
        client: Client,
        due: Due,
        program: &'static str,
    ) -> Kind {
        Kind { share, mount, name, client, due, program }
    }
    const LATE: Due = Failed(504, "no header block within 500ms");
    [
        kind(456, "/plain", "good", Gets, Own(""), "own"),
        kind(20, "/plain", "head", Heads, Whole(200), "own"),
        kind(40, "/plain", "upload", Posts(Payload::Pattern(30_000)), Own("30000 of 30000"), UPLOAD),
        kind(10, "/plain", "chunked", Posts(Payload::Chunked(90_000)), Own("90000 of 90000"), UPLOAD),
        kind(40, "/plain", "unread", Posts(Payload::Pattern(200_000)), Own(""), "own"),
        kind(60, "/plain", "slow", Gets, Own(""), r#"sleep 0.1; head; sleep 0.05; printf %s "$PATH_INFO""#),
        kind(40, "/plain", "talking", Gets, Own(""), "own; say"),
        kind(10, "/plain", "chatty", Gets, Own(""), CHATTY),
        kind(10, "/plain", "redirect", Gets, Own(""), r#"printf 'Location: /plain/good%s\n\n' "$PATH_INFO""#),
        kind(20, "/plain", "missing", Gets, Whole(404), ""),
        kind(50, "/plain", "crash", Gets, Failed(502, "wrote nothing: exit code 3"), "say; exit 3"),
        kind(20, "/plain", "empty", Gets, Failed(502, "wrote nothing: exit code 0"), "say"),
        kind(20, "/plain", "killed", Gets, Failed(502, "wrote nothing: killed by signal 9"), "say; kill -9 $$"),
        kind(30, "/plain", "garbage", Gets, Failed(502, "no colon"), "say; echo 'once upon a time'; echo; echo x"),
        kind(40, "/plain", "torn", Gets, Cut("unknown length: exit code 4"), "head part; say; exit 4"),
        kind(20, "/plain", "shot", Gets, Cut("unknown length: killed by signal 9"), "head part; say; kill -9 $$"),
        kind(20, "/plain", "short", Gets, Cut("4 of the 100 bytes it declared"), SHORT),
        kind(30, "/plain", "forking", Gets, Own(""), "sleep 0.2 </dev/null >/dev/null 2>&1 & own"),
        kind(5, "/plain", "keeping", Gets, Own(""), "sleep 2 & own"),
        kind(6, "/late", "silent", Gets, LATE, "sleep 1000"),
        kind(4, "/late", "family", Gets, LATE, "(sleep 1000 & sleep 1000) & sleep 1000 & wait"),
        kind(1, "/late", "deaf", Gets, LATE, "trap '' TERM; while :; do sleep 1000; done"),
        kind(6, "/stall", "stalled", Gets, Cut("no output for 500ms"), "head part; sleep 1000"),
        kind(4, "/long", "endless", Gets, Failed(504, "not finished within 500ms"), "sleep 1000"),
        kind(10, "/full", "full", Gets, OwnOr503, "sleep 0.1; own"),
        kind(8, "/left", "leave", LeavesInTheAnswer, Nobody, "head; sleep 1000 & while :; do echo more; done"),
        kind(4, "/left", "close", ClosesBefore, Nobody, "sleep 1000 & sleep 1000"),
        kind(4, "/left", "reset", ResetsBefore, Nobody, "sleep 1000 & sleep 1000"),
        kind(12, "/left", "half", SendsHalf, Nobody, "cat >/dev/null; own"),
    ]
};
