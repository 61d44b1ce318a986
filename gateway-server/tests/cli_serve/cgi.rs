//! CGI mounts as an operator configures them and a client sees them.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::gateway::{Answer, Gateway};

const PLAIN: &str = "printf 'Content-Type: text/plain\\n\\n'\n";

fn file(path: &Path, mode: u32, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A folder `bin` of programs.
fn programs(programs: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("bin")).unwrap();
    for (name, text) in programs {
        file(&folder.path().join("bin").join(name), 0o755, &format!("#!/bin/sh\n{text}"));
    }
    folder
}

/// Sends these bytes and reads to the end of the connection.
fn raw(gateway: &Gateway, request: &str) -> Vec<u8> {
    let mut stream = gateway.connect();
    stream.write_all(request.as_bytes()).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all
}

#[test]
fn cgi_5_84_184_folders_have_an_index_and_extensions_an_interpreter() {
    let show = format!("{PLAIN}printf 'script = %s\\nargs = %s\\n' \"$SCRIPT_NAME\" \"$*\"");
    let folder = programs(&[("index.cgi", &show), ("main.cgi", &show)]);
    file(&folder.path().join("bin/page.x"), 0o644, &show);
    file(&folder.path().join("bin/page.y"), 0o644, &show);
    let mounts = [
        "/plain=cgi:bin",
        "/own=cgi:bin?index=none.cgi&index=main.cgi&interpreter.x=/bin/sh%20-u",
        "/one=cgi:bin/page.y?interpreter.y=/bin/sh",
    ];
    let flags: Vec<&str> = mounts.iter().flat_map(|mount| ["--mount", mount]).collect();
    let gateway = Gateway::serve(folder.path(), &flags);
    assert_eq!(gateway.get("/plain/").line("script"), "/plain/index.cgi");
    let moved = gateway.get("/plain?a=b");
    assert_eq!((moved.status, moved.field("location")), (308, Some("/plain/?a=b")));
    assert_eq!(gateway.get("/own/").line("script"), "/own/main.cgi");
    let page = gateway.get("/own/page.x/rest?-s");
    assert_eq!((page.line("script"), page.line("args")), ("/own/page.x", ""));
    assert_eq!(gateway.get("/own/page.y").status, 403);
    assert_eq!(gateway.get("/plain/page.x").status, 403);
    assert_eq!(gateway.get("/one/any").line("script"), "/one");
}

#[test]
fn cgi_65_a_body_in_chunks_is_kept_refused_or_streamed() {
    let folder =
        programs(&[("count", &format!("{PLAIN}printf 'told = %s\\nread = %s\\n' \"$CONTENT_LENGTH\" \"$(wc -c)\""))]);
    let mounts = [
        "/kept=cgi:bin/count",
        "/limited=cgi:bin/count?max_spool=90KiB",
        "/refused=cgi:bin/count?unknown_length=refuse",
        "/streamed=cgi:bin/count?unknown_length=stream",
    ];
    let flags: Vec<&str> = mounts.iter().flat_map(|mount| ["--mount", mount]).collect();
    let gateway = Gateway::serve(folder.path(), &flags);
    let send = |path: &str, chunks: &str| {
        let head = "Host: x\r\nConnection: close\r\nTransfer-Encoding: chunked";
        String::from_utf8(raw(&gateway, &format!("POST {path} HTTP/1.1\r\n{head}\r\n\r\n{chunks}0\r\n\r\n"))).unwrap()
    };
    // More than the listener reads before it asks anybody.
    let long = format!("186a0\r\n{}\r\n", "x".repeat(100_000));
    let kept = send("/kept", &long);
    assert!(kept.contains("told = 100000\n") && kept.contains("read = 100000\n"), "{kept}");
    assert!(send("/limited", &long).starts_with("HTTP/1.1 413 "));
    assert!(send("/refused", &long).starts_with("HTTP/1.1 411 "));
    let streamed = send("/streamed", &long);
    assert!(streamed.contains("told = \n") && streamed.contains("read = 100000\n"), "{streamed}");
    // A short one has arrived by then, and so it has a length.
    for path in ["/kept", "/limited", "/refused", "/streamed"] {
        let short = send(path, "3\r\nabc\r\n2\r\nde\r\n");
        assert!(short.contains("told = 5\n") && short.contains("read = 5\n"), "{path} {short}");
    }
}

