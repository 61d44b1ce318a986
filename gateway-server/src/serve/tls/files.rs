//! A certificate and its key, read from PEM files (RFC 7468), with every mistake told where it is.
//!
//! Holds the search for PEM sections and what is wrong with files. Does not hold what is done with them.

use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Why a certificate and its key cannot be used. The operator's to repair.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file that cannot be read.
    #[error("{}: cannot be read: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file without a section of the kind that is looked for.
    #[error("{}: there is no {wanted} in it; {advice}", file.display())]
    Nothing {
        /// The file.
        file: PathBuf,
        /// What is missing.
        wanted: &'static str,
        /// Where it may be instead.
        advice: &'static str,
    },
    /// A section that cannot be read.
    #[error("{}:{line}: this {what} cannot be read: {why}", file.display())]
    Section {
        /// The file.
        file: PathBuf,
        /// The line in which the section begins, from 1 on.
        line: usize,
        /// What it is.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A key that belongs to another certificate.
    #[error("{}: this key does not belong to the first certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// A certificate or key of a kind that TLS has no use for.
    #[error("{}: cannot be used: {source}{advice}", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// What the library says.
        source: Error,
        /// What may be the reason, and what to do then.
        advice: &'static str,
    },
}

/// The chain with its key, checked against each other, and when the first certificate ends to be valid.
pub(super) fn certified_key(certificate: &Path, key: &Path) -> Result<(CertifiedKey, Option<SystemTime>), TlsError> {
    let chain = chain(certificate)?;
    let private = private_key(key)?;
    let expires = chain.first().and_then(not_after);
    warn_of_dates(certificate, chain.first());
    let advice = advice_about(&private);
    match CertifiedKey::from_der(chain, private, &ring::default_provider()) {
        Ok(chosen) => Ok((chosen, expires)),
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(TlsError::Mismatch { key: key.to_owned(), certificate: certificate.to_owned() })
        }
        // The certificate was understood above, so it is the key.
        Err(source) => Err(TlsError::Unusable { file: key.to_owned(), source, advice }),
    }
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(file)?;
    let mut chain = Vec::new();
    for Section { line, text, .. } in sections(&text).filter(|section| section.label == "CERTIFICATE") {
        let failed = |why: String| TlsError::Section { file: file.to_owned(), line, what: "certificate", why };
        let found = CertificateDer::from_pem_slice(text.as_bytes()).map_err(|error| failed(why(error)))?;
        // Of those behind it the client judges; a first one that is none would fail at every connection.
        if chain.is_empty() {
            rustls::server::ParsedCertificate::try_from(&found).map_err(|error| failed(error.to_string()))?;
        }
        chain.push(found);
    }
    if chain.is_empty() {
        return Err(TlsError::Nothing {
            file: file.to_owned(),
            wanted: "certificate",
            advice: match is_der(&text) {
                true => "it seems to be in DER form; openssl x509 -inform der -in FILE -out NEW writes it in PEM form",
                false => "a certificate in PEM form begins with -----BEGIN CERTIFICATE-----",
            },
        });
    }
    Ok(chain)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(file)?;
    let section = sections(&text).find(|section| section.label.ends_with("PRIVATE KEY"));
    let Some(Section { line, label, text }) = section else {
        return Err(TlsError::Nothing {
            file: file.to_owned(),
            wanted: "private key",
            advice: match is_der(&text) {
                true => "it seems to be in DER form; openssl pkey -inform der -in FILE -out NEW writes it in PEM form",
                false => "a key in PEM form begins with -----BEGIN PRIVATE KEY----- or -----BEGIN EC PRIVATE KEY-----",
            },
        });
    };
    let failed = |why: String| TlsError::Section { file: file.to_owned(), line, what: "key", why };
    if label == "ENCRYPTED PRIVATE KEY" || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(failed(
            "it is encrypted; write it without a passphrase: openssl pkey -in FILE -out NEW".to_owned(),
        ));
    }
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| failed(why(error)))
}

/// What is wrong with a section, for people.
fn why(error: pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            let label = String::from_utf8_lossy(&end_marker);
            format!("it has no end: the line -----END {label}----- is missing, so the file was cut short perhaps")
        }
        other => other.to_string(),
    }
}

/// Whether a file without sections begins as DER does: with a SEQUENCE whose length takes two bytes. The second of these bytes is no UTF-8.
fn is_der(text: &str) -> bool {
    text.starts_with("0\u{fffd}")
}

