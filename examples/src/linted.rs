//! The applications under the lint: what they do right they do by every rule, what they do wrong it sees.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use gateway_spec::lint::{Verdict, lint};
use gateway_spec::{Application, Environ, Input};

use crate::direct::call;
use crate::{hello, mirror, testbed};

/// The rules that `app` broke when it was asked for `target`, with GET, HEAD and a POST of nine bytes.
fn broken(app: impl Application + Clone, target: &str) -> BTreeSet<&'static str> {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let log = Arc::clone(&seen);
    let app = lint(app).on_violation(move |violation| {
        log.lock().unwrap().insert(violation.rule.id);
        Verdict::Ignore
    });
    for method in ["GET", "HEAD", "POST"] {
        let mut environ = Environ::example(method, target);
        if method == "POST" {
            environ.set("CONTENT_TYPE", "text/plain").unwrap();
            environ.set("CONTENT_LENGTH", "9").unwrap();
            environ.input = Input::from("some text");
        }
        let _ = call(&app, environ);
    }
    let seen = seen.lock().unwrap();
    seen.clone()
}

#[test]
fn what_is_meant_well_breaks_no_rule() {
    assert_eq!(broken(hello::application, "/"), BTreeSet::new());
    assert_eq!(broken(mirror::application, "/p?q=1"), BTreeSet::new());
    for path in [
        "/",
        "/echo",
        "/download",
        "/bytes/9",
        "/stream/9",
        "/upload",
        "/environ",
        "/sleep/0",
        "/status/204",
        "/status/304",
        "/status/404",
        "/cookies",
        "/lazy",
        "/restart",
        "/closed",
        "/no/such/path",
        "/bytes/x",
    ] {
        assert_eq!(broken(testbed::application, path), BTreeSet::new(), "{path}");
    }
}

#[cfg(feature = "guestbook")]
#[test]
fn the_guestbook_breaks_no_rule() {
    let guestbook = crate::guestbook::Guestbook::at(":memory:");
    for path in ["", "/", "/nothing"] {
        assert_eq!(broken(guestbook.clone(), path), BTreeSet::new(), "{path}");
    }
}

#[test]
fn what_is_meant_badly_is_seen() {
    for path in ["/length/short", "/length/long"] {
        assert_ne!(broken(testbed::application, path), BTreeSet::new(), "{path}");
    }
}
