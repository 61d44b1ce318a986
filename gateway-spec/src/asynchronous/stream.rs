//! The two streams of an asynchronous exchange: the request body coming in, the response body going out.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;

use crate::{AppError, FilePart, InputError};

/// The request body of an asynchronous application: a stream that ends where the body ends.
///
/// # Examples
/// ```
/// use gateway_spec::{Bytes, InputStream};
/// let input = InputStream::from(Bytes::from_static(b"name=Ada"));
/// assert_eq!(input.length(), Some(8));
/// ```
pub struct InputStream {
    arrived: Bytes,
    source: Option<Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>>,
    declared: Option<u64>,
    taken: u64,
}

impl InputStream {
    /// No body.
    pub fn empty() -> Self {
        InputStream::from(Bytes::new())
    }

    /// A body that arrives from `source`, of the given length in bytes or, with `None`, until the stream ends.
    pub fn new(source: impl Stream<Item = io::Result<Bytes>> + Send + 'static, length: Option<u64>) -> Self {
        InputStream { arrived: Bytes::new(), source: Some(Box::pin(source)), declared: length, taken: 0 }
    }

    /// The length in bytes, `None` if only the end will tell.
    pub fn length(&self) -> Option<u64> {
        self.declared
    }

    /// The next piece, `None` at the end.
    ///
    /// # Errors
    /// As for [`Input`](crate::Input).
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
        poll_fn(|cx| self.poll_next_piece(cx)).await
    }

    /// Everything that is left, but at most `limit` bytes.
    ///
    /// # Errors
    /// [`InputError::TooLong`] past the limit; else as for [`Input`](crate::Input).
    pub async fn read_all(&mut self, limit: usize) -> io::Result<Bytes> {
        let mut all = bytes::BytesMut::new();
        while let Some(piece) = self.next().await {
            let piece = piece?;
            if all.len() + piece.len() > limit {
                return Err(InputError::TooLong { limit }.into());
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }

    /// The body as the body of a response.
    pub fn into_body(self) -> BodyStream {
        let length = self.declared.map(|declared| declared.saturating_sub(self.taken));
        let body = BodyStream::new(IntoBody(self));
        match length {
            Some(length) => body.with_length(length),
            None => body,
        }
    }

    /// Polls for the next piece; empty pieces of the source are passed over.
    fn poll_next_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            let left = self.declared.map_or(u64::MAX, |declared| declared.saturating_sub(self.taken));
            if left == 0 {
                return Poll::Ready(None);
            }
            let mut piece = std::mem::take(&mut self.arrived);
            if piece.is_empty() {
                piece = match ready!(self.poll_source(cx)) {
                    Some(piece) => piece?,
                    None => return Poll::Ready(self.ended().map(Err)),
                };
            }
            piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            self.taken += piece.len() as u64;
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(piece)));
            }
        }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        match &mut self.source {
            Some(source) => source.as_mut().poll_next(cx),
            None => Poll::Ready(None),
        }
    }

    /// The source is at its end: the error if that is too early (HTTP-86).
    fn ended(&mut self) -> Option<io::Error> {
        self.source = None;
        let declared = self.declared.filter(|declared| *declared > self.taken)?;
        Some(InputError::Incomplete { declared, received: self.taken }.into())
    }
}

impl From<Bytes> for InputStream {
    fn from(bytes: Bytes) -> Self {
        InputStream { declared: Some(bytes.len() as u64), arrived: bytes, source: None, taken: 0 }
    }
}

impl Stream for InputStream {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_next_piece(cx)
    }
}

impl fmt::Debug for InputStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputStream")
            .field("length", &self.declared)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

struct IntoBody(InputStream);

impl Stream for IntoBody {
    type Item = Result<Bytes, AppError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_piece(cx).map(|piece| piece.map(|piece| piece.map_err(AppError::from)))
    }
}

