//! Every body is closed exactly once: counted by the application itself (`/closed`).
//!
//! PEP 3333 "Specification Details": the server calls `close` on every body that has it, whether the iteration ended,
//! failed or was not wanted (HEAD).

use super::{Deviation, Gateway};
use crate::client::Request;

/// How often the count is asked for until it must be right: a body may be closed after its last byte was sent.
const PATIENCE: u64 = 200;

pub(super) fn judge(gateway: &dyn Gateway) -> Vec<Deviation> {
    let between = [
        Request::get("/hello"),
        Request::new("HEAD", "/hello"),
        Request::new("HEAD", "/stream/100000?chunk=1000"),
        Request::get("/stream/100000?chunk=1000"),
        Request::get("/lazy"),
        Request::get("/fail/after"),
        Request::get("/panic/after"),
        Request::get("/length/long"),
        Request::get("/length/short"),
        Request::get("/status/304"),
    ];
    let Some(before) = count(gateway) else { return vec![Deviation::new("closed", "no number")] };
    for request in &between {
        // Each on a connection of its own; what it answers is the business of other cases.
        let _ = gateway.exchange(std::slice::from_ref(request));
    }
    if gateway.is_process_per_request() {
        // Each process counts its own bodies only, and answers before it closes this one.
        let after = count(gateway);
        let what = if (before, after) == (0, Some(0)) { "own process" } else { "closed" };
        return vec![Deviation::new(what, format!("{before} before, {after:?} after"))];
    }
    // The first count's own body was closed as well, and so was that of each count since.
    let expected = before + 1 + between.len() as u64;
    for asked in 0..PATIENCE {
        match count(gateway) {
            Some(after) if after == expected + asked => return Vec::new(),
            Some(after) if after < expected + asked => {}
            after => return vec![Deviation::new("closed", format!("{after:?} instead of {}", expected + asked))],
        }
    }
    vec![Deviation::new("closed", format!("still less than {expected} and one more for each of {PATIENCE} counts"))]
}

/// The application's count.
pub fn count(gateway: &dyn Gateway) -> Option<u64> {
    let answer = gateway.exchange(&[Request::get("/closed")]).pop()?.ok()?;
    answer.text().trim().parse().ok()
}
