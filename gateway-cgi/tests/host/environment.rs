//! What a program finds around it: variables, arguments, directory, descriptors; and which program is found.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use gateway_cgi::host::{Cgi, Config};
use gateway_cgi::variables::MetaVariables;
use gateway_spec::InputStream;

use crate::support::{Site, assert_fails, whole};

const PLAIN: &str = "printf 'Content-Type: text/plain\\n\\n'\n";

#[tokio::test]
async fn cgi_176_the_environment_is_the_requests_and_an_allow_list() {
    let site = Site::with(&format!("{PLAIN}tr '\\0' '\\n' < /proc/$$/environ"));
    // What cargo sets for a test stands for the server's own variables.
    assert!(std::env::vars().any(|(name, _)| name.starts_with("CARGO")));
    let mut environ = site.environ("GET", "/script/p?q=%41");
    environ.set("PATH", "/evil").unwrap();
    environ.set("HTTP_PROXY", "http://evil").unwrap();
    environ.set("HTTP_X_BYTES", b"caf\xe9").unwrap();
    let config = Config::new().variables(MetaVariables::new().document_root("/srv/www").variable("APP_MODE", "test"));
    let answer = site.call(config, environ, InputStream::empty()).await.unwrap();
    let names: Vec<&str> = answer.body.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    for name in &names {
        let own = ["CARGO", "RUST", "NEXTEST", "HOME", "HTTP_PROXY"].iter().any(|prefix| name.starts_with(prefix));
        assert!(!own, "{name} has reached the program");
    }
    for line in [
        "GATEWAY_INTERFACE=CGI/1.1",
        "REQUEST_METHOD=GET",
        "SCRIPT_NAME=/script",
        "PATH_INFO=/p",
        "PATH_TRANSLATED=/srv/www/p",
        "QUERY_STRING=q=%41",
        "SERVER_NAME=localhost",
        "SERVER_PORT=80",
        "SERVER_PROTOCOL=HTTP/1.1",
        "REDIRECT_STATUS=200",
        "DOCUMENT_ROOT=/srv/www",
        "APP_MODE=test",
        "HTTP_X_BYTES=caf\u{fffd}",
        &format!("SCRIPT_FILENAME={}", site.path("cgi/script").canonicalize().unwrap().display()),
        &format!("PATH={}", std::env::var("PATH").unwrap()),
    ] {
        assert!(answer.body.lines().any(|found| found == line), "{line} is missing in\n{}", answer.body);
    }
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), names.len());
}

#[tokio::test]
async fn cgi_84_173_174_no_argument_comes_from_the_query() {
    let site = Site::with(&format!("{PLAIN}echo \"$# $*\""));
    for query in ["-s", "a+b", "%ADs", "+-s"] {
        assert_eq!(site.get(&format!("/script?{query}")).await.unwrap().body, "0 \n");
    }
    let config = Config::new().argument("--mode").argument("cgi");
    let answer = site.call(config, site.environ("GET", "/script?-s"), InputStream::empty()).await.unwrap();
    assert_eq!(answer.body, "2 --mode cgi\n");
}

#[tokio::test]
async fn cgi_13_36_50_52_the_case_of_values_and_methods_is_kept() {
    let site = Site::with(&format!("{PLAIN}echo \"$REQUEST_METHOD|$PATH_INFO|$QUERY_STRING|$HTTP_USER_AGENT\""));
    for method in ["get", "Get", "PROPFIND", "M-SEARCH"] {
        let mut environ = site.environ(method, "/script/AbC?x=Y");
        environ.set("HTTP_USER_AGENT", "Mixed/Case (1; 2)").unwrap();
        let answer = site.call(Config::new(), environ, InputStream::empty()).await.unwrap();
        assert_eq!(answer.body, format!("{method}|/AbC|x=Y|Mixed/Case (1; 2)\n"));
    }
}

#[tokio::test]
async fn cgi_38_39_185_a_canonical_name_is_what_programs_make_links_with() {
    let site = Site::with(&format!("{PLAIN}echo \"$SERVER_NAME:$SERVER_PORT $HTTP_HOST\""));
    let mut environ = site.environ("GET", "/script");
    environ.set("SERVER_NAME", "evil.example").unwrap();
    environ.set("HTTP_HOST", "evil.example").unwrap();
    let config = Config::new().variables(MetaVariables::new().server_name("example.org").server_port("443"));
    let answer = site.call(config, environ, InputStream::empty()).await.unwrap();
    assert_eq!(answer.body, "example.org:443 evil.example\n");
}

#[tokio::test]
async fn cgi_141_the_working_directory_is_the_programs() {
    let site = Site::new();
    fs::create_dir(site.path("cgi/sub")).unwrap();
    site.script("sub/where", &format!("{PLAIN}pwd"));
    let expected = site.path("cgi/sub").canonicalize().unwrap();
    assert_eq!(site.get("/sub/where").await.unwrap().body, format!("{}\n", expected.display()));
}

