//! `gateway serve --tls-listen`: as an operator and a client see it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio::task::JoinHandle;

use crate::gateway::{Answer, Gateway, ask};
use crate::service::Manager;

/// Writes a new certificate for `localhost` and its key.
fn certificate(folder: &Path) -> CertificateDer<'static> {
    certificate_of(folder, "site", "localhost")
}

fn certificate_of(folder: &Path, file: &str, name: &str) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    std::fs::write(folder.join(file).with_extension("pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join(file).with_extension("key"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

const FLAGS: [&str; 8] =
    ["--tls-listen", "127.0.0.1:0", "--tls-cert", "site.pem", "--tls-key", "site.key", "--mount", "/=app:demo"];

fn port(gateway: &mut Gateway) -> u16 {
    let line = gateway.wait_for("listening on https://127.0.0.1:");
    let digits = line.split("https://127.0.0.1:").nth(1).unwrap();
    digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

fn trusting(trusted: &[CertificateDer<'static>]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    trusted.iter().for_each(|trusted| roots.add(trusted.clone()).unwrap());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    config.with_root_certificates(roots).with_no_client_auth()
}

type Connection = StreamOwned<ClientConnection, TcpStream>;

fn connect(port: u16, config: ClientConfig) -> Connection {
    let session = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    StreamOwned::new(session, socket)
}

fn get(port: u16, trusted: &CertificateDer<'static>) -> Result<Answer, rustls::Error> {
    let mut stream = connect(port, trusting(std::slice::from_ref(trusted)));
    if let Err(error) = stream.write_all(b"GET /env HTTP/1.0\r\nHost: localhost\r\n\r\n") {
        return Err(error.downcast().unwrap());
    }
    Ok(Answer::read(stream))
}

/// A connection of HTTP/2.
async fn http2(port: u16, mut config: ClientConfig) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    config.alpn_protocols = vec![b"h2".to_vec()];
    let socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), socket).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    (send, tokio::spawn(connection))
}

async fn ask_http2(send: &SendRequest<Bytes>) {
    let request = http::Request::get("https://localhost/").body(()).unwrap();
    let (response, _) = send.clone().ready().await.unwrap().send_request(request, true).unwrap();
    let mut body = response.await.unwrap().into_body();
    while let Some(piece) = body.data().await {
        piece.unwrap();
    }
}

#[test]
fn sighup_exchanges_the_certificate_and_a_bad_file_keeps_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let first = certificate(folder.path());
    let mut gateway = Gateway::start(folder.path(), &FLAGS);
    let port = port(&mut gateway);
    assert!(get(port, &first).is_ok());

    let second = certificate(folder.path());
    gateway.signal(Signal::HUP);
    gateway.wait_for("certificate reloaded");
    assert!(get(port, &first).is_err());
    assert!(get(port, &second).is_ok());

    std::fs::write(folder.path().join("site.key"), "no key").unwrap();
    gateway.signal(Signal::HUP);
    let line = gateway.wait_for("not reloaded: it stays as it was");
    assert!(line.contains("site.key: there is no private key in it"), "{line}");
    assert!(get(port, &second).is_ok());
    assert!(gateway.stop().0.success());
}

/// By flags, and by lists in the file.
#[test]
fn of_several_certificates_each_host_has_its_own() {
    let folder = tempfile::tempdir().unwrap();
    certificate_of(folder.path(), "other", "example.org");
    let ours = certificate(folder.path());
    let more = ["--tls-cert", "other.pem", "--tls-key", "other.key"];
    let file = "[tls]\nlisten = \"127.0.0.1:0\"\ncert = [\"other.pem\", \"site.pem\"]\n\
        key = [\"other.key\", \"site.key\"]\n[[mount]]\nprefix = \"/\"\ntarget = \"app:demo\"\n";
    std::fs::write(folder.path().join("g.toml"), file).unwrap();
    for flags in [&[&more[..], &FLAGS].concat()[..], &["--config", "g.toml"]] {
        let mut gateway = Gateway::start(folder.path(), flags);
        let port = port(&mut gateway);
        assert!(get(port, &ours).is_ok(), "{flags:?}");
        gateway.signal(Signal::HUP);
        for name in ["other.pem", "site.pem"] {
            let line = gateway.wait_for("certificate reloaded");
            assert!(line.contains(name), "{line}");
        }
        assert!(gateway.stop().0.success());
    }
}

