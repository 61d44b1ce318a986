//! How programs end: timeouts, lost clients, full houses; and that nothing stays behind.

use std::time::Duration;

use gateway_cgi::host::{Cgi, Config};
use gateway_spec::{AsyncApplication, Bytes, InputStream};

use crate::support::{HANGS, Site, assert_fails, rest, whole};

const PLAIN: &str = "printf 'Content-Type: text/plain\\n\\n'\n";

/// For what nothing can overtake.
const SHORT: Duration = Duration::from_millis(200);

/// For what must not come before a script has got going, on a machine with much else to do.
const LONGER: Duration = Duration::from_millis(1500);

/// A script with a child of its own, both running until they are ended, deaf to SIGTERM.
const DEAF: &str = "trap '' TERM\nsh -c 'trap \"\" TERM; echo child > ../child; while :; do sleep 0.05; done' &\n\
    while :; do sleep 0.05; done";

#[tokio::test]
async fn cgi_102_179_without_a_header_block_in_time_the_whole_group_is_ended() {
    let site = Site::with(DEAF);
    let config = Config::new().head_timeout(LONGER).kill_grace(SHORT);
    let result = site.call(config, site.environ("GET", "/script"), InputStream::empty()).await;
    assert_fails(result, 504, "no header block within 1.5s");
    site.wait_for_file("child").await;
    site.wait_for_silence().await;
}

#[tokio::test]
async fn cgi_179_sigterm_comes_first() {
    let site = Site::with("trap 'echo term > ../mark; exit 0' TERM\nwhile :; do sleep 0.01; done");
    let config = Config::new().head_timeout(LONGER);
    assert_fails(site.call(config, site.environ("GET", "/script"), InputStream::empty()).await, 504, "");
    assert_eq!(site.wait_for_file("mark").await, "term\n");
    site.wait_for_silence().await;
}

#[tokio::test]
async fn cgi_102_silence_inside_the_body_breaks_the_answer_off() {
    let site = Site::with(&format!("{PLAIN}echo start\nsleep 1000"));
    let config = Config::new().idle_timeout(SHORT);
    assert_fails(
        site.call(config, site.environ("GET", "/script"), InputStream::empty()).await,
        504,
        "no output for 200ms",
    );
    site.wait_for_silence().await;
}

#[tokio::test]
async fn cgi_102_a_program_that_never_ends_is_ended() {
    let site = Site::with(&format!("{PLAIN}while :; do echo more; sleep 0.01; done"));
    let config = Config::new().total_timeout(SHORT);
    assert_fails(
        site.call(config, site.environ("GET", "/script"), InputStream::empty()).await,
        504,
        "not finished within",
    );
    site.wait_for_silence().await;
}

#[tokio::test]
async fn cgi_102_the_longest_time_there_is_is_no_limit() {
    let site = Site::with(&format!("{PLAIN}echo whole"));
    let config = Config::new().total_timeout(Duration::MAX).head_timeout(Duration::MAX).idle_timeout(Duration::MAX);
    let answer = site.call(config, site.environ("GET", "/script"), InputStream::empty()).await.unwrap();
    assert_eq!(answer.body, "whole\n");
    site.wait_for_silence().await;
}

#[tokio::test]
async fn cgi_102_a_program_that_closed_its_output_is_ended_too() {
    let site = Site::with(&format!("{PLAIN}echo whole\nexec >&- 2>&-\nwhile :; do sleep 0.01; done"));
    let config = Config::new().total_timeout(LONGER).linger(SHORT / 4);
    let answer = site.call(config, site.environ("GET", "/script"), InputStream::empty()).await.unwrap();
    assert_eq!(answer.body, "whole\n");
    site.wait_for_silence().await;
}

#[tokio::test]
async fn cgi_102_a_slow_client_is_not_the_programs_silence() {
    let site = Site::with(&format!("{PLAIN}head -c 1000000 /dev/zero"));
    let cgi = site.host(Config::new().idle_timeout(LONGER).linger(SHORT));
    let mut response = cgi.call(site.environ("GET", "/script"), InputStream::empty()).await.unwrap();
    let first = response.body.next().await.unwrap().unwrap();
    // The client reads nothing for longer than both limits: this is the thing observed, not a way to win a race.
    tokio::time::sleep(LONGER + 2 * SHORT).await;
    assert_eq!(first.len() + rest(response).await.unwrap().len(), 1_000_000);
}

#[tokio::test]
async fn cgi_179_a_client_that_goes_before_the_head_ends_the_group() {
    let site = Site::with(DEAF);
    let cgi = site.host(Config::new().kill_grace(SHORT));
    let call = tokio::spawn({
        let environ = site.environ("GET", "/script");
        async move { cgi.call(environ, InputStream::empty()).await.map(drop) }
    });
    site.wait_for_file("child").await;
    call.abort();
    site.wait_for_silence().await;
}

