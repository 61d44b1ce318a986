//! Requests: what applications see, and how the protocol is chosen.

use std::io::{Read, Write};
use std::sync::Arc;

use gateway_server::serve::{Server, Tls};
use http::Request;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use crate::support::{Client, client_runs, config, request, serve, serve_on, variables};

#[test]
fn each_stream_is_an_environ() {
    let server = serve(Server::new(variables).config(config()));
    client_runs(async {
        let mut client = server.client().await;
        let request = Request::builder()
            .uri("http://Example.org:81/a%20b/%63?x=%20&y")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("x-twice", "one")
            .header("x-twice", "two")
            .header("te", "trailers")
            .header("proxy", "http://evil.example")
            .header("x_under", "shadow")
            .body(())
            .unwrap();
        let answer = client.ask(request).await.unwrap();
        assert_eq!(answer.status, 200);
        for line in [
            "scheme=http",
            "REQUEST_METHOD=GET",
            "SERVER_PROTOCOL=HTTP/2.0",
            "GATEWAY_INTERFACE=CGI/1.1",
            "SERVER_NAME=Example.org",
            &format!("SERVER_PORT={}", server.port),
            "HTTP_HOST=Example.org:81",
            "REQUEST_URI=/a%20b/%63?x=%20&y",
            "SCRIPT_NAME=",
            "PATH_INFO=/a b/c",
            "QUERY_STRING=x=%20&y",
            "REMOTE_ADDR=127.0.0.1",
            // RFC 9113 §8.2.3
            "HTTP_COOKIE=a=1; b=2",
            "HTTP_X_TWICE=one, two",
        ] {
            answer.says(line);
        }
        for name in ["HTTP_TE", "HTTP_PROXY", "HTTP_X_UNDER", "HTTPS"] {
            assert!(!answer.text().contains(&format!("\n{name}=")), "{}", answer.text());
        }
        assert_eq!(answer.fields["content-type"], "text/plain");
        assert_eq!(answer.fields["content-length"], answer.body.len().to_string());
        assert!(answer.fields.contains_key("date") && !answer.fields.contains_key("connection"));
    });
}

#[test]
fn a_client_that_does_not_begin_with_the_preface_is_spoken_to_in_http_1() {
    let server = serve(Server::new(variables).config(config()));
    // As much of the preface as another method has in common with it.
    for line in ["GET / HTTP/1.1", "PUT / HTTP/1.1", "PRI / HTTP/1.1"] {
        let mut stream = server.connect();
        for byte in format!("{line}\r\nHost: a\r\nConnection: close\r\n\r\n").bytes() {
            stream.write_all(&[byte]).unwrap();
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("SERVER_PROTOCOL=HTTP/1.1\n"), "{answer}");
    }
}

#[test]
fn http_12_without_the_option_the_preface_is_a_foreign_version() {
    let server = serve_on(Server::new(variables).config(config()), |endpoint| endpoint);
    let mut stream = server.connect();
    stream.write_all(crate::support::PREFACE).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 505 "), "{answer}");
}

/// What is agreed on when the client offers these, with HTTP/2 allowed or not.
async fn agreed(
    server: &crate::support::Running,
    certificate: rcgen::Certificate,
    offers: &[&[u8]],
) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = versions.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = offers.iter().map(|name| name.to_vec()).collect();
    let socket = tokio::net::TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap()
}

#[test]
fn under_tls_the_protocol_is_agreed_on_in_the_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("c"), folder.path().join("k"));
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = Tls::from_files(&cert, &key).unwrap();
    let both: [&[u8]; 2] = [b"h2", b"http/1.1"];
    let (one, other) = (tls.clone(), tls);
    let server = serve_on(Server::new(variables).config(config()), |endpoint| endpoint.tls(one));
    let without = serve_on(Server::new(variables).config(config()), |endpoint| endpoint.tls(other).http2(false));
    client_runs(async {
        let stream = agreed(&server, made.cert.clone(), &both).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let mut client = Client::over(stream).await;
        let request = Request::builder().uri("https://localhost/x").body(()).unwrap();
        let answer = client.ask(request).await.unwrap();
        for line in
            ["scheme=https", "HTTPS=on", "SERVER_PROTOCOL=HTTP/2.0", "HTTP_HOST=localhost", "SSL_PROTOCOL=TLSv1.3"]
        {
            answer.says(line);
        }
        let stream = agreed(&server, made.cert.clone(), &both[1..]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let stream = agreed(&server, made.cert.clone(), &[]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), None);
        let stream = agreed(&without, made.cert.clone(), &both).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    });
}

#[test]
fn many_streams_of_one_connection_are_answered_at_once() {
    let slow = |environ: gateway_spec::Environ, start: gateway_spec::StartResponse| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        variables(environ, start)
    };
    let server = serve(Server::new(slow).config(config()));
    client_runs(async {
        let mut client = server.client().await;
        let begun = std::time::Instant::now();
        let mut waiting = Vec::new();
        for number in 0..40 {
            let (response, _) = client.send(request("GET", &format!("/{number}")), true).await.unwrap();
            waiting.push(response);
        }
        for (number, response) in waiting.into_iter().enumerate() {
            let answer = crate::support::Answer::of(response.await.unwrap()).await.unwrap();
            answer.says(&format!("PATH_INFO=/{number}"));
        }
        // One after the other they would take 4 s.
        assert!(begun.elapsed() < std::time::Duration::from_secs(3), "{:?}", begun.elapsed());
    });
}
