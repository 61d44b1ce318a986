//! The response body an application returns: an iterable of bytes with a `close` (PEP 3333 "Specification Details").
//!
//! Holds the type, its constructors and its life. Does not hold what becomes a body without one (`from`), the ready-made
//! iterables behind it (`sources`), or how it is transmitted: that is [`Exchange`](crate::Exchange).

mod file;
mod from;
mod sources;

use std::any::Any;
use std::fmt;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bytes::Bytes;

use crate::AppError;
pub use file::{FilePart, FileWrapper};
use sources::{Chunks, Iter, Reader};

/// A response body: pieces of bytes, a length if it is known, and a `close` that runs exactly once.
///
/// `close` runs when the gateway is done with the body: at its end, on an error, when the client has gone, and at the
/// latest on drop (PEP-104). An empty piece means "nothing yet" and lets a gateway look after its connection (PEP-113).
///
/// # Examples
/// ```
/// use gateway_spec::{Body, Bytes};
/// let whole: Body = "Hello".into();
/// assert_eq!(whole.length(), Some(5));
///
/// let lines = (1..=3).map(|n| Ok(Bytes::from(format!("line {n}\n"))));
/// let mut streamed = Body::iter(lines).on_close(|| println!("closed"));
/// assert_eq!(streamed.length(), None);
/// assert_eq!(streamed.next_chunk().transpose().unwrap().unwrap(), "line 1\n");
/// ```
///
/// Source: PEP 3333 "Specification Details", "Optional Platform-Specific File Handling"; PEP-7, PEP-103 to PEP-107.
pub struct Body {
    content: Content,
    length: Option<u64>,
    on_close: Option<Box<dyn FnOnce() + Send>>,
    /// Nothing more comes: the iterable said so, or failed, and must not be asked again.
    ended: bool,
    closed: bool,
}

enum Content {
    /// Nothing, or nothing any more.
    Empty,
    /// One piece, needing no allocation of its own.
    Buffer(Bytes),
    /// A part of a file, needing none either.
    File(FilePart),
    /// Anything else.
    Boxed(Box<dyn Iterable>),
}

/// What a [`Body`] can be made of: implement it for a body that needs state, a length or a `close` of its own.
pub trait Iterable: Send {
    /// The next piece; empty for "nothing yet", `None` at the end. Not called again after `None` or an error.
    ///
    /// # Errors
    /// Any error aborts the response in a way the client can see.
    fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>>;

    /// The number of bytes still to come, if that is known exactly (PEP-103).
    fn length(&self) -> Option<u64> {
        None
    }

    /// Releases what the body holds; called exactly once, whether or not the body was read to its end.
    fn close(&mut self) {}
}

impl Body {
    /// A body of no bytes.
    pub fn empty() -> Self {
        Body::from_content(Content::Empty, Some(0))
    }

    /// A body of these pieces, each sent by itself.
    pub fn chunks(pieces: Vec<Bytes>) -> Self {
        Body::new(Chunks::new(pieces))
    }

    /// A body of whatever the iterator gives.
    pub fn iter(pieces: impl Iterator<Item = Result<Bytes, AppError>> + Send + 'static) -> Self {
        Body::new(Iter(pieces))
    }

    /// A body read from `reader` to its end, `block_size` bytes at a time; dropping the reader closes it.
    pub fn reader(reader: impl Read + Send + 'static, block_size: usize) -> Self {
        Body::new(Reader::new(reader, block_size))
    }

    /// The rest of an open file, from its current position on; the length is the file's (PEP-197, PEP-198).
    ///
    /// # Errors
    /// When the file's size or position cannot be told.
    pub fn file(file: std::fs::File) -> std::io::Result<Self> {
        Ok(Body::file_part(FilePart::rest(file)?))
    }

    /// A part of an open file. One that shrinks meanwhile is an error, not a short end (HTTP-211); one that grows is cut.
    pub fn file_part(part: FilePart) -> Self {
        let length = part.length();
        Body::from_content(Content::File(part), Some(length))
    }

    /// Takes what is left, if it is a part of a file: no piece comes out any more, and the body is still to be closed.
    ///
    /// Drivers use it, see [`Exchange::take_file`](crate::Exchange::take_file); a body around another hides the file.
    pub(crate) fn take_file(&mut self) -> Option<FilePart> {
        if !matches!(self.content, Content::File(_)) || self.ended {
            return None;
        }
        match std::mem::replace(&mut self.content, Content::Empty) {
            Content::File(part) => Some(part),
            _ => None,
        }
    }

