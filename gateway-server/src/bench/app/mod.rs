//! The application that is measured unless another is named: one path for each kind of work.
//!
//! Holds the paths and the plain answers. Does not hold the database (`db`). Like the demonstration it is this very
//! program, started with a variable that says so: it is then an ordinary program made with [`main!`](crate::main!).
//!
//! | path | work |
//! | --- | --- |
//! | `/hello` | none: what is left is the gateway |
//! | `/db` | one indexed query for 20 rows of a SQLite file, and a page of them |
//! | `/download` | 1 MiB out |
//! | `/upload` | a body of 1 MiB in; answers how many bytes there were |
//! | `/cpu` | some hundred microseconds of computing |

mod db;

use std::process::ExitCode;

use bytes::Bytes;
use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};

use crate::launch::{Program, run};

pub(crate) use db::{DATABASE, make as make_database};

/// Says that this process is to be the measured application.
pub(crate) const ROLE: &str = "GATEWAY_BENCH_ROLE";

/// The size of what is downloaded and uploaded, in bytes.
pub(crate) const LARGE: usize = 1 << 20;

/// What `/hello` answers.
pub(crate) const HELLO: &str = "Hello, World!";

/// Primes are counted below this number: some hundred microseconds on the machines of today.
const NUMBERS: usize = 100_000;

static BYTES: [u8; LARGE] = [b'x'; LARGE];

/// Is the measured application to its end, if that is what this process was started for.
pub(crate) fn run_role() -> Option<ExitCode> {
    std::env::var_os(ROLE).filter(|role| role == "app")?;
    let program = Program { name: Some("gateway-bench-app"), version: Some(env!("CARGO_PKG_VERSION")) };
    Some(run(|environ: Environ, start_response: StartResponse| application(environ, &start_response), program))
}

fn application(mut environ: Environ, start_response: &StartResponse) -> Result<Body, AppError> {
    // Servers differ in how they divide the path: together it is the same everywhere (PEP-14).
    let script = environ.script_name().as_bytes();
    let path = if environ.path_info().is_empty() { script } else { environ.path_info().as_bytes() };
    match path {
        b"/hello" | b"/" => text(HELLO, start_response),
        b"/db" => html(db::page()?, start_response),
        b"/download" => octets(start_response),
        b"/upload" => text(count(&mut environ)?.to_string(), start_response),
        b"/cpu" => text(primes_below(NUMBERS).to_string(), start_response),
        _ => {
            start_response(StatusCode::NOT_FOUND, headers!["content-type" => "text/plain"])?;
            Ok("no such path\n".into())
        }
    }
}

fn text(body: impl Into<Body>, start_response: &StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok(body.into())
}

fn html(page: String, start_response: &StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers!["content-type" => "text/html; charset=utf-8"])?;
    Ok(page.into())
}

fn octets(start_response: &StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers!["content-type" => "application/octet-stream"])?;
    Ok(Bytes::from_static(&BYTES).into())
}

fn count(environ: &mut Environ) -> Result<usize, AppError> {
    let mut count = 0;
    for chunk in environ.input.chunks() {
        count += chunk?.len();
    }
    Ok(count)
}

/// The sieve of Eratosthenes.
fn primes_below(end: usize) -> usize {
    let mut composite = vec![false; end];
    let mut count = 0;
    for number in 2..end {
        if composite.get(number) == Some(&false) {
            count += 1;
            composite.iter_mut().skip(number * number).step_by(number).for_each(|multiple| *multiple = true);
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use gateway_spec::{Event, Exchange};

    use super::*;

    #[track_caller]
    fn ask(path: &str) -> (u16, Vec<u8>) {
        let mut exchange = Exchange::call(
            &|environ: Environ, start_response: StartResponse| application(environ, &start_response),
            Environ::example("GET", path),
        );
        let Event::Head(head) = exchange.next() else { panic!("{path} has no head") };
        let mut body = Vec::new();
        while let Event::Chunk(chunk) = exchange.next() {
            body.extend_from_slice(&chunk);
        }
        (head.status.as_u16(), body)
    }

    #[test]
    fn each_path_does_its_work() {
        assert_eq!(ask("/hello"), (200, b"Hello, World!".to_vec()));
        assert_eq!(ask("/download"), (200, vec![b'x'; LARGE]));
        assert_eq!(ask("/upload"), (200, b"0".to_vec()));
        // π(100,000)
        assert_eq!(ask("/cpu"), (200, b"9592".to_vec()));
        assert_eq!(ask("/else").0, 404);
    }

    #[test]
    fn primes_are_counted() {
        let known = [(0, 0), (2, 0), (3, 1), (10, 4), (100, 25)];
        for (end, count) in known {
            assert_eq!(primes_below(end), count, "{end}");
        }
    }
}
