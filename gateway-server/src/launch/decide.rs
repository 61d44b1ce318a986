//! Which gateway this process is to be: decided once, from its arguments, its environment and descriptor 0.
//!
//! Holds the decision and its reason, as a pure function. Does not look at the process: the caller tells it.
//!
//! | first that is true | gateway |
//! | --- | --- |
//! | descriptor 0 is no listening socket, GATEWAY_INTERFACE and REQUEST_METHOD are set | CGI, arguments not read |
//! | `--http ADDR`, `--fastcgi ADDR`, `--request LINE` | that one |
//! | descriptor 0 is a listening socket | FastCGI on it |
//! | GATEWAY_INTERFACE is set | CGI |
//! | else | HTTP on 127.0.0.1:8080 |
//!
//! The first row comes first because a CGI server may pass the words of a query as arguments (RFC 3875 §4.4), so a client
//! could write them (CGI-84, CGI-173). A request always has a REQUEST_METHOD (RFC 3875 §4.1.12): where that is not set,
//! no client is there, and the arguments are those of whoever typed or configured them. A FastCGI worker, on the other
//! hand, is started before there is any client, with arguments from a configuration.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use gateway_fastcgi::net::{Address, SocketSource};
use gateway_spec::Scheme;

use super::flags::Flags;
use super::memory::MemoryRequest;
use super::usage::UsageError;
use crate::serve::Model;

/// What the process is to do, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The gateway.
    pub gateway: Gateway,
    /// What decided it.
    pub why: Why,
    /// Whether to serve, or only to say something.
    pub task: Task,
    /// `--model`: how connections are shared out among threads.
    pub model: Option<Model>,
    /// `--threads`: how many calls of the application may run at once on the runtime's workers, or with the model `threads` how many
    /// connections are served at once.
    pub threads: Option<usize>,
    /// The flags about the socket.
    pub socket: SocketFlags,
}

/// What the command line says about the socket, as it was written: looking up names is no part of the decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketFlags {
    /// `--socket-mode`: the permissions of a socket file.
    pub mode: Option<u32>,
    /// `--socket-owner`: who owns a socket file.
    pub owner: Option<String>,
    /// `--allow-user`: whose processes a FastCGI worker serves over a UNIX socket.
    pub allow_users: Vec<String>,
    /// `--allow-group`: the same by their first group.
    pub allow_groups: Vec<String>,
    /// `--tls-cert` and `--tls-key`: what an HTTP server shows under TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
}

/// A way to be asked and to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gateway {
    /// One request from the environment and standard input, then exit.
    Cgi,
    /// FastCGI on the socket that was inherited as descriptor 0.
    FastCgiInherited,
    /// FastCGI on a socket that a flag names.
    FastCgi(SocketSource),
    /// HTTP/1.1.
    Http(SocketSource),
    /// One request from the command line, answered on standard output.
    Memory(MemoryRequest),
}

/// What decided which gateway it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// A server started this process for one request.
    CgiRequest,
    /// This flag names it.
    Flag(&'static str),
    /// Descriptor 0 is a listening socket (FCGI-3).
    ListeningSocket,
    /// GATEWAY_INTERFACE is set.
    GatewayInterface,
    /// Nothing speaks for another.
    Default,
}

/// What to do with the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Be that gateway.
    Serve,
    /// Say which it is and why (`--explain-gateway`).
    Explain,
    /// Say what the flags are (`--help`).
    Help,
    /// Say the version (`--version`).
    Version,
}

/// What descriptor 0 is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdin {
    /// A socket that accepts connections: a FastCGI server started this process (FCGI-3).
    ListeningSocket,
    /// Anything else.
    Other,
}

