//! What a host takes for a program: the operator's choices for the walk in `script`.
//!
//! Holds the choices and their setters in [`Config`]. Does not hold the walk.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Config;
use super::interpreters::{Interpreter, Interpreters};
use crate::head::Form;

/// Where symbolic links in a directory of programs may lead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Links {
    /// Only to somewhere below the directory. This guards against forgotten links: whoever may write to the directory may
    /// run programs anyway.
    #[default]
    Inside,
    /// To anywhere, for directories that are made of links to installed programs.
    Anywhere,
}

/// Which programs write a complete HTTP response: non-parsed header programs (RFC 3875 §5).
///
/// RFC 3875 §5.2 wants their output passed on as it is (CGI-93). That is not done here, for two reasons: an application
/// of [`gateway_spec`] answers with a status, fields and a body, and the framing belongs to whoever serves the connection;
/// and unchecked output is a way around every check of an answer (CGI-186). So the response is read, held to the same
/// rules as every other, and sent on in the server's own framing; the connection stays in order and may be used again
/// (CGI-94). What the client sees differs in the fields about the connection, and in `Status:` and `X-CGI-` fields, which
/// are left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Nph {
    /// None: output that starts with a status line is a 502 (CGI-95).
    #[default]
    Never,
    /// Those whose file name starts with `nph-`, the convention of RFC 3875 §5.1.
    Named,
    /// All of them.
    Always,
}

/// The choices.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) index_names: Vec<OsString>,
    pub(super) interpreters: Interpreters,
    pub(super) links: Links,
    nph: Nph,
}

impl Default for Finding {
    fn default() -> Self {
        Finding {
            index_names: vec!["index.cgi".into()],
            interpreters: Interpreters::default(),
            links: Links::default(),
            nph: Nph::default(),
        }
    }
}

impl Finding {
    /// In which form a program answers (CGI-90).
    pub(super) fn form(&self, program: &Path) -> Form {
        let name = program.file_name().map(OsStr::as_bytes).unwrap_or_default();
        match self.nph {
            Nph::Always => Form::NonParsed,
            Nph::Named if name.starts_with(b"nph-") => Form::NonParsed,
            Nph::Named | Nph::Never => Form::Parsed,
        }
    }
}

impl Config {
    /// The names of the program that answers for its directory, the first that is there; each is one segment. Default
    /// `index.cgi`: it could be asked for by its name anyway. A path without the closing slash is redirected to the same
    /// with it, so that relative links are right. No names: directories are 404.
    #[must_use]
    pub fn index_names(mut self, names: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.finding.index_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Runs files with this extension (what follows the last dot) with an interpreter; they need not be executable then.
    /// Default none: a file is run as the system runs it, by its first line (`#!`).
    #[must_use]
    pub fn interpreter(mut self, extension: impl Into<OsString>, interpreter: Interpreter) -> Self {
        self.finding.interpreters.set(extension.into(), interpreter);
        self
    }

    /// Where symbolic links in a directory of programs may lead. Default [`Links::Inside`].
    #[must_use]
    pub fn links(mut self, links: Links) -> Self {
        self.finding.links = links;
        self
    }

    /// Which programs write a complete HTTP response. Default [`Nph::Never`].
    #[must_use]
    pub fn nph(mut self, nph: Nph) -> Self {
        self.finding.nph = nph;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgi_90_nph_is_marked_by_the_operator_and_by_the_name_if_the_operator_says_so() {
        let form = |nph, path: &str| Config::new().nph(nph).finding.form(Path::new(path));
        for (nph, named, other) in [
            (Nph::Never, Form::Parsed, Form::Parsed),
            (Nph::Named, Form::NonParsed, Form::Parsed),
            (Nph::Always, Form::NonParsed, Form::NonParsed),
        ] {
            assert_eq!((form(nph, "/x/nph-y"), form(nph, "/nph-x/y")), (named, other), "{nph:?}");
        }
    }
}
