//! What a complete header block means (RFC 3875 §6.2): one of the four response types, and the status it has.
//!
//! Holds the classification alone. Does not hold lines (`decode`) or what one field says (`fields`).

use gateway_spec::Headers;
use http::StatusCode;
use http::header::HeaderValue;

use super::HeadError;
use super::error::excerpt;

/// The head of a program's answer, checked and classified.
///
/// `headers` is what may go to the client: `Status`, fields about the connection and `X-CGI-` extensions are left out.
#[derive(Debug, Clone)]
pub struct ProgramHead {
    /// The status for the client: the program's, or what its type of response implies (200 or 302).
    pub status: StatusCode,
    /// The fields for the client, in order, with repeats.
    pub headers: Headers,
    /// Which of the four responses it is.
    pub kind: ResponseKind,
    /// The length that the program declared. It need not be true: the gateway must hold the body to it (CGI-133).
    pub content_length: Option<u64>,
}

/// The four types of response of RFC 3875 §6.2 (CGI-103).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseKind {
    /// A document for the client (§6.2.1), also when it has a `Location` that is no redirect, as 201 has.
    Document,
    /// The answer is what a request for this path would have given (§6.2.2); no body may follow (CGI-107).
    LocalRedirect {
        /// An absolute path, perhaps with a query. `//host/x` is a path here, never an authority (CGI-114).
        target: String,
    },
    /// The client is sent elsewhere, and no document comes along (§6.2.3).
    ClientRedirect,
    /// The client is sent elsewhere, and a document comes along (§6.2.4).
    ClientRedirectWithDocument,
}

/// The fields whose presence decides the type; collected line by line.
#[derive(Debug, Default)]
pub(super) struct CgiFields {
    pub(super) status: Option<StatusCode>,
    pub(super) location: Option<HeaderValue>,
    pub(super) content_type: bool,
    pub(super) content_length: Option<u64>,
    /// Whether any other field came, be it one that is left out.
    pub(super) others: bool,
}

/// Decides the type of a complete block (CGI-103).
pub(super) fn classify(cgi: CgiFields, headers: Headers) -> Result<ProgramHead, HeadError> {
    let CgiFields { status, location, content_type, content_length, others } = cgi;
    let head = |status, kind| ProgramHead { status, headers, kind, content_length };
    let Some(location) = location else {
        // CGI-120. A Status without Content-Type is taken: 204 and 304 have no document to give a type to, and a body
        // without a type goes out without one (CGI-124).
        if status.is_none() && !content_type {
            return Err(HeadError::NoCgiField);
        }
        return Ok(head(status.unwrap_or(StatusCode::OK), ResponseKind::Document));
    };
    if let Some(status) = status {
        // Section 6.2.4 wants a redirection code and an absolute URI. With a Status the program speaks HTTP itself
        // (our own program side always sends one), so what HTTP allows is passed on.
        let kind = match (status.is_redirection(), content_type) {
            (false, _) => ResponseKind::Document,
            (true, true) => ResponseKind::ClientRedirectWithDocument,
            (true, false) => ResponseKind::ClientRedirect,
        };
        return Ok(head(status, kind));
    }
    let alone = !content_type && !others && content_length.is_none();
    match target(location.as_bytes())? {
        Target::Path(target) if alone => Ok(head(StatusCode::FOUND, ResponseKind::LocalRedirect { target })),
        Target::Path(target) if target.starts_with("//") => {
            Err(HeadError::Location { start: excerpt(target.as_bytes()) })
        }
        _ if content_type => Ok(head(StatusCode::FOUND, ResponseKind::ClientRedirectWithDocument)),
        _ => Ok(head(StatusCode::FOUND, ResponseKind::ClientRedirect)),
    }
}

/// What a `Location` without `Status` points to.
enum Target {
    /// An absolute path with an optional query: the gateway's own.
    Path(String),
    /// An absolute URI, or a path with a fragment, of which only a client can make use.
    Uri,
}

/// Reads a location by the grammar of RFC 3875 §6.3.2 (CGI-126).
fn target(location: &[u8]) -> Result<Target, HeadError> {
    let malformed = || HeadError::Location { start: excerpt(location) };
    let text = std::str::from_utf8(location).map_err(|_| malformed())?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed());
    }
    if text.starts_with('/') {
        return Ok(if text.contains('#') { Target::Uri } else { Target::Path(text.to_owned()) });
    }
    let (scheme, rest) = text.split_once(':').ok_or_else(malformed)?;
    let starts_well = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let goes_on_well = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if starts_well && goes_on_well && !rest.is_empty() { Ok(Target::Uri) } else { Err(malformed()) }
}
