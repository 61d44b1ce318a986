//! The framing of an answer: where it ends, and whether it may (RFC 9112 §6.3).
//!
//! Holds no I/O and none of the body. A head that is byte for byte the one before it needs no parsing: that is every
//! head but one a second, if only its date changes.

use memchr::memmem;

use super::chunked::Chunked;

/// A whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Complete {
    pub(super) status: u16,
    pub(super) body_len: u64,
    /// Whether the connection may be used again.
    pub(super) keep: bool,
}

/// Not an answer, or not the answer to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Wrong {
    #[error("the head is no head of an HTTP/1.1 answer")]
    Head,
    #[error("the head is longer than {MAX_HEAD_BYTES} bytes")]
    HeadTooLong,
    #[error("the length of the body is not said, said twice or in a way that is not known")]
    Length,
    #[error("the body is not in chunks")]
    Chunk,
    #[error("bytes follow the end of the answer")]
    Leftover,
}

/// As much as any server here sends, many times over.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// As many as any server here sends, many times over.
const MAX_FIELDS: usize = 100;

/// Reads the answers that come on one connection.
#[derive(Debug, Default)]
pub(super) struct Reader {
    state: State,
    /// What has come of a head that is not whole.
    partial: Vec<u8>,
    /// The last whole head, and what it says.
    head: Vec<u8>,
    shape: Option<Shape>,
    body_len: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    Length {
        left: u64,
    },
    Chunked(Chunked),
    UntilClose,
    Done,
}

/// What a head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    status: u16,
    body: State,
    keep: bool,
}

impl Reader {
    /// The next bytes belong to another answer.
    pub(super) fn start(&mut self) {
        self.state = State::Head;
        self.partial.clear();
        self.body_len = 0;
    }

    /// Whether anything has come of the present answer.
    pub(super) fn is_started(&self) -> bool {
        self.state != State::Head || !self.partial.is_empty()
    }

    /// How many of the next bytes are not worth looking at, but for their number.
    pub(super) fn skippable(&self) -> u64 {
        match self.state {
            // One more than there should be: if it comes, it is seen.
            State::Length { left } => left.saturating_add(1),
            State::Chunked(chunked) => chunked.data_left(),
            State::UntilClose => u64::MAX,
            State::Head | State::Done => 0,
        }
    }

    /// `len` bytes have come and are gone, no more than [`Reader::skippable`].
    pub(super) fn skip(&mut self, len: u64) -> Result<Option<Complete>, Wrong> {
        match &mut self.state {
            State::Length { left } => *left = left.checked_sub(len).ok_or(Wrong::Leftover)?,
            State::Chunked(chunked) => *chunked = chunked.skip(len),
            State::UntilClose => {}
            State::Head | State::Done => return Err(Wrong::Leftover),
        }
        self.body_len += len;
        Ok(self.complete())
    }

    /// Takes in bytes, and says when the answer is whole.
    pub(super) fn receive(&mut self, input: &[u8]) -> Result<Option<Complete>, Wrong> {
        let mut rest = input;
        if self.state == State::Head {
            match self.receive_head(input)? {
                Some(body) => rest = body,
                None => return Ok(None),
            }
        }
        match self.state {
            State::Head => Ok(None),
            State::Chunked(chunked) => self.receive_chunked(chunked, rest),
            State::Done if !rest.is_empty() => Err(Wrong::Leftover),
            State::Done | State::Length { .. } | State::UntilClose => self.skip_or_complete(rest),
        }
    }

    /// The peer closed the connection. That is the end of an answer that does not say its length.
    pub(super) fn end(&mut self) -> Option<Complete> {
        if self.state == State::UntilClose {
            self.state = State::Done;
        }
        self.complete()
    }

    fn complete(&mut self) -> Option<Complete> {
        if matches!(self.state, State::Length { left: 0 } | State::Chunked(Chunked::End)) {
            self.state = State::Done;
        }
        let shape = self.shape.filter(|_| self.state == State::Done)?;
        Some(Complete { status: shape.status, body_len: self.body_len, keep: shape.keep })
    }

    fn skip_or_complete(&mut self, rest: &[u8]) -> Result<Option<Complete>, Wrong> {
        if rest.is_empty() { Ok(self.complete()) } else { self.skip(rest.len() as u64) }
    }

