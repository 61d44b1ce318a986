//! Certificates are chosen by name, and exchanged while connections go on.

use std::sync::Arc;

use gateway_server::serve::Tls;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SignatureScheme};

use crate::support::{Files, Running, config, serve, variables};

#[test]
fn after_a_reload_new_connections_get_the_new_certificate_and_old_ones_go_on() {
    let files = Files::new();
    let first = files.der.clone();
    let tls = files.tls();
    let ours = tls.clone();
    let server = serve(variables, config(), |endpoint| endpoint.tls(ours));
    let mut before = server.client(&first);
    assert_eq!(before.get("/").0, 200);
    let files = files.renewed();
    assert_eq!(server.client(&first).get("/").0, 200, "nothing changes before the reload");
    tls.reload().unwrap();
    assert_eq!(server.client(&files.der).get("/").0, 200);
    assert_eq!(before.get("/").0, 200);
}

#[test]
fn files_that_cannot_be_used_change_nothing() {
    let files = Files::new();
    let tls = files.tls();
    let ours = tls.clone();
    let server = serve(variables, config(), |endpoint| endpoint.tls(ours));
    std::fs::write(files.key(), "no key").unwrap();
    assert!(tls.reload().is_err());
    assert_eq!(server.client(&files.der).get("/").0, 200);
}

/// What comes of a handshake by a client that asks for this name, takes these signatures, and trusts this certificate and no other.
fn shake(
    server: &Running,
    name: &'static str,
    trusted: &CertificateDer<'static>,
    signatures: Option<WebPkiSupportedAlgorithms>,
) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut provider = rustls::crypto::ring::default_provider();
    provider.signature_verification_algorithms = signatures.unwrap_or(provider.signature_verification_algorithms);
    let config = ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let mut session = ClientConnection::new(config, ServerName::try_from(name).unwrap()).unwrap();
    session.complete_io(&mut server.connect()).map(drop).map_err(|error| error.to_string())
}

#[test]
fn a_client_is_shown_the_certificate_for_the_name_that_it_asks_for() {
    let [first, second, third] = ["example.org", "www.example.org", "*.example.net"].map(Files::of);
    let tls = Tls::from_files(first.cert(), first.key()).unwrap();
    let tls = tls.and_files(second.cert(), second.key()).unwrap().and_files(third.cert(), third.key()).unwrap();
    let server = serve(variables, config(), |endpoint| endpoint.tls(tls));
    for (name, files) in
        [("example.org", &first), ("www.example.org", &second), ("WWW.Example.ORG", &second), ("a.example.net", &third)]
    {
        assert_eq!(shake(&server, name, &files.der, None), Ok(()), "{name}");
    }
    // Others are shown the first, and see for themselves: one that is not theirs is better than none, as the name may be old.
    for name in ["example.net", "a.b.example.net", "elsewhere.test", "127.0.0.1"] {
        let refused = shake(&server, name, &first.der, None).unwrap_err();
        assert!(refused.contains("not valid for name"), "{name}: {refused}");
    }
}

static ED25519: &[&dyn rustls::pki_types::SignatureVerificationAlgorithm] = &[webpki::ring::ED25519];

const ONLY_ED25519: WebPkiSupportedAlgorithms =
    WebPkiSupportedAlgorithms { all: ED25519, mapping: &[(SignatureScheme::ED25519, ED25519)] };

#[test]
fn of_two_certificates_for_a_name_a_client_is_shown_the_one_that_it_understands() {
    let usual = Files::new();
    let other = Files::new();
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let made = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&pair).unwrap();
    std::fs::write(other.cert(), made.pem()).unwrap();
    std::fs::write(other.key(), pair.serialize_pem()).unwrap();
    let tls = usual.tls().and_files(other.cert(), other.key()).unwrap();
    let server = serve(variables, config(), |endpoint| endpoint.tls(tls));
    assert_eq!(shake(&server, "localhost", &usual.der, None), Ok(()));
    assert_eq!(shake(&server, "localhost", made.der(), Some(ONLY_ED25519)), Ok(()));
}

#[test]
fn all_certificates_are_exchanged_or_none() {
    let [first, second] = ["example.org", "example.net"].map(Files::of);
    let tls = Tls::from_files(first.cert(), first.key()).unwrap().and_files(second.cert(), second.key()).unwrap();
    let ours = tls.clone();
    let server = serve(variables, config(), |endpoint| endpoint.tls(ours));
    let before = [first.der.clone(), second.der.clone()];
    let [first, second] = [first.renewed(), second.renewed()];
    let good = std::fs::read(second.key()).unwrap();
    std::fs::write(second.key(), "no key").unwrap();
    assert!(tls.reload().is_err());
    let shown = |name, certificate| shake(&server, name, certificate, None).is_ok();
    assert!(shown("example.org", &before[0]) && shown("example.net", &before[1]));
    std::fs::write(second.key(), good).unwrap();
    tls.reload().unwrap();
    assert!(shown("example.org", &first.der) && shown("example.net", &second.der));
}
