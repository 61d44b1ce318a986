//! The client against this crate's own worker, over both kinds of socket.
#![cfg(all(feature = "client", feature = "worker"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value
)]

mod client_support;

use bytes::Bytes;
use client_support::{LONG, Log, Outcome, Pieces, call, read};
use gateway_fastcgi::client::{Client, Config};
use gateway_fastcgi::net::{Address, ListenOptions, Listener};
use gateway_fastcgi::worker::Worker;
use gateway_spec::{AppError, Body, Environ, InputStream, StartResponse, StatusCode, headers};

/// Echoes bodies, makes bodies, says what it was told, and fails in two ways.
fn app(mut environ: Environ, start: StartResponse) -> Result<Body, AppError> {
    let path = environ.path_info().to_str()?.to_owned();
    let ok = |headers| start(StatusCode::OK, headers);
    match path.as_str() {
        "/hello" => {
            ok(
                headers!["content-type" => "text/plain", "content-length" => 5, "set-cookie" => "a=1", "set-cookie" => "b=2"],
            )?;
            Ok("hello".into())
        }
        "/echo" => {
            ok(headers!["content-type" => "a/b"])?;
            let mut input = std::mem::take(&mut environ.input);
            Ok(Body::iter(std::iter::from_fn(move || match input.chunk(64 * 1024) {
                Ok(chunk) if chunk.is_empty() => None,
                chunk => Some(chunk.map_err(AppError::from)),
            })))
        }
        "/count" => {
            let mut count = 0;
            loop {
                let chunk = environ.input.chunk(64 * 1024)?;
                if chunk.is_empty() {
                    break;
                }
                count += chunk.len();
            }
            ok(headers!["content-type" => "text/plain"])?;
            Ok(format!("{count} of {:?}", environ.content_length()).into())
        }
        "/bytes" => {
            ok(headers!["content-type" => "a/b"])?;
            let piece = Bytes::from(vec![b'x'; 100_000]);
            Ok(Body::iter((0..100).map(move |_| Ok(piece.clone()))))
        }
        "/stderr" => {
            environ.errors.write("from the worker\n");
            ok(headers!["content-type" => "a/b"])?;
            Ok("written".into())
        }
        "/fail/before" => Err("broken".into()),
        "/fail/after" => {
            ok(headers!["content-type" => "a/b"])?;
            Ok(Body::iter([Ok(Bytes::from("half")), Err("broken".into())].into_iter()))
        }
        "/not-modified" => {
            start(StatusCode::NOT_MODIFIED, headers![])?;
            Ok(Body::empty())
        }
        _ => {
            start(StatusCode::NOT_FOUND, headers!["content-type" => "text/plain"])?;
            Ok(path.into())
        }
    }
}

struct Served {
    client: Client,
    _directory: tempfile::TempDir,
}

async fn serve(tcp: bool) -> Served {
    let directory = tempfile::tempdir().unwrap();
    let address = if tcp { Address::tcp("127.0.0.1", 0) } else { Address::unix(directory.path().join("socket")) };
    let listener = Listener::bind(&address, &ListenOptions::default()).await.unwrap();
    let client = Client::new(listener.address().clone(), Config::default().max_kept(32));
    tokio::spawn(Worker::new(app).serve(listener));
    Served { client, _directory: directory }
}

impl Served {
    async fn ask(&self, method: &str, path: &str, input: InputStream) -> Outcome {
        let mut environ = Environ::example(method, path);
        environ.errors = Log::stream().1;
        if let Some(length @ 1..) = input.length() {
            environ.set("CONTENT_LENGTH", length.to_string()).unwrap();
        }
        read(call(&self.client, environ, input).await).await
    }

    async fn get(&self, path: &str) -> Outcome {
        self.ask("GET", path, InputStream::empty()).await
    }
}

async fn check_everything(served: &Served) {
    assert_eq!(served.get("/hello").await, Outcome::whole(b"hello"));
    assert_eq!(served.get("/nothing").await, Outcome::Whole(404, b"/nothing".to_vec()));
    assert_eq!(served.get("/not-modified").await, Outcome::Whole(304, Vec::new()));
    assert_eq!(served.ask("HEAD", "/hello", InputStream::empty()).await, Outcome::whole(b""));
    assert_eq!(served.get("/bytes").await, Outcome::whole(&vec![b'x'; 10_000_000]));
    for (length, declared) in [(0, true), (5, true), (5_000_000, true), (0, false), (5, false), (5_000_000, false)] {
        let input = Pieces::stream(length, 70_000, declared.then_some(length as u64)).0;
        assert_eq!(served.ask("POST", "/echo", input).await, Outcome::whole(&vec![b'x'; length]), "{length}");
    }
    let input = Pieces::stream(1_000_000, 30_000, None).0;
    assert_eq!(served.ask("POST", "/count", input).await, Outcome::whole(b"1000000 of Some(1000000)"));
    assert!(matches!(served.get("/fail/before").await, Outcome::Whole(500, _)));
    // What an application leaves half done is half done here as well, however the worker says so.
    let half = served.get("/fail/after").await;
    assert!(matches!(half, Outcome::Broken(200, 4)), "{half:?}");
    // A body that is not read.
    let input = Pieces::stream(5_000_000, 70_000, Some(5_000_000)).0;
    assert_eq!(served.ask("POST", "/hello", input).await, Outcome::whole(b"hello"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_client_and_the_worker_understand_each_other_over_unix() {
    check_everything(&serve(false).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_client_and_the_worker_understand_each_other_over_tcp() {
    check_everything(&serve(true).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cgi_134_set_cookie_fields_stay_apart() {
    let served = serve(false).await;
    let response = call(&served.client, Environ::example("GET", "/hello"), InputStream::empty()).await.unwrap();
    let cookies: Vec<_> = response.headers.get_all("set-cookie").cloned().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fcgi_83_error_output_of_the_worker_is_in_the_log_of_the_request() {
    let served = serve(false).await;
    let (log, errors) = Log::stream();
    let mut environ = Environ::example("GET", "/stderr");
    environ.errors = errors;
    assert_eq!(read(call(&served.client, environ, InputStream::empty()).await).await, Outcome::whole(b"written"));
    assert_eq!(*log.0.lock().unwrap(), "from the worker\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_requests_share_the_connections() {
    let served = std::sync::Arc::new(serve(false).await);
    let calls: Vec<_> = (0..300)
        .map(|number: usize| {
            let served = served.clone();
            tokio::spawn(async move {
                match number % 3 {
                    0 => assert_eq!(served.get("/hello").await, Outcome::whole(b"hello")),
                    1 => {
                        let input = Pieces::stream(100_000, 9_000, Some(100_000)).0;
                        assert_eq!(served.ask("POST", "/echo", input).await, Outcome::whole(&vec![b'x'; 100_000]));
                    }
                    _ => assert_eq!(served.get("/bytes").await, Outcome::whole(&vec![b'x'; 10_000_000])),
                }
            })
        })
        .collect();
    for call in calls {
        tokio::time::timeout(LONG, call).await.unwrap().unwrap();
    }
    assert!(served.client.idle_connections() <= 32);
}
