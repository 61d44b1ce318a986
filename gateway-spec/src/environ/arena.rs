//! Storage of the variables: one buffer of values and an index into it.
//!
//! Building an environ costs two allocations however many variables there are. A name that requests bring every day is a number in
//! the index, so most names are neither copied nor compared as text. Does not hold what a variable means.

use super::everyday::{self, Number};
use super::name::{VariableName, bit};

/// Ordered variables in one buffer. Replaced and removed values stay in the buffer unseen until the arena is dropped.
#[derive(Default)]
pub(super) struct Arena {
    text: Vec<u8>,
    index: Vec<Entry>,
    /// One bit for each everyday name that is set.
    everyday: u64,
    /// One bit for each other name's [`mark`]; a clear bit says without a search that the name is not there.
    marks: u64,
}

/// What a variable is found by. A text is never an everyday name: [`Key::of`] sees to it.
#[derive(Clone, Copy)]
pub(super) enum Key<'a> {
    Everyday(Number),
    Text(&'a [u8]),
}

impl<'a> Key<'a> {
    #[inline]
    pub(super) fn of(name: &'a [u8]) -> Self {
        everyday::number(name).map_or(Key::Text(name), Key::Everyday)
    }
}

impl From<VariableName> for Key<'static> {
    #[inline]
    fn from(name: VariableName) -> Self {
        name.number().map_or(Key::Text(name.as_bytes()), Key::Everyday)
    }
}

/// The value is `text[start..start + length]`.
#[derive(Clone, Copy)]
struct Entry {
    name: Name,
    start: usize,
    length: usize,
}

/// The number of an everyday name; or, beyond those, how many bytes the name has that stands before the value, with a `=` between.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Name(u32);

impl Name {
    /// Above every number.
    const BEFORE: u32 = 1 << Number::BITS;

    #[inline]
    fn everyday(number: Number) -> Self {
        Name(u32::from(number))
    }

    fn before(length: usize) -> Self {
        Name(u32::try_from(length).map_or(u32::MAX, |length| length.saturating_add(Name::BEFORE)))
    }
}

impl Arena {
    /// The longest name there can be, in bytes.
    pub(super) const MAX_NAME: usize = (u32::MAX - Name::BEFORE) as usize;

    pub(super) fn with_capacity(bytes: usize, entries: usize) -> Self {
        let (text, index) = (Vec::with_capacity(bytes), Vec::with_capacity(entries));
        Arena { text, index, ..Arena::default() }
    }

    /// The same variables, and room for that many bytes and entries more.
    pub(super) fn copy_with_room(&self, bytes: usize, entries: usize) -> Self {
        let mut text = Vec::with_capacity(self.text.len() + bytes);
        text.extend_from_slice(&self.text);
        let mut index = Vec::with_capacity(self.index.len() + entries);
        index.extend_from_slice(&self.index);
        Arena { text, index, everyday: self.everyday, marks: self.marks }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    #[inline]
    pub(super) fn get<'a>(&self, key: impl Into<Key<'a>>) -> Option<&[u8]> {
        let at = self.find(key.into())?;
        Some(self.value(*self.index.get(at)?))
    }

