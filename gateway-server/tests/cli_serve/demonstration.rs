//! `gateway serve` without a word: the demonstration on all three gateways.

use std::io::{Read, Write};

use crate::gateway::Gateway;

fn tour() -> Gateway {
    Gateway::serve(&std::env::temp_dir(), &["--no-access-log"])
}

#[test]
fn the_front_page_and_all_three_gateways_answer_and_say_which_they_are() {
    let gateway = tour();
    let front = gateway.get("/");
    assert_eq!(front.status, 200);
    for (path, title) in [("/inprocess/", "In-process"), ("/cgi/", "CGI"), ("/fastcgi/", "FastCGI")] {
        assert!(front.body.contains(path), "{}", front.body);
        let answer = gateway.get(&format!("{path}?q=1"));
        assert_eq!((answer.status, answer.body.lines().next()), (200, Some(title)));
        assert_eq!(answer.line("SCRIPT_NAME"), path.trim_end_matches('/'));
        assert_eq!(answer.line("PATH_INFO"), "/");
        assert_eq!(answer.line("QUERY_STRING"), "q=1");
        assert_eq!(answer.line("SERVER_PROTOCOL"), "HTTP/1.0");
        let html = gateway.ask("GET", path, &["Accept: text/html"], "");
        assert!(html.body.contains(&format!("<h1>{title}</h1>")) && html.body.contains("<svg"), "{path}");
        let redirect = gateway.get(path.trim_end_matches('/'));
        assert_eq!((redirect.status, redirect.field("location")), (308, Some(path)));
    }
}

#[test]
fn only_the_process_that_answers_differs() {
    let gateway = tour();
    let pids = |path: &str| [1, 2].map(|_| gateway.get(path).line("process id").parse::<u32>().unwrap());
    let [first, second] = pids("/inprocess/");
    assert_eq!((first, second), (gateway.id(), gateway.id()));
    let [first, second] = pids("/cgi/");
    assert!(first != second && first != gateway.id() && second != gateway.id(), "a process for each request");
    let workers: Vec<u32> = crate::gateway::children(gateway.id());
    for pid in pids("/fastcgi/") {
        assert!(workers.contains(&pid), "{pid} is one of the workers {workers:?}");
    }
}

#[test]
fn what_is_posted_comes_back_on_every_way() {
    let gateway = tour();
    for way in ["inprocess", "cgi", "fastcgi"] {
        let answer = gateway.ask("POST", &format!("/{way}/echo"), &["Content-Type: text/x-test"], "Hello, gateway!");
        assert!(answer.body.contains("received 15 bytes of text/x-test:\nHello, gateway!\n"), "{}", answer.body);
    }
}

#[test]
fn lines_of_the_stream_arrive_before_the_last_one_is_made() {
    let gateway = tour();
    for way in ["inprocess", "cgi", "fastcgi"] {
        let mut stream = gateway.connect();
        write!(stream, "GET /{way}/stream HTTP/1.0\r\n\r\n").unwrap();
        let mut arrived = Vec::new();
        while !arrived.windows(6).any(|window| window == b"line 1") {
            let mut piece = [0; 4096];
            let length = stream.read(&mut piece).unwrap();
            assert_ne!(length, 0, "{way}: ended early");
            arrived.extend_from_slice(&piece[..length]);
        }
        assert!(!arrived.windows(7).any(|window| window == b"line 10"), "{way}: all came at once");
    }
}

#[test]
fn head_and_unknown_paths_are_answered_on_every_way() {
    let gateway = tour();
    for way in ["inprocess", "cgi", "fastcgi"] {
        let head = gateway.ask("HEAD", &format!("/{way}/"), &[], "");
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        assert_eq!(gateway.get(&format!("/{way}/nothing")).status, 404);
        let refused = gateway.ask("DELETE", &format!("/{way}/"), &[], "");
        assert_eq!((refused.status, refused.field("allow")), (405, Some("GET, HEAD")));
    }
    assert_eq!(gateway.get("/nothing").status, 404);
}
