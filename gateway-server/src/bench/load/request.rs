//! The request: its bytes are made once, and every connection sends the same.

use std::net::SocketAddr;

/// A GET or POST, and what its answer must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// Head and body, in one piece: one `send` can take all of it.
    bytes: Vec<u8>,
    expected: BodyLen,
}

/// How long the body of a right answer is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyLen {
    Exactly(u64),
    /// As long as that of the first answer.
    AsTheFirst,
    /// As long as its own framing says.
    Any,
}

impl Request {
    /// `GET path` for the host that is at `address`.
    pub(crate) fn get(address: SocketAddr, path: &str) -> Self {
        Self {
            bytes: format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes(),
            expected: BodyLen::AsTheFirst,
        }
    }

    /// `POST path` with a body of `body_len` bytes.
    pub(crate) fn post(address: SocketAddr, path: &str, body_len: usize) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/octet-stream\r\n\
             Content-Length: {body_len}\r\n\r\n"
        );
        let mut bytes = head.into_bytes();
        bytes.resize(bytes.len() + body_len, b'x');
        Self { bytes, expected: BodyLen::AsTheFirst }
    }

    /// What the body of every answer must be like; by default, as long as the first one.
    pub(crate) fn expecting(mut self, expected: BodyLen) -> Self {
        self.expected = expected;
        self
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn expected(&self) -> BodyLen {
        self.expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> SocketAddr {
        "127.0.0.1:8080".parse().unwrap()
    }

    #[test]
    fn a_get_has_the_host_and_no_body() {
        let request = Request::get(host(), "/hello");
        assert_eq!(request.bytes(), b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
    }

    #[test]
    fn a_post_is_followed_by_as_many_bytes_as_it_says() {
        let request = Request::post(host(), "/upload", 3);
        assert!(request.bytes().starts_with(b"POST /upload HTTP/1.1\r\n"));
        assert!(request.bytes().ends_with(b"\r\nContent-Length: 3\r\n\r\nxxx"));
    }
}
