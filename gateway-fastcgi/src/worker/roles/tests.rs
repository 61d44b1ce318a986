//! Verdicts as gateways see them, files as filters see them, and who answers which role.
#![allow(clippy::needless_pass_by_value)] // an application's signature is the contract's

use super::*;
use gateway_spec::{AppError, Body, Environ, Event, Exchange, Input, InputError, InputSource, StartResponse, headers};
use http::StatusCode;
use std::time::{Duration, SystemTime};

/// The header block and the body that a gateway gets, or what failed.
fn answer(app: &impl Application, environ: Environ) -> Result<String, String> {
    let mut exchange = Exchange::call(app, environ);
    let mut wire = Vec::new();
    loop {
        match exchange.next() {
            Event::Head(head) => gateway_cgi::head::encode(head.status, &head.headers, &mut wire),
            Event::Chunk(chunk) => wire.extend_from_slice(&chunk),
            Event::Nothing => {}
            Event::End | Event::Abort => break,
        }
    }
    match exchange.take_failure() {
        Some(failure) => Err(failure.to_string()),
        None => Ok(String::from_utf8(wire).unwrap()),
    }
}

fn verdict(make: impl Fn() -> Verdict + Send + Sync + 'static) -> Result<String, String> {
    let authorizer = move |_: Environ| -> Result<Verdict, AppError> { Ok(make()) };
    answer(&authorizer.into_application(), Environ::example("GET", "/secret"))
}

#[test]
fn fcgi_96_97_leave_is_200_with_a_field_for_each_variable() {
    let sent = verdict(|| Verdict::allow().variable("REMOTE_USER", "ada").variable("AGE", 17)).unwrap();
    assert_eq!(sent, "Status: 200 OK\r\nVariable-REMOTE_USER: ada\r\nVariable-AGE: 17\r\ncontent-length: 0\r\n\r\n");
}

#[test]
fn fcgi_98_a_denial_is_the_response_of_the_client() {
    let no = || Verdict::deny(StatusCode::UNAUTHORIZED, headers!["www-authenticate" => "Basic"], "No.\n");
    let sent = verdict(no).unwrap();
    assert_eq!(sent, "Status: 401 Unauthorized\r\nwww-authenticate: Basic\r\ncontent-length: 4\r\n\r\nNo.\n");
    assert_eq!(verdict(move || no().variable("REMOTE_USER", "ada")).unwrap(), sent, "nobody to tell variables");
}

#[test]
fn fcgi_96_a_denial_never_has_a_status_that_means_leave() {
    for status in [200, 201, 204, 299] {
        let status = StatusCode::from_u16(status).unwrap();
        let failed = verdict(move || Verdict::deny(status, headers![], "")).unwrap_err();
        assert!(failed.contains("cannot deny a request"), "{failed}");
    }
}

#[test]
fn fcgi_97_a_variable_that_would_not_arrive_as_it_is_denies() {
    let bad_names =
        ["", "remote_user", "REMOTE-USER", "Remote_User", "9LIVES", "_X", "A B", "A=B", "A\r\nStatus: 200", "Ä"];
    for name in bad_names {
        let made = Verdict::allow().variable(name, "x").variable("GOOD", "y");
        assert!(!made.is_allowed(), "{name:?}");
        let failed = verdict(move || Verdict::allow().variable(name, "x").variable("GOOD", "y")).unwrap_err();
        assert!(failed.contains("cannot name a variable"), "{failed}");
    }
    for value in ["a\nb", "a\rb", "a\0b", " a", "a\t", "a\r\nSet-Cookie: b=c"] {
        let failed = verdict(move || Verdict::allow().variable("NAME", value)).unwrap_err();
        assert!(failed.contains("variable NAME"), "{failed}");
    }
    for value in ["", "a b", "\u{e9}"] {
        assert!(Verdict::allow().variable("NAME", value).is_allowed(), "{value:?}");
    }
}

#[test]
fn fcgi_98_an_authorizer_that_fails_denies() {
    let lost = |_: Environ| -> Result<Verdict, AppError> { Err("the list of users is gone".into()) };
    let failed = answer(&lost.into_application(), Environ::example("GET", "/")).unwrap_err();
    assert!(failed.contains("the list of users is gone"), "{failed}");
}

