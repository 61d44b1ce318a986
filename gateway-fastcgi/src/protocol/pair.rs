//! Name-value pairs of a parameter stream (FastCGI 1.0 §3.4).
//!
//! Holds the length prefixes, one pair, both ways, and a checked list of pairs. Does not hold records, or what a name means.

use bytes::Bytes;
use std::fmt;

/// The longest name or value that the wire can express: 2^31 − 1.
const MAX_LENGTH: u32 = 0x7fff_ffff;

/// Lengths up to here take one byte (FCGI-40).
pub(crate) const SHORT: u8 = 127;
const MAX_SHORT: u32 = SHORT as u32;

/// One name-value pair whose lengths can be written.
///
/// # Examples
/// ```
/// use gateway_fastcgi::protocol::Pair;
///
/// let mut out = Vec::new();
/// Pair::new(b"SERVER_PORT", b"80")?.encode(&mut out);
/// assert_eq!(out, b"\x0b\x02SERVER_PORT80");
/// # Ok::<(), gateway_fastcgi::protocol::PairError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair<'a> {
    name: &'a [u8],
    value: &'a [u8],
}

impl<'a> Pair<'a> {
    /// A pair of these bytes.
    ///
    /// # Errors
    /// [`PairError::NameTooLong`] or [`PairError::ValueTooLong`] past 2^31 − 1 bytes.
    pub fn new(name: &'a [u8], value: &'a [u8]) -> Result<Self, PairError> {
        let limits = PairLimits { max_name_bytes: MAX_LENGTH, max_value_bytes: MAX_LENGTH, max_pairs: u32::MAX };
        limits.check(u32::try_from(name.len()).unwrap_or(u32::MAX), u32::try_from(value.len()).unwrap_or(u32::MAX))?;
        Ok(Self { name, value })
    }

    /// The name.
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// The value.
    pub fn value(&self) -> &'a [u8] {
        self.value
    }

    /// Bytes that [`Pair::encode`] appends.
    pub fn encoded_length(&self) -> usize {
        let prefix = |bytes: &[u8]| if bytes.len() <= MAX_SHORT as usize { 1 } else { 4 };
        prefix(self.name) + prefix(self.value) + self.name.len() + self.value.len()
    }

    /// Appends the pair as it is on the wire; short lengths take one byte.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode_length(self.name.len(), out);
        encode_length(self.value.len(), out);
        out.extend_from_slice(self.name);
        out.extend_from_slice(self.value);
    }

    /// Decodes the pair at the start of `input` and returns it with the bytes it took; `None` if it is not all there.
    ///
    /// A short length in four bytes is accepted (FCGI-40). Lengths are compared with `limits` as soon as they are there.
    ///
    /// # Errors
    /// [`PairError::NameTooLong`] or [`PairError::ValueTooLong`].
    ///
    /// Source: FastCGI 1.0 §3.4; requirement FCGI-42.
    #[inline]
    pub fn decode(input: &'a [u8], limits: &PairLimits) -> Result<Option<(Self, usize)>, PairError> {
        let (name_length, value_length, rest) = match input {
            // Nearly all pairs, so they have a way of their own.
            [name @ ..=SHORT, value @ ..=SHORT, rest @ ..] => (u32::from(*name), u32::from(*value), rest),
            _ => {
                let Some((name_length, rest)) = decode_length(input) else { return Ok(None) };
                limits.check(name_length, 0)?;
                let Some((value_length, rest)) = decode_length(rest) else { return Ok(None) };
                (name_length, value_length, rest)
            }
        };
        limits.check(name_length, value_length)?;
        let Some((name, rest)) = split(rest, name_length) else { return Ok(None) };
        let Some((value, rest)) = split(rest, value_length) else { return Ok(None) };
        Ok(Some((Self { name, value }, input.len() - rest.len())))
    }
}

fn encode_length(length: usize, out: &mut Vec<u8>) {
    match u8::try_from(length) {
        Ok(short) if u32::from(short) <= MAX_SHORT => out.push(short),
        // A `Pair` is at most MAX_LENGTH long on either side.
        _ => out.extend_from_slice(&(u32::try_from(length).unwrap_or(MAX_LENGTH) | !MAX_LENGTH).to_be_bytes()),
    }
}

fn decode_length(input: &[u8]) -> Option<(u32, &[u8])> {
    match input.split_first()? {
        (&short, rest) if u32::from(short) <= MAX_SHORT => Some((u32::from(short), rest)),
        _ => {
            let (long, rest) = input.split_first_chunk::<4>()?;
            Some((u32::from_be_bytes(*long) & MAX_LENGTH, rest))
        }
    }
}

/// Splits without adding lengths, so that nothing can overflow where `usize` has 32 bits (FCGI-131).
fn split(input: &[u8], length: u32) -> Option<(&[u8], &[u8])> {
    input.split_at_checked(usize::try_from(length).ok()?)
}

