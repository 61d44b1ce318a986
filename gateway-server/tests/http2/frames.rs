//! Floods and nonsense, in bytes: the connection that brings them ends, and nobody else notices.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use gateway_server::serve::Server;
use gateway_spec::{Environ, StartResponse};

use crate::support::{
    Counter, PREFACE, Running, client_runs, config, frame, frame_of_kind, get_frame, next_frame, serve, variables,
};

const ENHANCE_YOUR_CALM: u32 = 0xb;

fn begun(server: &Running) -> TcpStream {
    let mut stream = server.connect();
    stream.write_all(&[PREFACE, &frame(4, 0, 0, b"")].concat()).unwrap();
    stream
}

/// The reason that the connection is ended with.
fn reason(stream: &mut TcpStream) -> Option<u32> {
    let (_, goaway) = frame_of_kind(stream, 7)?;
    Some(u32::from_be_bytes(goaway[4..8].try_into().unwrap()))
}

#[track_caller]
fn serves_others(server: &Running) {
    client_runs(async { assert_eq!(server.client().await.get("/").await.status, 200) });
}

/// 2000 streams that nobody wanted: each is opened, and `spoilt` by its next frame.
#[track_caller]
fn check_few_calls(spoilt: impl Fn(u32) -> Vec<u8>) {
    let called = Counter::default();
    let calls = called.clone();
    let slow = move |environ: Environ, start: StartResponse| {
        calls.add();
        std::thread::sleep(Duration::from_millis(50));
        variables(environ, start)
    };
    let server = serve(Server::new(slow).config(config().max_streams(10)));
    let mut stream = begun(&server);
    let flood: Vec<u8> = (0..2000).map(|at| at * 2 + 1).flat_map(|id| [get_frame(id), spoilt(id)].concat()).collect();
    // The server may stop listening before it has all of it.
    let _ = stream.write_all(&flood);
    assert_eq!(reason(&mut stream), Some(ENHANCE_YOUR_CALM));
    client_runs(async {
        let calls = called.settled().await;
        assert!(calls <= 40, "{calls} calls");
    });
    serves_others(&server);
}

/// CVE-2023-44487: streams that are reset as soon as they are opened cost their maker nothing.
#[test]
fn rapid_resets_make_no_more_calls_than_there_are_places() {
    check_few_calls(|id| frame(3, 0, id, &8_u32.to_be_bytes()));
}

/// CVE-2025-8671: the same, but it is the server that is made to reset them.
#[test]
fn resets_that_a_client_provokes_make_no_more_calls_than_there_are_places() {
    // No window can be that large (RFC 9113 §6.9.1).
    check_few_calls(|id| frame(8, 0, id, &0x7fff_ffff_u32.to_be_bytes()));
}

/// CVE-2024-27316: a head without an end.
#[test]
fn endless_continuations_end_the_connection() {
    let server = serve(Server::new(variables).config(config()));
    let mut stream = begun(&server);
    // HEADERS without END_HEADERS, then CONTINUATION with a literal field each.
    let mut flood = frame(1, 0x1, 1, b"\x82\x86\x84\x41\x01a");
    let field = [&b"\x00\x01x\x7f\xe1\x1e"[..], &[b'y'; 4000]].concat();
    for _ in 0..200 {
        flood.extend(frame(9, 0, 1, &field));
    }
    let _ = stream.write_all(&flood);
    assert!(reason(&mut stream).is_none_or(|reason| reason != 0));
    serves_others(&server);
}

#[test]
fn empty_data_without_an_end_ends_the_connection() {
    let server = serve(Server::new(variables).config(config()));
    let mut stream = begun(&server);
    let mut flood = frame(1, 0x4, 1, b"\x83\x86\x84\x41\x01a");
    for _ in 0..20_000 {
        flood.extend(frame(0, 0, 1, b""));
    }
    let _ = stream.write_all(&flood);
    drop(stream);
    serves_others(&server);
}

#[test]
fn pings_and_settings_by_the_thousand_hold_nobody_up() {
    let server = serve(Server::new(variables).config(config().write_timeout(Duration::from_millis(500))));
    let mut stream = begun(&server);
    let flood: Vec<u8> = (0..10_000).flat_map(|_| [frame(6, 0, 0, &[0; 8]), frame(4, 0, 0, b"")].concat()).collect();
    // It reads no answers.
    stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    let _ = stream.write_all(&flood);
    serves_others(&server);
}

/// What the crate must refuse as malformed (RFC 9113 §8.2, §8.2.2): no application sees it.
#[test]
fn connection_fields_and_upper_case_never_come_to_an_application() {
    let called = Counter::default();
    let calls = called.clone();
    let server = serve(
        Server::new(move |environ: Environ, start: StartResponse| {
            calls.add();
            variables(environ, start)
        })
        .config(config()),
    );
    for field in [
        &b"\x00\x0aconnection\x05close"[..],
        b"\x00\x11transfer-encoding\x07chunked",
        b"\x00\x07upgrade\x03h2c",
        b"\x00\x0akeep-alive\x011",
        b"\x00\x10proxy-connection\x011",
        b"\x00\x02te\x04gzip",
        b"\x00\x05X-Big\x011",
    ] {
        let mut stream = begun(&server);
        stream.write_all(&frame(1, 0x5, 1, &[b"\x82\x86\x84\x41\x01a", field].concat())).unwrap();
        stream.write_all(&frame(6, 0, 0, b"a ping!!")).unwrap();
        // Either the stream is reset, or the connection ends.
        while let Some((kind, _, payload)) = next_frame(&mut stream) {
            assert_ne!(kind, 1, "an answer to {}", String::from_utf8_lossy(field));
            if kind == 3 || kind == 7 {
                assert_eq!(payload[payload.len().min(8) - 4..][..4], 1_u32.to_be_bytes(), "PROTOCOL_ERROR");
                break;
            }
        }
    }
    serves_others(&server);
    assert_eq!(called.now(), 1);
}

#[test]
fn nonsense_ends_the_connection() {
    let server = serve(Server::new(variables).config(config()));
    for bytes in [
        frame(1, 0x5, 2, b"\x82\x86\x84\x41\x01a"),
        frame(0, 0, 1, b"data without a head"),
        frame(5, 0, 1, b"\0\0\0\x02\x82"),
        frame(4, 0, 0, b"\0"),
        vec![0xff; 100],
    ] {
        let mut stream = begun(&server);
        stream.write_all(&bytes).unwrap();
        assert!(reason(&mut stream).is_none_or(|reason| reason != 0), "{bytes:?}");
    }
    serves_others(&server);
}