#[test]
fn cgi_183_a_full_house_is_503_with_retry_after_and_all_mounts_share_one_limit() {
    let waits = format!("echo 'now it runs' >&2\nwhile [ ! -e ../go ]; do sleep 0.01; done\n{PLAIN}echo done");
    let folder = programs(&[("waits", &waits), ("quick", &format!("{PLAIN}echo quick"))]);
    let text = "listen = \"127.0.0.1:0\"\n[limits]\nmax_children = 1\n\
                [[mount]]\nprefix = \"/a\"\ntarget = \"cgi:bin?queue_timeout=100ms\"\n\
                [[mount]]\nprefix = \"/b\"\ntarget = \"cgi:bin?queue_timeout=100ms\"\n";
    std::fs::write(folder.path().join("g.toml"), text).unwrap();
    let mut gateway = Gateway::serve(folder.path(), &["--config", "g.toml"]);
    let mut first = gateway.connect();
    first.write_all(b"GET /a/waits HTTP/1.0\r\n\r\n").unwrap();
    gateway.wait_for("now it runs");
    let full = gateway.get("/b/quick");
    assert_eq!((full.status, full.field("retry-after")), (503, Some("1")));
    gateway.wait_for("no place of all mounts");
    std::fs::write(folder.path().join("go"), "").unwrap();
    assert_eq!(Answer::read(first).body, "done\n");
    assert_eq!(gateway.get("/b/quick").body, "quick\n");
}

#[test]
fn cgi_57_a_websocket_handshake_is_told_that_cgi_cannot() {
    let folder = programs(&[("page", &format!("{PLAIN}echo page"))]);
    let mut gateway = Gateway::serve(folder.path(), &["--mount", "/=cgi:bin"]);
    let upgrade = |protocol: &str| format!("Connection: Upgrade\r\nUpgrade: {protocol}");
    let socket = upgrade("websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
    let refused = gateway.ask("GET", "/page", &[&socket], "");
    assert_eq!(refused.status, 501);
    assert!(refused.body.contains("cannot speak WebSocket"), "{refused:?}");
    gateway.wait_for("WebSocket handshake refused");
    // RFC 9110 §7.8: any other protocol may be passed over.
    assert_eq!(gateway.ask("GET", "/page", &[&upgrade("h2c")], "").body, "page\n");
}

#[test]
fn cgi_90_94_95_nph_is_the_operators_choice_and_leaves_the_connection_in_order() {
    let response = "printf 'HTTP/1.0 203 Own\\r\\nContent-Type: text/plain\\r\\nX-Own: 1\\r\\n\\r\\nown'";
    let folder = programs(&[("nph-own", response)]);
    let gateway = Gateway::serve(folder.path(), &["--mount", "/no=cgi:bin", "--mount", "/yes=cgi:bin?nph=named"]);
    assert_eq!(gateway.get("/no/nph-own").status, 502);
    let own = gateway.get("/yes/nph-own");
    assert_eq!((own.status, own.field("x-own"), own.body.as_str()), (203, Some("1"), "own"));
    // Two on one connection: the framing is ours, so nothing of one is taken for the other.
    let one = "GET /yes/nph-own HTTP/1.1\r\nHost: x\r\n";
    let both = String::from_utf8(raw(&gateway, &format!("{one}\r\n{one}Connection: close\r\n\r\n"))).unwrap();
    assert_eq!((both.matches("HTTP/1.1 203 ").count(), both.matches("3\r\nown\r\n").count()), (2, 2), "{both}");
}

#[test]
fn cgi_38_39_the_operator_may_say_what_the_server_is_called() {
    let folder = programs(&[("name", &format!("{PLAIN}echo \"$SERVER_NAME $SERVER_PORT $HTTP_HOST\""))]);
    let mounts = ["/asked=cgi:bin/name", "/own=cgi:bin/name?server_name=example.org&server_port=443"];
    let flags: Vec<&str> = mounts.iter().flat_map(|mount| ["--mount", mount]).collect();
    let gateway = Gateway::serve(folder.path(), &flags);
    let ask = |path: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nHost: evil.example:81\r\nConnection: close\r\n\r\n");
        String::from_utf8(raw(&gateway, &head)).unwrap()
    };
    let port = gateway.connect().peer_addr().unwrap().port();
    assert!(ask("/asked").contains(&format!("evil.example {port} evil.example:81\n")), "{}", ask("/asked"));
    assert!(ask("/own").contains("example.org 443 evil.example:81\n"), "{}", ask("/own"));
}

