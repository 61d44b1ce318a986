//! What is wrong with a certificate or its key is told with the file, the line and what to do.

use std::path::Path;
use std::time::{Duration, SystemTime};

use gateway_server::serve::Tls;
use rcgen::{CertificateParams, KeyPair};

use crate::support::Files;

fn error(cert: &Path, key: &Path) -> String {
    Tls::from_files(cert, key).map(drop).unwrap_err().to_string()
}

/// How a file in DER form begins.
const DER: [u8; 6] = [0x30, 0x82, 0x01, 0x0a, 0x02, 0x03];

/// 1024 bits, made for this test.
const SHORT_RSA: &str = "\
-----BEGIN PRIVATE KEY-----
MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBAOA7jhNfeicyZB2a
pAcP+ZJLWX0bP9pkvpOZd3bRDBrkM3bREItaDbZFBNTOUA7kClFe7dqR8ZCqLzYf
ZcTH2T7goO/iaxS5wPcAQPUWrFOK/e5QnNrCFSTMN1xp2iEoojVJCDOm4f0WT9tG
z/yG1rLLstgWjyuqnwYlvmLNVVTLAgMBAAECgYAbLFxtUJa3BU5IoCLckD0IU4VG
ufSk/KxzqpdlmLPE1n6+GVvN513eBsMtHsto4o21irF8WU9S3qzV/DwS+r0CvY1J
6ZkzGtHzCBXwrTJHhGhltN4rlZOZzzvqpIZwL6uyvVbZNnFLoX8Jtlhl8a9RNR2G
8pZkizTgP0oJPwL08QJBAPjwGiXk/OioKq8WlLGiOg1JqTD2M3iBRlMUJJDxDZ8y
FQKRvaEsUitnS4JkGXzyXoqB8EZPDETnUT2uJiWZB8cCQQDmmAhAEN5gLjTAyq6v
mO+xqusmnhCSITOLEX5cQpk9HMGrC45p8KcnKfUAPl0Snmru6C8s2M82e1F+EeVV
JXLdAkEAupwCffWyQRYPKUFcJezeZ6eYVUO6QdNmzFCFOMH63CPG7C4kYPXAgxjj
2dL/6FIn3NybKZmIMP7WP86UegrFcQJBAM4Z9MXOTfQJWH04qwmn2BUkfyj0/jqe
EkOqTxaHMA+/NBp9Kbzmq4AFsEWXd/i8Pzdpr0CWSB6Z+iyEMkX4QsECQFSA2Wnq
bXdEtTSrbHN30WdElIHmThB85isVuGZtxYkI0sUYgLWrL/fh2ev7NXPJrfDoWOGm
tjAP4X3QKaQo22c=
-----END PRIVATE KEY-----
";

#[test]
fn each_mistake_names_its_file_and_line() {
    let files = Files::new();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| {
        std::fs::write(path(name), text).unwrap();
        path(name)
    };
    let cert = std::fs::read_to_string(files.cert()).unwrap();
    let key = std::fs::read_to_string(files.key()).unwrap();
    let other = Files::new();

    let missing = error(&path("no.pem"), &files.key());
    assert!(missing.contains("no.pem: cannot be read: "), "{missing}");
    let empty = error(&write("empty.pem", "nothing\n"), &files.key());
    assert!(empty.contains("empty.pem: there is no certificate in it; "), "{empty}");
    let swapped = error(&files.key(), &files.cert());
    assert!(swapped.contains("key.pem: there is no certificate in it"), "{swapped}");
    let none = error(&files.cert(), &files.cert());
    assert!(none.contains("cert.pem: there is no private key in it; "), "{none}");
    let broken = error(&write("broken.pem", &format!("# mine\n\n{}", cert.replacen("MII", "M!I", 1))), &files.key());
    assert!(broken.contains("broken.pem:3: this certificate cannot be read: "), "{broken}");
    let cut = error(&write("cut.pem", &cert[..cert.len() / 2]), &files.key());
    assert!(cut.contains("cut.pem:1: this certificate cannot be read: it has no end"), "{cut}");
    assert!(cut.contains("-----END CERTIFICATE-----"), "{cut}");
    let der = path("cert.der");
    std::fs::write(&der, DER).unwrap();
    let binary = error(&der, &files.key());
    assert!(binary.contains("openssl x509 -inform der -in FILE -out NEW"), "{binary}");
    let binary = error(&files.cert(), &der);
    assert!(binary.contains("openssl pkey -inform der -in FILE -out NEW"), "{binary}");
    let short = error(&files.cert(), &write("short.pem", SHORT_RSA));
    assert!(short.contains("short.pem: cannot be used: ") && short.contains("RSA keys under 2048 bits"), "{short}");
    let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let second = error(&write("second.pem", no_der), &files.key());
    assert!(second.contains("second.pem:1: this certificate cannot be read: "), "{second}");
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let locked = error(&files.cert(), &write("locked.pem", encrypted));
    assert!(locked.contains("locked.pem:1: this key cannot be read: it is encrypted"), "{locked}");
    let junk = error(&files.cert(), &write("junk.pem", &no_der.replace("CERTIFICATE", "PRIVATE KEY")));
    assert!(junk.contains("junk.pem: cannot be used: "), "{junk}");
    let foreign = error(&files.cert(), &other.key());
    assert!(foreign.contains("key.pem: this key does not belong to the first certificate in "), "{foreign}");
    let huge = error(&write("huge.pem", &"x".repeat(2 << 20)), &files.key());
    assert!(huge.contains("longer than 1 MiB"), "{huge}");
    // The key before the certificate, in one file, with text around them.
    let both = write("both.pem", &format!("The key:\n{key}The certificate:\n{cert}"));
    assert!(Tls::from_files(&both, &both).is_ok());
}

#[test]
fn the_end_of_a_certificate_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("c"), folder.path().join("k"));
    let pair = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    std::fs::write(&cert, params.self_signed(&pair).unwrap().pem()).unwrap();
    std::fs::write(&key, pair.serialize_pem()).unwrap();
    // It is taken all the same: the operator is warned, and may know.
    let end = Tls::from_files(&cert, &key).unwrap().expires().unwrap();
    assert_eq!(end.duration_since(SystemTime::UNIX_EPOCH).unwrap(), Duration::from_secs(1_009_843_200));
}
