//! The demonstration called directly, as a gateway would.

use gateway_spec::{Application, Environ, Event, Exchange, Headers, Input};

use super::*;

struct Answer {
    status: u16,
    headers: Headers,
    body: String,
}

fn ask(app: &impl Application, environ: Environ) -> Answer {
    let mut exchange = Exchange::call(app, environ);
    let mut answer = Answer { status: 0, headers: Headers::new(), body: String::new() };
    loop {
        match exchange.next() {
            Event::Head(head) => (answer.status, answer.headers) = (head.status.as_u16(), head.headers),
            Event::Chunk(chunk) => answer.body.push_str(std::str::from_utf8(&chunk).unwrap()),
            Event::Nothing => {}
            Event::End => return answer,
            Event::Abort => panic!("{:?}", exchange.take_failure()),
        }
    }
}

fn environ(method: &str, path: &str, variables: &[(&str, &str)]) -> Environ {
    let mut environ = Environ::example(method, path);
    for (name, value) in variables {
        environ.set(name, value).unwrap();
    }
    environ
}

const HTML: (&str, &str) = ("HTTP_ACCEPT", "text/html,application/xhtml+xml,*/*;q=0.8");

#[test]
fn each_way_says_its_name_and_what_is_particular_to_it() {
    for (way, words) in [
        (Way::InProcess, "calls the application as a function"),
        (Way::Cgi, "starts a new process for this one request"),
        (Way::FastCgi, "stays for the next request"),
    ] {
        let demo = Demo::new(way);
        for variables in [&[HTML][..], &[]] {
            let answer = ask(&demo, environ("GET", "/", variables));
            assert_eq!(answer.status, 200);
            assert!(answer.body.contains(way.title()) && answer.body.contains(words), "{way:?}: {}", answer.body);
            assert!(answer.body.contains(&std::process::id().to_string()));
        }
    }
}

#[test]
fn browsers_get_html_and_programs_get_text() {
    let demo = Demo::new(Way::Cgi);
    let kind = |variables: &[(&str, &str)]| {
        let headers = ask(&demo, environ("GET", "/", variables)).headers;
        assert_eq!(headers.get("vary").unwrap(), "accept");
        headers.get("content-type").unwrap().to_str().unwrap().to_owned()
    };
    assert_eq!(kind(&[HTML]), "text/html; charset=utf-8");
    assert_eq!(kind(&[("HTTP_ACCEPT", "*/*")]), "text/plain; charset=utf-8");
    assert_eq!(kind(&[]), "text/plain; charset=utf-8");
}

