//! The head of a response: which fields an application may send, and what length its body will have.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::{FilePart, Headers, StartError};

/// Status and fields as they go out, and how the body is delimited.
///
/// Content-Length is among the fields whenever the length is known. Date, Server, Connection and Transfer-Encoding are
/// not there: those are the gateway's to add (PEP-66).
#[derive(Debug, Clone)]
pub struct ResponseHead {
    /// 200 to 599; or 101 where [`may_switch_protocols`](crate::AsyncExchange::may_switch_protocols) was said.
    pub status: StatusCode,
    /// In the application's order, repeats kept.
    pub headers: Headers,
    /// What follows the head.
    pub framing: Framing,
}

/// How many bytes follow a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// None, whatever the fields say: the answer to HEAD, or status 204 or 304 (HTTP-142).
    None,
    /// Exactly this many.
    Exact(u64),
    /// Nobody knows yet: chunked, or until the connection closes (PEP-93, PEP-95).
    Unknown,
}

impl ResponseHead {
    pub(crate) fn guard(&self) -> LengthGuard {
        match self.framing {
            Framing::None => LengthGuard::bodiless(),
            Framing::Exact(_) if self.status == StatusCode::RESET_CONTENT => LengthGuard::bodiless(),
            Framing::Exact(length) => LengthGuard { declared: Some(length), sent: 0, silent: false },
            Framing::Unknown => LengthGuard::unknown(),
        }
    }
}

/// A head that passed the checks and waits for its first chunk.
#[derive(Debug)]
pub(crate) struct StoredHead {
    status: StatusCode,
    headers: Headers,
    declared: Option<u64>,
}

/// Checks what an application wants to send, inside `start_response`, where it can still react (PEP-70).
pub(crate) fn check(status: StatusCode, headers: Headers) -> Result<StoredHead, StartError> {
    headers.check()?;
    if !(200..=599).contains(&status.as_u16()) {
        return Err(StartError::Status(status));
    }
    let mut declared = None;
    for (name, value) in &headers {
        if name == header::CONTENT_LENGTH {
            let length = parse_length(value).ok_or(StartError::ContentLength)?;
            if declared.replace(length).is_some() {
                return Err(StartError::ContentLength);
            }
        } else if is_hop_by_hop(name) && !is_upgrade_required(status, name) {
            return Err(StartError::HopByHop(name.clone()));
        } else if name.as_str() == "status" {
            return Err(StartError::StatusField);
        }
    }
    Ok(StoredHead { status, headers, declared })
}

/// [`check`] for the last head in HTTP that a connection carries: 101, whose Upgrade field is the gateway's to add.
pub(crate) fn check_switch(headers: Headers) -> Result<StoredHead, StartError> {
    // 204 has no body either.
    let head = check(StatusCode::NO_CONTENT, headers)?;
    Ok(StoredHead { status: StatusCode::SWITCHING_PROTOCOLS, ..head })
}

/// HTTP-131: 426 names the protocols that it asks for, and nobody but the application knows them.
fn is_upgrade_required(status: StatusCode, name: &HeaderName) -> bool {
    status == StatusCode::UPGRADE_REQUIRED && *name == header::UPGRADE
}

impl StoredHead {
    /// The head as it goes out. `known` is the body's own exact length, if it has one.
    pub(crate) fn finish(mut self, known: Option<u64>, head_request: bool) -> ResponseHead {
        let framing = match self.status {
            StatusCode::NO_CONTENT | StatusCode::SWITCHING_PROTOCOLS => {
                // HTTP-145: no length on 204, nor on 101.
                self.headers.remove("content-length");
                Framing::None
            }
            StatusCode::NOT_MODIFIED => Framing::None,
            StatusCode::RESET_CONTENT => {
                // HTTP-146: a 205 is delimited, and empty.
                self.headers.set("content-length", 0_u64);
                Framing::Exact(0)
            }
            _ if head_request => {
                // An empty body says nothing about the length a GET would have had (HTTP-144).
                self.derive(known.filter(|length| *length > 0));
                Framing::None
            }
            _ => self.derive(known).map_or(Framing::Unknown, Framing::Exact),
        };
        ResponseHead { status: self.status, headers: self.headers, framing }
    }

    /// What `write` may send before the body is known.
    pub(crate) fn guard(&self, head_request: bool) -> LengthGuard {
        match self.status {
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::RESET_CONTENT => LengthGuard::bodiless(),
            _ if head_request => LengthGuard::bodiless(),
            _ => LengthGuard { declared: self.declared, sent: 0, silent: false },
        }
    }

    /// The length to go by: the application's word, else the body's own (PEP-94), which is then announced.
    fn derive(&mut self, known: Option<u64>) -> Option<u64> {
        if self.declared.is_none()
            && let Some(length) = known
        {
            self.headers.push(header::CONTENT_LENGTH, decimal(length));
        }
        self.declared.or(known)
    }
}

/// Keeps a body within its declared length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LengthGuard {
    declared: Option<u64>,
    sent: u64,
    /// Cutting is the rule here, not a mistake of the application.
    silent: bool,
}

