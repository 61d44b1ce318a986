//! The same program behind our gateway and behind lighttpd's mod_cgi.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gateway_tests::client::{Request, Response, send};
use gateway_tests::process::{Running, descendants, poll_until};

/// Fields that belong to a connection or a server, not to a program's answer.
const OF_THE_SERVER: [&str; 6] = ["connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"];

/// Two servers with the same program.
pub(crate) struct Pair {
    pub(crate) ours: Running,
    pub(crate) lighttpd: Running,
}

impl Pair {
    /// Asks both, checks that the answers are the same in status, fields and body, and returns ours.
    #[track_caller]
    pub(crate) fn same(&self, request: &Request) -> Response {
        let [ours, theirs] = self.same_head(request);
        let what = format!("{} {}", request.method, request.target);
        if let (Some(ours), Some(theirs)) = (ours.field("content-length"), theirs.field("content-length")) {
            assert_eq!(ours, theirs, "{what}");
        }
        // The first part as text, because a difference in it can be read; then all of it.
        assert_eq!(ours.text(), theirs.text(), "{what}");
        assert_eq!((ours.content.length, ours.content.hash), (theirs.content.length, theirs.content.hash), "{what}");
        ours
    }

    /// Asks both and checks status and fields only, for a program that does not say the same twice.
    #[track_caller]
    pub(crate) fn same_head(&self, request: &Request) -> [Response; 2] {
        // Programs that print their own address must print the same one.
        let request = request.clone().field("Host", "programs.example");
        let [ours, theirs] = self.in_one_second(&request);
        let what = format!("{} {}", request.method, request.target);
        assert_eq!(ours.status, theirs.status, "{what}\n{}\n{}", ours.text(), theirs.text());
        assert_eq!(of_the_program(&ours), of_the_program(&theirs), "{what}");
        assert!(ours.content.complete && theirs.content.complete, "{what}: cut");
        [ours, theirs]
    }

    /// Both answers; if they differ, and a new second has begun between them, they are asked for again: programs print
    /// the time.
    #[track_caller]
    fn in_one_second(&self, request: &Request) -> [Response; 2] {
        let second = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut tries = 0;
        loop {
            let begun = second();
            let answers = [&self.ours, &self.lighttpd].map(|server| {
                let answer = send(server.address, request);
                answer.unwrap_or_else(|e| panic!("{} {}: {e}\n{}", request.method, request.target, server.logs()))
            });
            tries += 1;
            let [ours, theirs] = &answers;
            let alike = ours.content.hash == theirs.content.hash && of_the_program(ours) == of_the_program(theirs);
            if alike || second() == begun || tries == 5 {
                return answers;
            }
        }
    }
}

fn of_the_program(response: &Response) -> Vec<&(String, String)> {
    let mut fields: Vec<_> =
        response.fields.iter().filter(|(name, _)| !OF_THE_SERVER.contains(&name.as_str())).collect();
    // Servers may order fields of different names as they like; those of one name stay in their order.
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    fields
}

/// Waits until no process that the server has started is left, not even a zombie.
#[track_caller]
pub(crate) fn check_no_children(server: &mut Running) {
    let id = server.front().id();
    let gone = poll_until(Duration::from_secs(30), || descendants(id).is_empty().then_some(()));
    assert!(gone.is_some(), "left: {:?}\n{}", descendants(id), server.logs());
}
