//! The environ: made with and without a template, and read.

use std::hint::black_box;

use gateway_spec::{Environ, EnvironTemplate, VariableName};

use super::samples::FIELDS;
use super::{Case, checked};

/// The subject's cases.
pub const CASES: &[Case] = &[
    Case::new("environ/build", build),
    Case::new("environ/build-from-template", build_from_template),
    Case::new("environ/read-typed", read_typed),
    Case::new("environ/read-field", read_field),
    Case::new("environ/read-missing", read_missing),
    Case::new("environ/read-all", read_all),
    Case::new("environ/set", set),
];

/// What a listener knows of every request of a connection.
const OF_CONNECTION: [(&str, &str); 6] = [
    ("GATEWAY_INTERFACE", "CGI/1.1"),
    ("SERVER_SOFTWARE", "gateway/0"),
    ("REQUEST_SCHEME", "http"),
    ("REMOTE_ADDR", "203.0.113.57"),
    ("REMOTE_PORT", "52114"),
    ("SERVER_ADDR", "198.51.100.4"),
];

/// What it knows of one request.
const OF_REQUEST: [(VariableName, &str); 8] = [
    (VariableName::new("REQUEST_METHOD"), "GET"),
    (VariableName::new("SCRIPT_NAME"), ""),
    (VariableName::new("PATH_INFO"), "/articles/2024/11/gateways"),
    (VariableName::new("QUERY_STRING"), "page=2&sort=date"),
    (VariableName::new("REQUEST_URI"), "/articles/2024/11/gateways?page=2&sort=date"),
    (VariableName::new("SERVER_NAME"), "www.example.org"),
    (VariableName::new("SERVER_PORT"), "80"),
    (VariableName::new("SERVER_PROTOCOL"), "HTTP/1.1"),
];

/// A connection field stays with the gateway, so one of twelve is no variable.
const VARIABLES: usize = OF_CONNECTION.len() + OF_REQUEST.len() + FIELDS.len() - 1;

/// The environ of a browser's request.
pub fn browser_environ() -> Environ {
    let mut builder = Environ::builder();
    for (name, value) in black_box(&OF_CONNECTION) {
        builder.set(name, value);
    }
    for (name, value) in black_box(&OF_REQUEST) {
        builder.set(name.as_str(), value);
    }
    for (name, value) in black_box(&FIELDS) {
        builder.add_header(name.as_bytes(), value.as_bytes());
    }
    builder.build().unwrap()
}

fn build() -> Box<dyn FnMut()> {
    checked(browser_environ, |environ| assert_eq!(environ.len(), VARIABLES))
}

fn build_from_template() -> Box<dyn FnMut()> {
    let mut template = EnvironTemplate::default();
    for (name, value) in OF_CONNECTION {
        template.set(name, value);
    }
    let body = move || {
        let mut builder = template.builder(1024, 26);
        for (name, value) in black_box(&OF_REQUEST) {
            builder.set_known(*name, value);
        }
        for (name, value) in black_box(&FIELDS) {
            builder.add_header(name.as_bytes(), value.as_bytes());
        }
        builder.build().unwrap()
    };
    checked(body, |environ| {
        assert_eq!(environ.len(), VARIABLES);
        assert_eq!(environ.header("priority").unwrap(), "u=0, i");
    })
}

fn read_typed() -> Box<dyn FnMut()> {
    let environ = browser_environ();
    let body = move || {
        let environ = black_box(&environ);
        let (method, path, port) = (environ.request_method(), environ.path_info(), environ.server_port());
        (method == "GET", path.len(), port, environ.content_length())
    };
    checked(body, |seen| assert_eq!(seen, (true, 26, Some(80), None)))
}

fn read_field() -> Box<dyn FnMut()> {
    let environ = browser_environ();
    let body = move || black_box(&environ).header(black_box("Cookie")).map(|value| value.len());
    checked(body, |seen| assert_eq!(seen, Some(69)))
}

fn read_missing() -> Box<dyn FnMut()> {
    let environ = browser_environ();
    let body = move || black_box(&environ).get(black_box("REMOTE_USER")).is_none();
    checked(body, |missing| assert!(missing))
}

fn read_all() -> Box<dyn FnMut()> {
    let environ = browser_environ();
    let bytes = environ.entries().map(|entry| entry.len()).sum::<usize>();
    let body = move || black_box(&environ).iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    // An entry has `=` and NUL besides.
    checked(body, move |seen| assert_eq!(seen, bytes - 2 * VARIABLES))
}

/// What middleware does that moves a piece of the path to SCRIPT_NAME, on an environ that is its own.
fn set() -> Box<dyn FnMut()> {
    let mut environ = browser_environ();
    let body = move || {
        environ.set("SCRIPT_NAME", black_box("/articles")).unwrap();
        environ.set("PATH_INFO", black_box("/2024/11/gateways")).unwrap();
        environ.script_name().len() + environ.path_info().len()
    };
    checked(body, |bytes| assert_eq!(bytes, 26))
}
