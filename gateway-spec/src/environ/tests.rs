use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn required() -> EnvironBuilder {
    Environ::builder()
        .variable("REQUEST_METHOD", "GET")
        .variable("SERVER_NAME", "h")
        .variable("SERVER_PORT", "80")
        .variable("SERVER_PROTOCOL", "HTTP/1.0")
}

#[track_caller]
fn built(builder: EnvironBuilder) -> Environ {
    builder.build().expect("a valid environ")
}

#[test]
fn pep_12_18_required_variables_are_named_when_missing_or_empty() {
    for name in ["REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"] {
        assert_eq!(required().variable(name, "").build().map(drop), Err(EnvironError::Missing { name }));
    }
}

#[test]
fn pep_20_header_fields_become_http_variables_and_nothing_else_does() {
    let environ = built(required().header(b"User-Agent", b"x").header(b"X-Y", b""));
    let names: Vec<_> =
        environ.iter().map(|(name, _)| name.to_string()).filter(|name| name.starts_with("HTTP_")).collect();
    assert_eq!(names, ["HTTP_USER_AGENT", "HTTP_X_Y"]);
    assert_eq!(environ.header("X-Y"), Some(Value::new(b"")));
    assert_eq!(environ.header("x-z"), None);
}

#[test]
fn pep_16_17_content_fields_have_no_http_prefix() {
    let environ = built(required().header(b"Content-Type", b"text/plain").header(b"CONTENT-LENGTH", b"12"));
    assert_eq!(environ.content_type(), Some(Value::new(b"text/plain")));
    assert_eq!(environ.content_length(), Some(12));
    assert_eq!(environ.get("HTTP_CONTENT_TYPE"), None);
    assert_eq!(environ.get("HTTP_CONTENT_LENGTH"), None);
}

#[test]
fn pep_17_an_empty_or_malformed_content_length_is_none() {
    for text in ["", "+5", "-1", "5 ", "0x5", "99999999999999999999999"] {
        assert_eq!(built(required().variable("CONTENT_LENGTH", text)).content_length(), None, "{text:?}");
    }
}

#[test]
fn cgi_59_repeats_are_joined_in_order() {
    let environ = built(
        required()
            .header(b"Accept", b"a")
            .header(b"Cookie", b"x=1")
            .header(b"accept", b"b")
            .header(b"cookie", b"y=2")
            .header(b"ACCEPT", b"c"),
    );
    assert_eq!(environ.header("accept"), Some(Value::new(b"a, b, c")));
    assert_eq!(environ.header("cookie"), Some(Value::new(b"x=1; y=2")));
    assert_eq!(environ.len(), 6);
}

#[test]
fn cgi_170_172_proxy_and_ambiguous_names_never_become_variables() {
    let before = built(required()).len();
    let mut builder = required();
    for name in ["Proxy", "pROXY", "X_Forwarded_For", "Content_Length", "Transfer_Encoding", "X.Y", "", "X Y"] {
        builder = builder.header(name.as_bytes(), b"evil");
    }
    assert_eq!(built(builder).len(), before);
}

#[test]
fn pep_153_fields_about_the_connection_are_not_passed_on() {
    let before = built(required()).len();
    let mut builder = required();
    for name in [
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Proxy-Connection",
        "Proxy-Authorization",
        "Proxy-Authenticate",
    ] {
        builder = builder.header(name.as_bytes(), b"x");
    }
    assert_eq!(built(builder).len(), before);
}

#[test]
fn cgi_180_nul_and_impossible_names_are_refused() {
    assert_eq!(required().variable("X", "a\0b").build().map(drop), Err(EnvironError::Nul { name: "X".into() }));
    assert_eq!(required().header(b"X", b"a\0b").build().map(drop), Err(EnvironError::Nul { name: "HTTP_X".into() }));
    assert_eq!(required().variable("A=B", "").build().map(drop), Err(EnvironError::Name { name: "A=B".into() }));
    assert_eq!(required().variable("", "").build().map(drop), Err(EnvironError::Name { name: String::new() }));
}

