//! Cuts a byte stream into records and lets their contents out as they come.
//!
//! Holds the bytes that have no meaning yet: at most a header, or a body of fixed size. Contents of streams are handed out
//! at once, as slices of the bytes read. Does not know which record may come.

use crate::protocol::{HEADER_LENGTH, ProtocolError, RecordHeader};
use bytes::{Buf, Bytes, BytesMut};

/// The input side of both machines.
#[derive(Debug, Default)]
pub(super) struct RecordReader {
    /// What has come as it is, before what is in the buffer.
    shared: Bytes,
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

    /// [`RecordReader::receive`] for bytes that can be handed on: they are copied only where something lies here before them.
    pub(super) fn receive_shared(&mut self, bytes: Bytes) {
        if self.buffered() == 0 {
            self.shared = bytes;
        } else {
            self.receive(&bytes);
        }
    }

    /// Has all that is here in the buffer, for whoever wants it in one piece.
    #[inline]
    fn settle(&mut self) {
        if !self.shared.is_empty() {
            self.join();
        }
    }

    #[cold]
    fn join(&mut self) {
        let behind = std::mem::take(&mut self.buffer);
        self.buffer.extend_from_slice(&std::mem::take(&mut self.shared));
        self.buffer.extend_from_slice(&behind);
    }

    /// The header of the record whose content comes next; the same one until its content was taken.
    pub(super) fn header(&mut self) -> Result<Option<RecordHeader>, ProtocolError> {
        if let Some(current) = self.current {
            return Ok(Some(current.header));
        }
        // Both lie in one piece, unless it has just ended.
        if self.shared.len() < self.padding + HEADER_LENGTH {
            self.settle();
        }
        let header = match self.shared.is_empty() {
            true => next_header(&mut self.buffer, &mut self.padding),
            false => next_header(&mut self.shared, &mut self.padding),
        };
        let Some(header) = header? else { return Ok(None) };
        self.current = Some(Current { header, left: usize::from(header.content_length) });
        Ok(Some(header))
    }

    /// Content of the current record that was not taken yet.
    pub(super) fn content_left(&self) -> usize {
        self.current.map_or(0, |current| current.left)
    }

    /// What is there of the current record's content; `None` while nothing is. The last piece ends the record.
    pub(super) fn piece(&mut self) -> Option<BytesMut> {
        self.settle();
        let current = self.current.as_mut()?;
        let length = current.left.min(self.buffer.len());
        if length == 0 && current.left > 0 {
            return None;
        }
        current.left -= length;
        // The ends of streams have nothing to be cut off.
        let piece = if length == 0 { BytesMut::new() } else { self.buffer.split_to(length) };
        if current.left == 0 {
            self.end_record();
        }
        Some(piece)
    }

    /// [`RecordReader::piece`] for who only hands it on.
    pub(super) fn piece_of_stream(&mut self) -> Option<Bytes> {
        if self.shared.is_empty() {
            return self.piece().map(BytesMut::freeze);
        }
        let current = self.current.as_mut()?;
        let piece = self.shared.split_to(current.left.min(self.shared.len()));
        current.left -= piece.len();
        if current.left == 0 {
            self.end_record();
        }
        Some(piece)
    }

    /// The whole content of the current record, once it is there. Ends the record.
    pub(super) fn whole(&mut self) -> Option<BytesMut> {
        if self.buffered() < self.content_left() { None } else { self.piece() }
    }

    /// [`RecordReader::whole`] of a record that always has 8 bytes of content; more or less is refused before any of it is waited for.
    pub(super) fn fixed(&mut self, header: RecordHeader) -> Result<Option<[u8; 8]>, ProtocolError> {
        if header.content_length != 8 {
            return Err(ProtocolError::BodyLength { kind: header.kind, length: usize::from(header.content_length) });
        }
        self.settle();
        let mut content = [0; 8];
        if self.buffer.try_copy_to_slice(&mut content).is_err() {
            return Ok(None);
        }
        self.end_record();
        Ok(Some(content))
    }

    /// Drops what is there of the current record's content.
    pub(super) fn skip(&mut self) -> Skipped {
        self.settle();
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
        self.shared = Bytes::new();
        self.buffer.clear();
    }

    /// Records that have ended so far.
    pub(super) fn records(&self) -> u32 {
        self.records
    }

    /// Would the end of the connection cut a record here?
    pub(super) fn is_within_record(&self) -> bool {
        self.current.is_some() || self.padding > 0 || self.buffered() > 0
    }

    /// Bytes held back.
    pub(super) fn buffered(&self) -> usize {
        self.shared.len() + self.buffer.len()
    }
}

/// Takes what is left of the padding and a header from the front of `bytes`, if all of it is there.
#[inline]
fn next_header(bytes: &mut impl Buf, padding: &mut usize) -> Result<Option<RecordHeader>, ProtocolError> {
    let skipped = (*padding).min(bytes.remaining());
    bytes.advance(skipped);
    *padding -= skipped;
    if *padding > 0 {
        return Ok(None);
    }
    let header = RecordHeader::decode(bytes.chunk())?;
    if header.is_some() {
        bytes.advance(HEADER_LENGTH);
    }
    Ok(header)
}

/// What [`RecordReader::skip`] did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Skipped {
    pub(super) bytes: usize,
    pub(super) ended: bool,
}
