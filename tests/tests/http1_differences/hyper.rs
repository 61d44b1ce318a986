//! hyper's HTTP/1 server, in this process.

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;

use gateway_tests::corpus::answers::{SEEN_FIELD, ask_all};
use gateway_tests::corpus::differences::Column;
use gateway_tests::corpus::{Case, seen};
use gateway_tests::programs::workspace;
use http::StatusCode;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

pub(crate) fn column(cases: &[Case]) -> Column {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(serve(listener));
    Column { server: "hyper", version: version(), outcomes: ask_all(address, cases).unwrap() }
}

/// As the lock file has it.
fn version() -> String {
    let lock = fs::read_to_string(workspace().join("Cargo.lock")).unwrap();
    let (_, behind) = lock.split_once("name = \"hyper\"\nversion = \"").expect("hyper is in the lock file");
    behind.split('"').next().unwrap().to_owned()
}

async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        // A client that sends no more still wants its answer.
        let mut http1 = hyper::server::conn::http1::Builder::new();
        http1.half_close(true);
        tokio::spawn(http1.serve_connection(TokioIo::new(stream), service_fn(see)));
    }
}

async fn see(request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut text = format!("{} {}", request.method(), request.uri()).into_bytes();
    let mut response = Response::new(Empty::new());
    match request.into_body().collect().await {
        Ok(body) => {
            let body = body.to_bytes();
            if !body.is_empty() {
                text.push(b' ');
                text.extend_from_slice(&body);
            }
            response.headers_mut().insert(SEEN_FIELD, seen(&text).parse().unwrap());
        }
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    Ok(response)
}
