//! `wsgi.input`: the request body as a stream that ends where the body ends (PEP 3333 "Input and Error Streams").
//!
//! Holds the stream, its reading methods and what a gateway implements to feed it. Does not hold transfer codings: what
//! comes out is the body itself (PEP-154).

mod stream;

use std::fmt;
use std::io::{self, BufRead, Read};

use bytes::{Bytes, BytesMut};
use stream::{ReaderSource, Stream};

/// The request body. Reading past its end gives nothing, at once (PEP-45, PEP-48).
///
/// It implements [`Read`] and [`BufRead`]; its own methods hand out [`Bytes`] without copying. There is no way to close
/// it (PEP-43).
///
/// # Errors
/// Every method can fail: with [`InputError::Incomplete`] inside if the client stopped before the declared length,
/// with [`Disconnected`](crate::Disconnected) inside if it is gone, or with the gateway's own error.
///
/// # Examples
/// ```
/// use gateway_spec::Input;
/// let mut input = Input::from("name=Ada\nborn=1815\n");
/// assert_eq!(input.line(80)?, "name=Ada\n");
/// assert_eq!(input.read_all(80)?, "born=1815\n");
/// assert!(input.chunk(80)?.is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Source: PEP 3333 "Input and Error Streams"; requirements PEP-40, PEP-44 to PEP-49.
pub struct Input {
    /// None where there is no body: then the stream costs nothing, and an environ is small enough to be moved quickly.
    stream: Option<Box<Stream>>,
}

/// Where the bytes of an [`Input`] come from.
pub trait InputSource: Send {
    /// Waits for the next piece of the body: at most `max` bytes, which is never 0. An empty piece means the end.
    ///
    /// # Errors
    /// Whatever keeps the body from arriving; [`Disconnected`](crate::Disconnected) if the peer has gone.
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes>;
}

/// Why a body could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The body ended before its declared length (HTTP-86).
    #[error("the request body ended after {received} of {declared} bytes")]
    Incomplete {
        /// What the client promised, in bytes.
        declared: u64,
        /// What it sent, in bytes.
        received: u64,
    },
    /// The body, or the line asked for, is longer than the caller allows.
    #[error("the request body is longer than {limit} bytes")]
    TooLong {
        /// The caller's limit in bytes.
        limit: usize,
    },
}

impl Input {
    /// How much is asked for at a time when the caller does not say.
    const CHUNK: usize = 64 * 1024;

    /// No body.
    pub fn empty() -> Self {
        Input { stream: None }
    }

    /// A body that arrives from `source`, of the given length in bytes or, with `None`, until the source ends.
    pub fn new(source: impl InputSource + 'static, length: Option<u64>) -> Self {
        let stream = Stream { buffer: Bytes::new(), source: Some(Box::new(source)), declared: length, taken: 0 };
        Input { stream: Some(Box::new(stream)) }
    }

    /// A body that is read from `reader`, of the given length in bytes or, with `None`, until the reader ends.
    pub fn reader(reader: impl Read + Send + 'static, length: Option<u64>) -> Self {
        Input::new(ReaderSource { reader, buffer: BytesMut::new() }, length)
    }

    /// Puts bytes that have arrived already before what the source will give. They count towards the length.
    #[must_use]
    pub fn with_arrived(mut self, bytes: Bytes) -> Self {
        if let Some(stream) = &mut self.stream {
            stream.buffer = bytes;
        }
        self
    }

    /// Puts something between the input and its source, if it has one.
    pub(crate) fn wrap_source(&mut self, wrap: impl FnOnce(Box<dyn InputSource>) -> Box<dyn InputSource>) {
        if let Some(stream) = &mut self.stream {
            stream.source = stream.source.take().map(wrap);
        }
    }

    /// The length in bytes, `None` if only the end will tell.
    pub fn length(&self) -> Option<u64> {
        self.stream.as_ref().map_or(Some(0), |stream| stream.declared)
    }

    /// The next piece of the body: at least one byte and at most `max`, or empty at the end.
    ///
    /// # Errors
    /// See [`Input`].
    pub fn chunk(&mut self, max: usize) -> io::Result<Bytes> {
        let Some(stream) = &mut self.stream else { return Ok(Bytes::new()) };
        stream.fill(max.max(1))?;
        let take = stream.buffer.len().min(max);
        Ok(stream.take(take))
    }

