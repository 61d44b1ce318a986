//! Every body is closed exactly once: counted by the application itself (`/closed`).
//!
//! PEP 3333 "Specification Details": the server calls `close` on every body that has it, whether the iteration ended,
//! failed or was not wanted (HEAD).

use std::time::Duration;

use super::{Deviation, Gateway};
use crate::client::Request;
use crate::process::poll_until;

/// How long the count may take to be right: a body may be closed after its last byte was sent.
const PATIENCE: Duration = Duration::from_secs(20);

type Judge = fn(&dyn Gateway) -> Vec<Deviation>;

pub(super) const CASES: [(&str, Judge); 2] = [("closed", after_clean_ends), ("closed_broken", after_broken_answers)];

fn after_clean_ends(gateway: &dyn Gateway) -> Vec<Deviation> {
    let requests = [
        Request::get("/hello"),
        Request::new("HEAD", "/hello"),
        Request::new("HEAD", "/stream/100000?chunk=1000"),
        Request::get("/stream/100000?chunk=1000"),
        Request::get("/lazy"),
        Request::get("/restart"),
        Request::get("/length/short"),
        Request::get("/status/304"),
    ];
    judge(gateway, &requests)
}

/// Apart, because a server may replace a worker that broke an answer off, and the count with it.
fn after_broken_answers(gateway: &dyn Gateway) -> Vec<Deviation> {
    judge(gateway, &["/fail/after", "/panic/after", "/length/long"].map(Request::get))
}

fn judge(gateway: &dyn Gateway, between: &[Request]) -> Vec<Deviation> {
    let Some(before) = quiet_count(gateway) else { return vec![Deviation::new("closed", "no number")] };
    for request in between {
        // Each on a connection of its own; what it answers is the business of other cases.
        let _ = gateway.exchange(std::slice::from_ref(request));
    }
    if gateway.is_process_per_request() {
        // Each process counts its own bodies only, and answers before it closes this one.
        let after = count(gateway);
        let what = if (before, after) == (0, Some(0)) { "own process" } else { "closed" };
        return vec![Deviation::new(what, format!("{before} before, {after:?} after"))];
    }
    // The first count's own body was closed as well, and so is that of each count since.
    let mut expected = before + 1 + between.len() as u64;
    let settled = poll_until(PATIENCE, || {
        let after = count(gateway);
        let due = expected;
        expected += 1;
        match after {
            Some(after) if after == due => Some(Vec::new()),
            Some(after) if after < before => {
                Some(vec![Deviation::new("new process", format!("{before}, then {after}"))])
            }
            Some(after) if after < due => None,
            after => Some(vec![Deviation::new("closed", format!("{after:?} instead of {due}"))]),
        }
    });
    settled.unwrap_or_else(|| vec![Deviation::new("closed", "bodies were not closed")])
}

/// The count once nothing of earlier cases is left to be closed: each count's own body is all that it grows by, several times.
fn quiet_count(gateway: &dyn Gateway) -> Option<u64> {
    let mut last = count(gateway)?;
    if gateway.is_process_per_request() {
        return Some(last);
    }
    let mut quiet = 0;
    poll_until(PATIENCE, || {
        let next = count(gateway)?;
        quiet = if next == last + 1 { quiet + 1 } else { 0 };
        last = next;
        (quiet == 3).then_some(next)
    })
}

/// The application's count.
pub fn count(gateway: &dyn Gateway) -> Option<u64> {
    let answer = gateway.exchange(&[Request::get("/closed")]).pop()?.ok()?;
    answer.text().trim().parse().ok()
}
