//! Applications that speak something else than HTTP on their connection, and those that say something before their answer.

use super::support::*;
use gateway_server::serve::{Interim, Server, Upgrade};
use gateway_spec::{AppError, AsyncApplication, AsyncResponse, Environ, InputStream, StatusCode, headers};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Paths;

impl AsyncApplication for Paths {
    async fn call(&self, environ: Environ, _: InputStream) -> Result<AsyncResponse, AppError> {
        let plain = headers!["content-type" => "text/plain"];
        let upgrade = environ.extensions.get::<Upgrade>();
        let interim = environ.extensions.get::<Interim>();
        match environ.path_info().to_str()? {
            "/echo" => match upgrade.filter(|upgrade| upgrade.offers("echo")) {
                Some(upgrade) => Ok(upgrade.accept("echo", headers!["x-own" => "1"], async |mut connection| {
                    let mut byte = [0];
                    while connection.read(&mut byte).await.is_ok_and(|read| read > 0) {
                        connection.write_all(&byte).await.unwrap();
                    }
                })?),
                None => Ok(AsyncResponse::new(StatusCode::UPGRADE_REQUIRED, headers!["upgrade" => "echo"], "echo!")),
            },
            "/pretends" => Ok(AsyncResponse::new(StatusCode::SWITCHING_PROTOCOLS, headers![], "")),
            "/hints" => {
                let hints = headers!["link" => "</a.css>; rel=preload", "content-length" => 5];
                let sent = interim.is_some_and(|interim| {
                    assert!(!interim.send(StatusCode::SWITCHING_PROTOCOLS, &hints));
                    assert!(!interim.send(StatusCode::CONTINUE, &hints) && !interim.send(StatusCode::OK, &hints));
                    interim.send(StatusCode::EARLY_HINTS, &hints)
                });
                Ok(AsyncResponse::new(StatusCode::OK, plain, if sent { "hinted" } else { "plain" }))
            }
            _ => Ok(AsyncResponse::new(StatusCode::NOT_FOUND, plain, "nothing")),
        }
    }

    fn sends_interim(&self) -> bool {
        true
    }
}

fn serve_paths() -> Running {
    start(Server::asynchronous(Paths).config(config()))
}

fn ask(client: &mut Client, path: &str, protocol: &str) {
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: {protocol}\r\n\r\nearly"));
}

#[test]
fn http_130_an_application_may_take_its_connection_over() {
    let server = serve_paths();
    let mut client = server.client();
    ask(&mut client, "/echo", "other, ECHO");
    let head = client.response_head();
    assert_eq!((head.status, head.field("upgrade"), head.field("connection")), (101, Some("echo"), Some("upgrade")));
    assert_eq!(
        (head.field("x-own"), head.field("content-length"), head.field("transfer-encoding")),
        (Some("1"), None, None)
    );
    assert_eq!(client.take(5), b"early");
    client.send("late");
    assert_eq!(client.take(4), b"late");
    client.finish_sending();
    client.expect_closed();
}

#[test]
fn http_131_an_application_may_say_what_it_wants_to_be_asked_for() {
    let server = serve_paths();
    for request in [
        "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n",
        "GET /echo HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\nContent-Length: 0\r\n\r\n",
    ] {
        let mut client = server.client();
        client.send(request);
        let response = client.response();
        assert_eq!(
            (response.status, response.field("upgrade"), response.text()),
            (426, Some("echo"), "echo!"),
            "{request}"
        );
        assert!(response.field("connection").is_some_and(|options| options.ends_with("upgrade")), "{}", response.head);
    }
}

#[test]
fn a_switch_that_nobody_accepted_is_no_switch() {
    let server = serve_paths();
    let mut client = server.client();
    client.send("GET /pretends HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 500);
    ask(&mut client, "/pretends", "echo");
    client.expect_closed();
}

#[test]
fn a_stop_ends_what_has_become_of_a_connection() {
    let short = config().stop_timeout(std::time::Duration::from_millis(50));
    let server = start(Server::asynchronous(Paths).config(short));
    let mut client = server.client();
    ask(&mut client, "/echo", "echo");
    client.response_head();
    assert_eq!(client.take(5), b"early");
    server.stop();
    client.expect_closed();
    server.join().unwrap();
}

#[test]
fn http_127_145_an_application_may_say_something_before_its_answer() {
    let server = serve_paths();
    let mut client = server.client();
    for _ in 0..2 {
        client.send("GET /hints HTTP/1.1\r\nHost: a\r\n\r\n");
        let hints = client.response_head();
        assert_eq!((hints.status, hints.field("link")), (103, Some("</a.css>; rel=preload")));
        assert_eq!(hints.field("content-length"), None);
        let response = client.response();
        assert_eq!((response.status, response.text()), (200, "hinted"));
    }
    let mut old = server.client();
    old.send("GET /hints HTTP/1.0\r\n\r\n");
    assert_eq!(old.response().text(), "plain");
}
