//! The environ: what an application is told about its request (PEP 3333 "environ Variables").
//!
//! Holds the type and its typed accessors. Does not hold how it is built ([`builder`](EnvironBuilder)), how the
//! variables are stored (`arena`), or what an input stream is.

mod arena;
mod builder;
mod everyday;
mod field;
mod name;
mod scheme;
mod template;
mod url;
mod value;

use std::fmt;

use http::Extensions;

use crate::{ErrorStream, FileWrapper, Input};
use arena::{Arena, Key};
use field::{Mapping, mapping, with_variable_name};

pub use builder::{EnvironBuilder, EnvironError};
pub use field::is_mappable;
pub use name::{VariableName, VariableSet};
pub use scheme::Scheme;
pub use template::EnvironTemplate;
pub use value::Value;

/// One request as its application sees it: CGI variables, streams, facts about the gateway, and extensions.
///
/// It is one concrete type (PEP-10), owned by the application, which may change it at will (PEP-11). Values are bytes;
/// reading them as text is checked, so nothing is lost and nothing panics.
///
/// # Examples
/// ```
/// use gateway_spec::Environ;
/// let environ = Environ::builder()
///     .variable("REQUEST_METHOD", "GET")
///     .variable("SERVER_NAME", "example.org")
///     .variable("SERVER_PORT", "80")
///     .variable("SERVER_PROTOCOL", "HTTP/1.1")
///     .variable("PATH_INFO", "/caf\u{e9}")
///     .header(b"User-Agent", b"curl")
///     .build()?;
/// assert_eq!(environ.path_info().to_str()?, "/café");
/// assert_eq!(environ.header("user-agent").unwrap_or_default(), "curl");
/// assert!(environ.get("REMOTE_USER").is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: PEP 3333 "environ Variables"; RFC 3875 §4.1.
#[non_exhaustive]
pub struct Environ {
    variables: Arena,
    /// The request body, `wsgi.input` (PEP-30).
    pub input: Input,
    /// Where diagnostics go, `wsgi.errors` (PEP-31).
    pub errors: ErrorStream,
    /// The scheme of the URL the client used, `wsgi.url_scheme` (PEP-29).
    pub url_scheme: Scheme,
    /// Whether the application may run in another thread of this process at the same time, `wsgi.multithread` (PEP-33).
    pub multithread: bool,
    /// Whether an equivalent application may run in another process at the same time, `wsgi.multiprocess` (PEP-34).
    pub multiprocess: bool,
    /// Whether the gateway expects this to be the only call in the life of the process, `wsgi.run_once` (PEP-35).
    pub run_once: bool,
    /// Makes a body out of an open file, `wsgi.file_wrapper`; `None` where the gateway has none (PEP-190).
    pub file_wrapper: Option<FileWrapper>,
    /// Values that middleware and gateways add, keyed by their type, so that names cannot clash (PEP-37).
    pub extensions: Extensions,
}

impl Environ {
    /// Starts an environ; only a finished builder gives one out, so the required variables are always there.
    pub fn builder() -> EnvironBuilder {
        EnvironBuilder::new()
    }

    /// A small valid environ for examples and tests: `method` and `path` at `http://localhost/`, without a body.
    pub fn example(method: &str, path: &str) -> Environ {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut environ = Environ::empty();
        for (name, value) in [
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("REQUEST_METHOD", method),
            ("SCRIPT_NAME", ""),
            ("PATH_INFO", path),
            ("QUERY_STRING", query),
            ("SERVER_NAME", "localhost"),
            ("SERVER_PORT", "80"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SERVER_SOFTWARE", concat!("gateway-spec/", env!("CARGO_PKG_VERSION"))),
        ] {
            environ.variables.set(Key::of(name.as_bytes()), value.as_bytes());
        }
        environ
    }

    fn empty() -> Environ {
        Environ {
            variables: Arena::default(),
            input: Input::empty(),
            errors: ErrorStream::stderr(),
            url_scheme: Scheme::Http,
            multithread: false,
            multiprocess: false,
            run_once: false,
            file_wrapper: Some(FileWrapper),
            extensions: Extensions::new(),
        }
    }

    /// The value of a variable, `None` if it is not set. An empty value is set.
    pub fn get(&self, name: &str) -> Option<Value<'_>> {
        self.variables.get(Key::of(name.as_bytes())).map(Value::new)
    }

