//! What a request costs, counted: at most six heap allocations (design, invariant 6), and one write.
//!
//! One test, so that nothing else allocates in this process while it counts.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::cast_possible_truncation,
    reason = "helpers of tests, where a failure is a panic"
)]

use gateway_fastcgi::net::Address;
use gateway_server::serve::{Config, Server};
use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed to the system's allocator unchanged; only a counter is added. An allocator cannot be counted
// from outside without being one, and the trait is unsafe to implement.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is the system allocator's own.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above; `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn hello(_environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok("Hello, World!".into())
}

const REQUEST: &[u8] = b"GET /hello?x=1 HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: a browser of some kind\r\n\
    Accept: text/html,application/xhtml+xml\r\nAccept-Encoding: gzip, deflate\r\nCookie: session=0123456789abcdef\r\n\r\n";

#[test]
fn a_keep_alive_request_costs_at_most_six_allocations_and_one_write() {
    let bound = Server::new(hello).config(Config::default().threads(2)).bind("127.0.0.1:0").unwrap();
    let Some(Address::Tcp { port, .. }) = bound.addresses().next() else { panic!("no address") };
    let (port, handle) = (*port, bound.handle());
    let server = std::thread::spawn(|| bound.run());

    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut response = [0; 1024];
    let mut once = || {
        client.write_all(REQUEST).unwrap();
        let length = client.read(&mut response).unwrap();
        assert!(response[..length].ends_with(b"\r\n\r\nHello, World!"), "the response comes in one piece");
    };
    for _ in 0..1000 {
        once();
    }
    const REQUESTS: usize = 5000;
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..REQUESTS {
        once();
    }
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    println!("{allocations} allocations in {REQUESTS} requests");
    // A few more are the test's own, and the second's change.
    assert!(allocations <= 6 * REQUESTS + REQUESTS / 100, "{allocations} allocations in {REQUESTS} requests");

    handle.stop();
    drop(client);
    server.join().unwrap().unwrap();
}