/// Of a key that the library has no use for.
fn advice_about(key: &PrivateKeyDer<'_>) -> &'static str {
    /// rsaEncryption, as it stands in a key of PKCS #8.
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    let is_rsa = match key {
        PrivateKeyDer::Pkcs1(_) => true,
        PrivateKeyDer::Pkcs8(key) => key.secret_pkcs8_der().windows(RSA.len()).take(32).any(|bytes| bytes == RSA),
        _ => false,
    };
    match is_rsa {
        true => {
            "; perhaps it is too short, RSA keys under 2048 bits are refused: make a new one, and a certificate for it, with \
             openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out NEW"
        }
        false => "",
    }
}

fn read(file: &Path) -> Result<String, TlsError> {
    /// A chain with its key has some 10 KiB.
    const LONGEST: u64 = 1 << 20;
    let failed = |source| TlsError::File { file: file.to_owned(), source };
    let length = std::fs::metadata(file).map_err(failed)?.len();
    if length > LONGEST {
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than 1 MiB")));
    }
    // What stands around the sections may be anything.
    Ok(String::from_utf8_lossy(&std::fs::read(file).map_err(failed)?).into_owned())
}

/// One section of a PEM file, its two boundaries included as far as they are there.
struct Section<'t> {
    line: usize,
    label: &'t str,
    text: &'t str,
}

fn sections(text: &str) -> impl Iterator<Item = Section<'_>> {
    const BEGIN: &str = "-----BEGIN ";
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = text.get(from..)?;
        let at = from + rest.find(BEGIN)?;
        let section = text.get(at..)?;
        // Up to the next one, so that one without an end does not swallow it.
        let length = section.get(BEGIN.len()..)?.find(BEGIN).map_or(section.len(), |next| BEGIN.len() + next);
        from = at + length;
        let text_of = section.get(..length)?;
        let label = text_of.get(BEGIN.len()..)?.lines().next().unwrap_or_default().trim_end().trim_end_matches('-');
        let line = text.get(..at)?.matches('\n').count() + 1;
        Some(Section { line, label, text: text_of })
    })
}

/// When a certificate ends to be valid.
///
/// The verifier says so when it is asked about a time when no certificate is valid any more.
fn not_after(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    const YEAR_9999: Duration = Duration::from_secs(253_402_300_799);
    match verdict(certificate, UnixTime::since_unix_epoch(YEAR_9999)) {
        webpki::Error::CertExpired { not_after, .. } => Some(UNIX_EPOCH + Duration::from_secs(not_after.as_secs())),
        _ => None,
    }
}

/// What is wrong with a certificate of which no issuer is trusted: its dates come first, the issuer last.
fn verdict(certificate: &CertificateDer<'_>, time: UnixTime) -> webpki::Error {
    let parsed = match webpki::EndEntityCert::try_from(certificate) {
        Ok(parsed) => parsed,
        Err(error) => return error,
    };
    let usage = webpki::KeyUsage::server_auth();
    match parsed.verify_for_usage(&[], &[], &[], time, usage, None, None) {
        Ok(_) => webpki::Error::UnknownIssuer,
        Err(error) => error,
    }
}

/// Clients will refuse such a certificate; it is served all the same, because the operator may know.
fn warn_of_dates(file: &Path, certificate: Option<&CertificateDer<'_>>) {
    /// Renewal is due a month before the end, as Let's Encrypt's own programs do it.
    const SOON: Duration = Duration::from_secs(14 * 24 * 3600);
    let Some(certificate) = certificate else { return };
    let file = file.display();
    match verdict(certificate, UnixTime::now()) {
        webpki::Error::CertExpired { not_after, .. } => {
            let since = date(UNIX_EPOCH + Duration::from_secs(not_after.as_secs()));
            tracing::warn!(%file, %since, "the certificate has expired: clients will refuse it");
        }
        webpki::Error::CertNotValidYet { not_before, .. } => {
            let from = date(UNIX_EPOCH + Duration::from_secs(not_before.as_secs()));
            tracing::warn!(%file, %from, "the certificate is not valid yet: clients will refuse it");
        }
        _ => {
            if let Some(end) = not_after(certificate).filter(|end| *end < SystemTime::now() + SOON) {
                tracing::warn!(%file, until = %date(end), "the certificate expires soon");
            }
        }
    }
}

fn date(time: SystemTime) -> httpdate::HttpDate {
    httpdate::HttpDate::from(time)
}