    fn receive_chunked(&mut self, mut chunked: Chunked, mut rest: &[u8]) -> Result<Option<Complete>, Wrong> {
        while let Some((byte, others)) = rest.split_first() {
            if chunked == Chunked::End {
                return Err(Wrong::Leftover);
            }
            if chunked.data_left() == 0 {
                chunked = chunked.step(*byte).ok_or(Wrong::Chunk)?;
                rest = others;
                continue;
            }
            let len = usize::try_from(chunked.data_left()).map_or(rest.len(), |left| left.min(rest.len()));
            chunked = chunked.skip(len as u64);
            self.body_len += len as u64;
            rest = rest.get(len..).unwrap_or_default();
        }
        self.state = State::Chunked(chunked);
        Ok(self.complete())
    }

    /// The bytes after the head, once it is whole.
    fn receive_head<'a>(&mut self, input: &'a [u8]) -> Result<Option<&'a [u8]>, Wrong> {
        if let Some(shape) = self.shape
            && self.partial.is_empty()
            && let Some(rest) = input.strip_prefix(self.head.as_slice())
        {
            self.state = shape.body;
            return Ok(Some(rest));
        }
        let mut rest = input;
        while let Some(used) = self.gather(rest)? {
            rest = rest.get(used..).unwrap_or_default();
            let shape = parse(&self.partial)?;
            // RFC 9110 §15.2: an interim answer has no body, and another answer follows it.
            if !matches!(shape.status, 100..200) {
                std::mem::swap(&mut self.head, &mut self.partial);
                self.shape = Some(shape);
                self.state = shape.body;
                self.partial.clear();
                return Ok(Some(rest));
            }
            self.partial.clear();
        }
        Ok(None)
    }

    /// Adds `input` to the head that is not whole yet; if it is then, how much of `input` was used.
    fn gather(&mut self, input: &[u8]) -> Result<Option<usize>, Wrong> {
        let before = self.partial.len();
        let more = input.len().min(MAX_HEAD_BYTES - before);
        self.partial.extend(input.iter().take(more));
        let from = before.saturating_sub(3);
        let found = memmem::find(self.partial.get(from..).unwrap_or_default(), b"\r\n\r\n");
        let Some(at) = found else {
            return if self.partial.len() < MAX_HEAD_BYTES { Ok(None) } else { Err(Wrong::HeadTooLong) };
        };
        self.partial.truncate(from + at + 4);
        Ok(Some(self.partial.len() - before))
    }
}

/// Reads a whole head.
fn parse(head: &[u8]) -> Result<Shape, Wrong> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let whole = response.parse(head).is_ok_and(|status| status.is_complete());
    let (true, Some(1), Some(status)) = (whole, response.version, response.code) else { return Err(Wrong::Head) };
    // No protocol was asked for that could follow a 101.
    if status == 101 {
        return Err(Wrong::Head);
    }
    let body = framing(response.headers, status)?;
    let asked_to_close = values(response.headers, "connection").any(|value| has_token(value, "close"));
    Ok(Shape { status, body, keep: body != State::UntilClose && !asked_to_close })
}

/// RFC 9112 §6.3. What a recipient may repair is an error here: the servers are ours to judge.
fn framing(fields: &[httparse::Header<'_>], status: u16) -> Result<State, Wrong> {
    let mut lengths = values(fields, "content-length");
    let mut codings = values(fields, "transfer-encoding");
    let said = (lengths.next(), codings.next());
    if lengths.next().is_some() || codings.next().is_some() {
        return Err(Wrong::Length);
    }
    if matches!(status, 100..200 | 204 | 304) {
        return Ok(State::Length { left: 0 });
    }
    match said {
        (Some(length), None) => decimal(length).map(|left| State::Length { left }).ok_or(Wrong::Length),
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(State::Chunked(Chunked::START)),
        (None, None) => Ok(State::UntilClose),
        _ => Err(Wrong::Length),
    }
}

fn values<'a>(fields: &'a [httparse::Header<'_>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}

fn has_token(list: &[u8], token: &str) -> bool {
    list.split(|byte| *byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

fn decimal(text: &[u8]) -> Option<u64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