impl LengthGuard {
    pub(crate) fn unknown() -> Self {
        LengthGuard { declared: None, sent: 0, silent: false }
    }

    pub(crate) fn bodiless() -> Self {
        LengthGuard { declared: Some(0), sent: 0, silent: true }
    }

    /// Cuts `chunk` to what may still be sent; says the declared length if that took something away.
    pub(crate) fn cut(&mut self, chunk: &mut Bytes) -> Option<u64> {
        let before = chunk.len();
        if let Some(declared) = self.declared {
            let left = usize::try_from(declared - self.sent).unwrap_or(usize::MAX);
            chunk.truncate(left);
        }
        self.sent += chunk.len() as u64;
        self.declared.filter(|_| chunk.len() < before && !self.silent)
    }

    /// [`LengthGuard::cut`] for a part of a file, which counts as sent.
    pub(crate) fn cut_file(&mut self, part: &mut FilePart) -> Option<u64> {
        let before = part.length();
        if let Some(declared) = self.declared {
            part.truncate(declared - self.sent);
        }
        self.sent += part.length();
        self.declared.filter(|_| part.length() < before && !self.silent)
    }

    /// Whether `len` more bytes are too many; the declared length then.
    pub(crate) fn exceeded_by(&self, len: usize) -> Option<u64> {
        self.declared.filter(|declared| !self.silent && len as u64 > declared - self.sent)
    }

    /// Whether everything that was declared has been sent.
    pub(crate) fn is_complete(&self) -> bool {
        self.declared.is_some_and(|declared| declared == self.sent)
    }

    /// What was declared and what was sent, if that is less.
    pub(crate) fn missing(&self) -> Option<(u64, u64)> {
        self.declared.filter(|declared| *declared > self.sent).map(|declared| (declared, self.sent))
    }
}

/// The plain answer for a failure.
pub(crate) mod error_page {
    use super::{StatusCode, StoredHead, check};
    use crate::{Body, Headers, headers};

    /// Status and type, which the checks cannot refuse, and the failure's own fields, unless they can.
    pub(crate) fn head(status: StatusCode, fields: Headers) -> Option<StoredHead> {
        let page = headers!["content-type" => "text/plain; charset=utf-8"];
        let own = fields.into_iter().filter(|(name, _)| !matches!(name.as_str(), "content-type" | "content-length"));
        let whole = page.iter().cloned().chain(own).collect();
        check(status, whole).or_else(|_| check(status, page)).ok()
    }

    /// The status in words.
    pub(crate) fn body(status: StatusCode) -> Body {
        format!("{}\n", status.canonical_reason().unwrap_or("Error")).into()
    }
}

/// A number as a field value: most responses need one. Those below a thousand cost no allocation, others one, where
/// `HeaderValue::from` takes two.
fn decimal(number: u64) -> HeaderValue {
    if let Some(text) = usize::try_from(number).ok().and_then(below_a_thousand) {
        return HeaderValue::from_static(text);
    }
    // 20 digits hold every u64; they are filled from the end.
    let mut digits = [b'0'; 20];
    let mut rest = number;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    let text = digits.get(digits.len() - used..).unwrap_or_default();
    HeaderValue::from_bytes(text).unwrap_or_else(|_| HeaderValue::from(number))
}

fn below_a_thousand(number: usize) -> Option<&'static str> {
    let zeros = match number {
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    };
    std::str::from_utf8(THOUSAND.get(number)?.get(zeros..)?).ok()
}

/// `000` to `999`.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses a wrong index")]
static THOUSAND: [[u8; 3]; 1000] = {
    let mut all = [*b"000"; 1000];
    let mut number = 1;
    while number < all.len() {
        all[number] = match all[number - 1] {
            [a, b'9', b'9'] => [a + 1, b'0', b'0'],
            [a, b, b'9'] => [a, b + 1, b'0'],
            [a, b, c] => [a, b, c + 1],
        };
        number += 1;
    }
    all
};

fn parse_length(value: &HeaderValue) -> Option<u64> {
    crate::Value::new(value.as_bytes()).parse_number()
}

/// Whether a field is about the connection, and so neither an application's nor a program's to send.
///
/// RFC 9110 §7.6.1 and RFC 2616 §13.5.1, which PEP 3333 cites, taken together (PEP-68). One list for the driver, the lint and
/// gateways to programs: a field that one lets pass and another refuses would be an answer lost on the way.
///
/// # Examples
/// ```
/// use gateway_spec::{HeaderName, exchange::is_hop_by_hop};
/// assert!(is_hop_by_hop(&HeaderName::from_static("keep-alive")));
/// assert!(!is_hop_by_hop(&HeaderName::from_static("content-type")));
/// ```
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    const NAMES: [&str; 10] = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    ];
    NAMES.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers_are_written_as_display_writes_them() {
        for number in (0..1100).chain([65_536, u64::MAX - 1, u64::MAX]) {
            assert_eq!(decimal(number).to_str().unwrap(), number.to_string());
        }
    }
}
