//! What an Authorizer answers, and its form on the wire (FastCGI 1.0 §6.3).
//!
//! Holds the two answers and what is refused in them. Whatever is wrong with an answer makes it a denial.

use gateway_spec::{Body, Headers, IntoFieldValue};
use http::{HeaderName, HeaderValue, StatusCode};

/// The answer of an [`super::Authorizer`].
///
/// # Examples
/// ```
/// use gateway_fastcgi::worker::Verdict;
/// use gateway_spec::{StatusCode, headers};
///
/// let yes = Verdict::allow().variable("REMOTE_USER", "ada").variable("SESSION_AGE", 17);
/// let no = Verdict::deny(StatusCode::FORBIDDEN, headers!["content-type" => "text/plain"], "Staff only.\n");
/// assert!(yes.is_allowed() && !no.is_allowed());
/// ```
#[derive(Debug)]
#[must_use = "the gateway has to be told"]
pub struct Verdict(Answer);

#[derive(Debug)]
enum Answer {
    Allow(Result<Headers, VerdictError>),
    Deny { status: StatusCode, headers: Headers, body: Body },
}

/// A [`Verdict`] that cannot be sent; the request is denied with 500.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerdictError {
    /// The name is not one of A to Z, 0 to 9 and `_` that begins with a letter.
    #[error("\"{}\" cannot name a variable of a verdict: allowed are A-Z, 0-9 and _", .name.escape_debug())]
    Name {
        /// The name as given.
        name: String,
    },
    /// The value holds a control character, or white space at an end, which no field value keeps (RFC 9110 §5.5).
    #[error("the value of variable {name} has a control character in it, or white space around it")]
    Value {
        /// The variable.
        name: String,
    },
    /// A denial with a status that gateways take for leave: 200 by §6.3, any 2xx in nginx's `auth_request`.
    #[error("status {0} cannot deny a request")]
    Status(StatusCode),
}

impl Verdict {
    /// The request may be served, if no other check forbids it (FCGI-96).
    pub fn allow() -> Self {
        Self(Answer::Allow(Ok(Headers::new())))
    }

    /// The request is not served: the client gets this response instead (FCGI-98). Any status but 2xx.
    pub fn deny(status: StatusCode, headers: Headers, body: impl Into<Body>) -> Self {
        Self(Answer::Deny { status, headers, body: body.into() })
    }

    /// Tells a variable to whoever serves the request (FCGI-97). Set twice, the gateway decides which it takes.
    ///
    /// Names are of A to Z, 0 to 9 and `_`: on the wire they are part of a field's name, which has no case, and the name of
    /// a variable has one. Values are field values. What is neither is said when the verdict is sent, and denies the request.
    /// A denial has nobody to tell, and keeps its variables to itself.
    pub fn variable(self, name: &str, value: impl IntoFieldValue) -> Self {
        match self.0 {
            Answer::Allow(fields) => Self(Answer::Allow(fields.and_then(|fields| with_variable(fields, name, value)))),
            denied => Self(denied),
        }
    }

    /// Whether the request may be served, as far as this verdict goes.
    pub fn is_allowed(&self) -> bool {
        matches!(self.0, Answer::Allow(Ok(_)))
    }

    /// Status, fields and body for the gateway.
    pub(super) fn into_response(self) -> Result<(StatusCode, Headers, Body), VerdictError> {
        match self.0 {
            Answer::Allow(fields) => Ok((StatusCode::OK, fields?, Body::empty())),
            Answer::Deny { status, .. } if status.is_success() => Err(VerdictError::Status(status)),
            Answer::Deny { status, headers, body } => Ok((status, headers, body)),
        }
    }
}

/// What stands before the name of a variable in a field's name.
const PREFIX: &str = "variable-";

fn with_variable(mut fields: Headers, name: &str, value: impl IntoFieldValue) -> Result<Headers, VerdictError> {
    let is_name = name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    // §6.3 calls the variable of its field `Variable-AUTH_METHOD` AUTH-METHOD; gateways take the rest of the name as it is.
    let field = HeaderName::from_bytes(format!("{PREFIX}{name}").as_bytes()).ok().filter(|_| is_name);
    let field = field.ok_or_else(|| VerdictError::Name { name: name.to_owned() })?;
    let value =
        value.into_field_value().filter(is_kept).ok_or_else(|| VerdictError::Value { name: name.to_owned() })?;
    fields.push(field, value);
    Ok(fields)
}

/// Does the value come out of a header block as it went in?
fn is_kept(value: &HeaderValue) -> bool {
    value.as_bytes().trim_ascii().len() == value.len()
}
