//! Content-Length in both directions, and responses that have no body (PEP 3333 "Handling the Content-Length Header").

use http::StatusCode;

use super::*;

fn declared(length: u64, pieces: &'static [&'static str]) -> (Counts, impl Application) {
    let counts = Counts::default();
    let probe = counts.clone();
    (counts, answer(headers!["content-length" => length], move || probe.body(pieces.iter().map(|text| Data(text)))))
}

#[test]
fn pep_90_91_92_the_declared_length_is_kept_both_ways() {
    struct Row(&'static str, u64, &'static [&'static str], &'static [&'static str], Option<&'static str>, usize);
    let long = Some("application gave more than the 5 bytes it declared");
    let rows = [
        Row("exact", 5, &["hello"], &["200 exact=5", "+hello", "end"], None, 1),
        Row("exact in two", 5, &["he", "llo"], &["200 exact=5", "+he", "+llo", "end"], None, 2),
        Row("not asked again", 5, &["hello", "more"], &["200 exact=5", "+hello", "end"], None, 1),
        Row("cut in the first", 5, &["hello, you"], &["200 exact=5", "+hello", "end"], long, 1),
        Row("cut in the second", 5, &["hel", "lo, you"], &["200 exact=5", "+hel", "+lo", "end"], long, 2),
        Row(
            "too short",
            5,
            &["he"],
            &["200 exact=5", "+he", "abort"],
            Some("application sent 2 of the 5 bytes it declared"),
            2,
        ),
        Row(
            "nothing at all",
            5,
            &[],
            &["200 exact=5", "abort"],
            Some("application sent 0 of the 5 bytes it declared"),
            1,
        ),
        Row(
            "declared empty",
            0,
            &["x"],
            &["200 exact=0", "end"],
            Some("application gave more than the 0 bytes it declared"),
            1,
        ),
    ];
    for Row(name, length, pieces, events, failure, pulled) in rows {
        let (counts, app) = declared(length, pieces);
        let seen = drive(&mut Exchange::call(&app, Environ::example("GET", "/")));
        assert_eq!(seen.events, events, "{name}");
        assert_eq!(seen.failure.as_deref(), failure, "{name}");
        assert_eq!((counts.pulled(), counts.closed()), (pulled, 1), "{name}");
    }
}

#[test]
fn pep_94_a_known_length_is_announced() {
    for (name, body, framing) in [
        ("one piece", (|| "hello".into()) as fn() -> Body, Framing::Exact(5)),
        ("pieces", || Body::chunks(vec!["he".into(), "llo".into()]), Framing::Exact(5)),
        ("empty", Body::empty, Framing::Exact(0)),
        ("a promise", || Body::iter(std::iter::once(Ok("abc".into()))).with_length(3), Framing::Exact(3)),
    ] {
        let head = head_of("GET", answer(headers![], body));
        assert_eq!(head.framing, framing, "{name}");
        let Framing::Exact(length) = framing else { unreachable!() };
        assert_eq!(head.headers.get("content-length").expect(name), &length.to_string());
        assert_eq!(head.headers.get_all("content-length").count(), 1, "{name}");
    }
}

#[test]
fn pep_93_an_unknown_length_is_not_announced() {
    let counts = Counts::default();
    let head = head_of("GET", answer(headers![], move || counts.body([Data("x")])));
    assert_eq!(head.framing, Framing::Unknown);
    assert!(!head.headers.contains("content-length"));
}

#[test]
fn pep_103_a_broken_promise_is_treated_like_a_wrong_content_length() {
    let app = |length| answer(headers![], move || Body::iter(std::iter::once(Ok("abc".into()))).with_length(length));
    check("GET", app(5), &["200 exact=5", "+abc", "abort"], Some("application sent 3 of the 5 bytes it declared"));
    check("GET", app(2), &["200 exact=2", "+ab", "end"], Some("application gave more than the 2 bytes it declared"));
}

#[test]
fn http_150_the_applications_word_wins_over_the_bodys() {
    let app = answer(headers!["content-length" => 5], || "abc".into());
    check("GET", app, &["200 exact=5", "+abc", "abort"], Some("application sent 3 of the 5 bytes it declared"));
}

#[test]
fn http_142_head_204_and_304_have_no_body_and_the_body_is_closed() {
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 204), ("HEAD", 304), ("HEAD", 404)] {
        let counts = Counts::default();
        let probe = counts.clone();
        let status = StatusCode::from_u16(status).expect("a status");
        let app = app(move |_, start_response| {
            start_response(status, headers![])?;
            Ok(probe.body([Data("dropped"), Data("never asked for")]))
        });
        check(method, app, &[&format!("{} none", status.as_u16()), "end"], None);
        assert_eq!((counts.pulled(), counts.closed()), (1, 1), "{method} {status}");
    }
}

#[test]
fn http_143_144_head_has_the_length_a_get_would_have_had() {
    let length = |head: ResponseHead| head.headers.get("content-length").map(|value| value.as_bytes().to_vec());
    assert_eq!(length(head_of("HEAD", answer(headers![], || "hello".into()))).as_deref(), Some(&b"5"[..]));
    assert_eq!(
        length(head_of("HEAD", answer(headers!["content-length" => 7], Body::empty))).as_deref(),
        Some(&b"7"[..])
    );
    assert_eq!(length(head_of("HEAD", answer(headers![], Body::empty))), None, "an empty body says nothing");
}

#[test]
fn http_144_145_the_length_of_304_and_204() {
    let head = |status: StatusCode| {
        head_of(
            "GET",
            app(move |_, start_response| {
                start_response(status, headers!["content-length" => 9, "etag" => "\"x\""])?;
                Ok(Body::empty())
            }),
        )
    };
    assert!(!head(StatusCode::NO_CONTENT).headers.contains("content-length"));
    assert!(head(StatusCode::NO_CONTENT).headers.contains("etag"));
    assert_eq!(head(StatusCode::NOT_MODIFIED).headers.get("content-length").expect("kept"), "9");
}

#[test]
fn http_146_a_205_is_delimited_and_empty() {
    for method in ["GET", "HEAD"] {
        let reset = app(|_, start_response| {
            start_response(StatusCode::RESET_CONTENT, headers!["content-length" => 4])?;
            Ok("form".into())
        });
        let mut exchange = Exchange::call(&reset, Environ::example(method, "/"));
        let Event::Head(head) = exchange.next() else { panic!("a head") };
        assert_eq!(head.headers.get("content-length").expect("a length"), "0");
        assert_eq!(drive(&mut exchange).events, ["end"]);
    }
}

#[test]
fn pep_101_all_byte_values_go_through() {
    let all: Vec<u8> = (0..=255).collect();
    let expected = all.clone();
    let app = answer(headers![], move || all.clone().into());
    let mut exchange = Exchange::call(&app, Environ::example("GET", "/"));
    assert!(matches!(exchange.next(), Event::Head(_)));
    assert!(matches!(exchange.next(), Event::Chunk(chunk) if chunk == expected));
}
