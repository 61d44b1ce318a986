//! What a request costs, counted: heap allocations, and reads and writes of the socket (design, invariant 6).
//!
//! One test, so that nothing else allocates in this process while it counts.

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

/// Reads and writes of this process so far, by the kernel's count.
fn system_calls() -> [usize; 2] {
    let text = std::fs::read_to_string("/proc/self/io").unwrap();
    ["syscr: ", "syscw: "].map(|name| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.parse().unwrap()
    })
}

const REQUEST: &[u8] = b"GET /hello?x=1 HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: a browser of some kind\r\n\
    Accept: text/html,application/xhtml+xml\r\nAccept-Encoding: gzip, deflate\r\nCookie: session=0123456789abcdef\r\n\r\n";

#[test]
fn a_keep_alive_request_costs_at_most_six_allocations_one_read_and_one_write() {
    let bound = Server::new(hello).config(Config::default().threads(2)).bind("127.0.0.1:0").unwrap();
    let Some(Address::Tcp { port, .. }) = bound.addresses().next() else { panic!("no address") };
    let (port, handle) = (*port, bound.handle());
    let server = std::thread::spawn(|| bound.run());

    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut response = [0; 1024];
    let mut once = || {
        client.write_all(REQUEST).unwrap();
        let length = client.read(&mut response).unwrap();
        assert!(response[..length].ends_with(b"\r\n\r\nHello, World!"), "the response came in one piece");
    };
    for _ in 0..1000 {
        once();
    }
    const REQUESTS: usize = 5000;
    let (allocations, calls) = (ALLOCATIONS.load(Ordering::Relaxed), system_calls());
    for _ in 0..REQUESTS {
        once();
    }
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - allocations;
    let [reads, writes] = system_calls();
    let (reads, writes) = (reads - calls[0], writes - calls[1]);
    println!(
        "{allocations} allocations, {reads} reads, {writes} writes in {REQUESTS} requests, client's calls included"
    );

    // Some room for the second change of the Date text and for what the test itself needs.
    assert!(allocations <= 6 * REQUESTS + REQUESTS / 100, "{allocations} allocations in {REQUESTS} requests");
    // recv and send, which the client uses, are not counted as reads and writes everywhere; so the bound is for both ends.
    assert!(reads <= 2 * REQUESTS + REQUESTS / 10, "{reads} reads in {REQUESTS} requests");
    assert!(writes <= 2 * REQUESTS + REQUESTS / 10, "{writes} writes in {REQUESTS} requests");

    handle.stop();
    drop(client);
    server.join().unwrap().unwrap();
}