/// Decides which gateway a process is, from its arguments (without its name), its environment and descriptor 0.
///
/// # Errors
/// [`UsageError`] if the arguments are read and cannot be understood.
///
/// # Examples
/// ```
/// use gateway_server::launch::{Gateway, Stdin, Why, decide};
///
/// let spawned_by_a_fastcgi_server = decide(&[], |_| None, Stdin::ListeningSocket)?;
/// assert_eq!(spawned_by_a_fastcgi_server.gateway, Gateway::FastCgiInherited);
///
/// let arguments = ["--http".into(), "127.0.0.1:3000".into()];
/// let typed_by_hand = decide(&arguments, |_| None, Stdin::Other)?;
/// assert_eq!(typed_by_hand.gateway, Gateway::Http("127.0.0.1:3000".parse()?));
///
/// let cgi = |name: &str| ["GATEWAY_INTERFACE", "REQUEST_METHOD"].contains(&name).then(|| "x".into());
/// let asked_by_a_client = decide(&arguments, cgi, Stdin::Other)?;
/// assert_eq!((asked_by_a_client.gateway, asked_by_a_client.why), (Gateway::Cgi, Why::CgiRequest));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decide(
    arguments: &[OsString],
    environment: impl Fn(&str) -> Option<OsString>,
    stdin: Stdin,
) -> Result<Decision, UsageError> {
    let is_set = |name| environment(name).is_some_and(|value| value != OsStr::new(""));
    let interface = is_set("GATEWAY_INTERFACE");
    if stdin == Stdin::Other && interface && is_set("REQUEST_METHOD") {
        let (gateway, why) = (Gateway::Cgi, Why::CgiRequest);
        return Ok(Decision {
            gateway,
            why,
            task: Task::Serve,
            model: None,
            threads: None,
            socket: SocketFlags::default(),
        });
    }
    let flags = Flags::parse(arguments)?;
    let task = match flags {
        Flags { help: true, .. } => Task::Help,
        Flags { version: true, .. } => Task::Version,
        Flags { explain: true, .. } => Task::Explain,
        _ => Task::Serve,
    };
    let (gateway, why) = match (flags.http, flags.fastcgi, flags.request) {
        (Some(address), _, _) => (Gateway::Http(address), Why::Flag("--http")),
        (_, Some(address), _) => (Gateway::FastCgi(address), Why::Flag("--fastcgi")),
        (_, _, Some(request)) => (Gateway::Memory(request), Why::Flag("--request")),
        _ if stdin == Stdin::ListeningSocket => (Gateway::FastCgiInherited, Why::ListeningSocket),
        _ if interface => (Gateway::Cgi, Why::GatewayInterface),
        _ => (Gateway::Http(Address::tcp("127.0.0.1", 8080).into()), Why::Default),
    };
    let socket = SocketFlags {
        mode: flags.socket_mode,
        owner: flags.socket_owner,
        allow_users: flags.allow_users,
        allow_groups: flags.allow_groups,
        tls: flags.tls_cert.zip(flags.tls_key).map(|(cert, key)| (cert.into(), key.into())),
    };
    socket.check(&gateway)?;
    if flags.model.is_some() && !matches!(gateway, Gateway::Http(_)) {
        return Err(UsageError::OnlyHttp { flag: "--model" });
    }
    Ok(Decision { gateway, why, task, model: flags.model, threads: flags.threads, socket })
}

impl SocketFlags {
    /// Whoever asks for a guard must not go without one.
    fn check(&self, gateway: &Gateway) -> Result<(), UsageError> {
        if self.tls.is_some() && !matches!(gateway, Gateway::Http(_)) {
            return Err(UsageError::OnlyHttp { flag: "--tls-cert" });
        }
        let fastcgi = matches!(gateway, Gateway::FastCgi(_) | Gateway::FastCgiInherited);
        let given = [("--allow-user", &self.allow_users), ("--allow-group", &self.allow_groups)];
        match given.into_iter().find(|(_, names)| !names.is_empty()) {
            Some((flag, _)) if !fastcgi => Err(UsageError::OnlyFastCgi { flag }),
            _ => Ok(()),
        }
    }
}