#[tokio::test]
async fn cgi_179_a_client_that_goes_inside_the_body_ends_the_group() {
    let site = Site::with(&format!("{PLAIN}echo start\n{DEAF}"));
    let cgi = site.host(Config::new().kill_grace(SHORT));
    let mut response = cgi.call(site.environ("GET", "/script"), InputStream::empty()).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), Bytes::from_static(b"start\n"));
    site.wait_for_file("child").await;
    drop(response);
    site.wait_for_silence().await;
}

#[tokio::test]
async fn cgi_132_an_endless_answer_to_head_ends_the_program() {
    let site = Site::with(&format!("{PLAIN}exec yes"));
    let config = Config::new().max_unwanted_bytes(1 << 20);
    let answer = site.call(config, site.environ("HEAD", "/script"), InputStream::empty()).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    site.wait_for_silence().await;
}

#[tokio::test]
async fn cgi_179_a_client_that_has_everything_may_go_and_the_program_ends_in_peace() {
    let text = "printf 'Content-Length: 4\\nContent-Type: a/b\\n\\nbody'\nwhile [ ! -e ../go ]; do sleep 0.01; done\necho x > ../mark";
    let site = Site::with(text);
    let mut response =
        site.host(Config::new()).call(site.environ("GET", "/script"), InputStream::empty()).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), Bytes::from_static(b"body"));
    drop(response);
    std::fs::write(site.path("go"), "").unwrap();
    site.wait_for_file("mark").await;
}

#[test]
fn cgi_179_a_runtime_that_is_shut_down_leaves_nothing_behind() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let site = Site::with(DEAF);
    let first = runtime();
    first.block_on(async {
        let cgi = site.host(Config::new());
        let environ = site.environ("GET", "/script");
        drop(tokio::spawn(async move { cgi.call(environ, InputStream::empty()).await.map(drop) }));
        site.wait_for_file("child").await;
    });
    drop(first);
    runtime().block_on(site.wait_for_silence());
}

#[test]
fn cgi_179_a_server_that_was_started_with_sigchld_ignored_still_learns_how_programs_end() {
    // Only a process that is started so can show it: one of these tests, by itself.
    let test = "trap '' CHLD; exec \"$0\" --exact output::cgi_2_100_104_garbage_is_answered_with_502";
    let output =
        std::process::Command::new("/bin/sh").args(["-c", test]).arg(std::env::current_exe().unwrap()).output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
async fn cgi_183_more_programs_than_places_wait_and_then_get_503() {
    let site =
        Site::with(&format!("{PLAIN}echo running >> ../mark\nwhile [ ! -e ../go ]; do sleep 0.01; done\necho done"));
    let cgi = site.host(Config::new().max_children(1).queue_timeout(SHORT));
    let first = tokio::spawn({
        let (cgi, environ) = (cgi.clone(), site.environ("GET", "/script"));
        async move { whole(&cgi, environ, InputStream::empty()).await }
    });
    site.wait_for_file("mark").await;
    assert_fails(whole(&cgi, site.environ("GET", "/script"), InputStream::empty()).await, 503, "no place");
    std::fs::write(site.path("go"), "").unwrap();
    assert_eq!(first.await.unwrap().unwrap().body, "done\n");
    // The place is free again.
    assert_eq!(whole(&cgi, site.environ("GET", "/script"), InputStream::empty()).await.unwrap().body, "done\n");
    assert_eq!(site.wait_for_file("mark").await.lines().count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cgi_179_many_at_once_leave_neither_processes_nor_descriptors() {
    let site = Site::with(&format!("{PLAIN}cat; echo late >&2"));
    let cgi = site.host(Config::new().max_children(8));
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let run = async |cgi: &Cgi, count: usize| {
        let mut running = Vec::new();
        for at in 0..count {
            let (cgi, environ) = (cgi.clone(), site.environ("POST", "/script"));
            running.push(tokio::spawn(async move {
                let input = InputStream::from(Bytes::from(at.to_string()));
                assert_eq!(whole(&cgi, environ, input).await.unwrap().body, at.to_string());
            }));
        }
        for one in running {
            tokio::time::timeout(HANGS, one).await.unwrap().unwrap();
        }
        site.wait_for_silence().await;
    };
    run(&cgi, 4).await;
    let before = descriptors();
    run(&cgi, 40).await;
    assert!(descriptors() <= before, "{} descriptors more", descriptors() - before);
    assert_eq!(site.log().lines().filter(|line| *line == "late").count(), 44);
}
