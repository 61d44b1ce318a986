//! Bodies in both directions: framing, streaming, back-pressure, 100-continue.

use super::support::*;
use gateway_spec::{AppError, Body, Bytes, Environ, StartResponse, StatusCode, headers};
use std::sync::{Arc, Mutex, mpsc};

#[test]
fn http_89_chunked_requests_are_decoded() {
    let server = serve(echo);
    let mut client = server.client();
    client.send("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nT: x\r\n\r\n");
    assert_eq!(client.response().text(), "/c hello!");
}

#[test]
fn http_89_a_chunked_request_that_arrives_slowly_is_decoded() {
    let server = serve(echo);
    let mut client = server.client();
    for byte in b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n" {
        client.send([*byte]);
    }
    assert_eq!(client.response().text(), "/c hello!");
    for byte in b"POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nhello!" {
        client.send([*byte]);
    }
    assert_eq!(client.response().text(), "/l hello!");
}

#[test]
fn http_110_what_follows_an_early_answer_is_still_the_body() {
    let (called, calls) = mpsc::channel();
    let server = serve_with(config().preread_bytes(0), move |environ: Environ, start_response: StartResponse| {
        called.send(environ.path_info().to_string())?;
        ok(start_response, "early")
    });
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    // By the application, which reads nothing, and by the server itself.
    for (path, status) in [("/early", 200), ("/%00", 400)] {
        let mut client = server.client();
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", hidden.len()));
        assert_eq!(client.response().status, status, "{path}");
        client.send(hidden);
        client.send("GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert_eq!(client.response().status, 200, "{path}");
        client.expect_closed();
    }
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), ["/early", "/next", "/next"]);
}

#[test]
fn http_149_a_body_of_unknown_length_is_chunked_and_flushed_piece_by_piece() {
    let (next, pieces) = mpsc::channel::<&'static str>();
    let pieces = Arc::new(Mutex::new(Some(pieces)));
    let server = serve(move |_: Environ, start_response: StartResponse| {
        start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
        let pieces = pieces.lock().unwrap().take().ok_or("called twice")?;
        Ok(Body::iter(std::iter::from_fn(move || pieces.recv().ok().map(|piece| Ok(Bytes::from(piece))))))
    });
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for piece in ["one", "two", "three"] {
        next.send(piece).unwrap();
        if piece == "one" {
            assert_eq!(client.response_head().field("transfer-encoding"), Some("chunked"));
        }
        // PEP-100: it is here before the application is asked for the next.
        assert_eq!(client.chunk(), piece.as_bytes());
    }
    drop(next);
    assert_eq!(client.chunk(), b"");
}

#[test]
fn http_148_an_old_client_gets_the_same_body_until_close() {
    let server = serve(|_: Environ, start_response: StartResponse| {
        start_response(StatusCode::OK, headers![])?;
        Ok(Body::iter(["a", "b"].into_iter().map(|piece| Ok(Bytes::from(piece)))))
    });
    let mut client = server.client();
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let response = client.response();
    assert_eq!((response.text(), response.field("transfer-encoding")), ("ab", None));
    assert_eq!(response.field("connection"), Some("close"));
}

#[test]
fn http_120_continue_is_sent_when_the_application_reads() {
    let server = serve(echo);
    let mut client = server.client();
    client.send("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.response_head().status, 100);
    client.send("hello");
    assert_eq!(client.response().text(), "/e hello");
    client.send("POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n");
    assert_eq!(client.response_head().status, 100);
    client.send("5\r\nagain\r\n0\r\n\r\n");
    assert_eq!(client.response().text(), "/e again");
}

#[test]
fn http_120_and_125_no_continue_if_the_application_does_not_read() {
    let server = serve(|_: Environ, start_response: StartResponse| ok(start_response, "no, thanks"));
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    let response = client.response();
    assert_eq!((response.status, response.text(), response.field("connection")), (200, "no, thanks", Some("close")));
    client.expect_closed();
}

#[test]
fn http_122_and_123_no_continue_without_need() {
    let server = serve(echo);
    let mut client = server.client();
    client.send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.response().text(), "/1 ");
    client.send("POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi");
    assert_eq!(client.response().text(), "/2 hi");
    client.send("POST /3 HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi");
    assert_eq!(client.response().text(), "/3 hi");
}

/// Sends back what it reads while it reads.
fn duplex(mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers!["content-type" => "application/octet-stream"])?;
    let mut input = std::mem::take(&mut environ.input);
    Ok(Body::iter(std::iter::from_fn(move || match input.chunk(64 << 10) {
        Ok(chunk) if chunk.is_empty() => None,
        Ok(chunk) => Some(Ok(chunk)),
        Err(error) => Some(Err(error.into())),
    })))
}

#[test]
fn an_application_may_write_while_it_reads() {
    let server = serve(duplex);
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for turn in 0..20 {
        client.send(format!("3\r\n{turn:03}\r\n"));
        if turn == 0 {
            assert_eq!(client.response_head().status, 200);
        }
        assert_eq!(client.chunk(), format!("{turn:03}").as_bytes());
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.chunk(), b"");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.response().text(), "hi");
}

