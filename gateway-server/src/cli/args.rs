//! The command line of `gateway`.
//!
//! Holds the flags and how they become settings, on top of what the configuration file says. Does not hold what the
//! settings mean.

use std::path::{Path, PathBuf};

use super::config;
use super::fcgi;
use super::keys::{ACCESS, LIMITS, LOG, TOP};
use super::listen::{Listen, TLS};
use super::mistake::{Mistake, Place, join};
use super::rules::{Problem, apply, remedy};
use super::settings::{Mount, Settings};
use super::target::Target;
use super::workers;
use super::wrap;

#[derive(Debug, clap::Parser)]
#[command(name = "gateway", version, about = "Serves applications, CGI programs, FastCGI workers and files over HTTP")]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Listens and answers. Without mounts and without a file: a demonstration of all three gateways.
    #[command(after_long_help = TARGETS)]
    Serve(Box<Serve>),
    /// Runs CGI programs for a server that speaks FastCGI, such as nginx: what fcgiwrap does, with limits.
    #[command(after_long_help = wrap::ABOUT)]
    CgiWrap(Box<wrap::Flags>),
    /// Starts FastCGI workers on a socket and looks after them: what php-fpm's manager does, for any program.
    #[command(after_long_help = workers::ABOUT)]
    Workers(Box<workers::Flags>),
    /// Asks a FastCGI worker, and shows what it says: what cgi-fcgi is used for, with every record if wanted.
    #[command(after_long_help = fcgi::ABOUT)]
    Fcgi {
        #[command(subcommand)]
        ask: fcgi::Ask,
    },
    /// Looks for mistakes in a configuration file: says OK and what it means, or names each mistake with its line.
    CheckConfig {
        /// The file.
        file: PathBuf,
    },
    /// Measures one application in process, behind FastCGI and as a CGI program, and writes a report.
    #[cfg(feature = "bench")]
    #[command(after_long_help = crate::bench::EXAMPLES)]
    Bench(Box<crate::bench::Args>),
    /// Lists every key of the configuration file and of the targets: what it means and what it takes.
    Keys,
}

/// The flags of `gateway serve`. Values are texts here: their mistakes are described as those of the file are.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// Where to listen: HOST:PORT, [IPV6]:PORT, unix:PATH, or systemd or systemd:NAME for sockets that systemd passes; may be
    /// repeated. Port 0 takes a free one. ?proxy_protocol=NETWORKS behind it takes PROXY headers from there. [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// Where to listen with TLS; as --listen, which stays without. [default: 127.0.0.1:8443 if there is a certificate]
    #[arg(long, value_name = "ADDR")]
    tls_listen: Vec<String>,
    /// The certificate for --tls-listen, in PEM form, with those that lead to its issuer. Read again at SIGHUP. May be repeated: clients are
    /// shown the one for the name that they ask for, or else the first.
    #[arg(long, value_name = "FILE")]
    tls_cert: Vec<String>,
    /// The certificate's key, in PEM form; for several certificates, once for each and in the same order.
    #[arg(long, value_name = "FILE")]
    tls_key: Vec<String>,
    /// Permissions of socket files to listen on. [default: 600]
    #[arg(long, value_name = "MODE")]
    socket_mode: Option<String>,
    /// Who owns socket files to listen on. [default: the user and the group of this process]
    #[arg(long, value_name = "USER[:GROUP]")]
    socket_owner: Option<String>,
    /// A configuration file. Flags win over it; mounts are added to its own.
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// What answers which paths, such as /app=cgi:./app?timeout=5s; may be repeated.
    #[arg(long, value_name = "PREFIX=TARGET")]
    mount: Vec<String>,
    /// Proxies in front of this server whose X-Forwarded-For and -Proto are believed, such as 127.0.0.1,10.0.0.0/8,unix. [default: none]
    #[arg(long, value_name = "LIST")]
    trusted_proxies: Option<String>,
    /// The hosts that are served, such as example.org,*.example.org; requests for others are answered with 421. [default: all]
    #[arg(long, value_name = "NAMES")]
    hosts: Option<String>,
    /// How connections are shared out among threads: iterative, threads, event-loop or event-loops. [default: event-loops]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Applications that may run at once on threads of the runtime, which has one more for sockets. [default: four for each core, and 128 at least]
    #[arg(long, value_name = "N")]
    threads: Option<String>,
    /// Where health, metrics and what workers do are answered over HTTP: HOST:PORT or unix:PATH. [default: nowhere]
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
    /// Lets --admin be an address that other machines reach.
    #[arg(long)]
    admin_open: bool,
    /// Whom to become once the sockets are bound, if root starts it. [default: nobody else]
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// The only group of --user. [default: all groups that the user is in]
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// CGI programs that run at once in all mounts together; others wait. [default: no limit beside each mount's, which is 32]
    #[arg(long, value_name = "N")]
    max_children: Option<String>,
    /// The form of what is written to standard error: human or json. [default: human]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// How much is written: error, warn, info, debug or trace; or by part, such as info,gateway_cgi=debug. [default: info]
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
    /// Leaves out the line for each request on standard error.
    #[arg(long)]
    no_access_log: bool,
    /// The access log, a line for each request: a file, or - for standard output. Opened again at SIGHUP. [default: none, but lines on
    /// standard error]
    #[arg(long, value_name = "FILE")]
    access_log: Option<String>,
    /// The form of its lines: common, combined, json, or names of fields such as time,method,path,status,duration_ms. [default:
    /// combined]
    #[arg(long, value_name = "FORMAT")]
    access_format: Option<String>,
}

