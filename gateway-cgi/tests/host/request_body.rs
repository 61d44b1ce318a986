//! Request bodies on their way to a program.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use gateway_cgi::host::{Config, Nph, UnknownLength};
use gateway_cgi::spool;
use gateway_spec::{AsyncApplication, Bytes, Disconnected, InputStream};

use crate::support::{Site, assert_fails, rest};

/// Gives `left` bytes in chunks of 64 KiB, then perhaps an error.
struct Zeros {
    left: usize,
    error: Option<io::Error>,
}

impl Stream for Zeros {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        static CHUNK: [u8; 65536] = [b'z'; 65536];
        let len = self.left.min(CHUNK.len());
        self.left -= len;
        if len > 0 {
            return Poll::Ready(Some(Ok(Bytes::from_static(&CHUNK[..len]))));
        }
        Poll::Ready(self.error.take().map(Err))
    }
}

fn zeros(left: usize, length: Option<u64>) -> InputStream {
    InputStream::new(Zeros { left, error: None }, length)
}

const COUNT: &str = "printf 'Content-Type: text/plain\\n\\n'; echo \"$CONTENT_LENGTH $(wc -c)\"";
const ECHO: &str = "printf 'Content-Type: text/plain\\n\\n'; exec cat";

#[tokio::test]
async fn cgi_60_61_a_body_of_known_length_arrives_whole_and_ends() {
    let site = Site::with(COUNT);
    let input = zeros(5_000_000, Some(5_000_000));
    let answer = site.call(Config::new(), site.environ("POST", "/script"), input).await.unwrap();
    assert_eq!(answer.body, "5000000 5000000\n");
}

#[tokio::test]
async fn cgi_64_66_a_body_arrives_byte_for_byte_with_its_content_coding() {
    let site =
        Site::with("printf 'Content-Type: text/plain\\n\\n%s %s ' $HTTP_CONTENT_ENCODING $CONTENT_LENGTH; od -An -tx1");
    site.script(
        "nph-script",
        "printf 'HTTP/1.1 200 OK\\n\\n%s %s ' $HTTP_CONTENT_ENCODING $CONTENT_LENGTH; od -An -tx1",
    );
    for path in ["/script", "/nph-script"] {
        let mut environ = site.environ("POST", path);
        environ.set("HTTP_CONTENT_ENCODING", "gzip").unwrap();
        let body = InputStream::from(Bytes::from_static(b"\x1f\x8b\x00\r\n\n\xff"));
        let answer = site.call(Config::new().nph(Nph::Named), environ, body).await.unwrap();
        assert_eq!(answer.body, "gzip 7  1f 8b 00 0d 0a 0a ff\n", "{path}");
    }
}

#[tokio::test]
async fn cgi_21_without_a_body_there_is_no_length_and_standard_input_is_empty() {
    let site = Site::with(COUNT);
    assert_eq!(site.get("/script").await.unwrap().body, " 0\n");
}

#[tokio::test]
async fn cgi_65_a_body_of_unknown_length_gets_its_true_length() {
    let site = Site::with(COUNT);
    for len in [0, 1, 65_536, 65_537, 3_000_000] {
        let answer = site.call(Config::new(), site.environ("POST", "/script"), zeros(len, None)).await.unwrap();
        assert_eq!(answer.body, format!("{len} {len}\n"));
    }
}

#[tokio::test]
async fn cgi_65_a_body_of_unknown_length_over_the_limit_is_answered_with_413() {
    let site = Site::with("echo ran > ../mark");
    let config = Config::new().spool(spool::Config::default().max_bytes(100_000));
    assert_fails(site.call(config, site.environ("POST", "/script"), zeros(100_001, None)).await, 413, "100000");
    assert!(!site.path("mark").exists(), "the program was started");
}

#[tokio::test]
async fn cgi_63_a_program_may_leave_its_body_unread() {
    let site = Site::with("printf 'Content-Type: text/plain\\n\\nunread'");
    let input = zeros(5_000_000, Some(5_000_000));
    let answer = site.call(Config::new(), site.environ("POST", "/script"), input).await.unwrap();
    assert_eq!(answer.body, "unread");
    site.wait_for_silence().await;
}

#[tokio::test]
async fn cgi_8_the_answer_may_come_before_the_body() {
    /// A body that never comes.
    struct Never;
    impl Stream for Never {
        type Item = io::Result<Bytes>;
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Pending
        }
    }
    let site = Site::with("printf 'Status: 413\\nContent-Type: text/plain\\n\\ntoo long'");
    let input = InputStream::new(Never, Some(1 << 40));
    let answer = site.call(Config::new(), site.environ("POST", "/script"), input).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (413, "too long"));
}

