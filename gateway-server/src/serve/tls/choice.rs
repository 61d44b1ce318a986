//! Which certificate a client is shown (SNI, RFC 6066 §3).
//!
//! Holds the choice by the name that the client asks for and the signatures that it understands.

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::ServerName;
use std::sync::Arc;

/// The certificates of an address, the one for everybody first.
#[derive(Debug, Default)]
pub(super) struct Choice {
    certificates: Vec<Arc<CertifiedKey>>,
}

impl Choice {
    pub(super) fn add(&mut self, certificate: CertifiedKey) {
        self.certificates.push(Arc::new(certificate));
    }

    /// Those for a name; the first of all if there are none.
    fn of_name(&self, name: Option<&str>) -> Vec<&Arc<CertifiedKey>> {
        let name = name.filter(|_| self.certificates.len() > 1).and_then(|name| ServerName::try_from(name).ok());
        let is_for = |certificate: &&Arc<CertifiedKey>| name.as_ref().is_some_and(|name| is_for(certificate, name));
        let found: Vec<_> = self.certificates.iter().filter(is_for).collect();
        if found.is_empty() { self.certificates.first().into_iter().collect() } else { found }
    }
}

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let found = self.of_name(hello.server_name());
        let is_understood =
            |certificate: &&&Arc<CertifiedKey>| certificate.key.choose_scheme(hello.signature_schemes()).is_some();
        // One that is not understood fails with the alert that says so.
        found.iter().find(is_understood).or(found.first()).map(|certificate| Arc::clone(certificate))
    }
}

/// Whether a client would take the certificate for that name.
fn is_for(certificate: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let Some(first) = certificate.cert.first() else { return false };
    let Ok(parsed) = webpki::EndEntityCert::try_from(first) else { return false };
    parsed.verify_is_valid_for_subject_name(name).is_ok()
}
