//! Several things mounted side by side: each gets its own part of the path.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::gateway::Gateway;

fn script(path: &Path, text: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{text}")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

const SHOW: &str = "printf 'Content-Type: text/plain\\n\\n'\nprintf 'script = %s\\ninfo = %s\\nquery = %s\\nuri = %s\\nown = %s\\n' \
                    \"$SCRIPT_NAME\" \"$PATH_INFO\" \"$QUERY_STRING\" \"$REQUEST_URI\" \"$OWN\"\n";

#[test]
fn cgi_37_programs_files_workers_and_applications_share_one_server() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("bin")).unwrap();
    std::fs::create_dir_all(folder.path().join("public/app")).unwrap();
    std::fs::write(folder.path().join("public/app/hidden-by-a-mount.txt"), "file").unwrap();
    std::fs::write(folder.path().join("public/page.txt"), "page").unwrap();
    script(&folder.path().join("bin/show"), SHOW);
    let worker =
        format!("/worker=fastcgi:spawn:{}?env.GATEWAY_DEMO_ROLE=fastcgi&workers=1", env!("CARGO_BIN_EXE_gateway"));
    let mut flags = vec!["--no-access-log"];
    for mount in [
        "/=static:public",
        "/app=app:demo",
        "/one=cgi:bin/show?env.OWN=a%26b",
        "/bin=cgi:bin",
        "/bin/deep/app=app:demo",
        &worker,
    ] {
        flags.extend(["--mount", mount]);
    }
    let gateway = Gateway::serve(folder.path(), &flags);

    assert_eq!(gateway.get("/page.txt").body, "page");
    assert_eq!(gateway.get("/app/hidden-by-a-mount.txt").status, 404);
    assert_eq!(gateway.get("/apple").status, 404);
    assert_eq!(gateway.get("/app/").line("SCRIPT_NAME"), "/app");
    assert_eq!(gateway.get("/bin/deep/app/").line("SCRIPT_NAME"), "/bin/deep/app");
    assert_eq!(gateway.get("/worker/").line("SCRIPT_NAME"), "/worker");

    let one = gateway.get("/one/a%20b/c?x=%20");
    assert_eq!((one.line("script"), one.line("info")), ("/one", "/a b/c"));
    assert_eq!((one.line("query"), one.line("uri"), one.line("own")), ("x=%20", "/one/a%20b/c?x=%20", "a&b"));
    let in_folder = gateway.get("/bin/show/rest/");
    assert_eq!((in_folder.line("script"), in_folder.line("info")), ("/bin/show", "/rest/"));
    assert_eq!(gateway.get("/bin/nothing").status, 404);
}

#[test]
fn cgi_28_157_ambiguous_paths_are_refused_before_any_mount_sees_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "secret").unwrap();
    std::fs::create_dir(folder.path().join("public")).unwrap();
    let gateway = Gateway::serve(folder.path(), &["--mount", "/=static:public", "--mount", "/app=app:demo"]);
    for path in
        ["/../secret", "/%2e%2e/secret", "/..%2fsecret", "/app/%2E%2e/x", "/app%2Fx", "/app/%00", "/app/%0a", "/%"]
    {
        assert_eq!(gateway.get(path).status, 400, "{path}");
    }
    // Encoded twice, it is a name like any other.
    assert_eq!(gateway.get("/%252e%252e/secret").status, 404);
}

#[test]
fn nothing_mounted_at_the_root_is_404_there() {
    let gateway = Gateway::serve(&std::env::temp_dir(), &["--mount", "/app=app:demo"]);
    for (path, status) in [("/", 404), ("/ap", 404), ("/app", 308), ("/app/", 200), ("/app/x", 404)] {
        assert_eq!(gateway.get(path).status, status, "{path}");
    }
}

#[test]
fn cgi_108_a_local_redirect_reaches_any_mount() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("public")).unwrap();
    std::fs::write(folder.path().join("public/page.txt"), "page").unwrap();
    script(&folder.path().join("go"), "printf 'Location: %s\\n\\n' \"$QUERY_STRING\"\n");
    let flags = ["--mount", "/files=static:public", "--mount", "/app=app:demo", "--mount", "/go=cgi:go"];
    let gateway = Gateway::serve(folder.path(), &flags);
    assert_eq!(gateway.get("/go?/files/page.txt").body, "page");
    let demo = gateway.get("/go?/app/?q=1");
    assert_eq!((demo.line("SCRIPT_NAME"), demo.line("PATH_INFO"), demo.line("QUERY_STRING")), ("/app", "/", "q=1"));
    assert_eq!(gateway.get("/go?/nothing").status, 404);
    assert_eq!(gateway.get("/go?/files/../x").status, 400);
    // A program that leads to itself is stopped (CGI-112).
    assert_eq!(gateway.get("/go?/go?/go?/go?/go?/go?/go?/go").status, 500);
}

#[test]
fn what_a_file_says_is_served_and_flags_add_to_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("conf/public")).unwrap();
    std::fs::write(folder.path().join("conf/public/page.txt"), "page").unwrap();
    let text = "listen = \"127.0.0.1:1\"\n[limits]\nmax_target_bytes = 100\n[[mount]]\nprefix = \"/files\"\ntarget = \"static:public\"\n";
    std::fs::write(folder.path().join("conf/g.toml"), text).unwrap();
    let gateway =
        Gateway::serve(folder.path(), &["--config", "conf/g.toml", "--mount", "/app=app:demo", "--threads", "1"]);
    assert_eq!(gateway.get("/files/page.txt").body, "page");
    assert_eq!(gateway.get("/app/").status, 200);
    assert_eq!(gateway.get(&format!("/app/{}", "x".repeat(100))).status, 414);
}
