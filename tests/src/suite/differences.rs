//! The written list: where a gateway's answer differs from the direct call, and why that is right or cannot be helped.
//!
//! A deviation that is not here fails its case. An entry that is not seen fails it too, unless it depends on timing: so
//! the list says what is true today.

use super::{Cell, Deviation};

/// One allowed difference.
struct Allowed {
    gateways: &'static [&'static str],
    cases: &'static [&'static str],
    /// What it is about: [`Deviation::what`].
    what: &'static str,
    /// How [`Deviation::found`] begins; empty when that does not matter.
    found: &'static str,
    seen: Seen,
    reason: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Always,
    /// Depends on timing or on how much fits a buffer.
    Sometimes,
}

/// What a case's deviations mean for the table.
pub fn judge(gateway: &str, case: &str, deviations: Vec<Deviation>) -> Cell {
    let allowed: Vec<&Allowed> =
        ALLOWED.iter().filter(|a| a.gateways.contains(&gateway) && a.cases.contains(&case)).collect();
    let covers = |a: &Allowed, d: &Deviation| a.what == d.what && d.found.starts_with(a.found);
    let mut failed: Vec<String> = deviations
        .iter()
        .filter(|d| !allowed.iter().any(|a| covers(a, d)))
        .map(|d| format!("{}: {}", d.what, d.found))
        .collect();
    for entry in allowed.iter().filter(|a| a.seen == Always) {
        if !deviations.iter().any(|d| covers(entry, d)) {
            failed.push(format!("the listed difference was not seen: {} {}", entry.what, entry.found));
        }
    }
    let mut reasons: Vec<String> = allowed.iter().map(|a| a.reason.to_owned()).collect();
    reasons.dedup();
    match (failed.is_empty(), reasons.is_empty()) {
        (false, _) => Cell::Failed(failed),
        (true, true) => Cell::Same,
        (true, false) => Cell::Differs(reasons),
    }
}

use Seen::{Always, Sometimes};

const ALLOWED: &[Allowed] = &[Allowed {
    gateways: &["cgi host", "apache mod_cgid", "lighttpd mod_cgi", "nginx fcgiwrap"],
    cases: &["closed"],
    what: "own process",
    found: "",
    seen: Always,
    reason: "each request has a process of its own, which counts only itself and answers before it closes",
}];
