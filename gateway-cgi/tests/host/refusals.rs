//! What is refused before a program is started, and how.

use std::fs;
use std::time::Duration;

use gateway_cgi::host::{Config, SharedPlaces};
use gateway_spec::{AppError, AsyncExchange, Environ, Event, GatewayError, InputStream, ResponseHead};

use crate::support::{HANGS, Site, assert_fails, whole};

const PLAIN: &str = "printf 'Content-Type: text/plain\\n\\n'\n";

/// A script that says that it runs and goes on until it is told to end.
const WAITS: &str = "echo running >> ../mark\nwhile [ ! -e ../go ]; do sleep 0.01; done\n\
    printf 'Content-Type: text/plain\\n\\ndone'";

/// The head that a client sees.
async fn head(site: &Site, config: Config, environ: Environ) -> ResponseHead {
    let cgi = site.host(config);
    let mut exchange = AsyncExchange::call(&cgi, environ, InputStream::empty());
    match tokio::time::timeout(HANGS, exchange.next()).await.expect("a head in time") {
        Event::Head(head) => head,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn cgi_183_a_full_house_says_when_to_come_again() {
    let site = Site::with(WAITS);
    let cgi = site.host(Config::new().max_children(1).queue_timeout(Duration::from_millis(100)));
    let first = tokio::spawn({
        let (cgi, environ) = (cgi.clone(), site.environ("GET", "/script"));
        async move { whole(&cgi, environ, InputStream::empty()).await }
    });
    site.wait_for_file("mark").await;
    let mut exchange = AsyncExchange::call(&cgi, site.environ("GET", "/script"), InputStream::empty());
    let Event::Head(head) = exchange.next().await else { panic!("a head comes first") };
    assert_eq!(head.status, 503);
    assert_eq!(head.headers.get("retry-after").unwrap(), "1");
    drop(exchange);
    fs::write(site.path("go"), "").unwrap();
    assert_eq!(first.await.unwrap().unwrap().body, "done");
}

#[tokio::test]
async fn cgi_183_a_slow_program_takes_no_more_than_its_own_places() {
    let site = Site::with(WAITS);
    site.script("quick", &format!("{PLAIN}echo quick"));
    let config = Config::new().max_children_per_program(1).queue_timeout(Duration::from_millis(100));
    let cgi = site.host(config);
    let ask = |path: &str| {
        let (cgi, environ) = (cgi.clone(), site.environ("GET", path));
        async move { whole(&cgi, environ, InputStream::empty()).await }
    };
    let first = tokio::spawn(ask("/script"));
    site.wait_for_file("mark").await;
    assert_fails(ask("/script/x").await, 503, "no place of this program");
    assert_eq!(ask("/quick").await.unwrap().body, "quick\n");
    fs::write(site.path("go"), "").unwrap();
    assert_eq!(first.await.unwrap().unwrap().body, "done");
    assert_eq!(fs::read_to_string(site.path("mark")).unwrap().lines().count(), 1);
}

#[tokio::test]
async fn cgi_183_hosts_that_share_their_places_wait_for_one_another() {
    let site = Site::with(WAITS);
    let config = || Config::new().queue_timeout(Duration::from_millis(100));
    let places = SharedPlaces::new(1);
    let (one, two) = (site.host(config().shared_places(places.clone())), site.host(config().shared_places(places)));
    let first = tokio::spawn({
        let environ = site.environ("GET", "/script");
        async move { whole(&one, environ, InputStream::empty()).await }
    });
    site.wait_for_file("mark").await;
    let refused = whole(&two, site.environ("GET", "/script"), InputStream::empty()).await;
    assert_fails(refused, 503, "no place of all mounts");
    fs::write(site.path("go"), "").unwrap();
    assert_eq!(first.await.unwrap().unwrap().body, "done");
    assert_eq!(whole(&two, site.environ("GET", "/script"), InputStream::empty()).await.unwrap().body, "done");
}

#[tokio::test]
async fn cgi_75_a_method_that_is_the_servers_is_405_with_those_that_are_not() {
    let site = Site::with("echo ran > ../mark");
    for method in ["TRACE", "CONNECT"] {
        let head = head(&site, Config::new(), site.environ(method, "/script")).await;
        assert_eq!(head.status, 405);
        let allow = head.headers.get("allow").unwrap().to_str().unwrap();
        assert!(allow.contains("GET, HEAD, POST") && !allow.contains(method), "{allow}");
    }
    assert!(!site.path("mark").exists());
}

#[tokio::test]
async fn cgi_57_a_websocket_handshake_is_501_and_starts_nothing() {
    let site = Site::with("echo ran > ../mark");
    let mut environ = site.environ("GET", "/script");
    environ.set("HTTP_SEC_WEBSOCKET_KEY", "dGhlIHNhbXBsZSBub25jZQ==").unwrap();
    environ.set("HTTP_SEC_WEBSOCKET_VERSION", "13").unwrap();
    let answer = site.call(Config::new(), environ, InputStream::empty()).await.unwrap();
    assert_eq!(answer.status, 501);
    assert!(answer.body.contains("cannot speak WebSocket"), "{}", answer.body);
    assert!(!site.path("mark").exists());
}

#[tokio::test]
async fn cgi_57_any_other_upgrade_is_passed_over() {
    // RFC 9110 §7.8: a server may ignore the field; the program does not see it.
    let site = Site::with(&format!("{PLAIN}env | grep -c -i -e upgrade -e ^HTTP_CONNECTION"));
    let mut environ = site.environ("GET", "/script");
    environ.set("HTTP_UPGRADE", "h2c").unwrap();
    environ.set("HTTP_CONNECTION", "upgrade").unwrap();
    let answer = site.call(log_exit(), environ, InputStream::empty()).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "0\n"));
}

/// `grep -c` of nothing is no failure here.
fn log_exit() -> Config {
    Config::new().failed_exit(gateway_cgi::host::FailedExit::Log)
}

#[tokio::test]
async fn cgi_142_180_nothing_with_a_nul_can_be_asked_for() {
    // An environ cannot hold one: the server that makes it answers 400.
    let mut environ = Environ::example("GET", "/script");
    assert!(environ.set("PATH_INFO", b"/a\0b").is_err() && environ.set("HTTP_X", "a\0").is_err());
    assert!(environ.set("X=Y", "1").is_err());
}

#[tokio::test]
async fn cgi_180_too_many_variables_are_431_for_the_client() {
    let site = Site::with("echo ran > ../mark");
    let mut environ = site.environ("GET", "/script");
    for at in 0..40 {
        environ.set(format!("HTTP_X_{at}").as_str(), "x".repeat(100 << 10)).unwrap();
    }
    assert_eq!(head(&site, Config::new(), environ).await.status, 431);
    site.wait_for_silence().await;
    assert!(!site.path("mark").exists());
}

#[tokio::test]
async fn a_refusal_without_a_delay_has_no_retry_after() {
    let error: AppError =
        whole(&Site::new().host(Config::new()), Environ::example("GET", "/x"), InputStream::empty()).await.unwrap_err();
    let error = error.downcast::<GatewayError>().unwrap();
    assert_eq!((error.status().as_u16(), error.fields().len()), (404, 0));
}
