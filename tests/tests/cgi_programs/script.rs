//! What the scripts in `tests/programs` answer in every language, and the same behind lighttpd.

use gateway_tests::client::{Content, Payload, Request};

use crate::pair::{Pair, check_no_children};

const MIB: u64 = 1 << 20;

/// Variables, bodies, statuses, cookies, redirects, errors.
#[track_caller]
pub(crate) fn check(servers: &mut Pair, base: &str) {
    let get = |path: &str| Request::get(&format!("{base}{path}"));
    let post = |path: &str, body: Payload| Request::post(&format!("{base}{path}"), body);

    let variables =
        get("/variables?a=1&b=%20c+d").field("X-Test", "one").field("X-Test", "two").field("Cookie", "seen=1");
    let text = servers.same(&variables).text();
    for line in [
        "REQUEST_METHOD=GET".to_owned(),
        format!("SCRIPT_NAME={base}"),
        "PATH_INFO=/variables".to_owned(),
        "QUERY_STRING=a=1&b=%20c+d".to_owned(),
        "GATEWAY_INTERFACE=CGI/1.1".to_owned(),
        "HTTP_X_TEST=one, two".to_owned(),
        "HTTP_COOKIE=seen=1".to_owned(),
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    // CGI-84: a query without `=` is no command line.
    servers.same(&get("/variables?-s+--help"));

    let answer = servers.same(&post("/raw", Payload::Pattern(3 * MIB)).field("Content-Type", "application/x-data"));
    assert_eq!((answer.status, answer.field("content-type")), (200, Some("application/x-data")));
    assert_eq!(answer.content.hash, Content::of_pattern(3 * MIB).hash);
    // CGI-65: kept until its length is known, because every one of them reads so many bytes and no more.
    let answer = servers.same(&post("/raw", Payload::Chunked(MIB)).field("Content-Type", "application/x-data"));
    assert_eq!(answer.content.hash, Content::of_pattern(MIB).hash);

    assert_eq!(servers.same(&get("/stream")).content.length, 4 * MIB);
    assert_eq!(servers.same(&Request::new("HEAD", &format!("{base}/variables"))).status, 200);
    let answer = servers.same(&get("/cookies"));
    assert_eq!(answer.all("set-cookie").map(|cookie| &cookie[..3]).collect::<Vec<_>>(), ["a=1", "b=2"]);
    let answer = servers.same(&get("/missing"));
    assert_eq!((answer.status, answer.text().as_str()), (404, "nothing here\n"));
    let answer = servers.same(&get("/redirect"));
    assert_eq!((answer.status, answer.field("location")), (302, Some("http://programs.example/there")));
    assert_eq!(servers.same(&get("/error")).status, 500);

    for server in [&mut servers.ours, &mut servers.lighttpd] {
        check_no_children(server);
    }
    // CGI-178: after the program's end, so its last words are in the log too.
    let log = servers.ours.logs();
    assert!(log.contains("a line for the error stream"), "{log}");
}

/// A form, both ways.
#[track_caller]
pub(crate) fn check_forms(servers: &Pair, base: &str) {
    let fields = "name=Ada+L%C3%B6w&note=%3Cb%3E+100%25%26";
    let get = Request::get(&format!("{base}/form?{fields}"));
    let post =
        Request::post(&format!("{base}/form"), fields).field("Content-Type", "application/x-www-form-urlencoded");
    for request in [get, post] {
        let answer = servers.same(&request);
        let text = answer.text();
        assert!(answer.status == 200 && text.starts_with("name=Ada Löw\nnote=<b> 100%&\n"), "{text}");
    }
}

/// A file in a form: 300,000 bytes of every value, with the form's own boundary almost in them.
#[track_caller]
pub(crate) fn check_upload(servers: &Pair, base: &str) {
    let mut body = b"--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\
        Content-Type: application/octet-stream\r\n\r\n"
        .to_vec();
    let file: Vec<u8> = (0..=255_u8).chain(*b"\r\n--edg\r\n").cycle().take(300_000).collect();
    body.extend_from_slice(&file);
    body.extend_from_slice(b"\r\n--edge--\r\n");
    let request = Request::post(&format!("{base}/upload"), Payload::Bytes(body))
        .field("Content-Type", "multipart/form-data; boundary=edge");
    let answer = servers.same(&request);
    let text = answer.text();
    assert!(answer.status == 200 && text.starts_with("a.bin 300000 "), "{text}");
}
