//! The ready-made iterables behind a body: pieces, an iterator, a reader.

use std::io::{ErrorKind, Read};

use bytes::{Bytes, BytesMut};

use super::Iterable;
use crate::AppError;

/// Pieces that are all there.
pub(super) struct Chunks(std::vec::IntoIter<Bytes>);

impl Chunks {
    pub(super) fn new(pieces: Vec<Bytes>) -> Self {
        Chunks(pieces.into_iter())
    }
}

impl Iterable for Chunks {
    fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
        self.0.next().map(Ok)
    }

    fn length(&self) -> Option<u64> {
        Some(self.0.as_slice().iter().map(|piece| piece.len() as u64).sum())
    }

    fn close(&mut self) {
        self.0 = Vec::new().into_iter();
    }
}

/// Whatever an iterator gives.
pub(super) struct Iter<I>(pub(super) I);

impl<I: Iterator<Item = Result<Bytes, AppError>> + Send> Iterable for Iter<I> {
    fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
        self.0.next()
    }
}

/// Whatever a reader gives, until it gives nothing.
pub(super) struct Reader<R> {
    reader: R,
    buffer: BytesMut,
    block_size: usize,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(reader: R, block_size: usize) -> Self {
        Reader { reader, buffer: BytesMut::new(), block_size: block_size.max(1) }
    }
}

impl<R: Read + Send> Iterable for Reader<R> {
    fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
        self.buffer.resize(self.block_size, 0);
        loop {
            match self.reader.read(&mut self.buffer) {
                Ok(0) => return None,
                Ok(len) => return Some(Ok(self.buffer.split_to(len).freeze())),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}
