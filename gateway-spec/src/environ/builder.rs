//! Building an environ: the one place where a variable's name and value are checked.
//!
//! Holds the builder and its error. Does not hold where the values come from: that is the gateway's.

use super::arena::{Arena, Key};
use super::field::{Mapping, mapping, with_variable_name};
use super::name::{HTTPS, REQUEST_METHOD, REQUEST_SCHEME, SERVER_NAME, SERVER_PORT, SERVER_PROTOCOL, VariableName};
use super::{Environ, Scheme};
use crate::{ErrorStream, FileWrapper, Input};

/// Builds an [`Environ`]; what is wrong is remembered and said once, by [`build`](EnvironBuilder::build).
///
/// # Examples
/// ```
/// use gateway_spec::{Environ, EnvironError};
/// let error = Environ::builder().variable("REQUEST_METHOD", "GET").build().map(drop);
/// assert_eq!(error, Err(EnvironError::Missing { name: "SERVER_NAME" }));
/// ```
pub struct EnvironBuilder {
    pub(super) environ: Environ,
    pub(super) error: Option<Box<EnvironError>>,
}

/// Why a set of variables is no environ.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironError {
    /// A variable that must be there, and not empty, is not (PEP-12, PEP-18).
    #[error("variable {name} is missing or empty")]
    Missing {
        /// The variable.
        name: &'static str,
    },
    /// A name is empty or holds `=` or NUL: it could not be an environment variable (CGI-180).
    #[error("\"{}\" cannot name a variable", .name.escape_debug())]
    Name {
        /// The name, bytes that are not UTF-8 replaced.
        name: String,
    },
    /// A value holds NUL: handing it on would cut it (CGI-180).
    #[error("the value of variable {name} holds a NUL byte")]
    Nul {
        /// The variable.
        name: String,
    },
}

impl EnvironError {
    pub(super) fn check(name: &[u8], value: &[u8]) -> Result<(), EnvironError> {
        EnvironError::check_name(name)?;
        EnvironError::check_value(name, value)
    }

    pub(super) fn check_value(name: &[u8], value: &[u8]) -> Result<(), EnvironError> {
        if value.contains(&0) { Err(EnvironError::Nul { name: lossy(name) }) } else { Ok(()) }
    }

    fn check_name(name: &[u8]) -> Result<(), EnvironError> {
        if name.is_empty() || name.len() > Arena::MAX_NAME || memchr::memchr2(b'=', 0, name).is_some() {
            Err(EnvironError::Name { name: lossy(name) })
        } else {
            Ok(())
        }
    }
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

impl EnvironBuilder {
    /// Enough for the variables of an ordinary request, so that building one allocates twice.
    const BYTES: usize = 1024;
    const ENTRIES: usize = 40;

    pub(super) fn new() -> Self {
        EnvironBuilder::with_capacity(Self::BYTES, Self::ENTRIES)
    }

    /// A builder with room for that many bytes of names and values, and that many variables.
    pub fn with_capacity(bytes: usize, entries: usize) -> Self {
        let mut environ = Environ::empty();
        environ.variables = Arena::with_capacity(bytes, entries);
        EnvironBuilder { environ, error: None }
    }

    /// Sets a variable; a later value of the same name replaces an earlier one.
    #[must_use]
    pub fn variable(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.set(name, value);
        self
    }

    /// [`variable`](Self::variable) for a builder that is filled in a loop.
    pub fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut Self {
        let key = Key::of(name.as_ref());
        let checked = match key {
            Key::Everyday(_) => Ok(()),
            Key::Text(name) => EnvironError::check_name(name),
        };
        match checked {
            Ok(()) => self.environ.variables.set(key, value.as_ref()),
            Err(error) => self.note(error),
        }
        self
    }

    /// [`set`](Self::set) for a name that was checked before: the quick way.
    #[inline]
    pub fn set_known(&mut self, name: VariableName, value: impl AsRef<[u8]>) -> &mut Self {
        self.environ.variables.set(name, value.as_ref());
        self
    }

    /// Is this variable set, and not to an empty value?
    pub fn says(&self, name: VariableName) -> bool {
        self.environ.variables.get(name).is_some_and(|value| !value.is_empty())
    }

