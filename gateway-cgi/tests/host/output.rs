//! What becomes of a program's output.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use gateway_cgi::host::{Config, FailedExit};
use gateway_cgi::redirect::MAX_REDIRECTS;
use gateway_spec::{
    AppError, AsyncApplication, AsyncExchange, AsyncResponse, Environ, Event, InputStream, StatusCode, headers,
};

use crate::support::{Answer, Site, assert_fails, whole};

const PLAIN: &str = "printf 'Content-Type: text/plain\\n\\n'\n";

#[tokio::test]
async fn cgi_105_a_document() {
    let answer = Site::with("printf 'Content-Type: text/plain\\n\\nHello'").get("/script").await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "Hello"));
    assert_eq!(answer.field("content-type"), Some("text/plain"));
}

#[tokio::test]
async fn cgi_124_a_type_that_was_not_sent_is_not_guessed() {
    let answer = Site::with("printf 'Status: 200\\n\\n<!doctype html><p>Hello'").get("/script").await.unwrap();
    assert_eq!((answer.field("content-type"), answer.body.as_str()), (None, "<!doctype html><p>Hello"));
    let answer = Site::with("printf 'Content-Type: text/plain\\n\\n<p>'").get("/script").await.unwrap();
    assert_eq!(answer.field("content-type"), Some("text/plain"), "no charset is added");
}

#[tokio::test]
async fn cgi_134_fields_keep_their_order_and_repeats() {
    let site =
        Site::with("printf 'Status: 404 Nope\\r\\nSet-Cookie: a=1\\r\\nX-B: 2\\r\\nSet-Cookie: c=3\\r\\n\\r\\n'");
    let answer = site.get("/script").await.unwrap();
    let names: Vec<&str> = answer.fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((answer.status, names), (404, vec!["set-cookie", "x-b", "set-cookie"]));
}

#[tokio::test]
async fn cgi_110_a_client_redirect() {
    let answer = Site::with("printf 'Location: http://example.org/\\n\\n'").get("/script").await.unwrap();
    assert_eq!((answer.status, answer.field("location")), (302, Some("http://example.org/")));
}

#[tokio::test]
async fn cgi_2_100_104_garbage_is_answered_with_502() {
    for (script, reason) in [
        ("exit 0", "wrote nothing: exit code 0"),
        ("exit 3", "wrote nothing: exit code 3"),
        ("kill -9 $$", "wrote nothing: killed by signal 9"),
        ("printf 'Content-Type: a/b\\n'", "inside the header block, after 18 bytes"),
        ("echo oops; echo", "no colon"),
        ("printf 'HTTP/1.1 200 OK\\n\\n'", "HTTP status line"),
        ("printf 'Content-Type: a/b\\nX: a\\001b\\n\\n'", "control byte"),
        ("printf 'Status: 200\\nTransfer-Encoding: chunked\\n\\n'", "Transfer-Encoding"),
    ] {
        let site = Site::with(script);
        assert_fails(site.get("/script").await, 502, reason);
        site.wait_for_silence().await;
    }
}

#[tokio::test]
async fn cgi_2_the_driver_makes_a_well_formed_answer_of_garbage() {
    let site = Site::with("echo garbage");
    let cgi = site.host(Config::new());
    let mut exchange = AsyncExchange::call(&cgi, site.environ("GET", "/script"), InputStream::empty());
    let Event::Head(head) = exchange.next().await else { panic!("a head comes first") };
    assert_eq!(head.status, 502);
    assert!(matches!(exchange.next().await, Event::Chunk(_)));
    assert!(matches!(exchange.next().await, Event::End));
    assert!(exchange.take_failure().unwrap().to_string().contains("no colon"));
}

#[tokio::test]
async fn cgi_73_104_133_the_driver_and_the_host_agree_about_lengths() {
    let site = Site::with("printf 'Content-Length: 5\nContent-Type: a/b\n\n12345678'");
    for (method, expected) in [("GET", "12345"), ("HEAD", "")] {
        let cgi = site.host(Config::new());
        let mut exchange = AsyncExchange::call(&cgi, site.environ(method, "/script"), InputStream::empty());
        let Event::Head(head) = exchange.next().await else { panic!("a head comes first") };
        assert_eq!(head.headers.get("content-length").unwrap(), "5");
        let mut body = Vec::new();
        let last = loop {
            match exchange.next().await {
                Event::Chunk(chunk) => body.extend_from_slice(&chunk),
                other => break other,
            }
        };
        assert!(matches!(last, Event::End), "{last:?}");
        assert_eq!(body, expected.as_bytes());
    }
}

