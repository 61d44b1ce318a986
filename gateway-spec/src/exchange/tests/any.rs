//! Any application, also a wild one: what no behaviour may bring the driver to do.

use http::StatusCode;
use proptest::prelude::*;

use super::*;
use crate::{StartError, Write};

/// One thing an application does during its call or while its body is iterated.
#[derive(Debug, Clone)]
enum Act {
    /// A start, or a restart, with this status, maybe a length, maybe a field that is refused.
    Start {
        status: u16,
        length: Option<u8>,
        bad: bool,
        restart: bool,
    },
    Write(u8),
    Give(u8),
    Fail,
    Panic,
}

fn act() -> impl Strategy<Value = Act> {
    let status =
        prop_oneof![6 => Just(200), 1 => Just(204), 1 => Just(205), 1 => Just(304), 1 => Just(500), 1 => Just(101)];
    let start = (status, proptest::option::of(0_u8..6), proptest::bool::weighted(0.1), any::<bool>());
    prop_oneof![
        4 => start.prop_map(|(status, length, bad, restart)| Act::Start { status, length, bad, restart }),
        3 => (0_u8..4).prop_map(Act::Write),
        5 => (0_u8..4).prop_map(Act::Give),
        1 => Just(Act::Fail),
        1 => Just(Act::Panic),
    ]
}

/// Does one act; what it gives is a piece of the body. Whether errors are passed on or ignored is up to `honest`.
fn perform(
    act: &Act,
    honest: bool,
    start_response: &StartResponse,
    write: &mut Option<Write>,
) -> Result<Option<Bytes>, AppError> {
    match act {
        Act::Start { status, length, bad, restart } => {
            let status = StatusCode::from_u16(*status)?;
            let mut fields =
                length.map_or_else(|| headers![], |length| headers!["content-length" => u64::from(length)]);
            if *bad {
                fields.append("upgrade", "h2c");
            }
            let started: Result<Write, StartError> = match restart {
                true => start_response.with_error(status, fields, "a reason"),
                false => start_response(status, fields),
            };
            match started {
                Ok(handle) => *write = Some(handle),
                Err(error) if honest => return Err(error.into()),
                Err(_) => {}
            }
        }
        Act::Write(len) => {
            let written = write.as_ref().map(|write| write.write(vec![b'w'; usize::from(*len)]));
            if let Some(Err(error)) = written.filter(|_| honest) {
                return Err(error.into());
            }
        }
        Act::Give(len) => return Ok(Some(vec![b'g'; usize::from(*len)].into())),
        Act::Fail => return Err("wild".into()),
        Act::Panic => panic!("wild"),
    }
    Ok(None)
}

/// Performs the first acts in its call and the rest in its body.
fn wild(call: Vec<Act>, body: Vec<Act>, honest: bool, closed: Arc<AtomicUsize>) -> impl Application {
    app(move |_, start_response| {
        let mut write = None;
        for act in &call {
            perform(act, honest, &start_response, &mut write)?;
        }
        let mut acts = body.clone().into_iter();
        let closed = Arc::clone(&closed);
        let pieces = std::iter::from_fn(move || {
            let act = acts.next()?;
            Some(perform(&act, honest, &start_response, &mut write).map(Option::unwrap_or_default))
        });
        Ok(Body::iter(pieces).on_close(move || {
            closed.fetch_add(1, Ordering::SeqCst);
        }))
    })
}

/// What a client can see: the head, the bytes, and whether they are whole.
fn check_order(events: &[String]) -> Result<(), TestCaseError> {
    let (last, before) = events.split_last().expect("an event");
    prop_assert!(last == "end" || last == "abort");
    let heads: Vec<_> = before.iter().filter(|event| event.starts_with(|c: char| c.is_ascii_digit())).collect();
    prop_assert!(heads.len() <= 1, "one head: {:?}", events);
    let chunks = before.iter().position(|event| event.starts_with('+'));
    let head = before.iter().position(|event| event.starts_with(|c: char| c.is_ascii_digit()));
    prop_assert!(chunks.is_none_or(|chunk| head.is_some_and(|head| head < chunk)), "head first: {:?}", events);
    prop_assert!(before.iter().all(|event| event != "+"), "no empty chunk: {:?}", events);
    prop_assert!(head.is_some() || last == "abort", "an end has a head: {:?}", events);
    let sent: usize = before.iter().filter_map(|event| event.strip_prefix('+')).map(decoded_len).sum();
    match heads.first().and_then(|head| head.split_once(' ')) {
        Some((status, framing)) => {
            prop_assert!(status != "101");
            let most = match framing.strip_prefix("exact=") {
                Some(length) => length.parse().expect("a length"),
                None if framing == "none" => 0,
                None => usize::MAX,
            };
            prop_assert!(sent <= most, "never more than declared: {:?}", events);
            let whole = framing == "unknown" || sent == most;
            prop_assert!(whole || last == "abort", "what is short is broken off: {:?}", events);
        }
        None => prop_assert_eq!(sent, 0),
    }
    Ok(())
}

/// The texts are escaped; only the error page holds an escape, of one byte.
fn decoded_len(text: &str) -> usize {
    text.replace("\\n", "n").len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn pep_72_83_90_104_no_application_brings_the_driver_out_of_order(
        call in proptest::collection::vec(act(), 0..5),
        body in proptest::collection::vec(act(), 0..6),
        honest in any::<bool>(),
        head in proptest::bool::weighted(0.2),
        pulls in proptest::option::of(0_usize..6),
    ) {
        let method = if head { "HEAD" } else { "GET" };
        let closed = Arc::new(AtomicUsize::new(0));
        let app: Arc<dyn Application> = Arc::new(wild(call, body, honest, Arc::clone(&closed)));

        // Queued: everything comes out of the exchange.
        let mut exchange = Exchange::call(&app, Environ::example(method, "/"));
        let queued = drive(&mut exchange);
        check_order(&queued.events)?;
        drop(exchange);
        let returned = closed.swap(0, Ordering::SeqCst);
        prop_assert!(returned <= 1);

        // Pushed: what was pushed, then what comes out.
        let sink = Arc::new(Pushed::default());
        let mut exchange = Exchange::call_with(&app, Environ::example(method, "/"), Some(sink.clone()));
        let pushed = drive(&mut exchange);
        let events = [sink.events(), pushed.events].concat();
        check_order(&events)?;
        drop(exchange);
        prop_assert_eq!(closed.swap(0, Ordering::SeqCst), returned, "closed once if it was returned");
        if queued.failure.is_none() {
            prop_assert_eq!(&events, &queued.events, "without a failure both ways say the same");
        }

        // Watched: a lint that only looks on changes nothing.
        let watched = crate::lint(Arc::clone(&app)).on_violation(|_| crate::lint::Verdict::Ignore);
        let seen = drive(&mut Exchange::call(&watched, Environ::example(method, "/")));
        prop_assert_eq!(seen, queued);
        prop_assert_eq!(closed.swap(0, Ordering::SeqCst), returned);

        // The client goes away.
        if let Some(pulls) = pulls {
            let mut exchange = Exchange::call(&app, Environ::example(method, "/"));
            for _ in 0..pulls {
                exchange.next();
            }
            drop(exchange);
            prop_assert_eq!(closed.load(Ordering::SeqCst), returned);
        }
    }
}
