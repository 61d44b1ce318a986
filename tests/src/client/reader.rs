//! Reading responses, strictly (RFC 9112 §4, §5, §6.3, §7.1).

use std::io::{self, Read};

use super::content::Content;
use super::response::{Broken, Framing, Response};

const MAX_HEAD_BYTES: usize = 256 * 1024;

/// Bytes as they come, with a buffer.
#[derive(Debug)]
pub(super) struct Reader<R> {
    source: R,
    buffer: Vec<u8>,
    /// What of the buffer was used.
    start: usize,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), start: 0 }
    }

    pub(super) fn response(&mut self, method: &str) -> Result<Response, Broken> {
        loop {
            let mut response = self.head()?;
            if response.status < 200 {
                continue;
            }
            response.framing = framing(method, &response)?;
            response.content = match self.content(response.framing) {
                Ok(content) => content,
                Err((mut content, _)) => {
                    content.complete = false;
                    content
                }
            };
            return Ok(response);
        }
    }

    pub(super) fn interim(&mut self) -> Result<(), Broken> {
        let head = self.head()?;
        if head.status == 100 { Ok(()) } else { Err(Broken::Head(format!("{} instead of 100", head.status))) }
    }

    /// Reads more behind what is buffered; 0 at the end of the connection.
    pub(super) fn receive_some(&mut self) -> io::Result<usize> {
        if self.start > 0 && self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
        let used = self.buffer.len();
        self.buffer.resize(used + 64 * 1024, 0);
        let got = self.source.read(&mut self.buffer[used..]);
        self.buffer.truncate(used + got.as_ref().copied().unwrap_or(0));
        got
    }

    fn buffered(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn head(&mut self) -> Result<Response, Broken> {
        let end = loop {
            if let Some(at) = self.buffered().windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 2;
            }
            if self.buffered().len() > MAX_HEAD_BYTES {
                return Err(Broken::Head(format!("longer than {MAX_HEAD_BYTES} bytes")));
            }
            match self.receive_some() {
                Ok(0) if self.buffered().is_empty() => return Err(Broken::NoAnswer),
                Ok(0) => return Err(Broken::Head(format!("ends early: {}", self.buffered().escape_ascii()))),
                Ok(_) => {}
                // A peer that closes with unread input resets the connection; nothing came then either.
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset && self.buffered().is_empty() => {
                    return Err(Broken::NoAnswer);
                }
                Err(e) => return Err(Broken::Io(e)),
            }
        };
        let head = parse_head(&self.buffered()[..end]);
        self.start += end + 2;
        head
    }

    /// The body; an error carries what came until then.
    fn content(&mut self, framing: Framing) -> Result<Content, (Content, String)> {
        let mut content = Content::empty();
        let ended = match framing {
            Framing::None => Ok(()),
            Framing::Length(length) => self.exactly(length, &mut content),
            Framing::Chunked => self.chunks(&mut content),
            Framing::Close => self.until_close(&mut content),
        };
        match ended {
            Ok(()) => Ok(content),
            Err(why) => Err((content, why)),
        }
    }

    fn exactly(&mut self, mut left: u64, content: &mut Content) -> Result<(), String> {
        while left > 0 {
            if self.buffered().is_empty() {
                self.more()?;
            }
            let here = self.buffered().len().min(usize::try_from(left).unwrap_or(usize::MAX));
            content.add(&self.buffer[self.start..self.start + here]);
            self.start += here;
            left -= here as u64;
        }
        Ok(())
    }

    /// RFC 9112 §7.1, without leniency: no sign, no blank, CRLF only.
    fn chunks(&mut self, content: &mut Content) -> Result<(), String> {
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or_default();
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(format!("chunk size {digits:?}"));
            }
            let size = u64::from_str_radix(digits, 16).map_err(|e| e.to_string())?;
            if size == 0 {
                break;
            }
            self.exactly(size, content)?;
            if !self.line()?.is_empty() {
                return Err("a chunk is longer than its size".to_owned());
            }
        }
        while !self.line()?.is_empty() {}
        Ok(())
    }

    fn until_close(&mut self, content: &mut Content) -> Result<(), String> {
        loop {
            content.add(&self.buffer[self.start..]);
            self.start = self.buffer.len();
            match self.receive_some() {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(e) => return Err(e.to_string()),
            }
        }
    }

    fn line(&mut self) -> Result<String, String> {
        loop {
            if let Some(at) = self.buffered().windows(2).position(|w| w == b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffered()[..at]).into_owned();
                self.start += at + 2;
                return Ok(line);
            }
            if self.buffered().len() > 8192 {
                return Err("a chunk's line does not end".to_owned());
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Result<(), String> {
        match self.receive_some() {
            Ok(0) => Err("the connection ended early".to_owned()),
            Ok(_) => Ok(()),
            Err(e) => Err(e.to_string()),
        }
    }
}

/// `head` ends with the last field's CRLF.
fn parse_head(head: &[u8]) -> Result<Response, Broken> {
    let bad = |what: &str| Broken::Head(format!("{what}: {}", head.escape_ascii()));
    // Field values are Latin-1 at worst; nothing the tests look at is outside ASCII.
    let text: String = head.iter().map(|&b| char::from(b)).collect();
    if text.replace("\r\n", "").contains(['\r', '\n', '\0']) {
        return Err(bad("a bare CR, LF or NUL"));
    }
    let mut lines = text.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let minor_version = match status_line.get(..9) {
        Some("HTTP/1.1 ") => 1,
        Some("HTTP/1.0 ") => 0,
        _ => return Err(bad("the version")),
    };
    let (code, space) = (status_line.get(9..12).unwrap_or_default(), status_line.get(12..13));
    let status = code.parse().map_err(|_| bad("the status"))?;
    // RFC 9112 §4: the space behind the code is there even when the reason phrase is empty.
    if space != Some(" ") || !(100..600).contains(&status) {
        return Err(bad("the status line"));
    }
    let mut fields = Vec::new();
    for line in lines.filter(|l| !l.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| bad("a line without a colon"))?;
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(bad("a field name"));
        }
        fields.push((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()));
    }
    Ok(Response { minor_version, status, fields, content: Content::empty(), framing: Framing::None })
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 9112 §6.3, for a client.
fn framing(method: &str, response: &Response) -> Result<Framing, Broken> {
    let lengths: Vec<&str> = response.all("content-length").collect();
    let codings: Vec<&str> = response.all("transfer-encoding").collect();
    if !lengths.is_empty() && !codings.is_empty() {
        return Err(Broken::Framing("Content-Length beside Transfer-Encoding".to_owned()));
    }
    if lengths.len() > 1 || codings.len() > 1 {
        return Err(Broken::Framing(format!("repeated: {lengths:?} {codings:?}")));
    }
    if matches!(response.status, 204 | 304) && !codings.is_empty() || response.status == 204 && !lengths.is_empty() {
        return Err(Broken::Framing(format!("{} with {lengths:?} {codings:?}", response.status)));
    }
    if method == "HEAD" || matches!(response.status, 204 | 304) {
        return Ok(Framing::None);
    }
    if let Some(coding) = codings.first() {
        return match coding.eq_ignore_ascii_case("chunked") {
            true => Ok(Framing::Chunked),
            false => Err(Broken::Framing(format!("transfer coding {coding:?}"))),
        };
    }
    let Some(length) = lengths.first() else { return Ok(Framing::Close) };
    length.parse().map(Framing::Length).map_err(|_| Broken::Framing(format!("Content-Length {length:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Dribble<'a>(&'a [u8]);

    impl Read for Dribble<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            out[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    /// The same answer whole and byte by byte; `None` when it is refused.
    #[track_caller]
    fn read(method: &str, bytes: &[u8]) -> Option<(u16, String, bool)> {
        let summary = |r: Response| (r.status, r.text(), r.content.complete);
        let whole = Reader::new(bytes).response(method).ok().map(summary);
        let slowly = Reader::new(Dribble(bytes)).response(method).ok().map(summary);
        assert_eq!(whole, slowly);
        whole
    }

    fn answer(status: u16, body: &str, complete: bool) -> Option<(u16, String, bool)> {
        Some((status, body.to_owned(), complete))
    }

    #[test]
    fn each_framing_ends_where_it_says() {
        assert_eq!(read("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd"), answer(200, "abc", true));
        let chunked = b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: t\r\n\r\n";
        assert_eq!(read("GET", chunked), answer(200, "abc", true));
        assert_eq!(read("GET", b"HTTP/1.0 200 OK\r\n\r\nabc"), answer(200, "abc", true));
        assert_eq!(read("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"), answer(200, "", true));
        assert_eq!(read("GET", b"HTTP/1.1 304 Not Modified\r\n\r\nabc"), answer(304, "", true));
        let after_interim = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(read("GET", after_interim), answer(200, "", true));
    }

    #[test]
    fn a_cut_body_is_not_complete() {
        assert_eq!(read("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"), answer(200, "ab", false));
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        let body = b"2\r\nab\r\n0\r\n\r\n";
        for end in 0..body.len() {
            let cut = read("GET", &[&head, &body[..end]].concat()).expect("the head is there");
            assert!(!cut.2, "cut at {end}");
        }
        assert_eq!(read("GET", &[&head[..], b"+2\r\nab\r\n0\r\n\r\n"].concat()), answer(200, "", false));
        assert_eq!(read("GET", &[&head[..], b"2\r\nabX\r\n0\r\n\r\n"].concat()), answer(200, "ab", false));
    }

    #[test]
    fn what_no_server_may_send_is_refused() {
        for bad in [
            &b"HTTP/2 200 OK\r\n\r\n"[..],
            b"HTTP/1.1 200\r\n\r\n",
            b"HTTP/1.1 20 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\nX: y\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n folded: y\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"",
        ] {
            assert_eq!(read("GET", bad), None, "{}", bad.escape_ascii());
        }
    }
}
