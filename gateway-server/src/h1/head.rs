//! The head of a request: parsed once, kept as offsets, looked at through a borrow.
//!
//! Holds the table of offsets, which is reused from request to request, and the view on it. Does not hold how it is parsed
//! (`syntax`), or what the fields mean: see `framing`, `target`, `checks`.

use super::framing::BodyFraming;
use super::target::{TargetForm, TargetParts};
use std::ops::Range;

/// The versions this server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

impl Version {
    /// As it stands in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }
}

/// Where the parts of a head lie in its bytes. Reused, so that a head costs no allocation.
#[derive(Debug)]
pub(super) struct HeadTable {
    pub(super) length: usize,
    pub(super) method: usize,
    pub(super) target: Range<usize>,
    pub(super) parts: TargetParts,
    pub(super) version: Version,
    fields: Vec<FieldSpan>,
    /// One bit for each length that a name of a field has, the last for all longer ones: says without a search that a field is not there.
    name_lengths: u64,
    pub(super) host: Range<usize>,
    pub(super) body: BodyFraming,
    pub(super) keep_alive: bool,
    pub(super) expects_continue: bool,
    pub(super) has_connection_options: bool,
}

/// One field line: name, then value.
#[derive(Debug, Clone)]
struct FieldSpan {
    name: Range<u32>,
    value: Range<u32>,
}

impl FieldSpan {
    #[inline]
    fn name_length(&self) -> usize {
        self.name.len()
    }
}

#[inline]
fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

impl Default for HeadTable {
    fn default() -> Self {
        let parts = TargetParts { form: TargetForm::Origin, authority: 0..0, path: 0..0, query: None };
        Self {
            length: 0,
            method: 0,
            target: 0..0,
            parts,
            version: Version::Http11,
            fields: Vec::with_capacity(32),
            name_lengths: 0,
            host: 0..0,
            body: BodyFraming::None,
            keep_alive: false,
            expects_continue: false,
            has_connection_options: false,
        }
    }
}

impl HeadTable {
    #[inline]
    pub(super) fn clear_fields(&mut self) {
        self.fields.clear();
        self.name_lengths = 0;
    }

    /// Adds a field line; `None` if it lies further behind than the table can say.
    #[inline]
    pub(super) fn push_field(&mut self, name: Range<usize>, value: Range<usize>) -> Option<()> {
        let narrow = |range: Range<usize>| Some(u32::try_from(range.start).ok()?..u32::try_from(range.end).ok()?);
        let field = FieldSpan { name: narrow(name)?, value: narrow(value)? };
        self.name_lengths |= length_bit(field.name_length());
        self.fields.push(field);
        Some(())
    }
}

/// A request head, borrowed from the connection's buffer.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) table: &'a HeadTable,
}

impl<'a> RequestHead<'a> {
    /// The method: a token, case-sensitive.
    pub fn method(&self) -> &'a str {
        std::str::from_utf8(self.slice(0..self.table.method)).unwrap_or_default()
    }

    /// [`RequestHead::method`] as bytes.
    pub(crate) fn method_bytes(&self) -> &'a [u8] {
        self.slice(0..self.table.method)
    }

    /// The target as it came.
    pub fn target(&self) -> &'a [u8] {
        self.slice(self.table.target.clone())
    }

    /// The form of the target.
    pub fn form(&self) -> TargetForm {
        self.table.parts.form
    }

    /// The path of the target, not decoded; empty for `*` and for an absolute target without one.
    pub fn path(&self) -> &'a [u8] {
        self.part(&self.table.parts.path)
    }

    /// The query of the target, without its `?`.
    pub fn query(&self) -> Option<&'a [u8]> {
        self.table.parts.query.as_ref().map(|query| self.part(query))
    }

    /// The host asked for, with its port: from an absolute target, else from Host (HTTP-30). Empty if there is none.
    pub fn host(&self) -> &'a [u8] {
        match self.table.parts.form {
            TargetForm::Absolute => self.part(&self.table.parts.authority),
            _ => self.slice(self.table.host.clone()),
        }
    }

    /// The host asked for and, apart, its port.
    pub fn host_and_port(&self) -> (&'a [u8], Option<&'a [u8]>) {
        super::target::split_port(self.host())
    }

    /// How long the head is, in bytes.
    pub fn bytes_len(&self) -> usize {
        self.table.length
    }

    /// How many field lines it has.
    pub fn fields_len(&self) -> usize {
        self.table.fields.len()
    }

    /// Is there any Connection field?
    pub fn has_connection_options(&self) -> bool {
        self.table.has_connection_options
    }

    /// The protocol version.
    pub fn version(&self) -> Version {
        self.table.version
    }

    /// The field lines in order, values without the white space around them.
    pub fn fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let head = *self;
        head.table.fields.iter().map(move |field| (head.span(&field.name), head.span(&field.value)))
    }

    /// The first value of a field; its name in any case.
    pub fn field(&self, name: &str) -> Option<&'a [u8]> {
        self.values(name.as_bytes()).next()
    }

    /// The values of a field, in order; its name in any case.
    #[inline]
    pub(super) fn values<'n>(&self, name: &'n [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let fields = if self.has_name_of(name.len()) { self.table.fields.as_slice() } else { &[] };
        let head = *self;
        let named = fields.iter().filter(move |field| field.name_length() == name.len());
        let named = named.filter(move |field| head.span(&field.name).eq_ignore_ascii_case(name));
        named.map(move |field| head.span(&field.value))
    }

    /// Is there a field whose name has this many bytes?
    #[inline]
    pub(super) fn has_name_of(&self, length: usize) -> bool {
        self.table.name_lengths & length_bit(length) != 0
    }

    /// How the body ends.
    pub fn body(&self) -> BodyFraming {
        self.table.body
    }

    /// Does the client wait for `100 Continue`? Never in HTTP/1.0 or without a body (HTTP-122, HTTP-123).
    pub fn expects_continue(&self) -> bool {
        self.table.expects_continue
    }

    /// Does the request name `name` in Connection, so that it must not be passed on (HTTP-175)?
    pub fn is_connection_option(&self, name: &[u8]) -> bool {
        self.has_connection_options()
            && self
                .values(b"connection")
                .any(|value| super::persistence::options(value).any(|option| option.eq_ignore_ascii_case(name)))
    }

    fn part(&self, range: &Range<usize>) -> &'a [u8] {
        self.target().get(range.clone()).unwrap_or_default()
    }

    fn slice(&self, range: Range<usize>) -> &'a [u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    fn span(&self, range: &Range<u32>) -> &'a [u8] {
        self.slice(range.start as usize..range.end as usize)
    }
}