/// What stands below the flags in the long help.
const TARGETS: &str = "\
Targets, each with ?key=value&key=value behind it (values may be percent-encoded):
  app:demo                    the demonstration, inside this process
  cgi:FILE_OR_DIR             a CGI program, or a folder of them
  fastcgi:unix:PATH           FastCGI workers that run already
  fastcgi:tcp:HOST:PORT       the same, over TCP
  fastcgi:spawn:COMMAND ARGS  FastCGI workers that this process starts, and starts again when they die
  http://HOST:PORT            another HTTP server, such as gunicorn, uvicorn, Tomcat or Node
  http:unix:PATH              the same, behind a socket
  static:DIR                  files
`gateway keys` lists all keys.

Examples:
  gateway serve --mount '/=static:./public' --mount '/cgi-bin=cgi:./cgi-bin?timeout=30s'
  gateway serve --mount '/=fastcgi:unix:/run/php/php-fpm.sock?root=/srv/www&read_timeout=5s'
  gateway serve --mount '/=fastcgi:spawn:./worker --quiet?workers=4&env.LANG=C'";

impl Serve {
    /// Whether nothing says what to serve.
    pub(super) fn is_tour(&self) -> bool {
        self.mount.is_empty() && self.config.is_none()
    }

    /// The settings of the file, if there is one, and of the flags.
    pub(super) fn settings(&self) -> Result<Settings, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut settings = match self.config.as_deref().map(read) {
            None => Settings::default(),
            Some(Ok(settings)) => settings,
            Some(Err(found)) => {
                mistakes = found;
                Settings::default()
            }
        };
        let here = std::env::current_dir().unwrap_or_default();
        listen("--listen", &self.listen, false, &mut settings, &here, &mut mistakes);
        listen("--tls-listen", &self.tls_listen, true, &mut settings, &here, &mut mistakes);
        for text in &self.mount {
            match mount(text, &here) {
                Ok(mount) => settings.mounts.push(mount),
                Err(found) => mistakes.extend(found),
            }
        }
        let values = [
            ("--admin", TOP, "", "admin", self.admin.as_deref()),
            ("--admin-open", TOP, "", "admin_open", self.admin_open.then_some("true")),
            ("--user", TOP, "", "user", self.user.as_deref()),
            ("--group", TOP, "", "group", self.group.as_deref()),
            ("--trusted-proxies", TOP, "", "trusted_proxies", self.trusted_proxies.as_deref()),
            ("--hosts", TOP, "", "hosts", self.hosts.as_deref()),
            ("--model", TOP, "", "model", self.model.as_deref()),
            ("--threads", TOP, "", "threads", self.threads.as_deref()),
            ("--socket-mode", TOP, "", "socket_mode", self.socket_mode.as_deref()),
            ("--socket-owner", TOP, "", "socket_owner", self.socket_owner.as_deref()),
            ("--max-children", LIMITS, "limits", "max_children", self.max_children.as_deref()),
            ("--log-format", LOG, "log", "format", self.log_format.as_deref()),
            ("--log", LOG, "log", "level", self.log.as_deref()),
            ("--access-log", ACCESS, "access", "file", self.access_log.as_deref()),
            ("--access-format", ACCESS, "access", "format", self.access_format.as_deref()),
            ("--no-access-log", LOG, "log", "access", self.no_access_log.then_some("false")),
        ];
        certificates(&self.tls_cert, &self.tls_key, &mut settings, &here, &mut mistakes);
        for (flag, rules, section, key, value) in values {
            let Some(value) = value else { continue };
            let place = Place::Flag(flag.to_owned());
            match apply(rules, &mut settings, key, value) {
                Ok(()) => drop(settings.given.insert(join(section, key), place)),
                Err(problem) => mistakes.push(Mistake { place, problem }),
            }
        }
        if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
    }
}

