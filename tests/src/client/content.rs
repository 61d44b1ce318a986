//! Bodies: what is sent, and what is kept of what comes back.

use std::io::{self, Write};

/// How many bytes of a received body are kept; all of it is counted and hashed.
const KEPT_BYTES: usize = 256 * 1024;
const BLOCK_BYTES: usize = 64 * 1024;

/// A request's body.
#[derive(Clone, Debug)]
pub enum Payload {
    /// No body and no framing field.
    None,
    /// These bytes, with a Content-Length.
    Bytes(Vec<u8>),
    /// So many bytes of [pattern](pattern_blocks), with a Content-Length.
    Pattern(u64),
    /// So many bytes of [pattern](pattern_blocks) in the chunked coding, without a Content-Length.
    Chunked(u64),
    /// A Content-Length of the first number, but only so many bytes as the second says.
    Short(u64, u64),
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

impl Payload {
    /// True when nothing is sent behind the head.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::None => true,
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Pattern(length) => *length == 0,
            Self::Chunked(_) | Self::Short(..) => false,
        }
    }

    /// How many bytes the body really has.
    pub fn length(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Pattern(length) | Self::Chunked(length) | Self::Short(_, length) => *length,
        }
    }

    /// The declared length, if one is declared.
    pub fn declared_length(&self) -> Option<u64> {
        match self {
            Self::None | Self::Chunked(_) => None,
            Self::Short(declared, _) => Some(*declared),
            Self::Bytes(_) | Self::Pattern(_) => Some(self.length()),
        }
    }

    pub(super) fn framing_field(&self) -> String {
        match (self, self.declared_length()) {
            (Self::Chunked(_), _) => "Transfer-Encoding: chunked\r\n".to_owned(),
            (_, Some(length)) => format!("Content-Length: {length}\r\n"),
            (_, None) => String::new(),
        }
    }

    pub(super) fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::None => {}
            Self::Bytes(bytes) => out.write_all(bytes)?,
            Self::Pattern(length) | Self::Short(_, length) => {
                for block in pattern_blocks(*length) {
                    out.write_all(&block)?;
                }
            }
            Self::Chunked(length) => {
                for block in pattern_blocks(*length) {
                    write!(out, "{:x}\r\n", block.len())?;
                    out.write_all(&block)?;
                    out.write_all(b"\r\n")?;
                }
                out.write_all(b"0\r\n\r\n")?;
            }
        }
        out.flush()
    }
}

/// Bytes that differ from block to block, so that a lost, doubled or swapped part shows.
#[allow(clippy::cast_possible_truncation, reason = "the low bytes are what is wanted, and a block is small")]
pub fn pattern_blocks(length: u64) -> impl Iterator<Item = Vec<u8>> {
    let block = BLOCK_BYTES as u64;
    (0..length.div_ceil(block)).map(move |index| {
        let here = (length - index * block).min(block) as usize;
        (0..here).map(|i| (i as u8) ^ ((i >> 8) as u8).wrapping_mul(167) ^ (index as u8).wrapping_mul(29)).collect()
    })
}

/// A received body: its length, its hash, its start, and whether it ended as its framing promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// How many bytes came.
    pub length: u64,
    /// FNV-1a over all of them.
    pub hash: u64,
    /// The first [`KEPT_BYTES`] of them.
    pub start: Vec<u8>,
    /// False when the connection ended, or the framing broke, before the body's end.
    pub complete: bool,
}

impl Content {
    /// A complete body without bytes.
    pub fn empty() -> Self {
        Self { length: 0, hash: 0xcbf2_9ce4_8422_2325, start: Vec::new(), complete: true }
    }

    /// The content that a complete body of these bytes gives.
    pub fn of(bytes: &[u8]) -> Self {
        let mut content = Self::empty();
        content.add(bytes);
        content
    }

    /// The content that so many bytes of the pattern give.
    pub fn of_pattern(length: u64) -> Self {
        let mut content = Self::empty();
        pattern_blocks(length).for_each(|block| content.add(&block));
        content
    }

    /// Takes the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        for &byte in bytes {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let room = KEPT_BYTES - self.start.len();
        self.start.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The body as text, as far as it was kept.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.start).into_owned()
    }
}
