//! The `gateway` command.
//!
//! Holds what happens between the command line and a running listener. Does not hold the listener ([`crate::serve`]), the
//! table of mounts ([`crate::mount`]) or the demonstration ([`crate::demo`]).
//!
//! | file | holds |
//! | --- | --- |
//! | `args` | the command line |
//! | `listen` | where to listen, and how |
//! | `config`, `document` | the configuration file, and TOML in general |
//! | `settings` | all that can be set |
//! | `target`, `options`, `keys`, `words` | what can be mounted |
//! | `rules`, `value`, `mistake` | tables of keys, single values, and what is wrong with them |
//! | `reference` | every key, for people |
//! | `check` | mistakes that only show when everything is known |
//! | `tour` | what is served when nothing is said |
//! | `wrap` | `gateway cgi-wrap` |
//! | `workers` | `gateway workers` |
//! | `fcgi` | `gateway fcgi` |
//! | `build`, `configs` | from settings to answers |
//! | `run`, `sockets` | the life of the process |
//! | `access` | the access log and request ids |
//! | `admin` | health and metrics |
//! | `privileges` | becoming another user |
//! | `reload`, `restart` | what SIGHUP and SIGUSR2 do |
//! | `logging` | what is written to standard error |
//!
//! Exit codes: 0 after a graceful stop or an OK, 1 after a failure, 2 for mistakes in flags or in the file, which are found before anything
//! starts; `gateway fcgi` has more.

mod access;
mod admin;
mod args;
mod build;
mod check;
mod config;
mod configs;
mod document;
mod fcgi;
mod keys;
mod listen;
mod logging;
mod mistake;
mod options;
mod privileges;
mod reference;
mod reload;
mod restart;
mod rules;
mod run;
mod settings;
mod sockets;
mod target;
mod tour;
mod value;
mod words;
mod workers;
mod wrap;

use std::fmt::Display;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command, Serve};
use settings::{Format, Settings};

pub use mistake::{Mistake, Place};
pub use rules::Problem;
#[cfg(feature = "bench")]
pub(crate) use words::split as split_words;

/// Is the `gateway` command, with the process's own arguments.
pub fn main() -> ExitCode {
    if let Some(code) = tour::run_role() {
        return code;
    }
    #[cfg(feature = "bench")]
    if let Some(code) = crate::bench::run_role() {
        return code;
    }
    match Args::parse().command {
        Command::Serve(flags) => serve(&flags),
        Command::CgiWrap(flags) => cgi_wrap(&flags),
        Command::Workers(flags) => manage(&flags),
        Command::Fcgi { ask } => fcgi::run(&ask),
        Command::CheckConfig { file } => check_config(&file),
        Command::Keys => say(&reference::text()),
        #[cfg(feature = "bench")]
        Command::Bench(flags) => match crate::bench::run(&flags) {
            Ok(report) => say(&report),
            Err(error) => tell(&[error]),
        },
    }
}

fn serve(flags: &Serve) -> ExitCode {
    let mut settings = match flags.settings() {
        Ok(settings) => settings,
        Err(mistakes) => return mistaken(&mistakes),
    };
    if flags.is_tour() {
        match tour::mounts() {
            Ok(mounts) => settings.mounts = mounts,
            Err(error) => return tell(&[format!("this program cannot be started again: {error}")]),
        }
    }
    let mistakes = check::look(&settings);
    if !mistakes.is_empty() {
        return mistaken(&mistakes);
    }
    settings.server = std::mem::take(&mut settings.server).errors(logging::error_stream());
    let format = settings.log.format;
    ended(run::run(settings), format)
}

fn cgi_wrap(flags: &wrap::Flags) -> ExitCode {
    let wrap = match flags.read() {
        Ok(wrap) => wrap,
        Err(mistakes) => return mistaken(&mistakes),
    };
    let format = wrap.log.format;
    ended(wrap::run(wrap), format)
}

fn manage(flags: &workers::Flags) -> ExitCode {
    let plan = match flags.read() {
        Ok(plan) => plan,
        Err(mistakes) => return mistaken(&mistakes),
    };
    ended(workers::run(&plan, flags), plan.log.format)
}

/// The exit code, and why it is not 0: in the log if that is for machines.
fn ended(result: Result<(), impl Display>, format: Format) -> ExitCode {
    match (result, format) {
        (Ok(()), _) => ExitCode::SUCCESS,
        (Err(error), Format::Human) => tell(&[error]),
        (Err(error), Format::Json) => {
            tracing::error!(%error, "not serving");
            ExitCode::FAILURE
        }
    }
}

fn check_config(file: &Path) -> ExitCode {
    match workers::check(file) {
        Some(Ok(meaning)) => return say(&meaning),
        Some(Err(mistakes)) => return mistaken(&mistakes),
        None => {}
    }
    let checked = args::read(file).and_then(|settings| {
        let mistakes = check::look(&settings);
        if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
    });
    match checked {
        Ok(settings) => say(&summary(&settings)),
        Err(mistakes) => mistaken(&mistakes),
    }
}

/// What a file means, in the words it could have been written in.
fn summary(settings: &Settings) -> String {
    let mut lines = vec!["OK".to_owned()];
    lines.extend(settings.listen.iter().map(|listen| {
        let how = if listen.tls { " with TLS" } else { "" };
        format!("listen {}{how}", listen.socket)
    }));
    lines.extend(settings.mounts.iter().map(|mount| format!("mount {} = {}", mount.prefix, mount.target)));
    lines.join("\n") + "\n"
}

/// What an operator has to change before anything can start: as a command line that clap refuses.
fn mistaken(mistakes: &[Mistake]) -> ExitCode {
    tell(mistakes);
    ExitCode::from(2)
}

/// Each on a line of its own, on standard error.
fn tell(what: &[impl Display]) -> ExitCode {
    for line in what {
        let _ = writeln!(std::io::stderr(), "gateway: {line}");
    }
    ExitCode::FAILURE
}

fn say(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
