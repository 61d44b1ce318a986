//! Which program runs a file that is not run by itself: extensions and their interpreters.
//!
//! Holds the list and the look-up. It is asked about files that were found, never about the text of a path (CGI-184):
//! the walk in `script` comes first.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A program that is given a script's path as an argument, such as `/usr/bin/python3`.
///
/// The path is all that it is given beside its own arguments. It is absolute, so it cannot be taken for an option, and
/// nothing else of a request reaches a command line (CGI-84, CGI-173).
///
/// # Examples
/// ```
/// use gateway_cgi::host::{Config, Interpreter};
///
/// let python = Interpreter::new("/usr/bin/python3").argument("-I");
/// let config = Config::new().interpreter("py", python).interpreter("pl", Interpreter::new("/usr/bin/perl"));
/// # assert!(format!("{config:?}").contains("python3"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
}

impl Interpreter {
    /// An interpreter by its path; a relative one starts from the gateway's own working directory.
    #[must_use]
    pub fn new(program: impl AsRef<Path>) -> Self {
        let program = program.as_ref();
        // Only an empty path, or a working directory that is gone, has no absolute form; then the start fails.
        let program = std::path::absolute(program).unwrap_or_else(|_| program.to_owned());
        Interpreter { program, arguments: Vec::new() }
    }

    /// Adds an argument before the script's path. Default none.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }
}

/// The interpreters of a mount.
#[derive(Debug, Clone, Default)]
pub(super) struct Interpreters(Vec<(OsString, Interpreter)>);

impl Interpreters {
    /// Sets the interpreter of an extension; the last one counts.
    pub(super) fn set(&mut self, extension: OsString, interpreter: Interpreter) {
        self.0.retain(|(known, _)| *known != extension);
        self.0.push((extension, interpreter));
    }

    /// The interpreter of a file. Extensions are compared as bytes: changing the case of text that is not ASCII has moved
    /// the place of the dot before (CGI-184).
    pub(super) fn of(&self, file: &Path) -> Option<&Interpreter> {
        let name = file.file_name()?.as_bytes();
        let dot = name.iter().rposition(|byte| *byte == b'.')?;
        let extension = OsStr::from_bytes(name.get(dot + 1..)?);
        self.0.iter().find(|(known, _)| known == extension).map(|(_, interpreter)| interpreter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgi_184_only_the_last_extension_counts_and_its_case() {
        let mut interpreters = Interpreters::default();
        interpreters.set("py".into(), Interpreter::new("/old"));
        interpreters.set("py".into(), Interpreter::new("/new"));
        let program = |name: &str| interpreters.of(Path::new(name)).map(|found| found.program.clone());
        assert_eq!(program("/x/a.py"), Some("/new".into()));
        assert_eq!(program("/x/a.b.py"), Some("/new".into()));
        assert_eq!(program("/x/\u{23a}\u{23a}\u{23a}.py"), Some("/new".into()));
        for name in ["/x/a.PY", "/x/a.py.txt", "/x/py", "/x/a.py~", "/x/a.", "/x.py/a", "/x/a.\u{23a}py", "/"] {
            assert_eq!(program(name), None, "{name}");
        }
    }

    #[test]
    fn an_interpreter_is_never_looked_for_in_the_scripts_directory() {
        assert!(Interpreter::new("bin/run").program.is_absolute());
    }
}
