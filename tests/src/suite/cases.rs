//! The table of cases: every path of `testbed`, and what else must come through a gateway unharmed.

use super::environ::Variables;
use super::{Deviation, Gateway, closed, environ};
use crate::client::{Content, Payload, Request, Response};

/// One case.
pub struct Case {
    /// Its name in the table.
    pub name: &'static str,
    /// What is asked, on one connection.
    pub requests: Vec<Request>,
    /// True when the answers must be those of the direct call.
    pub same_as_direct: bool,
    /// What must be true on every gateway, also of the direct call.
    pub judge: Judge,
}

/// How a case looks at the answers.
#[derive(Clone, Copy)]
pub enum Judge {
    /// At the responses.
    Responses(fn(&[Response]) -> Vec<Deviation>),
    /// At the variables that the only response shows.
    Variables(fn(&dyn Gateway, &Variables) -> Vec<Deviation>),
    /// At the gateway, by requests of its own.
    Gateway(fn(&dyn Gateway) -> Vec<Deviation>),
}

impl Judge {
    /// What is wrong with the answers to the case's requests.
    pub fn deviations(self, gateway: &dyn Gateway, responses: &[Response]) -> Vec<Deviation> {
        match self {
            Self::Responses(judge) => judge(responses),
            Self::Gateway(judge) => judge(gateway),
            Self::Variables(judge) => match Variables::of(&responses[0]) {
                Ok(variables) => judge(gateway, &variables),
                Err(deviation) => vec![deviation],
            },
        }
    }
}

const MIB: u64 = 1 << 20;

/// All cases, in the order of the table.
pub fn cases() -> Vec<Case> {
    let mut all = bodies();
    all.extend(heads());
    all.extend(failures());
    all.extend(environ::cases());
    for (name, judge) in closed::CASES {
        all.push(Case { name, requests: Vec::new(), same_as_direct: false, judge: Judge::Gateway(judge) });
    }
    all
}

fn bodies() -> Vec<Case> {
    let crlf = String::from_utf8_lossy(crlf_body());
    vec![
        case("root", Request::get("/"), |r| expect(r, 200, b"Hello, World!")),
        case("hello", Request::get("/hello"), |r| expect(r, 200, b"Hello, World!")),
        case("echo", Request::post("/echo", "some text").field("Content-Type", "text/x-note"), |r| {
            let mut found = expect(r, 200, b"some text");
            found.extend(expect_field(r, "content-type", Some("text/x-note")));
            found
        }),
        case("echo_put", Request { method: "PUT".to_owned(), ..Request::post("/echo", "put") }, |r| {
            expect(r, 200, b"put")
        }),
        case("echo_empty", Request::post("/echo", ""), |r| expect(r, 200, b"")),
        case("echo_crlf_crlf", Request::post("/echo", &*crlf), |r| expect(r, 200, crlf_body())),
        case("echo_8_mib", Request::post("/echo", Payload::Pattern(8 * MIB)), |r| {
            expect_content(r, &Content::of_pattern(8 * MIB))
        }),
        case("upload_64_mib", Request::post("/upload", Payload::Pattern(64 * MIB)), |r| {
            expect(r, 200, (64 * MIB).to_string().as_bytes())
        }),
        case("upload_chunked", Request::post("/upload", Payload::Chunked(MIB)), |r| expect(r, 200, b"1048576")),
        case("echo_chunked", Request::post("/echo", Payload::Chunked(1000)), |r| {
            expect_content(r, &Content::of_pattern(1000))
        }),
        case("download", Request::get("/download"), |r| expect_length(r, MIB)),
        case("bytes_0", Request::get("/bytes/0"), |r| expect_length(r, 0)),
        case("bytes_64_mib", Request::get("/bytes/67108864"), |r| expect_length(r, 64 * MIB)),
        case("stream", Request::get("/stream/1000000?chunk=1000"), |r| expect_length(r, 1_000_000)),
        case("stream_64_mib", Request::get("/stream/67108864?chunk=65536"), |r| expect_length(r, 64 * MIB)),
        case("stream_0", Request::get("/stream/0"), |r| expect_length(r, 0)),
        case("lazy", Request::get("/lazy"), |r| expect_status(r, 200)),
        case("write", Request::get("/write"), |r| expect_status(r, 200)),
        case("sleep", Request::get("/sleep/20"), |r| expect_status(r, 200)),
        case("stderr", Request::get("/stderr"), |r| expect_status(r, 200)),
    ]
}

