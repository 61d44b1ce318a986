//! What middleware may do, and that every kind of application is one (PEP 3333 "Middleware Handling of Block Boundaries").

use http::StatusCode;

use super::*;
use crate::{Middleware, StartError};

/// Joins two pieces into one, by the rules: never waits for a second inner piece, gives something for each.
struct Pairs {
    inner: Body,
    held: Option<Bytes>,
}

impl Iterable for Pairs {
    fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
        match (self.inner.next_chunk(), self.held.take()) {
            (Some(Ok(piece)), Some(held)) => Some(Ok([held, piece].concat().into())),
            (Some(Ok(piece)), None) => {
                self.held = Some(piece);
                // PEP-113: more is needed, so an empty piece says that nothing is there yet.
                Some(Ok(Bytes::new()))
            }
            (None, Some(held)) => Some(Ok(held)),
            (other, _) => other,
        }
    }

    fn close(&mut self) {
        self.inner.close();
    }
}

fn pairs(app: impl Application) -> impl Application {
    move |environ: Environ, start_response: StartResponse| {
        Ok(app.call(environ, start_response)?.wrap(|inner| Pairs { inner, held: None }))
    }
}

#[test]
fn pep_110_111_112_113_114_middleware_gives_something_for_each_inner_piece() {
    let counts = Counts::default();
    let probe = counts.clone();
    let app = pairs(answer(headers![], move || probe.body([Data("a"), Data("b"), Data("c")])));
    let mut exchange = Exchange::call(&app, Environ::example("GET", "/"));
    for (event, pulled) in [(".", 1), ("200 unknown", 2), ("+ab", 2), (".", 3), ("+c", 4), ("end", 4)] {
        assert_eq!(short(&exchange.next()), event);
        assert_eq!(counts.pulled(), pulled, "one inner piece for each outer one: {event}");
    }
    assert_eq!(counts.closed(), 1);
}

#[test]
fn pep_115_middleware_returns_before_its_inner_body_is_read() {
    let endless = answer(headers![], || Body::iter(std::iter::repeat_with(|| Ok("x".into()))));
    let mut exchange = Exchange::call(&pairs(endless), Environ::example("GET", "/"));
    assert_eq!(short(&exchange.next()), ".");
    assert_eq!(short(&exchange.next()), "200 unknown");
}

#[test]
fn pep_116_117_only_written_data_goes_through_the_parents_write() {
    let mixed = app(|_, start_response| {
        start_response(StatusCode::OK, headers![])?.write("w")?;
        Ok(Body::chunks(vec!["y".into(), "z".into()]))
    });
    let pushed = Arc::new(Pushed::default());
    let mut exchange = Exchange::call_with(&pairs(mixed), Environ::example("GET", "/"), Some(pushed.clone()));
    assert_eq!(pushed.events(), ["200 unknown", "+w"]);
    assert_eq!(drive(&mut exchange).events, [".", "+yz", "end"]);
}

#[test]
fn pep_107_a_stack_of_three_closes_the_inner_body_once() {
    let counts = Counts::default();
    let probe = counts.clone();
    let app = pairs(pairs(pairs(answer(headers![], move || probe.body([Data("a"), Data("b")])))));
    let mut exchange = Exchange::call(&app, Environ::example("GET", "/"));
    exchange.next();
    assert_eq!(counts.closed(), 0);
    drop(exchange);
    assert_eq!(counts.closed(), 1);
}

#[test]
fn pep_143_middleware_may_take_an_error_and_answer_in_its_own_way() {
    let failing = || {
        app(|_, start_response| {
            start_response(StatusCode::OK, headers!["x-inner" => "1"])?;
            start_response.with_error(StatusCode::BAD_GATEWAY, headers!["x-inner" => "2"], "inner trouble")?;
            Ok("inner page".into())
        })
    };
    let kind = |app: Box<dyn Application>| {
        move |environ: Environ, start_response: StartResponse| {
            let seen: Arc<Mutex<Option<String>>> = Arc::default();
            let store = Arc::clone(&seen);
            let outer = Arc::new(start_response);
            let inner = Arc::clone(&outer);
            let body = app.call(
                environ,
                StartResponse::new(move |status, headers, error| match error {
                    None => inner(status, headers),
                    Some(error) => {
                        *store.lock().expect("not poisoned") = Some(error.to_string());
                        inner.with_error(StatusCode::SERVICE_UNAVAILABLE, headers!["retry-after" => "1"], error)
                    }
                }),
            )?;
            let seen = seen.lock().expect("not poisoned").take();
            Ok(seen.map_or(body, |error| Body::from(format!("kindly: {error}"))))
        }
    };
    check("GET", kind(Box::new(failing())), &["503 exact=21", "+kindly: inner trouble", "end"], None);
}

