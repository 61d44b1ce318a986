//! Filters: answer a request with a file that the gateway has opened in hand (FastCGI 1.0 §6.4).
//!
//! Holds the trait, what it is told about the file, and the application that it becomes. Does not hold the stream.

use gateway_spec::{AppError, Application, Body, Environ, Input, InputSource, StartResponse};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Answers a request with a file in hand. Functions and closures are filters by themselves.
///
/// It may answer without reading the file, from a cache that it knows to be as new (FCGI-102). It does not see the file's path
/// unless the gateway sends one, such as PATH_TRANSLATED.
///
/// # Errors
/// As for an [`Application`].
///
/// # Examples
/// ```
/// use gateway_fastcgi::worker::{Filter, FilterData};
/// use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
///
/// fn shout(_environ: Environ, mut data: FilterData, start_response: StartResponse) -> Result<Body, AppError> {
///     let text = data.file.read_all(1 << 20)?;
///     start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
///     Ok(text.to_ascii_uppercase().into())
/// }
///
/// # use gateway_spec::{Event, Exchange};
/// let mut environ = Environ::example("GET", "/hello.txt");
/// FilterData::new("hello\n".into(), None).attach(&mut environ);
/// let mut exchange = Exchange::call(&shout.into_application(), environ);
/// assert!(matches!(exchange.next(), Event::Head(head) if head.status == StatusCode::OK));
/// assert!(matches!(exchange.next(), Event::Chunk(chunk) if chunk == "HELLO\n"));
/// ```
///
/// Source: FastCGI 1.0 §6.4; requirements FCGI-101 to FCGI-104.
pub trait Filter: Send + Sync + 'static {
    /// Answers one request.
    fn filter(&self, environ: Environ, data: FilterData, start_response: StartResponse) -> Result<Body, AppError>;

    /// An application that takes the [`FilterData`] from its environ, and fails where there is none.
    fn into_application(self) -> FilterApplication<Self>
    where
        Self: Sized,
    {
        FilterApplication(self)
    }
}

impl<F> Filter for F
where
    F: Fn(Environ, FilterData, StartResponse) -> Result<Body, AppError> + Send + Sync + 'static,
{
    fn filter(&self, environ: Environ, data: FilterData, start_response: StartResponse) -> Result<Body, AppError> {
        self(environ, data, start_response)
    }
}

/// A [`Filter`] as an application; made by [`Filter::into_application`].
#[derive(Debug, Clone)]
pub struct FilterApplication<F>(F);

impl<F: Filter> Application for FilterApplication<F> {
    fn call(&self, mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        match FilterData::detach(&mut environ) {
            Some(data) => self.0.filter(environ, data, start_response),
            None => Err("a Filter was called without a file: only FastCGI requests of that role bring one".into()),
        }
    }
}

/// The file of a Filter's request.
///
/// # Examples
/// ```
/// use gateway_fastcgi::worker::FilterData;
///
/// let mut data = FilterData::new("one\ntwo\n".into(), None);
/// assert_eq!(data.length(), Some(8));
/// assert_eq!(data.file.line(80)?, "one\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct FilterData {
    /// Its bytes, never more than FCGI_DATA_LENGTH (FCGI-103). If fewer come, reading past them fails with
    /// [`InputError::Incomplete`](gateway_spec::InputError::Incomplete) (FCGI-104). Dropping it unread is fine (FCGI-102).
    pub file: Input,
    /// When it was last changed, FCGI_DATA_LAST_MOD; `None` if the gateway did not say, or not in a number of seconds.
    pub last_modified: Option<SystemTime>,
}

/// What a gateway says about a file makes no sense; the answer is 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("FCGI_DATA_LENGTH is no decimal number")]
pub struct FilterDataError;

impl FilterData {
    /// A file of these bytes.
    pub fn new(file: Input, last_modified: Option<SystemTime>) -> Self {
        Self { file, last_modified }
    }

    /// The file that the variables of `environ` tell of; `source` gives its bytes: the DATA stream.
    ///
    /// # Errors
    /// [`FilterDataError`] if FCGI_DATA_LENGTH is there and no number of bytes. Without it, the end of the source is the end.
    pub fn received(environ: &Environ, source: impl InputSource + 'static) -> Result<Self, FilterDataError> {
        let length = match environ.get("FCGI_DATA_LENGTH").filter(|value| !value.is_empty()) {
            Some(value) => Some(number(&value).ok_or(FilterDataError)?),
            None => None,
        };
        let seconds = environ.get("FCGI_DATA_LAST_MOD").and_then(|value| number(&value));
        let last_modified =
            seconds.and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
        Ok(Self { file: Input::new(source, length), last_modified })
    }

    /// How long the file is in bytes, FCGI_DATA_LENGTH; `None` if only its end will tell.
    pub fn length(&self) -> Option<u64> {
        self.file.length()
    }

    /// Puts the file into the extensions of `environ`, for [`FilterData::detach`]: what a gateway does before the call.
    pub fn attach(self, environ: &mut Environ) {
        environ.extensions.insert(Attached(Arc::new(Mutex::new(Some(self)))));
    }

    /// Takes the file out of the environ: for an application that answers several roles and sees the role in FCGI_ROLE.
    pub fn detach(environ: &mut Environ) -> Option<Self> {
        let attached: Attached = environ.extensions.remove()?;
        attached.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Digits only: no sign, no space.
fn number(value: &[u8]) -> Option<u64> {
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Extensions can be copied, and a stream cannot: whoever comes first takes it.
#[derive(Clone)]
struct Attached(Arc<Mutex<Option<FilterData>>>);
