//! A static folder.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::gateway::{Answer, Gateway};

fn place() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("outside.txt", "outside");
    write("public/index.html", "<h1>index</h1>");
    write("public/ten.txt", "0123456789");
    write("public/empty.txt", "");
    write("public/a b é.txt", "odd");
    write("public/sub/index.html", "sub");
    write("public/bare/file.txt", "bare");
    write("public/.env", "hidden");
    write("public/.git/config", "hidden");
    let link = |to: &str, name: &str| symlink(to, folder.path().join("public").join(name)).unwrap();
    link("../outside.txt", "out.txt");
    link("ten.txt", "in.txt");
    link("..", "up");
    folder
}

fn serve(folder: &Path, target: &str) -> Gateway {
    Gateway::serve(folder, &["--no-access-log", "--mount", &format!("/f={target}")])
}

#[test]
fn files_and_index_pages_are_served_and_nothing_else() {
    let folder = place();
    let gateway = serve(folder.path(), "static:public");
    let _socket = UnixListener::bind(folder.path().join("public/socket")).unwrap();
    let rows = [
        ("/f/ten.txt", 200, "0123456789"),
        ("/f/empty.txt", 200, ""),
        ("/f/a%20b%20%C3%A9.txt", 200, "odd"),
        ("/f/", 200, "<h1>index</h1>"),
        ("/f/sub/", 200, "sub"),
        ("/f/sub/index.html", 200, "sub"),
        ("/f/ten.txt?query=1", 200, "0123456789"),
        ("/f/in.txt", 200, "0123456789"),
    ];
    for (path, status, body) in rows {
        let answer = gateway.get(path);
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{path}");
    }
    let refused = [
        "/f/nothing",
        "/f/bare/",
        "/f/.env",
        "/f/.git/config",
        "/f/sub/.hidden",
        "/f//ten.txt",
        "/f/sub//index.html",
        "/f/out.txt",
        "/f/up/outside.txt",
        "/f/ten.txt/",
        "/f/ten.txt/more",
        "/f/%FF",
        "/f/socket",
        "/f/...",
    ];
    for path in refused {
        assert_eq!(gateway.get(path).status, 404, "{path}");
    }
}

#[test]
fn folders_without_the_closing_slash_redirect_within_their_mount() {
    let folder = place();
    let gateway = serve(folder.path(), "static:public");
    assert_eq!(gateway.get("/f").field("location"), Some("/f/"));
    let sub = gateway.get("/f/sub?q=1");
    assert_eq!((sub.status / 100, sub.field("location")), (3, Some("/f/sub/?q=1")));
}