    /// Everything that is left, but at most `limit` bytes.
    ///
    /// # Errors
    /// [`InputError::TooLong`] past the limit; else see [`Input`].
    pub fn read_all(&mut self, limit: usize) -> io::Result<Bytes> {
        let first = self.chunk(usize::MAX)?;
        let mut all = BytesMut::new();
        let mut next = first;
        loop {
            let more = if next.is_empty() { Bytes::new() } else { self.chunk(Self::CHUNK)? };
            if all.len() + next.len() + more.len() > limit {
                return Err(InputError::TooLong { limit }.into());
            }
            if more.is_empty() && all.is_empty() {
                return Ok(next);
            }
            all.extend_from_slice(&next);
            if more.is_empty() {
                return Ok(all.freeze());
            }
            next = more;
        }
    }

    /// The next line with its `\n`, at most `max` bytes of it; empty at the end (PEP-49).
    ///
    /// # Errors
    /// See [`Input`].
    pub fn line(&mut self, max: usize) -> io::Result<Bytes> {
        let Some(stream) = &mut self.stream else { return Ok(Bytes::new()) };
        let mut line = BytesMut::new();
        while line.len() < max {
            stream.fill(Self::CHUNK)?;
            let left = stream.buffer.len().min(max - line.len());
            if left == 0 {
                break;
            }
            let newline = stream.buffer.iter().take(left).position(|byte| *byte == b'\n');
            let piece = stream.take(newline.map_or(left, |at| at + 1));
            if newline.is_some() && line.is_empty() {
                return Ok(piece);
            }
            line.extend_from_slice(&piece);
            if newline.is_some() {
                break;
            }
        }
        Ok(line.freeze())
    }

    /// The remaining lines (iteration, `readlines`). A line longer than `max` bytes is an error, not a cut.
    pub fn each_line(&mut self, max: usize) -> impl Iterator<Item = io::Result<Bytes>> {
        until_first_error(move || match self.line(max.saturating_add(1)) {
            Ok(line) if line.len() > max => Err(InputError::TooLong { limit: max }.into()),
            line => line,
        })
    }

    /// The remaining pieces as they arrive.
    pub fn chunks(&mut self) -> impl Iterator<Item = io::Result<Bytes>> {
        until_first_error(move || self.chunk(Self::CHUNK))
    }
}

/// Iterates until a piece is empty or an error came: an error that stays would never let a loop end.
fn until_first_error(mut next: impl FnMut() -> io::Result<Bytes>) -> impl Iterator<Item = io::Result<Bytes>> {
    let mut over = false;
    std::iter::from_fn(move || {
        if over {
            return None;
        }
        let piece = next();
        over = piece.as_ref().map_or(true, Bytes::is_empty);
        if matches!(&piece, Ok(piece) if piece.is_empty()) { None } else { Some(piece) }
    })
}

impl From<InputError> for io::Error {
    fn from(error: InputError) -> Self {
        let kind = match error {
            InputError::Incomplete { .. } => io::ErrorKind::UnexpectedEof,
            InputError::TooLong { .. } => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}

impl From<Bytes> for Input {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            return Input::empty();
        }
        let stream = Stream { declared: Some(bytes.len() as u64), buffer: bytes, source: None, taken: 0 };
        Input { stream: Some(Box::new(stream)) }
    }
}

impl From<&'static str> for Input {
    fn from(text: &'static str) -> Self {
        Input::from(Bytes::from_static(text.as_bytes()))
    }
}

impl From<Vec<u8>> for Input {
    fn from(bytes: Vec<u8>) -> Self {
        Input::from(Bytes::from(bytes))
    }
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(stream) = self.stream.as_mut().filter(|_| !into.is_empty()) else { return Ok(0) };
        stream.fill(into.len())?;
        let len = stream.buffer.len().min(into.len());
        for (to, from) in into.iter_mut().zip(&stream.buffer) {
            *to = *from;
        }
        stream.consume(len);
        Ok(len)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let Some(stream) = &mut self.stream else { return Ok(&[]) };
        stream.fill(Self::CHUNK)?;
        Ok(&stream.buffer)
    }

    fn consume(&mut self, amount: usize) {
        if let Some(stream) = &mut self.stream {
            stream.consume(amount);
        }
    }
}

impl Default for Input {
    fn default() -> Self {
        Input::empty()
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taken = self.stream.as_ref().map_or(0, |stream| stream.taken);
        f.debug_struct("Input").field("length", &self.length()).field("taken", &taken).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
