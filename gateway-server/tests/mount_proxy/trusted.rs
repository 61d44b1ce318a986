//! Behind another proxy: whose word about the client counts, for the upstream and for every other mount.

use crate::support::{Running, config, start};
use crate::upstream::Upstream;
use gateway_server::mount::{MountTable, Proxy, ProxyConfig};
use gateway_server::serve::{ForwardedFields, Handler, Server};
use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};

/// Tells what an application sees of its client.
fn seen(environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    let text = |name| environ.get(name).map(|value| value.to_string()).unwrap_or_default();
    let (address, https, port) = (text("REMOTE_ADDR"), text("HTTPS"), text("SERVER_PORT"));
    Ok(format!("{address} {} {https} {port} {}", environ.url_scheme, text("HTTP_X_FORWARDED_FOR")).into())
}

/// The upstream at `/`, an application at `/app`.
fn serve(upstream: &Upstream, trusted: &str, fields: ForwardedFields) -> Running {
    let mut table = MountTable::new();
    let proxy = Proxy::new(upstream.url().parse().unwrap(), ProxyConfig::default());
    table.mount("/".parse().unwrap(), Handler::asynchronous(proxy)).unwrap();
    table.mount("/app".parse().unwrap(), Handler::new(seen)).unwrap();
    let config = config().trusted_proxies(trusted.parse().unwrap()).trusted_fields(fields);
    start(Server::routed(table).config(config))
}

fn ask(server: &Running, path: &str) -> String {
    let mut client = server.client();
    client.send(format!(
        "GET {path} HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 203.0.113.9, 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\
         X-Forwarded-Prefix: /outer\r\nForwarded: for=198.51.100.2;proto=https\r\n\r\n"
    ));
    client.response().text().to_owned()
}

/// What the upstream was told about the client.
fn told(head: &str) -> Vec<&str> {
    let mut lines: Vec<_> = head.lines().filter(|line| line.contains("forwarded")).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn http_52_a_trusted_proxy_says_who_the_client_is_to_every_mount() {
    let upstream = Upstream::mirror();
    let server = serve(&upstream, "127.0.0.0/8", ForwardedFields::XForwarded);
    assert_eq!(ask(&server, "/app"), "192.0.2.1 https on 443 203.0.113.9, 192.0.2.1");
    assert_eq!(
        told(&ask(&server, "/")),
        [
            "forwarded: for=192.0.2.1;host=shop.example;proto=https, for=127.0.0.1",
            "x-forwarded-for: 203.0.113.9, 192.0.2.1, 127.0.0.1",
            "x-forwarded-host: shop.example",
            "x-forwarded-prefix: /outer",
            "x-forwarded-proto: https",
        ]
    );
}

#[test]
fn http_52_a_proxy_may_be_trusted_for_the_other_kind_of_fields() {
    let upstream = Upstream::mirror();
    let server = serve(&upstream, "127.0.0.1", ForwardedFields::Forwarded);
    assert_eq!(ask(&server, "/app"), "198.51.100.2 https on 443 ");
    assert_eq!(
        told(&ask(&server, "/")),
        [
            "forwarded: for=198.51.100.2;proto=https, for=127.0.0.1",
            "x-forwarded-for: 198.51.100.2, 127.0.0.1",
            "x-forwarded-host: shop.example",
            "x-forwarded-proto: https",
        ]
    );
}

#[test]
fn http_52_nobody_else_is_believed_or_passed_on() {
    let upstream = Upstream::mirror();
    let server = serve(&upstream, "192.0.2.0/24,unix", ForwardedFields::XForwarded);
    assert_eq!(ask(&server, "/app"), format!("127.0.0.1 http  {} ", server.port()));
    assert_eq!(
        told(&ask(&server, "/")),
        [
            "forwarded: for=127.0.0.1;host=shop.example;proto=http",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: shop.example",
            "x-forwarded-proto: http",
        ]
    );
}
