//! The header block of a program, read in pieces as they come (RFC 3875 §6.3).
//!
//! Holds lines, their limits, and the two forms of a block. Does not hold what a field says (`fields`), or what the whole block
//! means (`kind`). Sans-IO.

use bytes::Bytes;
use http::header::HeaderValue;

use super::fields::{Fields, MakeValue};
use super::{HeadError, ProgramHead};

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
    fields: Fields,
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
                (self.received, self.line) = (0, 0);
                let head = Box::new(std::mem::take(&mut self.fields).into_head()?);
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
            return self.fields.status_line(line).map(|()| false);
        }
        match line.first() {
            None => return Ok(true),
            Some(b' ' | b'\t') => return Err(HeadError::Folded { line: self.line }),
            Some(_) => {}
        }
        let fields = self.line - usize::from(self.form == Form::NonParsed);
        if fields > self.limits.max_fields {
            return Err(HeadError::TooManyFields { limit: self.limits.max_fields });
        }
        self.fields.take(self.line, line, self.form, make)?;
        Ok(false)
    }
}