    /// Sets a variable, replacing any value it had.
    ///
    /// # Errors
    /// [`EnvironError`] if the name is empty or holds `=`, or either holds NUL: such a variable could not be handed on.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), EnvironError> {
        let value = value.as_ref();
        EnvironError::check(name.as_bytes(), value)?;
        self.variables.set(Key::of(name.as_bytes()), value);
        Ok(())
    }

    /// [`Environ::set`] for a name that was checked.
    ///
    /// # Errors
    /// [`EnvironError::Nul`] if the value holds a NUL byte.
    ///
    /// # Examples
    /// ```
    /// use gateway_spec::{Environ, VariableName};
    /// const UNIQUE_ID: VariableName = VariableName::new("UNIQUE_ID");
    /// let mut environ = Environ::example("GET", "/");
    /// environ.set_known(UNIQUE_ID, "7b6f")?;
    /// assert_eq!(environ.get("UNIQUE_ID").ok_or("not set")?, "7b6f");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_known(&mut self, name: VariableName, value: impl AsRef<[u8]>) -> Result<(), EnvironError> {
        let value = value.as_ref();
        EnvironError::check_value(name.as_bytes(), value)?;
        self.variables.set(name, value);
        Ok(())
    }

    /// Removes a variable and says whether it was set.
    pub fn remove(&mut self, name: &str) -> bool {
        self.variables.remove(Key::of(name.as_bytes()))
    }

    /// All variables in the order they were set.
    pub fn iter(&self) -> impl Iterator<Item = (Value<'_>, Value<'_>)> {
        self.variables.iter().map(|(name, value)| (Value::new(name), Value::new(value)))
    }

    /// [`Environ::iter`], each with the place of its name among those that requests bring every day: for a table of what is to be done
    /// with each of them.
    ///
    /// # Examples
    /// ```
    /// use gateway_spec::{Environ, VariableName};
    ///
    /// let mut is_about_the_server = [false; VariableName::EVERYDAY_PLACES];
    /// for (place, name) in VariableName::all_everyday() {
    ///     is_about_the_server[place] = name.as_str().starts_with("SERVER_");
    /// }
    /// let environ = Environ::example("GET", "/");
    /// let about = environ.iter_placed().filter(|(place, ..)| place.is_some_and(|place| is_about_the_server[place]));
    /// assert_eq!(about.count(), 4);
    /// ```
    pub fn iter_placed(&self) -> impl Iterator<Item = (Option<usize>, Value<'_>, Value<'_>)> {
        let variables = self.variables.iter_numbered();
        variables.map(|(number, name, value)| (number.map(usize::from), Value::new(name), Value::new(value)))
    }

    /// All variables as `NAME=value` entries with a closing NUL each: what `exec` takes, byte for byte.
    pub fn entries(&self) -> impl Iterator<Item = Vec<u8>> {
        self.variables.iter().map(|(name, value)| [name, b"=", value, b"\0"].concat())
    }

    /// How many variables are set.
    pub fn len(&self) -> usize {
        self.variables.len()
    }

    /// Whether no variable is set.
    pub fn is_empty(&self) -> bool {
        self.variables.len() == 0
    }

    /// REQUEST_METHOD, case kept (CGI-36).
    pub fn request_method(&self) -> Value<'_> {
        self.text(name::REQUEST_METHOD)
    }

    /// SCRIPT_NAME: the leading part of the path, which selected this application; maybe empty, never `/` (PEP-13).
    pub fn script_name(&self) -> Value<'_> {
        self.text(name::SCRIPT_NAME)
    }

    /// PATH_INFO: the rest of the path, percent-decoded once; empty or from `/` on (PEP-14).
    pub fn path_info(&self) -> Value<'_> {
        self.text(name::PATH_INFO)
    }

    /// QUERY_STRING: what follows `?`, not decoded; empty if nothing does (PEP-15).
    pub fn query_string(&self) -> Value<'_> {
        self.text(name::QUERY_STRING)
    }

    /// CONTENT_TYPE, `None` if absent or empty (PEP-16).
    pub fn content_type(&self) -> Option<Value<'_>> {
        self.known(name::CONTENT_TYPE).filter(|value| !value.is_empty())
    }

    /// CONTENT_LENGTH in bytes, `None` if absent, empty or not a number (PEP-17).
    pub fn content_length(&self) -> Option<u64> {
        self.known(name::CONTENT_LENGTH)?.parse_number()
    }

    /// SERVER_NAME: the host the request was directed to (CGI-38).
    pub fn server_name(&self) -> Value<'_> {
        self.text(name::SERVER_NAME)
    }

    /// SERVER_PORT, `None` where the listener has no port number (a unix socket).
    pub fn server_port(&self) -> Option<u16> {
        self.known(name::SERVER_PORT)?.parse_number()?.try_into().ok()
    }

    /// SERVER_PROTOCOL: the version the client spoke, such as `HTTP/1.1` (PEP-19).
    pub fn server_protocol(&self) -> Value<'_> {
        self.text(name::SERVER_PROTOCOL)
    }

    /// REMOTE_ADDR: the client's network address, `None` where there is none (a unix socket).
    pub fn remote_addr(&self) -> Option<Value<'_>> {
        self.known(name::REMOTE_ADDR).filter(|value| !value.is_empty())
    }

    /// The value of a request header field; repeats are joined as RFC 9110 §5.3 says (CGI-59).
    ///
    /// Two fields whose names differ only in `-` and `_` would be one variable; a gateway never lets that happen
    /// (CGI-172), so the name may be written either way.
    pub fn header(&self, name: &str) -> Option<Value<'_>> {
        match mapping(name.as_bytes()) {
            Mapping::Own(variable) | Mapping::Everyday(variable, _) => self.known(variable),
            _ => with_variable_name(name.as_bytes(), |variable| self.variables.get(Key::of(variable)).map(Value::new)),
        }
    }

    /// All request header fields as `(field-name, value)`, names in lower case with `-`.
    pub fn request_headers(&self) -> impl Iterator<Item = (String, Value<'_>)> {
        self.variables.iter().filter_map(|(name, value)| Some((field::field_name(name)?, Value::new(value))))
    }

    fn known(&self, name: VariableName) -> Option<Value<'_>> {
        self.variables.get(name).map(Value::new)
    }

    fn text(&self, name: VariableName) -> Value<'_> {
        self.known(name).unwrap_or_default()
    }
}

impl fmt::Debug for Environ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;
