//! The clients: each takes the next request of a plan, and judges the answer.
//!
//! A connection is kept as long as its answers allow, as a proxy would keep it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gateway_tests::client::{Broken, Connection, Request, Response};

use super::kinds::{Client, Due, KINDS};

/// One request to be made: the place of its kind in [`KINDS`], and a number that no other request has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) kind: usize,
    pub(crate) number: usize,
}

impl Task {
    /// The request target.
    pub(crate) fn target(self) -> String {
        let kind = &KINDS[self.kind];
        format!("{}/{}/{}", kind.mount, kind.name, self.number)
    }

    /// The method.
    pub(crate) fn method(self) -> &'static str {
        match KINDS[self.kind].client {
            Client::Heads => "HEAD",
            Client::Posts(_) | Client::SendsHalf => "POST",
            _ => "GET",
        }
    }
}

/// How a request came out.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) task: Task,
    pub(crate) seen: Seen,
    pub(crate) right: bool,
    pub(crate) took: Duration,
}

/// What the client saw.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen {
    Whole(u16),
    Cut(u16),
    /// The client did not wait for it.
    Left,
    /// No answer.
    None(String),
}

/// Makes all requests of the plan, `clients` at a time.
pub(crate) fn run(address: SocketAddr, plan: &[Task], clients: usize) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let client = || {
            let mut kept = None;
            let mut outcomes = Vec::new();
            while let Some(&task) = plan.get(next.fetch_add(1, Ordering::Relaxed)) {
                let start = Instant::now();
                let (seen, right) = ask(address, task, &mut kept);
                outcomes.push(Outcome { task, seen, right, took: start.elapsed() });
            }
            outcomes
        };
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    })
}

fn ask(address: SocketAddr, task: Task, kept: &mut Option<Connection>) -> (Seen, bool) {
    let kind = &KINDS[task.kind];
    let request = Request::new(task.method(), &task.target());
    let request = match &kind.client {
        Client::Gets | Client::Heads => request,
        Client::Posts(body) => Request { body: body.clone(), ..request },
        _ => return leave(address, task).map_or_else(|e| (Seen::None(e.to_string()), false), |()| (Seen::Left, true)),
    };
    let answer = exchange(address, &request, kept);
    let right = answer.as_ref().is_ok_and(|answer| is_due(answer, kind.due, task));
    let seen = match answer {
        Ok(answer) if answer.content.complete => Seen::Whole(answer.status),
        Ok(answer) => Seen::Cut(answer.status),
        Err(broken) => Seen::None(broken.to_string()),
    };
    (seen, right)
}

fn exchange(address: SocketAddr, request: &Request, kept: &mut Option<Connection>) -> Result<Response, Broken> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(address).map_err(Broken::Io)?,
    };
    let answer = connection.exchange(request)?;
    if answer.is_persistent() {
        *kept = Some(connection);
    }
    Ok(answer)
}

fn is_due(answer: &Response, due: Due, task: Task) -> bool {
    let is_own = |prefix: &str| answer.status == 200 && answer.text() == format!("{prefix}/{}", task.number);
    match due {
        Due::Own(prefix) => answer.content.complete && is_own(prefix),
        Due::OwnOr503 => answer.content.complete && (is_own("") || answer.status == 503),
        Due::Whole(status) | Due::Failed(status, _) => answer.content.complete && answer.status == status,
        Due::Cut(_) => !answer.content.complete && answer.status == 200 && "part".starts_with(&answer.text()),
        Due::Nobody => false,
    }
}

/// Asks and goes away.
fn leave(address: SocketAddr, task: Task) -> io::Result<()> {
    const HALF: usize = 50_000;
    let mut stream = TcpStream::connect(address)?;
    let length = if task.method() == "POST" { format!("Content-Length: {}\r\n", 2 * HALF) } else { String::new() };
    write!(stream, "{} {} HTTP/1.1\r\nHost: h\r\n{length}\r\n", task.method(), task.target())?;
    match KINDS[task.kind].client {
        Client::LeavesInTheAnswer => stream.read_exact(&mut [0; 200])?,
        Client::SendsHalf => stream.write_all(&[b'x'; HALF])?,
        Client::ResetsBefore => rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?,
        _ => {}
    }
    Ok(())
}
