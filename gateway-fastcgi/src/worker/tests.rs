//! What a worker makes of its gateways' variables, and whom it admits.

use super::environ::{Described, ParamsError, describe, describe_for};
use super::mount::{Sent, script_filename};
use super::{AllowList, Mount, WorkerConfig};
use crate::net::{Peer, PeerCredentials};
use crate::protocol::{Pair, PairLimits, Params, Role};
use gateway_spec::{Environ, Scheme};

const NONE: Option<&str> = None;
const ROOT: fn() -> Mount = || Mount::at("/");
const APP: fn() -> Mount = || Mount::at("/app");
const GUESS: fn() -> Mount = || Mount::Guess;

#[track_caller]
fn check(mount: fn() -> Mount, server: &str, filename: &str, sent: (&str, Option<&str>), expected: (&str, &str)) {
    let sent = Sent {
        script_name: sent.0.as_bytes(),
        path_info: sent.1.map(str::as_bytes),
        script_filename: filename.as_bytes(),
        server_software: server.as_bytes(),
    };
    let cut = mount().cut(&sent);
    let cut = (cut.script_name.escape_ascii().to_string(), cut.path_info.escape_ascii().to_string());
    assert_eq!((cut.0.as_str(), cut.1.as_str()), expected, "{sent:?}");
}

#[test]
fn fcgi_115_paths_of_all_gateways() {
    // server, SCRIPT_FILENAME, SCRIPT_NAME and PATH_INFO as sent; as the application sees them
    let nginx = "nginx/1.30";
    check(GUESS, nginx, "/srv/app/x", ("/app/x", NONE), ("", "/app/x"));
    check(GUESS, nginx, "/srv/", ("/", NONE), ("", "/"));
    check(GUESS, nginx, "", ("/app", Some("/x")), ("/app", "/x"));
    check(GUESS, nginx, "", ("/app", Some("")), ("/app", ""));
    let proxy = "proxy:fcgi://localhost/app/x";
    check(GUESS, "Apache/2.4", proxy, ("/app/x", NONE), ("", "/app/x"));
    check(GUESS, "Apache/2.4", proxy, ("/app", Some("/x")), ("/app", "/x"));
    check(GUESS, "Apache/2.4", "/srv/app", ("/app", NONE), ("/app", ""));
    check(GUESS, "Apache/2.4", "/srv/app", ("/app", Some("/x")), ("/app", "/x"));
    check(GUESS, "lighttpd/1.4.80", "/srv/app", ("/app", NONE), ("/app", ""));
    check(GUESS, "lighttpd/1.4.80", "/srv/app", ("", Some("/app/x")), ("", "/app/x"));
    check(GUESS, "HAProxy 3.0", "", ("/app/x", NONE), ("", "/app/x"));
    check(GUESS, "gateway/0.1.0", "", ("/app", NONE), ("/app", ""));
    check(GUESS, "", "", ("/app/x", NONE), ("", "/app/x"));
}

#[test]
fn fcgi_115_a_mount_overrules_the_gateways_cut() {
    check(APP, "", "", ("/app/x", NONE), ("/app", "/x"));
    check(APP, "", "", ("/app", NONE), ("/app", ""));
    check(APP, "", "", ("/app/", NONE), ("/app", "/"));
    check(APP, "", "", ("/app/a", Some("/b")), ("/app", "/a/b"));
    check(APP, "", "", ("", Some("/app/a/b")), ("/app", "/a/b"));
    check(ROOT, "Apache", "", ("/a", Some("/b/c")), ("", "/a/b/c"));
    check(ROOT, "lighttpd", "", ("/a", NONE), ("", "/a"));
}

#[test]
fn fcgi_115_paths_outside_the_mount_stay_as_sent() {
    check(APP, "", "", ("/application", Some("/x")), ("/application", "/x"));
    check(APP, "", "", ("/other", NONE), ("/other", ""));
    check(|| Mount::AsSent, "", "", ("/app/x", NONE), ("/app/x", ""));
}

#[test]
fn cgi_37_script_name_never_ends_with_a_slash_and_one_of_the_two_is_set() {
    check(GUESS, "", "", ("/", Some("")), ("", "/"));
    check(GUESS, "", "", ("/", Some("/x")), ("", "/x"));
    check(GUESS, "", "", ("/app/", Some("x")), ("/app", "/x"));
    check(GUESS, "", "", ("", NONE), ("", "/"));
    check(ROOT, "", "", ("//", NONE), ("", "//"));
}

