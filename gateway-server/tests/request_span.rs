//! The span of a request, as a subscriber of a program sees it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "helpers of tests, where a failure is a panic"
)]

use gateway_fastcgi::net::Address;
use gateway_server::serve::{Config, Model, Server};
use gateway_server::telemetry::Telemetry;
use gateway_spec::{AppError, Body, Environ, Hops, StartResponse, StatusCode, headers};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What each span was told, and which have closed.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<BTreeMap<u64, BTreeMap<String, String>>>>);

struct Listener {
    spans: Spans,
    next: AtomicU64,
}

struct Told<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Told<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "gateway_server::request"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        let mut told = BTreeMap::new();
        span.record(&mut Told(&mut told));
        self.spans.0.lock().unwrap().insert(id, told);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        values.record(&mut Told(self.spans.0.lock().unwrap().get_mut(&span.into_u64()).unwrap()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

const WAITED: Duration = Duration::from_millis(7);
const UPSTREAM: Duration = Duration::from_millis(5);
const CALL: Duration = Duration::from_millis(20);

/// As a mount that waits for a place and asks somebody.
fn asks(environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let hops = environ.extensions.get::<Hops>().ok_or("nobody wants the times")?;
    hops.waited(WAITED);
    hops.answered("127.0.0.1:9", UPSTREAM);
    std::thread::sleep(CALL);
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok("done".into())
}

fn ask(config: Config) {
    let bound = Server::new(asks).config(config).bind("127.0.0.1:0").unwrap();
    let Some(Address::Tcp { port, .. }) = bound.addresses().next() else { panic!("no address") };
    let (port, handle) = (*port, bound.handle());
    let serving = std::thread::spawn(|| bound.run());
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("done"), "{answer}");
    handle.stop();
    serving.join().unwrap().unwrap();
}

#[test]
fn the_span_of_a_request_has_its_id_and_where_its_time_went() {
    let spans = Spans::default();
    let listener = Listener { spans: spans.clone(), next: AtomicU64::new(1) };
    tracing::subscriber::set_global_default(listener).unwrap();
    for model in Model::ALL {
        let config = Config::default().threads(2).model(model).linger_timeout(Duration::from_millis(100));
        ask(config.clone());
        ask(config.telemetry(Telemetry::new().request_ids(true)));
    }
    let told = spans.0.lock().unwrap();
    assert_eq!(told.len(), 2 * Model::ALL.len(), "{told:?}");
    for (id, fields) in told.iter() {
        let micros = |name: &str| Duration::from_micros(fields[name].parse().unwrap());
        assert!(micros("queue_us") >= WAITED, "{fields:?}");
        let in_application = micros("application_us");
        assert!(in_application >= CALL - WAITED && in_application < Duration::from_secs(20), "{fields:?}");
        assert_eq!(micros("upstream_us"), UPSTREAM);
        // Every second server gives ids.
        assert_eq!(fields.get("request_id").map(|id| id.trim_matches('"').len()), (id % 2 == 0).then_some(32));
    }
}