impl Decision {
    /// The gateway in words, with what the other flags say about it.
    pub(super) fn described(&self) -> String {
        match (&self.gateway, &self.socket.tls) {
            (Gateway::Http(SocketSource::Address(address)), Some(_)) => {
                format!("HTTP on {}", super::http_url(address, &Scheme::Https))
            }
            (Gateway::Http(socket), Some(_)) => format!("HTTP with TLS on {socket}"),
            (gateway, _) => gateway.to_string(),
        }
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gateway::Cgi => f.write_str("CGI: one request from the environment and standard input"),
            Gateway::FastCgiInherited => f.write_str("FastCGI worker on the socket inherited as descriptor 0"),
            Gateway::FastCgi(address) => write!(f, "FastCGI worker on {address}"),
            Gateway::Http(SocketSource::Address(address)) => {
                write!(f, "HTTP on {}", super::http_url(address, &Scheme::Http))
            }
            Gateway::Http(socket) => write!(f, "HTTP on {socket}"),
            Gateway::Memory(request) => write!(f, "none: {request} is answered in memory"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::CgiRequest => f.write_str("GATEWAY_INTERFACE and REQUEST_METHOD are set"),
            Why::Flag(flag) => write!(f, "{flag} says so"),
            Why::ListeningSocket => f.write_str("descriptor 0 is a listening socket"),
            Why::GatewayInterface => f.write_str("GATEWAY_INTERFACE is set"),
            Why::Default => f.write_str(
                "no flag names a gateway, descriptor 0 is no listening socket, GATEWAY_INTERFACE is not set",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CGI: &[(&str, &str)] = &[("GATEWAY_INTERFACE", "CGI/1.1"), ("REQUEST_METHOD", "GET")];
    const INTERFACE: &[(&str, &str)] = &[("GATEWAY_INTERFACE", "CGI/1.1")];
    use Stdin::{ListeningSocket, Other};

    fn decided(arguments: &[&str], variables: &[(&str, &str)], stdin: Stdin) -> Result<Decision, UsageError> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let environment =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        decide(&arguments, environment, stdin)
    }

    fn http(address: &str) -> Gateway {
        Gateway::Http(address.parse().unwrap())
    }

    fn fastcgi(address: &str) -> Gateway {
        Gateway::FastCgi(address.parse().unwrap())
    }

    #[test]
    fn fcgi_3_cgi_84_the_table_of_decisions() {
        let flag = Why::Flag;
        #[rustfmt::skip]
        let table = [
            ("by hand", &[][..], &[][..], Other, http("127.0.0.1:8080"), Why::Default),
            ("by a FastCGI server", &[], &[], ListeningSocket, Gateway::FastCgiInherited, Why::ListeningSocket),
            ("by one that sets a CGI variable", &[], INTERFACE, ListeningSocket, Gateway::FastCgiInherited, Why::ListeningSocket),
            ("by one that sets them all", &[], CGI, ListeningSocket, Gateway::FastCgiInherited, Why::ListeningSocket),
            ("by one that configures arguments", &["--threads", "4"], CGI, ListeningSocket, Gateway::FastCgiInherited, Why::ListeningSocket),
            ("by a CGI server", &[], CGI, Other, Gateway::Cgi, Why::CgiRequest),
            ("by a client's query", &["--http", "0.0.0.0:80"], CGI, Other, Gateway::Cgi, Why::CgiRequest),
            ("by a client's nonsense", &["-s", "--no-such"], CGI, Other, Gateway::Cgi, Why::CgiRequest),
            ("by hand, as if by a CGI server", &[], INTERFACE, Other, Gateway::Cgi, Why::GatewayInterface),
            ("by hand in a CGI environment", &["--http", "[::1]:80"], INTERFACE, Other, http("[::1]:80"), flag("--http")),
            ("with an empty variable", &[], &[("GATEWAY_INTERFACE", "")], Other, http("127.0.0.1:8080"), Why::Default),
            ("with a method alone", &[], &[("REQUEST_METHOD", "GET")], Other, http("127.0.0.1:8080"), Why::Default),
            ("for HTTP on a socket file", &["--http=unix:/run/x"], &[], Other, http("unix:/run/x"), flag("--http")),
            ("for HTTP, descriptor 0 left alone", &["--http", "h:1"], &[], ListeningSocket, http("h:1"), flag("--http")),
            ("for FastCGI on a socket file", &["--fastcgi", "unix:/run/x"], &[], Other, fastcgi("unix:/run/x"), flag("--fastcgi")),
            ("for FastCGI on a socket of systemd's", &["--fastcgi", "systemd:app"], &[], Other, fastcgi("systemd:app"), flag("--fastcgi")),
            ("for HTTP on descriptor 0", &["--http", "fd0"], &[], ListeningSocket, http("fd0"), flag("--http")),
            ("for FastCGI on a port", &["--fastcgi", "tcp:localhost:9000"], &[], Other, fastcgi("localhost:9000"), flag("--fastcgi")),
        ];
        for (how, arguments, variables, stdin, gateway, why) in table {
            let decision = decided(arguments, variables, stdin).unwrap();
            assert_eq!((&decision.gateway, decision.why, decision.task), (&gateway, why, Task::Serve), "started {how}");
        }
    }

    #[test]
    fn flags_that_only_say_something_do_not_change_the_decision() {
        let explained = decided(&["--explain-gateway"], INTERFACE, Other).unwrap();
        assert_eq!((explained.gateway, explained.task), (Gateway::Cgi, Task::Explain));
        for (flag, task) in
            [("--help", Task::Help), ("-h", Task::Help), ("--version", Task::Version), ("-V", Task::Version)]
        {
            assert_eq!(decided(&[flag, "--explain-gateway"], &[], Other).unwrap().task, task);
        }
    }

    #[test]
    fn a_request_in_memory_has_its_fields_and_body() {
        let arguments = ["--request", "post /p?q", "--header", "X-A: 1", "--header=X-B:2", "--body", "text"];
        let Gateway::Memory(request) = decided(&arguments, &[], Other).unwrap().gateway else { panic!("in memory") };
        assert_eq!((request.method.as_str(), request.target.as_str()), ("post", "/p?q"));
        assert_eq!(request.headers, [("X-A".to_owned(), "1".to_owned()), ("X-B".to_owned(), "2".to_owned())]);
        assert_eq!(request.body.as_deref(), Some("text"));
    }

    #[test]
    fn numbers_are_taken_as_given() {
        let decision = decided(&["--threads=8", "--socket-mode", "0660"], &[], Other).unwrap();
        assert_eq!((decision.threads, decision.socket.mode), (Some(8), Some(0o660)));
    }

    #[test]
    fn names_are_taken_as_given() {
        let arguments = ["--socket-owner=www-data:", "--allow-user", "a", "--allow-user=b", "--allow-group", "c"];
        let decision = decided(&arguments, &[], ListeningSocket).unwrap();
        let expected = SocketFlags {
            owner: Some("www-data:".to_owned()),
            allow_users: vec!["a".to_owned(), "b".to_owned()],
            allow_groups: vec!["c".to_owned()],
            ..SocketFlags::default()
        };
        assert_eq!(decision.socket, expected);
    }

    #[test]
    fn arguments_that_make_no_sense_are_refused_in_words() {
        #[rustfmt::skip]
        let table: &[(&[&str], &str)] = &[
            (&["--htpp", "x"], "there is no flag --htpp"),
            (&["-x"], "there is no flag -x"),
            (&["--http-port=1"], "there is no flag --http-port"),
            (&["serve"], "argument \"serve\" belongs to no flag"),
            (&["--http"], "--http needs a value: --http HOST:PORT or unix:PATH"),
            (&["--help=yes"], "--help takes no value"),
            (&["--http", "8080"], "--http \"8080\": expected `unix:PATH`, `tcp:HOST:PORT` or `HOST:PORT`"),
            (&["--fastcgi", "unix:"], "--fastcgi \"unix:\": `unix:` needs a path"),
            (&["--model", "fork"], "--model \"fork\" is not iterative, threads, event-loop or event-loops"),
            (&["--model", "threads", "--fastcgi", "unix:x"], "--model is for HTTP: it goes with --http"),
            (&["--threads", "0"], "--threads \"0\" is not a number from 1 to 4096"),
            (&["--threads", "-1"], "--threads \"-1\" is not a number from 1 to 4096"),
            (&["--threads", "4097"], "--threads \"4097\" is not a number from 1 to 4096"),
            (&["--socket-mode", "888"], "--socket-mode \"888\" is not an octal mode such as 660"),
            (&["--socket-mode", "+66"], "--socket-mode \"+66\" is not an octal mode such as 660"),
            (&["--socket-mode", "1777"], "--socket-mode \"1777\" is not an octal mode such as 660"),
            (&["--http", "systemd:"], "--http \"systemd:\": `systemd:` needs the name of a socket"),
            (&["--allow-user", "a"], "--allow-user is for FastCGI workers: HTTP has means of its own to tell who asks"),
            (&["--http", "h:1", "--allow-group=a"], "--allow-group is for FastCGI workers: HTTP has means of its own to tell who asks"),
            (&["--http", "h:1", "--fastcgi", "h:1"], "--http and --fastcgi cannot be given together"),
            (&["--http", "h:1", "--http", "h:2"], "--http and --http cannot be given together"),
            (&["--request", "GET"], "--request \"GET\" is not a method and a path, such as 'GET /path'"),
            (&["--request", "GET  /"], "--request \"GET  /\" is not a method and a path, such as 'GET /path'"),
            (&["--header", "A: b"], "--header \"A: b\" is not of use without a --request before it"),
            (&["--request", "GET /", "--header", "A"], "--header \"A\" is not a field such as 'Accept: text/html'"),
            (&["--request", "GET /", "--header", "A B: c"], "--header \"A B: c\" is not a field such as 'Accept: text/html'"),
        ];
        for (arguments, message) in table {
            let error = decided(arguments, &[], Other).map(|decision| decision.gateway).unwrap_err();
            assert_eq!(error.to_string(), *message);
        }
    }
}