#[test]
fn fcgi_114_script_filename_loses_its_proxy() {
    let table = [
        ("/srv/www/x.cgi", "/srv/www/x.cgi"),
        ("proxy:fcgi://127.0.0.1:9000/srv/a%20b.cgi", "/srv/a b.cgi"),
        ("proxy:fcgi://127.0.0.1:9000/x?a=b", "/x"),
        ("proxy:balancer://pool/x", "/x"),
        ("proxy:unix:/run/s.sock|fcgi://localhost/srv/x", "/srv/x"),
        ("proxy:fcgi://host", ""),
        ("proxy:fcgi://h/100%", "/100%"),
        ("proxy:fcgi://h/%zz%4", "/%zz%4"),
        ("proxy:nonsense", "proxy:nonsense"),
    ];
    for (sent, expected) in table {
        assert_eq!(script_filename(sent.as_bytes()).escape_ascii().to_string(), expected, "{sent}");
    }
}

fn params(pairs: &[(&str, &[u8])]) -> Params {
    let mut wire = Vec::new();
    for (name, value) in pairs {
        Pair::new(name.as_bytes(), value).unwrap().encode(&mut wire);
    }
    Params::decode(wire.into(), &PairLimits { max_name_bytes: 999, max_value_bytes: 999, max_pairs: 99 }).unwrap()
}

/// What is made of what any gateway sends, and these.
fn described(pairs: &[(&str, &[u8])]) -> Result<Described, ParamsError> {
    let usual: [(&str, &[u8]); 5] = [
        ("REQUEST_METHOD", b"GET"),
        ("SERVER_NAME", b"localhost"),
        ("SERVER_PORT", b"80"),
        ("SERVER_PROTOCOL", b"HTTP/1.1"),
        ("SCRIPT_NAME", b"/x"),
    ];
    describe(&params(&[&usual, pairs].concat()), &WorkerConfig::default())
}

fn environ(pairs: &[(&str, &[u8])]) -> Result<Environ, ParamsError> {
    described(pairs).map(|described| described.environ)
}

fn declared(value: &[u8]) -> Result<Option<u64>, ParamsError> {
    described(&[("CONTENT_LENGTH", value)]).map(|described| described.content_length)
}

#[test]
fn fcgi_113_an_empty_content_length_declares_none() {
    assert_eq!(declared(b""), Ok(None));
    // Caddy 2.6, for a body in chunks.
    assert_eq!(declared(b"-1"), Ok(None));
    assert_eq!(declared(b"0"), Ok(Some(0)));
    assert_eq!(declared(b"42"), Ok(Some(42)));
    assert!(environ(&[("CONTENT_LENGTH", b"")]).unwrap().get("CONTENT_LENGTH").is_none());
}

#[test]
fn cgi_21_a_content_length_that_is_no_number_is_refused() {
    for value in [&b"-2"[..], b"+1", b" 1", b"1x", b"0x10", b"99999999999999999999", b"\xff"] {
        assert_eq!(declared(value), Err(ParamsError::ContentLength), "{}", value.escape_ascii());
    }
}

#[test]
fn fcgi_138_httpoxy_and_connection_fields_are_dropped() {
    let names = [
        "HTTP_PROXY",
        "HTTP_CONNECTION",
        "HTTP_CONTENT_LENGTH",
        "HTTP_CONTENT_TYPE",
        "HTTP_KEEP_ALIVE",
        "HTTP_PROXY_AUTHORIZATION",
        "HTTP_PROXY_CONNECTION",
        "HTTP_TE",
        "HTTP_TRAILER",
        "HTTP_TRANSFER_ENCODING",
        "HTTP_UPGRADE",
        "HTTP_lower",
    ];
    for name in names {
        assert!(environ(&[(name, b"x")]).unwrap().get(name).is_none(), "{name}");
    }
    assert_eq!(environ(&[("HTTP_AUTHORIZATION", b"x")]).unwrap().header("authorization").unwrap(), "x");
}

#[test]
fn fcgi_43_44_the_last_of_repeated_names_wins_and_empty_ones_are_dropped() {
    let environ = environ(&[("X_A", b"1"), ("", b"nobody"), ("X_A", b"2")]).unwrap();
    assert_eq!(environ.get("X_A").unwrap(), "2");
    assert!(environ.iter().all(|(name, _)| !name.is_empty()));
}

#[test]
fn cgi_51_https_makes_the_scheme() {
    assert_eq!(environ(&[("HTTPS", b"on")]).unwrap().url_scheme, Scheme::Https);
    assert_eq!(environ(&[("HTTPS", b"")]).unwrap().url_scheme, Scheme::Http);
}

#[test]
fn cgi_38_39_40_what_nginx_leaves_empty_is_filled_in() {
    let filled = |pairs: &[(&str, &[u8])]| {
        let gaps: [(&str, &[u8]); 3] = [("SERVER_NAME", b""), ("SERVER_PORT", b""), ("SERVER_PROTOCOL", b"")];
        let environ = environ(&[&gaps, pairs].concat()).unwrap();
        let text = |name: &str| environ.get(name).unwrap().to_str().unwrap().to_owned();
        [text("SERVER_NAME"), text("SERVER_PORT"), text("SERVER_PROTOCOL")]
    };
    assert_eq!(filled(&[]), ["localhost", "80", "HTTP/1.0"]);
    assert_eq!(filled(&[("HTTP_HOST", b"a.example:8080"), ("HTTPS", b"on")]), ["a.example", "443", "HTTP/1.0"]);
    assert_eq!(filled(&[("HTTP_HOST", b"[::1]:80")])[0], "[::1]");
    assert_eq!(filled(&[("HTTP_HOST", b"a/b"), ("SERVER_ADDR", b"10.0.0.1")])[0], "10.0.0.1");
}

