//! The chunked transfer coding, both ways (RFC 9112 §7.1).
//!
//! Holds the strict decoder with its limits and the framing that goes around a chunk. Trailers are checked and thrown away
//! (HTTP-95, HTTP-96). Does not hold who may use the coding.

use super::error::RequestError;
use super::framing::is_tchar;
use super::limits::Limits;
use bytes::{Buf, Bytes, BytesMut};

/// Takes a chunked body apart, slice by slice, without copying.
///
/// | state | byte | next |
/// | --- | --- | --- |
/// | `Size` | hex digit | `Size` |
/// | `Size` | SP, HTAB | `Space` |
/// | `Size`, `Space` | `;` | `Extension` |
/// | `Size`, `Extension` | CR | `SizeLf` |
/// | `Extension` | anything but a control character | `Extension` |
/// | `SizeLf` | LF | `Data`, or `TrailerStart` after size 0 |
/// | `Data` | as many as the size says | `DataCr` |
/// | `DataCr`, `DataLf` | CR, LF | `Size` |
/// | `TrailerStart` | CR | `EndLf` |
/// | `TrailerStart`, `TrailerName` | `tchar` | `TrailerName` |
/// | `TrailerName` | `:` | `TrailerValue` |
/// | `TrailerValue` | CR | `TrailerLf` |
/// | `TrailerLf` | LF | `TrailerStart` |
/// | `EndLf` | LF | `Done` |
///
/// Every other byte is an error, and there is no way back from one (HTTP-91, HTTP-114).
#[derive(Debug, Clone)]
pub struct ChunkedDecoder {
    state: State,
    extension_bytes: usize,
    trailer_bytes: usize,
    max_extension_bytes: usize,
    max_trailer_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size { size: u64, digits: u8 },
    Space { size: u64 },
    Extension { size: u64 },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Done,
}

/// What the decoder made of its input.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The input is used up and the body goes on.
    NeedMore,
    /// A piece of the body, never empty.
    Data(Bytes),
    /// The body has ended; what is left in the input belongs to the next request.
    End,
}

/// More digits than 64 bits need, zeros included, are a trick (HTTP-85).
const MAX_SIZE_DIGITS: u8 = 16;

impl ChunkedDecoder {
    /// A decoder at the start of a body.
    pub fn new(limits: &Limits) -> Self {
        Self {
            state: State::Size { size: 0, digits: 0 },
            extension_bytes: 0,
            trailer_bytes: 0,
            max_extension_bytes: limits.max_chunk_extension_bytes,
            max_trailer_bytes: limits.max_trailer_bytes,
        }
    }

    /// Decodes the next piece from the front of `input`, taking what it used.
    ///
    /// # Errors
    /// The first broken rule; the connection must be closed then.
    ///
    /// # Examples
    /// ```
    /// use gateway_server::h1::{ChunkedDecoder, Decoded, Limits};
    /// let mut input = bytes::BytesMut::from("5\r\nhello\r\n0\r\n\r\nGET");
    /// let mut decoder = ChunkedDecoder::new(&Limits::default());
    /// assert_eq!(decoder.decode(&mut input)?, Decoded::Data("hello".into()));
    /// assert_eq!(decoder.decode(&mut input)?, Decoded::End);
    /// assert_eq!(input, "GET");
    /// # Ok::<(), gateway_server::h1::RequestError>(())
    /// ```
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Decoded, RequestError> {
        loop {
            match self.state {
                State::Done => return Ok(Decoded::End),
                State::Data { left: 0 } => self.state = State::DataCr,
                State::Data { left } if !input.is_empty() => {
                    let length = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    self.state = State::Data { left: left - length as u64 };
                    return Ok(Decoded::Data(input.split_to(length).freeze()));
                }
                state => {
                    let Some(byte) = input.first().copied() else { return Ok(Decoded::NeedMore) };
                    self.state = self.step(state, byte)?;
                    input.advance(1);
                }
            }
        }
    }

    /// One byte of framing.
    fn step(&mut self, state: State, byte: u8) -> Result<State, RequestError> {
        match (state, byte) {
            (State::Size { digits: 1.., size }, b'\r') => Ok(State::SizeLf { size }),
            (State::Size { digits: 1.., size }, b';') => Ok(State::Extension { size }),
            (State::Size { digits: 1.., size }, b' ' | b'\t') => Ok(State::Space { size }),
            (State::Size { digits: MAX_SIZE_DIGITS.., .. }, _) => Err(RequestError::ChunkSize),
            (State::Size { size, digits }, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(RequestError::ChunkSize)?;
                Ok(State::Size { size: (size << 4) | u64::from(digit), digits: digits + 1 })
            }
            // RFC 9112 §7.1.1 lets white space stand before the semicolon, and only there.
            (State::Space { size }, b';') => self.extension(size),
            (State::Space { size }, b' ' | b'\t') => self.extension(size).map(|_| State::Space { size }),
            (State::Space { .. }, _) => Err(RequestError::ChunkSize),
            (State::Extension { size }, b'\r') => Ok(State::SizeLf { size }),
            (State::Extension { size }, b'\t' | b' '..=b'~' | 0x80..) => self.extension(size),
            (State::Extension { .. }, _) => Err(RequestError::ChunkExtension),
            (State::SizeLf { size: 0 }, b'\n') => Ok(State::TrailerStart),
            (State::SizeLf { size }, b'\n') if i64::try_from(size).is_ok() => Ok(State::Data { left: size }),
            (State::SizeLf { .. }, b'\n') => Err(RequestError::ChunkSize),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size { size: 0, digits: 0 }),
            (State::SizeLf { .. } | State::DataCr | State::DataLf, _) => Err(RequestError::ChunkEnd),
            (State::TrailerStart, b'\r') => Ok(State::EndLf),
            (State::TrailerStart | State::TrailerName, byte) if is_tchar(byte) => self.trailer(State::TrailerName),
            (State::TrailerName, b':') => self.trailer(State::TrailerValue),
            (State::TrailerValue, b'\r') => Ok(State::TrailerLf),
            (State::TrailerValue, b'\t' | b' '..=b'~' | 0x80..) => self.trailer(State::TrailerValue),
            (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
            (State::EndLf, b'\n') => Ok(State::Done),
            (State::Data { .. } | State::Done, _) => Ok(state),
            _ => Err(RequestError::Trailer),
        }
    }

    fn extension(&mut self, size: u64) -> Result<State, RequestError> {
        self.extension_bytes += 1;
        let limit = self.max_extension_bytes;
        if self.extension_bytes > limit {
            return Err(RequestError::ChunkExtensionTooLong { limit });
        }
        Ok(State::Extension { size })
    }

    fn trailer(&mut self, next: State) -> Result<State, RequestError> {
        self.trailer_bytes += 1;
        let limit = self.max_trailer_bytes;
        if self.trailer_bytes > limit { Err(RequestError::TrailerTooLong { limit }) } else { Ok(next) }
    }
}

/// What stands behind a chunk's data.
pub(super) const CHUNK_END: &[u8] = b"\r\n";

/// The zero chunk and an empty trailer section.
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Writes the line that stands before `length` bytes of chunk data.
pub(super) fn encode_chunk_size(length: usize, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let significant = (usize::BITS - length.leading_zeros()).div_ceil(4).max(1);
    out.extend((0..significant).rev().filter_map(|nibble| DIGITS.get((length >> (4 * nibble)) & 0xf)));
    out.extend_from_slice(b"\r\n");
}
