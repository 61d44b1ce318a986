//! The two other roles.

use std::time::{Duration, UNIX_EPOCH};

use crate::worker::{BEGIN, DATA, HELLO, PARAMS, STDIN, Worker, answer};

#[test]
fn fcgi_95_99_an_authorizer_is_told_what_it_may_be_told() {
    let output = "Status: 200 OK\r\nVariable-REMOTE_USER: ada\r\nX-Other: 1\r\n\r\n";
    let flags = ["/secret?x", "--role", "authorizer", "-v"];
    let (done, asked) = Worker::answering(answer(output)).get(flags[0], &flags[1..]);
    assert_eq!(asked.kinds, [BEGIN, PARAMS, PARAMS, STDIN]);
    assert_eq!(asked.begin[..2], [0, 2]);
    for name in ["CONTENT_LENGTH", "PATH_INFO", "PATH_TRANSLATED", "SCRIPT_NAME"] {
        assert_eq!(asked.param(name), None, "{name}");
    }
    assert_eq!(asked.param("REQUEST_URI"), Some("/secret?x"));
    assert!(done.err.contains("* allowed\n* with the variable REMOTE_USER=ada\n"), "{}", done.err);
    assert!(!done.err.contains("variable X"), "{}", done.err);

    let (done, _) = Worker::answering(answer("Status: 401 No\r\n\r\nno")).get("/", &flags[1..]);
    assert!(
        done.err.contains("* refused: a gateway sends this answer to the client, with status 401\n"),
        "{}",
        done.err
    );
    assert_eq!((done.code, done.out.as_str()), (0, "no"));
}

#[test]
fn fcgi_73_101_a_filter_gets_its_file_after_the_body() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page");
    let content = vec![b'p'; 200_000];
    std::fs::write(&file, &content).unwrap();
    let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    let worker = Worker::start(|line| {
        line.read_to(DATA);
        line.write(&answer(HELLO));
    });
    let path = file.to_str().unwrap();
    let (done, asked) = worker.ask(&["post", "ADDR", "/", "-d", "body", "--role", "filter", "--file", path], b"");
    assert_eq!((done.code, done.out.as_str()), (0, "hello\n"), "{}", done.err);
    assert_eq!((asked.begin[..2].to_vec(), asked.stdin, asked.data == content), (vec![0, 3], b"body".to_vec(), true));
    let first_data = asked.kinds.iter().position(|kind| *kind == DATA).unwrap();
    assert!(!asked.kinds[first_data..].contains(&STDIN), "{:?}", asked.kinds);
    let names = ["FCGI_DATA_LAST_MOD", "FCGI_DATA_LENGTH"];
    let seen = asked.params.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned().collect::<Vec<_>>();
    let wanted =
        [(names[0], "1000000000"), (names[1], "200000")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(seen, wanted);
}
