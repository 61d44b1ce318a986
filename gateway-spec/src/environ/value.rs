//! The value of one variable: bytes, with checked ways to read them as text (PEP-5, PEP-133).

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::str::Utf8Error;

/// The value of one variable, exactly as the gateway received it.
///
/// It is bytes, because that is what clients send. Read them as UTF-8 with [`to_str`](Value::to_str), as the "native
/// string" of PEP 3333 with [`to_latin1`](Value::to_latin1), or as they are. `Display` shows bytes that are not UTF-8
/// as `\x..`.
///
/// # Examples
/// ```
/// use gateway_spec::Value;
/// let path = Value::new(b"/caf\xc3\xa9");
/// assert_eq!(path.to_str()?, "/café");
/// assert_eq!(path.to_latin1().chars().count(), 6); // PEP-133: one character a byte
/// assert_eq!(Value::new(b"/\xff").to_string(), "/\\xff");
/// # Ok::<(), std::str::Utf8Error>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value<'a>(&'a [u8]);

impl<'a> Value<'a> {
    /// Wraps bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Value(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The value as UTF-8.
    ///
    /// # Errors
    /// [`Utf8Error`] says where it stops being UTF-8.
    pub fn to_str(self) -> Result<&'a str, Utf8Error> {
        std::str::from_utf8(self.0)
    }

    /// The value as text of the characters U+0000 to U+00FF, one for each byte: never fails, loses nothing.
    pub fn to_latin1(self) -> Cow<'a, str> {
        match std::str::from_utf8(self.0) {
            Ok(text) if self.0.is_ascii() => Cow::Borrowed(text),
            _ => Cow::Owned(self.0.iter().copied().map(char::from).collect()),
        }
    }

    /// A decimal number: ASCII digits only, no sign, no space; `None` for anything else or past 64 bits.
    pub(crate) fn parse_number(self) -> Option<u64> {
        if self.0.is_empty() || !self.0.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.to_str().ok()?.parse().ok()
    }
}

impl Deref for Value<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0
    }
}

impl AsRef<[u8]> for Value<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0
    }
}

impl PartialEq<str> for Value<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Value<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<[u8]> for Value<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        self.0 == other
    }
}

impl PartialEq<&[u8]> for Value<'_> {
    fn eq(&self, other: &&[u8]) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.0.utf8_chunks() {
            f.write_str(piece.valid())?;
            for byte in piece.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}
