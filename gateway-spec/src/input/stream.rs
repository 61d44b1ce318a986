//! What is left of a request body, and where more of it comes from.
//!
//! Holds the rules about its length. Does not hold the ways to read it ([`Input`]).

use std::io::{self, Read};

use bytes::{Buf, Bytes, BytesMut};

use super::{Input, InputError, InputSource};

/// A body.
pub(super) struct Stream {
    pub(super) buffer: Bytes,
    pub(super) source: Option<Box<dyn InputSource>>,
    pub(super) declared: Option<u64>,
    pub(super) taken: u64,
}

impl Stream {
    pub(super) fn consume(&mut self, amount: usize) {
        let amount = amount.min(self.buffer.len());
        self.taken += amount as u64;
        self.buffer.advance(amount);
    }

    /// Makes sure that the buffer holds something, unless the body has ended. Never asks for more than the body has.
    pub(super) fn fill(&mut self, max: usize) -> io::Result<()> {
        let left = self.declared.map_or(u64::MAX, |declared| declared.saturating_sub(self.taken));
        if left < self.buffer.len() as u64 {
            self.buffer.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        }
        if !self.buffer.is_empty() || left == 0 {
            return Ok(());
        }
        let ask = usize::try_from(left).unwrap_or(usize::MAX).min(max);
        self.buffer = match &mut self.source {
            Some(source) => source.read_chunk(ask)?,
            None => Bytes::new(),
        };
        // A source that gives more than it was asked for must not smuggle the next request in (PEP-44).
        self.buffer.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        if !self.buffer.is_empty() {
            return Ok(());
        }
        self.source = None;
        match self.declared {
            Some(declared) => Err(InputError::Incomplete { declared, received: self.taken }.into()),
            None => Ok(()),
        }
    }

    pub(super) fn take(&mut self, len: usize) -> Bytes {
        self.taken += len as u64;
        self.buffer.split_to(len)
    }
}

pub(super) struct ReaderSource<R> {
    pub(super) reader: R,
    pub(super) buffer: BytesMut,
}

impl<R: Read + Send> InputSource for ReaderSource<R> {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        // Room for what one read may bring, never for what the client declared (CGI-156).
        self.buffer.resize(max.min(Input::CHUNK), 0);
        loop {
            match self.reader.read(&mut self.buffer) {
                Ok(len) => return Ok(self.buffer.split_to(len).freeze()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
