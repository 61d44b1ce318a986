//! A static folder.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use tempfile::TempDir;

use crate::gateway::Gateway;

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

#[test]
fn ranges_conditions_and_head_work() {
    let folder = place();
    let gateway = serve(folder.path(), "static:public");
    let whole = gateway.get("/f/ten.txt");
    assert_eq!(whole.field("content-type"), Some("text/plain"));
    assert_eq!(whole.field("content-length"), Some("10"));
    let ask = |method: &str, field: &str| gateway.ask(method, "/f/ten.txt", &[field], "");
    let part = ask("GET", "Range: bytes=2-4");
    assert_eq!((part.status, part.body.as_str(), part.field("content-range")), (206, "234", Some("bytes 2-4/10")));
    assert_eq!(ask("GET", "Range: bytes=20-").status, 416);
    assert_eq!(ask("GET", "Range: bytes=0-1,4-5").body, "0123456789");
    let head = ask("HEAD", "X-None: 1");
    assert_eq!((head.status, head.body.as_str(), head.field("content-length")), (200, "", Some("10")));
    let tag = whole.field("etag").unwrap();
    let same = ask("GET", &format!("If-None-Match: {tag}"));
    assert_eq!((same.status, same.body.as_str()), (304, ""));
    let since = whole.field("last-modified").unwrap();
    assert_eq!(ask("GET", &format!("If-Modified-Since: {since}")).status, 304);
    let posted = gateway.ask("POST", "/f/ten.txt", &[], "body");
    assert_eq!((posted.status, posted.field("allow")), (405, Some("GET,HEAD")));
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
