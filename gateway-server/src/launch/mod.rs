//! One binary, three gateways: what stands behind [`main!`](crate::main!).
//!
//! Holds the order of things at start. Does not hold the decision (`decide`), the command line (`flag`, `flags`, `usage`), the request
//! from the command line (`memory`), what runs on an event loop (`serving`), or what is said on standard error (`log`)
//! or the marks around the application (`marked`).
//!
//! The decision comes before anything else: a CGI program is started for every request, and pays for no runtime, no
//! thread and no logging that it does not use.

mod decide;
mod flag;
mod flags;
mod log;
mod marked;
mod memory;
mod serving;
mod usage;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use gateway_fastcgi::net::{Address, SocketSource, is_listening_socket};
use gateway_spec::{Application, Scheme};

use crate::marks::{self, Marks};
use marked::{Marked, Save};

pub use decide::{Decision, Gateway, SocketFlags, Stdin, Task, Why, decide};
#[cfg(feature = "cli")]
pub(crate) use flags::MAX_THREADS;
pub use gateway_fastcgi::worker::Roles;
pub use memory::MemoryRequest;
pub use usage::UsageError;

/// Writes the `main` of a program that is a CGI program, a FastCGI worker or an HTTP server, as it is started.
///
/// Takes an application: a function, a closure or a value, evaluated once. The program finds out which gateway it is to
/// be, in this order:
///
/// 1. a CGI server started it for a request (GATEWAY_INTERFACE and REQUEST_METHOD are set): CGI;
/// 2. a flag names one: `--http HOST:PORT|unix:PATH`, `--fastcgi unix:PATH|tcp:HOST:PORT`, `--request 'GET /path'`;
///    both also take `systemd`, `systemd:NAME` and `fd0`, for a socket that was passed;
/// 3. descriptor 0 is a listening socket, as FastCGI servers leave it: FastCGI;
/// 4. GATEWAY_INTERFACE is set: CGI;
/// 5. else HTTP on 127.0.0.1:8080.
///
/// `--explain-gateway` says which and why, `--help` names the other flags.
///
/// With the names of roles it takes an [`Authorizer`](gateway_fastcgi::worker::Authorizer) and a
/// [`Filter`](gateway_fastcgi::worker::Filter) too: `main!(authorizer = staff_only)`, `main!(responder = site, authorizer =
/// staff_only)`. Where requests have no role, as over CGI, HTTP, and from a FastCGI server that knows Responders only, one without a
/// Responder answers with its verdict.
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
/// gateway_server::main!(hello);
/// ```
#[macro_export]
macro_rules! main {
    ($($role:ident = $application:expr),+ $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            let program = $crate::launch::Program {
                name: ::core::option_env!("CARGO_BIN_NAME"),
                version: ::core::option_env!("CARGO_PKG_VERSION"),
            };
            $crate::launch::run_roles($crate::launch::Roles::none()$(.$role($application))+, program)
        }
    };
    ($application:expr $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            let program = $crate::launch::Program {
                name: ::core::option_env!("CARGO_BIN_NAME"),
                version: ::core::option_env!("CARGO_PKG_VERSION"),
            };
            $crate::launch::run($application, program)
        }
    };
}

/// What `--version` and `--help` call the program; [`main!`](crate::main!) asks the build for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Program {
    /// Its name, if the build knows one.
    pub name: Option<&'static str>,
    /// Its version, if the build knows one.
    pub version: Option<&'static str>,
}

/// Finds out which gateway this process is to be, and is that gateway until its end.
///
/// What [`main!`](crate::main!) calls; for a program with a `main` of its own. The exit code is 0 after a response (CGI)
/// or a graceful stop, 1 after a failure, 2 after a command line that makes no sense. A program that installs a `tracing`
/// subscriber does so before; without one, warnings and errors go to standard error. With GATEWAY_MARKS=FOLDER in its
/// environment, the process writes there at its end when it did what (`docs/command.md`).
///
/// # Examples
/// ```no_run
/// use gateway_server::launch::{Program, run};
/// # use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
/// # fn hello(_: Environ, start_response: StartResponse) -> Result<Body, AppError> {
/// #     start_response(StatusCode::OK, headers![])?;
/// #     Ok(().into())
/// # }
///
/// fn main() -> std::process::ExitCode {
///     run(hello, Program { name: Some("hello"), ..Program::default() })
/// }
/// ```
pub fn run(app: impl Application, program: Program) -> ExitCode {
    launch(app, Roles::none(), program)
}