fn set_age(file: &Path, age: Duration) {
    File::options().write(true).open(file).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

/// `ten.txt`, long at rest, asked with these fields.
struct Ten {
    folder: TempDir,
    gateway: Gateway,
}

impl Ten {
    fn serve() -> Self {
        let folder = place();
        set_age(&folder.path().join("public/ten.txt"), Duration::from_secs(3600));
        let gateway = serve(folder.path(), "static:public");
        Ten { folder, gateway }
    }

    fn ask(&self, method: &str, fields: &[&str]) -> Answer {
        self.gateway.ask(method, "/f/ten.txt", fields, "")
    }

    fn validator(&self, name: &str) -> String {
        self.ask("GET", &[]).field(name).unwrap().to_owned()
    }
}

#[test]
fn http_190_192_143_a_file_has_validators_and_head_shows_them() {
    let ten = Ten::serve();
    let whole = ten.ask("GET", &[]);
    assert_eq!((whole.field("content-type"), whole.field("content-length")), (Some("text/plain"), Some("10")));
    assert!(whole.field("etag").unwrap().starts_with('"'), "strong, since the file is at rest");
    let head = ten.ask("HEAD", &[]);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for name in ["content-length", "content-type", "etag", "last-modified", "accept-ranges"] {
        assert_eq!(head.field(name), whole.field(name), "{name}");
    }
    set_age(&ten.folder.path().join("public/ten.txt"), Duration::ZERO);
    assert!(ten.validator("etag").starts_with("W/\""), "weak, since it may be changing");
}

#[test]
fn http_191_a_file_from_the_future_was_changed_now() {
    let ten = Ten::serve();
    let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    File::options().write(true).open(ten.folder.path().join("public/ten.txt")).unwrap().set_modified(tomorrow).unwrap();
    let answer = ten.ask("GET", &[]);
    let time = |name| httpdate::parse_http_date(answer.field(name).unwrap()).unwrap();
    assert!(time("last-modified") <= time("date"), "{answer:?}");
}

#[test]
fn a_file_from_before_1970_is_sent_without_validators() {
    let ten = Ten::serve();
    let file = File::options().write(true).open(ten.folder.path().join("public/ten.txt")).unwrap();
    file.set_modified(UNIX_EPOCH - Duration::from_secs(86_400)).unwrap();
    let answer = ten.ask("GET", &["If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"]);
    assert_eq!((answer.status, answer.body.as_str(), answer.field("etag")), (200, "0123456789", None));
}

#[test]
fn http_197_198_200_what_the_client_has_is_not_sent_again() {
    let ten = Ten::serve();
    let (tag, time) = (ten.validator("etag"), ten.validator("last-modified"));
    for (method, field) in [
        ("GET", format!("If-None-Match: {tag}")),
        ("HEAD", format!("If-None-Match: \"x\", W/{tag}")),
        ("GET", "If-None-Match: *".to_owned()),
        ("GET", format!("If-Modified-Since: {time}")),
        ("HEAD", format!("If-Modified-Since: {time}")),
    ] {
        let answer = ten.ask(method, &[&field]);
        assert_eq!((answer.status, answer.body.as_str()), (304, ""), "{method} {field}");
        assert_eq!(answer.field("etag"), Some(tag.as_str()));
        assert!(answer.field("date").is_some());
        assert_eq!((answer.field("content-type"), answer.field("content-length")), (None, None));
    }
    assert_eq!(ten.ask("GET", &["If-None-Match: \"x\"", &format!("If-Modified-Since: {time}")]).status, 200);
}

#[test]
fn http_194_196_199_what_the_client_does_not_know_is_412() {
    let ten = Ten::serve();
    let tag = ten.validator("etag");
    let old = "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT";
    for fields in [&["If-Match: \"x\""][..], &[&format!("If-Match: W/{tag}")], &[old]] {
        let answer = ten.ask("GET", fields);
        assert_eq!((answer.status, answer.body.as_str()), (412, "412 Precondition Failed\n"), "{fields:?}");
    }
    assert_eq!(ten.ask("GET", &[&format!("If-Match: {tag}"), old]).status, 200);
}

#[test]
fn http_195_conditions_do_not_change_a_refusal() {
    let ten = Ten::serve();
    let gateway = &ten.gateway;
    for condition in ["If-Match: \"x\"", "If-None-Match: *", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"] {
        assert_eq!(gateway.ask("GET", "/f/nothing", &[condition], "").status, 404, "{condition}");
        assert_eq!(gateway.ask("DELETE", "/f/ten.txt", &[condition], "").status, 405, "{condition}");
    }
}

#[test]
fn http_201_203_205_207_one_range_is_a_part_and_nothing_else_is() {
    let ten = Ten::serve();
    let tag = ten.validator("etag");
    for (range, status, body, content_range) in [
        ("bytes=2-4", 206, "234", Some("bytes 2-4/10")),
        ("bytes=-3", 206, "789", Some("bytes 7-9/10")),
        ("bytes=8-", 206, "89", Some("bytes 8-9/10")),
        ("bytes=0-99", 206, "0123456789", Some("bytes 0-9/10")),
        ("bytes=10-", 416, "416 Range Not Satisfiable\n", Some("bytes */10")),
        ("bytes=-0", 416, "416 Range Not Satisfiable\n", Some("bytes */10")),
        ("bytes=9-5", 200, "0123456789", None),
        ("lines=1-2", 200, "0123456789", None),
        ("bytes=0-1,4-5", 200, "0123456789", None),
    ] {
        let answer = ten.ask("GET", &[&format!("Range: {range}")]);
        let found = (answer.status, answer.body.as_str(), answer.field("content-range"));
        assert_eq!(found, (status, body, content_range), "{range}");
        if status == 206 {
            assert_eq!(answer.field("etag"), Some(tag.as_str()));
            assert_eq!(answer.field("content-length"), Some(body.len().to_string().as_str()));
        }
    }
    let head = ten.ask("HEAD", &["Range: bytes=2-4"]);
    assert_eq!((head.status, head.field("content-length")), (200, Some("10")));
    let empty = ten.gateway.ask("GET", "/f/empty.txt", &["Range: bytes=-5"], "");
    assert_eq!((empty.status, empty.body.as_str()), (200, ""), "HTTP-204");
}

#[test]
fn http_202_a_part_of_another_file_is_not_sent() {
    let ten = Ten::serve();
    let (tag, time) = (ten.validator("etag"), ten.validator("last-modified"));
    for (validator, status) in [
        (tag.as_str(), 206),
        (time.as_str(), 206),
        ("\"x\"", 200),
        (&format!("W/{tag}"), 200),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 200),
    ] {
        let answer = ten.ask("GET", &["Range: bytes=2-4", &format!("If-Range: {validator}")]);
        assert_eq!(answer.status, status, "{validator}");
    }
    assert_eq!(ten.ask("GET", &["If-Range: \"x\""]).status, 200);
}

