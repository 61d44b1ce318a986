//! What the lines of a header block say, one by one (RFC 3875 §6.3): the fields, and in a complete response the status.
//!
//! Holds which fields mean something to a gateway, and what becomes of each. Does not hold how lines come about (`decode`), or what
//! all of them mean together (`kind`).

use gateway_spec::Headers;
use gateway_spec::exchange::is_hop_by_hop;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, InvalidHeaderValue, LOCATION};

use super::error::excerpt;
use super::kind::{CgiFields, classify};
use super::{Form, HeadError, ProgramHead};

/// What has been said so far.
#[derive(Debug, Default)]
pub(super) struct Fields {
    cgi: CgiFields,
    headers: Headers,
}

impl Fields {
    /// Takes one field; it stands in this line of the block, counted from 1.
    pub(super) fn take(
        &mut self,
        line: usize,
        text: &[u8],
        form: Form,
        make: &impl MakeValue,
    ) -> Result<(), HeadError> {
        let Some(colon) = text.iter().position(|byte| *byte == b':') else {
            return Err(HeadError::NoColon { line, start: excerpt(text) });
        };
        let (name, value) = text.split_at(colon);
        let Some(field) = Field::of(name) else {
            return Err(HeadError::Name { line, start: excerpt(name) });
        };
        self.field(line, field, trim(value.get(1..).unwrap_or_default()), form, make)
    }

    /// What all of it means; nothing more is to come.
    pub(super) fn into_head(self) -> Result<ProgramHead, HeadError> {
        classify(self.cgi, self.headers)
    }

    fn field(
        &mut self,
        line: usize,
        field: Field,
        bytes: &[u8],
        form: Form,
        make: &impl MakeValue,
    ) -> Result<(), HeadError> {
        let is_control = |byte: &&u8| (**byte < 0x20 && **byte != b'\t') || **byte == 0x7f;
        let byte = || bytes.iter().find(is_control).copied();
        if field == Field::Status {
            return match (byte(), form) {
                (Some(byte), _) => Err(HeadError::Value { line, byte }),
                (None, Form::Parsed) => self.status(line, bytes),
                (None, Form::NonParsed) => Ok(()),
            };
        }
        // Bytes above 0x7e are kept as they are (CGI-55); a control byte is all that is no value.
        let value = make(bytes).map_err(|_| HeadError::Value { line, byte: byte().unwrap_or_default() })?;
        let cgi = &mut self.cgi;
        let name = match field {
            Field::Status => return Ok(()),
            Field::TransferEncoding => return Err(HeadError::TransferEncoding { line }),
            // CGI-123: a NULL value is a field that was not sent. Fields of HTTP keep theirs, where it may mean much.
            Field::ContentType | Field::Location if bytes.is_empty() => return Ok(()),
            Field::ContentType => {
                once(line, "Content-Type", cgi.content_type)?;
                cgi.content_type = true;
                CONTENT_TYPE
            }
            Field::Location => {
                once(line, "Location", cgi.location.is_some())?;
                cgi.location = Some(value.clone());
                LOCATION
            }
            Field::ContentLength => {
                once(line, "Content-Length", cgi.content_length.is_some())?;
                cgi.content_length = Some(content_length(bytes, line)?);
                CONTENT_LENGTH
            }
            Field::Other(name) => {
                cgi.others = true;
                // RFC 3875 §6.3.4 (CGI-130): what concerns the connection is none of a program's business.
                if is_hop_by_hop(&name) || is_extension(&name) {
                    return Ok(());
                }
                name
            }
        };
        self.headers.push(name, value);
        Ok(())
    }

    /// `Status: NNN`, with or without a space and a reason (CGI-127).
    fn status(&mut self, line: usize, value: &[u8]) -> Result<(), HeadError> {
        if value.is_empty() {
            return Ok(());
        }
        once(line, "Status", self.cgi.status.is_some())?;
        self.code(line, value)
    }

    /// `HTTP/1.1 NNN` with or without a reason (RFC 9112 §4). The version is the program's word for how it frames its body,
    /// and that is the end of its output here.
    pub(super) fn status_line(&mut self, line: &[u8]) -> Result<(), HeadError> {
        let malformed = || HeadError::Status { line: 1, start: excerpt(line) };
        match line {
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor, b' ', rest @ ..]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                self.code(1, rest)
            }
            _ => Err(malformed()),
        }
    }

    /// Three digits, alone or with a space and a reason.
    fn code(&mut self, line: usize, value: &[u8]) -> Result<(), HeadError> {
        let malformed = || HeadError::Status { line, start: excerpt(value) };
        let (digits, reason) = value.split_at_checked(3).ok_or_else(malformed)?;
        if !digits.iter().all(u8::is_ascii_digit) || reason.first().is_some_and(|byte| *byte != b' ') {
            return Err(malformed());
        }
        let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        // CGI-182: 1xx is no answer, and a code beyond 599 has no meaning that a client could know.
        let status = StatusCode::from_u16(code).ok().filter(|_| (200..=599).contains(&code));
        self.cgi.status = Some(status.ok_or(HeadError::StatusRange { code })?);
        Ok(())
    }
}

/// How the value of a field is made of its bytes.
pub(super) trait MakeValue: Fn(&[u8]) -> Result<HeaderValue, InvalidHeaderValue> {}

impl<F: Fn(&[u8]) -> Result<HeaderValue, InvalidHeaderValue>> MakeValue for F {}

/// A field by its name: one that means something to a gateway, or another.
#[derive(Debug, PartialEq, Eq)]
enum Field {
    Status,
    ContentType,
    ContentLength,
    Location,
    TransferEncoding,
    Other(HeaderName),
}

impl Field {
    /// `None` if it is no token.
    fn of(name: &[u8]) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        // By length first: a name that means something is then decided by one comparison.
        Some(match name.len() {
            6 if is("status") => Self::Status,
            8 if is("location") => Self::Location,
            12 if is("content-type") => Self::ContentType,
            14 if is("content-length") => Self::ContentLength,
            17 if is("transfer-encoding") => Self::TransferEncoding,
            _ => Self::Other(HeaderName::from_bytes(name).ok()?),
        })
    }
}

/// The value without the spaces and tabs around it (RFC 9110 §5.5, OWS); a CR stays, to be refused.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// CGI-120: each CGI field at most once.
fn once(line: usize, field: &'static str, seen: bool) -> Result<(), HeadError> {
    if seen { Err(HeadError::Duplicate { line, field }) } else { Ok(()) }
}

/// The declared length of a body (RFC 9110 §8.6): digits only, so neither a sign nor a list.
fn content_length(value: &[u8], line: usize) -> Result<u64, HeadError> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(value).ok().filter(|_| digits).and_then(|text| text.parse().ok());
    number.ok_or_else(|| HeadError::ContentLength { line, start: excerpt(value) })
}

/// Whether a field is an extension of CGI that a server may delete when it does not know it (CGI-131).
fn is_extension(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-cgi-")
}