    /// Adds a request header field as RFC 3875 §4.1.18 says: `HTTP_` and the name, or CONTENT_TYPE, CONTENT_LENGTH.
    ///
    /// Repeats are joined with `, `, cookies with `; `. Fields about the connection, `Proxy`, and fields whose name
    /// has no variable of its own ([`is_mappable`](super::is_mappable)) are left out.
    #[must_use]
    pub fn header(mut self, name: &[u8], value: &[u8]) -> Self {
        self.add_header(name, value);
        self
    }

    /// [`header`](Self::header) for a builder that is filled in a loop.
    pub fn add_header(&mut self, name: &[u8], value: &[u8]) -> &mut Self {
        let variables = &mut self.environ.variables;
        match mapping(name) {
            Mapping::Own(variable) => variables.set(variable, value),
            Mapping::Everyday(variable, separator) => variables.join(variable.into(), value, separator),
            Mapping::Prefixed => with_variable_name(name, |variable| variables.join(Key::of(variable), value, b", ")),
            Mapping::Dropped => {}
        }
        self
    }

    /// The request body; an empty one by default.
    #[must_use]
    pub fn input(mut self, input: Input) -> Self {
        self.environ.input = input;
        self
    }

    /// Where diagnostics go; standard error by default.
    #[must_use]
    pub fn errors(mut self, errors: ErrorStream) -> Self {
        self.environ.errors = errors;
        self
    }

    /// The scheme of the URL; by default `https` if the variable HTTPS says so, else `http` (CGI-7, CGI-51).
    #[must_use]
    pub fn url_scheme(mut self, scheme: Scheme) -> Self {
        self.environ.url_scheme = scheme;
        self
    }

    /// Takes the scheme from HTTPS or REQUEST_SCHEME, as a program behind another gateway must (CGI-7, CGI-42).
    #[must_use]
    #[inline]
    pub fn url_scheme_from_variables(mut self) -> Self {
        let https = self.environ.known(HTTPS).is_some_and(|value| {
            value.eq_ignore_ascii_case(b"on") || value == "1" || value.eq_ignore_ascii_case(b"yes")
        });
        let named = self.environ.known(REQUEST_SCHEME).is_some_and(|value| value.eq_ignore_ascii_case(b"https"));
        self.environ.url_scheme = if https || named { Scheme::Https } else { Scheme::Http };
        self
    }

    /// Whether the application may run in another thread at the same time; false by default.
    #[must_use]
    pub fn multithread(mut self, yes: bool) -> Self {
        self.environ.multithread = yes;
        self
    }

    /// Whether an equivalent application may run in another process at the same time; false by default.
    #[must_use]
    pub fn multiprocess(mut self, yes: bool) -> Self {
        self.environ.multiprocess = yes;
        self
    }

    /// Whether this is expected to be the process's only call; false by default.
    #[must_use]
    pub fn run_once(mut self, yes: bool) -> Self {
        self.environ.run_once = yes;
        self
    }

    /// The gateway's file wrapper, or `None` to offer none; the portable one by default.
    #[must_use]
    pub fn file_wrapper(mut self, wrapper: Option<FileWrapper>) -> Self {
        self.environ.file_wrapper = wrapper;
        self
    }

    /// Adds a value that is looked up by its type.
    #[must_use]
    pub fn extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.environ.extensions.insert(value);
        self
    }

    /// The finished environ.
    ///
    /// # Errors
    /// The first [`EnvironError`] met, or the first required variable that is missing or empty.
    #[inline]
    pub fn build(self) -> Result<Environ, EnvironError> {
        if let Some(error) = self.error {
            return Err(*error);
        }
        let variables = &self.environ.variables;
        // CGI-180: looked for here, once, and not in each value as it comes.
        if variables.holds_nul() {
            let mut all = variables.iter();
            let found = all.find_map(|(name, value)| EnvironError::check(name, value).err());
            return Err(found.unwrap_or(EnvironError::Nul { name: "of a field that was replaced".to_owned() }));
        }
        match variables.lacks(&[REQUEST_METHOD, SERVER_NAME, SERVER_PORT, SERVER_PROTOCOL]) {
            Some(name) => Err(EnvironError::Missing { name: name.as_str() }),
            None => Ok(self.environ),
        }
    }

    fn note(&mut self, error: EnvironError) {
        self.error.get_or_insert_with(|| Box::new(error));
    }
}