#[tokio::test]
async fn pep_145_the_driver_aborts_where_the_program_was_cut() {
    let site = Site::with(&format!("{PLAIN}echo half; kill -9 $$"));
    let cgi = site.host(Config::new());
    let mut exchange = AsyncExchange::call(&cgi, site.environ("GET", "/script"), InputStream::empty());
    let events = [exchange.next().await, exchange.next().await, exchange.next().await];
    assert!(matches!(&events, [Event::Head(_), Event::Chunk(_), Event::Abort]), "{events:?}");
}

#[tokio::test]
async fn cgi_183_an_endless_header_block_is_answered_with_502_and_ends_the_program() {
    let site = Site::with("while :; do echo 'X-Filler: 0123456789012345678901234567890123456789'; done");
    assert_fails(site.get("/script").await, 502, "more than 200 fields");
    site.script("line", "tr '\\0' x < /dev/zero");
    assert_fails(site.get("/line").await, 502, "longer than 65536 bytes");
    site.wait_for_silence().await;
}

#[tokio::test]
async fn cgi_73_the_body_of_an_answer_to_head_is_read_and_dropped() {
    let text =
        "printf 'Content-Length: 200000\\nContent-Type: a/b\\n\\n'; head -c 200000 /dev/zero; echo done > ../mark";
    let site = Site::with(text);
    let answer = site.call(Config::new(), site.environ("HEAD", "/script"), InputStream::empty()).await.unwrap();
    assert_eq!((answer.field("content-length"), answer.body.as_str()), (Some("200000"), ""));
    // CGI-132: the program was not killed by a closed pipe.
    site.wait_for_file("mark").await;
    site.wait_for_silence().await;
}

#[tokio::test]
async fn cgi_73_a_client_of_head_that_goes_at_once_does_not_end_the_program() {
    let site = Site::with("printf 'Content-Type: a/b\\n\\n'; head -c 300000 /dev/zero; echo done > ../mark");
    let response = site.host(Config::new()).call(site.environ("HEAD", "/script"), InputStream::empty()).await;
    drop(response.unwrap());
    site.wait_for_file("mark").await;
}

#[tokio::test]
async fn cgi_133_a_declared_length_that_is_not_reached_breaks_the_answer_off() {
    let site = Site::with("printf 'Content-Length: 8\\nContent-Type: a/b\\n\\n12345'");
    assert_fails(site.get("/script").await, 502, "5 of the 8 bytes");
}

#[tokio::test]
async fn cgi_133_what_exceeds_the_declared_length_is_read_and_the_answer_is_whole() {
    let site = Site::with(
        "printf 'Content-Length: 5\\nContent-Type: a/b\\n\\n12345678'; sleep 0.1; echo more; echo x >../mark",
    );
    let answer = site.get("/script").await.unwrap();
    // The driver cuts what is too long; a program is not ended for it.
    assert!(answer.body.starts_with("12345"));
    site.wait_for_file("mark").await;
}

#[tokio::test]
async fn a_program_that_fails_inside_a_body_of_unknown_length_breaks_the_answer_off() {
    let site = Site::with(&format!("{PLAIN}echo half; exit 1"));
    assert_fails(site.get("/script").await, 502, "exit code 1");
    let log = Config::new().failed_exit(FailedExit::Log);
    let answer = site.call(log.clone(), site.environ("GET", "/script"), InputStream::empty()).await.unwrap();
    assert_eq!(answer.body, "half\n");
    site.script("killed", &format!("{PLAIN}echo half; kill -SEGV $$"));
    assert_fails(site.call(log, site.environ("GET", "/killed"), InputStream::empty()).await, 502, "signal 11");
}

#[tokio::test]
async fn an_exit_code_after_a_body_of_declared_length_breaks_nothing() {
    let site = Site::with("printf 'Content-Length: 4\\nContent-Type: a/b\\n\\nwell'; exit 1");
    assert_eq!(site.get("/script").await.unwrap().body, "well");
}

#[tokio::test]
async fn cgi_178_a_megabyte_of_standard_error_before_the_output_does_not_block() {
    let site = Site::with(&format!("head -c 1048576 /dev/zero | tr '\\0' e >&2\n{PLAIN}echo fine"));
    assert_eq!(site.get("/script").await.unwrap().body, "fine\n");
    assert!(site.log().len() < 300_000);
}

#[tokio::test]
async fn cgi_178_standard_error_is_in_the_log_when_the_answer_ends() {
    let site = Site::with(&format!("echo one >&2\n{PLAIN}echo two >&2; echo body; echo three >&2"));
    assert_eq!(site.get("/script").await.unwrap().body, "body\n");
    assert_eq!(site.log(), "one\ntwo\nthree\n");
}

#[tokio::test]
async fn a_body_that_has_ended_stays_at_its_end() {
    let site = Site::with(&format!("{PLAIN}echo body"));
    let mut response =
        site.host(Config::new()).call(site.environ("GET", "/script"), InputStream::empty()).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "body\n");
    assert!(response.body.next().await.is_none());
    assert!(response.body.next().await.is_none());
}

