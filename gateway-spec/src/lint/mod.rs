//! The lint: middleware that checks both of its neighbours by PEP 3333 and says who broke which rule.
//!
//! Holds the middleware and its setting. The rules are a table in `rules`; the checks are in `request` and `input` (what
//! the server gave), `start` (both sides of `start_response` and `write`) and `body`. What a type makes impossible is not
//! checked: see `docs/pep3333.md` of the repository.
//!
//! Put it around an application in tests. Around middleware and again inside it, it tells whether the middleware keeps
//! the rules on both of its sides.

mod body;
mod input;
mod request;
mod rules;
mod start;
mod violation;

use std::fmt;
use std::sync::Arc;

use crate::{AppError, Application, Body, Environ, StartResponse};
use start::Watch;
use violation::{Judge, Reporter};

pub use rules::{Party, RULES, Rule, Strength};
pub use violation::{Verdict, Violation};

/// An application under the eyes of the lint.
///
/// Breaking a rule that says `must` makes the request fail with a [`Violation`]; breaking one that says `should` is
/// written to the error stream of the environ. [`on_violation`](Lint::on_violation) decides otherwise.
///
/// # Examples
/// ```
/// use std::sync::{Arc, Mutex};
/// use gateway_spec::lint::{Verdict, lint};
/// use gateway_spec::{AppError, Body, Environ, Exchange, Event, StartResponse, StatusCode, headers};
///
/// fn untyped(_: Environ, start_response: StartResponse) -> Result<Body, AppError> {
///     start_response(StatusCode::OK, headers![])?;
///     Ok("what am I?".into())
/// }
/// let broken = Arc::new(Mutex::new(Vec::new()));
/// let log = Arc::clone(&broken);
/// let app = lint(untyped).on_violation(move |violation| {
///     log.lock().unwrap().push(violation.rule.id);
///     Verdict::Ignore
/// });
/// let mut exchange = Exchange::call(&app, Environ::example("GET", "/"));
/// while !matches!(exchange.next(), Event::End | Event::Abort) {}
/// assert_eq!(*broken.lock().unwrap(), ["HTTP-152"]);
/// ```
#[derive(Clone)]
pub struct Lint<A> {
    app: A,
    judge: Judge,
}

/// Watches `app`, and whoever calls it.
pub fn lint<A: Application>(app: A) -> Lint<A> {
    Lint::new(app)
}

impl<A: Application> Lint<A> {
    /// Watches `app`, and whoever calls it.
    pub fn new(app: A) -> Self {
        Lint { app, judge: Arc::new(Verdict::by_strength) }
    }

    /// Lets `judge` see every violation and decide what is done; [`Verdict::by_strength`] by default.
    #[must_use]
    pub fn on_violation(mut self, judge: impl Fn(&Violation) -> Verdict + Send + Sync + 'static) -> Self {
        self.judge = Arc::new(judge);
        self
    }
}

impl<A: Application> Application for Lint<A> {
    fn call(&self, mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        let reporter = Arc::new(Reporter::new(Arc::clone(&self.judge), environ.errors.clone()));
        request::check(&environ, &reporter);
        reporter.outcome()?;
        input::watch(&mut environ.input, &reporter);

        let watch = Arc::new(Watch::new(start_response, environ.request_method() == "HEAD", reporter));
        let result = self.app.call(environ, Watch::start_response(&watch));
        watch.returned(result.is_ok());
        // A violation says more than the error that it led to.
        watch.outcome()?;
        Ok(result?.wrap(|inner| body::Checked::new(inner, watch)))
    }
}

impl<A> fmt::Debug for Lint<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lint").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