/// [`run`] for a program that plays other roles than a Responder's, or several.
///
/// # Examples
/// ```no_run
/// use gateway_fastcgi::worker::Verdict;
/// use gateway_server::launch::{Program, Roles, run_roles};
/// use gateway_spec::{AppError, Environ};
///
/// fn everybody(_environ: Environ) -> Result<Verdict, AppError> {
///     Ok(Verdict::allow())
/// }
///
/// fn main() -> std::process::ExitCode {
///     run_roles(Roles::none().authorizer(everybody), Program::default())
/// }
/// ```
pub fn run_roles(roles: Roles, program: Program) -> ExitCode {
    match roles.without_roles().cloned() {
        Some(app) => launch(app, roles, program),
        None => {
            say(&mut io::stderr(), "this program plays no role: give it a responder, an authorizer or a filter\n");
            ExitCode::from(2)
        }
    }
}

fn launch(app: impl Application, roles: Roles, program: Program) -> ExitCode {
    let marks = marks::begin();
    let mut arguments = std::env::args_os();
    let called = arguments.next().unwrap_or_default();
    let arguments: Vec<OsString> = arguments.collect();
    let stdin = if is_listening_socket(io::stdin()) { Stdin::ListeningSocket } else { Stdin::Other };
    match decide(&arguments, |name| std::env::var_os(name), stdin) {
        Ok(decision) if decision.task == Task::Serve => match marks {
            None => serve(app, roles, &decision),
            Some(marks) => serve_marked(app, roles, &decision, marks),
        },
        Ok(decision) => say(&mut io::stdout(), &told(&decision, program, &called)),
        Err(error) => {
            let name = program_name(program, &called);
            say(&mut io::stderr(), &format!("{name}: {error}\n{name}: --help names the flags\n"));
            ExitCode::from(2)
        }
    }
}

fn serve_marked(app: impl Application, roles: Roles, decision: &Decision, marks: &'static Marks) -> ExitCode {
    // A CGI server that has the whole answer may kill the program: it has to be quicker.
    let save = if decision.gateway == Gateway::Cgi { Save::WhenFinished } else { Save::Later };
    let code = serve(Marked::new(app, marks, save), roles, decision);
    marks.save();
    code
}

/// `app` answers requests without a role and those of Responders, `roles` the others.
fn serve(app: impl Application, roles: Roles, decision: &Decision) -> ExitCode {
    let result = match &decision.gateway {
        Gateway::Cgi => return gateway_cgi::serve(&app),
        Gateway::Memory(request) => memory::answer(&app, request, &mut io::stdout().lock(), &mut io::stderr())
            .map_err(|error| format!("{request}: {error}")),
        Gateway::FastCgiInherited => serving::fastcgi(roles.responder(app), &SocketSource::Stdin, decision),
        Gateway::FastCgi(address) => serving::fastcgi(roles.responder(app), address, decision),
        Gateway::Http(address) => serving::http(app, address, decision),
    };
    result.unwrap_or_else(|message| {
        say(&mut io::stderr(), &format!("{message}\n"));
        ExitCode::FAILURE
    })
}

/// What a task that only says something says.
fn told(decision: &Decision, program: Program, called: &OsString) -> String {
    let name = program_name(program, called);
    match decision.task {
        Task::Help => help(&name),
        Task::Version => {
            let version = program.version.unwrap_or("(no version)");
            format!("{name} {version} ({})\n", crate::SOFTWARE)
        }
        Task::Explain | Task::Serve => format!("gateway: {}\nbecause: {}\n", decision.described(), decision.why),
    }
}

