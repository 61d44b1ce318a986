//! `gateway cgi-wrap`: CGI programs for servers that speak FastCGI and have no CGI of their own, as fcgiwrap ran them.
//!
//! Holds the flags and what they come to. Does not hold the life of the process (`wrap/run`) or the way of a request into
//! the CGI host (`wrap/guard`). The options of programs are those of a `cgi:` target, by the same table.

mod guard;
mod run;

use std::path::{Path, PathBuf};

use gateway_fastcgi::net::{AddressError, ListenOptions, Owner, OwnerError, SocketSource, group_id, user_id};
use gateway_fastcgi::worker::AllowList;

use super::check;
use super::configs::with;
use super::keys::LOG;
use super::mistake::{Mistake, Place};
use super::options::CgiOptions;
use super::rules::{Problem, apply};
use super::settings::{Log, Mount, Settings};
use super::target::{Target, resolved_socket};
use super::value::{self, COUNT, MODE};
use crate::mount::Prefix;

pub(super) use run::run;

/// The flags. Values are texts here: their mistakes are described as those of the file are. The short ones are fcgiwrap's.
#[derive(Debug, clap::Args)]
pub(super) struct Flags {
    /// Where FastCGI requests come from: unix:PATH, tcp:HOST:PORT, systemd or systemd:NAME for a socket that systemd passes, or
    /// fd0 for the listening socket on descriptor 0. [default: the socket that systemd passes, else fd0]
    #[arg(long, short = 's', value_name = "ADDR")]
    fastcgi: Option<String>,
    /// A folder whose programs may run, or one program; may be repeated. Others are refused with 403. [default: /usr/lib/cgi-bin
    /// and /var/www/cgi-bin]
    #[arg(long, short = 'p', value_name = "PATH")]
    root: Vec<String>,
    /// Programs at once. [default: 32]
    #[arg(long, short = 'c', value_name = "N")]
    max_children: Option<String>,
    /// Requests that wait for a place; more are answered with 503 at once. [default: 256]
    #[arg(long, value_name = "N")]
    max_queue: Option<String>,
    /// Where standard error of programs goes: log for this process's own log, or fastcgi for the server in front. [default: log]
    #[arg(long, value_name = "WHERE")]
    stderr: Option<String>,
    /// The same as --stderr fastcgi.
    #[arg(short = 'f', conflicts_with = "stderr")]
    stderr_fastcgi: bool,
    /// An option of programs, as behind cgi: targets, such as timeout=30s or env.LANG=C; may be repeated.
    #[arg(long, short = 'o', value_name = "KEY=VALUE")]
    option: Vec<String>,
    /// Permissions of the socket file. [default: 600]
    #[arg(long, value_name = "MODE")]
    socket_mode: Option<String>,
    /// Who owns the socket file. [default: the user and the group of this process]
    #[arg(long, value_name = "USER[:GROUP]")]
    socket_owner: Option<String>,
    /// A user whose processes may connect to the UNIX socket; may be repeated. [default: all who can open the file]
    #[arg(long, value_name = "USER")]
    allow_user: Vec<String>,
    /// A group whose processes may connect to the UNIX socket, if it is their first; may be repeated.
    #[arg(long, value_name = "GROUP")]
    allow_group: Vec<String>,
    /// The form of what is written to standard error: human or json. [default: human]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// How much is written: error, warn, info, debug or trace; or by part, such as info,gateway_cgi=debug. [default: info]
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
}

/// What stands below the flags in the long help.
pub(super) const ABOUT: &str = "\
The program of a request is SCRIPT_FILENAME. Without that variable it is the first file on the
way of SCRIPT_NAME and PATH_INFO from DOCUMENT_ROOT, and the rest becomes PATH_INFO. It starts in
its own folder, or in FCGI_CHDIR.
`gateway keys` lists the options of programs, under cgi:.

Examples:
  gateway cgi-wrap --fastcgi unix:/run/cgi-wrap.sock --socket-mode 660 --root /usr/lib/cgi-bin
  gateway cgi-wrap --fastcgi tcp:127.0.0.1:9000 --root /srv/cgi -o timeout=30s -o env.LANG=C";

