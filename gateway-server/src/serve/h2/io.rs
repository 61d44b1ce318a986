//! A transport as the crate `h2` wants it: polled.

use super::super::transport::Transport;
use bytes::{Buf, Bytes, BytesMut};
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One connection, read and written by one task.
pub(super) struct Io {
    transport: Arc<Transport>,
    /// What was read before, or more than was asked for.
    here: BytesMut,
}

/// One frame of the usual size and its head.
const READ_ROOM: usize = 17 << 10;

impl Io {
    pub(super) fn new(transport: Arc<Transport>, early: Bytes) -> Self {
        Self { transport, here: early.into() }
    }

    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&Transport) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match attempt(&self.transport) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => ready!(self.transport.poll_write_ready(cx))?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.here.is_empty() {
            this.here.reserve(READ_ROOM);
            match this.transport.try_read_buf(&mut this.here) {
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(_) => break,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    // A connection that waits holds no buffer.
                    this.here = BytesMut::new();
                    ready!(this.transport.poll_read_ready(cx))?;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
        let length = this.here.len().min(buffer.remaining());
        buffer.put_slice(this.here.get(..length).unwrap_or_default());
        this.here.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |transport| transport.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |transport| transport.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.transport.poll_flush(cx))?;
        Poll::Ready(self.transport.shutdown_write())
    }
}
