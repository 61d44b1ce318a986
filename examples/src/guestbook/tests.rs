//! The guestbook, called directly, each test with a file of its own.

use std::path::Path;

use gateway_spec::{Environ, Input};

use super::Guestbook;
use crate::direct::{Answer, call, get, post};

const FORM: &str = "application/x-www-form-urlencoded";

struct Fresh {
    folder: tempfile::TempDir,
    app: Guestbook,
}

impl Fresh {
    fn new() -> Fresh {
        let folder = tempfile::tempdir().unwrap();
        let app = Guestbook::at(folder.path().join("entries.sqlite3"));
        Fresh { folder, app }
    }

    fn page(&self) -> String {
        let answer = get(&self.app, "/");
        assert_eq!(answer.status, 200);
        answer.text().to_owned()
    }

    fn sign(&self, body: &str) -> Answer {
        post(&self.app, "/", FORM, body)
    }
}

#[test]
fn an_entry_is_added_and_listed_newest_first() {
    let fresh = Fresh::new();
    assert!(fresh.page().contains("Nobody has signed yet"));
    let answer = fresh.sign("name=Ada+L%2e&message=Hello%0D%0Athere%21");
    assert_eq!((answer.status, answer.field("location")), (303, Some("/")));
    fresh.sign("name=Grace&message=Second");
    let page = fresh.page();
    assert!(page.contains("<strong>Ada L.</strong>") && page.contains("<p>Hello\nthere!</p>"), "{page}");
    assert!(page.find("Second") < page.find("there!"));
}

#[test]
fn what_a_visitor_wrote_is_text_and_nothing_else() {
    let fresh = Fresh::new();
    fresh.sign("name=%22%27%3E%3Cb%3E&message=%3Cscript%3Ealert(1)%3C/script%3E%26amp;");
    let page = fresh.page();
    assert!(page.contains("<strong>&quot;&#39;&gt;&lt;b&gt;</strong>"), "{page}");
    assert!(page.contains("<p>&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;</p>"), "{page}");
    assert!(!page.contains("<script") && !page.contains("<b>"));
}

#[track_caller]
fn check_refused(content_type: &str, body: &str, status: u16, complaint: &str) {
    let fresh = Fresh::new();
    let answer = post(&fresh.app, "/", content_type, body);
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.text().contains(complaint), "{}", answer.text());
    assert!(fresh.page().contains("Nobody has signed yet"), "nothing was added");
}

#[test]
fn forms_that_cannot_be_taken_are_refused_with_a_reason() {
    check_refused(FORM, "name=&message=x", 400, "Please tell your name.");
    check_refused(FORM, "name=+%20&message=x", 400, "Please tell your name.");
    check_refused(FORM, "name=x", 400, "Please write something.");
    check_refused(FORM, &format!("name={}&message=x", "n".repeat(61)), 400, "at most 60 characters; this one has 61");
    check_refused(
        FORM,
        &format!("name=x&message={}", "m".repeat(1001)),
        400,
        "at most 1000 characters; this one has 1001",
    );
    check_refused(FORM, "name=%ff&message=x", 400, "not text");
    check_refused(FORM, "name=a%00b&message=x", 400, "Control characters");
    check_refused(FORM, &format!("name=x&message={}", "m".repeat(17_000)), 413, "more than this guestbook can hold");
    check_refused("application/json", "{}", 415, "application/x-www-form-urlencoded");
    check_refused("", "name=x&message=y", 415, "application/x-www-form-urlencoded");
}

#[test]
fn a_refused_form_comes_back_filled_in_and_escaped() {
    let answer = Fresh::new().sign("name=&message=%3C/textarea%3Ekept");
    assert!(answer.text().contains("\n&lt;/textarea&gt;kept</textarea>"), "{}", answer.text());
}

#[test]
fn a_body_of_unknown_length_is_refused_where_it_becomes_too_long() {
    let mut environ = Environ::example("POST", "/");
    environ.set("CONTENT_TYPE", FORM).unwrap();
    environ.input = Input::reader(std::io::repeat(b'a'), None);
    assert_eq!(call(&Fresh::new().app, environ).status, 413);
}

#[test]
fn a_form_sent_by_another_sites_page_is_refused() {
    let mut environ = Environ::example("POST", "/");
    environ.set("CONTENT_TYPE", FORM).unwrap();
    environ.set("HTTP_SEC_FETCH_SITE", "cross-site").unwrap();
    environ.input = Input::from("name=x&message=y");
    assert_eq!(call(&Fresh::new().app, environ).status, 403);
}

#[test]
fn other_paths_and_methods_are_answered_as_such() {
    let fresh = Fresh::new();
    assert_eq!(get(&fresh.app, "/nothing").status, 404);
    let answer = call(&fresh.app, Environ::example("DELETE", "/"));
    assert_eq!((answer.status, answer.field("allow")), (405, Some("GET, HEAD, POST")));
    let head = call(&fresh.app, Environ::example("HEAD", "/"));
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn links_follow_script_name_and_never_the_host_field() {
    let fresh = Fresh::new();
    for (script_name, action) in [
        ("", "/"),
        ("/app", "/app/"),
        ("/a b/\"x\"", "/a%20b/%22x%22/"),
        ("//evil.example", "/evil.example/"),
        ("/", "/"),
    ] {
        let mut environ = Environ::example("POST", "");
        environ.set("SCRIPT_NAME", script_name).unwrap();
        environ.set("HTTP_HOST", "evil.example").unwrap();
        environ.set("CONTENT_TYPE", FORM).unwrap();
        environ.input = Input::from("name=x&message=y");
        assert_eq!(call(&fresh.app, environ).field("location"), Some(action), "{script_name}");
        let mut environ = Environ::example("GET", "/");
        environ.set("SCRIPT_NAME", script_name).unwrap();
        let page = call(&fresh.app, environ);
        assert!(page.text().contains(&format!("action=\"{action}\"")), "{script_name}");
    }
}

#[test]
fn many_threads_write_to_one_file_and_nothing_is_lost() {
    let fresh = Fresh::new();
    let sign = |app: &Guestbook, who: usize| {
        for n in 0..5 {
            assert_eq!(post(app, "/", FORM, &format!("name=thread+{who}&message=note+{who}.{n}.")).status, 303);
        }
    };
    std::thread::scope(|scope| {
        for who in 0..8 {
            let app = &fresh.app;
            scope.spawn(move || sign(app, who));
        }
    });
    let page = fresh.page();
    for (who, n) in (0..8).flat_map(|who| (0..5).map(move |n| (who, n))) {
        assert!(page.contains(&format!("<p>note {who}.{n}.</p>")), "note {who}.{n} is missing");
    }
}

#[test]
fn the_environ_names_the_file() {
    let fresh = Fresh::new();
    let file = fresh.folder.path().join("named.sqlite3");
    let mut environ = Environ::example("GET", "/");
    environ.set("GUESTBOOK_DB", file.to_str().unwrap()).unwrap();
    assert_eq!(call(&super::application, environ).status, 200);
    assert!(Path::new(&file).exists());
}

#[test]
fn a_file_that_cannot_be_opened_is_a_500_with_a_reason_for_the_log() {
    let answer = get(&Guestbook::at("/no/such/folder/x.sqlite3"), "/");
    assert_eq!(answer.status, 500);
    assert!(answer.failure.is_some_and(|failure| failure.contains("unable to open")));
}