#[test]
fn cgi_180_a_nul_is_found_wherever_it_stands_in_a_value() {
    for length in 1..70 {
        for at in 0..length {
            let mut value = vec![b'v'; length];
            value[at] = 0;
            let built = required().variable("X", &value).variable("PATH_INFO", "/").build().map(drop);
            assert_eq!(built, Err(EnvironError::Nul { name: "X".into() }), "{at} of {length}");
        }
    }
    let replaced = required().variable("X", "a\0b").variable("X", "").build().map(drop);
    assert!(matches!(replaced, Err(EnvironError::Nul { .. })), "{replaced:?}");
}

#[test]
fn pep_11_an_application_may_change_its_environ() {
    let mut environ = built(required().variable("X", "1").variable("X", "2"));
    assert_eq!(environ.get("X"), Some(Value::new(b"2")));
    environ.set("X", "three").expect("set");
    assert!(environ.remove("SERVER_NAME"));
    assert!(!environ.remove("SERVER_NAME"));
    assert_eq!(environ.server_name(), "");
    assert!(environ.entries().any(|entry| entry == b"X=three\0"));
    assert_eq!(environ.entries().filter(|entry| entry.starts_with(b"X=")).count(), 1);
}

#[test]
fn pep_133_bytes_are_kept_whatever_they_are() {
    let all: Vec<u8> = (1..=255).collect();
    let environ = built(required().variable("PATH_INFO", &all));
    assert_eq!(environ.path_info().as_bytes(), all);
    assert!(environ.path_info().to_str().is_err());
    assert_eq!(
        environ.path_info().to_latin1().chars().map(u32::from).collect::<Vec<_>>(),
        (1..=255).collect::<Vec<_>>()
    );
}

#[test]
fn pep_180_urls_are_rebuilt() {
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], Scheme, &'a str);
    let rows: &[Row<'_>] = &[
        ("default port", &[("PATH_INFO", "/")], Scheme::Http, "http://h/"),
        ("other port", &[("SERVER_PORT", "81"), ("PATH_INFO", "/x")], Scheme::Http, "http://h:81/x"),
        ("https default", &[("SERVER_PORT", "443")], Scheme::Https, "https://h/"),
        ("https on 80", &[("SERVER_PORT", "80"), ("PATH_INFO", "/")], Scheme::Https, "https://h:80/"),
        ("host wins", &[("HTTP_HOST", "www:8080"), ("PATH_INFO", "/")], Scheme::Http, "http://www:8080/"),
        ("empty host", &[("HTTP_HOST", ""), ("PATH_INFO", "/")], Scheme::Http, "http://h/"),
        (
            "reserved bytes",
            &[("SCRIPT_NAME", "/a;b"), ("PATH_INFO", "/c?d=e é")],
            Scheme::Http,
            "http://h/a%3Bb/c%3Fd%3De%20%C3%A9",
        ),
        ("query", &[("PATH_INFO", "/"), ("QUERY_STRING", "a=b&c")], Scheme::Http, "http://h/?a=b&c"),
        ("no path at all", &[("SCRIPT_NAME", ""), ("PATH_INFO", "")], Scheme::Http, "http://h/"),
    ];
    for (name, variables, scheme, expected) in rows {
        let mut builder = required().url_scheme(scheme.clone());
        for (variable, value) in *variables {
            builder = builder.variable(variable, value);
        }
        assert_eq!(built(builder).request_url(), *expected, "{name}");
    }
}

#[test]
fn pep_14_shifting_moves_one_segment() {
    let rows: &[(&str, &str, Option<&str>, &str, &str)] = &[
        ("", "/a/b", Some("a"), "/a", "/b"),
        ("/x", "/a", Some("a"), "/x/a", ""),
        ("/x", "/a/", Some("a"), "/x/a", "/"),
        ("/x", "//a//b", Some("a"), "/x/a", "//b"),
        ("/x", "/", None, "/x", "/"),
        ("/x", "", None, "/x", ""),
    ];
    for (script, path, segment, script_after, path_after) in rows {
        let mut environ = built(required().variable("SCRIPT_NAME", script).variable("PATH_INFO", path));
        assert_eq!(environ.shift_path_info().as_deref(), segment.map(str::as_bytes), "{script} {path}");
        assert_eq!(
            (environ.script_name(), environ.path_info()),
            (Value::new(script_after.as_bytes()), Value::new(path_after.as_bytes()))
        );
    }
}

