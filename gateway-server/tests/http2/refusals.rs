//! What is refused: with the status that HTTP/1.1 has for it, and nobody else is disturbed.

use gateway_server::h1::Limits;
use gateway_server::serve::Server;
use http::Request;

use crate::support::{client_runs, config, count, request, serve, variables};

fn with(name: &str, value: &str) -> Request<()> {
    let mut request = request("GET", "/");
    request.headers_mut().append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    request
}

#[test]
fn each_rule_has_its_status() {
    let limits = Limits::default().max_target_bytes(100).max_fields(10).max_body_bytes(Some(1000));
    let server = serve(Server::new(variables).config(config().limits(limits)));
    let mut many = request("GET", "/");
    for number in 0..11 {
        many.headers_mut().append("x-n", number.into());
    }
    let https = Request::builder().uri("https://example.org/").body(()).unwrap();
    let connect = Request::builder().method("CONNECT").uri("example.org:80").body(()).unwrap();
    let star = Request::builder().method("OPTIONS").uri("http://example.org/*").body(()).unwrap();
    let rows = [
        ("http_33_connect", connect, 501),
        ("http_36_trace", request("TRACE", "/"), 405),
        ("http_21_a_long_method", request(&"M".repeat(40), "/"), 501),
        ("http_22_a_long_target", request("GET", &format!("/{}", "x".repeat(100))), 414),
        ("http_65_many_fields", many, 431),
        ("http_49_another_scheme", https, 421),
        ("http_46_another_host", with("host", "example.com"), 400),
        ("http_46_the_same_host", with("host", "EXAMPLE.org"), 200),
        ("http_126_another_expectation", with("expect", "the best"), 417),
        ("http_38_an_escape_that_is_none", request("GET", "/%zz"), 400),
        ("http_38_nul", request("GET", "/%00"), 400),
        ("http_24_a_quotation_mark", request("GET", "/%22\"x"), 400),
        ("a_path_that_looks_like_star", star, 200),
    ];
    client_runs(async {
        let mut client = server.client().await;
        for (name, request, status) in rows {
            let answer = client.ask(request).await;
            let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(answer.status, status, "{name}: {answer:?}");
        }
        // One connection carried all of these.
        assert_eq!(client.get("/after").await.status, 200);
    });
}

#[test]
fn http_98_a_body_that_is_too_long_is_refused_before_and_while_it_comes() {
    let limits = Limits::default().max_body_bytes(Some(1000));
    let server = serve(Server::new(count).config(config().limits(limits)));
    client_runs(async {
        let mut client = server.client().await;
        let mut declared = request("POST", "/");
        declared.headers_mut().insert("content-length", 1001.into());
        let (response, _body) = client.send(declared, false).await.unwrap();
        assert_eq!(response.await.unwrap().status(), 413);
        let (response, mut body) = client.send(request("POST", "/"), false).await.unwrap();
        body.send_data(vec![b'x'; 1001].into(), true).unwrap();
        assert_eq!(response.await.unwrap().status(), 413);
        assert_eq!(client.get("/").await.text(), "0 ");
    });
}

#[test]
fn http_65_a_head_that_is_too_long_is_refused() {
    let limits = Limits::default().max_head_bytes(2000);
    let server = serve(Server::new(variables).config(config().limits(limits)));
    client_runs(async {
        let mut client = server.client().await;
        // The client of the library minds our SETTINGS once it has them; so this comes before.
        let answer = client.ask(with("x-long", &"x".repeat(3000))).await;
        match answer {
            Ok(answer) => assert_eq!(answer.status, 431),
            Err(error) => assert!(error.reason().is_some(), "{error}"),
        }
        assert_eq!(client.get("/").await.status, 200);
    });
}
