//! The application that says what it saw, and our own server and worker around it, in this process.

use std::net::SocketAddr;

use gateway_fastcgi::net::{Address, ListenOptions, Listener};
use gateway_fastcgi::worker::Worker;
use gateway_server::h1::Limits;
use gateway_server::serve::{Config, Server};
use gateway_spec::{AppError, Body, Environ, Headers, StartResponse, StatusCode};

use super::answers::SEEN_FIELD;
use super::seen;

/// Reads the body to its end, and says what it saw in a field.
///
/// # Errors
/// If the body does not come whole.
#[allow(clippy::needless_pass_by_value, reason = "the contract's form")]
pub fn see(mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let body = environ.input.read_all(1 << 20)?;
    let blank: &[u8] = if body.is_empty() { b"" } else { b" " };
    let target = environ.get("REQUEST_URI").unwrap_or_default().as_bytes();
    let text = seen(&[environ.request_method().as_bytes(), b" ", target, blank, &body].concat());
    let mut headers = Headers::new();
    headers.append(SEEN_FIELD, text);
    start_response(StatusCode::OK, headers)?;
    Ok(Body::empty())
}

/// Runs `ask` while our server answers with [`see`].
pub fn with_our_server<T>(ask: impl FnOnce(SocketAddr) -> T) -> T {
    // A length of any size is one: the cases are about syntax.
    let config = Config::default().threads(8).limits(Limits::default().max_body_bytes(None));
    let bound = Server::new(see).config(config).bind("127.0.0.1:0").expect("a loopback port");
    let address = bound.addresses().next().map(tcp).expect("an address");
    let handle = bound.handle();
    let server = std::thread::spawn(|| bound.run());
    let result = ask(address);
    handle.stop();
    server.join().expect("the server's thread").expect("the server ends well");
    result
}

/// Runs `ask` while our FastCGI worker answers with [`see`].
pub fn with_our_worker<T>(ask: impl FnOnce(SocketAddr) -> T) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(8).enable_all().build().expect("a runtime");
    let anywhere = "tcp:127.0.0.1:0".parse().expect("an address");
    let listener = runtime.block_on(Listener::bind(&anywhere, &ListenOptions::default())).expect("a loopback port");
    let address = tcp(listener.address());
    let worker = Worker::new(see);
    let handle = worker.handle();
    let serving = runtime.spawn(worker.serve(listener));
    let result = ask(address);
    handle.shutdown();
    runtime.block_on(serving).expect("the worker's task").expect("the worker ends well");
    result
}

fn tcp(address: &Address) -> SocketAddr {
    match address {
        Address::Tcp { port, .. } => SocketAddr::from(([127, 0, 0, 1], *port)),
        other => panic!("{other} is no TCP address"),
    }
}