#[test]
fn pep_172_wrapped_starts_are_not_the_gateways_own() {
    let tells = || {
        app(|_, start_response| {
            let original = start_response.is_original();
            start_response(StatusCode::OK, headers![])?;
            Ok(original.to_string().into())
        })
    };
    check("GET", tells(), &["200 exact=4", "+true", "end"], None);
    let tells = tells();
    let wrapped = app(move |environ, start_response| tells.call(environ, start_response.map(|s, h| (s, h))));
    check("GET", wrapped, &["200 exact=5", "+false", "end"], None);
}

#[test]
fn pep_83_84_the_error_comes_back_through_middleware() {
    let inner = app(|_, start_response| {
        let write = start_response(StatusCode::OK, headers![])?;
        write.write("part")?;
        match start_response.with_error(StatusCode::BAD_GATEWAY, headers![], "late") {
            Err(StartError::HeadersSent(error)) => Err(error),
            other => panic!("{other:?}"),
        }
    });
    let mapped = app(move |environ, start_response| {
        inner.call(environ, start_response.map(|status, headers| (status, headers)))
    });
    let pushed = Arc::new(Pushed::default());
    let mut exchange = Exchange::call_with(&mapped, Environ::example("GET", "/"), Some(pushed));
    let seen = drive(&mut exchange);
    assert_eq!((seen.events, seen.failure.as_deref()), (vec!["abort".to_owned()], Some("application failed: late")));
}

fn by_name(environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers!["x-method" => environ.request_method().to_string()])?;
    Ok("same".into())
}

struct ByValue;

impl Application for ByValue {
    fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        by_name(environ, start_response)
    }
}

#[test]
fn pep_2_closure_function_struct_and_pointers_answer_alike() {
    fn suite(name: &str, app: impl Application) {
        for (method, events) in [
            ("GET", &["200 exact=4", "+same", "end"][..]),
            ("HEAD", &["200 none", "end"]),
            ("POST", &["200 exact=4", "+same", "end"]),
        ] {
            for again in 0..2 {
                let mut exchange = Exchange::call(&app, Environ::example(method, "/"));
                assert_eq!(drive(&mut exchange).events, events, "{name} {method} {again}");
            }
        }
    }
    suite("function", by_name);
    suite("function pointer", by_name as fn(Environ, StartResponse) -> Result<Body, AppError>);
    suite("closure", |environ: Environ, start_response: StartResponse| by_name(environ, start_response));
    suite("struct", ByValue);
    suite("Arc", Arc::new(ByValue) as Arc<dyn Application>);
    suite("Box", Box::new(by_name) as Box<dyn Application>);
    suite("middleware", Middleware::wrap(&|app| pairs_of_nothing(app), ByValue));
    suite("linted", crate::lint(by_name));
    suite("serial", crate::serial(by_name));
    let unsized_app: &dyn Application = &ByValue;
    assert_eq!(short(&Exchange::call(unsized_app, Environ::example("GET", "/")).next()), "200 exact=4");
}

fn pairs_of_nothing<A: Application>(app: A) -> impl Application {
    move |environ: Environ, start_response: StartResponse| app.call(environ, start_response)
}

#[test]
fn pep_3_36_one_application_answers_many_requests_even_at_once() {
    let app: Arc<dyn Application> = Arc::new(by_name);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let mut environ = Environ::example("GET", "/");
                    environ.run_once = true;
                    assert_eq!(drive(&mut Exchange::call(&app, environ)).events, ["200 exact=4", "+same", "end"]);
                }
            });
        }
    });
}

#[test]
fn pep_11_the_driver_needs_nothing_of_the_environ_after_the_call() {
    let vandal = app(|mut environ, start_response| {
        environ.set("REQUEST_METHOD", "HEAD")?;
        for name in ["SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"] {
            environ.remove(name);
        }
        start_response(StatusCode::OK, headers![])?;
        Ok("still a GET".into())
    });
    check("GET", vandal, &["200 exact=11", "+still a GET", "end"], None);
}

#[test]
fn pep_159_serial_runs_one_call_at_a_time_and_says_so() {
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (now, peak) = (Arc::clone(&running), Arc::clone(&most));
    let app = crate::serial(move |environ: Environ, start_response: StartResponse| {
        assert!(!environ.multithread);
        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::yield_now();
        now.fetch_sub(1, Ordering::SeqCst);
        start_response(StatusCode::OK, headers![])?;
        Ok("x".into())
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let mut environ = Environ::example("GET", "/");
                    environ.multithread = true;
                    drop(Exchange::call(&app, environ));
                }
            });
        }
    });
    assert_eq!(most.load(Ordering::SeqCst), 1);
}
