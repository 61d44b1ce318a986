//! The PROXY protocol: who is believed, and what applications see of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use gateway_server::serve::TrustedProxies;

use crate::support::{Client, Files, Running, config, serve, variables};

fn behind(network: &str) -> Running {
    let proxies: TrustedProxies = network.parse().unwrap();
    serve(variables, config().handshake_timeout(Duration::from_millis(500)), |endpoint| endpoint.proxies(proxies))
}

fn answer(mut stream: TcpStream, bytes: &[u8]) -> String {
    let _ = stream.write_all(bytes);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const LINE: &[u8] = b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n";
const BINARY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\xc0\0\x02\x01\x12\x67\0\x50";

#[test]
fn the_client_that_the_proxy_names_is_the_peer() {
    let server = behind("127.0.0.0/8");
    for header in [LINE, BINARY] {
        let said = answer(server.connect(), &[header, REQUEST].concat());
        assert!(said.contains("REMOTE_ADDR=203.0.113.7\n") && said.contains("REMOTE_PORT=4711\n"), "{said}");
    }
}

#[test]
fn a_proxy_that_names_nobody_is_the_peer_itself() {
    let server = behind("127.0.0.1");
    for header in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let said = answer(server.connect(), &[header, REQUEST].concat());
        assert!(said.contains("REMOTE_ADDR=127.0.0.1\n"), "{said}");
    }
}

#[test]
fn http_52_whoever_is_not_on_the_list_is_refused_with_a_header_and_without() {
    let server = behind("10.0.0.0/8");
    for bytes in [&[LINE, REQUEST].concat()[..], REQUEST] {
        assert_eq!(answer(server.connect(), bytes), "");
    }
}

#[test]
fn a_connection_without_a_header_is_refused() {
    let server = behind("127.0.0.1");
    for bytes in [REQUEST, b"PROXY TCP4 nonsense\r\n", b"PROXY TCP4 1.1.1.1", b""] {
        assert_eq!(answer(server.connect(), bytes), "", "{:?}", String::from_utf8_lossy(bytes));
    }
}

/// Byte by byte, and the TLS handshake right behind it: not one byte of that is taken for the header's.
#[test]
fn the_header_comes_before_tls_and_ends_where_it_ends() {
    let files = Files::new();
    let tls = files.tls();
    let proxies = "127.0.0.1".parse().unwrap();
    let server = serve(variables, config(), |endpoint| endpoint.tls(tls).proxies(proxies));
    for header in [LINE, BINARY] {
        let mut stream = server.connect();
        for byte in header {
            stream.write_all(&[*byte]).unwrap();
        }
        let (status, said) = Client::over(stream, &files.der).get("/");
        assert!(status == 200 && said.contains("REMOTE_ADDR=203.0.113.7\n") && said.contains("HTTPS=on\n"), "{said}");
    }
}