#[tokio::test]
async fn cgi_178_sixty_four_mebibytes_are_echoed_and_memory_stays_small() {
    const TOTAL: usize = 64 << 20;
    let site = Site::with(ECHO);
    let environ = site.environ("POST", "/script");
    let mut response = site.host(Config::new()).call(environ, zeros(TOTAL, Some(TOTAL as u64))).await.unwrap();
    let mut received = 0;
    let before = resident();
    let mut most = before;
    while let Some(chunk) = response.body.next().await {
        let chunk = chunk.unwrap();
        assert!(chunk.iter().all(|byte| *byte == b'z'));
        received += chunk.len();
        most = most.max(resident());
    }
    assert_eq!(received, TOTAL);
    assert!(most < before + (16 << 20), "{} KiB more", (most - before) >> 10);
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test]
async fn cgi_179_a_client_that_is_lost_inside_its_body_ends_the_program() {
    let site = Site::with("cat > /dev/null; printf 'Content-Type: a/b\\n\\ntaken as whole'; echo x > ../mark");
    let lost = Zeros { left: 1000, error: Some(Disconnected.into()) };
    let result = site.call(Config::new(), site.environ("POST", "/script"), InputStream::new(lost, Some(5000))).await;
    let error = result.unwrap_err();
    assert!(Disconnected::is_cause_of(error.as_ref()), "{error}");
    site.wait_for_silence().await;
    assert!(!site.path("mark").exists(), "half a body was taken for a whole one");
}

#[tokio::test]
async fn cgi_62_a_body_that_ends_early_is_never_passed_on_as_whole() {
    let site = Site::with("cat > /dev/null; printf 'Content-Type: a/b\\n\\ntaken as whole'; echo x > ../mark");
    let result = site.call(Config::new(), site.environ("POST", "/script"), zeros(1000, Some(5000))).await;
    assert_fails(result, 400, "1000 of 5000");
    site.wait_for_silence().await;
    assert!(!site.path("mark").exists());
}

#[tokio::test]
async fn cgi_65_a_body_of_unknown_length_can_be_refused_with_411() {
    let site = Site::with("echo ran > ../mark");
    let config = || Config::new().unknown_length(UnknownLength::Refuse);
    assert_fails(site.call(config(), site.environ("POST", "/script"), zeros(10, None)).await, 411, "no length");
    assert!(!site.path("mark").exists(), "the program was started");
    site.script("script", COUNT);
    let known = site.call(config(), site.environ("POST", "/script"), zeros(10, Some(10))).await.unwrap();
    let none = site.call(config(), site.environ("GET", "/script"), InputStream::empty()).await.unwrap();
    assert_eq!((known.body.as_str(), none.body.as_str()), ("10 10\n", " 0\n"));
}

#[tokio::test]
async fn cgi_65_a_body_of_unknown_length_can_be_streamed_without_one() {
    let site = Site::with(COUNT);
    for len in [0, 1, 3_000_000] {
        let config = Config::new().unknown_length(UnknownLength::Stream);
        let answer = site.call(config, site.environ("POST", "/script"), zeros(len, None)).await.unwrap();
        assert_eq!(answer.body, format!(" {len}\n"));
    }
}

#[tokio::test]
async fn cgi_8_65_a_streamed_body_reaches_the_program_before_its_end() {
    /// One piece, then nothing until the script has answered.
    struct Open(Option<Bytes>);
    impl Stream for Open {
        type Item = io::Result<Bytes>;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.0.take().map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(piece))))
        }
    }
    let site = Site::with("read line; printf 'Content-Type: text/plain\\n\\n%s' \"$line\"");
    let config = Config::new().unknown_length(UnknownLength::Stream);
    let input = InputStream::new(Open(Some(Bytes::from_static(b"first\n"))), None);
    assert_eq!(site.call(config, site.environ("POST", "/script"), input).await.unwrap().body, "first");
}

#[tokio::test]
async fn cgi_179_a_client_that_is_lost_inside_a_streamed_body_ends_the_program() {
    let site = Site::with("cat > /dev/null; printf 'Content-Type: a/b\\n\\ntaken as whole'; echo x > ../mark");
    let config = Config::new().unknown_length(UnknownLength::Stream);
    let lost = Zeros { left: 1000, error: Some(Disconnected.into()) };
    let result = site.call(config, site.environ("POST", "/script"), InputStream::new(lost, None)).await;
    assert!(Disconnected::is_cause_of(result.unwrap_err().as_ref()));
    site.wait_for_silence().await;
    assert!(!site.path("mark").exists(), "half a body was taken for a whole one");
}

#[tokio::test]
async fn cgi_60_a_body_goes_in_while_nobody_reads_the_answer() {
    // More than pipes hold, so that it needs somebody to pass it on.
    const LENGTH: usize = 1 << 20;
    let site = Site::with("printf 'Content-Type: text/plain\\n\\nfirst'; cat | wc -c > ../taken");
    let mut environ = site.environ("POST", "/script");
    environ.set("CONTENT_LENGTH", LENGTH.to_string()).unwrap();
    let response =
        site.host(Config::new()).call(environ, InputStream::from(Bytes::from(vec![b'x'; LENGTH]))).await.unwrap();
    assert_eq!(site.wait_for_file("taken").await.trim(), LENGTH.to_string());
    assert_eq!(&rest(response).await.unwrap()[..], b"first");
}
