//! The parameters of one request, put into the form of the wire once, however often the request is sent.
//!
//! Holds pairs behind each other and the places where records have to be cut. Does not hold record headers, which know the
//! request's id, or what the pairs mean.

use super::SendError;
use super::outgoing::MAX_PIECE;
use crate::protocol::{Pair, PairLimits, SHORT};

/// The parameters of one request, ready to be sent with
/// [`ClientConnection::send_with_parameters`](super::ClientConnection::send_with_parameters).
///
/// # Examples
/// ```
/// use gateway_fastcgi::connection::{ClientConnection, Parameters};
/// use gateway_fastcgi::protocol::{BeginRequest, Role};
///
/// let mut parameters = Parameters::default();
/// parameters.push(b"REQUEST_METHOD", b"GET");
/// let begin = BeginRequest { role: Role::RESPONDER, keep_connection: true };
/// let id = ClientConnection::new().send_with_parameters(begin, &parameters)?;
/// assert_eq!(id.get(), 1);
/// # Ok::<(), gateway_fastcgi::connection::SendError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    /// As in Params: the contents of all records behind each other.
    bytes: Vec<u8>,
    /// Where records begin, but for the first: only between pairs (FCGI-45).
    cuts: Vec<usize>,
    /// The last of them.
    last_cut: usize,
    /// How many of the bytes that say lengths are 0.
    zeros: usize,
    failure: Option<SendError>,
}

impl Parameters {
    /// None yet, and room for so many bytes of them.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Appends a pair. One that cannot be sent is noted, and refused with the request.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let start = self.bytes.len();
        match (u8::try_from(name.len()), u8::try_from(value.len())) {
            // Nearly all pairs.
            (Ok(short @ ..=SHORT), Ok(length @ ..=SHORT)) => {
                self.bytes.reserve(name.len() + value.len() + 2);
                self.bytes.extend_from_slice(&[short, length]);
                self.bytes.extend_from_slice(name);
                self.bytes.extend_from_slice(value);
                self.zeros += usize::from(short == 0) + usize::from(length == 0);
            }
            _ => self.push_long(name, value),
        }
        if self.bytes.len() - self.last_cut > MAX_PIECE {
            self.cut(start);
        }
    }

    /// All pairs, in order.
    pub fn iter(&self) -> impl Iterator<Item = Pair<'_>> {
        let none = PairLimits { max_name_bytes: u32::MAX, max_value_bytes: u32::MAX, max_pairs: u32::MAX };
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (pair, taken) = Pair::decode(rest, &none).ok().flatten()?;
            rest = rest.get(taken..)?;
            Some(pair)
        })
    }

    /// Whether every pair can be sent.
    ///
    /// # Errors
    /// [`SendError::Pair`], [`SendError::PairTooLong`] or [`SendError::NulInPair`].
    pub fn check(&self) -> Result<(), SendError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        // FCGI-41: looked for in all pairs at once.
        let zeros = memchr::memchr_iter(0, &self.bytes).count();
        if zeros == self.zeros { Ok(()) } else { Err(SendError::NulInPair) }
    }

    /// The contents of the records.
    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.cuts.iter().copied());
        let ends = self.cuts.iter().copied().chain(std::iter::once(self.bytes.len()));
        starts.zip(ends).filter_map(|(start, end)| self.bytes.get(start..end)).filter(|content| !content.is_empty())
    }

    #[cold]
    fn push_long(&mut self, name: &[u8], value: &[u8]) {
        match Pair::new(name, value) {
            Ok(pair) => {
                let start = self.bytes.len();
                pair.encode(&mut self.bytes);
                let lengths = self.bytes.len() - start - name.len() - value.len();
                let written = self.bytes.get(start..start + lengths).unwrap_or_default();
                self.zeros += written.iter().filter(|byte| **byte == 0).count();
            }
            Err(error) => {
                self.failure.get_or_insert(error.into());
            }
        }
    }

    /// The pair at `start` does not fit into the record any more.
    #[cold]
    fn cut(&mut self, start: usize) {
        let length = self.bytes.len() - start;
        if length > MAX_PIECE {
            self.failure.get_or_insert(SendError::PairTooLong { length });
        }
        if start > self.last_cut {
            self.cuts.push(start);
            self.last_cut = start;
        }
    }
}