#[tokio::test]
async fn cgi_177_only_three_descriptors_are_open() {
    // What a process inherits is not marked to end at exec; a duplicate is not either.
    let inherited = rustix::io::dup(fs::File::open("/dev/null").unwrap()).unwrap();
    // The fourth is the listing itself.
    let site = Site::with(&format!("{PLAIN}ls /proc/self/fd"));
    assert_eq!(site.get("/script").await.unwrap().body, "0\n1\n2\n3\n");
    drop(inherited);
}

#[tokio::test]
async fn cgi_179_a_closed_pipe_ends_a_program_as_usual() {
    // SIGPIPE is ignored by every Rust program; a script that inherits that never sees the end of `yes | head -1`.
    let site = Site::with(&format!("{PLAIN}yes | head -1; grep SigIgn /proc/self/status"));
    let body = site.get("/script").await.unwrap().body;
    let mask = body.lines().nth(1).and_then(|line| line.rsplit('\t').next()).unwrap();
    assert_eq!(u64::from_str_radix(mask, 16).unwrap() >> 12 & 1, 0, "{body}");
}

#[tokio::test]
async fn cgi_37_one_file_answers_every_path() {
    let site = Site::with(&format!("{PLAIN}echo \"$SCRIPT_NAME|$PATH_INFO\""));
    let cgi = Cgi::file(site.path("cgi/script"), Config::new()).unwrap();
    let mut environ = site.environ("GET", "/a%2Fb/../c");
    environ.set("SCRIPT_NAME", "/mount").unwrap();
    assert_eq!(whole(&cgi, environ, InputStream::empty()).await.unwrap().body, "/mount|/a%2Fb/../c\n");
}

#[tokio::test]
async fn cgi_37_the_mounts_name_and_the_scripts_make_script_name() {
    let site = Site::with(&format!("{PLAIN}echo \"$SCRIPT_NAME|$PATH_INFO\""));
    let mut environ = site.environ("GET", "/script/extra;x=1/");
    environ.set("SCRIPT_NAME", "/cgi-bin").unwrap();
    let answer = site.call(Config::new(), environ, InputStream::empty()).await.unwrap();
    assert_eq!(answer.body, "/cgi-bin/script|/extra;x=1/\n");
}

#[tokio::test]
async fn cgi_28_75_150_what_never_reaches_a_program() {
    let site = Site::with("echo ran > ../mark");
    fs::write(site.path("cgi/data"), "x").unwrap();
    fs::set_permissions(site.path("cgi/data"), fs::Permissions::from_mode(0o644)).unwrap();
    for (method, path, status) in [
        ("TRACE", "/script", 405),
        ("CONNECT", "/script", 405),
        ("GET", "/", 404),
        ("GET", "/none", 404),
        ("GET", "/script/../script", 404),
        ("GET", "/data", 403),
    ] {
        let result = site.call(Config::new(), site.environ(method, path), InputStream::empty()).await;
        assert_fails(result, status, "");
    }
    let mut environ = site.environ("GET", "/script/a/b");
    environ.set("REQUEST_URI", "/script/a%2Fb").unwrap();
    assert_fails(site.call(Config::new(), environ, InputStream::empty()).await, 404, "");
    assert!(!site.path("mark").exists());
}

#[tokio::test]
async fn cgi_180_variables_that_are_too_long_are_answered_with_431() {
    let site = Site::with(PLAIN);
    let mut environ = site.environ("GET", "/script");
    environ.set("HTTP_X_LONG", "x".repeat(3 << 20)).unwrap();
    assert_fails(site.call(Config::new(), environ, InputStream::empty()).await, 431, "too long");
    site.wait_for_silence().await;
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_answered_with_500() {
    let site = Site::new();
    site.script("no-interpreter", "#!/nonexistent/interpreter\n");
    site.script("no-format", "#!\n");
    fs::write(site.path("cgi/no-format"), b"\x00\x01 no program").unwrap();
    for path in ["/no-interpreter", "/no-format"] {
        assert_fails(site.get(path).await, 500, "could not be started");
    }
    assert_fails(site.get("/no-interpreter").await, 500, "may name an interpreter that is not there");
    site.wait_for_silence().await;
}

#[tokio::test]
async fn a_missing_program_or_directory_is_told_at_the_start() {
    let site = Site::with(PLAIN);
    assert!(Cgi::file(site.path("cgi/none"), Config::new()).is_err());
    assert!(Cgi::file(site.path("cgi"), Config::new()).is_err());
    assert!(Cgi::directory(site.path("none"), Config::new()).is_err());
    assert!(Cgi::directory(site.path("cgi/script"), Config::new()).is_err());
}