const MIB: usize = 1 << 20;

#[test]
fn large_bodies_go_through_in_both_directions() {
    let server = serve(duplex);
    let mut client = server.client();
    let mut writer = client.stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        use std::io::Write;
        write!(writer, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 64 * MIB).unwrap();
        let block: Vec<u8> = (0..MIB).map(|n| (n % 251) as u8).collect();
        for _ in 0..64 {
            writer.write_all(&block).unwrap();
        }
    });
    let head = client.response_head();
    assert_eq!(head.field("transfer-encoding"), Some("chunked"));
    let mut length = 0;
    loop {
        let chunk = client.chunk();
        if chunk.is_empty() {
            break;
        }
        for (at, byte) in chunk.iter().enumerate() {
            assert_eq!(*byte, ((length + at) % MIB % 251) as u8);
        }
        length += chunk.len();
    }
    sender.join().unwrap();
    assert_eq!(length, 64 * MIB);
}

/// Resident memory of this process, server and client together.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn large_bodies_need_little_memory() {
    // Its peak is this process's alone when each test has a process of its own; otherwise it covers more than we measure.
    let server = serve(|mut environ: Environ, start_response: StartResponse| {
        if environ.path_info() == "/down" {
            start_response(StatusCode::OK, headers![])?;
            return Ok(Body::iter((0..1024).map(|_| Ok(Bytes::from(vec![b'x'; 64 << 10])))));
        }
        let mut length = 0;
        for chunk in environ.input.chunks() {
            length += chunk?.len();
        }
        ok(start_response, length.to_string())
    });
    let before = resident_bytes();
    let mut client = server.client();
    client.send(format!("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 64 * MIB));
    let block = vec![b'x'; MIB];
    for _ in 0..64 {
        client.send(&block);
    }
    assert_eq!(client.response().text(), (64 * MIB).to_string());
    client.send("GET /down HTTP/1.1\r\nHost: a\r\n\r\n");
    client.response_head();
    let mut length = 0;
    loop {
        let chunk = client.chunk().len();
        if chunk == 0 {
            break;
        }
        length += chunk;
    }
    assert_eq!(length, 64 * MIB);
    let grown = resident_bytes() - before;
    assert!(grown < 24 * MIB, "grown by {grown} bytes");
}

#[test]
fn back_pressure_reaches_the_client() {
    let (release, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let server = serve(move |mut environ: Environ, start_response: StartResponse| {
        wait.lock().unwrap().recv()?;
        let mut length = 0;
        for chunk in environ.input.chunks() {
            length += chunk?.len();
        }
        ok(start_response, length.to_string())
    });
    let mut client = server.client();
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 64 * MIB));
    client.stream.set_nonblocking(true).unwrap();
    let block = vec![b'x'; MIB];
    let mut sent = 0;
    let mut refused = 0;
    // While the application does not read, the system's buffers fill up and nothing else does.
    while refused < 1000 {
        match std::io::Write::write(&mut client.stream, &block) {
            Ok(n) => {
                sent += n;
                refused = 0;
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                refused += 1;
                std::thread::yield_now();
            }
            Err(e) => panic!("{e}"),
        }
    }
    assert!(sent < 48 * MIB, "{sent} bytes went nowhere");
    client.stream.set_nonblocking(false).unwrap();
    release.send(()).unwrap();
    while sent < 64 * MIB {
        let n = block.len().min(64 * MIB - sent);
        client.send(&block[..n]);
        sent += n;
    }
    assert_eq!(client.response().text(), (64 * MIB).to_string());
}

#[test]
fn pep_120_write_is_sent_at_once() {
    let (release, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let server = serve(move |_: Environ, start_response: StartResponse| {
        let write = start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
        write.write("first")?;
        wait.lock().unwrap().recv()?;
        write.write("second")?;
        Ok("third".into())
    });
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response_head().status, 200);
    assert_eq!(client.chunk(), b"first");
    release.send(()).unwrap();
    assert_eq!((client.chunk(), client.chunk(), client.chunk()), (b"second".into(), b"third".into(), b"".into()));
}

#[test]
fn pep_102_empty_chunks_are_no_end() {
    let server = serve(|_: Environ, start_response: StartResponse| {
        start_response(StatusCode::OK, headers![])?;
        let pieces = ["", "", "a", "", "", "", "b", ""];
        Ok(Body::iter(pieces.into_iter().map(|piece| Ok(Bytes::from(piece)))))
    });
    assert_eq!(server.get("/").text(), "ab");
}

#[test]
fn http_95_trailers_do_not_become_variables() {
    let server = serve(|mut environ: Environ, start_response: StartResponse| {
        environ.input.read_all(100)?;
        let seen = environ.iter().any(|(name, _)| name == "HTTP_X_AUTH");
        ok(start_response, seen.to_string())
    });
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Auth: root\r\n\r\n");
    assert_eq!(client.response().text(), "false");
}