/// Addresses of a flag, which replace those of its kind in the file.
fn listen(flag: &str, texts: &[String], tls: bool, settings: &mut Settings, here: &Path, mistakes: &mut Vec<Mistake>) {
    if !texts.is_empty() {
        settings.listen.retain(|listen| listen.tls != tls);
    }
    for text in texts {
        let place = Place::Flag(format!("{flag} {text}"));
        match Listen::parse(text, tls, here, place.clone()) {
            Ok(listen) => settings.listen.push(listen),
            Err(problems) => mistakes.extend(problems.into_iter().map(|(key, problem)| {
                let place = key.map_or(place.clone(), |key| place.inside(&key));
                Mistake { place, problem }
            })),
        }
    }
}

/// Certificates and keys of flags, which replace those in the file.
fn certificates(certs: &[String], keys: &[String], settings: &mut Settings, here: &Path, mistakes: &mut Vec<Mistake>) {
    if !certs.is_empty() {
        settings.certificate.certs.clear();
    }
    if !keys.is_empty() {
        settings.certificate.keys.clear();
    }
    for (flag, key, values) in [("--tls-cert", "cert", certs), ("--tls-key", "key", keys)] {
        let place = Place::Flag(flag.to_owned());
        for value in values {
            let done = apply(TLS, settings, key, value);
            mistakes.extend(done.err().map(|problem| Mistake { place: place.clone(), problem }));
            settings.given.insert(join("tls", key), place.clone());
        }
    }
    settings.certificate.resolve(here);
}

/// Reads a configuration file.
pub(super) fn read(path: &Path) -> Result<Settings, Vec<Mistake>> {
    match std::fs::read_to_string(path) {
        Ok(text) => config::parse(path, &text),
        Err(error) => {
            let place = Place::File { path: path.to_owned(), line: 1, column: 1, field: String::new() };
            Err(vec![Mistake {
                place,
                problem: Problem::Syntax { message: format!("cannot be read: {error}{}", remedy(&error)) },
            }])
        }
    }
}

fn mount(text: &str, here: &Path) -> Result<Mount, Vec<Mistake>> {
    const ALLOWED: &str = "PREFIX=TARGET, such as /app=cgi:./app";
    let place = Place::Flag(format!("--mount {text}"));
    let whole = |problem| vec![Mistake { place: place.clone(), problem }];
    let (prefix, target) = text.split_once('=').ok_or_else(|| whole(Problem::value(text, ALLOWED)))?;
    let prefix = prefix
        .parse()
        .map_err(|error| whole(Problem::refused(prefix, format!("{error}; allowed is a path such as / or /app"))))?;
    let target = Target::parse(target, here).map_err(|found| {
        let mistake = |found: super::target::TargetMistake| Mistake {
            place: found.option.map_or(place.clone(), |key| place.inside(&key)),
            problem: found.problem,
        };
        found.into_iter().map(mistake).collect::<Vec<_>>()
    })?;
    Ok(Mount { prefix, prefix_place: place.clone(), target, target_place: place })
}
