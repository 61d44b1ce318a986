//! Our own program, `testbed`: the one that the suite runs on every gateway, compared byte by byte.

use gateway_tests::client::{Content, Payload, Request};
use gateway_tests::servers::{lighttpd, ours};

use crate::pair::{Pair, check_no_children};

#[test]
fn testbed_answers_as_behind_lighttpd() {
    let mut servers = Pair { ours: ours::cgi_host(), lighttpd: lighttpd::cgi() };
    for (target, status) in [
        ("/app/hello", 200),
        ("/app/bytes/1000000", 200),
        ("/app/stream/1000000?chunk=1000", 200),
        ("/app/lazy", 200),
        ("/app/write", 200),
        ("/app/cookies", 200),
        ("/app/status/204", 204),
        ("/app/status/404", 404),
        ("/app/status/418", 418),
        ("/app/fail/before", 500),
        ("/app/no/such/page", 404),
    ] {
        assert_eq!(servers.same(&Request::get(target)).status, status, "{target}");
    }
    for payload in [Payload::Pattern(5 << 20), Payload::Chunked(1 << 20), Payload::from("")] {
        let length = payload.length();
        let answer = servers.same(&Request::post("/app/echo", payload).field("Content-Type", "text/x-note"));
        assert_eq!(answer.content.hash, Content::of_pattern(length).hash);
    }
    assert_eq!(servers.same(&Request::new("HEAD", "/app/hello")).content.length, 0);
    for server in [&mut servers.ours, &mut servers.lighttpd] {
        check_no_children(server);
    }
}
