//! The program side: an [`Application`] run as a CGI program, one request in the life of the process (RFC 3875).
//!
//! Holds the order of things: environment in, one exchange, output, exit code. Does not hold which variables make up the
//! environ (`environment`), how events become bytes (`output`), or any rule of PEP 3333: those are the driver's.
//! It needs the standard library only. A CGI program is started for every request, so what is not linked in is not paid.

mod drain;
mod environment;
mod output;
#[cfg(feature = "start")]
mod start;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::sync::Arc;

use gateway_spec::{Application, Environ, ErrorStream, Event, Exchange, headers};
use http::StatusCode;

use environment::{EnvironmentError, Request};
use output::{Output, OutputError};
#[cfg(feature = "start")]
#[doc(hidden)]
pub use start::start;

/// Answers the request that the environment and standard input describe, and says how the process should exit.
///
/// What goes wrong is written to standard error, one line each; a gateway puts that into its log. The exit code is 0
/// when a complete response was written, also when that is an error page, and when the client has gone; 1 when the
/// response had to be broken off; 2 when the process was not started by a gateway.
///
/// # Examples
/// ```no_run
/// use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
///
/// fn hello(_environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
///     start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
///     Ok("Hello, World!\n".into())
/// }
///
/// fn main() -> std::process::ExitCode {
///     gateway_cgi::serve(&hello)
/// }
/// ```
///
/// Source: RFC 3875 §4, §6, §7.2; requirements CGI-62, CGI-91, CGI-140, CGI-154.
pub fn serve<A: Application + ?Sized>(app: &A) -> ExitCode {
    // The descriptors themselves: `io::stdin` would read ahead past CONTENT_LENGTH (CGI-62), and `io::stdout` would cut
    // the output at line ends.
    let stdin = io::stdin().as_fd().try_clone_to_owned();
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    ExitCode::from(answer(app, stdin, stdout))
}

/// [`serve`] from and to these descriptors; the exit code as a number.
fn answer<A: Application + ?Sized>(app: &A, stdin: io::Result<OwnedFd>, stdout: io::Result<OwnedFd>) -> u8 {
    let errors = ErrorStream::stderr();
    let descriptors = stdin.and_then(|stdin| {
        let rest = stdin.try_clone()?;
        Ok((File::from(stdin), File::from(stdout?), rest))
    });
    match descriptors {
        Ok((stdin, stdout, rest)) => {
            let outcome = serve_with(app, std::env::vars_os(), stdin, stdout, &errors);
            drain::drain(rest);
            outcome.exit_code()
        }
        Err(error) => {
            errors.write(&format!("gateway-cgi: standard input and output cannot be used: {error}\n"));
            Outcome::Aborted.exit_code()
        }
    }
}

/// How a program's one request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A complete response was written; exit code 0.
    Complete,
    /// Nobody reads the output any more; exit code 0, for it is not the program's fault.
    ClientGone,
    /// The response was broken off; exit code 1, so that a gateway can tell it from a whole one.
    Aborted,
    /// The environment describes no request; nothing was written to the output; exit code 2.
    NoRequest,
}

impl Outcome {
    /// The exit code of the process.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::Complete | Outcome::ClientGone => 0,
            Outcome::Aborted => 1,
            Outcome::NoRequest => 2,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        ExitCode::from(outcome.exit_code())
    }
}

/// [`serve`] with everything it touches as an argument: for tests, and for processes that are set up in another way.
///
/// At most CONTENT_LENGTH bytes are read from `stdin`, in pieces, whatever that number is (CGI-62, CGI-156). `stdout` is
/// flushed after each chunk. `errors` is the application's error stream, and takes the lines about failures.
///
/// # Examples
/// ```
/// use gateway_cgi::program::{Outcome, serve_with};
/// use gateway_spec::{AppError, Body, Environ, ErrorStream, StartResponse, StatusCode, headers};
///
/// fn hello(_environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
///     start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
///     Ok("Hello, World!\n".into())
/// }
/// let environment = [
///     ("GATEWAY_INTERFACE", "CGI/1.1"), ("REQUEST_METHOD", "GET"), ("SERVER_NAME", "localhost"),
///     ("SERVER_PORT", "80"), ("SERVER_PROTOCOL", "HTTP/1.1"),
/// ].map(|(name, value)| (name.into(), value.into()));
/// let outcome = serve_with(&hello, environment, std::io::empty(), std::io::sink(), &ErrorStream::stderr());
/// assert_eq!(outcome, Outcome::Complete);
/// ```
pub fn serve_with<A, E, R, W>(app: &A, environment: E, stdin: R, stdout: W, errors: &ErrorStream) -> Outcome
where
    A: Application + ?Sized,
    E: IntoIterator<Item = (OsString, OsString)>,
    R: Read + Send + 'static,
    W: Write + Send + 'static,
{
    let output = Arc::new(Output::new(stdout));
    let report = |name: &str, what: &dyn std::fmt::Display| errors.write(&format!("gateway-cgi: {name}: {what}\n"));
    match environment::request(environment, stdin, errors.clone()) {
        Ok(Request { environ, name }) => {
            let outcome = exchange(app, environ, &output, |what| report(&name, what));
            outcome.unwrap_or_else(|error| ended_by(&error, |what| report(&name, what)))
        }
        Err(error @ EnvironmentError::ContentLength { .. }) => {
            report("request refused", &error);
            refuse(&output, StatusCode::BAD_REQUEST).unwrap_or_else(|error| ended_by(&error, |what| report("", what)))
        }
        Err(error) => {
            report("no request", &error);
            errors.write(environment::HOW_TO_TRY);
            Outcome::NoRequest
        }
    }
}

/// Drives one exchange to its end.
fn exchange<A: Application + ?Sized, W: Write + Send + 'static>(
    app: &A,
    environ: Environ,
    output: &Arc<Output<W>>,
    report: impl Fn(&dyn std::fmt::Display),
) -> Result<Outcome, OutputError> {
    let mut exchange = Exchange::call_with(app, environ, Some(output.clone()));
    let ended = loop {
        if let Some(part) = exchange.take_file()
            && let Err(error) = output.send_file(&part)
        {
            exchange.close();
            break Err(error);
        }
        let event = exchange.next();
        let outcome = match &event {
            Event::End => Some(Outcome::Complete),
            Event::Abort => Some(Outcome::Aborted),
            Event::Head(_) | Event::Chunk(_) | Event::Nothing => None,
        };
        if let Err(error) = output.send(event) {
            // The body is closed before anything else happens (PEP-102).
            exchange.close();
            break Err(error);
        }
        if let Some(outcome) = outcome {
            break Ok(outcome);
        }
    };
    if let Some(failure) = exchange.take_failure() {
        report(&failure);
    }
    ended
}

/// Answers a request that cannot be given to the application.
fn refuse<W: Write + Send + 'static>(output: &Output<W>, status: StatusCode) -> Result<Outcome, OutputError> {
    let page = format!("{status}\n");
    let headers = headers!["content-type" => "text/plain; charset=utf-8", "content-length" => page.len()];
    output.send_whole(status, &headers, page.as_bytes())?;
    Ok(Outcome::Complete)
}

fn ended_by(error: &OutputError, report: impl Fn(&dyn std::fmt::Display)) -> Outcome {
    match error {
        OutputError::Gone => Outcome::ClientGone,
        OutputError::Write { .. } => {
            report(error);
            Outcome::Aborted
        }
    }
}
