//! Programs that write a complete HTTP response (RFC 3875 §5), where the operator says that they do.

use gateway_cgi::host::{Config, Nph};
use gateway_spec::{AppError, AsyncExchange, Event, InputStream};

use crate::support::{Answer, Site, assert_fails};

const RESPONSE: &str = "printf 'HTTP/1.1 404 Nothing here\\r\\nServer: own\\r\\nContent-Type: text/plain\\r\\n\
    Set-Cookie: a=1\\r\\nSet-Cookie: b=2\\r\\nConnection: close\\r\\n\\r\\nbody'";

async fn ask(site: &Site, nph: Nph, method: &str, path: &str) -> Result<Answer, AppError> {
    site.call(Config::new().nph(nph), site.environ(method, path), InputStream::empty()).await
}

#[tokio::test]
async fn cgi_90_91_93_94_a_complete_response_is_sent_on_in_our_own_framing() {
    let site = Site::new();
    site.script("nph-x", RESPONSE);
    site.script("x", RESPONSE);
    for (nph, path) in [(Nph::Named, "/nph-x"), (Nph::Always, "/nph-x"), (Nph::Always, "/x")] {
        let answer = ask(&site, nph, "GET", path).await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (404, "body"));
        let names: Vec<&str> = answer.fields.iter().map(|(name, _)| name.as_str()).collect();
        // What is about the connection is ours to say.
        assert_eq!(names, ["server", "content-type", "set-cookie", "set-cookie"]);
    }
}

#[tokio::test]
async fn cgi_95_186_a_status_line_is_502_where_nobody_said_nph() {
    let site = Site::new();
    site.script("nph-x", RESPONSE);
    site.script("x", RESPONSE);
    for (nph, path) in [(Nph::Never, "/nph-x"), (Nph::Never, "/x"), (Nph::Named, "/x")] {
        assert_fails(ask(&site, nph, "GET", path).await, 502, "an HTTP status line instead of header fields");
    }
    site.wait_for_silence().await;
}

#[tokio::test]
async fn cgi_91_92_186_an_nph_program_is_held_to_its_form() {
    let site = Site::new();
    for (script, reason) in [
        ("exit 0", "wrote nothing"),
        ("printf 'Content-Type: text/plain\\n\\nbody'", "does not start with an HTTP status line"),
        (
            "printf 'HTTP/1.1 200 OK\\nTransfer-Encoding: chunked\\n\\n4\\r\\nbody\\r\\n0\\r\\n\\r\\n'",
            "Transfer-Encoding",
        ),
        ("printf 'HTTP/1.1 100 Continue\\n\\nHTTP/1.1 200 OK\\n\\n'", "the status 100"),
        ("printf 'HTTP/1.1 200 OK\\nX: a\\001b\\n\\n'", "control byte"),
        ("printf 'HTTP/1.1 200 OK\\n'", "inside the header block"),
    ] {
        site.script("nph-x", script);
        assert_fails(ask(&site, Nph::Named, "GET", "/nph-x").await, 502, reason);
    }
    site.wait_for_silence().await;
}

#[tokio::test]
async fn cgi_93_a_location_of_an_nph_program_is_for_the_client() {
    let site = Site::new();
    site.script("nph-x", "printf 'HTTP/1.1 302 Found\\nLocation: /other\\n\\n'");
    let answer = ask(&site, Nph::Named, "GET", "/nph-x").await.unwrap();
    assert_eq!((answer.status, answer.field("location")), (302, Some("/other")));
}

#[tokio::test]
async fn cgi_73_133_lengths_and_head_hold_for_nph_programs_too() {
    let site = Site::new();
    site.script("nph-x", "printf 'HTTP/1.0 200 OK\\nContent-Length: 8\\n\\nbody'");
    assert_fails(ask(&site, Nph::Named, "GET", "/nph-x").await, 502, "4 of the 8 bytes");
    site.script("nph-x", "printf 'HTTP/1.0 200 OK\\nContent-Length: 4\\n\\nbody and more'");
    let cgi = site.host(Config::new().nph(Nph::Named));
    for (method, expected) in [("GET", "body"), ("HEAD", "")] {
        let mut exchange = AsyncExchange::call(&cgi, site.environ(method, "/nph-x"), InputStream::empty());
        let Event::Head(head) = exchange.next().await else { panic!("a head comes first") };
        assert_eq!(head.headers.get("content-length").unwrap(), "4");
        let mut body = Vec::new();
        while let Event::Chunk(chunk) = exchange.next().await {
            body.extend_from_slice(&chunk);
        }
        assert_eq!(body, expected.as_bytes());
    }
}
