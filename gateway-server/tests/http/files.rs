//! Bodies that are files: sent by the system, from where they stand to their end.

use super::support::*;
use gateway_server::serve::Server;
use gateway_spec::{
    AppError, AsyncApplication, AsyncResponse, Body, BodyStream, Environ, FilePart, FileWrapper, InputStream,
    StartResponse, StatusCode, headers,
};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

const LONG: usize = 3_000_017;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

/// Answers with the rest of a file, whose handle shares its position with `file`.
fn answering(file: &File, fields: gateway_spec::Headers) -> impl gateway_spec::Application {
    let file = file.try_clone().unwrap();
    move |environ: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, fields.clone())?;
        let file = file.try_clone()?;
        Ok(match environ.path_info().as_bytes() {
            b"/wrapped" => FileWrapper.wrap(file, 10),
            _ => Body::file(file)?,
        })
    }
}

#[test]
fn pep_195_197_198_the_system_sends_a_file_and_little_of_it_is_read() {
    let bytes = pattern(LONG);
    for path in ["/", "/wrapped"] {
        let mut file = file(&bytes);
        file.seek(SeekFrom::Start(10)).unwrap();
        let server = serve(answering(&file, headers![]));
        let response = server.get(path);
        assert_eq!(response.field("content-length"), Some((LONG - 10).to_string().as_str()));
        assert!(response.body == bytes[10..]);
        // What is read moves the position; what the system sends does not.
        let read = file.stream_position().unwrap() - 10;
        assert!(read <= FilePart::BLOCK_BYTES as u64, "{read} bytes were read");
    }
}

struct Whole(File);

impl AsyncApplication for Whole {
    async fn call(&self, _: Environ, _: InputStream) -> Result<AsyncResponse, AppError> {
        let part = FilePart::rest(self.0.try_clone()?)?;
        Ok(AsyncResponse::new(StatusCode::OK, headers![], BodyStream::file(part)))
    }
}

#[test]
fn pep_195_an_asynchronous_application_answers_with_a_file_too() {
    let bytes = pattern(LONG);
    let mut file = file(&bytes);
    let server = start(Server::asynchronous(Whole(file.try_clone().unwrap())).config(config()));
    let mut client = server.client();
    // Pipelined: the second answer begins where the first ends, from where the file stands then.
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.response().body == bytes);
    assert_eq!(client.response_head().status, 200);
    assert!(file.stream_position().unwrap() <= 2 * FilePart::BLOCK_BYTES as u64);
}

#[test]
fn pep_197_a_file_is_cut_at_the_declared_length() {
    let bytes = pattern(LONG);
    let file = file(&bytes);
    let server = serve(answering(&file, headers!["content-length" => 200_000]));
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.response().body == bytes[..200_000]);
    assert_eq!(client.response_head().status, 200, "the connection goes on");
}

#[test]
fn pep_92_a_file_that_is_shorter_than_declared_is_broken_off() {
    let bytes = pattern(100_000);
    let file = file(&bytes);
    let server = serve(answering(&file, headers!["content-length" => 200_000]));
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response_head().field("content-length"), Some("200000"));
    assert!(client.rest() == bytes);
}

#[test]
fn http_211_a_file_that_shrinks_while_it_is_sent_is_broken_off() {
    let bytes = pattern(64 << 20);
    let file = file(&bytes);
    let server = serve(answering(&file, headers![]));
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let length: usize = client.response_head().field("content-length").unwrap().parse().unwrap();
    assert_eq!(length, bytes.len());
    // The sockets' buffers are far smaller than the file, so most of it is still to be sent.
    client.take(1 << 20);
    file.set_len(2 << 20).unwrap();
    let rest = client.rest();
    assert!(rest.len() < length - (1 << 20), "{} bytes more", rest.len());
}
