//! One suite for every gateway: what the `testbed` program must answer, wherever it runs.
//!
//! The yardstick is the direct call ([`direct`]): the application driven in this process, without any wire. Every other
//! gateway's answer is compared with it: status, end-to-end fields, body, completeness. What deviates must be in the
//! written list ([`differences`]) with its reason, and what is in the list must be seen, so that the list stays true.
//! The cases are in [`mod@cases`] and [`environ`], the result's form in [`mod@column`].

pub mod cases;
pub mod closed;
pub mod column;
pub mod differences;
pub mod direct;
pub mod environ;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use crate::client::{Broken, Connection, Request, Response, http2};

pub use cases::{Case, cases};
pub use column::{Cell, Column};

/// One thing that is not as the direct call has it.
#[derive(Clone, Debug)]
pub struct Deviation {
    /// What it is about: `status`, `field content-length`, `body`, `end`, `answer`, or a name given by the case.
    pub what: String,
    /// What was found, and what was expected.
    pub found: String,
}

impl Deviation {
    /// A deviation.
    pub fn new(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), found: found.into() }
    }
}

/// Something that answers requests with the `testbed` application behind it.
pub trait Gateway {
    /// Its name in the table.
    fn name(&self) -> &'static str;
    /// Where the application is mounted: empty, or a path without a slash at its end.
    fn prefix(&self) -> &'static str;
    /// True when each request has a process of its own.
    fn is_process_per_request(&self) -> bool;
    /// Answers the requests, one after the other, on one connection as long as it stays open. The targets are relative
    /// to the prefix.
    fn exchange(&self, requests: &[Request]) -> Vec<Result<Response, Broken>>;
}

/// A gateway that is reached over HTTP.
#[derive(Clone, Copy, Debug)]
pub struct HttpGateway {
    /// Its name in the table.
    pub name: &'static str,
    /// Where the application is mounted.
    pub prefix: &'static str,
    /// True when each request has a process of its own.
    pub process_per_request: bool,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Gateway for HttpGateway {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prefix(&self) -> &'static str {
        self.prefix
    }

    fn is_process_per_request(&self) -> bool {
        self.process_per_request
    }

    fn exchange(&self, requests: &[Request]) -> Vec<Result<Response, Broken>> {
        let mut connection: Option<Connection> = None;
        let mut answers = Vec::new();
        for request in requests {
            let mut request = request.clone();
            request.target = format!("{}{}", self.prefix, request.target);
            let mut open = match connection.take().map_or_else(|| Connection::open(self.address), Ok) {
                Ok(open) => open,
                Err(error) => {
                    answers.push(Err(Broken::Io(error)));
                    continue;
                }
            };
            let answer = open.exchange(&request);
            connection = answer.as_ref().is_ok_and(Response::is_persistent).then_some(open);
            answers.push(answer);
        }
        answers
    }
}

/// A server that is reached over HTTP/2, with TLS.
#[derive(Clone, Debug)]
pub struct Http2Gateway {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its certificate's file.
    pub certificate: PathBuf,
}

impl Gateway for Http2Gateway {
    fn name(&self) -> &'static str {
        "http2"
    }

    fn prefix(&self) -> &'static str {
        ""
    }

    fn is_process_per_request(&self) -> bool {
        false
    }

    fn exchange(&self, requests: &[Request]) -> Vec<Result<Response, Broken>> {
        http2::exchange(self.address, &self.certificate, requests)
    }
}

/// Runs every case but some through a gateway and judges the answers.
fn run(gateway: &dyn Gateway, without: &[&str]) -> Column {
    let yardstick = direct::Direct;
    let mut column = Column::new(gateway.name());
    for case in cases().into_iter().filter(|case| !without.contains(&case.name)) {
        let start = Instant::now();
        let deviations = deviations(&case, gateway, &yardstick);
        let cell = differences::judge(gateway.name(), case.name, &deviations);
        println!("{:24} {:24} {:>6} ms  {cell}", gateway.name(), case.name, start.elapsed().as_millis());
        column.cells.insert(case.name.to_owned(), cell);
    }
    column
}

/// Runs the suite, writes the column for the support table and fails if a case fails.
///
/// # Panics
/// If any case failed.
pub fn check(gateway: &dyn Gateway) {
    check_without(gateway, &[]);
}

/// The same without the cases that the program behind the gateway has no answer to.
///
/// # Panics
/// If any of the others failed, or there is no case of such a name.
pub fn check_without(gateway: &dyn Gateway, without: &[&str]) {
    let known: BTreeSet<&str> = cases().iter().map(|case| case.name).collect();
    assert!(without.iter().all(|name| known.contains(name)), "one of {without:?} is no case");
    let column = run(gateway, without);
    column.save();
    let failed: Vec<String> = column.failures().collect();
    assert!(failed.is_empty(), "{}: {} cases fail:\n{}", gateway.name(), failed.len(), failed.join("\n"));
}

fn deviations(case: &Case, gateway: &dyn Gateway, yardstick: &dyn Gateway) -> Vec<Deviation> {
    let mut found = Vec::new();
    let mut responses = Vec::new();
    let expected = if case.same_as_direct { yardstick.exchange(&case.requests) } else { Vec::new() };
    for (index, answer) in gateway.exchange(&case.requests).into_iter().enumerate() {
        match answer {
            Ok(response) => {
                if let Some(expected) = expected.get(index) {
                    let expected = expected.as_ref().expect("the direct call always answers");
                    found.extend(compare(expected, &response));
                }
                responses.push(response);
            }
            Err(broken) => found.push(Deviation::new("answer", broken.to_string())),
        }
    }
    if responses.len() == case.requests.len() {
        found.extend(case.judge.deviations(gateway, &responses));
    }
    // The comparison and the case's own judge often see the same thing.
    let mut known = BTreeSet::new();
    found.retain(|deviation| known.insert(deviation.what.clone()));
    found
}

/// Fields that belong to the connection or to the server, not to the application's answer.
const CONNECTION_FIELDS: [&str; 5] = ["date", "server", "connection", "keep-alive", "transfer-encoding"];

fn compare(expected: &Response, response: &Response) -> Vec<Deviation> {
    let mut found = Vec::new();
    if expected.status != response.status {
        found.push(Deviation::new("status", format!("{} instead of {}", response.status, expected.status)));
    }
    let mut names: Vec<&str> = expected.fields.iter().chain(&response.fields).map(|(n, _)| n.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names.into_iter().filter(|n| !CONNECTION_FIELDS.contains(n)) {
        let (want, got): (Vec<_>, Vec<_>) = (expected.all(name).collect(), response.all(name).collect());
        if want != got {
            found.push(Deviation::new(format!("field {name}"), format!("{} instead of {}", show(&got), show(&want))));
        }
    }
    let (want, got) = (&expected.content, &response.content);
    if want.complete != got.complete {
        let found_end = if got.complete { "a clean end instead of a cut" } else { "cut instead of a clean end" };
        found.push(Deviation::new("end", format!("{found_end} ({} bytes)", got.length)));
    }
    // How much of a cut body arrives is a matter of buffers and timing.
    if (want.length, want.hash) != (got.length, got.hash) && want.complete {
        found.push(Deviation::new("body", format!("{} bytes instead of {}", got.length, want.length)));
    }
    found
}

fn show(values: &[&str]) -> String {
    if values.is_empty() { "none".to_owned() } else { values.join(" | ") }
}