#[test]
fn pep_22_29_the_scheme_can_come_from_variables() {
    for (name, value, scheme) in [
        ("HTTPS", "on", Scheme::Https),
        ("HTTPS", "off", Scheme::Http),
        ("REQUEST_SCHEME", "https", Scheme::Https),
        ("X", "", Scheme::Http),
    ] {
        assert_eq!(
            built(required().variable(name, value).url_scheme_from_variables()).url_scheme,
            scheme,
            "{name}={value}"
        );
    }
}

#[test]
fn request_headers_come_back_in_order() {
    let environ = built(required().header(b"Host", b"h").header(b"Content-Type", b"t").header(b"X-A", b"1"));
    let fields: Vec<_> = environ.request_headers().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(fields, ["host=h", "content-type=t", "x-a=1"]);
}

#[test]
fn pep_21_28_33_34_35_the_facts_about_the_gateway_are_typed() {
    assert_eq!(crate::VERSION, (1, 0));
    let environ = built(required().multithread(true).multiprocess(true).run_once(true).extension(7_u32));
    assert!(environ.multithread && environ.multiprocess && environ.run_once);
    assert_eq!(environ.extensions.get::<u32>(), Some(&7));
    let quiet = built(required());
    assert!(!quiet.multithread && !quiet.multiprocess && !quiet.run_once);
}

#[test]
fn pep_190_a_gateway_may_offer_no_file_wrapper() {
    assert!(built(required()).file_wrapper.is_some());
    assert!(built(required().file_wrapper(None)).file_wrapper.is_none());
}

/// What can be done to an environ.
#[derive(Debug, Clone)]
enum Change {
    Set(String, Vec<u8>),
    Remove(String),
    Shift,
}