#[test]
fn cgi_39_behind_a_unix_socket_the_port_is_the_one_the_client_means() {
    let folder = programs(&[("name", &format!("{PLAIN}echo \"$SERVER_NAME $SERVER_PORT $REMOTE_ADDR\""))]);
    let flags = ["--listen", "127.0.0.1:0", "--listen", "unix:s.sock", "--mount", "/=cgi:bin"];
    let mut gateway = Gateway::serve(folder.path(), &flags);
    gateway.wait_for("s.sock");
    for (host, wanted) in [
        ("example.org:8443", "example.org 8443 127.0.0.1\n"),
        ("example.org", "example.org 80 127.0.0.1\n"),
        ("[::1]:81", "[::1] 81 127.0.0.1\n"),
    ] {
        let mut stream = std::os::unix::net::UnixStream::connect(folder.path().join("s.sock")).unwrap();
        write!(stream, "GET /name HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
        assert_eq!(Answer::read(stream).body, wanted, "{host}");
    }
}

#[test]
fn cgi_106_129_an_answer_is_framed_for_the_clients_version() {
    let folder = programs(&[("lines", &format!("{PLAIN}printf 'a\\nb\\n'"))]);
    let gateway = Gateway::serve(folder.path(), &["--mount", "/=cgi:bin"]);
    let one = String::from_utf8(raw(&gateway, "GET /lines HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).unwrap();
    let (head, body) = one.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\ntransfer-encoding: chunked"), "{one}");
    assert!(head.to_ascii_lowercase().contains("\r\ndate: ") && !head.replace("\r\n", "").contains('\n'), "{one}");
    assert!(body.ends_with("0\r\n\r\n") && body.contains("a\nb\n"), "{one}");
    let old = String::from_utf8(raw(&gateway, "GET /lines HTTP/1.0\r\n\r\n")).unwrap();
    assert!(!old.contains("transfer-encoding") && old.ends_with("\r\n\r\na\nb\n"), "{old}");
}

#[test]
fn cgi_142_157_180_paths_and_heads_that_cannot_be_variables_reach_no_program() {
    let folder = programs(&[("mark", "echo > ../mark")]);
    let gateway = Gateway::serve(folder.path(), &["--mount", "/=cgi:bin"]);
    for (path, status) in
        [("/mark%00", 400), ("/mark/%00", 400), ("/mark/%2e%2e/x", 400), ("/mark/..%2fx", 400), ("/%zz", 400)]
    {
        assert_eq!(gateway.get(path).status, status, "{path}");
    }
    let long = format!("X-Long: {}", "x".repeat(70_000));
    assert_eq!(gateway.ask("GET", "/mark", &[&long], "").status, 431);
    assert!(!folder.path().join("mark").exists());
}

#[test]
fn cgi_158_a_mount_confines_its_programs() {
    let show = "printf 'umask = %s\\nfiles = %s\\ncpu = %s\\nplace = %s\\n' \"$(umask)\" \"$(ulimit -n)\" \"$(ulimit -t)\" \
                \"$(pwd)\"\ngrep NoNewPrivs /proc/self/status";
    let folder = programs(&[("show", &format!("{PLAIN}{show}"))]);
    let confined = "/confined=cgi:bin/show?umask=027&max_files=64&max_cpu=7s&no_new_privileges=true&directory=.";
    let gateway = Gateway::serve(folder.path(), &["--mount", "/free=cgi:bin/show", "--mount", confined]);
    let real = folder.path().canonicalize().unwrap();
    let confined = gateway.get("/confined");
    assert_eq!(["umask", "files", "cpu"].map(|name| confined.line(name)), ["0027", "64", "7"]);
    assert_eq!((confined.line("place"), confined.line("NoNewPrivs")), (real.to_str().unwrap(), "\t1"));
    let free = gateway.get("/free");
    assert_eq!((free.line("place"), free.line("NoNewPrivs")), (real.join("bin").to_str().unwrap(), "\t0"));
}

#[test]
fn cgi_179_a_client_that_closes_its_connection_ends_the_program_that_it_waits_for() {
    let folder =
        programs(&[("silent", "trap 'echo told to end >&2; exit' TERM\necho begun >&2\nwhile :; do sleep 0.1; done")]);
    std::fs::write(folder.path().join("g.toml"), "[timeouts]\nhalf_close = \"100ms\"\n").unwrap();
    let mut gateway = Gateway::serve(folder.path(), &["--config", "g.toml", "--mount", "/bin=cgi:bin"]);
    let mut stream = gateway.connect();
    stream.write_all(b"GET /bin/silent HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    gateway.wait_for("begun");
    drop(stream);
    gateway.wait_for("told to end");
    gateway.stop();
}

#[test]
fn cgi_178_the_log_names_the_path_of_what_a_program_says_and_of_its_failure() {
    let folder = programs(&[("bad", "echo oops >&2; exit 3")]);
    let mut gateway = Gateway::serve(folder.path(), &["--mount", "/bin=cgi:bin"]);
    assert_eq!(gateway.get("/bin/bad/more?secret").status, 502);
    let said = gateway.wait_for("oops");
    assert!(said.contains("path=\"/bin/bad/more\"") && !said.contains("secret"), "{said}");
    let failed = gateway.wait_for("application failed");
    assert!(failed.contains("cgi: /bin/bad: the program wrote nothing: exit code 3"), "{failed}");
    gateway.stop();
}
