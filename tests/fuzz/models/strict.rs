//! A strict reader, as a table of rules over lines: what our listener takes, and nothing else.
//!
//! Written in the manner of h11: a few states, and one rule for each thing that can be read. It sees the whole stream, so a
//! head is what stands before the first empty line, and a line is what stands before CRLF.

use super::{End, Reading, Request};

/// What the next bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Empty lines, at most four, then a head.
    Idle,
    Body(Framing),
    /// After a request: does the connection persist?
    Done,
    Over(End),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
}

/// A broken rule. Which one does not matter.
#[derive(Debug)]
struct Broken;

type Rule<T> = Result<T, Broken>;

const METHOD_BYTES: usize = 32;
const FIELDS: usize = 100;
const EMPTY_LINES: usize = 4;
const SIZE_DIGITS: usize = 16;

/// Reads a whole stream.
pub fn read(stream: &[u8]) -> Reading {
    let mut reader = Reader { rest: stream, requests: Vec::new(), persists: false };
    let mut state = State::Idle;
    loop {
        let next = match state {
            State::Idle => reader.head(),
            State::Body(framing) => reader.body(framing),
            State::Done if reader.persists => Ok(State::Idle),
            State::Done => Ok(State::Over(End::Asked)),
            State::Over(end) => return Reading { requests: reader.requests, end },
        };
        state = next.unwrap_or(State::Over(End::Refused));
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    requests: Vec<Request>,
    persists: bool,
}

impl Reader<'_> {
    fn head(&mut self) -> Rule<State> {
        for _ in 0..EMPTY_LINES {
            self.rest = self.rest.strip_prefix(b"\r\n").unwrap_or(self.rest);
        }
        if self.rest.is_empty() {
            return Ok(State::Over(End::Clean));
        }
        let end = find(self.rest, b"\r\n\r\n").ok_or(Broken)?;
        let (head, rest) = (&self.rest[..end], &self.rest[end + 4..]);
        let mut lines = split(head);
        let (method, target, version) = request_line(lines.next().ok_or(Broken)?)?;
        let fields = lines.map(field).collect::<Rule<Vec<_>>>()?;
        demand(fields.len() <= FIELDS)?;
        target_of(method, target)?;
        host(version, &fields)?;
        demand(version == 0 || values(&fields, "expect").all(|value| value.eq_ignore_ascii_case(b"100-continue")))?;
        let framing = framing(version, &fields)?;
        self.persists = persists(version, &fields);
        let (method, target) = (method.to_vec(), target.to_vec());
        self.requests.push(Request { method, target, fields, body: None });
        self.rest = rest;
        Ok(State::Body(framing))
    }

    fn body(&mut self, framing: Framing) -> Rule<State> {
        let body = match framing {
            Framing::Length(length) => self.take(length)?.to_vec(),
            Framing::Chunked => self.chunks()?,
        };
        if let Some(request) = self.requests.last_mut() {
            request.body = Some(body);
        }
        Ok(State::Done)
    }

    fn chunks(&mut self) -> Rule<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            match chunk_size(self.line()?)? {
                0 => break,
                size => body.extend_from_slice(self.take(size)?),
            }
            demand(self.line()?.is_empty())?;
        }
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(body);
            }
            field(line)?;
        }
    }

    fn take(&mut self, length: u64) -> Rule<&[u8]> {
        let length = usize::try_from(length).map_err(|_| Broken)?;
        demand(length <= self.rest.len())?;
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(taken)
    }

    /// What stands before the next CRLF.
    fn line(&mut self) -> Rule<&[u8]> {
        let end = find(self.rest, b"\r\n").ok_or(Broken)?;
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 2..];
        Ok(line)
    }
}

/// `method SP request-target SP HTTP-version`, the version 1.0 or 1.1, of which the last digit is given back.
fn request_line(line: &[u8]) -> Rule<(&[u8], &[u8], u8)> {
    let words: Vec<&[u8]> = line.split(|b| *b == b' ').collect();
    let [method, target, version] = words[..] else { return Err(Broken) };
    demand(is_token(method) && method.len() <= METHOD_BYTES && !target.is_empty())?;
    match version {
        b"HTTP/1.0" => Ok((method, target, 0)),
        b"HTTP/1.1" => Ok((method, target, 1)),
        _ => Err(Broken),
    }
}