/// What `gateway cgi-wrap` does.
#[derive(Debug)]
pub(super) struct Wrap {
    /// Nothing means the socket that was passed.
    listen: Option<SocketSource>,
    socket: ListenOptions,
    allowed: AllowList,
    roots: Vec<PathBuf>,
    max_queue: usize,
    stderr: Stderr,
    options: CgiOptions,
    pub(super) log: Log,
}

/// Where standard error of programs goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stderr {
    /// To this process's log, line by line.
    #[default]
    Log,
    /// To the server in front, in the STDERR stream of the request (FCGI-83).
    FastCgi,
}

/// Where distributions put CGI programs: Debian and its kin, Fedora and its.
const USUAL_ROOTS: [&str; 2] = ["/usr/lib/cgi-bin", "/var/www/cgi-bin"];

/// Requests that wait: some hundred threads at most, and more than a server in front sends before it gives up.
const MAX_QUEUE: usize = 256;

impl Flags {
    /// What the flags mean, or all their mistakes.
    pub(super) fn read(&self) -> Result<Wrap, Vec<Mistake>> {
        let here = std::env::current_dir().unwrap_or_default();
        let mut mistakes = Vec::new();
        let mut take = |flag: &str, problem| mistakes.push(Mistake { place: Place::Flag(flag.to_owned()), problem });
        let listen = one(&mut take, "--fastcgi", self.fastcgi.as_deref(), |text| listen(text, &here));
        let mode = one(&mut take, "--socket-mode", self.socket_mode.as_deref(), mode);
        let owner = one(&mut take, "--socket-owner", self.socket_owner.as_deref(), owner);
        let socket = with(ListenOptions::default(), mode, ListenOptions::unix_mode);
        let socket = with(socket, owner, ListenOptions::unix_owner);
        let allowed = self.allowed(&mut take);
        let max_queue = one(&mut take, "--max-queue", self.max_queue.as_deref(), count);
        let stderr = one(&mut take, "--stderr", self.stderr.as_deref(), stderr);
        let mut log = Settings::default();
        for (flag, key, value) in [("--log-format", "format", &self.log_format), ("--log", "level", &self.log)] {
            one(&mut take, flag, value.as_deref(), |value| apply(LOG, &mut log, key, value));
        }
        let options = self.options(&here, &mut mistakes);
        let roots = self.roots(&here, &options, &mut mistakes);
        let wrap = Wrap {
            listen,
            socket,
            allowed,
            roots,
            max_queue: max_queue.unwrap_or(MAX_QUEUE),
            stderr: if self.stderr_fastcgi { Stderr::FastCgi } else { stderr.unwrap_or_default() },
            options,
            log: log.log,
        };
        if mistakes.is_empty() { Ok(wrap) } else { Err(mistakes) }
    }

    /// Who may connect.
    fn allowed(&self, take: &mut impl FnMut(&str, Problem)) -> AllowList {
        let mut allowed = AllowList::from_environment();
        for name in &self.allow_user {
            let uid = one(take, "--allow-user", Some(name), |name| named(name, user_id(name)));
            allowed = uid.into_iter().fold(allowed, AllowList::user);
        }
        for name in &self.allow_group {
            let gid = one(take, "--allow-group", Some(name), |name| named(name, group_id(name)));
            allowed = gid.into_iter().fold(allowed, AllowList::group);
        }
        allowed
    }