    /// A body of any iterable.
    pub fn new(iterable: impl Iterable + 'static) -> Self {
        let length = iterable.length();
        Body::from_content(Content::Boxed(Box::new(iterable)), length)
    }

    /// A body around another: `wrapper` gives the pieces and is closed first, then `self` is closed (PEP-107).
    ///
    /// The wrapper gets the inner body by value, so it cannot forget it: dropping it closes it.
    ///
    /// # Examples
    /// ```
    /// use gateway_spec::{AppError, Body, Bytes, Iterable};
    /// struct Upper(Body);
    /// impl Iterable for Upper {
    ///     fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
    ///         Some(self.0.next_chunk()?.map(|chunk| chunk.to_ascii_uppercase().into()))
    ///     }
    ///     fn length(&self) -> Option<u64> { self.0.length() }
    ///     fn close(&mut self) { self.0.close() }
    /// }
    /// let mut body = Body::from("loud").wrap(Upper);
    /// assert_eq!(body.next_chunk().transpose()?.unwrap_or_default(), "LOUD");
    /// # Ok::<(), AppError>(())
    /// ```
    #[must_use]
    pub fn wrap<I: Iterable + 'static>(self, wrapper: impl FnOnce(Body) -> I) -> Body {
        Body::new(wrapper(self))
    }

    /// Promises a length in bytes for a body that cannot tell its own.
    #[must_use]
    pub fn with_length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Runs `f` when the body is closed, after what was registered before.
    #[must_use]
    pub fn on_close(mut self, f: impl FnOnce() + Send + 'static) -> Self {
        self.on_close = Some(match self.on_close.take() {
            None => Box::new(f),
            Some(earlier) => Box::new(move || {
                let mut panicked = None;
                attempt(earlier, &mut panicked);
                attempt(f, &mut panicked);
                if let Some(panic) = panicked {
                    resume_unwind(panic);
                }
            }),
        });
        self
    }

    /// The number of bytes the body had when it was made, if that is known exactly.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next piece: empty for "nothing yet", `None` at the end.
    pub fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
        match &mut self.content {
            Content::Empty => None,
            Content::Buffer(bytes) => {
                let bytes = std::mem::take(bytes);
                self.content = Content::Empty;
                Some(Ok(bytes))
            }
            Content::File(_) if self.ended => None,
            Content::File(part) => match part.read_block() {
                Ok(block) if block.is_empty() => None,
                Ok(block) => Some(Ok(block)),
                Err(error) => {
                    self.ended = true;
                    Some(Err(error.into()))
                }
            },
            Content::Boxed(_) if self.ended => None,
            Content::Boxed(iterable) => {
                // Set beforehand, so that a panic counts as an end too.
                self.ended = true;
                let piece = iterable.next_chunk();
                self.ended = !matches!(piece, Some(Ok(_)));
                piece
            }
        }
    }

    /// Closes the body; later calls do nothing, and no piece comes out any more.
    ///
    /// # Panics
    /// If the iterable's `close` or a registered function panics; everything else that is to be done is done first.
    pub fn close(&mut self) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let mut panicked = None;
        if let Content::Boxed(mut iterable) = std::mem::replace(&mut self.content, Content::Empty) {
            attempt(|| iterable.close(), &mut panicked);
            attempt(|| drop(iterable), &mut panicked);
        }
        if let Some(f) = self.on_close.take() {
            attempt(f, &mut panicked);
        }
        // A panic on top of a panic would end the process, and with it everybody else's requests.
        if let Some(panic) = panicked.filter(|_| !std::thread::panicking()) {
            resume_unwind(panic);
        }
    }

    fn from_content(content: Content, length: Option<u64>) -> Self {
        Body { content, length, on_close: None, ended: false, closed: false }
    }
}

/// Runs `f`; the first panic is kept in `panicked`.
fn attempt(f: impl FnOnce(), panicked: &mut Option<Box<dyn Any + Send>>) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
        panicked.get_or_insert(panic);
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.close();
    }
}

impl Iterator for Body {
    type Item = Result<Bytes, AppError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_chunk()
    }
}

impl Default for Body {
    fn default() -> Self {
        Body::empty()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("length", &self.length).field("closed", &self.closed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