#[test]
fn http_208_a_thousand_ranges_are_the_whole_file_once() {
    let ten = Ten::serve();
    let ranges: Vec<String> = (0..1000).map(|_| "0-".to_owned()).collect();
    let answer = ten.ask("GET", &[&format!("Range: bytes={}", ranges.join(","))]);
    assert_eq!((answer.status, answer.body.as_str()), (200, "0123456789"));
}

#[test]
fn http_209_212_nothing_is_put_into_a_folder() {
    let ten = Ten::serve();
    for (method, field) in
        [("PUT", "Content-Range: bytes 0-3/10"), ("PUT", "X: y"), ("POST", "X: y"), ("PATCH", "X: y")]
    {
        let answer = ten.gateway.ask(method, "/f/ten.txt", &[field], "body");
        assert_eq!((answer.status, answer.field("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    assert_eq!(std::fs::read_to_string(ten.folder.path().join("public/ten.txt")).unwrap(), "0123456789");
}

#[test]
fn http_210_nothing_outside_the_folder_is_reached() {
    let ten = Ten::serve();
    let public = ten.folder.path().join("public");
    let link = |to: &Path, name: &str| symlink(to, public.join(name)).unwrap();
    link(&ten.folder.path().join("outside.txt"), "absolute-out.txt");
    link(&public.join("ten.txt"), "absolute-in.txt");
    link(Path::new("sub/../ten.txt"), "winding.txt");
    link(Path::new("loop"), "loop");
    link(Path::new("/proc/self/environ"), "environ");
    link(Path::new("/dev/zero"), "zero");
    for (path, status) in [
        ("/f/absolute-in.txt", 200),
        ("/f/winding.txt", 200),
        ("/f/absolute-out.txt", 404),
        ("/f/out.txt", 404),
        // Out and in again: what counts is where it ends.
        ("/f/up/public/ten.txt", 200),
        ("/f/loop", 404),
        ("/f/environ", 404),
        ("/f/zero", 404),
        ("/f/../outside.txt", 400),
        ("/f/%2e%2e/outside.txt", 400),
        ("/f/..%2foutside.txt", 400),
        ("/f/ten.txt%00.html", 400),
        ("/f/sub%2findex.html", 400),
        ("/f/..%5coutside.txt", 404),
        ("/f/%252e%252e/outside.txt", 404),
        (&format!("/f/{}", "x".repeat(300)), 404),
    ] {
        assert_eq!(ten.gateway.get(path).status, status, "{path}");
    }
}

#[test]
fn http_160_a_precompressed_form_is_sent_to_those_who_take_it() {
    let ten = Ten::serve();
    let public = ten.folder.path().join("public");
    for (name, text) in [("ten.txt.gz", "gzip"), ("ten.txt.br", "brotli"), ("sub/index.html.zst", "zstd")] {
        std::fs::write(public.join(name), text).unwrap();
        set_age(&public.join(name), Duration::from_secs(3600));
    }
    let gateway = serve(ten.folder.path(), "static:public?precompressed=true");
    let ask = |path: &str, fields: &[&str]| gateway.ask("GET", path, fields, "");
    let plain = ask("/f/ten.txt", &[]);
    assert_eq!((plain.body.as_str(), plain.field("content-encoding")), ("0123456789", None));
    for (accepted, body, coding) in [
        ("gzip", "gzip", Some("gzip")),
        ("gzip, br", "brotli", Some("br")),
        ("br;q=0.1, gzip", "gzip", Some("gzip")),
        ("gzip;q=0", "0123456789", None),
        ("zstd", "0123456789", None),
        ("identity", "0123456789", None),
    ] {
        let answer = ask("/f/ten.txt", &[&format!("Accept-Encoding: {accepted}")]);
        assert_eq!((answer.body.as_str(), answer.field("content-encoding")), (body, coding), "{accepted}");
        assert_eq!(answer.field("content-type"), Some("text/plain"));
        assert_eq!(answer.field("vary"), Some("accept-encoding"));
    }
    assert_eq!(ask("/f/sub/", &["Accept-Encoding: zstd"]).body, "zstd");
    let packed = ask("/f/ten.txt", &["Accept-Encoding: gzip"]);
    let tag = packed.field("etag").unwrap();
    assert_ne!(Some(tag), plain.field("etag"), "each form has its own tag");
    let known = ask("/f/ten.txt", &["Accept-Encoding: gzip", &format!("If-None-Match: {tag}")]);
    assert_eq!((known.status, known.field("vary")), (304, Some("accept-encoding")));
    // Without the option they are files like others.
    assert_eq!(ten.gateway.ask("GET", "/f/ten.txt", &["Accept-Encoding: gzip"], "").body, "0123456789");
    assert_eq!(ten.gateway.get("/f/ten.txt.gz").body, "gzip");
}

#[test]
fn http_109_a_body_that_is_sent_to_a_file_is_not_the_next_request() {
    let ten = Ten::serve();
    let mut stream = ten.gateway.connect();
    let body = "GET /f/nothing HTTP/1.1\r\nHost: a\r\n\r\n";
    let first = format!("GET /f/ten.txt HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let second = "GET /f/sub/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(format!("{first}{second}").as_bytes()).unwrap();
    let answer = Answer::read(stream);
    assert!(answer.body.starts_with("0123456789HTTP/1.1 200 OK") && answer.body.ends_with("sub"), "{answer:?}");
}

#[test]
fn options_choose_index_pages_and_links() {
    let folder = place();
    let gateway = serve(folder.path(), "static:public?index=false&links=anywhere");
    assert_eq!(gateway.get("/f/").status, 404);
    assert_eq!(gateway.get("/f/index.html").body, "<h1>index</h1>");
    assert_eq!(gateway.get("/f/out.txt").body, "outside");
    assert_eq!(gateway.get("/f/up/outside.txt").body, "outside");
    assert_eq!(gateway.get("/f/.env").status, 404);
}