#[tokio::test]
async fn cgi_8_the_body_arrives_while_the_program_runs() {
    let site = Site::with(&format!("{PLAIN}echo first\nwhile [ ! -e ../go ]; do sleep 0.01; done\necho second"));
    let mut response =
        site.host(Config::new()).call(site.environ("GET", "/script"), InputStream::empty()).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "first\n");
    fs::write(site.path("go"), "").unwrap();
    assert_eq!(crate::support::rest(response).await.unwrap(), "second\n");
}

/// Answers with what it was asked for.
struct Local;

impl AsyncApplication for Local {
    async fn call(&self, environ: Environ, _: InputStream) -> Result<AsyncResponse, AppError> {
        let text = format!("{} {}?{}", environ.request_method(), environ.path_info(), environ.query_string());
        Ok(AsyncResponse::new(StatusCode::OK, headers!["content-type" => "text/plain"], text))
    }
}

async fn redirected(site: &Site, method: &str) -> Result<Answer, AppError> {
    let cgi = site.host(Config::new()).local_redirects_to(Arc::new(Local));
    whole(&cgi, site.environ(method, "/script"), InputStream::empty()).await
}

#[tokio::test]
async fn cgi_108_109_a_local_redirect_is_answered_by_the_target() {
    let site = Site::with("printf 'Location: /other%%20place?q=1\\n\\n'");
    let answer = redirected(&site, "POST").await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "GET /other place?q=1"));
    site.wait_for_silence().await;
}

#[tokio::test]
async fn cgi_112_a_local_redirect_to_nowhere_is_502_and_a_loop_ends() {
    let site = Site::with("printf 'Location: /script?%s\\n\\n' \"x$QUERY_STRING\"; echo >> ../runs");
    assert_fails(site.get("/script").await, 502, "no application");
    site.wait_for_silence().await;
    fs::remove_file(site.path("runs")).unwrap();
    let host = site.host(Config::new());
    // Each sends its redirect to the one before.
    let mut cgi = host.clone();
    for _ in 0..=MAX_REDIRECTS {
        cgi = host.clone().local_redirects_to(Arc::new(cgi));
    }
    assert_fails(whole(&cgi, site.environ("GET", "/script"), InputStream::empty()).await, 500, "10 redirects");
    site.wait_for_silence().await;
    assert_eq!(fs::read(site.path("runs")).unwrap().len(), 1 + usize::from(MAX_REDIRECTS));
}

#[tokio::test]
async fn cgi_112_a_local_redirect_to_the_same_path_is_500_at_once() {
    let site = Site::with("printf 'Location: /script\\n\\n'; echo >> ../runs");
    let host = site.host(Config::new());
    let cgi = host.clone().local_redirects_to(Arc::new(host));
    assert_fails(whole(&cgi, site.environ("GET", "/script"), InputStream::empty()).await, 500, "leads to itself");
    site.wait_for_silence().await;
    assert_eq!(fs::read(site.path("runs")).unwrap().len(), 1);
}

#[tokio::test]
async fn cgi_109_a_local_redirect_of_head_is_asked_for_with_head() {
    let site = Site::with("printf 'Location: /other\\n\\n'");
    for (method, asked) in [("GET", "GET"), ("HEAD", "HEAD"), ("PUT", "GET"), ("DELETE", "GET")] {
        assert_eq!(redirected(&site, method).await.unwrap().body, format!("{asked} /other?"), "{method}");
    }
}

#[tokio::test]
async fn cgi_132_a_grandchild_that_keeps_the_pipe_does_not_hold_the_answer() {
    let site = Site::with(&format!("{PLAIN}echo body\nsleep 1000 &\necho $! > ../pid"));
    let config = Config::new().linger(Duration::from_millis(100));
    let answer = site.call(config, site.environ("GET", "/script"), InputStream::empty()).await.unwrap();
    assert_eq!(answer.body, "body\n");
    // Left alone, as documented; the test cleans up behind it.
    let pid = site.wait_for_file("pid").await;
    assert!(std::process::Command::new("kill").arg(pid.trim()).status().unwrap().success());
    site.wait_for_silence().await;
}

#[tokio::test]
async fn a_program_that_closes_its_output_and_goes_on_does_not_hold_the_answer() {
    let site = Site::with(&format!(
        "{PLAIN}echo body\nexec >&- 2>&-\nwhile [ ! -e ../go ]; do sleep 0.01; done\necho x > ../mark"
    ));
    let config = Config::new().linger(Duration::from_millis(100));
    let answer = site.call(config, site.environ("GET", "/script"), InputStream::empty()).await.unwrap();
    assert_eq!(answer.body, "body\n");
    fs::write(site.path("go"), "").unwrap();
    site.wait_for_file("mark").await;
    site.wait_for_silence().await;
}
