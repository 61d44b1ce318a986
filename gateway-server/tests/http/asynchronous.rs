//! Asynchronous applications: full duplex, back-pressure, cancellation.

use super::support::*;
use gateway_server::serve::Server;
use gateway_spec::{
    AppError, AsyncApplication, AsyncResponse, BodyStream, Bytes, Environ, InputStream, StatusCode, headers,
};

/// Does what the path says.
#[derive(Clone, Default)]
struct Paths {
    dropped: Counter,
}

struct CountDrop(Counter);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.add();
    }
}

impl AsyncApplication for Paths {
    async fn call(&self, environ: Environ, mut input: InputStream) -> Result<AsyncResponse, AppError> {
        let _counted = CountDrop(self.dropped.clone());
        let plain = headers!["content-type" => "text/plain"];
        match environ.path_info().to_str()? {
            "/echo" => Ok(AsyncResponse::new(StatusCode::OK, plain, input.into_body())),
            "/duplex" => {
                // Without a length, so that each piece is seen on its own.
                let body = BodyStream::new(Pieces(input));
                Ok(AsyncResponse::new(StatusCode::OK, plain, body))
            }
            "/count" => {
                let mut length = 0;
                while let Some(piece) = input.next().await {
                    length += piece?.len();
                }
                Ok(AsyncResponse::new(StatusCode::OK, plain, Bytes::from(length.to_string())))
            }
            "/unread" => Ok(AsyncResponse::new(StatusCode::OK, plain, "unread")),
            "/fail" => Err("on purpose".into()),
            "/forever" => std::future::pending().await,
            _ => Ok(AsyncResponse::new(StatusCode::NOT_FOUND, plain, "nothing")),
        }
    }
}

struct Pieces(InputStream);

impl futures_core::Stream for Pieces {
    type Item = Result<Bytes, AppError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let mut next = std::pin::pin!(self.0.next());
        next.as_mut().poll(cx).map(|piece| piece.map(|piece| piece.map_err(AppError::from)))
    }
}

fn serve_paths() -> (Running, Paths) {
    let paths = Paths::default();
    (start(Server::asynchronous(paths.clone()).config(config())), paths)
}

#[test]
fn asynchronous_applications_answer() {
    let (server, _) = serve_paths();
    let mut client = server.client();
    for _ in 0..3 {
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        let response = client.response();
        assert_eq!((response.status, response.text()), (200, "hello"));
        client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().status, 404);
        client.send("HEAD /unread HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response_head().field("content-length"), Some("6"));
        client.send("GET /fail HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().status, 500);
    }
}

#[test]
fn request_and_response_flow_at_the_same_time() {
    let (server, _) = serve_paths();
    let mut client = server.client();
    client.send("POST /duplex HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for turn in 0..20 {
        client.send(format!("3\r\n{turn:03}\r\n"));
        if turn == 0 {
            assert_eq!(client.response_head().status, 200);
        }
        assert_eq!(client.chunk(), format!("{turn:03}").as_bytes());
    }
    client.send("0\r\n\r\nGET /unread HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.chunk(), b"");
    assert_eq!(client.response().text(), "unread");
}

#[test]
fn large_bodies_are_streamed() {
    let (server, _) = serve_paths();
    let mut client = server.client();
    client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 33554432\r\n\r\n");
    let block = vec![b'x'; 1 << 20];
    for _ in 0..32 {
        client.send(&block);
    }
    assert_eq!(client.response().text(), "33554432");
}

#[test]
fn http_120_continue_is_sent_when_the_stream_is_polled() {
    let (server, _) = serve_paths();
    let mut client = server.client();
    client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.response_head().status, 100);
    client.send("hi");
    assert_eq!(client.response().text(), "2");
    client.send("POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    let response = client.response();
    assert_eq!((response.text(), response.field("connection")), ("unread", Some("close")));
}

#[test]
fn http_91_and_86_a_broken_body_is_the_clients_fault() {
    let (server, _) = serve_paths();
    let mut client = server.client();
    client.send("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\nz\r\n");
    assert_eq!(client.response().status, 400);
    let mut client = server.client();
    client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nx");
    client.finish_sending();
    assert_eq!(client.response().status, 400);
}

#[test]
fn http_174_a_slow_body_is_408() {
    let paths = Paths::default();
    let config = config().body_timeout(std::time::Duration::from_millis(150));
    let server = start(Server::asynchronous(paths).config(config));
    let mut client = server.client();
    client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nx");
    assert_eq!(client.response().status, 408);
}

#[test]
fn an_application_is_dropped_when_its_client_resets_the_connection() {
    let (server, paths) = serve_paths();
    let mut client = server.client();
    client.send("GET /forever HTTP/1.1\r\nHost: a\r\n\r\n");
    // Make sure that the request has been taken up: a later one on another connection is answered.
    assert_eq!(server.get("/unread").text(), "unread");
    let before = paths.dropped.now();
    socket2::SockRef::from(&client.stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(client);
    eventually("the application is dropped", || paths.dropped.now() > before);
}

#[test]
fn an_application_is_dropped_when_its_client_closes_the_connection_and_the_wait_is_over() {
    let paths = Paths::default();
    let config = config().half_close_timeout(std::time::Duration::ZERO);
    let server = start(Server::asynchronous(paths.clone()).config(config));
    let mut client = server.client();
    client.send("GET /forever HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(server.get("/unread").text(), "unread");
    let before = paths.dropped.now();
    drop(client);
    eventually("the application is dropped", || paths.dropped.now() > before);
}
