//! The direct call: the application driven in this process, without a wire. The yardstick for all others.

use std::io::Read;

use gateway_spec::{Environ, Event, Exchange, Framing as BodyFraming, Input};

use super::Gateway;
use crate::client::response::Framing;
use crate::client::{Broken, Content, Payload, Request, Response};

/// Calls `testbed` through the driver of the contract.
#[derive(Clone, Copy, Debug)]
pub struct Direct;

impl Gateway for Direct {
    fn name(&self) -> &'static str {
        "direct call"
    }

    fn prefix(&self) -> &'static str {
        ""
    }

    fn is_process_per_request(&self) -> bool {
        false
    }

    fn exchange(&self, requests: &[Request]) -> Vec<Result<Response, Broken>> {
        requests.iter().map(|request| Ok(call(request))).collect()
    }
}

fn call(request: &Request) -> Response {
    let mut exchange = Exchange::call(&gateway_examples::testbed::application, environ(request));
    let mut response =
        Response { minor_version: 1, status: 0, fields: Vec::new(), content: Content::empty(), framing: Framing::None };
    loop {
        match exchange.next() {
            Event::Head(head) => {
                response.status = head.status.as_u16();
                response.fields = head
                    .headers
                    .iter()
                    .map(|(name, value)| {
                        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                    })
                    .collect();
                response.framing = match head.framing {
                    BodyFraming::None => Framing::None,
                    BodyFraming::Exact(length) => Framing::Length(length),
                    BodyFraming::Unknown => Framing::Close,
                };
            }
            Event::Chunk(bytes) => response.content.add(&bytes),
            Event::Nothing => {}
            Event::End => return response,
            Event::Abort => {
                response.content.complete = false;
                return response;
            }
        }
    }
}

fn environ(request: &Request) -> Environ {
    let mut builder = Environ::builder()
        .variable("GATEWAY_INTERFACE", "CGI/1.1")
        .variable("SERVER_SOFTWARE", "direct")
        .variable("SERVER_NAME", "localhost")
        .variable("SERVER_PORT", "80")
        .variable("SERVER_PROTOCOL", "HTTP/1.1")
        .variable("REMOTE_ADDR", "127.0.0.1")
        .variable("REQUEST_METHOD", &request.method)
        .variable("REQUEST_URI", &request.target)
        .variable("SCRIPT_NAME", "")
        .variable("PATH_INFO", percent_decode(request.path()))
        .variable("QUERY_STRING", request.query())
        .input(Input::reader(std::io::Cursor::new(Vec::new()), Some(0)));
    for (name, value) in &request.fields {
        builder = builder.header(name.as_bytes(), value.as_bytes());
    }
    if let Some(length) = request.body.declared_length() {
        builder = builder.header(b"content-length", length.to_string().as_bytes());
    }
    builder
        .input(Input::reader(body(&request.body), request.body.declared_length()))
        .build()
        .expect("a complete environ")
}

fn body(payload: &Payload) -> Box<dyn Read + Send> {
    match payload {
        Payload::None => Box::new(std::io::empty()),
        Payload::Bytes(bytes) => Box::new(std::io::Cursor::new(bytes.clone())),
        Payload::Pattern(length) | Payload::Chunked(length) | Payload::Short(_, length) => Box::new(Blocks {
            blocks: Box::new(crate::client::content::pattern_blocks(*length)),
            block: Vec::new(),
            at: 0,
        }),
    }
}

/// The pattern as a reader.
struct Blocks {
    blocks: Box<dyn Iterator<Item = Vec<u8>> + Send>,
    block: Vec<u8>,
    at: usize,
}

impl Read for Blocks {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.block.len() {
            self.block = self.blocks.next().unwrap_or_default();
            self.at = 0;
        }
        let length = out.len().min(self.block.len() - self.at);
        out[..length].copy_from_slice(&self.block[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

fn percent_decode(path: &str) -> Vec<u8> {
    let mut rest = path.as_bytes();
    let mut decoded = Vec::new();
    while let [first, more @ ..] = rest {
        let escape = || u8::from_str_radix(std::str::from_utf8(more.get(..2)?).ok()?, 16).ok();
        match escape().filter(|_| *first == b'%') {
            Some(byte) => {
                decoded.push(byte);
                rest = &more[2..];
            }
            None => {
                decoded.push(*first);
                rest = more;
            }
        }
    }
    decoded
}
