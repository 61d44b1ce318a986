//! A request head that is still arriving: when its bytes are looked at, and what is refused before its end is here.
//!
//! Holds what is remembered from one look to the next. Does not hold the bytes, or what a whole head must say (`checks`).

use super::checks::parse_head;
use super::error::RequestError;
use super::framing::is_tchar;
use super::head::HeadTable;
use super::limits::Limits;
use super::syntax::Parsed;
use bytes::{Buf, BytesMut};
use gateway_spec::Scheme;

/// What is known of the bytes at the front of the buffer.
#[derive(Debug, Default)]
pub(super) struct ArrivingHead {
    /// Up to here the buffer is known to hold no complete head.
    searched: usize,
    /// Up to here the buffer holds no line end behind `searched`: a long line that comes in drops is looked at once.
    scanned: usize,
    empty_lines: usize,
}

/// How many empty lines before a request line are let pass (HTTP-5): old clients sent one after a body.
const MAX_EMPTY_LINES: usize = 4;

impl ArrivingHead {
    /// Looks for a complete head at the front of the buffer, over a connection of that scheme.
    ///
    /// The verdict on an incomplete head depends on its complete lines alone, so it is the same however the bytes arrive,
    /// and a peer that sends byte by byte cannot make us parse at every byte.
    #[inline]
    pub(super) fn look(
        &mut self,
        buffer: &mut BytesMut,
        limits: &Limits,
        scheme: &Scheme,
        table: &mut HeadTable,
    ) -> Result<Parsed, RequestError> {
        self.skip_empty_lines(buffer)?;
        let begin = self.searched.max(self.scanned);
        let Some(new) = buffer.get(begin..) else { return Ok(Parsed::Partial) };
        let Some(last_line) = new.iter().rposition(|b| *b == b'\n').map(|at| begin + at + 1) else {
            self.scanned = buffer.len();
            return self.check_partial(buffer, limits);
        };
        let parsed = match parse_head(buffer, limits, scheme, table) {
            Ok(Parsed::Complete) => return Ok(Parsed::Complete),
            // Bytes behind the last line end may not change the verdict.
            _ => parse_head(buffer.get(..last_line).unwrap_or_default(), limits, scheme, table)?,
        };
        self.searched = last_line;
        match parsed {
            Parsed::Complete => Ok(Parsed::Complete),
            Parsed::Partial => self.check_partial(buffer, limits),
        }
    }

    fn check_partial(&self, buffer: &[u8], limits: &Limits) -> Result<Parsed, RequestError> {
        let Limits { max_head_bytes, max_target_bytes, max_method_bytes, .. } = *limits;
        let line_is_open = self.searched == 0;
        if line_is_open && buffer.first().is_some_and(|b| !is_tchar(*b) && *b != b'\r') {
            // Not HTTP at all, such as TLS: no need to wait for a line end that may never come (HTTP-7).
            return Err(RequestError::RequestLine);
        }
        // ` ` twice and `HTTP/1.1`.
        if line_is_open && buffer.len() > max_method_bytes.saturating_add(max_target_bytes).saturating_add(10) {
            let method_ends = buffer.iter().take(max_method_bytes + 1).any(|b| *b == b' ');
            return Err(match method_ends {
                true => RequestError::TargetTooLong { limit: max_target_bytes },
                false => RequestError::MethodTooLong { limit: max_method_bytes },
            });
        }
        if buffer.len() >= max_head_bytes {
            return Err(RequestError::HeadTooLong { limit: max_head_bytes });
        }
        Ok(Parsed::Partial)
    }

    #[inline]
    fn skip_empty_lines(&mut self, buffer: &mut BytesMut) -> Result<(), RequestError> {
        loop {
            match buffer.get(..2).unwrap_or(buffer) {
                [b'\r', b'\n'] if self.empty_lines == MAX_EMPTY_LINES => {
                    return Err(RequestError::EmptyLines { limit: MAX_EMPTY_LINES });
                }
                [b'\r', b'\n'] => {
                    self.empty_lines += 1;
                    self.scanned = 0;
                    buffer.advance(2);
                }
                [b'\r', _] | [b'\n', ..] => return Err(RequestError::LineEnd),
                _ => return Ok(()),
            }
        }
    }
}
