//! What is left of a request body, kept until the application asks for it.
//!
//! Holds bytes in order: a little in memory, the rest in a file without a name, up to a limit. Does not hold the decision when
//! that is needed. Unlike `gateway_cgi::spool` it is read while it is filled, by threads that may block.

use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Kept in memory before a file is made: what a form or a small upload takes. This is the window of a request in memory.
const MAX_MEMORY: usize = 128 * 1024;

/// Longest piece that is read back from the file.
const PIECE: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Spool {
    max_bytes: u64,
    received: u64,
    /// More came than the limit allows, and was dropped.
    is_cut: bool,
    memory: VecDeque<Bytes>,
    in_memory: usize,
    file: Option<File>,
    read: u64,
    written: u64,
}

impl Spool {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self {
            max_bytes,
            received: 0,
            is_cut: false,
            memory: VecDeque::new(),
            in_memory: 0,
            file: None,
            read: 0,
            written: 0,
        }
    }

    /// Keeps this, if all of it fits; else it and what follows is dropped.
    pub(super) fn push(&mut self, data: Bytes) -> io::Result<()> {
        self.received = self.received.saturating_add(data.len() as u64);
        if self.is_cut || self.received > self.max_bytes {
            self.is_cut = true;
            return Ok(());
        }
        if self.file.is_none() && self.in_memory + data.len() <= MAX_MEMORY {
            self.in_memory += data.len();
            self.memory.push_back(data);
            return Ok(());
        }
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile()?),
        };
        file.write_all_at(&data, self.written)?;
        self.written += data.len() as u64;
        Ok(())
    }

    /// Would another `more` bytes need a file?
    pub(super) fn is_full(&self, more: usize) -> bool {
        self.in_memory + more > MAX_MEMORY || self.read < self.written
    }

    /// Would [`Spool::take`] give nothing?
    pub(super) fn is_empty(&self) -> bool {
        self.memory.is_empty() && self.read == self.written && !self.is_cut
    }

    /// The next bytes, at most `max`; none when everything was taken. An error where bytes were dropped.
    pub(super) fn take(&mut self, max: usize) -> io::Result<Bytes> {
        if let Some(first) = self.memory.front_mut() {
            let piece = first.split_to(first.len().min(max));
            self.in_memory -= piece.len();
            if !first.has_remaining() {
                self.memory.pop_front();
            }
            return Ok(piece);
        }
        let left = usize::try_from(self.written - self.read).unwrap_or(usize::MAX);
        if left == 0 && self.is_cut {
            let what = format!("more than {} bytes of the request body came before they were read", self.max_bytes);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
        }
        let mut piece = vec![0; left.min(max).min(PIECE)];
        if let Some(file) = &self.file {
            file.read_exact_at(&mut piece, self.read)?;
        }
        self.read += piece.len() as u64;
        Ok(piece.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_in_order_from_memory_and_file() {
        let all: Vec<u8> = (0..1_000_000_u32).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect();
        let mut spool = Spool::new(u64::MAX);
        let mut got = Vec::new();
        for (number, piece) in all.chunks(30_000).enumerate() {
            spool.push(Bytes::copy_from_slice(piece)).unwrap();
            if number % 5 == 0 {
                got.extend_from_slice(&spool.take(10_000).unwrap());
            }
        }
        assert!(spool.file.is_some());
        loop {
            let piece = spool.take(70_000).unwrap();
            if piece.is_empty() {
                break;
            }
            got.extend_from_slice(&piece);
        }
        assert!(got == all);
    }

    #[test]
    fn past_the_limit_bytes_are_dropped_and_reading_there_is_an_error() {
        let mut spool = Spool::new(400_000);
        for _ in 0..5 {
            spool.push(Bytes::from(vec![7; 100_000])).unwrap();
        }
        let mut got = 0;
        let error = loop {
            match spool.take(70_000) {
                Ok(piece) => got += piece.len(),
                Err(error) => break error,
            }
            assert!(got <= 400_000);
        };
        assert_eq!((got, spool.written), (400_000, 300_000));
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(spool.take(1).is_err(), "it is no end");
    }
}
