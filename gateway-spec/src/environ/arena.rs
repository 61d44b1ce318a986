//! Storage of the variables: one buffer of `NAME=value\0` entries and an index into it.
//!
//! Building an environ costs two allocations however many variables there are, and the entries can be handed to `exec`
//! or framed for FastCGI without being copied apart. Does not hold what a variable means.

use super::name::{VariableName, mark};

/// Ordered variables in one buffer. Replaced and removed entries stay in the buffer unseen until the arena is dropped.
#[derive(Default)]
pub(super) struct Arena {
    bytes: Vec<u8>,
    index: Vec<Entry>,
    /// One bit for each name's [`mark`]; a clear bit says without a search that the name is not there.
    marks: u64,
    /// How many entries were ever written into `bytes`: each brought one NUL.
    written: usize,
}

/// `bytes[start..]` holds the name, `=`, the value, and a NUL.
#[derive(Clone, Copy)]
struct Entry {
    start: usize,
    name_len: usize,
    value_len: usize,
}

impl Entry {
    fn name(self) -> std::ops::Range<usize> {
        self.start..self.start + self.name_len
    }

    fn value(self) -> std::ops::Range<usize> {
        let start = self.start + self.name_len + 1;
        start..start + self.value_len
    }

    fn whole(self) -> std::ops::Range<usize> {
        self.start..self.value().end + 1
    }
}

impl Arena {
    pub(super) fn with_capacity(bytes: usize, entries: usize) -> Self {
        Arena { bytes: Vec::with_capacity(bytes), index: Vec::with_capacity(entries), marks: 0, written: 0 }
    }

    /// The same variables, and room for that many bytes and entries more.
    pub(super) fn copy_with_room(&self, bytes: usize, entries: usize) -> Self {
        let mut copy = Arena::with_capacity(self.bytes.len() + bytes, self.index.len() + entries);
        copy.bytes.extend_from_slice(&self.bytes);
        copy.index.extend_from_slice(&self.index);
        copy.marks = self.marks;
        copy.written = self.written;
        copy
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let (_, entry) = self.find(name, mark(name))?;
        self.bytes.get(entry.value())
    }

    pub(super) fn get_known(&self, name: VariableName) -> Option<&[u8]> {
        let (_, entry) = self.find(name.as_bytes(), name.mark())?;
        self.bytes.get(entry.value())
    }

    pub(super) fn set(&mut self, name: &[u8], value: &[u8]) {
        self.set_marked(name, mark(name), value);
    }

    pub(super) fn set_known(&mut self, name: VariableName, value: &[u8]) {
        self.set_marked(name.as_bytes(), name.mark(), value);
    }

    fn set_marked(&mut self, name: &[u8], mark: u64, value: &[u8]) {
        let earlier = self.find(name, mark);
        let start = self.bytes.len();
        self.bytes.reserve(name.len() + value.len() + 2);
        self.bytes.extend_from_slice(name);
        self.bytes.push(b'=');
        self.bytes.extend_from_slice(value);
        self.bytes.push(0);
        self.place(earlier, mark, Entry { start, name_len: name.len(), value_len: value.len() });
    }

    /// Sets a variable whose name is `prefix` plus `name` mapped byte by byte, or, if it is set already, appends
    /// `separator` and the value to it.
    pub(super) fn join(&mut self, prefix: &[u8], name: &[u8], map: fn(u8) -> u8, value: &[u8], separator: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(prefix);
        self.bytes.extend(name.iter().copied().map(map));
        let name_len = prefix.len() + name.len();
        let (before, written) = self.bytes.split_at(start);
        let mark = mark(written);
        let earlier = if self.marks & mark == 0 { None } else { search(before, &self.index, written) };
        self.bytes.push(b'=');
        if let Some((_, entry)) = earlier {
            self.bytes.extend_from_within(entry.value());
            self.bytes.extend_from_slice(separator);
        }
        self.bytes.extend_from_slice(value);
        let value_len = self.bytes.len() - start - name_len - 1;
        self.bytes.push(0);
        let entry = Entry { start, name_len, value_len };
        self.place(earlier, mark, entry);
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        let found = self.find(name, mark(name));
        if let Some((at, _)) = found {
            self.index.remove(at);
        }
        found.is_some()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.index.iter().filter_map(|entry| Some((self.bytes.get(entry.name())?, self.bytes.get(entry.value())?)))
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &[u8]> {
        self.index.iter().filter_map(|entry| self.bytes.get(entry.whole()))
    }

    /// Whether a NUL stands where none belongs: more of them than entries. One pass over all that was written, instead of
    /// one for each value.
    pub(super) fn holds_stray_nul(&self) -> bool {
        // Counted in pieces whose count fits a byte, so that the compiler can count sixteen at a time.
        let count = |piece: &[u8]| usize::from(piece.iter().fold(0_u8, |count, byte| count + u8::from(*byte == 0)));
        self.bytes.chunks(usize::from(u8::MAX)).map(count).sum::<usize>() != self.written
    }

    fn place(&mut self, earlier: Option<(usize, Entry)>, mark: u64, entry: Entry) {
        match earlier.and_then(|(at, _)| self.index.get_mut(at)) {
            Some(slot) => *slot = entry,
            None => self.index.push(entry),
        }
        self.marks |= mark;
        self.written += 1;
    }

    fn find(&self, name: &[u8], mark: u64) -> Option<(usize, Entry)> {
        if self.marks & mark == 0 { None } else { search(&self.bytes, &self.index, name) }
    }
}

fn search(bytes: &[u8], index: &[Entry], name: &[u8]) -> Option<(usize, Entry)> {
    let is_it = |entry: &&Entry| entry.name_len == name.len() && bytes.get(entry.name()) == Some(name);
    index.iter().enumerate().find(|(_, entry)| is_it(entry)).map(|(at, entry)| (at, *entry))
}
