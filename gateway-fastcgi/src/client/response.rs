//! What a worker's output means: a CGI header block, then the body (FastCGI 1.0 §6.2).
//!
//! Holds the way from a conversation to the body of a response, and what becomes of the connection when nobody wants the
//! rest. The header block itself is gateway-cgi's.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use gateway_cgi::head::{Decoded, Decoder, HeadError, ProgramHead, ResponseKind};
use gateway_spec::{AppError, BodyStream, Headers};
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use tracing::Instrument as _;

use super::conversation::{Conversation, Said};
use super::{ClientError, Config};

/// The head of an answer.
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: Headers,
    content_length: Option<u64>,
    /// Where the real answer is, if it is at another path here (CGI-108).
    pub(super) local_redirect: Option<String>,
}

impl From<ProgramHead> for Head {
    fn from(head: ProgramHead) -> Self {
        let ProgramHead { status, headers, kind, content_length } = head;
        let local_redirect = match kind {
            ResponseKind::LocalRedirect { target } => Some(target),
            _ => None,
        };
        Self { status, headers, content_length, local_redirect }
    }
}

impl Head {
    /// Leaves a local redirect to the client (CGI-113), which gets at the target what it would have got here.
    ///
    /// In its eyes `//host` would be another server, so such a path is spelled otherwise (CGI-114, RFC 3986 §5.2.4).
    pub(super) fn redirect_the_client(&mut self) {
        let Some(target) = self.local_redirect.take().filter(|target| target.starts_with("//")) else { return };
        if let Ok(target) = HeaderValue::from_str(&format!("/.{target}")) {
            self.headers.remove(LOCATION.as_str());
            self.headers.push(LOCATION, target);
        }
    }
}

/// Waits for the head; returns it with what came of the body behind it.
pub(super) async fn head(conversation: &mut Conversation, config: &Config) -> Result<(Head, Bytes), ClientError> {
    let mut begun = None;
    loop {
        let said = poll_fn(|cx| conversation.poll_said(cx)).await?;
        match decode(said, &mut begun, config) {
            Ok(Some(decoded)) => {
                conversation.head_is_there();
                return Ok(decoded);
            }
            Ok(None) => {}
            Err(error) => {
                conversation.note_nonsense();
                return Err(ClientError::Head(error));
            }
        }
    }
}

/// Goes on with the decoder of a head that has `begun`. Most come in one piece, so there seldom is one.
fn decode(said: Said, begun: &mut Option<Box<Decoder>>, config: &Config) -> Result<Option<(Head, Bytes)>, HeadError> {
    let mut decoder = begun.take().map_or_else(|| Decoder::with_limits(config.head_limits), |decoder| *decoder);
    match said {
        Said::Output(data) => match decoder.receive_shared(&data)? {
            Decoded::Head { head, consumed } => Ok(Some(((*head).into(), data.slice(consumed..)))),
            Decoded::NeedMore => {
                *begun = Some(Box::new(decoder));
                Ok(None)
            }
        },
        // FCGI-110: the output ended inside the header block, or before it.
        Said::End => Err(decoder.end_of_output()),
    }
}

/// The body of an answer as it comes.
///
/// Dropping it before its end closes the connection, which is how a worker learns that nobody wants the rest (FCGI-80).
pub(super) struct ResponseBody {
    /// `None` once the answer is complete or broken.
    conversation: Option<Conversation>,
    /// Pieces that are here; the second only behind the first.
    next: Bytes,
    then: Bytes,
    failed: Option<ClientError>,
    /// What is still to come, if the worker declared it or no body is wanted.
    left: Option<u64>,
}

/// Whether the request was one whose answer has a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyWanted {
    Yes,
    /// Not after HEAD (CGI-73), and not of an answer that another one takes the place of.
    No,
}

impl ResponseBody {
    pub(super) fn new(conversation: Conversation, start: Bytes, head: &Head, wanted: BodyWanted) -> Self {
        let is_bodiless =
            wanted == BodyWanted::No || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let left = if is_bodiless { Some(0) } else { head.content_length };
        let mut body = Self { conversation: Some(conversation), next: start, then: Bytes::new(), failed: None, left };
        body.look_ahead();
        body
    }

    /// As the body of a response.
    pub(super) fn into_stream(mut self) -> BodyStream {
        let is_here = self.conversation.is_none() && self.failed.is_none() && self.then.is_empty();
        if is_here { BodyStream::arrived(std::mem::take(&mut self.next)) } else { BodyStream::new(self) }
    }

    /// Takes what is here already, without reading: often the end, so that the connection is free before the last piece
    /// is written to the client.
    fn look_ahead(&mut self) {
        let Some(conversation) = &mut self.conversation else { return };
        match conversation.said_already() {
            Ok(None) => {}
            Ok(Some(said)) => self.take(said),
            Err(error) => self.fail(error),
        }
    }

    fn take(&mut self, said: Said) {
        match said {
            Said::Output(data) if self.next.is_empty() => self.next = data,
            Said::Output(data) => self.then = data,
            Said::End => {
                if let Some(conversation) = self.conversation.take() {
                    conversation.finish();
                }
            }
        }
    }

    fn fail(&mut self, error: ClientError) {
        self.conversation = None;
        self.failed = Some(error);
    }
}

impl Stream for ResponseBody {
    type Item = Result<Bytes, AppError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if !self.next.is_empty() {
                let then = std::mem::take(&mut self.then);
                let piece = std::mem::replace(&mut self.next, then);
                self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
                self.look_ahead();
                return Poll::Ready(Some(Ok(piece)));
            }
            if let Some(error) = self.failed.take() {
                return Poll::Ready(Some(Err(error.into_app_error())));
            }
            let Some(conversation) = &mut self.conversation else { return Poll::Ready(None) };
            match ready!(conversation.poll_said(cx)) {
                Ok(said) => self.take(said),
                Err(error) => self.fail(error),
            }
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        let Some(mut conversation) = self.conversation.take() else { return };
        // The whole body was had, or none was wanted: only END_REQUEST is missing, which is worth a moment's wait.
        if self.left == Some(0)
            && conversation.is_sent()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // What is written to the error stream behind the body belongs to the request, too.
            runtime.spawn(see_to_the_end(conversation).in_current_span());
        }
    }
}

/// How long the end of an answer is waited for after its last byte, or after the head if no body is wanted.
const MOMENT: Duration = Duration::from_secs(1);

/// How much is read and dropped meanwhile: opening a connection costs less than reading more.
const MAX_DROPPED_BYTES: usize = 1024 * 1024;

/// Reads an answer to its end, so that its connection can be kept.
async fn see_to_the_end(mut conversation: Conversation) {
    let mut dropped = 0;
    let end = async {
        loop {
            match poll_fn(|cx| conversation.poll_said(cx)).await {
                Ok(Said::End) => return true,
                Ok(Said::Output(data)) if dropped < MAX_DROPPED_BYTES => dropped += data.len(),
                Ok(Said::Output(_)) | Err(_) => return false,
            }
        }
    };
    if tokio::time::timeout(MOMENT, end).await == Ok(true) {
        conversation.finish();
    }
}
