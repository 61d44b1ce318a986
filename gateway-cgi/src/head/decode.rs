//! The header block of a program, read in pieces as they come (RFC 3875 §6.3).
//!
//! Holds lines and fields; what the whole block means is decided in `kind`. Sans-IO.

use bytes::Bytes;
use gateway_spec::Headers;
use gateway_spec::exchange::is_hop_by_hop;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, InvalidHeaderValue, LOCATION};

use super::HeadError;
use super::error::excerpt;
use super::kind::{self, CgiFields, ProgramHead, classify};

/// How much header block a decoder takes (CGI-183).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole block with its line ends. Default 64 KiB: four times what nginx and httpd take from a
    /// program by default, and still nothing to a server.
    pub max_head_bytes: usize,
    /// Fields of the block. Default 200: an application that sets many cookies has some dozens.
    pub max_fields: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_head_bytes: 64 * 1024, max_fields: 200 }
    }
}

/// In which form a program writes its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// A header block of CGI (RFC 3875 §6).
    #[default]
    Parsed,
    /// A complete HTTP response: a status line, then fields ("non-parsed header", RFC 3875 §5). Fields of CGI mean nothing
    /// in it: a `Location` is for the client, and `Status` is left out.
    NonParsed,
}

/// What [`Decoder::receive`] found.
#[derive(Debug, Clone)]
pub enum Decoded {
    /// All input was taken, and the block goes on.
    NeedMore,
    /// The block is complete.
    Head {
        /// What it says.
        head: Box<ProgramHead>,
        /// How many bytes of the last input belong to it; the body starts there.
        consumed: usize,
    },
}

/// Reads one header block.
///
/// Takes LF and CRLF, also mixed (CGI-143), and what is left of a line until its end comes: never more than
/// [`Limits::max_head_bytes`] in all.
///
/// # Examples
/// ```
/// use gateway_cgi::head::{Decoded, Decoder, ResponseKind};
///
/// let mut decoder = Decoder::new();
/// assert!(matches!(decoder.receive(b"Content-Ty")?, Decoded::NeedMore));
/// let input = b"pe: text/plain\n\nHello";
/// let Decoded::Head { head, consumed } = decoder.receive(input)? else { panic!("the blank line has come") };
/// assert_eq!((head.status.as_u16(), head.kind), (200, ResponseKind::Document));
/// assert_eq!(&input[consumed..], b"Hello");
/// # Ok::<(), gateway_cgi::head::HeadError>(())
/// ```
///
/// Source: RFC 3875 §6.3.
#[derive(Debug, Default)]
pub struct Decoder {
    limits: Limits,
    form: Form,
    /// The start of a line whose end has not come.
    partial: Vec<u8>,
    received: usize,
    line: usize,
    fields: usize,
    cgi: CgiFields,
    headers: Headers,
}

impl Decoder {
    /// A decoder with the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder with limits of your own.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// In which form the program answers. Default [`Form::Parsed`]; the form is never guessed from the output (CGI-95).
    #[must_use]
    pub fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// Takes the next bytes of the program's output.
    ///
    /// After [`Decoded::Head`] the decoder is as new, with the same limits and form.
    ///
    /// # Errors
    /// The first rule that the block breaks. The decoder must not be used again: the rest of the output means nothing.
    pub fn receive(&mut self, input: &[u8]) -> Result<Decoded, HeadError> {
        self.take(input, &HeaderValue::from_bytes)
    }

    /// [`Decoder::receive`] for bytes that may be shared: values are parts of them, and nothing is copied.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Examples
    /// ```
    /// use gateway_cgi::head::{Decoded, Decoder};
    ///
    /// let input = bytes::Bytes::from("Content-Type: text/plain\n\n");
    /// let Decoded::Head { head, .. } = Decoder::new().receive_shared(&input)? else { panic!("the blank line has come") };
    /// assert_eq!(head.headers.get("content-type").map(|value| value.as_bytes()), Some(&b"text/plain"[..]));
    /// # Ok::<(), gateway_cgi::head::HeadError>(())
    /// ```
    pub fn receive_shared(&mut self, input: &Bytes) -> Result<Decoded, HeadError> {
        self.take(input, &|value: &[u8]| HeaderValue::from_maybe_shared(input.slice_ref(value)))
    }

