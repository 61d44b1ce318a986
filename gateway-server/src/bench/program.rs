//! The program that is measured: found, and made ready to be started on each gateway.
//!
//! Holds where its executable is and what its environment must hold. Does not hold how it is started (`fleet`).

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::app;
use super::fleet::Program;
use crate::cli::split_words;

/// Which application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum App {
    /// The one inside this command.
    Hello,
    /// The example, beside this command.
    Guestbook,
    /// A program and its arguments.
    Command(Vec<String>),
}

/// Why there is nothing to measure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ProgramError {
    /// The example was not built.
    #[error(
        "{}: there is no guestbook; build it with `cargo build --release -p gateway-examples`, \
         or name a program: --app './guestbook'", .0.display()
    )]
    NoGuestbook(PathBuf),
    /// The command's first word is no program.
    #[error("--app {0}: no such program{in_path}", in_path = if .0.contains('/') { "" } else { " in any folder of PATH" })]
    NotFound(String),
    /// It is there, but cannot be started.
    #[error("--app {}: not an executable file", .0.display())]
    NotExecutable(PathBuf),
    /// The application inside this command could not be made ready.
    #[error("cannot make {what} ready: {source}")]
    Prepare {
        /// What.
        what: &'static str,
        /// What the system or the database says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl App {
    /// One of the two names, or a command line.
    pub(super) fn parse(text: &str) -> Result<App, String> {
        match text {
            "hello" => return Ok(App::Hello),
            "guestbook" => return Ok(App::Guestbook),
            _ => {}
        }
        let words = split_words(text).ok_or("a quotation mark is not closed")?;
        if words.first().is_none_or(String::is_empty) {
            return Err("hello, guestbook, or a program and its arguments".to_owned());
        }
        Ok(App::Command(words))
    }

    /// The name in the report.
    pub(crate) fn name(&self) -> String {
        match self {
            App::Hello => "hello".to_owned(),
            App::Guestbook => "guestbook".to_owned(),
            App::Command(words) => words.join(" "),
        }
    }

    /// The program, with what it needs in `scratch`.
    ///
    /// # Errors
    /// [`ProgramError`] says what is missing, and where it was looked for.
    pub(super) fn program(&self, this: &Path, scratch: &Path) -> Result<Program, ProgramError> {
        match self {
            App::Hello => hello(this, scratch),
            App::Guestbook => guestbook(this, scratch),
            App::Command(words) => command(words),
        }
    }
}

/// A copy, so that memory is not counted as shared between the application and the gateway in front of it: in use they
/// are two programs.
fn hello(this: &Path, scratch: &Path) -> Result<Program, ProgramError> {
    let copy = scratch.join("hello");
    fs::copy(this, &copy).map_err(|error| prepare("a copy of this program", error))?;
    let database = scratch.join("hello.sqlite3");
    app::make_database(&database).map_err(|error| prepare("the database", error))?;
    let env = vec![(app::ROLE.to_owned(), "app".to_owned()), (app::DATABASE.to_owned(), text(&database)?)];
    Ok(Program { path: copy, arguments: Vec::new(), env })
}

fn guestbook(this: &Path, scratch: &Path) -> Result<Program, ProgramError> {
    let path = this.with_file_name("guestbook");
    if !is_executable(&path) {
        return Err(ProgramError::NoGuestbook(path));
    }
    let env = vec![("GUESTBOOK_DB".to_owned(), text(&scratch.join("guestbook.sqlite3"))?)];
    Ok(Program { path, arguments: Vec::new(), env })
}

fn command(words: &[String]) -> Result<Program, ProgramError> {
    let (name, arguments) = words.split_first().ok_or_else(|| ProgramError::NotFound(String::new()))?;
    let path = find(name).ok_or_else(|| ProgramError::NotFound(name.clone()))?;
    if !is_executable(&path) {
        return Err(ProgramError::NotExecutable(path));
    }
    Ok(Program { path, arguments: arguments.to_vec(), env: Vec::new() })
}

/// As a shell finds it: a name without a slash is looked for in PATH.
fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return fs::canonicalize(name).ok();
    }
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn text(path: &Path) -> Result<String, ProgramError> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| prepare("the database", io::Error::other(format!("{} is not UTF-8", path.display()))))
}

fn prepare(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ProgramError {
    ProgramError::Prepare { what, source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_a_name_or_a_command_line() {
        assert_eq!(App::parse("hello"), Ok(App::Hello));
        assert_eq!(App::parse("./shop --quiet 'a b'").unwrap().name(), "./shop --quiet a b");
        for bad in ["", "  ", "'open"] {
            assert!(App::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_told_with_where_it_was_looked_for() {
        let error = |text: &str| App::parse(text).unwrap().program(Path::new("/none"), Path::new("/none")).unwrap_err();
        assert_eq!(
            error("no-such-program-anywhere -x").to_string(),
            "--app no-such-program-anywhere: no such program in any folder of PATH"
        );
        assert_eq!(error("./no/such").to_string(), "--app ./no/such: no such program");
        assert_eq!(error("/etc/passwd").to_string(), "--app /etc/passwd: not an executable file");
        assert!(error("guestbook").to_string().starts_with("/guestbook: there is no guestbook; build it"));
    }
}