/// The response body of an asynchronous application. Dropping it is its `close`.
///
/// # Examples
/// ```
/// use gateway_spec::BodyStream;
/// assert_eq!(BodyStream::from("Hello").length(), Some(5));
/// ```
pub struct BodyStream {
    content: Content,
    length: Option<u64>,
    head_at_once: bool,
}

enum Content {
    Buffer(Bytes),
    File(FilePart),
    Boxed(Pin<Box<dyn Stream<Item = Result<Bytes, AppError>> + Send>>),
}

impl BodyStream {
    /// A body of no bytes.
    pub fn empty() -> Self {
        BodyStream::from(Bytes::new())
    }

    /// A body that is here already but was not announced: other than one that is made [`From`] bytes, it promises no length, so its
    /// response is delimited as that of a stream is.
    ///
    /// # Examples
    /// ```
    /// use gateway_spec::BodyStream;
    /// assert_eq!(BodyStream::arrived("Hello".into()).length(), None);
    /// ```
    pub fn arrived(bytes: Bytes) -> Self {
        BodyStream { content: Content::Buffer(bytes), length: None, head_at_once: false }
    }

    /// A body of whatever the stream gives.
    pub fn new(stream: impl Stream<Item = Result<Bytes, AppError>> + Send + 'static) -> Self {
        BodyStream { content: Content::Boxed(Box::pin(stream)), length: None, head_at_once: false }
    }

    /// A part of an open file.
    ///
    /// A gateway that can sends it without reading it. Where it is read, whoever polls waits for the disk: this is for files
    /// of this machine, not for what may be far away. A file that shrinks meanwhile is an error (HTTP-211).
    pub fn file(part: FilePart) -> Self {
        BodyStream { length: Some(part.length()), content: Content::File(part), head_at_once: false }
    }

    /// Takes what is left, if it is a part of a file; nothing comes out any more then.
    pub(crate) fn take_file(&mut self) -> Option<FilePart> {
        if !matches!(self.content, Content::File(_)) {
            return None;
        }
        match std::mem::replace(&mut self.content, Content::Buffer(Bytes::new())) {
            Content::File(part) => Some(part),
            Content::Buffer(_) | Content::Boxed(_) => None,
        }
    }

    /// Promises a length in bytes.
    #[must_use]
    pub fn with_length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Lets the head go out while nothing of the body is there yet. By default it waits for the first piece, so that a body that
    /// fails at once can still be an error page; an application that passes on what another server says, or sends events as
    /// they happen, knows its head to be right.
    #[must_use]
    pub fn head_at_once(mut self) -> Self {
        self.head_at_once = true;
        self
    }

    /// Whether [`BodyStream::head_at_once`] was said.
    pub(crate) fn is_head_at_once(&self) -> bool {
        self.head_at_once
    }

    /// The number of bytes the body had when it was made, if that is known exactly.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next piece, `None` at the end.
    ///
    /// # Errors
    /// The application's.
    pub async fn next(&mut self) -> Option<Result<Bytes, AppError>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for BodyStream {
    type Item = Result<Bytes, AppError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.content {
            Content::Buffer(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Buffer(bytes) => Poll::Ready(Some(Ok(std::mem::take(bytes)))),
            Content::File(part) => Poll::Ready(match part.read_block() {
                Ok(block) if block.is_empty() => None,
                Ok(block) => Some(Ok(block)),
                Err(error) => Some(Err(error.into())),
            }),
            Content::Boxed(stream) => stream.as_mut().poll_next(cx),
        }
    }
}

impl<T: Into<Bytes>> From<T> for BodyStream {
    fn from(bytes: T) -> Self {
        let bytes = bytes.into();
        BodyStream { length: Some(bytes.len() as u64), content: Content::Buffer(bytes), head_at_once: false }
    }
}

impl fmt::Debug for BodyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyStream").field("length", &self.length).finish_non_exhaustive()
    }
}
