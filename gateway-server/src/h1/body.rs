//! The body of a request, taken out of what has arrived.
//!
//! Holds the two ways in which a body has an end. Does not hold where that is decided (`framing`), chunks (`chunked`), or how much
//! a body may have in all (`connection`).

use super::chunked::{ChunkedDecoder, Decoded};
use super::error::RequestError;
use super::framing::BodyFraming;
use super::limits::Limits;
use bytes::{Bytes, BytesMut};

/// What is left of a body, and how its end is found.
#[derive(Debug)]
pub(super) enum BodyDecoder {
    Length(u64),
    Chunked(ChunkedDecoder),
}

impl BodyDecoder {
    /// For a body that is still to be taken, if there is one.
    #[inline]
    pub(super) fn of(framing: BodyFraming, limits: &Limits) -> Option<Self> {
        match framing {
            BodyFraming::None | BodyFraming::Length(0) => None,
            BodyFraming::Length(length) => Some(Self::Length(length)),
            BodyFraming::Chunked => Some(Self::Chunked(ChunkedDecoder::new(limits))),
        }
    }

    /// How many bytes are still to come out. Of a chunked body this is not known before it is decoded.
    #[inline]
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(_) => None,
        }
    }

    /// Takes the next piece: of `shared`, which has come as it is, and else of the buffer behind it.
    #[inline]
    pub(super) fn decode(&mut self, shared: &mut Bytes, buffer: &mut BytesMut) -> Result<Decoded, RequestError> {
        Ok(match self {
            Self::Length(0) => Decoded::End,
            Self::Length(left) if !shared.is_empty() => {
                *left = left.saturating_sub(shared.len() as u64);
                Decoded::Data(std::mem::take(shared))
            }
            Self::Length(_) if buffer.is_empty() => Decoded::NeedMore,
            Self::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
                *left -= length as u64;
                Decoded::Data(buffer.split_to(length).freeze())
            }
            Self::Chunked(decoder) => decoder.decode(buffer)?,
        })
    }
}