fn name() -> impl Strategy<Value = String> {
    // Few names, some alike in length and bytes, so that they meet.
    prop_oneof![
        Just("A".to_owned()),
        Just("B".to_owned()),
        Just("PATH_INFO".to_owned()),
        "[A-C_]{1,4}",
        "HTTP_[A-B]{1,2}"
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let value = proptest::collection::vec(prop_oneof![Just(b'/'), 1_u8..=255], 0..8);
    prop_oneof![
        4 => (name(), value).prop_map(|(name, value)| Change::Set(name, value)),
        2 => name().prop_map(Change::Remove),
        1 => Just(Change::Shift),
    ]
}

proptest! {
    /// Whatever is done to it, an environ holds what an ordered map would hold.
    #[test]
    fn pep_11_an_environ_is_an_ordered_map(changes in proptest::collection::vec(change(), 0..60)) {
        let mut environ = Environ::empty();
        let mut model: Vec<(String, Vec<u8>)> = Vec::new();
        for change in changes {
            match change {
                Change::Set(name, value) => {
                    environ.set(&name, &value).expect("a valid variable");
                    match model.iter_mut().find(|(known, _)| *known == name) {
                        Some(slot) => slot.1 = value,
                        None => model.push((name, value)),
                    }
                }
                Change::Remove(name) => {
                    let before = model.len();
                    model.retain(|(known, _)| *known != name);
                    prop_assert_eq!(environ.remove(&name), model.len() < before);
                }
                Change::Shift => {
                    let whole = |environ: &Environ| {
                        let joined = [environ.script_name().as_bytes(), environ.path_info().as_bytes()].concat();
                        joined.into_iter().filter(|byte| *byte != b'/').collect::<Vec<_>>()
                    };
                    let before = whole(&environ);
                    environ.shift_path_info();
                    prop_assert_eq!(whole(&environ), before, "shifting only moves");
                    for name in ["SCRIPT_NAME", "PATH_INFO"] {
                        let Some(value) = environ.get(name) else { continue };
                        match model.iter_mut().find(|(known, _)| known == name) {
                            Some(slot) => slot.1 = value.to_vec(),
                            None => model.push((name.to_owned(), value.to_vec())),
                        }
                    }
                }
            }
            prop_assert_eq!(environ.len(), model.len());
            prop_assert_eq!(environ.is_empty(), model.is_empty());
            for (name, value) in &model {
                prop_assert_eq!(environ.get(name).map(Value::as_bytes), Some(&value[..]));
            }
        }
        let entries: Vec<Vec<u8>> = environ.entries().collect();
        let expected: Vec<Vec<u8>> =
            model.iter().map(|(name, value)| [name.as_bytes(), b"=", value, b"\0"].concat()).collect();
        prop_assert_eq!(entries, expected, "the entries, in the order they were first set");
        let pairs: Vec<(Vec<u8>, Vec<u8>)> = environ.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        prop_assert_eq!(pairs, model.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect::<Vec<_>>());
    }

    /// Header fields become variables, joined in order; nothing is lost and nothing else appears.
    #[test]
    fn pep_20_cgi_53_fields_round_trip(
        fields in proptest::collection::vec(("[A-Ca-c][-A-Ba-b]{0,2}|[Aa]ccept|[Uu]ser-[Aa]gent|[Dd]nt", proptest::collection::vec(1_u8..=255, 0..6)), 0..20),
    ) {
        let mut builder = required();
        let mut model: HashMap<String, Vec<u8>> = HashMap::new();
        for (name, value) in &fields {
            builder.add_header(name.as_bytes(), value);
            model
                .entry(name.to_ascii_lowercase())
                .and_modify(|joined| {
                    joined.extend_from_slice(b", ");
                    joined.extend_from_slice(value);
                })
                .or_insert_with(|| value.clone());
        }
        let environ = builder.build().expect("a valid environ");
        let seen: HashMap<String, Vec<u8>> = environ.request_headers().map(|(name, value)| (name, value.to_vec())).collect();
        prop_assert_eq!(seen, model);
    }
}

#[test]
fn pep_173_what_is_computed_from_an_environ_follows_its_changes() {
    let mut environ = built(required().variable("PATH_INFO", "/a").header(b"Cookie", b"a=1"));
    assert_eq!(environ.request_url(), "http://h/a");
    environ.set("QUERY_STRING", "q=2").expect("set");
    environ.set("HTTP_COOKIE", "a=3").expect("set");
    assert_eq!(environ.request_url(), "http://h/a?q=2");
    assert_eq!(environ.header("cookie"), Some(Value::new(b"a=3")));
}

#[test]
fn pep_24_26_variables_are_values_or_not_there() {
    let environ = built(required().variable("REMOTE_ADDR", ""));
    assert_eq!((environ.content_type(), environ.content_length(), environ.remote_addr()), (None, None, None));
    assert_eq!((environ.path_info(), environ.query_string()), (Value::default(), Value::default()));
    assert_eq!(environ.get("REMOTE_USER"), None);
}

#[test]
fn cgi_180_an_impossible_byte_is_found_wherever_it_stands_in_a_name() {
    for length in 1..30 {
        for at in 0..length {
            for byte in [0, b'='] {
                let mut name = vec![b'A'; length];
                name[at] = byte;
                let built = Environ::builder().variable(&name, "x").build().map(drop);
                assert!(matches!(built, Err(EnvironError::Name { .. })), "{name:?}");
            }
            // Neighbours of the two, and bytes beyond ASCII.
            for byte in [1, 0x3c, 0x3e, 0x80, 0xbd, 0xff] {
                let mut name = vec![0x80; length];
                name[at] = byte;
                let built = Environ::builder().variable(&name, "x").build().map(drop);
                assert!(!matches!(built, Err(EnvironError::Name { .. })), "{name:?}");
            }
        }
    }
}
