//! The messages: two questions and one answer.
//!
//! Each begins with the version of this form, so that a worker and a manager of different releases do not misread each other:
//! what is of another version is no message, and the worker counts as one that is not ours.

use super::bytes::{Reader, put_text};
use std::time::Duration;

/// The version of the messages.
const VERSION: u8 = 1;

/// Requests under way that a report tells of, the oldest first; more are only counted. Enough for a status page, and a message
/// stays below the size of a socket's buffer.
pub const MAX_ACTIVE: usize = 64;

/// Slow requests that have ended since the last report and are told of; more are only counted.
pub const MAX_SLOW: usize = 32;

/// What is kept of a method.
pub const MAX_METHOD_BYTES: usize = 15;

/// What is kept of a path; a longer one is cut. It is for people.
pub const MAX_PATH_BYTES: usize = 111;

/// What a manager asks.
///
/// # Examples
/// ```
/// use gateway_fastcgi::control::Ask;
///
/// assert_eq!(Ask::decode(&Ask::Finish.encode()), Some(Ask::Finish));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// What are you doing?
    Report {
        /// Requests that take at least this long are slow, from here on.
        slow_after: Option<Duration>,
    },
    /// Accept nothing more, finish, end.
    Finish,
}

/// What a worker is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// It accepts nothing more.
    pub finishing: bool,
    /// Its time is up: it ends now, and the requests under way are lost. Its last word, and the only one unasked.
    pub cut_off: bool,
    /// Requests that have ended.
    pub finished: u64,
    /// Requests that have ended and were slow.
    pub slow: u64,
    /// Requests under way.
    pub active: u64,
    /// The oldest of them.
    pub requests: Vec<RequestLine>,
    /// Slow ones that have ended since the last report.
    pub were_slow: Vec<RequestLine>,
}

/// One request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestLine {
    /// Its number in the worker, from 1 on.
    pub serial: u64,
    /// How long it has been under way, or was.
    pub age: Duration,
    /// REQUEST_METHOD, cut to [`MAX_METHOD_BYTES`].
    pub method: Vec<u8>,
    /// SCRIPT_NAME and PATH_INFO, cut to [`MAX_PATH_BYTES`]; without the query, which may hold secrets.
    pub path: Vec<u8>,
}

impl Ask {
    /// The message.
    pub fn encode(self) -> Vec<u8> {
        match self {
            Ask::Report { slow_after } => {
                let mut out = vec![VERSION, b'?'];
                out.extend(slow_after.map_or(0, millis).to_be_bytes());
                out
            }
            Ask::Finish => vec![VERSION, b'.'],
        }
    }

    /// The question in a message; `None` if it is none of this version.
    pub fn decode(message: &[u8]) -> Option<Self> {
        let mut reader = Reader(message);
        let ask = match (reader.byte()?, reader.byte()?) {
            (VERSION, b'?') => {
                let millis = reader.number()?;
                Ask::Report { slow_after: (millis > 0).then(|| Duration::from_millis(millis)) }
            }
            (VERSION, b'.') => Ask::Finish,
            _ => return None,
        };
        reader.0.is_empty().then_some(ask)
    }
}

impl Report {
    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, u8::from(self.finishing) | u8::from(self.cut_off) << 1];
        for number in [self.finished, self.slow, self.active] {
            out.extend(number.to_be_bytes());
        }
        for (lines, most) in [(&self.requests, MAX_ACTIVE), (&self.were_slow, MAX_SLOW)] {
            out.push(u8::try_from(lines.len().min(most)).unwrap_or_default());
            lines.iter().take(most).for_each(|line| line.encode(&mut out));
        }
        out
    }

    /// The answer in a message; `None` if it is none of this version.
    pub fn decode(message: &[u8]) -> Option<Self> {
        let mut reader = Reader(message);
        if reader.byte()? != VERSION {
            return None;
        }
        // A manager that knows one of the two alone takes the other for it: who is cut off is finishing.
        let state = reader.byte()?;
        let (finishing, cut_off) = (state != 0, state & 2 != 0);
        let (finished, slow, active) = (reader.number()?, reader.number()?, reader.number()?);
        let requests = RequestLine::decode_list(&mut reader)?;
        let were_slow = RequestLine::decode_list(&mut reader)?;
        reader.0.is_empty().then_some(Report { finishing, cut_off, finished, slow, active, requests, were_slow })
    }
}

impl RequestLine {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.serial.to_be_bytes());
        out.extend(millis(self.age).to_be_bytes());
        put_text(out, &self.method);
        put_text(out, &self.path);
    }

    fn decode_list(reader: &mut Reader<'_>) -> Option<Vec<Self>> {
        let count = reader.byte()?;
        (0..count).map(|_| Self::decode(reader)).collect()
    }

    fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let (serial, age) = (reader.number()?, Duration::from_millis(reader.number()?));
        Some(Self { serial, age, method: reader.text()?.to_vec(), path: reader.text()?.to_vec() })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
