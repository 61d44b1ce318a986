//! What the lint says when a rule is broken, and what is done about it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::rules::{Rule, Strength};
use crate::{AppError, ErrorStream};

/// A rule that somebody broke: who, which, and what was seen.
///
/// # Examples
/// ```
/// use gateway_spec::{AppError, Body, Environ, Event, Exchange, StartResponse, StatusCode, headers, lint::lint};
/// fn short(_: Environ, start_response: StartResponse) -> Result<Body, AppError> {
///     start_response(StatusCode::OK, headers!["content-type" => "text/plain", "connection" => "close"])?;
///     Ok("x".into())
/// }
/// let mut exchange = Exchange::call(&lint(short), Environ::example("GET", "/"));
/// assert!(matches!(exchange.next(), Event::Head(head) if head.status == 500));
/// assert_eq!(
///     exchange.take_failure().map(|failure| failure.to_string()).as_deref(),
///     Some("application failed: lint: the application broke PEP-68 (must): \
///           Fields about the connection are the server's. Seen: field \"connection\""),
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: &'static Rule,
    /// What was seen.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rule { id, strength, binds, text, .. } = self.rule;
        write!(f, "lint: the {binds} broke {id} ({strength}): {text} Seen: {}", self.seen)
    }
}

impl std::error::Error for Violation {}

/// What to do about a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Make the request fail with it: a 500 if nothing was sent yet, else a response that breaks off.
    Fail,
    /// Write it to the request's error stream.
    Report,
    /// Nothing more.
    Ignore,
}

impl Verdict {
    /// What is done if nothing else was said: a `must` fails, a `should` is reported.
    pub fn by_strength(violation: &Violation) -> Verdict {
        match violation.rule.strength {
            Strength::Must => Verdict::Fail,
            Strength::Should => Verdict::Report,
        }
    }
}

pub(super) type Judge = Arc<dyn Fn(&Violation) -> Verdict + Send + Sync>;

/// Collects the violations of one request.
pub(super) struct Reporter {
    judge: Judge,
    errors: ErrorStream,
    failed: Mutex<Option<Violation>>,
}

impl Reporter {
    pub(super) fn new(judge: Judge, errors: ErrorStream) -> Self {
        Reporter { judge, errors, failed: Mutex::default() }
    }

    pub(super) fn report(&self, rule: &'static Rule, seen: impl Into<String>) {
        let violation = Violation { rule, seen: seen.into() };
        match (self.judge)(&violation) {
            Verdict::Fail => {
                let unsaid = self.failed().replace(violation);
                self.write(unsaid);
            }
            Verdict::Report => self.write(Some(violation)),
            Verdict::Ignore => {}
        }
    }

    /// The error that the request has to fail with, once.
    pub(super) fn outcome(&self) -> Result<(), AppError> {
        match self.failed().take() {
            Some(violation) => Err(violation.into()),
            None => Ok(()),
        }
    }

    fn write(&self, violation: Option<Violation>) {
        if let Some(violation) = violation {
            self.errors.write(&format!("{violation}\n"));
        }
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, Option<Violation>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reporter {
    /// What came too late to fail the request is at least said.
    fn drop(&mut self) {
        let late = self.failed().take();
        self.write(late);
    }
}
