//! Authorizers from the gateway's side: one written by hand, record by record, and our own worker as one.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod client_support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client_support::{
    Asked, BEGIN, HELLO, LONG, Line, Outcome, PARAMS, STDERR, STDIN, STDOUT, Worker, answer, end, read, read_pairs,
    record,
};
use gateway_fastcgi::client::{Authorizer, Config, Protected};
use gateway_fastcgi::net::Address;
use gateway_spec::{AppError, AsyncApplication, AsyncResponse, Environ, InputStream, StatusCode, headers};

/// What stands behind the authorizer: counts its calls, and answers with the variables asked for and the body.
#[derive(Default)]
struct Behind {
    calls: AtomicUsize,
    seen: Mutex<Vec<(String, String)>>,
}

impl Behind {
    fn variable(&self, name: &str) -> Option<String> {
        self.seen.lock().unwrap().iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

impl AsyncApplication for Behind {
    async fn call(&self, environ: Environ, mut input: InputStream) -> Result<AsyncResponse, AppError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let text = |value: gateway_spec::Value<'_>| String::from_utf8_lossy(value.as_bytes()).into_owned();
        *self.seen.lock().unwrap() = environ.iter().map(|(name, value)| (text(name), text(value))).collect();
        let body = input.read_all(1 << 20).await?;
        Ok(AsyncResponse::new(StatusCode::OK, headers!["x-from" => "behind"], [b"behind:", &body[..]].concat()))
    }
}

/// One question, as an Authorizer gets it.
async fn question(line: &mut Line) -> std::io::Result<Asked> {
    let mut asked = Asked::default();
    let (kind, begin) = line.record().await?;
    assert_eq!((kind, &begin[..2]), (BEGIN, &[0, 2][..]), "FCGI_AUTHORIZER is 2");
    asked.flags = begin[2];
    loop {
        match line.record().await? {
            (PARAMS, content) => read_pairs(&content, &mut asked.params),
            (STDIN, content) => {
                assert!(content.is_empty(), "an Authorizer gets no body");
                return Ok(asked);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// An Authorizer that says this to everybody, and what it was asked.
fn authorizer(says: Vec<u8>) -> (Worker, Arc<Mutex<Vec<Asked>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    let worker = Worker::start(move |_, mut line| {
        let (says, noted) = (says.clone(), Arc::clone(&noted));
        async move {
            loop {
                let question = question(&mut line).await?;
                noted.lock().unwrap().push(question);
                line.write(&says).await?;
            }
        }
    });
    (worker, asked)
}

fn protected(address: &Address, config: Config) -> (Protected, Arc<Behind>) {
    let behind = Arc::new(Behind::default());
    (Authorizer::new(address.clone(), config).protect(behind.clone()), behind)
}

async fn call(app: &Protected, environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
    tokio::time::timeout(LONG, app.call(environ, input)).await.expect("no answer")
}

fn post() -> Environ {
    let mut environ = Environ::example("POST", "/secret?x=1");
    for (name, value) in [
        ("SCRIPT_NAME", "/app"),
        ("CONTENT_LENGTH", "4"),
        ("CONTENT_TYPE", "text/plain"),
        ("REQUEST_URI", "/app/secret?x=1"),
        ("HTTP_AUTHORIZATION", "Basic eA=="),
        ("HTTP_PROXY", "http://evil.example"),
    ] {
        environ.set(name, value).unwrap();
    }
    environ
}

#[tokio::test]
async fn fcgi_95_99_an_authorizer_is_not_told_about_the_body_or_the_place_of_the_program() {
    let (worker, asked) = authorizer(answer(b"Status: 200 OK\r\n\r\n"));
    // DOCUMENT_ROOT would bring PATH_TRANSLATED along.
    let variables = gateway_cgi::variables::MetaVariables::new().document_root("/srv/www");
    let (app, behind) = protected(&worker.address, Config::default().variables(variables));
    let body = InputStream::from(bytes::Bytes::from("body"));
    assert_eq!(read(call(&app, post(), body).await).await, Outcome::whole(b"behind:body"));
    let asked = asked.lock().unwrap().pop().unwrap();
    for name in ["CONTENT_LENGTH", "PATH_INFO", "PATH_TRANSLATED", "SCRIPT_NAME", "HTTP_PROXY"] {
        assert_eq!(asked.param(name), None, "{name}");
    }
    for (name, value) in [
        ("REQUEST_METHOD", "POST"),
        ("REQUEST_URI", "/app/secret?x=1"),
        ("QUERY_STRING", "x=1"),
        ("HTTP_AUTHORIZATION", "Basic eA=="),
        ("DOCUMENT_ROOT", "/srv/www"),
    ] {
        assert_eq!(asked.param(name).as_deref(), Some(value), "{name}");
    }
    // What stands behind is told all of it.
    for (name, value) in [("CONTENT_LENGTH", "4"), ("PATH_INFO", "/secret"), ("SCRIPT_NAME", "/app")] {
        assert_eq!(behind.variable(name).as_deref(), Some(value), "{name}");
    }
}

#[tokio::test]
async fn fcgi_96_of_an_allowing_answer_nothing_but_its_variables_is_taken() {
    let says =
        answer(b"Status: 200 OK\r\nSet-Cookie: a=1\r\nX-From: authorizer\r\nVariables: no\r\n\r\nnot for the client");
    let (worker, _) = authorizer(says);
    let (app, _) = protected(&worker.address, Config::default());
    let response = call(&app, Environ::example("GET", "/"), InputStream::empty()).await.unwrap();
    assert_eq!(response.headers.get("x-from").unwrap(), "behind");
    assert_eq!(response.headers.get("set-cookie"), None);
    assert_eq!(read(Ok(response)).await, Outcome::whole(b"behind:"));
}

#[tokio::test]
async fn fcgi_97_variables_reach_what_stands_behind_however_the_prefix_is_spelled() {
    let says = answer(
        b"Status: 200 OK\r\nVariable-REMOTE_USER: ada\r\nVARIABLE-AUTH_TYPE: Basic\r\nvariable-Staff-Level: 7, or so\r\n\
          Variable-EMPTY:\r\nVariable-TWICE: 1\r\nVariable-TWICE: 2\r\n\r\n",
    );
    let (worker, _) = authorizer(says);
    let (app, behind) = protected(&worker.address, Config::default());
    assert_eq!(read(call(&app, post(), InputStream::empty()).await).await, Outcome::whole(b"behind:"));
    for (name, value) in
        [("REMOTE_USER", "ada"), ("AUTH_TYPE", "Basic"), ("STAFF_LEVEL", "7, or so"), ("EMPTY", ""), ("TWICE", "2")]
    {
        assert_eq!(behind.variable(name).as_deref(), Some(value), "{name}");
    }
}

#[tokio::test]
async fn fcgi_98_a_denial_is_the_answer_and_nobody_else_is_asked() {
    for (says, status, body) in [
        (&b"Status: 401 No\r\nWWW-Authenticate: Basic\r\nVariable-REMOTE_USER: eve\r\n\r\nwho?"[..], 401, &b"who?"[..]),
        (b"Status: 403 No\r\n\r\n", 403, b""),
        (b"Status: 204 Nothing\r\n\r\n", 204, b""),
        (b"Status: 302 Found\r\nLocation: https://login.example/\r\n\r\n", 302, b""),
        (b"Location: /login\r\n\r\n", 302, b""),
        (b"Status: 500 Broken\r\n\r\ntrouble", 500, b"trouble"),
    ] {
        let (worker, _) = authorizer(answer(says));
        let (app, behind) = protected(&worker.address, Config::default());
        let response = call(&app, post(), InputStream::empty()).await.unwrap();
        if status == 401 {
            assert_eq!(response.headers.get("www-authenticate").unwrap(), "Basic");
        }
        if status == 302 {
            assert!(response.headers.contains("location"));
        }
        assert_eq!(read(Ok(response)).await, Outcome::Whole(status, body.to_vec()));
        assert_eq!(behind.calls.load(Ordering::SeqCst), 0, "{status}");
    }
}

#[tokio::test]
async fn fcgi_100_neither_client_nor_verdict_can_stand_where_it_should_not() {
    let says = answer(
        b"Status: 200 OK\r\nVariable-REMOTE_USER: ada\r\nVariable-PATH_INFO: /other\r\nVariable-SCRIPT_NAME: /x\r\n\
          Variable-HTTP_HOST: evil\r\nVariable-CONTENT_LENGTH: 99\r\nVariable-: x\r\nVariable-1A: x\r\n\r\n",
    );
    let (worker, _) = authorizer(says);
    let (app, behind) = protected(&worker.address, Config::default());
    let environ = Environ::builder()
        .variable("REQUEST_METHOD", "GET")
        .variable("SERVER_NAME", "h")
        .variable("SERVER_PORT", "80")
        .variable("SERVER_PROTOCOL", "HTTP/1.1")
        .variable("SCRIPT_NAME", "")
        .variable("PATH_INFO", "/secret")
        .header(b"Host", b"h")
        .header(b"Remote-User", b"eve")
        .header(b"Remote_User", b"eve")
        .header(b"Variable-REMOTE_USER", b"eve")
        .header(b"Variable-Remote-User", b"eve")
        .build()
        .unwrap();
    assert_eq!(read(call(&app, environ, InputStream::empty()).await).await, Outcome::whole(b"behind:"));
    for (name, value) in [("REMOTE_USER", "ada"), ("PATH_INFO", "/secret"), ("SCRIPT_NAME", ""), ("HTTP_HOST", "h")] {
        assert_eq!(behind.variable(name).as_deref(), Some(value), "{name}");
    }
    for name in ["CONTENT_LENGTH", "1A", ""] {
        assert_eq!(behind.variable(name), None, "{name}");
    }
}

#[tokio::test]
async fn a_variable_that_the_verdict_does_not_set_is_not_set_by_a_client() {
    let (worker, _) = authorizer(answer(b"Status: 200 OK\r\n\r\n"));
    let (app, behind) = protected(&worker.address, Config::default());
    let mut environ = Environ::example("GET", "/");
    environ.set("HTTP_REMOTE_USER", "eve").unwrap();
    read(call(&app, environ, InputStream::empty()).await).await;
    assert_eq!((behind.calls.load(Ordering::SeqCst), behind.variable("REMOTE_USER")), (1, None));
}

#[tokio::test]
async fn fcgi_82_96_without_a_verdict_nobody_is_let_in() {
    let allow: &[u8] = b"Status: 200 OK\r\nVariable-REMOTE_USER: eve\r\n";
    let rows: Vec<(&str, Vec<u8>, u16)> = vec![
        ("overloaded", end(0, 2), 503),
        ("unknown role", end(0, 3), 502),
        ("no head", end(0, 0), 502),
        ("half a head", [record(STDOUT, allow), end(0, 0)].concat(), 502),
        ("neither status nor type", answer(b"Variable-REMOTE_USER: eve\r\n\r\n"), 502),
        ("a bad status", answer(b"Status: 2000\r\n\r\n"), 502),
        ("garbage", b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), 502),
    ];
    for (name, says, status) in rows {
        let (worker, _) = authorizer(says);
        let (app, behind) = protected(&worker.address, Config::default());
        let outcome = read(call(&app, post(), InputStream::empty()).await).await;
        assert_eq!((outcome, behind.calls.load(Ordering::SeqCst)), (Outcome::Failed(status), 0), "{name}");
    }
    let gone = Worker::start(|_, mut line| async move { question(&mut line).await.map(drop) });
    let (app, behind) = protected(&gone.address, Config::default());
    assert_eq!(read(call(&app, post(), InputStream::empty()).await).await, Outcome::Failed(502));
    let missing = Address::unix(gone.address.unix_path().unwrap().with_file_name("none"));
    let (app, still_behind) = protected(&missing, Config::default());
    assert_eq!(read(call(&app, post(), InputStream::empty()).await).await, Outcome::Failed(502));
    let silent = Worker::start(|_, mut line| async move {
        line.closed().await;
        Ok(())
    });
    let (app, left_behind) = protected(&silent.address, Config::default().head_timeout(Duration::from_millis(50)));
    assert_eq!(read(call(&app, post(), InputStream::empty()).await).await, Outcome::Failed(504));
    let calls = [behind, still_behind, left_behind].map(|behind| behind.calls.load(Ordering::SeqCst));
    assert_eq!(calls, [0, 0, 0]);
}

#[tokio::test]
async fn kept_connections_serve_many_questions_and_stderr_is_for_the_log() {
    let says = [record(STDERR, b"looked up ada\n"), answer(b"Status: 200 OK\r\n\r\nignored")].concat();
    let (worker, asked) = authorizer(says);
    let (app, behind) = protected(&worker.address, Config::default());
    for _ in 0..5 {
        let (log, errors) = client_support::Log::stream();
        let mut environ = Environ::example("GET", "/");
        environ.errors = errors;
        assert_eq!(read(call(&app, environ, InputStream::empty()).await).await, Outcome::whole(b"behind:"));
        assert!(log.0.lock().unwrap().contains("looked up ada"));
    }
    // The end of one verdict may still be on its way when the next is asked for.
    assert!(worker.connections() <= 2, "{} connections", worker.connections());
    assert_eq!((asked.lock().unwrap().len(), behind.calls.load(Ordering::SeqCst)), (5, 5));
    assert_eq!(asked.lock().unwrap()[0].flags, 1);
}

#[tokio::test]
async fn a_responder_behind_an_authorizer_gets_the_variables() {
    let (guard, _) = authorizer(answer(b"Status: 200 OK\r\nVariable-REMOTE_USER: ada\r\n\r\n"));
    let seen = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&seen);
    let responder = Worker::start(move |_, mut line| {
        let noted = Arc::clone(&noted);
        async move {
            *noted.lock().unwrap() = line.request().await?.param("REMOTE_USER");
            line.write(&answer(HELLO)).await
        }
    });
    let app = Authorizer::new(guard.address.clone(), Config::default()).protect(Arc::new(responder.client()));
    assert_eq!(
        read(call(&app, post(), InputStream::from(bytes::Bytes::from("body"))).await).await,
        Outcome::whole(b"hello")
    );
    assert_eq!(seen.lock().unwrap().as_deref(), Some("ada"));
}

/// The two sides of this crate together.
#[cfg(feature = "worker")]
#[tokio::test(flavor = "multi_thread")]
async fn fcgi_95_to_99_our_own_worker_as_an_authorizer() {
    use gateway_fastcgi::net::{ListenOptions, Listener};
    use gateway_fastcgi::worker::{Roles, Verdict, WorkerConfig};

    let staff_only = |environ: Environ| -> Result<Verdict, AppError> {
        assert!(environ.get("PATH_INFO").is_none_or(|path| path.is_empty()));
        Ok(match environ.header("authorization") {
            Some(token) if token == "Bearer 42" => Verdict::allow().variable("REMOTE_USER", "ada"),
            _ => Verdict::deny(StatusCode::UNAUTHORIZED, headers!["www-authenticate" => "Bearer"], "Who are you?\n"),
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let address = Address::unix(folder.path().join("s"));
    let listener = Listener::bind(&address, &ListenOptions::default()).await.unwrap();
    let worker =
        gateway_fastcgi::worker::Worker::with_roles(Roles::none().authorizer(staff_only), WorkerConfig::default());
    let serving = tokio::spawn(worker.serve(listener));
    let (app, behind) = protected(&address, Config::default());
    let mut environ = post();
    assert_eq!(
        read(call(&app, post(), InputStream::empty()).await).await,
        Outcome::Whole(401, b"Who are you?\n".to_vec())
    );
    environ.set("HTTP_AUTHORIZATION", "Bearer 42").unwrap();
    let body = InputStream::from(bytes::Bytes::from("body"));
    assert_eq!(read(call(&app, environ, body).await).await, Outcome::whole(b"behind:body"));
    assert_eq!(behind.variable("REMOTE_USER").as_deref(), Some("ada"));
    serving.abort();
}
