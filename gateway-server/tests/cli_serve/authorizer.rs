//! Mounts behind an Authorizer: every kind of target is protected, and programs see its variables.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use crate::gateway::Gateway;

/// Lets in who brings `Bearer 42`, as ada.
fn login(socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || while verdict(stream.as_ref().unwrap()).is_ok() {});
        }
    });
}

/// One question and its answer.
fn verdict(mut stream: &UnixStream) -> std::io::Result<()> {
    const STDIN: u8 = 5;
    let mut params = Vec::new();
    loop {
        let mut header = [0; 8];
        stream.read_exact(&mut header)?;
        let mut content = vec![0; usize::from(u16::from_be_bytes([header[4], header[5]]))];
        stream.read_exact(&mut content)?;
        stream.read_exact(&mut vec![0; usize::from(header[6])])?;
        match header[1] {
            1 => assert_eq!(content[..2], [0, 2], "the role of an Authorizer"),
            STDIN if content.is_empty() => break,
            _ => params.extend(content),
        }
    }
    let is_known = params.windows(9).any(|bytes| bytes == b"Bearer 42");
    let output: &[u8] = if is_known {
        b"Status: 200 OK\r\nVariable-REMOTE_USER: ada\r\nVariable-STAFF_LEVEL: 7\r\nSet-Cookie: no\r\n\r\nnothing to see"
    } else {
        b"Status: 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Type: text/plain\r\n\r\nwho are you?\n"
    };
    let record =
        |kind: u8, content: &[u8]| [&[1, kind, 0, 1, 0, u8::try_from(content.len()).unwrap(), 0, 0], content].concat();
    stream.write_all(&[record(6, output), record(6, b""), record(3, &[0; 8])].concat())
}

const WHO: &str = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nuser=%s level=%s host=%s body=%s\\n' \
                   \"$REMOTE_USER\" \"$STAFF_LEVEL\" \"$HTTP_REMOTE_USER\" \"$(head -c \"${CONTENT_LENGTH:-0}\")\"\n";

fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("who");
    std::fs::write(&script, WHO).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir(folder.path().join("files")).unwrap();
    std::fs::write(folder.path().join("files/secret.txt"), "the secret\n").unwrap();
    login(&folder.path().join("login.sock"));
    folder
}

/// A mount of each kind.
fn mounts() -> [String; 4] {
    let wrap = format!("fastcgi:spawn:{} cgi-wrap --root .?script=who&workers=1&", env!("CARGO_BIN_EXE_gateway"));
    [("cgi", "cgi:who?"), ("files", "static:files?"), ("demo", "app:demo?"), ("worker", &wrap)]
        .map(|(name, target)| format!("/{name}={target}authorizer=unix:login.sock"))
}

const KNOWN: &str = "Authorization: Bearer 42";

#[test]
fn fcgi_98_every_kind_of_target_is_protected() {
    let folder = place();
    let mounts = mounts();
    let flags: Vec<&str> = mounts.iter().flat_map(|mount| ["--mount", mount.as_str()]).collect();
    let gateway = Gateway::serve(folder.path(), &flags);
    for path in ["/cgi", "/files/secret.txt", "/files/none", "/demo", "/worker"] {
        for fields in [&[][..], &["Authorization: Bearer 41"], &["Variable-REMOTE_USER: ada"], &["Remote-User: ada"]] {
            let answer = gateway.ask("GET", path, fields, "");
            assert_eq!((answer.status, answer.body.as_str()), (401, "who are you?\n"), "{path}");
            assert_eq!(answer.field("www-authenticate"), Some("Bearer"), "{path}");
        }
        assert_eq!(gateway.ask("HEAD", path, &[], "").status, 401, "{path}");
    }
}

#[test]
fn fcgi_97_100_programs_and_workers_see_the_variables_and_clients_cannot_set_them() {
    let folder = place();
    let mounts = mounts();
    let flags: Vec<&str> = mounts.iter().flat_map(|mount| ["--mount", mount.as_str()]).collect();
    let gateway = Gateway::serve(folder.path(), &flags);
    let fields = [KNOWN, "Remote-User: eve", "Staff-Level: 9", "Variable-STAFF_LEVEL: 9"];
    for path in ["/cgi", "/worker"] {
        let answer = gateway.ask("POST", path, &fields, "the body");
        assert_eq!((answer.status, answer.body.as_str()), (200, "user=ada level=7 host=eve body=the body\n"), "{path}");
        assert_eq!(answer.field("set-cookie"), None, "{path}");
    }
    let file = gateway.ask("GET", "/files/secret.txt", &[KNOWN], "");
    assert_eq!((file.status, file.body.as_str()), (200, "the secret\n"));
    assert_eq!(gateway.ask("GET", "/files/none", &[KNOWN], "").status, 404);
    assert_eq!(gateway.ask("GET", "/demo/", &[KNOWN], "").status, 200);
}

#[test]
fn without_an_authorizer_nobody_is_let_in() {
    let folder = place();
    std::fs::remove_file(folder.path().join("login.sock")).unwrap();
    let mounts = mounts();
    let flags: Vec<&str> = mounts.iter().flat_map(|mount| ["--mount", mount.as_str()]).collect();
    let gateway = Gateway::serve(folder.path(), &flags);
    for path in ["/cgi", "/files/secret.txt", "/demo", "/worker"] {
        assert_eq!(gateway.ask("GET", path, &[KNOWN], "").status, 502, "{path}");
    }
}

#[test]
fn an_authorizer_that_is_silent_is_left_after_its_time() {
    let folder = place();
    let silent = UnixListener::bind(folder.path().join("silent.sock")).unwrap();
    let mount = "/=static:files?authorizer=unix:silent.sock&authorizer_timeout=50ms";
    let gateway = Gateway::serve(folder.path(), &["--mount", mount]);
    assert_eq!(gateway.ask("GET", "/secret.txt", &[KNOWN], "").status, 504);
    drop(silent);
}
