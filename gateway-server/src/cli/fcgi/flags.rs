//! The command line of `gateway fcgi`, and what it comes to.
//!
//! Holds the flags and their mistakes. Does not hold how parameters are made of them (`parameters`) or what a worker answers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway_fastcgi::net::Address;
use gateway_fastcgi::protocol::Role;

use super::parameters::{Given, Parameters};
use super::source::Source;
use super::split::Cut;
use crate::cli::mistake::{Mistake, Place};
use crate::cli::rules::Problem;
use crate::cli::target::resolved;
use crate::cli::value::{self, BYTES, DURATION};

/// The method comes first, as in a request.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Ask {
    /// Asks with GET.
    Get(Box<Flags>),
    /// Asks with POST.
    Post(Box<Flags>),
}

/// The flags. Values are texts here: their mistakes are described as those of `serve` are.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Flags {
    /// Where the worker listens: unix:PATH, tcp:HOST:PORT or HOST:PORT.
    #[arg(value_name = "ADDR")]
    address: String,
    /// What is asked for: a path with its query, or a whole http URL.
    #[arg(value_name = "URI", required_unless_present = "values")]
    uri: Option<String>,
    /// A parameter, in the place of the one that would be sent; may be repeated.
    #[arg(long, short = 'p', value_name = "NAME=VALUE")]
    param: Vec<String>,
    /// Leaves a parameter out; may be repeated.
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
    /// A request field, which becomes an HTTP_ parameter; may be repeated.
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// The request body: a text, @FILE, or - for standard input.
    #[arg(long, short = 'd', value_name = "TEXT")]
    data: Option<String>,
    /// Another method, such as HEAD or PUT.
    #[arg(long, short = 'X', value_name = "METHOD")]
    method: Option<String>,
    /// The worker's folder of scripts, as for php-fpm: the path names a script in it. SCRIPT_FILENAME, DOCUMENT_ROOT.
    #[arg(long, value_name = "DIR")]
    root: Option<String>,
    /// The start of the path that is SCRIPT_NAME; the rest is PATH_INFO.
    #[arg(long, value_name = "PATH")]
    script_name: Option<String>,
    /// The script that answers, whatever the path.
    #[arg(long, value_name = "FILE")]
    script_filename: Option<String>,
    /// What the worker is to be: responder, authorizer or filter. [default: responder]
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// The file for a Filter.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Asks the worker to keep the connection open, and tells with -v or --dump whether it does.
    #[arg(long)]
    keep: bool,
    /// Asks what the worker says of itself (GET_VALUES) and for no path.
    #[arg(long, conflicts_with = "uri")]
    values: bool,
    /// The status and the fields too, before the body.
    #[arg(long, short = 'i')]
    include: bool,
    /// The parameters that are sent, on standard error.
    #[arg(long)]
    params: bool,
    /// Parameters, fields, how it ended and how long it took, on standard error.
    #[arg(long, short = 'v')]
    verbose: bool,
    /// Every record both ways on standard error, named, with the clause that says what it is.
    #[arg(long)]
    dump: bool,
    /// How much of the content of a record --dump shows. [default: 512]
    #[arg(long, value_name = "SIZE")]
    dump_bytes: Option<String>,
    /// Exit code 22 for a status from 400 on, and for an appStatus other than 0.
    #[arg(long, short = 'f')]
    fail: bool,
    /// How long all of it may take. [default: 60s]
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    /// How long connecting may take. [default: 3s]
    #[arg(long, value_name = "TIME")]
    connect_timeout: Option<String>,
}

/// What stands below the flags in the long help.
pub(in crate::cli) const ABOUT: &str = "\
The body of the answer goes to standard output, what the worker writes to STDERR to standard error.
A path is cut as `gateway serve` does for a mount at /: SCRIPT_NAME is empty, PATH_INFO the path.
With --root, and at a socket whose path has php or fpm in it, the path is a script's instead.

Exit codes: 0 answered, 1 a file or standard output, 2 the command line, 7 nobody there, 8 no
FastCGI or no answer of CGI, 9 refused (OVERLOADED and the like), 18 closed too early, 22 see
--fail, 28 too late.

Examples:
  gateway fcgi get unix:/run/app.sock '/search?q=x' --include
  gateway fcgi get unix:/run/php/php-fpm.sock /status
  gateway fcgi get tcp:127.0.0.1:9000 /index.php --root /srv/www --dump
  gateway fcgi post unix:/run/app.sock /form --data 'name=Ada' --header 'Cookie: a=1'
  gateway fcgi get unix:/run/app.sock --values";

/// What is asked, of whom, and how it is shown.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) address: Address,
    pub(super) what: What,
    pub(super) limits: Limits,
    pub(super) show: Show,
}

#[derive(Debug)]
pub(super) enum What {
    Values,
    Request(Box<Request>),
}

/// One request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) role: Role,
    pub(super) keep: bool,
    pub(super) parameters: Parameters,
    /// Gone once all of it is on its way.
    pub(super) body: Option<Source>,
    /// A Filter's file.
    pub(super) data: Option<Source>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) total: Duration,
}

/// What is shown beside the body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Show {
    pub(super) head: bool,
    pub(super) parameters: bool,
    pub(super) verbose: bool,
    /// Bytes of each record's content, if records are shown at all.
    pub(super) dump: Option<usize>,
    pub(super) fail: bool,
}

/// As the client has it: one lost packet on a network, an age on one machine.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// As nginx and httpd wait for the first byte of an answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A head and the start of a page.
const DUMP_BYTES: usize = 512;