/// How long names and values may be, and how many pairs there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairLimits {
    /// Longest name in bytes.
    pub max_name_bytes: u32,
    /// Longest value in bytes.
    pub max_value_bytes: u32,
    /// Most pairs in one list.
    pub max_pairs: u32,
}

impl PairLimits {
    fn check(&self, name: u32, value: u32) -> Result<(), PairError> {
        if name > self.max_name_bytes {
            return Err(PairError::NameTooLong { length: name, limit: self.max_name_bytes });
        }
        if value > self.max_value_bytes {
            return Err(PairError::ValueTooLong { length: value, limit: self.max_value_bytes });
        }
        Ok(())
    }
}

/// Checks a list of pairs while it is still arriving.
///
/// Remembers how far whole pairs go, so that each byte is looked at once, however the list is cut (FCGI-27).
#[derive(Debug, Clone, Default)]
pub struct PairScan {
    checked: usize,
    pairs: u32,
}

impl PairScan {
    /// Goes on in `input`, which is the whole list so far.
    ///
    /// # Errors
    /// A length or the number of pairs is over its limit.
    pub fn advance(&mut self, input: &[u8], limits: &PairLimits) -> Result<(), PairError> {
        let mut rest = input.get(self.checked..).unwrap_or_default();
        while let Some((_, taken)) = Pair::decode(rest, limits)? {
            rest = rest.get(taken..).unwrap_or_default();
            self.checked += taken;
            self.pairs += 1;
            if self.pairs > limits.max_pairs {
                return Err(PairError::TooMany { limit: limits.max_pairs });
            }
        }
        Ok(())
    }

    /// Ends the list.
    ///
    /// # Errors
    /// [`PairError::Cut`] when it ends within a pair.
    pub fn finish(self, input: Bytes) -> Result<Params, PairError> {
        if self.checked != input.len() {
            return Err(PairError::Cut { at: self.checked });
        }
        Ok(Params { bytes: input, pairs: self.pairs })
    }
}

/// A complete and checked list of name-value pairs, still in its wire form.
///
/// # Examples
/// ```
/// use gateway_fastcgi::protocol::{PairLimits, Params};
///
/// let limits = PairLimits { max_name_bytes: 100, max_value_bytes: 100, max_pairs: 10 };
/// let params = Params::decode((&b"\x01\x02AxyA"[..5]).into(), &limits)?;
/// assert_eq!(params.get(b"A"), Some(&b"xy"[..]));
/// # Ok::<(), gateway_fastcgi::protocol::PairError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params {
    bytes: Bytes,
    pairs: u32,
}

impl Params {
    /// Checks a whole list.
    ///
    /// # Errors
    /// A pair is cut or over a limit.
    pub fn decode(input: Bytes, limits: &PairLimits) -> Result<Self, PairError> {
        let mut scan = PairScan::default();
        scan.advance(&input, limits)?;
        scan.finish(input)
    }

    /// The pairs in the order in which they came. Names and values may be empty and may repeat.
    pub fn iter(&self) -> impl Iterator<Item = Pair<'_>> {
        let none = PairLimits { max_name_bytes: MAX_LENGTH, max_value_bytes: MAX_LENGTH, max_pairs: u32::MAX };
        let mut rest: &[u8] = &self.bytes;
        std::iter::from_fn(move || {
            let (pair, taken) = Pair::decode(rest, &none).ok().flatten()?;
            rest = rest.get(taken..)?;
            Some(pair)
        })
    }

    /// The last value of `name`: as in PHP, the last one wins (FCGI-43).
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().filter(|pair| pair.name == name).last().map(|pair| pair.value)
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.pairs as usize
    }

    /// Is there no pair at all?
    pub fn is_empty(&self) -> bool {
        self.pairs == 0
    }

    /// Bytes of the wire form.
    pub fn wire_length(&self) -> usize {
        self.bytes.len()
    }
}

/// Shows the number of pairs only: values may be secrets.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Params").field("pairs", &self.pairs).field("bytes", &self.bytes.len()).finish()
    }
}

/// A pair that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PairError {
    /// A name is longer than the limit.
    #[error("name of {length} bytes is longer than {limit}")]
    NameTooLong {
        /// Its length.
        length: u32,
        /// The limit.
        limit: u32,
    },
    /// A value is longer than the limit.
    #[error("value of {length} bytes is longer than {limit}")]
    ValueTooLong {
        /// Its length.
        length: u32,
        /// The limit.
        limit: u32,
    },
    /// Too many pairs.
    #[error("more than {limit} pairs")]
    TooMany {
        /// The limit.
        limit: u32,
    },
    /// The list ends within a pair.
    #[error("list ends within the pair at offset {at}")]
    Cut {
        /// Where the pair starts.
        at: usize,
    },
}
