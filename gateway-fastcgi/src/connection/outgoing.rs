//! Records on their way out: framing in one buffer, long contents untouched between its parts.
//!
//! Holds bytes to be written, in order, as a [`Buf`] whose slices go into one vectored write. Does not decide what is sent.

use super::Parameters;
use crate::protocol::{Content, RecordHeader, RecordType, RequestId};
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::IoSlice;

/// Most content per record that is cut here: the largest multiple of 8, so that cut streams need no padding (FCGI-23).
pub(super) const MAX_PIECE: usize = 65_528;

/// Contents up to here are copied beside their header: cheaper than one more slice in the system call.
const COPY_UP_TO: usize = 2048;

/// Room that an empty buffer keeps.
const KEEP_CAPACITY: usize = 64 * 1024;

/// Bytes that a machine wants written.
///
/// Read it as a [`Buf`]: write [`Buf::chunks_vectored`], then [`Buf::advance`] by what the socket took. The machine may append
/// in between; whoever wants bounded memory appends only when [`Buf::has_remaining`] is false.
#[derive(Debug, Default)]
pub struct Outgoing {
    buffer: Vec<u8>,
    /// Written bytes of `buffer`.
    written: usize,
    /// Contents that stand between the bytes of `buffer`, each with the place before which it stands.
    contents: VecDeque<(usize, Bytes)>,
    content_bytes: usize,
}

impl Outgoing {
    /// One record with its content copied.
    pub(super) fn record(&mut self, kind: RecordType, id: u16, content: Content<'_>) {
        self.header(RecordHeader::new(kind, id, content.length()));
        self.buffer.extend_from_slice(content.bytes());
    }

    /// The empty record that ends a stream; padding 0, because php-fpm would not read any (FCGI-46).
    pub(super) fn end_stream(&mut self, kind: RecordType, id: RequestId) {
        self.header(RecordHeader::new(kind, id.get(), 0));
    }

    /// Records of a stream with `data`; nothing if it is empty, since an empty record would end the stream.
    pub(super) fn stream(&mut self, kind: RecordType, id: RequestId, mut data: Bytes) {
        while !data.is_empty() {
            let piece = data.split_to(data.len().min(MAX_PIECE));
            self.stream_record(kind, id, &[], piece);
        }
    }

    /// As [`Outgoing::stream`] for `head` and `body` behind each other; in one record when both fit.
    pub(super) fn stream_parts(&mut self, kind: RecordType, id: RequestId, head: &[u8], body: Bytes) {
        if head.len() + body.len() <= MAX_PIECE {
            if head.len() + body.len() > 0 {
                self.stream_record(kind, id, head, body);
            }
            return;
        }
        for piece in head.chunks(MAX_PIECE) {
            self.stream_record(kind, id, piece, Bytes::new());
        }
        self.stream(kind, id, body);
    }

    /// One record of at most `MAX_PIECE` bytes.
    fn stream_record(&mut self, kind: RecordType, id: RequestId, head: &[u8], body: Bytes) {
        let length = u16::try_from(head.len() + body.len()).unwrap_or(u16::MAX);
        let header = RecordHeader::new(kind, id.get(), length).aligned();
        // With room for the records that end a stream and a request, so that a new buffer grows once.
        self.buffer.reserve(head.len() + body.len().min(COPY_UP_TO) + 64);
        self.header(header);
        self.buffer.extend_from_slice(head);
        if body.len() <= COPY_UP_TO {
            self.buffer.extend_from_slice(&body);
        } else {
            self.content_bytes += body.len();
            self.contents.push_back((self.buffer.len(), body));
        }
        self.padding(header);
    }

    /// PARAMS records with whole pairs only (FCGI-45), and the one that ends the stream.
    pub(super) fn params(&mut self, id: RequestId, parameters: &Parameters) {
        for content in parameters.records() {
            self.stream_record(RecordType::PARAMS, id, content, Bytes::new());
        }
        self.end_stream(RecordType::PARAMS, id);
    }

    fn header(&mut self, header: RecordHeader) {
        self.buffer.extend_from_slice(&header.encode());
    }

    fn padding(&mut self, header: RecordHeader) {
        self.buffer.resize(self.buffer.len() + usize::from(header.padding_length), 0);
    }

    /// Forgets written bytes, so that a buffer that never runs empty does not grow for ever.
    fn compact(&mut self) {
        if self.written == self.buffer.len() && self.contents.is_empty() {
            self.buffer.clear();
            self.buffer.shrink_to(KEEP_CAPACITY);
            self.written = 0;
        } else if self.written >= KEEP_CAPACITY {
            self.buffer.drain(..self.written);
            for (place, _) in &mut self.contents {
                *place -= self.written;
            }
            self.written = 0;
        }
    }
}

impl Buf for Outgoing {
    fn remaining(&self) -> usize {
        self.buffer.len() - self.written + self.content_bytes
    }

    fn chunk(&self) -> &[u8] {
        match self.contents.front() {
            Some((place, content)) if *place == self.written => content,
            Some((place, _)) => self.buffer.get(self.written..*place).unwrap_or_default(),
            None => self.buffer.get(self.written..).unwrap_or_default(),
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut from = self.written;
        let framing = |from: usize, to: usize| self.buffer.get(from..to).unwrap_or_default();
        let parts = self.contents.iter().flat_map(|(place, content)| {
            let before = framing(from, *place);
            from = *place;
            [before, content]
        });
        let last = self.contents.back().map_or(self.written, |(place, _)| *place);
        let parts = parts.chain([framing(last, self.buffer.len())]).filter(|part| !part.is_empty());
        let mut filled = 0;
        for (slot, part) in slices.iter_mut().zip(parts) {
            *slot = IoSlice::new(part);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining(), "advanced past the end of the output");
        while count > 0 {
            let step = self.chunk().len().min(count);
            count -= step;
            match self.contents.front_mut() {
                Some((place, content)) if *place == self.written => {
                    content.advance(step);
                    self.content_bytes -= step;
                    if content.is_empty() {
                        self.contents.pop_front();
                    }
                }
                _ => self.written += step,
            }
        }
        self.compact();
    }
}