    /// The options of programs, read as those of a target are.
    fn options(&self, here: &Path, mistakes: &mut Vec<Mistake>) -> CgiOptions {
        let mut target = Target::Cgi(PathBuf::new(), CgiOptions::default());
        let mut seen: Vec<&str> = Vec::new();
        let children = self.max_children.as_deref().map(|count| ("--max-children", "max_children", count));
        let options = self.option.iter().map(|option| {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            ("--option", key, value)
        });
        for (flag, key, value) in children.into_iter().chain(options) {
            let place = Place::Flag(if flag == "--option" { format!("--option {key}") } else { flag.to_owned() });
            let done = if seen.contains(&key) && !target.repeats(key) {
                Err(Problem::Twice { first: "in the same command".to_owned() })
            } else if key.starts_with("authorizer") {
                Err(Problem::refused(value, "is asked by the server in front of this worker, or by gateway serve"))
            } else if matches!(key, "sendfile" | "accel") {
                Err(Problem::refused(value, "is for the server in front of this worker, or for gateway serve"))
            } else {
                target.set(key, value, here)
            };
            seen.push(key);
            mistakes.extend(done.err().map(|problem| Mistake { place, problem }));
        }
        match target {
            Target::Cgi(_, options) => options,
            _ => CgiOptions::default(),
        }
    }

    /// The roots: those that were given, else those of the usual ones that are there. Looks for mistakes as `serve` does for
    /// its mounts, each of which has one path and the options.
    fn roots(&self, here: &Path, options: &CgiOptions, mistakes: &mut Vec<Mistake>) -> Vec<PathBuf> {
        let given = self.root.iter().map(|root| here.join(root));
        let roots: Vec<PathBuf> = if self.root.is_empty() {
            USUAL_ROOTS.map(PathBuf::from).into_iter().filter(|root| root.is_dir()).collect()
        } else {
            given.collect()
        };
        if roots.is_empty() {
            let place = Place::Flag("--root".to_owned());
            mistakes.push(Mistake { place, problem: Problem::Missing { allowed: "a folder of programs" } });
        }
        for (at, root) in roots.iter().enumerate() {
            let place = Place::Flag("--option".to_owned());
            let target = Target::Cgi(root.clone(), options.clone());
            let mount =
                Mount { prefix: Prefix::root(), prefix_place: place.clone(), target, target_place: place.clone() };
            let (of_root, of_options): (Vec<_>, Vec<_>) =
                check::target(&mount).into_iter().partition(|mistake| mistake.place == place);
            let flag = Place::Flag(format!("--root {}", root.display()));
            mistakes.extend(of_root.into_iter().map(|mistake| Mistake { place: flag.clone(), ..mistake }));
            // The options are the same for all.
            mistakes.extend(of_options.into_iter().filter(|_| at == 0));
        }
        roots
    }
}

/// Reads one flag, if it was given.
fn one<T>(
    take: &mut impl FnMut(&str, Problem),
    flag: &str,
    given: Option<&str>,
    read: impl FnOnce(&str) -> Result<T, Problem>,
) -> Option<T> {
    let result = read(given?);
    result.map_err(|problem| take(flag, problem)).ok()
}

pub(super) fn listen(text: &str, here: &Path) -> Result<SocketSource, Problem> {
    // fcgiwrap's name for a port on an IPv6 address.
    let text = text.strip_prefix("tcp6:").unwrap_or(text);
    let source = text.parse().map_err(|error| match error {
        AddressError::PathAlone { .. } => Problem::refused(text, error),
        _ => Problem::refused(text, format!("{error}, or systemd, or fd0")),
    })?;
    Ok(resolved_socket(source, here))
}

pub(super) fn owner(text: &str) -> Result<Owner, Problem> {
    named(text, text.parse())
}

fn named<T>(name: &str, found: Result<T, OwnerError>) -> Result<T, Problem> {
    found.map_err(|error| Problem::refused(name, error))
}

pub(super) fn mode(text: &str) -> Result<u32, Problem> {
    value::mode(text).ok_or_else(|| Problem::value(text, MODE))
}

fn count(text: &str) -> Result<usize, Problem> {
    value::count(text).filter(|count| *count <= MAX_PLACES).ok_or_else(|| Problem::value(text, COUNT))
}

/// Each place is a thread while a request has it; more is a slip of the finger.
const MAX_PLACES: usize = 4096;

fn stderr(text: &str) -> Result<Stderr, Problem> {
    match text {
        "log" => Ok(Stderr::Log),
        "fastcgi" => Ok(Stderr::FastCgi),
        _ => Err(Problem::value(text, "log or fastcgi")),
    }
}