#[test]
fn what_came_from_the_client_is_escaped() {
    let attack = "\"><script>alert('1')</script>&";
    let mut given = environ("POST", "/echo", &[HTML, ("HTTP_X_ATTACK", attack), ("CONTENT_TYPE", attack)]);
    given.set("SCRIPT_NAME", "/\"><script>").unwrap();
    given.set("HTTP_X_BYTES", b"\xff\x1b[31m").unwrap();
    given.input = Input::from(attack);
    let page = ask(&Demo::new(Way::Cgi).with_neighbours(), given).body;
    assert!(!page.contains("<script>"), "{page}");
    assert!(!page.contains('\x1b'), "{page}");
    assert!(page.contains("&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;"), "{page}");
    assert!(page.contains(r"\xff\u{1b}[31m"), "{page}");
    assert!(page.contains(r#"action="/%22%3E%3Cscript%3E/echo""#), "{page}");
}

#[test]
fn the_page_allows_its_own_script_and_no_other() {
    let demo = Demo::new(Way::Cgi);
    let nonce = || {
        let answer = ask(&demo, environ("GET", "/", &[HTML]));
        let policy = answer.headers.get("content-security-policy").unwrap().to_str().unwrap().to_owned();
        let nonce = policy.split("script-src 'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
        assert!(answer.body.contains(&format!("<script nonce=\"{nonce}\">")));
        assert!(policy.starts_with("default-src 'none'"));
        assert_eq!(answer.body.matches("<script").count(), 1);
        assert!(!answer.body.contains("src="), "nothing comes from elsewhere");
        nonce
    };
    assert_eq!(nonce().len(), 32);
    assert_ne!(nonce(), nonce());
}

#[test]
fn calls_of_one_process_are_counted() {
    let demo = Demo::new(Way::FastCgi);
    for number in 1..=3 {
        let body = ask(&demo, environ("GET", "/", &[])).body;
        assert!(body.contains(&format!("calls of this process so far: {number}\n")), "{body}");
    }
}

#[test]
fn neighbours_are_linked_only_where_they_are() {
    let at = |demo: Demo, variables: &[(&str, &str)]| {
        let mut given = environ("GET", "/", variables);
        given.set("SCRIPT_NAME", "/x/cgi").unwrap();
        ask(&demo, given).body
    };
    for variables in [&[HTML][..], &[]] {
        let page = at(Demo::new(Way::Cgi).with_neighbours(), variables);
        for segment in ["inprocess", "cgi", "fastcgi"] {
            assert!(page.contains(&format!("/x/{segment}/")), "{page}");
        }
        assert!(!at(Demo::new(Way::Cgi), variables).contains("/x/fastcgi/"));
    }
}

#[test]
fn the_form_is_echoed_whole_or_cut_but_counted() {
    let echo = |body: String| {
        let mut given = environ("POST", "/echo", &[("CONTENT_TYPE", "text/x-test")]);
        given.set("CONTENT_LENGTH", body.len().to_string()).unwrap();
        given.input = Input::from(gateway_spec::Bytes::from(body));
        ask(&Demo::new(Way::InProcess), given).body
    };
    assert!(echo("Hello".into()).contains("received 5 bytes of text/x-test:\nHello\n"));
    let long = echo("x".repeat(100_000));
    assert!(long.contains("received 100000 bytes") && long.contains("x (cut)\n"));
    assert!(long.matches('x').count() < 5000);
}

#[test]
fn the_stream_gives_its_lines_one_by_one() {
    let mut exchange = Exchange::call(&Demo::new(Way::InProcess), environ("GET", "/stream", &[]));
    assert!(matches!(exchange.next(), Event::Head(head) if head.status == 200));
    assert!(matches!(exchange.next(), Event::Chunk(line) if line.starts_with(b"line 1 of 10")));
    assert!(matches!(exchange.next(), Event::Chunk(line) if line.starts_with(b"line 2 of 10")));
}

#[test]
fn other_paths_and_methods_are_answered_properly() {
    let rows = [
        ("GET", "/nothing", 404, None),
        ("GET", "/echo/", 404, None),
        ("GET", "/echo", 405, Some("POST")),
        ("POST", "/", 405, Some("GET, HEAD")),
        ("DELETE", "/stream", 405, Some("GET, HEAD")),
    ];
    for (method, path, status, allow) in rows {
        let answer = ask(&Demo::new(Way::Cgi), environ(method, path, &[]));
        let allowed = answer.headers.get("allow").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!((answer.status, allowed.as_deref()), (status, allow), "{method} {path}");
    }
}

#[test]
fn pep_14_without_the_closing_slash_both_pages_redirect_to_it() {
    let mut given = environ("GET", "", &[("SCRIPT_NAME", "/a b/cgi")]);
    given.set("PATH_INFO", "").unwrap();
    let answer = ask(&Demo::new(Way::Cgi), given);
    assert_eq!((answer.status, answer.headers.get("location").unwrap().to_str().unwrap()), (308, "/a%20b/cgi/"));
}

#[test]
fn the_front_page_leads_to_all_three() {
    for variables in [&[HTML][..], &[]] {
        let page = ask(&FrontPage, environ("GET", "/", variables)).body;
        for way in Way::ALL {
            assert!(page.contains(way.title()) && page.contains(&format!("/{}/", way.segment())), "{page}");
        }
    }
    assert_eq!(ask(&FrontPage, environ("GET", "/favicon.ico", &[HTML])).status, 404);
    assert_eq!(ask(&FrontPage, environ("POST", "/", &[HTML])).status, 405);
}
