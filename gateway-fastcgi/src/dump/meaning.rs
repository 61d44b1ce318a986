//! What a record means by itself, and what it breaks (FastCGI 1.0 §3.3 to §5.5).
//!
//! Holds what has to be remembered from one record to the next: the start of a pair, and which STDOUT is open. Does not
//! hold the order of records.

use std::collections::{BTreeMap, BTreeSet};

use super::{Dump, Entry, Meaning, NamedValue, Note, Side};
use crate::protocol::{
    BeginRequest, EndRequest, Pair, PairError, PairLimits, ProtocolError, RecordHeader, RecordType, UnknownType,
};

/// The flag that the specification has, FCGI_KEEP_CONN.
const KNOWN_FLAGS: u8 = 1;

/// What earlier records of the same direction say about the next.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By request, the start of a pair whose rest has not come.
    open_pairs: BTreeMap<u16, Vec<u8>>,
    open_bytes: usize,
    /// Requests that have written to STDOUT and not ended it.
    open_stdout: BTreeSet<u16>,
}

/// What is found out about one record.
struct Finding {
    meaning: Meaning,
    faults: Vec<ProtocolError>,
    notes: Vec<Note>,
}

impl Known {
    pub(super) fn entry(&mut self, side: Side, at: u64, header: RecordHeader, content: &[u8]) -> Entry {
        let mut found = self.meaning(header, content);
        if header.kind.is_known() {
            if !goes(header.kind, side) {
                found.faults.push(ProtocolError::WrongDirection { kind: header.kind });
            }
            match (is_management(header.kind), header.id) {
                (false, 0) => found.faults.push(ProtocolError::NullRequestId { kind: header.kind }),
                (true, 1..) => found.notes.push(Note::ManagementId),
                _ => {}
            }
        } else {
            found.notes.push(Note::Type);
        }
        if header.content_length.checked_add(u16::from(header.padding_length)).is_none() {
            found.notes.push(Note::Long);
        }
        if header.content_length == 0 && header.padding_length > 0 {
            found.notes.push(Note::PaddedEnd);
        }
        let Finding { meaning, faults, notes } = found;
        Entry { side, at, header: Some(header), meaning, faults, notes }
    }

    fn meaning(&mut self, header: RecordHeader, content: &[u8]) -> Finding {
        let (mut faults, mut notes) = (Vec::new(), Vec::new());
        // A body of the wrong size is shown as it is.
        let mut fixed = |decoded: Result<Meaning, ProtocolError>| {
            decoded.unwrap_or_else(|fault| {
                faults.push(fault);
                Meaning::Opaque(content.to_vec())
            })
        };
        let meaning = match header.kind {
            RecordType::BEGIN_REQUEST => {
                let flags = content.get(2).copied().unwrap_or_default();
                if flags & !KNOWN_FLAGS != 0 {
                    notes.push(Note::Flags(flags));
                }
                fixed(BeginRequest::decode(content).map(|begin| Meaning::Begin { begin, flags }))
            }
            RecordType::ABORT_REQUEST => Meaning::Abort,
            RecordType::END_REQUEST => {
                if self.open_stdout.remove(&header.id) {
                    notes.push(Note::NoStdoutEnd);
                }
                fixed(EndRequest::decode(content).map(Meaning::End))
            }
            RecordType::UNKNOWN_TYPE => {
                fixed(UnknownType::decode(content).map(|UnknownType(kind)| Meaning::UnknownType(kind)))
            }
            RecordType::GET_VALUES | RecordType::GET_VALUES_RESULT => {
                let List { pairs, rest, fault } = pairs(content);
                faults.extend(fault.or_else(|| (rest > 0).then(|| cut(content.len() - rest))));
                Meaning::Pairs(pairs)
            }
            RecordType::PARAMS => return self.params(header.id, content),
            RecordType::STDIN | RecordType::STDOUT | RecordType::STDERR | RecordType::DATA => {
                self.note_stdout(header);
                if content.is_empty() { Meaning::StreamEnd } else { Meaning::Stream(content.to_vec()) }
            }
            _ => Meaning::Opaque(content.to_vec()),
        };
        Finding { meaning, faults, notes }
    }

    /// Bytes of pairs that go on.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.open_pairs.values().map(Vec::len).sum()
    }

    fn note_stdout(&mut self, header: RecordHeader) {
        if header.kind == RecordType::STDOUT {
            if header.content_length == 0 {
                self.open_stdout.remove(&header.id);
            } else {
                self.open_stdout.insert(header.id);
            }
        }
    }

    /// A piece of the parameter stream: pairs may go on from one record to the next (FCGI-27).
    fn params(&mut self, id: u16, content: &[u8]) -> Finding {
        let mut stream = self.open_pairs.remove(&id).unwrap_or_default();
        self.open_bytes = self.open_bytes.saturating_sub(stream.len());
        if content.is_empty() {
            // The whole list was cut here, wherever it began.
            let faults = if stream.is_empty() { Vec::new() } else { vec![cut(0)] };
            return Finding { meaning: Meaning::StreamEnd, faults, notes: Vec::new() };
        }
        stream.extend_from_slice(content);
        let List { pairs, rest, fault } = pairs(&stream);
        let (mut faults, mut notes) = (Vec::from_iter(fault), Vec::new());
        if faults.is_empty() && rest > 0 {
            if self.open_bytes + rest > Dump::MAX_OPEN_BYTES {
                faults.push(ProtocolError::ParamsTooLong { limit: Dump::MAX_OPEN_BYTES });
            } else {
                notes.push(Note::OpenPair(rest.min(content.len())));
                self.open_bytes += rest;
                self.open_pairs.insert(id, stream.split_off(stream.len() - rest));
            }
        }
        Finding { meaning: Meaning::Pairs(pairs), faults, notes }
    }
}

/// A list of pairs as far as it goes.
struct List {
    pairs: Vec<NamedValue>,
    /// Bytes at its end that are no whole pair.
    rest: usize,
    fault: Option<ProtocolError>,
}

fn pairs(list: &[u8]) -> List {
    let longest = u32::try_from(Dump::MAX_OPEN_BYTES).unwrap_or(u32::MAX);
    let limits = PairLimits { max_name_bytes: longest, max_value_bytes: longest, max_pairs: u32::MAX };
    let (mut pairs, mut rest) = (Vec::new(), list);
    loop {
        match Pair::decode(rest, &limits) {
            Ok(Some((pair, taken))) => {
                pairs.push(NamedValue { name: pair.name().to_vec(), value: pair.value().to_vec() });
                rest = rest.get(taken..).unwrap_or_default();
            }
            Ok(None) => return List { pairs, rest: rest.len(), fault: None },
            Err(error) => return List { pairs, rest: rest.len(), fault: Some(error.into()) },
        }
    }
}

fn cut(at: usize) -> ProtocolError {
    PairError::Cut { at }.into()
}

fn is_management(kind: RecordType) -> bool {
    matches!(kind, RecordType::GET_VALUES | RecordType::GET_VALUES_RESULT | RecordType::UNKNOWN_TYPE)
}

/// Appendix A: who sends what.
fn goes(kind: RecordType, side: Side) -> bool {
    let from_worker = matches!(
        kind,
        RecordType::END_REQUEST
            | RecordType::STDOUT
            | RecordType::STDERR
            | RecordType::GET_VALUES_RESULT
            | RecordType::UNKNOWN_TYPE
    );
    from_worker == (side == Side::FromWorker)
}