fn heads() -> Vec<Case> {
    vec![
        // The second request shows that no byte of a body followed the first answer.
        Case {
            name: "head",
            requests: vec![Request::new("HEAD", "/hello"), Request::get("/hello")],
            same_as_direct: true,
            judge: Judge::Responses(|r| {
                let mut found = expect_content(&r[..1], &Content::empty());
                found.extend(expect(&r[1..], 200, b"Hello, World!"));
                found
            }),
        },
        Case {
            name: "head_stream",
            requests: vec![Request::new("HEAD", "/stream/100000?chunk=1000"), Request::get("/hello")],
            same_as_direct: true,
            judge: Judge::Responses(|r| expect_content(&r[..1], &Content::empty())),
        },
        case("status_204", Request::get("/status/204"), |r| expect_status(r, 204)),
        case("status_304", Request::get("/status/304"), |r| expect_status(r, 304)),
        case("status_404", Request::get("/status/404"), |r| expect_status(r, 404)),
        case("status_418", Request::get("/status/418"), |r| expect_status(r, 418)),
        case("status_503", Request::get("/status/503"), |r| expect_status(r, 503)),
        case("cookies", Request::get("/cookies"), |r| match r[0].all("set-cookie").count() {
            2 => Vec::new(),
            n => vec![Deviation::new("field set-cookie", format!("{n} fields instead of 2"))],
        }),
        case("unknown_path", Request::get("/no/such/path"), |r| expect_status(r, 404)),
    ]
}

fn failures() -> Vec<Case> {
    vec![
        case("restart", Request::get("/restart"), |r| expect_status(r, 500)),
        case("fail_before", Request::get("/fail/before"), |r| expect_status(r, 500)),
        case("fail_after", Request::get("/fail/after"), expect_cut),
        case("panic", Request::get("/panic"), |r| expect_status(r, 500)),
        case("panic_after", Request::get("/panic/after"), expect_cut),
        // A body shorter than its Content-Length must not look whole.
        case("length_long", Request::get("/length/long"), expect_cut),
        // A longer one is cut at the promised length.
        case("length_short", Request::get("/length/short"), |r| expect_status(r, 200)),
    ]
}

fn case(name: &'static str, request: Request, judge: fn(&[Response]) -> Vec<Deviation>) -> Case {
    Case { name, requests: vec![request], same_as_direct: true, judge: Judge::Responses(judge) }
}

fn crlf_body() -> &'static [u8] {
    b"first: line\r\n\r\nStatus: 500\r\n\r\n\n\n<tail>\r\n\r\n"
}

/// What the first response must be.
pub(super) fn expect_status(responses: &[Response], status: u16) -> Vec<Deviation> {
    match responses[0].status == status {
        true => Vec::new(),
        false => vec![Deviation::new("status", format!("{} instead of {status}", responses[0].status))],
    }
}

fn expect(responses: &[Response], status: u16, body: &[u8]) -> Vec<Deviation> {
    let mut found = expect_status(responses, status);
    found.extend(expect_content(responses, &Content::of(body)));
    found
}

fn expect_content(responses: &[Response], content: &Content) -> Vec<Deviation> {
    let got = &responses[0].content;
    match got == content {
        true => Vec::new(),
        false => vec![Deviation::new("body", format!("{} bytes instead of {}", got.length, content.length))],
    }
}

fn expect_length(responses: &[Response], length: u64) -> Vec<Deviation> {
    let mut found = expect_status(responses, 200);
    let got = &responses[0].content;
    if got.length != length || !got.complete {
        found.push(Deviation::new("body", format!("{} bytes instead of {length}", got.length)));
    }
    found
}

fn expect_field(responses: &[Response], name: &str, value: Option<&str>) -> Vec<Deviation> {
    match responses[0].field(name) == value {
        true => Vec::new(),
        false => vec![Deviation::new(format!("field {name}"), format!("{:?}", responses[0].field(name)))],
    }
}

fn expect_cut(responses: &[Response]) -> Vec<Deviation> {
    match responses[0].content.complete {
        false => Vec::new(),
        true => {
            vec![Deviation::new("end", format!("a clean end instead of a cut ({} bytes)", responses[0].content.length))]
        }
    }
}
