//! The form that adds an entry: how it is read, and what is refused.

use gateway_spec::{Environ, InputError, StatusCode};
use percent_encoding::percent_decode_str;

/// More than the longest entry needs when every byte of it is percent-encoded.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// In characters.
pub(super) const MAX_NAME: usize = 60;
/// In characters.
pub(super) const MAX_MESSAGE: usize = 1000;

/// What somebody wants to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) message: String,
}

/// Why a form was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rejected {
    pub(super) status: StatusCode,
    /// For the person who filled it in.
    pub(super) message: String,
    /// What they typed, if it could be read.
    pub(super) typed: Option<Entry>,
}

impl Rejected {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Rejected { status, message: message.into(), typed: None }
    }

    fn bad(message: impl Into<String>) -> Self {
        Rejected::new(StatusCode::BAD_REQUEST, message)
    }
}

/// Reads the entry in a request's body.
pub(super) fn read(environ: &mut Environ) -> Result<Entry, Rejected> {
    // A browser says so itself when another site's page sends the form.
    if environ.header("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return Err(Rejected::new(StatusCode::FORBIDDEN, "Please use the form on this page."));
    }
    if !is_form(environ) {
        let message = "Send the form as application/x-www-form-urlencoded.";
        return Err(Rejected::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let too_large = || Rejected::new(StatusCode::PAYLOAD_TOO_LARGE, "That is more than this guestbook can hold.");
    // What is announced to be too long need not be read first.
    if environ.input.length().is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(too_large());
    }
    let body = environ.input.read_all(MAX_BODY_BYTES).map_err(|error| {
        match error.get_ref().and_then(|cause| cause.downcast_ref::<InputError>()) {
            Some(InputError::TooLong { .. }) => too_large(),
            _ => Rejected::bad("The form did not arrive whole."),
        }
    })?;
    check(parse(&body)?)
}

fn is_form(environ: &Environ) -> bool {
    let Some(content_type) = environ.content_type() else { return false };
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

/// Reads `name=…&message=…`; of a repeated name the first counts.
fn parse(body: &[u8]) -> Result<Entry, Rejected> {
    let not_text = || Rejected::bad("The form holds something that is not text.");
    let body = std::str::from_utf8(body).map_err(|_| not_text())?;
    let field = |wanted: &str| {
        let mut pairs = body.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value.replace('+', " "));
        let value = value.unwrap_or_default();
        percent_decode_str(&value).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| not_text())
    };
    // Browsers send line ends as CR LF.
    Ok(Entry {
        name: field("name")?.trim().to_owned(),
        message: field("message")?.replace("\r\n", "\n").trim().to_owned(),
    })
}

fn check(entry: Entry) -> Result<Entry, Rejected> {
    let name = entry.name.chars().count();
    let message = entry.message.chars().count();
    let controls = |text: &str, allowed: &[char]| text.chars().any(|c| c.is_control() && !allowed.contains(&c));
    let complaint = if name == 0 {
        "Please tell your name."
    } else if message == 0 {
        "Please write something."
    } else if name > MAX_NAME {
        return refuse(entry, format!("A name has at most {MAX_NAME} characters; this one has {name}."));
    } else if message > MAX_MESSAGE {
        return refuse(entry, format!("A message has at most {MAX_MESSAGE} characters; this one has {message}."));
    } else if controls(&entry.name, &[]) || controls(&entry.message, &['\n', '\t']) {
        "Control characters cannot be written down."
    } else {
        return Ok(entry);
    };
    refuse(entry, complaint)
}

fn refuse(typed: Entry, message: impl Into<String>) -> Result<Entry, Rejected> {
    Err(Rejected { typed: Some(typed), ..Rejected::bad(message) })
}