    /// Sets a variable. A name in text is one that was checked, of at most [`Arena::MAX_NAME`] bytes.
    #[inline]
    pub(super) fn set<'a>(&mut self, key: impl Into<Key<'a>>, value: &[u8]) {
        match key.into() {
            Key::Everyday(number) => self.set_everyday(number, value),
            Key::Text(name) => self.set_text(name, value),
        }
    }

    /// Sets a variable or, if it is set already, appends `separator` and the value to it.
    #[inline]
    pub(super) fn join(&mut self, key: Key<'_>, value: &[u8], separator: &[u8]) {
        match self.find(key) {
            None => self.set(key, value),
            Some(earlier) => self.append(earlier, key, value, separator),
        }
    }

    #[inline(never)]
    fn append(&mut self, earlier: usize, key: Key<'_>, value: &[u8], separator: &[u8]) {
        let Some(entry) = self.index.get(earlier).copied() else { return };
        let start = match key {
            Key::Everyday(_) => self.text.len(),
            Key::Text(name) => self.begin(name),
        };
        self.text.extend_from_within(entry.start..entry.start + entry.length);
        self.text.extend_from_slice(separator);
        self.text.extend_from_slice(value);
        self.place(Some(earlier), Entry { start, length: self.text.len() - start, ..entry });
    }

    pub(super) fn remove(&mut self, key: Key<'_>) -> bool {
        let Some(at) = self.find(key) else { return false };
        self.index.remove(at);
        if let Key::Everyday(number) = key {
            self.everyday &= !bit(number);
        }
        true
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.index.iter().map(|entry| (self.name(*entry), self.value(*entry)))
    }

    /// The same, each with the number of its name.
    pub(super) fn iter_numbered(&self) -> impl Iterator<Item = (Option<Number>, &[u8], &[u8])> {
        self.index.iter().map(|entry| (Number::try_from(entry.name.0).ok(), self.name(*entry), self.value(*entry)))
    }

    /// Is there a NUL anywhere? Names have none, so it is in a value; perhaps in one that was replaced.
    pub(super) fn holds_nul(&self) -> bool {
        memchr::memchr(0, &self.text).is_some()
    }

    /// The first of these everyday names that is missing or has an empty value.
    #[inline]
    pub(super) fn lacks(&self, names: &[VariableName]) -> Option<VariableName> {
        let bits = |name: &VariableName| name.number().map_or(0, bit);
        let wanted = names.iter().fold(0, |all, name| all | bits(name));
        let empty = self.index.iter().filter(|entry| entry.length == 0);
        let empty =
            empty.filter_map(|entry| Number::try_from(entry.name.0).ok()).fold(0, |all, number| all | bit(number));
        let filled = self.everyday & !empty;
        if wanted & !filled == 0 { None } else { names.iter().find(|name| bits(name) & !filled != 0).copied() }
    }

    #[inline]
    fn set_everyday(&mut self, number: Number, value: &[u8]) {
        let entry = Entry { name: Name::everyday(number), start: self.text.len(), length: value.len() };
        self.text.extend_from_slice(value);
        if self.everyday & bit(number) == 0 {
            self.everyday |= bit(number);
            self.index.push(entry);
        } else {
            self.replace(entry);
        }
    }

    #[inline(never)]
    fn replace(&mut self, entry: Entry) {
        if let Some(earlier) = self.index.iter_mut().find(|earlier| earlier.name == entry.name) {
            *earlier = entry;
        }
    }

    fn set_text(&mut self, name: &[u8], value: &[u8]) {
        let earlier = self.search(name);
        let start = self.begin(name);
        self.text.extend_from_slice(value);
        self.place(earlier, Entry { name: Name::before(name.len()), start, length: value.len() });
    }

    /// Writes the name of an entry, and says where its value starts.
    fn begin(&mut self, name: &[u8]) -> usize {
        self.marks |= mark(name);
        self.text.extend_from_slice(name);
        self.text.push(b'=');
        self.text.len()
    }

    fn place(&mut self, earlier: Option<usize>, entry: Entry) {
        match earlier.and_then(|at| self.index.get_mut(at)) {
            Some(slot) => *slot = entry,
            None => self.index.push(entry),
        }
    }

    #[inline]
    fn find(&self, key: Key<'_>) -> Option<usize> {
        match key {
            Key::Everyday(number) if self.everyday & bit(number) == 0 => None,
            Key::Everyday(number) => self.index.iter().position(|entry| entry.name == Name::everyday(number)),
            Key::Text(name) => self.search(name),
        }
    }

    fn search(&self, name: &[u8]) -> Option<usize> {
        if self.marks & mark(name) == 0 {
            return None;
        }
        let length = Name::before(name.len());
        self.index.iter().position(|entry| entry.name == length && self.name(*entry) == name)
    }

    fn name(&self, entry: Entry) -> &[u8] {
        match entry.name.0.checked_sub(Name::BEFORE) {
            None => Number::try_from(entry.name.0).map_or("", everyday::name).as_bytes(),
            Some(length) => {
                let end = entry.start.saturating_sub(1);
                self.text.get(end.saturating_sub(length as usize)..end).unwrap_or_default()
            }
        }
    }

    #[inline]
    fn value(&self, entry: Entry) -> &[u8] {
        self.text.get(entry.start..entry.start + entry.length).unwrap_or_default()
    }
}

/// A bit that depends on the name's length and three of its bytes: enough to tell most names apart.
fn mark(name: &[u8]) -> u64 {
    let byte = |at: usize| name.get(at).copied().map_or(0, usize::from);
    let last = name.len().saturating_sub(1);
    1 << ((name.len() * 31 + byte(last) * 7 + byte(name.len() / 2) * 3 + byte(0)) % 64)
}
