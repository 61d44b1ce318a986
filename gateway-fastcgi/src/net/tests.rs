//! Addresses, socket files and inherited sockets.

use super::*;
use std::io::{ErrorKind, IoSlice};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

#[track_caller]
fn check_address(text: &str, expected: Result<&str, AddressError>) {
    let parsed = text.parse::<Address>().map(|address| address.to_string());
    assert_eq!(parsed, expected.map(str::to_owned), "{text:?}");
}

#[test]
fn addresses_are_read_and_shown_in_one_spelling() {
    check_address("unix:/run/a.sock", Ok("unix:/run/a.sock"));
    check_address("unix:a.sock", Ok("unix:a.sock"));
    check_address("tcp:127.0.0.1:9000", Ok("tcp:127.0.0.1:9000"));
    check_address("127.0.0.1:9000", Ok("tcp:127.0.0.1:9000"));
    check_address("localhost:0", Ok("tcp:localhost:0"));
    check_address("[::1]:80", Ok("tcp:[::1]:80"));
    check_address("tcp:[::]:65535", Ok("tcp:[::]:65535"));
}

#[test]
fn addresses_that_cannot_be_read_say_why() {
    check_address("unix:", Err(AddressError::NoPath));
    check_address(&format!("unix:/{}", "x".repeat(107)), Err(AddressError::PathTooLong { length: 108, limit: 107 }));
    check_address("", Err(AddressError::NoPort));
    check_address("localhost", Err(AddressError::NoPort));
    check_address("/run/app/s", Err(AddressError::PathAlone { path: "/run/app/s".to_owned() }));
    check_address("http://localhost", Err(AddressError::Port));
    check_address("localhost:", Err(AddressError::Port));
    check_address("localhost:+80", Err(AddressError::Port));
    check_address("localhost:65536", Err(AddressError::Port));
    check_address(":80", Err(AddressError::Host));
    check_address("::1:80", Err(AddressError::Host));
    check_address("[::1:80", Err(AddressError::Host));
    check_address("[localhost]:80", Err(AddressError::Host));
    check_address("http://a:80", Err(AddressError::Host));
}

async fn bind(address: &Address) -> std::io::Result<Listener> {
    Listener::bind(address, &ListenOptions::default()).await
}

#[tokio::test]
async fn fcgi_133_socket_file_is_private_and_goes_with_the_listener() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = bind(&Address::unix(&path)).await.unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    drop(listener);
    assert!(!path.exists());
}

#[tokio::test]
async fn socket_file_mode_is_not_cut_by_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let options = ListenOptions::default().unix_mode(0o666);
    let _listener = Listener::bind(&Address::unix(&path), &options).await.unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o666);
}

#[tokio::test]
async fn fcgi_133_socket_file_has_the_owner_that_was_asked_for_or_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let owned_by = |owner| {
        let options = ListenOptions::default().unix_mode(0o660).unix_owner(owner);
        let address = Address::unix(&path);
        async move { Listener::bind(&address, &options).await }
    };
    let found = || path.metadata().map(|found| (found.uid(), found.gid(), found.mode() & 0o777)).unwrap();
    let listener = owned_by(Owner::user(uid).and_group(gid)).await.unwrap();
    assert_eq!(found(), (uid, gid, 0o660));
    drop(listener);
    // Root can; for anybody else the file must not stay behind with the wrong owner.
    match owned_by(Owner::user(uid + 12_345).and_group(gid + 12_345)).await {
        Ok(_listener) => assert_eq!(found(), (uid + 12_345, gid + 12_345, 0o660)),
        Err(error) => {
            assert_eq!((error.kind(), uid == 0), (ErrorKind::PermissionDenied, false));
            assert!(!path.exists());
        }
    }
}

#[test]
fn owners_are_read_by_name_and_by_number() {
    let read = |text: &str| text.parse::<Owner>().map_err(|error| error.to_string());
    assert_eq!(read("root"), Ok(Owner::user(0)));
    assert_eq!(read("root:root"), Ok(Owner::user(0).and_group(0)));
    assert_eq!(read(":12"), Ok(Owner::group(12)));
    for (text, message) in [
        ("", "expected USER, USER:GROUP or :GROUP"),
        ("no such user", "no user is called \"no such user\""),
        ("-1", "no user is called \"-1\""),
        ("4294967295", "no user is called \"4294967295\""),
        ("99999999999", "no user is called \"99999999999\""),
        ("root:", "no group is called \"\""),
        (":", "no group is called \"\""),
        ("0:no such group", "no group is called \"no such group\""),
    ] {
        assert_eq!(read(text), Err(message.to_owned()), "{text:?}");
    }
}

#[tokio::test]
async fn socket_file_is_taken_over_only_from_the_dead() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let alive = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert_eq!(bind(&Address::unix(&path)).await.unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(alive);
    bind(&Address::unix(&path)).await.unwrap();
}

#[tokio::test]
async fn file_that_is_no_socket_is_never_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precious");
    std::fs::write(&path, "x").unwrap();
    assert_eq!(bind(&Address::unix(&path)).await.unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(std::fs::read(&path).unwrap(), b"x");
}

