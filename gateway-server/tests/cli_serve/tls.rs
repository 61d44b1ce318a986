//! `gateway serve --tls-listen`: as an operator and a client see it.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::gateway::{Answer, Gateway};

/// Writes a new certificate for `localhost` and its key.
fn certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("site.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("site.key"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

const FLAGS: [&str; 8] =
    ["--tls-listen", "127.0.0.1:0", "--tls-cert", "site.pem", "--tls-key", "site.key", "--mount", "/=app:demo"];

fn port(gateway: &mut Gateway) -> u16 {
    let line = gateway.wait_for("listening on https://127.0.0.1:");
    let digits = line.split("https://127.0.0.1:").nth(1).unwrap();
    digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

fn get(port: u16, trusted: &CertificateDer<'static>) -> Result<Answer, rustls::Error> {
    use std::io::Write as _;
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let session = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap())?;
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut stream = StreamOwned::new(session, socket);
    if let Err(error) = stream.write_all(b"GET /env HTTP/1.0\r\nHost: localhost\r\n\r\n") {
        return Err(error.downcast().unwrap());
    }
    Ok(Answer::read(stream))
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
