//! Files that programs name: X-Sendfile and X-Accel-Redirect, from CGI programs and from FastCGI workers.

use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use crate::gateway::Gateway;

/// A program that prints the query, percent-decoded by `printf`, as its fields, and says more than it should.
const NAMES: &str = "#!/bin/sh\nprintf 'Content-Type: text/x-own\\nSet-Cookie: a=b\\n'\nprintf \"$QUERY_STRING\\n\"\nprintf '\\nbody of the program\\n'\n";

fn place() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("names", NAMES);
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path().join("names"), executable).unwrap();
    write("files/ten.txt", "0123456789");
    write("files/sub/deep.txt", "deep");
    write("files/long.bin", &"x".repeat(300_000));
    write("secret.txt", "secret");
    symlink("../secret.txt", folder.path().join("files/out.txt")).unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    std::fs::File::options().write(true).open(folder.path().join("files/ten.txt")).unwrap().set_modified(old).unwrap();
    folder
}

/// The program as CGI at `/cgi` and behind FastCGI at `/fcgi`, each with these options.
fn serve(folder: &TempDir, options: &str) -> Gateway {
    let gateway = env!("CARGO_BIN_EXE_gateway");
    let cgi = format!("/cgi=cgi:names?{options}");
    let script = folder.path().join("names");
    let fcgi =
        format!("/fcgi=fastcgi:spawn:{gateway} cgi-wrap --root .?script={}&workers=1&{options}", script.display());
    Gateway::serve(folder.path(), &["--mount", &cgi, "--mount", &fcgi])
}

const KINDS: [&str; 2] = ["/cgi", "/fcgi"];

#[test]
fn x_sendfile_sends_a_file_below_its_root_with_the_programs_fields() {
    let folder = place();
    let gateway = serve(&folder, "sendfile=files");
    let root = folder.path().join("files");
    for kind in KINDS {
        for (name, body) in [
            ("ten.txt".to_owned(), "0123456789"),
            (root.join("ten.txt").display().to_string(), "0123456789"),
            (root.join("sub/deep.txt").display().to_string(), "deep"),
        ] {
            let answer = gateway.get(&format!("{kind}?X-Sendfile:{name}"));
            assert_eq!((answer.status, answer.body.as_str()), (200, body), "{kind} {name}");
            assert_eq!((answer.field("content-type"), answer.field("set-cookie")), (Some("text/x-own"), Some("a=b")));
            assert_eq!((answer.field("x-sendfile"), answer.field("accept-ranges")), (None, Some("bytes")));
        }
        let long = gateway.get(&format!("{kind}?X-Sendfile:long.bin"));
        assert_eq!((long.body.len(), long.field("content-length")), (300_000, Some("300000")));
        let head = gateway.ask("HEAD", &format!("{kind}?X-Sendfile:long.bin"), &[], "");
        assert_eq!((head.status, head.body.len(), head.field("content-length")), (200, 0, Some("300000")));
    }
}

#[test]
fn x_accel_redirect_sends_a_file_below_the_root_of_its_prefix() {
    let folder = place();
    let gateway = serve(&folder, "accel=/protected=files&accel=/protected/deep=files/sub");
    for kind in KINDS {
        for (url, body) in [
            ("/protected/ten.txt", "0123456789"),
            ("/protected/ten.txt?token=1", "0123456789"),
            ("/protected/sub/deep.txt", "deep"),
            ("/protected/deep/deep.txt", "deep"),
        ] {
            let answer = gateway.get(&format!("{kind}?X-Accel-Redirect:{url}"));
            assert_eq!((answer.status, answer.body.as_str()), (200, body), "{kind} {url}");
            assert_eq!((answer.field("content-type"), answer.field("x-accel-redirect")), (Some("text/x-own"), None));
        }
    }
}

#[test]
fn http_194_201_conditions_and_ranges_count_for_a_named_file() {
    let folder = place();
    let gateway = serve(&folder, "sendfile=files");
    for kind in KINDS {
        let ask = |field: &str| gateway.ask("GET", &format!("{kind}?X-Sendfile:ten.txt"), &[field], "");
        let tag = ask("X: y").field("etag").unwrap().to_owned();
        let part = ask("Range: bytes=2-4");
        assert_eq!((part.status, part.body.as_str(), part.field("content-range")), (206, "234", Some("bytes 2-4/10")));
        assert_eq!(ask("Range: bytes=10-").status, 416);
        let known = ask(&format!("If-None-Match: {tag}"));
        assert_eq!((known.status, known.field("set-cookie")), (304, Some("a=b")));
        assert_eq!(ask("If-Match: \"x\"").status, 412);
        // HTTP-195: a page for an error is no success to be asked for in parts.
        let path = format!("{kind}?Status:403\\nX-Sendfile:ten.txt");
        let refused = gateway.ask("GET", &path, &["Range: bytes=2-4", &format!("If-None-Match: {tag}")], "");
        assert_eq!((refused.status, refused.body.as_str()), (403, "0123456789"));
    }
}

#[test]
fn http_210_a_named_file_is_never_outside_its_root() {
    let folder = place();
    let gateway = serve(&folder, "sendfile=files&accel=/p=files");
    let secret = folder.path().join("secret.txt").display().to_string();
    let around = folder.path().join("files/../secret.txt").display().to_string();
    for kind in KINDS {
        for name in [
            format!("X-Sendfile:{secret}"),
            format!("X-Sendfile:{around}"),
            "X-Sendfile:../secret.txt".to_owned(),
            "X-Sendfile:out.txt".to_owned(),
            "X-Sendfile:sub".to_owned(),
            "X-Sendfile:none.txt".to_owned(),
            "X-Sendfile:/etc/passwd".to_owned(),
            "X-Accel-Redirect:/p/../secret.txt".to_owned(),
            "X-Accel-Redirect:/p/out.txt".to_owned(),
            "X-Accel-Redirect:/p//etc/passwd".to_owned(),
            format!("X-Accel-Redirect:{secret}"),
        ] {
            let answer = gateway.get(&format!("{kind}?{name}"));
            assert_eq!((answer.status, answer.body.as_str()), (404, "404 Not Found\n"), "{kind} {name}");
        }
    }
    let (_, log) = gateway.stop();
    let told = |parts: &[&str]| {
        let found = log.iter().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "{parts:?} are in no line of {log:#?}");
    };
    let root = folder.path().join("files").canonicalize().unwrap().display().to_string();
    told(&["outside the root of its mount", "path=\"/etc/passwd\"", &format!("root=\"{root}\"")]);
    told(&["outside the root of its mount", &format!("path=\"{secret}\""), "root=\"/p\""]);
    told(&["path=\"out.txt\"", &format!("root=\"{root}\""), "a link in it leads out of the root"]);
    told(&["path=\"none.txt\"", &format!("root=\"{root}\""), "No such file"]);
    told(&["no regular file", "path=\"sub\""]);
}

#[test]
fn without_a_root_the_fields_are_dropped_and_the_program_answers() {
    let folder = place();
    let mut gateway = serve(&folder, "");
    for kind in KINDS {
        for field in ["X-Sendfile:ten.txt", "X-Accel-Redirect:/p/ten.txt"] {
            let answer = gateway.get(&format!("{kind}?{field}"));
            assert_eq!((answer.status, answer.body.as_str()), (200, "body of the program\n"), "{kind} {field}");
            assert_eq!((answer.field("x-sendfile"), answer.field("x-accel-redirect")), (None, None));
            gateway.wait_for("the field is dropped");
        }
    }
}
