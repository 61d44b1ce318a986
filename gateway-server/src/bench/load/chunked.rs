//! The end of a chunked body (RFC 9112 §7.1): only the framing is looked at, the data is counted.
//!
//! Nothing is kept of what comes, so there are no limits either: the time an answer may take is one.

/// How far a chunked body has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunked {
    Size {
        size: u64,
        digits: u32,
    },
    Extension {
        size: u64,
    },
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// At the start of a trailer line, or of the empty line.
    Trailer,
    TrailerLine,
    TrailerLf,
    EndLf,
    End,
}

impl Chunked {
    pub(super) const START: Chunked = Chunked::Size { size: 0, digits: 0 };

    /// How many bytes of data come next for certain.
    pub(super) fn data_left(self) -> u64 {
        if let Chunked::Data { left } = self { left } else { 0 }
    }

    /// After `len` bytes of data, no more than [`Chunked::data_left`].
    pub(super) fn skip(self, len: u64) -> Self {
        match self.data_left() - len {
            0 => Chunked::DataCr,
            left => Chunked::Data { left },
        }
    }

    /// After one byte that is not data; `None` if it may not stand there.
    pub(super) fn step(self, byte: u8) -> Option<Self> {
        let next = match (self, byte) {
            (Chunked::Size { size, digits: 1.. }, b'\r') => Chunked::SizeLf { size },
            (Chunked::Size { size, digits: 1.. }, b';' | b' ' | b'\t') => Chunked::Extension { size },
            (Chunked::Size { size, digits }, _) => {
                let digit = char::from(byte).to_digit(16)?;
                Chunked::Size { size: size.checked_mul(16)?.checked_add(digit.into())?, digits: digits.checked_add(1)? }
            }
            (Chunked::Extension { size }, b'\r') => Chunked::SizeLf { size },
            (Chunked::Extension { .. }, b'\n') => return None,
            (Chunked::Extension { .. }, _) => self,
            (Chunked::SizeLf { size: 0 }, b'\n') => Chunked::Trailer,
            (Chunked::SizeLf { size }, b'\n') => Chunked::Data { left: size },
            (Chunked::DataCr, b'\r') => Chunked::DataLf,
            (Chunked::DataLf, b'\n') => Chunked::START,
            (Chunked::Trailer, b'\r') => Chunked::EndLf,
            (Chunked::Trailer | Chunked::TrailerLine, b'\n') => return None,
            (Chunked::TrailerLine, b'\r') => Chunked::TrailerLf,
            (Chunked::Trailer | Chunked::TrailerLine, _) => Chunked::TrailerLine,
            (Chunked::TrailerLf, b'\n') => Chunked::Trailer,
            (Chunked::EndLf, b'\n') => Chunked::End,
            _ => return None,
        };
        Some(next)
    }
}
