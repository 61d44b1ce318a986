//! Records for people: the bytes of one direction of a connection, taken apart and explained.
//!
//! Holds what a record means by itself, the clause that says so, and what is odd about it. [`Layout`] makes lines of text
//! of that. Does not hold the order of records: that is [`crate::connection`]'s, and a caller who drives a machine beside a
//! [`Dump`] knows the offset of what the machine refuses. Does no I/O.
//!
//! # Examples
//! ```
//! use gateway_fastcgi::dump::{Dump, Layout, Side};
//! use std::time::Duration;
//!
//! let mut dump = Dump::new(Side::ToWorker);
//! let begin = [1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0];
//! let entry = dump.receive(&begin).entry.ok_or("a whole record")?;
//! let text = Layout::default().text(&entry, Duration::from_millis(3));
//! assert!(text.starts_with("   3.00 ms → FCGI_BEGIN_REQUEST (1)"), "{text}");
//! assert!(text.contains("§5.1"), "{text}");
//! assert!(text.contains("role RESPONDER (1)"), "{text}");
//! # Ok::<(), &str>(())
//! ```

mod entry;
mod meaning;
mod shown;
#[cfg(test)]
mod tests;
mod text;

pub use entry::{Entry, Meaning, NamedValue, Note};
pub use text::Layout;

use crate::protocol::{HEADER_LENGTH, ProtocolError, RecordHeader};
use meaning::Known;

/// Which way records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// From the gateway.
    ToWorker,
    /// From the application.
    FromWorker,
}

/// Takes one direction of a connection apart, record by record.
///
/// Holds at most one record, and of parameters whose pairs are cut across records no more than [`Dump::MAX_OPEN_BYTES`].
#[derive(Debug)]
pub struct Dump {
    side: Side,
    /// Offset of the record that is arriving.
    at: u64,
    /// What is there of it.
    record: Vec<u8>,
    known: Known,
    /// Bytes came that are no record. Where the next one starts is not known.
    lost: bool,
}

/// What [`Dump::receive`] did.
#[derive(Debug)]
pub struct Received {
    /// Bytes that were taken: never beyond the end of a record.
    pub taken: usize,
    /// The record that ended with them.
    pub entry: Option<Entry>,
}

impl Dump {
    /// Parameters that are held because a pair goes on in the next record: twice what our own worker takes for a request.
    pub const MAX_OPEN_BYTES: usize = 256 * 1024;

    /// So much is kept of what is no record.
    const MAX_GARBAGE: usize = 64 * 1024;

    /// Nothing has been sent yet in this direction.
    pub fn new(side: Side) -> Self {
        Self { side, at: 0, record: Vec::new(), known: Known::default(), lost: false }
    }

    /// Takes bytes up to the end of the record they belong to. To be called again with the rest, as long as there is some.
    pub fn receive(&mut self, bytes: &[u8]) -> Received {
        if self.lost {
            return Received { taken: bytes.len(), entry: None };
        }
        let mut taken = self.take(bytes, HEADER_LENGTH);
        let header = match RecordHeader::decode(&self.record) {
            Err(error) => return self.lose(bytes, taken, error),
            Ok(None) => return Received { taken, entry: None },
            Ok(Some(header)) => header,
        };
        let whole = HEADER_LENGTH + usize::from(header.content_length) + usize::from(header.padding_length);
        taken += self.take(bytes.get(taken..).unwrap_or_default(), whole);
        if self.record.len() < whole {
            return Received { taken, entry: None };
        }
        let content = self.record.split_off(HEADER_LENGTH);
        let content = content.get(..usize::from(header.content_length)).unwrap_or_default();
        let entry = self.known.entry(self.side, self.at, header, content);
        self.at += whole as u64;
        self.record.clear();
        Received { taken, entry: Some(entry) }
    }

    /// What is there of the record that is arriving, which is then forgotten.
    pub fn partial(&mut self) -> Option<Entry> {
        if self.record.is_empty() {
            return None;
        }
        let record = std::mem::take(&mut self.record);
        let header = RecordHeader::decode(&record).ok().flatten();
        let content = record.get(header.map_or(0, |_| HEADER_LENGTH)..).unwrap_or_default();
        let meaning = Meaning::Cut(content.to_vec());
        Some(Entry { side: self.side, at: self.at, header, meaning, faults: Vec::new(), notes: Vec::new() })
    }

    /// Nothing more will come: the record that was cut, if one was (FCGI-34).
    pub fn end(&mut self) -> Option<Entry> {
        let mut cut = self.partial()?;
        cut.faults.push(ProtocolError::Truncated { inside: "record" });
        Some(cut)
    }

    /// Offset of the record that is arriving, in bytes from the start of this direction.
    pub fn offset(&self) -> u64 {
        self.at
    }

    /// Appends up to a length of the record and says how much that was.
    fn take(&mut self, bytes: &[u8], until: usize) -> usize {
        let wanted = until.saturating_sub(self.record.len()).min(bytes.len());
        self.record.extend_from_slice(bytes.get(..wanted).unwrap_or_default());
        wanted
    }

    /// What came is no record, and nothing that follows can be understood (FCGI-20).
    fn lose(&mut self, bytes: &[u8], taken: usize, error: ProtocolError) -> Received {
        self.lost = true;
        let mut garbage = std::mem::take(&mut self.record);
        let rest = bytes.get(taken..).unwrap_or_default();
        garbage.extend_from_slice(rest.get(..Self::MAX_GARBAGE).unwrap_or(rest));
        let entry = Entry {
            side: self.side,
            at: self.at,
            header: None,
            meaning: Meaning::Garbage(garbage),
            faults: vec![error],
            notes: Vec::new(),
        };
        Received { taken: bytes.len(), entry: Some(entry) }
    }
}
