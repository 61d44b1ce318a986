//! What is wrong with a certificate or its key is told with the file, the line and what to do.

use std::path::Path;
use std::time::{Duration, SystemTime};

use gateway_server::serve::Tls;
use rcgen::{CertificateParams, KeyPair};

use crate::support::Files;

fn error(cert: &Path, key: &Path) -> String {
    Tls::from_files(cert, key).map(drop).unwrap_err().to_string()
}

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
    assert!(cut.contains("cut.pem:1: this certificate cannot be read: "), "{cut}");
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
