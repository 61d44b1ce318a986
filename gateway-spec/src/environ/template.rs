//! What the environs of many requests have in common.
//!
//! Holds the variables and facts that are set once. Does not hold what a request brings ([`builder`](EnvironBuilder)).

use super::arena::{Arena, Key};
use super::builder::{EnvironBuilder, EnvironError};
use super::{Environ, Scheme};
use crate::ErrorStream;

/// What many requests share, such as all of one connection: set and checked once, copied for each.
///
/// # Examples
/// ```
/// use gateway_spec::EnvironTemplate;
/// let mut connection = EnvironTemplate::default();
/// connection.set("SERVER_NAME", "example.org").set("SERVER_PORT", "80").set("SERVER_PROTOCOL", "HTTP/1.1");
/// let environ = connection.builder(256, 16).variable("REQUEST_METHOD", "GET").build()?;
/// assert_eq!(environ.server_name(), "example.org");
/// # Ok::<(), gateway_spec::EnvironError>(())
/// ```
#[derive(Default)]
pub struct EnvironTemplate {
    variables: Arena,
    errors: ErrorStream,
    url_scheme: Scheme,
    multithread: bool,
    error: Option<Box<EnvironError>>,
}

impl EnvironTemplate {
    /// Sets a variable; what is wrong with it is said by every environ made from this.
    pub fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut Self {
        let (name, value) = (name.as_ref(), value.as_ref());
        match EnvironError::check(name, value) {
            Ok(()) => self.variables.set(Key::of(name), value),
            Err(error) => {
                self.error.get_or_insert_with(|| Box::new(error));
            }
        }
        self
    }

    /// See [`EnvironBuilder::errors`].
    pub fn errors(&mut self, errors: ErrorStream) -> &mut Self {
        self.errors = errors;
        self
    }

    /// See [`EnvironBuilder::url_scheme`].
    pub fn url_scheme(&mut self, scheme: Scheme) -> &mut Self {
        self.url_scheme = scheme;
        self
    }

    /// See [`EnvironBuilder::multithread`].
    pub fn multithread(&mut self, yes: bool) -> &mut Self {
        self.multithread = yes;
        self
    }

    /// A builder that has all this, and room for that many bytes and entries more.
    #[inline]
    pub fn builder(&self, bytes: usize, entries: usize) -> EnvironBuilder {
        let environ = Environ {
            variables: self.variables.copy_with_room(bytes, entries),
            errors: self.errors.clone(),
            url_scheme: self.url_scheme.clone(),
            multithread: self.multithread,
            ..Environ::empty()
        };
        EnvironBuilder { environ, error: self.error.clone() }
    }
}

impl std::fmt::Debug for EnvironTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnvironTemplate").field("variables", &self.variables.len()).finish_non_exhaustive()
    }
}