#[test]
fn connections_that_are_open_go_on_with_the_certificate_they_began_with() {
    let folder = tempfile::tempdir().unwrap();
    let first = certificate(folder.path());
    let mut gateway = Gateway::start(folder.path(), &FLAGS);
    let port = port(&mut gateway);
    let mut http1 = connect(port, trusting(std::slice::from_ref(&first)));
    ask(&mut http1);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (send, connection) = http2(port, trusting(&[first])).await;
        ask_http2(&send).await;
        let second = certificate(folder.path());
        gateway.signal(Signal::HUP);
        gateway.wait_for("certificate reloaded");
        ask(&mut http1);
        ask_http2(&send).await;
        assert!(get(port, &second).is_ok());
        assert!(gateway.stop().0.success());
        connection.await.unwrap().unwrap();
    });
}

/// Each request on a connection of its own, so that each could come between the two processes; and connections that are open.
#[test]
fn a_restart_under_load_fails_no_request_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = Manager::at(&path);
    let first = certificate(folder.path());
    let flags = [&FLAGS[..], &["--no-access-log"]].concat();
    let mut gateway = Gateway::start_with(folder.path(), &flags, &[("NOTIFY_SOCKET", path.as_path())]);
    let port = port(&mut gateway);
    manager.hears();
    let mut idle = connect(port, trusting(std::slice::from_ref(&first)));
    ask(&mut idle);
    let second = certificate(folder.path());
    let both = trusting(&[first.clone(), second.clone()]);
    let ends = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..3)
        .map(|_| {
            let (ends, both) = (Arc::clone(&ends), both.clone());
            std::thread::spawn(move || {
                let mut answered = 0;
                while !ends.load(Ordering::Relaxed) {
                    let mut stream = connect(port, both.clone());
                    stream.write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
                    assert_eq!(Answer::read(stream).status, 200, "after {answered}");
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (send, connection) = http2(port, trusting(&[first])).await;
        ask_http2(&send).await;
        gateway.signal(Signal::USR2);
        manager.hears();
        let told = manager.hears();
        let new = told.strip_prefix("MAINPID=").and_then(|rest| rest.strip_suffix("\nREADY=1")).unwrap();
        let new = Pid::from_raw(new.parse().unwrap()).unwrap();
        // GOAWAY, and for HTTP/1.1 a clean end.
        connection.await.unwrap().unwrap();
        assert_eq!(idle.read(&mut [0]).unwrap(), 0);
        assert_eq!(gateway.end_of_process().code(), Some(0));
        assert!(get(port, &second).is_ok(), "the new process has read the new certificate");
        ends.store(true, Ordering::Relaxed);
        let answered: usize = load.into_iter().map(|load| load.join().unwrap()).sum();
        assert!(answered > 0);
        kill_process(new, Signal::TERM).unwrap();
        while !manager.hears().starts_with("STOPPING=1") {}
    });
}

#[test]
fn a_certificate_that_has_expired_is_served_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let pair = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    std::fs::write(folder.path().join("site.pem"), params.self_signed(&pair).unwrap().pem()).unwrap();
    std::fs::write(folder.path().join("site.key"), pair.serialize_pem()).unwrap();
    let mut gateway = Gateway::start(folder.path(), &FLAGS);
    let line = gateway.wait_for("the certificate has expired");
    assert!(line.contains("site.pem") && line.contains("01 Jan 2002"), "{line}");
    port(&mut gateway);
}
