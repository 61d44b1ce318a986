//! What waits to be written, and the attempt to write it.
//!
//! Holds bytes and one large chunk, or a part of a file, with what stands behind it. Does not wait.

use super::transport::Transport;
use bytes::{Buf, Bytes};
use gateway_spec::FilePart;
use std::io::{self, IoSlice};

/// Written in this order: bytes, chunk or file, tail. Small chunks are copied among the bytes, so that a small response is one
/// write of one slice; large ones are not copied.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) bytes: Vec<u8>,
    written: usize,
    chunk: Bytes,
    file: Option<FilePart>,
    tail: &'static [u8],
    taken: u64,
}

/// Copying this much costs less than a second slice does.
const COPY_BELOW: usize = 2048;

/// Responses to pipelined requests are gathered up to this size.
const GATHER_BYTES: usize = 32 << 10;

/// So much room is kept from one response to the next: enough for a small one.
const KEPT_BYTES: usize = 4 << 10;

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.chunk.is_empty() && self.tail.is_empty() && self.file.is_none()
    }

    /// Must it be written out before more is put in?
    pub(super) fn is_full(&self) -> bool {
        !self.chunk.is_empty() || !self.tail.is_empty() || self.file.is_some() || self.bytes.len() >= GATHER_BYTES
    }

    /// Puts a chunk and what stands behind it. Nothing may be put in while a large chunk waits.
    pub(super) fn put(&mut self, chunk: Bytes, tail: &'static [u8]) {
        if chunk.len() < COPY_BELOW {
            self.bytes.extend_from_slice(&chunk);
            self.bytes.extend_from_slice(tail);
        } else {
            self.chunk = chunk;
            self.tail = tail;
        }
    }

    /// Puts a part of a file, which is not empty, and what stands behind it. Nothing may be put in while it waits.
    pub(super) fn put_file(&mut self, part: FilePart, tail: &'static [u8]) {
        self.file = Some(part);
        self.tail = tail;
    }

    /// How many bytes the socket has taken so far, in all.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Writes what the socket takes; true when everything is gone.
    pub(super) fn try_flush(&mut self, stream: &Transport) -> io::Result<bool> {
        while !self.is_empty() {
            let bytes = self.bytes.get(self.written..).unwrap_or_default();
            if let (true, Some(part)) = (bytes.is_empty(), &mut self.file) {
                let before = part.length();
                let sent = send_file(stream, part);
                self.taken += before - part.length();
                if !sent? {
                    return Ok(false);
                }
                self.file = None;
                if self.is_empty() {
                    tracing::trace!(target: "gateway::marks", mark = "written");
                }
                continue;
            }
            let attempt = if self.file.is_some() || (self.chunk.is_empty() && self.tail.is_empty()) {
                stream.try_write(bytes)
            } else {
                let slices = [IoSlice::new(bytes), IoSlice::new(&self.chunk), IoSlice::new(self.tail)];
                stream.try_write_vectored(&slices)
            };
            match attempt {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.advance(written);
                    if self.is_empty() {
                        tracing::trace!(target: "gateway::marks", mark = "written");
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        stream.try_flush()
    }

    fn advance(&mut self, written: usize) {
        let of_bytes = written.min(self.bytes.len() - self.written);
        let of_chunk = (written - of_bytes).min(self.chunk.len());
        let of_tail = (written - of_bytes - of_chunk).min(self.tail.len());
        self.written += of_bytes;
        self.taken += written as u64;
        self.chunk.advance(of_chunk);
        self.tail = self.tail.get(of_tail..).unwrap_or_default();
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_BYTES);
            self.written = 0;
        }
        if self.chunk.is_empty() {
            // Lets go of the application's memory as soon as it is sent.
            self.chunk = Bytes::new();
        }
    }
}

/// Sends of a file what the socket takes now; true when that was the rest. One long file is sent in several turns, also to a
/// client that could take it all.
fn send_file(stream: &Transport, part: &mut FilePart) -> io::Result<bool> {
    let mut left = FILE_TURN_BYTES;
    while part.length() > 0 {
        match stream.try_send_file(part) {
            Ok(sent) if sent < left => left -= sent,
            Ok(_) => return Ok(part.length() == 0),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => {
                // HTTP-211: what is missing is not made up, so the connection ends before the response does.
                if error.kind() == io::ErrorKind::UnexpectedEof {
                    tracing::warn!(%error, "response broken off");
                }
                return Err(error);
            }
        }
    }
    Ok(true)
}

/// Some ten milliseconds of a fast network.
const FILE_TURN_BYTES: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_fastcgi::net::Stream;

    /// Whatever the system takes at a time, everything arrives, in order.
    #[tokio::test]
    async fn partial_writes_are_continued() {
        for (bytes, chunk, tail) in [(10, 5_000_000, 2), (0, 3_000_000, 0), (200_000, 0, 0), (0, 5, 2), (7, 2048, 2)] {
            let (sender, receiver) = Stream::pair().unwrap();
            let sender = Transport::from(sender);
            let mut outbox = Outbox::default();
            outbox.bytes.extend(std::iter::repeat_n(b'b', bytes));
            let tail: &'static [u8] = b"\r\n".get(..tail).unwrap();
            outbox.put(Bytes::from(vec![b'c'; chunk]), tail);
            let mut expected = vec![b'b'; bytes];
            expected.extend(std::iter::repeat_n(b'c', chunk));
            expected.extend_from_slice(tail);
            let reading = tokio::spawn(async move {
                let mut received = Vec::new();
                while receiver.read_buf(&mut received).await.unwrap() > 0 {}
                received
            });
            while !outbox.try_flush(&sender).unwrap() {
                sender.writable().await.unwrap();
            }
            assert!(outbox.is_empty());
            drop(sender);
            assert!(reading.await.unwrap() == expected);
        }
    }
}
