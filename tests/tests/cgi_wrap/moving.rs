//! The page's ways from `http.server --cgi` and from Apache.

use std::process::Command;

use gateway_tests::client::{Request, Response, send};
use gateway_tests::place::Place;
use gateway_tests::process::Running;
use gateway_tests::programs::program;

use crate::page::{block, command};
use crate::setup::{ENV, scripts};

#[track_caller]
fn get(server: &Running, target: &str) -> Response {
    send(server.address, &Request::get(target)).unwrap_or_else(|broken| panic!("{broken}\n{}", server.logs()))
}

#[test]
fn the_line_for_http_server_serves_files_and_programs() {
    let place = Place::new();
    place.folder("cgi-bin");
    place.write_script("cgi-bin/env", &format!("#!/bin/sh\n{ENV}\n"));
    place.write("index.html", "<p>home");
    let gateway = place.program(&program("gateway"));
    let arguments = command(&block("sh"), "");
    let server = Running::listen(place, "gateway", Vec::new(), |_, port| {
        let listen = |argument: &String| argument.replace("127.0.0.1:8000", &format!("127.0.0.1:{port}"));
        let mut command = Command::new(&gateway);
        command.args(arguments.iter().map(listen));
        command
    });
    assert_eq!(get(&server, "/").text(), "<p>home");
    assert!(get(&server, "/cgi-bin/env/x?q").text().starts_with("/cgi-bin/env|/x|q|GET|"));
    assert_eq!(get(&server, "/cgi-bin/").status, 404);
}

#[test]
fn the_file_for_apache_is_right_and_does_what_it_says() {
    let show =
        "printf 'Content-Type: text/plain\\n\\n'; printf '%s|' \"$APP_MODE\" \"$SERVER_NAME\" \"$PATH_TRANSLATED\"";
    let place = scripts(&[("index.cgi", show)]);
    place.write("page.html", "<p>page");
    let here = place.path().display().to_string();
    let text =
        block("toml").replace("/usr/lib/cgi-bin", &format!("{here}/lib/cgi-bin")).replace("/var/www/html", &here);
    place.write("gateway.toml", &text);
    place.write_script("lib/cgi-bin/old.py", "print('Content-Type: text/plain\\n\\nfrom Python')");
    let gateway = place.program(&program("gateway"));
    let checked = Command::new(&gateway).args(["check-config", &format!("{here}/gateway.toml")]).output().unwrap();
    assert_eq!(String::from_utf8(checked.stderr).unwrap(), "");
    let server = Running::listen(place, "gateway", Vec::new(), |_, port| {
        let mut command = Command::new(&gateway);
        command.args(["serve", "--config", "gateway.toml", "--listen", &format!("127.0.0.1:{port}")]);
        command
    });
    assert_eq!(get(&server, "/page.html").text(), "<p>page");
    assert_eq!(get(&server, "/cgi-bin/").text(), "production|www.example.org||");
    assert_eq!(get(&server, "/cgi-bin/index.cgi/x").text(), format!("production|www.example.org|{here}/x|"));
    assert_eq!(get(&server, "/cgi-bin/old.py").text(), "from Python\n");
}
