//! Workers that flood `gateway serve`: foreign ones, record by record, behind our client.

use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_tests::client::{Request, send};
use gateway_tests::place::Place;
use gateway_tests::process::{Process, Running, descriptors, peak_memory, poll_until};
use gateway_tests::programs::program;
use gateway_tests::records::{END_REQUEST, STDIN, STDOUT, record};
use gateway_tests::servers::ours;

use super::{MAX_RESIDENT_BYTES, times};

/// `FCGI_STDERR`
const STDERR: u8 = 7;

const HELLO: &[u8] = b"Content-Type: text/plain\r\n\r\nhello";

/// A worker that answers each request with this; it ends with the test.
fn foreign(socket: &Path, answer: impl Fn(&mut dyn Write) -> std::io::Result<()> + Send + Sync + 'static) {
    let listener = UnixListener::bind(socket).expect("a socket in our own folder");
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o666)).expect("chmod of our own file");
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            // Errors are the gateway's closing.
            std::thread::spawn(move || drop(serve(stream, &*answer)));
        }
    });
}

fn serve(
    mut stream: UnixStream,
    answer: &(dyn Fn(&mut dyn Write) -> std::io::Result<()> + Send + Sync),
) -> std::io::Result<()> {
    loop {
        let mut header = [0; 8];
        stream.read_exact(&mut header)?;
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        stream.read_exact(&mut vec![0; length + usize::from(header[6])])?;
        if header[1] == STDIN && length == 0 {
            let mut out = BufWriter::with_capacity(1 << 18, stream.try_clone()?);
            answer(&mut out)?;
            out.write_all(&[record(STDOUT, 1, &[]), record(END_REQUEST, 1, &[0; 8])].concat())?;
            out.flush()?;
        }
    }
}

/// `gateway serve` with a foreign worker at `/flood` and our own at `/app`.
fn gateway(answer: impl Fn(&mut dyn Write) -> std::io::Result<()> + Send + Sync + 'static) -> Running {
    let place = Place::new();
    let socket = place.join("foreign");
    foreign(&socket, answer);
    let (worker, own) = ours::testbed_worker_unix(&place);
    let mounts = [format!("/flood=fastcgi:unix:{}", socket.display()), format!("/app=fastcgi:unix:{}", own.display())];
    ours::gateway(place, vec![worker], &mounts)
}

/// Asks the flooding worker and, beside it, the other one.
#[track_caller]
fn check(server: &mut Running, expected: u16) {
    let address = server.address;
    let answer = std::thread::scope(|scope| {
        let flood = scope.spawn(move || send(address, &Request::get("/flood")));
        for _ in 0..20 {
            let start = Instant::now();
            let hello = send(address, &Request::get("/app/hello")).expect("others are answered");
            assert!(hello.status == 200 && start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        }
        flood.join().expect("no panic")
    });
    let answer = answer.unwrap_or_else(|e| panic!("{e}\n{}", server.logs()));
    assert_eq!(answer.status, expected, "{}", server.logs());
    let peak = peak_memory(server.front().id()).expect("it runs");
    println!("peak {} KiB", peak / 1024);
    assert!(peak <= MAX_RESIDENT_BYTES, "it had {peak} bytes");
}

#[test]
fn fcgi_83_a_worker_that_floods_its_error_stream_is_read_to_its_end_and_logged_in_part() {
    let flood = record(STDERR, 1, &b"all is lost\n".repeat(5000));
    let mut server = gateway(move |out| {
        (0..times(5000)).try_for_each(|_| out.write_all(&flood))?;
        out.write_all(&record(STDOUT, 1, HELLO))
    });
    check(&mut server, 200);
    let logged = server.logs().matches("all is lost").count();
    assert!((1000..50_000).contains(&logged), "{logged} lines of 25 million");
}

#[test]
fn fcgi_135_a_header_block_without_end_is_refused_and_not_kept() {
    let field = record(STDOUT, 1, &b"x".repeat(60_000));
    let mut server = gateway(move |out| (0..times(5000)).try_for_each(|_| out.write_all(&field)));
    check(&mut server, 502);
}

#[test]
fn fcgi_58_111_records_that_mean_nothing_to_a_client_are_not_kept() {
    let odd = record(99, 1, &b"?".repeat(60_000));
    let mut server = gateway(move |out| {
        (0..times(2000)).try_for_each(|_| out.write_all(&odd))?;
        out.write_all(&record(STDOUT, 1, HELLO))
    });
    check(&mut server, 200);
}

#[test]
fn fcgi_123_a_worker_program_that_floods_its_standard_error_is_logged_and_not_kept() {
    let place = Place::new();
    let gateway = place.program(&program("gateway"));
    let testbed = place.program(&program("testbed"));
    let lines = times(100_000);
    let script = format!("#!/bin/sh\nyes 'all is lost' | head -n {lines} >&2 &\nexec {}\n", testbed.display());
    let worker = place.write_script("worker", &script);
    let server = Running::listen(place, "gateway", Vec::<Process>::new(), |_, port| {
        let mut command = std::process::Command::new(&gateway);
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]);
        command.args(["--mount", &format!("/app=fastcgi:spawn:{}?workers=1", worker.display())]);
        command
    });
    let id = server.all_ids()[0];
    let before: usize = descriptors(id).values().sum();
    for _ in 0..times(30) {
        assert_eq!(send(server.address, &Request::get("/app/hello")).expect("an answer").status, 200);
    }
    let peak = peak_memory(id).expect("it runs");
    assert!(peak <= MAX_RESIDENT_BYTES, "it had {peak} bytes");
    let all = || Some(server.logs().matches("all is lost").count()).filter(|seen| *seen >= lines);
    assert!(poll_until(Duration::from_secs(20), all).is_some(), "not every line was logged");
    let back = || Some(descriptors(id).values().sum::<usize>()).filter(|now| *now <= before + 8);
    assert!(poll_until(Duration::from_secs(10), back).is_some(), "{before} descriptors before");
}
