//! The suite through real servers in front of our programs. Each test writes one column of `docs/SUPPORTED.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use gateway_tests::process::{Running, assert_none_left};
use gateway_tests::servers::{apache, caddy, fcgiwrap, haproxy, lighttpd, nginx};
use gateway_tests::suite::{HttpGateway, check};

/// Runs the suite below `/app`, ends the server, and looks for programs of ours that it left.
fn check_server(name: &'static str, process_per_request: bool, server: Running) {
    check(&HttpGateway { name, prefix: "/app", process_per_request, address: server.address });
    let place = server.stop();
    assert_none_left(place.path());
}

#[test]
fn nginx_unix() {
    check_server("nginx unix", false, nginx::unix());
}

#[test]
fn nginx_tcp() {
    check_server("nginx tcp", false, nginx::tcp());
}

#[test]
fn apache_mod_cgid() {
    check_server("apache mod_cgid", true, apache::cgid());
}

#[test]
fn apache_mod_proxy_fcgi() {
    check_server("apache mod_proxy_fcgi", false, apache::proxy_fcgi());
}

#[test]
fn apache_mod_fcgid() {
    check_server("apache mod_fcgid", false, apache::fcgid());
}

#[test]
fn lighttpd_mod_cgi() {
    check_server("lighttpd mod_cgi", true, lighttpd::cgi());
}

#[test]
fn lighttpd_mod_fastcgi_spawned() {
    check_server("lighttpd spawned", false, lighttpd::fastcgi_spawned());
}

#[test]
fn lighttpd_mod_fastcgi_connected() {
    check_server("lighttpd connected", false, lighttpd::fastcgi_connected());
}

#[test]
fn nginx_fcgiwrap() {
    check_server("nginx fcgiwrap", true, fcgiwrap::start());
}

#[test]
fn nginx_cgi_wrap() {
    check_server("nginx cgi-wrap", true, fcgiwrap::cgi_wrap());
}

#[test]
fn haproxy_one_at_a_time() {
    check_server("haproxy", false, haproxy::one_at_a_time());
}

#[test]
fn haproxy_multiplexing() {
    check_server("haproxy mpxs", false, haproxy::multiplexing());
}

#[test]
fn caddy() {
    check_server("caddy", false, caddy::start());
}