    fn take(&mut self, input: &[u8], make: &impl MakeValue) -> Result<Decoded, HeadError> {
        self.check_start(input)?;
        let mut rest = input;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            self.count(line.len() + 1)?;
            let complete = if self.partial.is_empty() {
                self.line(line, make)?
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.line(&whole, &HeaderValue::from_bytes)?
            };
            if complete {
                let (cgi, headers) = (std::mem::take(&mut self.cgi), std::mem::take(&mut self.headers));
                (self.received, self.line, self.fields) = (0, 0, 0);
                let head = Box::new(classify(cgi, headers)?);
                return Ok(Decoded::Head { head, consumed: input.len() - rest.len() });
            }
        }
        self.count(rest.len())?;
        self.partial.extend_from_slice(rest);
        Ok(Decoded::NeedMore)
    }

    /// Says what it means that the output ended before the block did.
    ///
    /// # Examples
    /// ```
    /// use gateway_cgi::head::{Decoder, HeadError};
    ///
    /// assert_eq!(Decoder::new().end_of_output(), HeadError::Empty);
    /// ```
    #[must_use]
    pub fn end_of_output(&self) -> HeadError {
        match self.received {
            0 => HeadError::Empty,
            received => HeadError::Truncated { received },
        }
    }

    #[cfg(test)]
    pub(super) fn partial_len(&self) -> usize {
        self.partial.len()
    }

    fn count(&mut self, bytes: usize) -> Result<(), HeadError> {
        self.received = self.received.saturating_add(bytes);
        let limit = self.limits.max_head_bytes;
        if self.received > limit { Err(HeadError::TooLong { limit }) } else { Ok(()) }
    }

    /// CGI-95: guessing NPH from the output is a server's quirk; NPH is marked by configuration. Told at once: what is in
    /// the wrong form may be long in coming to the end of a line.
    fn check_start(&self, input: &[u8]) -> Result<(), HeadError> {
        const MARK: &[u8] = b"HTTP/";
        if self.line > 0 {
            return Ok(());
        }
        let is_like_it = self.partial.iter().chain(input).zip(MARK).all(|(byte, mark)| byte == mark);
        let is_all = self.partial.len() + input.len() >= MARK.len();
        match self.form {
            Form::Parsed if is_like_it && is_all => Err(HeadError::StatusLine),
            Form::NonParsed if !is_like_it => Err(HeadError::NoStatusLine),
            _ => Ok(()),
        }
    }

    /// Takes one line without its LF; answers whether it was the blank one.
    fn line(&mut self, line: &[u8], make: &impl MakeValue) -> Result<bool, HeadError> {
        self.line += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.form == Form::NonParsed && self.line == 1 {
            return self.status_line(line).map(|()| false);
        }
        match line.first() {
            None => return Ok(true),
            Some(b' ' | b'\t') => return Err(HeadError::Folded { line: self.line }),
            Some(_) => {}
        }
        self.fields += 1;
        if self.fields > self.limits.max_fields {
            return Err(HeadError::TooManyFields { limit: self.limits.max_fields });
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return Err(HeadError::NoColon { line: self.line, start: excerpt(line) });
        };
        let (name, value) = line.split_at(colon);
        let Some(field) = Field::of(name) else {
            return Err(HeadError::Name { line: self.line, start: excerpt(name) });
        };
        self.field(field, trim(value.get(1..).unwrap_or_default()), make)?;
        Ok(false)
    }

    fn field(&mut self, field: Field, bytes: &[u8], make: &impl MakeValue) -> Result<(), HeadError> {
        let line = self.line;
        let is_control = |byte: &&u8| (**byte < 0x20 && **byte != b'\t') || **byte == 0x7f;
        let byte = || bytes.iter().find(is_control).copied();
        if field == Field::Status {
            return match (byte(), self.form) {
                (Some(byte), _) => Err(HeadError::Value { line, byte }),
                (None, Form::Parsed) => self.status(bytes),
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
                cgi.content_length = Some(kind::content_length(bytes, line)?);
                CONTENT_LENGTH
            }
            Field::Other(name) => {
                cgi.others = true;
                // RFC 3875 §6.3.4 (CGI-130): what concerns the connection is none of a program's business.
                if is_hop_by_hop(&name) || kind::is_extension(&name) {
                    return Ok(());
                }
                name
            }
        };
        self.headers.push(name, value);
        Ok(())
    }

    /// `Status: NNN`, with or without a space and a reason (CGI-127).
    fn status(&mut self, value: &[u8]) -> Result<(), HeadError> {
        if value.is_empty() {
            return Ok(());
        }
        once(self.line, "Status", self.cgi.status.is_some())?;
        self.code(value)
    }

    /// `HTTP/1.1 NNN` with or without a reason (RFC 9112 §4). The version is the program's word for how it frames its body,
    /// and that is the end of its output here.
    fn status_line(&mut self, line: &[u8]) -> Result<(), HeadError> {
        let malformed = || HeadError::Status { line: 1, start: excerpt(line) };
        match line {
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor, b' ', rest @ ..]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                self.code(rest)
            }
            _ => Err(malformed()),
        }
    }

    /// Three digits, alone or with a space and a reason.
    fn code(&mut self, value: &[u8]) -> Result<(), HeadError> {
        let line = self.line;
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
trait MakeValue: Fn(&[u8]) -> Result<HeaderValue, InvalidHeaderValue> {}

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