/// `field-name ":" OWS field-value OWS`
fn field(line: &[u8]) -> Rule<(Vec<u8>, Vec<u8>)> {
    let colon = line.iter().position(|b| *b == b':').ok_or(Broken)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    demand(is_token(name) && value.iter().all(|b| matches!(b, b'\t' | 0x20..=0x7e | 0x80..=0xff)))?;
    Ok((name.to_vec(), blanks_off(value).to_vec()))
}

fn target_of(method: &[u8], target: &[u8]) -> Rule<()> {
    demand(method != b"CONNECT")?;
    if target == b"*" {
        return demand(method == b"OPTIONS");
    }
    let path_and_query = if target[0] == b'/' {
        target
    } else {
        let scheme = target.get(..7).ok_or(Broken)?;
        demand(scheme.eq_ignore_ascii_case(b"http://"))?;
        let rest = &target[7..];
        let end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
        demand(is_authority(&rest[..end]))?;
        &rest[end..]
    };
    let query = path_and_query.iter().position(|b| *b == b'?').unwrap_or(path_and_query.len());
    let is_uri = |b: &u8| b.is_ascii_graphic() && !b"\"#<>".contains(b);
    demand(path_and_query.iter().all(is_uri) && !path_and_query[..query].contains(&b'\\'))
}

fn host(version: u8, fields: &[(Vec<u8>, Vec<u8>)]) -> Rule<()> {
    let hosts: Vec<&[u8]> = values(fields, "host").collect();
    match hosts[..] {
        [] => demand(version == 0),
        [host] => demand(host.is_empty() || is_authority(host)),
        _ => Err(Broken),
    }
}

/// `uri-host [":" port]`, without percent codes.
fn is_authority(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let Some((inner, port)) = rest.split_once(']') else { return false };
            if inner.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            (None, port)
        }
        None => {
            let end = text.find(':').unwrap_or(text.len());
            (Some(&text[..end]), &text[end..])
        }
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=".contains(c);
    let is_port = |port: &str| {
        port.chars().all(|c| c.is_ascii_digit()) && port.len() <= 5 && (port.is_empty() || port.parse::<u16>().is_ok())
    };
    host.is_none_or(|host| !host.is_empty() && host.chars().all(is_name))
        && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

fn framing(version: u8, fields: &[(Vec<u8>, Vec<u8>)]) -> Rule<Framing> {
    let lengths: Vec<&[u8]> = values(fields, "content-length").collect();
    let codings: Vec<&[u8]> = values(fields, "transfer-encoding").collect();
    match (&lengths[..], &codings[..]) {
        ([], []) => Ok(Framing::Length(0)),
        ([], [coding]) => {
            demand(version == 1 && coding.eq_ignore_ascii_case(b"chunked"))?;
            Ok(Framing::Chunked)
        }
        ([length], []) => number(length, 10).map(Framing::Length),
        _ => Err(Broken),
    }
}

/// `chunk-size [ chunk-ext ]`; blanks behind the size only before an extension.
fn chunk_size(line: &[u8]) -> Rule<u64> {
    let end = line.iter().position(|b| !b.is_ascii_hexdigit()).unwrap_or(line.len());
    let (size, behind) = line.split_at(end);
    demand(size.len() <= SIZE_DIGITS)?;
    let extension = blanks_off(behind);
    demand(behind.is_empty() || extension.first() == Some(&b';'))?;
    demand(behind.iter().all(|b| matches!(b, b'\t' | 0x20..=0x7e | 0x80..=0xff)))?;
    number(size, 16)
}

/// Digits alone, of a number below 2^63.
fn number(digits: &[u8], radix: u32) -> Rule<u64> {
    demand(!digits.is_empty() && digits.iter().all(|b| char::from(*b).is_digit(radix)))?;
    let text = std::str::from_utf8(digits).map_err(|_| Broken)?;
    i64::from_str_radix(text, radix).map(i64::unsigned_abs).map_err(|_| Broken)
}

fn persists(version: u8, fields: &[(Vec<u8>, Vec<u8>)]) -> bool {
    let options = || values(fields, "connection").flat_map(|value| value.split(|b| *b == b',')).map(blanks_off);
    let has = |option: &str| options().any(|found| found.eq_ignore_ascii_case(option.as_bytes()));
    !has("close") && (version == 1 || has("keep-alive"))
}

fn values<'a>(fields: &'a [(Vec<u8>, Vec<u8>)], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| &**value)
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b))
}

/// Without SP and HTAB at both ends.
fn blanks_off(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

fn split(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(head);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = find(text, b"\r\n");
        rest = end.map(|end| &text[end + 2..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn demand(holds: bool) -> Rule<()> {
    if holds { Ok(()) } else { Err(Broken) }
}