/// Gives these bytes, in pieces of three.
struct Pieces(&'static [u8]);

impl InputSource for Pieces {
    fn read_chunk(&mut self, max: usize) -> std::io::Result<gateway_spec::Bytes> {
        let (piece, rest) = self.0.split_at(self.0.len().min(max).min(3));
        self.0 = rest;
        Ok(gateway_spec::Bytes::from_static(piece))
    }
}

fn told(length: &str, last_modified: &str) -> Environ {
    let mut environ = Environ::example("GET", "/page");
    environ.set("FCGI_DATA_LENGTH", length).unwrap();
    environ.set("FCGI_DATA_LAST_MOD", last_modified).unwrap();
    environ
}

fn received(length: &str, bytes: &'static [u8]) -> FilterData {
    FilterData::received(&told(length, ""), Pieces(bytes)).unwrap()
}

#[test]
fn fcgi_101_length_and_time_are_what_the_gateway_said() {
    let data = FilterData::received(&told("5", "1000000000"), Pieces(b"12345")).unwrap();
    assert_eq!(data.length(), Some(5));
    assert_eq!(data.last_modified, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)));
    for nonsense in ["", "-1", "soon", "18446744073709551615", "99999999999999999999"] {
        assert_eq!(FilterData::received(&told("5", nonsense), Pieces(b"")).unwrap().last_modified, None, "{nonsense}");
    }
}

#[test]
fn fcgi_101_a_length_that_is_no_number_is_refused() {
    for nonsense in ["-1", "+1", "5 ", "0x5", "99999999999999999999"] {
        assert!(FilterData::received(&told(nonsense, ""), Pieces(b"")).is_err(), "{nonsense}");
    }
    assert_eq!(received("", b"12345").length(), None);
    assert_eq!(received("", b"12345").file.read_all(99).unwrap(), "12345");
}

#[test]
fn fcgi_103_no_more_of_the_file_is_read_than_was_told() {
    let mut data = received("4", b"123456");
    assert_eq!(data.file.read_all(99).unwrap(), "1234");
    assert!(data.file.chunk(99).unwrap().is_empty());
}

#[test]
fn fcgi_104_a_file_that_is_cut_short_is_an_error() {
    let error = received("9", b"12345").file.read_all(99).unwrap_err();
    let cut = error.get_ref().and_then(|error| error.downcast_ref::<InputError>());
    assert_eq!(cut, Some(&InputError::Incomplete { declared: 9, received: 5 }));
}

fn upper(_: Environ, mut data: FilterData, start_response: StartResponse) -> Result<Body, AppError> {
    let text = data.file.read_all(99)?;
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok(text.to_ascii_uppercase().into())
}

fn cached(_: Environ, data: FilterData, start_response: StartResponse) -> Result<Body, AppError> {
    drop(data);
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok("cached".into())
}

/// Fails the test that reads it.
struct Untouchable;

impl InputSource for Untouchable {
    fn read_chunk(&mut self, _: usize) -> std::io::Result<gateway_spec::Bytes> {
        panic!("the file was read")
    }
}

#[test]
fn fcgi_101_a_filter_gets_the_file() {
    let mut environ = told("5", "");
    FilterData::received(&environ, Pieces(b"hello")).unwrap().attach(&mut environ);
    assert!(answer(&upper.into_application(), environ).unwrap().ends_with("\r\n\r\nHELLO"));
}

#[test]
fn fcgi_102_a_filter_may_answer_without_reading_the_file() {
    let mut environ = told("5", "");
    FilterData::received(&environ, Untouchable).unwrap().attach(&mut environ);
    assert!(answer(&cached.into_application(), environ).unwrap().ends_with("\r\n\r\ncached"));
}

#[test]
fn a_filter_without_a_file_fails_in_words() {
    let failed = answer(&upper.into_application(), Environ::example("GET", "/")).unwrap_err();
    assert!(failed.contains("without a file"), "{failed}");
}

#[test]
fn a_file_is_taken_once() {
    let mut environ = told("5", "");
    FilterData::new(Input::from("hello"), None).attach(&mut environ);
    let copy = environ.extensions.clone();
    assert!(FilterData::detach(&mut environ).is_some());
    environ.extensions = copy;
    assert!(FilterData::detach(&mut environ).is_none());
}

#[test]
fn fcgi_71_a_role_is_served_by_its_own_application_only() {
    fn responder(_: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers![])?;
        Ok("".into())
    }
    let all = [Role::RESPONDER, Role::AUTHORIZER, Role::FILTER];
    for mask in 0..8_u8 {
        let wanted = |role: Role| mask >> (role.0 - 1) & 1 == 1;
        let mut roles = Roles::none();
        if wanted(Role::RESPONDER) {
            roles = roles.responder(responder);
        }
        if wanted(Role::AUTHORIZER) {
            roles = roles.authorizer(|_: Environ| Ok(Verdict::allow()));
        }
        if wanted(Role::FILTER) {
            roles = roles.filter(cached);
        }
        let expected: Vec<Role> = all.into_iter().filter(|role| wanted(*role)).collect();
        assert_eq!(roles.served(), expected);
        for role in all {
            assert_eq!(roles.application(role).is_some(), wanted(role), "{role} of {mask}");
        }
        assert!(roles.application(Role(4)).is_none() && roles.application(Role(0)).is_none());
    }
}