#[test]
fn fcgi_41_nul_in_a_value_is_refused() {
    assert!(matches!(environ(&[("X_A", b"a\0b")]), Err(ParamsError::Environ(_))));
}

#[test]
fn pep_33_34_35_the_environ_tells_the_truth_about_threads() {
    let environ = environ(&[]).unwrap();
    assert_eq!((environ.multithread, environ.multiprocess, environ.run_once), (true, true, false));
}

#[test]
fn fcgi_95_an_authorizer_sees_no_path_and_no_length_that_nobody_sent() {
    let usual: [(&str, &[u8]); 4] =
        [("REQUEST_METHOD", b"POST"), ("SERVER_NAME", b"localhost"), ("CONTENT_LENGTH", b"7"), ("REQUEST_URI", b"/a")];
    let seen = |role, more: &[(&str, &[u8])]| {
        let described = describe_for(role, &params(&[&usual, more].concat()), &WorkerConfig::default()).unwrap();
        let environ = described.environ;
        let names = ["FCGI_ROLE", "SCRIPT_NAME", "PATH_INFO", "CONTENT_LENGTH", "REQUEST_URI"];
        let pairs = names.iter().filter_map(|name| Some(format!("{name}={}", environ.get(name)?)));
        pairs.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(seen(Role::AUTHORIZER, &[]), "FCGI_ROLE=AUTHORIZER REQUEST_URI=/a");
    let path: &[(&str, &[u8])] = &[("SCRIPT_NAME", b"/a"), ("PATH_INFO", b"")];
    assert_eq!(seen(Role::AUTHORIZER, path), "FCGI_ROLE=AUTHORIZER SCRIPT_NAME=/a PATH_INFO= REQUEST_URI=/a");
    assert_eq!(seen(Role::FILTER, &[]), "FCGI_ROLE=FILTER SCRIPT_NAME= PATH_INFO=/ CONTENT_LENGTH=7 REQUEST_URI=/a");
    assert_eq!(
        seen(Role::RESPONDER, path),
        "FCGI_ROLE=RESPONDER SCRIPT_NAME=/a PATH_INFO= CONTENT_LENGTH=7 REQUEST_URI=/a"
    );
}

fn tcp(address: &str) -> Peer {
    Peer::Tcp(address.parse().unwrap())
}

fn unix(uid: u32, gid: u32, pid: Option<u32>) -> Peer {
    Peer::Unix(PeerCredentials { uid, gid, pid })
}

#[test]
fn fcgi_5_unix_peers_are_admitted_by_user_group_or_process_where_one_is_named() {
    let list = AllowList::everybody().user(33).user(0).group(7).process(812);
    for (peer, admitted) in [
        (unix(33, 1, None), true),
        (unix(0, 1, None), true),
        (unix(1, 7, None), true),
        (unix(1, 1, Some(812)), true),
        (unix(1, 1, Some(813)), false),
        (unix(7, 33, None), false),
        (tcp("10.0.0.2:1"), true),
    ] {
        assert_eq!(list.admits(&peer), admitted, "{peer}");
    }
    assert!(!AllowList::everybody().user(33).admits(&unix(0, 0, Some(1))), "root is no exception");
}

#[test]
fn fcgi_5_137_only_listed_peers_are_admitted_by_their_whole_address() {
    let list: AllowList = "10.0.0.1,2001:db8::1".parse().unwrap();
    assert!(list.admits(&tcp("10.0.0.1:1")));
    assert!(list.admits(&tcp("[::ffff:10.0.0.1]:1")));
    assert!(list.admits(&tcp("[2001:db8::1]:1")));
    assert!(list.admits(&unix(1, 1, None)));
    for stranger in ["10.0.0.2:1", "[2001:db8::1:1]:1", "[2001:db8::2]:1", "127.0.0.1:1"] {
        assert!(!list.admits(&tcp(stranger)), "{stranger}");
    }
    assert!(AllowList::everybody().admits(&tcp("10.0.0.2:1")));
}

#[test]
fn fcgi_6_a_list_with_a_mistake_is_no_list() {
    for text in ["", "x", "1.2.3.4,", "1.2.3.4, 5.6.7.8", "1.2.3", "1.2.3.256", "localhost"] {
        assert!(text.parse::<AllowList>().is_err(), "{text:?}");
    }
    assert!(!AllowList::everybody().addresses([]).admits(&tcp("127.0.0.1:1")));
}
