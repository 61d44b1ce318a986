//! Another HTTP server behind `gateway serve`: here another `gateway serve` on a socket, with programs behind it.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;

use crate::gateway::Gateway;

/// Tells what it sees.
const PROGRAM: &str = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\npath = %s%s\\nclient = %s\\nscheme = %s\\nprefix = %s\\nfor = %s\\n' \"$SCRIPT_NAME\" \"$PATH_INFO\" \
     \"$REMOTE_ADDR\" \"$REQUEST_SCHEME\" \"$HTTP_X_FORWARDED_PREFIX\" \"$HTTP_X_FORWARDED_FOR\"\n";

#[test]
fn http_52_two_gateways_in_a_row_agree_about_the_client() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("show"), PROGRAM).unwrap();
    std::fs::set_permissions(folder.path().join("show"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let behind =
        ["--listen", "unix:behind.sock", "--trusted-proxies", "unix,127.0.0.1,192.0.2.0/24", "--mount", "/=cgi:show"];
    let mut back = Gateway::start(folder.path(), &behind);
    back.wait_for("listening on");
    let mut flags = vec!["--trusted-proxies", "127.0.0.1"];
    for mount in ["/=http:unix:behind.sock", "/cut=http:unix:behind.sock?prefix=strip", "/gone=http:unix:nobody.sock"] {
        flags.extend(["--mount", mount]);
    }
    let mut front = Gateway::serve(folder.path(), &flags);
    let fields = ["X-Forwarded-For: 198.51.100.7, 192.0.2.5", "X-Forwarded-Proto: https"];
    let seen = front.ask("GET", "/cut/a%20b", &fields, "");
    assert_eq!((seen.line("path"), seen.line("prefix")), ("/a b", "/cut"));
    assert_eq!((seen.line("client"), seen.line("scheme")), ("198.51.100.7", "https"));
    assert_eq!(seen.line("for"), "198.51.100.7, 192.0.2.5, 127.0.0.1");
    assert_eq!(front.get("/a/b").line("path"), "/a/b");
    assert_eq!(front.get("/gone/x").status, 502);
    let line = front.wait_for("no connection to http:unix:");
    assert!(
        line.contains("nobody.sock: No such file or directory") && line.contains("the server makes this socket"),
        "{line}"
    );
    assert_eq!(line.matches("application failed").count(), 1, "{line}");
}

#[test]
fn an_upstream_may_name_a_file_of_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("files")).unwrap();
    std::fs::write(folder.path().join("files/a.txt"), "a file of the gateway").unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.extend_from_slice(&byte);
            }
            let answer = "HTTP/1.1 200 OK\r\nX-Accel-Redirect: /protected/a.txt\r\nContent-Length: 2\r\n\r\nno";
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let url = format!("http://127.0.0.1:{port}?max_kept=0");
    let (may, may_not) = (format!("/may={url}&accel=/protected=files"), format!("/not={url}"));
    let gateway = Gateway::serve(folder.path(), &["--mount", &may, "--mount", &may_not]);
    assert_eq!(gateway.get("/may").body, "a file of the gateway");
    let named = gateway.get("/not");
    assert_eq!((named.body.as_str(), named.field("x-accel-redirect")), ("no", None));
    serving.join().unwrap();
}