/// The build's name, else the one it was called by.
fn program_name(program: Program, called: &OsString) -> String {
    let called = || std::path::Path::new(called).file_name().map(|name| name.to_string_lossy().into_owned());
    program.name.map(str::to_owned).or_else(called).unwrap_or_else(|| "program".to_owned())
}

/// A place that cannot be written to has nobody left to tell.
fn say(place: &mut dyn Write, text: &str) -> ExitCode {
    match place.write_all(text.as_bytes()).and_then(|()| place.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The URL of an HTTP address; a socket file has none and stays as it is.
fn http_url(address: &Address, scheme: &Scheme) -> String {
    let text = address.to_string();
    text.strip_prefix("tcp:").map(|place| format!("{scheme}://{place}")).unwrap_or(text)
}

fn help(name: &str) -> String {
    format!(
        "{name} is a web application that answers on any of three gateways.

usage: {name} [FLAG]…

Which gateway (without a flag it finds out, and otherwise is HTTP on 127.0.0.1:8080):
  --http HOST:PORT         HTTP/1.1 on this address; port 0 takes a free one
  --http unix:PATH         HTTP/1.1 on a socket file
      --tls-cert FILE          with TLS and this certificate in PEM form, read again at SIGHUP
      --tls-key FILE           its key
  --fastcgi unix:PATH      FastCGI worker on a socket file
  --fastcgi tcp:HOST:PORT  FastCGI worker on a port: only where nobody else can connect
                           both take systemd or systemd:NAME for a socket that systemd passes, and fd0
  --request 'GET /path'    answer this one request on standard output, and end
      --header 'Name: value'   with this field (may be repeated)
      --body TEXT|@FILE        with this body
  --explain-gateway        say which gateway it would be, and why

How:
  --model MODEL            HTTP: how connections are shared out among threads: iterative, threads, event-loop
                           or event-loops, which is the default
  --threads N              so many requests may be in the application at once, each on a thread;
                           one more serves sockets (default: four for each core; at least 128, as a FastCGI worker 16)
  --socket-mode MODE       permissions of a socket file (default: 600)
  --socket-owner USER[:GROUP]  its owner (default: this process's user and group)
  --allow-user USER        FastCGI: serve processes of this user only, over a UNIX socket (may be repeated)
  --allow-group GROUP      the same by their first group (may be repeated)

  -h, --help               this text
  -V, --version            name and version

A CGI server starts it without flags: under GATEWAY_INTERFACE and REQUEST_METHOD arguments are not read.
SIGTERM and SIGINT end it when the requests in progress are answered; a second one ends it at once.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_an_address_is_what_one_types_into_a_browser() {
        let url = |address: &str| http_url(&address.parse().unwrap(), &Scheme::Http);
        assert_eq!(url("127.0.0.1:8080"), "http://127.0.0.1:8080");
        assert_eq!(http_url(&"127.0.0.1:8443".parse().unwrap(), &Scheme::Https), "https://127.0.0.1:8443");
        assert_eq!(url("[::1]:80"), "http://[::1]:80");
        assert_eq!(url("unix:/run/x"), "unix:/run/x");
    }

    #[test]
    fn help_names_every_flag() {
        let text = help("x");
        for flag in [
            "--http",
            "--tls-cert",
            "--tls-key",
            "--fastcgi",
            "--model",
            "--threads",
            "--socket-mode",
            "--socket-owner",
            "--allow-user",
            "--allow-group",
        ]
        .into_iter()
        .chain(["--request", "--header", "--body", "--explain-gateway", "--help", "--version"])
        {
            assert!(text.contains(flag), "{flag}");
        }
    }

    #[test]
    fn a_program_without_a_name_is_called_what_it_was_called() {
        assert_eq!(program_name(Program::default(), &"/usr/bin/app".into()), "app");
        assert_eq!(program_name(Program { name: Some("x"), version: None }, &"/usr/bin/app".into()), "x");
        assert_eq!(program_name(Program::default(), &OsString::new()), "program");
    }
}
