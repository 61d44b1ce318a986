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
    // CGI-112: a chain has an end.
    let chain = |length: usize| format!("/go{}?/files/page.txt", "?/go".repeat(length));
    assert_eq!(gateway.get(&chain(9)).body, "page");
    assert_eq!(gateway.get(&chain(10)).status, 500);
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

#[test]
fn options_reach_what_is_mounted() {
    let folder = tempfile::tempdir().unwrap();
    let print = "printf 'Content-Type: text/plain\\n\\n'\n";
    script(&folder.path().join("slow"), "exec sleep 600\n");
    let told = "printf 'args = %s\\nhome = %s\\nuser = %s\\nroot = %s\\nsecret = %s\\n' \"$*\" \"$HOME\" \
                \"$HTTP_AUTHORIZATION\" \"$PATH_TRANSLATED\" \"$CARGO_MANIFEST_DIR\"\n";
    script(&folder.path().join("told"), &format!("{print}{told}"));
    let this = env!("CARGO_BIN_EXE_gateway");
    let worker = format!(
        "/worker=fastcgi:spawn:{this}?env.GATEWAY_DEMO_ROLE=fastcgi&workers=3&param.X_GIVEN=a%20b&authorization=true"
    );
    let mounts = [
        "/slow=cgi:slow?header_timeout=100ms",
        "/plain=cgi:told",
        "/told=cgi:told?argument=-a&argument=b%20c&inherit=HOME&authorization=true&root=.",
        &worker,
        "/nobody=fastcgi:unix:nobody.sock?connect_timeout=1s",
    ];
    let flags: Vec<&str> = mounts.iter().flat_map(|mount| ["--mount", mount]).collect();
    let gateway = Gateway::serve(folder.path(), &flags);
    let ask = |path: &str| gateway.ask("GET", path, &["Authorization: Basic eA=="], "");

    assert_eq!(ask("/slow").status, 504);
    assert_eq!(ask("/nobody").status, 502);
    let plain = ask("/plain/x");
    assert_eq!(["args", "home", "user", "root", "secret"].map(|name| plain.line(name)), [""; 5]);
    let told = ask("/told/x");
    let home = std::env::var("HOME").unwrap_or_default();
    let root = folder.path().join("./x").display().to_string();
    assert_eq!(["args", "home", "user", "secret"].map(|name| told.line(name)), ["-a b c", &home, "Basic eA==", ""]);
    assert_eq!(told.line("root"), root);
    let worker = ask("/worker/");
    assert_eq!((worker.line("X_GIVEN"), worker.line("HTTP_AUTHORIZATION")), ("a b", "Basic eA=="));
    assert_eq!(crate::gateway::children(gateway.id()).len(), 3, "the workers");
}

#[test]
fn a_worker_that_is_not_there_is_told_of_with_what_to_look_at() {
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::serve(folder.path(), &["--mount", "/=fastcgi:unix:none.sock"]);
    assert_eq!(gateway.get("/").status, 502);
    let line = gateway.wait_for("fastcgi: no connection to unix:");
    assert!(line.contains("is the worker running, and is this its path?"), "{line}");
}
