//! Cuts a byte stream into records and lets their contents out as they come.
//!
//! Holds the bytes that have no meaning yet: at most a header, or a body of fixed size. Contents of streams are handed out
//! at once, as slices of the bytes read. Does not know which record may come.

use crate::protocol::{HEADER_LENGTH, ProtocolError, RecordHeader};
use bytes::{Buf, BytesMut};

/// The input side of both machines.
#[derive(Debug, Default)]
pub(super) struct RecordReader {
    buffer: BytesMut,
    current: Option<Current>,
    padding: usize,
    records: u32,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    header: RecordHeader,
    left: usize,
}

impl RecordReader {
    /// The buffer to read into, with at least `room` spare bytes.
    pub(super) fn input(&mut self, room: usize) -> &mut BytesMut {
        self.buffer.reserve(room);
        &mut self.buffer
    }

    /// Appends bytes from the peer.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The header of the record whose content comes next; the same one until its content was taken.
    pub(super) fn header(&mut self) -> Result<Option<RecordHeader>, ProtocolError> {
        if let Some(current) = self.current {
            return Ok(Some(current.header));
        }
        let skipped = self.padding.min(self.buffer.len());
        self.buffer.advance(skipped);
        self.padding -= skipped;
        if self.padding > 0 {
            return Ok(None);
        }
        let Some(header) = RecordHeader::decode(&self.buffer)? else { return Ok(None) };
        self.buffer.advance(HEADER_LENGTH);
        self.current = Some(Current { header, left: usize::from(header.content_length) });
        Ok(Some(header))
    }

    /// Content of the current record that was not taken yet.
    pub(super) fn content_left(&self) -> usize {
        self.current.map_or(0, |current| current.left)
    }

    /// What is there of the current record's content; `None` while nothing is. The last piece ends the record.
    pub(super) fn piece(&mut self) -> Option<BytesMut> {
        let current = self.current.as_mut()?;
        let length = current.left.min(self.buffer.len());
        if length == 0 && current.left > 0 {
            return None;
        }
        current.left -= length;
        let piece = self.buffer.split_to(length);
        if current.left == 0 {
            self.end_record();
        }
        Some(piece)
    }

    /// The whole content of the current record, once it is there. Ends the record.
    pub(super) fn whole(&mut self) -> Option<BytesMut> {
        if self.buffer.len() < self.content_left() { None } else { self.piece() }
    }

    /// Drops what is there of the current record's content.
    pub(super) fn skip(&mut self) -> Skipped {
        let Some(current) = self.current.as_mut() else { return Skipped { bytes: 0, ended: true } };
        let bytes = current.left.min(self.buffer.len());
        current.left -= bytes;
        self.buffer.advance(bytes);
        let ended = current.left == 0;
        if ended {
            self.end_record();
        }
        Skipped { bytes, ended }
    }

    fn end_record(&mut self) {
        if let Some(current) = self.current.take() {
            self.padding = usize::from(current.header.padding_length);
            self.records = self.records.saturating_add(1);
        }
    }

    /// Drops everything that has no meaning yet.
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
    }

    /// Records that have ended so far.
    pub(super) fn records(&self) -> u32 {
        self.records
    }

    /// Would the end of the connection cut a record here?
    pub(super) fn is_within_record(&self) -> bool {
        self.current.is_some() || self.padding > 0 || !self.buffer.is_empty()
    }

    /// Bytes held back.
    pub(super) fn buffered(&self) -> usize {
        self.buffer.len()
    }
}

/// What [`RecordReader::skip`] did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Skipped {
    pub(super) bytes: usize,
    pub(super) ended: bool,
}
