//! `gateway workers`: starts FastCGI workers on a socket and looks after them, as spawn-fcgi, multiwatch and the manager of
//! php-fpm do.
//!
//! Holds the flags, the file, and what they come to. Does not hold the life of the process (`workers/run`), the options of workers
//! (`workers/pool`, by the table of `fastcgi:spawn:`) or the status page (`workers/status`).

mod file;
mod flags;
mod pool;
mod run;
mod spares;
mod status;

use std::path::{Path, PathBuf};

use gateway_fastcgi::net::{Address, Owner, SocketSource};

use super::check;
use super::keys::LOG;
use super::mistake::{Mistake, Place};
use super::options::SpawnOptions;
use super::rules::{Problem, apply};
use super::settings::{Log, Mount, Settings};
use super::target::{Target, resolved};
use super::wrap;
use crate::mount::Prefix;
use flags::PoolFlags;

pub(super) use pool::{ModeName, PoolOptions};
pub(super) use run::run;
pub(super) use status::StatusPage;

/// The flags. Values are texts here: their mistakes are described as those of the file are.
#[derive(Debug, clap::Args)]
pub(super) struct Flags {
    /// Where FastCGI requests come from: unix:PATH, tcp:HOST:PORT, systemd or systemd:NAME for a socket that systemd passes, or
    /// fd0 for the listening socket on descriptor 0. [default: the socket that systemd passes, else fd0]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// A file of these settings, in TOML. Flags win over it. It is read again for a reload.
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Permissions of the socket file. [default: 600]
    #[arg(long, value_name = "MODE")]
    socket_mode: Option<String>,
    /// Who owns the socket file. [default: the user and the group of this process]
    #[arg(long, value_name = "USER[:GROUP]")]
    socket_owner: Option<String>,
    /// Where the status page answers over HTTP: HOST:PORT or unix:PATH. [default: nowhere]
    #[arg(long, value_name = "ADDR")]
    status: Option<String>,
    /// The form of what is written to standard error: human or json. [default: human]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// How much is written: error, warn, info, debug or trace; or by part, such as info,gateway_fastcgi=debug. [default: info]
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
    #[command(flatten)]
    pool: PoolFlags,
    /// The program and its arguments.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// What stands below the flags in the long help.
pub(super) const ABOUT: &str = "\
SIGHUP replaces all workers, some at a time, and no request is lost; SIGTERM and SIGINT let them
finish and end. The file has the same names, with _ for -, and command = [\"PROGRAM\", \"ARGUMENT\"].

Examples:
  gateway workers --listen unix:/run/app.sock --socket-mode 660 --workers 4 -- /opt/app/worker
  gateway workers --listen tcp:127.0.0.1:9000 --mode dynamic --workers 20 --status 127.0.0.1:9001 -- php-cgi";

/// What `gateway workers` does.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Plan {
    /// Nothing means the socket that was passed.
    listen: Option<SocketSource>,
    socket_mode: Option<u32>,
    socket_owner: Option<Owner>,
    status: Option<Address>,
    command: Vec<String>,
    pool: PoolOptions,
    pub(super) log: Log,
}

impl Plan {
    /// Sets one of the keys that are not about workers.
    fn set(&mut self, key: &str, value: &str, base: &Path) -> Result<(), Problem> {
        match key {
            "listen" => self.listen = Some(wrap::listen(value, base)?),
            "socket_mode" => self.socket_mode = Some(wrap::mode(value)?),
            "socket_owner" => self.socket_owner = Some(wrap::owner(value)?),
            "status" => {
                let address = value.parse().map_err(|error| Problem::refused(value, error))?;
                self.status = Some(resolved(address, base));
            }
            _ => {
                let mut settings = Settings { log: std::mem::take(&mut self.log), ..Settings::default() };
                let done = apply(LOG, &mut settings, key, value);
                self.log = settings.log;
                done?;
            }
        }
        Ok(())
    }
}

impl Flags {
    /// What the flags and the file mean, or all their mistakes.
    pub(super) fn read(&self) -> Result<Plan, Vec<Mistake>> {
        let here = std::env::current_dir().unwrap_or_default();
        let (mut plan, mut mistakes) = match self.config.as_deref().map(file::read) {
            None => (Plan::default(), Vec::new()),
            Some(Ok(plan)) => (plan, Vec::new()),
            Some(Err(mistakes)) => (Plan::default(), mistakes),
        };
        let flag = |name: &str| Place::Flag(format!("--{name}"));
        let values = [
            ("listen", "listen", &self.listen),
            ("socket-mode", "socket_mode", &self.socket_mode),
            ("socket-owner", "socket_owner", &self.socket_owner),
            ("status", "status", &self.status),
            ("log-format", "format", &self.log_format),
            ("log", "level", &self.log),
        ];
        for (name, key, value) in values {
            let done = value.as_deref().map_or(Ok(()), |value| plan.set(key, value, &here));
            mistakes.extend(done.err().map(|problem| Mistake { place: flag(name), problem }));
        }
        for (name, key, value) in self.pool.values() {
            let done = set_pool(&mut plan.pool, key, value, &here);
            mistakes.extend(done.err().map(|problem| Mistake { place: flag(name), problem }));
        }
        if !self.command.is_empty() {
            plan.command.clone_from(&self.command);
        }
        if mistakes.is_empty() {
            mistakes = plan.mistakes();
        }
        if mistakes.is_empty() { Ok(plan) } else { Err(mistakes) }
    }
}

/// Looks for mistakes in a file, if it is one of `gateway workers`: it says what is started. Answers what it means.
pub(super) fn check(path: &Path) -> Option<Result<String, Vec<Mistake>>> {
    let is_ours = file::is_about_workers(path);
    is_ours.then(|| {
        let plan = file::read(path)?;
        let mistakes = plan.misfits(Place::File { path: path.to_owned(), line: 1, column: 1, field: String::new() });
        let mode = plan.pool.mode();
        let command = if plan.command.is_empty() { "the command behind --".to_owned() } else { plan.command.join(" ") };
        let meaning = format!("OK\nworkers {} {} = {command}\n", mode.name(), mode.max_children());
        if mistakes.is_empty() { Ok(meaning) } else { Err(mistakes) }
    })
}

/// Sets an option of workers. Relative paths start from `base`.
fn set_pool(pool: &mut PoolOptions, key: &str, value: &str, base: &Path) -> Result<(), Problem> {
    apply(super::keys::POOL, pool, key, value)?;
    pool.directory = pool.directory.take().map(|path| base.join(path));
    Ok(())
}

impl Plan {
    /// What only shows when everything is known: looked for as for a mount of such workers.
    fn mistakes(&self) -> Vec<Mistake> {
        let place = Place::Flag("gateway workers".to_owned());
        if self.command.is_empty() {
            let problem = Problem::Missing { allowed: "a command behind --, or command in the file" };
            return vec![Mistake { place, problem }];
        }
        self.misfits(place)
    }

    /// [`Plan::mistakes`] of all but the command, which may yet come.
    fn misfits(&self, place: Place) -> Vec<Mistake> {
        let options = SpawnOptions { pool: Box::new(self.pool.clone()), ..SpawnOptions::default() };
        let target = Target::Spawn(self.command.clone(), options);
        check::target(&Mount { prefix: Prefix::root(), prefix_place: place.clone(), target, target_place: place })
    }
}