impl Ask {
    /// What the flags mean, or all their mistakes.
    pub(super) fn read(&self) -> Result<Question, Vec<Mistake>> {
        match self {
            Ask::Get(flags) => flags.read("GET"),
            Ask::Post(flags) => flags.read("POST"),
        }
    }
}

/// Mistakes on the way.
#[derive(Default)]
pub(super) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub(super) fn add(&mut self, flag: &str, problem: Problem) {
        self.0.push(Mistake { place: Place::Flag(flag.to_owned()), problem });
    }

    fn take<T>(&mut self, flag: &str, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.add(flag, problem)).ok()
    }

    fn given<T>(&mut self, flag: &str, text: Option<&str>, read: impl FnOnce(&str) -> Result<T, Problem>) -> Option<T> {
        self.take(flag, read(text?))
    }
}

impl Flags {
    fn read(&self, method: &str) -> Result<Question, Vec<Mistake>> {
        let mut mistakes = Mistakes::default();
        let here = std::env::current_dir().unwrap_or_default();
        let address = self.address.parse().map_err(|error| Problem::refused(&self.address, error));
        let address = mistakes.take("ADDR", address).map(|address| resolved(address, &here));
        let time = |text: &str| value::duration(text).ok_or_else(|| Problem::value(text, DURATION));
        let total = mistakes.given("--timeout", self.timeout.as_deref(), time);
        let connect = mistakes.given("--connect-timeout", self.connect_timeout.as_deref(), time);
        let size = |text: &str| value::size(text).ok_or_else(|| Problem::value(text, BYTES));
        let shown = mistakes.given("--dump-bytes", self.dump_bytes.as_deref(), size);
        let request = match (&self.uri, &address) {
            (Some(uri), Some(address)) => self.request(method, uri, address, &mut mistakes),
            _ => None,
        };
        let what =
            if self.values { Some(What::Values) } else { request.map(|request| What::Request(Box::new(request))) };
        let (Some(address), Some(what), []) = (address, what, mistakes.0.as_slice()) else { return Err(mistakes.0) };
        let limits = Limits { connect: connect.unwrap_or(CONNECT_TIMEOUT), total: total.unwrap_or(TIMEOUT) };
        let show = Show {
            head: self.include,
            parameters: self.params || self.verbose,
            verbose: self.verbose,
            dump: self.dump.then_some(shown.unwrap_or(DUMP_BYTES)),
            fail: self.fail,
        };
        Ok(Question { address, what, limits, show })
    }

    fn request(&self, method: &str, uri: &str, address: &Address, mistakes: &mut Mistakes) -> Option<Request> {
        let role = mistakes.given("--role", self.role.as_deref(), role).unwrap_or(Role::RESPONDER);
        let body = self.body(role, mistakes);
        let data = self.filtered(role, mistakes);
        let given = Given {
            method: self.method.as_deref().unwrap_or(method),
            uri,
            cut: Cut {
                script_name: self.script_name.as_deref(),
                script_filename: self.script_filename.as_deref(),
                root: self.root.as_deref(),
                path_is_script: names_php(address),
            },
            headers: &self.header,
            set: &self.param,
            without: &self.without,
            role,
            // A GET without a body has no length, a POST always has one (CGI-21).
            length: body.as_ref().filter(|_| self.data.is_some() || method == "POST").map(Source::length),
            has_data: self.data.is_some(),
            file: data.as_ref().map(|file| (file.length(), file.modified)),
        };
        let parameters = given.parameters(mistakes)?;
        Some(Request { role, keep: self.keep, parameters, body: Some(body?), data })
    }

    fn body(&self, role: Role, mistakes: &mut Mistakes) -> Option<Source> {
        let Some(data) = &self.data else { return Some(Source::memory("")) };
        if role == Role::AUTHORIZER {
            mistakes.add("--data", Problem::refused(data, "an Authorizer gets no body (FastCGI 1.0 §6.3)"));
            return None;
        }
        let source = match (data.as_str(), data.strip_prefix('@')) {
            ("-", _) => Source::stdin(),
            (_, Some(file)) => Source::file(Path::new(file)),
            (text, None) => Ok(Source::memory(text.to_owned())),
        };
        mistakes.take("--data", source.map_err(|error| Problem::refused(data, error)))
    }

    fn filtered(&self, role: Role, mistakes: &mut Mistakes) -> Option<Source> {
        match (&self.file, role) {
            (Some(file), Role::FILTER) => {
                let source = Source::file(file).map_err(|error| Problem::refused(file.display(), error));
                mistakes.take("--file", source)
            }
            (Some(file), _) => {
                let alone = "only a Filter gets a file: add --role filter (FastCGI 1.0 §6.4)";
                mistakes.add("--file", Problem::refused(file.display(), alone));
                None
            }
            (None, Role::FILTER) => {
                mistakes
                    .add("--file", Problem::Missing { allowed: "the file that the Filter gets (FastCGI 1.0 §6.4)" });
                None
            }
            (None, _) => None,
        }
    }
}

fn role(text: &str) -> Result<Role, Problem> {
    match text {
        "responder" => Ok(Role::RESPONDER),
        "authorizer" => Ok(Role::AUTHORIZER),
        "filter" => Ok(Role::FILTER),
        _ => Err(Problem::value(text, "responder, authorizer or filter")),
    }
}

/// php-fpm finds its own pages, /status and /ping, by SCRIPT_NAME and SCRIPT_FILENAME (FCGI-112), and its sockets are
/// mostly called like it.
fn names_php(address: &Address) -> bool {
    let path = address.unix_path().map(|path| path.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    path.contains("php") || path.contains("fpm")
}