#[tokio::test]
async fn socket_file_of_a_successor_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let old = bind(&Address::unix(&path)).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let _new = bind(&Address::unix(&path)).await.unwrap();
    drop(old);
    assert!(path.exists());
}

#[tokio::test]
async fn fcgi_3_only_a_listening_socket_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let unix = std::os::unix::net::UnixListener::bind(folder.path().join("s")).unwrap();
    assert!(is_listening_socket(&unix));
    assert!(is_listening_socket(std::net::TcpListener::bind("127.0.0.1:0").unwrap()));
    let (one, _two) = std::os::unix::net::UnixStream::pair().unwrap();
    assert!(!is_listening_socket(&one));
    let fresh = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    assert!(!is_listening_socket(&fresh));
    assert!(!is_listening_socket(std::fs::File::open("/dev/null").unwrap()));
    let (pipe, _end) = std::io::pipe().unwrap();
    assert!(!is_listening_socket(&pipe));
}

#[tokio::test]
async fn inherited_sockets_keep_address_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let made = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let listener = Listener::from_fd(made.as_fd().try_clone_to_owned().unwrap()).unwrap();
    assert_eq!(listener.address(), &Address::unix(&path));
    let client = Stream::connect(listener.address()).await.unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    assert_eq!(peer, Peer::Unix(PeerCredentials { uid, gid, pid: Some(std::process::id()) }));
    client.write_all_vectored(&mut [IoSlice::new(b""), IoSlice::new(b"ab"), IoSlice::new(b"c")]).await.unwrap();
    client.shutdown_write().unwrap();
    let mut got = Vec::new();
    while server.read_buf(&mut got).await.unwrap() > 0 {}
    assert_eq!(got, b"abc");
    drop(listener);
    assert!(path.exists());
}

#[tokio::test]
async fn inherited_connected_socket_is_refused() {
    let (one, _two) = std::os::unix::net::UnixStream::pair().unwrap();
    assert_eq!(Listener::from_fd(one.into()).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn write_all_survives_a_full_socket() {
    let (one, two) = Stream::pair().unwrap();
    let data: Vec<u8> = (0..1_000_000_u32).map(|i| i.to_le_bytes()[0]).collect();
    let mut got = Vec::new();
    let write = async {
        one.write_all_vectored(&mut [IoSlice::new(&data[..500_000]), IoSlice::new(&data[500_000..])]).await.unwrap();
        one.shutdown_write().unwrap();
    };
    let read = async { while two.read_buf(&mut got).await.unwrap() > 0 {} };
    tokio::join!(write, read);
    assert!(got == data);
}

#[tokio::test]
async fn of_a_unix_socket_that_hears_no_more_the_peer_knows_what_has_not_gone_out() {
    let (one, two) = Stream::pair().unwrap();
    two.write_all(b"before").await.unwrap();
    one.shutdown_read().unwrap();
    assert_eq!(two.try_write(b"after").unwrap_err().kind(), ErrorKind::BrokenPipe);
    let mut got = Vec::new();
    while one.read_buf(&mut got).await.unwrap() > 0 {}
    assert_eq!(got, b"before");
    one.write_all(b"answer").await.unwrap();
    assert_eq!(two.read(&mut [0; 64]).await.unwrap(), 6);
}

#[tokio::test]
async fn bytes_that_come_after_a_short_read_are_noticed() {
    let (one, two) = Stream::pair().unwrap();
    let mut buffer = [0; 64];
    for round in 0..100 {
        two.write_all(&[round]).await.unwrap();
        assert_eq!(one.read(&mut buffer).await.unwrap(), 1);
        assert_eq!(one.try_read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    two.write_all(b"last").await.unwrap();
    drop(two);
    assert_eq!(one.read(&mut buffer).await.unwrap(), 4);
    assert_eq!(one.read(&mut buffer).await.unwrap(), 0);
}

#[tokio::test]
async fn blocking_code_may_share_the_connection_with_the_runtime() {
    let (one, two) = Stream::pair().unwrap();
    let mut buffer = [0; 64];
    let moment = std::time::Duration::from_millis(1);
    assert_eq!(one.block_until(Readiness::Read, moment).unwrap_err().kind(), ErrorKind::TimedOut);
    one.block_until(Readiness::Write, moment).unwrap();
    assert_eq!(two.write_now(&[IoSlice::new(b"ab"), IoSlice::new(b"c")]).unwrap(), 3);
    one.block_until(Readiness::Read, std::time::Duration::from_secs(10)).unwrap();
    assert_eq!(one.read_now(&mut buffer).unwrap(), 3);
    assert_eq!(one.read_now(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    two.write_all(b"more").await.unwrap();
    assert_eq!(one.read(&mut buffer).await.unwrap(), 4);
    two.shutdown();
    one.block_until(Readiness::Read, std::time::Duration::from_secs(10)).unwrap();
    assert_eq!(one.read_now(&mut buffer).unwrap(), 0);
}

#[test]
fn fcgi_133_only_tcp_beyond_this_machine_is_open_to_others() {
    for (address, open) in
        [("unix:/run/x", false), ("127.0.0.1:1", false), ("[::1]:1", false), ("0.0.0.0:1", true), ("[::]:1", true)]
    {
        assert_eq!(address.parse::<Address>().unwrap().is_open_to_others(), open, "{address}");
    }
}
