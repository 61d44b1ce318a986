//! What RFC 9112 lets a server take: httparse for the head, and §6.3 and §7.1 as they are written for the body.
//!
//! It is as lax as the text allows: a list of equal lengths is one, and a chunk extension is whatever stands before the line's
//! end. What it refuses, everybody must refuse.

use super::{End, Reading, Request};

const FIELDS: usize = 100;

/// Reads a whole stream. The end tells only whether what follows the last request was refused.
pub fn read(stream: &[u8]) -> Reading {
    let (mut rest, mut requests) = (stream, Vec::new());
    loop {
        while let Some(behind) = rest.strip_prefix(b"\r\n") {
            rest = behind;
        }
        if rest.is_empty() {
            return Reading { requests, end: End::Clean };
        }
        let Some((mut request, minor, behind)) = head(rest) else { return Reading { requests, end: End::Refused } };
        let persists = persists(minor, &request);
        let body = body(minor, &request, behind);
        request.body = body.as_ref().map(|(body, _)| body.clone());
        requests.push(request);
        match body {
            Some((_, behind)) if persists => rest = behind,
            Some(_) => return Reading { requests, end: End::Asked },
            None => return Reading { requests, end: End::Refused },
        }
    }
}

fn head(rest: &[u8]) -> Option<(Request, u8, &[u8])> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(length) = head.parse(rest).ok()? else { return None };
    let fields = head.headers.iter().map(|field| (field.name.as_bytes().to_vec(), field.value.trim_ascii().to_vec()));
    let (method, target) = (head.method?.as_bytes().to_vec(), head.path?.as_bytes().to_vec());
    Some((Request { method, target, fields: fields.collect(), body: None }, head.version?, &rest[length..]))
}

/// RFC 9112 §6.3, in its order; the body and what stands behind it.
fn body<'a>(minor: u8, request: &Request, rest: &'a [u8]) -> Option<(Vec<u8>, &'a [u8])> {
    let (codings, lengths) = (list(request, "transfer-encoding"), list(request, "content-length"));
    let has = |name: &str| request.fields.iter().any(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
    // 3: both is an error that ought to be handled as one; §6.1: so is a coding in HTTP/1.0.
    if has("transfer-encoding") {
        // 4: the final coding decides; §6.1: what is not understood is 501.
        let chunked = matches!(&codings[..], [only] if only.eq_ignore_ascii_case(b"chunked"));
        return if chunked && minor == 1 && !has("content-length") { chunks(rest) } else { None };
    }
    // 5: an invalid length is an error, unless it is a list of the same valid one.
    if has("content-length") {
        let (first, others) = lengths.split_first()?;
        let is_number = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
        let length: usize = std::str::from_utf8(first).ok()?.parse().ok()?;
        let whole = is_number && others.iter().all(|other| other == first) && length <= rest.len();
        return whole.then(|| (rest[..length].to_vec(), &rest[length..]));
    }
    // 7: none.
    Some((Vec::new(), rest))
}

/// RFC 9112 §7.1.
fn chunks(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    loop {
        let (line, behind) = line(rest)?;
        let digits = line.split(|b| matches!(b, b';' | b' ' | b'\t')).next()?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let size = usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        rest = behind;
        if size == 0 {
            break;
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
    loop {
        let (line, behind) = line(rest)?;
        rest = behind;
        if line.is_empty() {
            return Some((body, rest));
        }
    }
}

fn line(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    Some((&rest[..end], &rest[end + 2..]))
}

fn persists(minor: u8, request: &Request) -> bool {
    let options = list(request, "connection");
    let has = |option: &str| options.iter().any(|found| found.eq_ignore_ascii_case(option.as_bytes()));
    !has("close") && (minor == 1 || has("keep-alive"))
}

/// The elements of all lines of a list-based field that are not empty.
fn list(request: &Request, name: &str) -> Vec<Vec<u8>> {
    let values = request.fields.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
    let elements = values.flat_map(|(_, value)| value.split(|b| *b == b',')).map(<[u8]>::trim_ascii);
    elements.filter(|element| !element.is_empty()).map(<[u8]>::to_vec).collect()
}
