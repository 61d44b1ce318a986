//! What a server makes of a case's bytes, read from its socket.
//!
//! Holds one exchange: everything is sent, the client says that nothing more will come, and what comes back is cut into
//! answers until the server closes. It is lenient, because others' servers answer here as well: the strict reader is in
//! [`crate::client`].

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::{Case, PROBE_SEEN};

/// The field in which the servers of these tests say what request they saw.
pub const SEEN_FIELD: &str = "x-seen";

/// How long a server may be silent; one that is never closes.
const PATIENCE: Duration = Duration::from_secs(30);

/// One final response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status; 0 if it has no head (HTTP/0.9).
    pub status: u16,
    /// The request that the application saw, if it was asked.
    pub seen: Option<String>,
}

/// Everything a server answered to a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The answers without the probe's.
    pub answers: Vec<Answer>,
    /// Was the probe answered, as a request of its own?
    pub open: bool,
}

impl Outcome {
    /// The statuses alone.
    pub fn statuses(&self) -> Vec<u16> {
        self.answers.iter().map(|answer| answer.status).collect()
    }
}

/// Sends a case to a server and reads what it answers.
///
/// # Errors
/// In words, if the server is silent for too long or its answer cannot be cut.
pub fn ask(address: SocketAddr, case: &Case) -> Result<Outcome, String> {
    let mut answers = split(&talk(address, &case.input()).map_err(|e| format!("{}: {e}", case.id))?)
        .map_err(|e| format!("{}: {e}", case.id))?;
    let open = answers.last().is_some_and(|answer| answer.seen.as_deref() == Some(PROBE_SEEN));
    if open {
        answers.pop();
    }
    Ok(Outcome { answers, open })
}

/// Asks a server all cases, some at once, and returns the outcomes in their order.
///
/// # Errors
/// The first that [`ask`] meets.
pub fn ask_all(address: SocketAddr, cases: &[Case]) -> Result<Vec<Outcome>, String> {
    const AT_ONCE: usize = 8;
    let part = cases.len().div_ceil(AT_ONCE).max(1);
    std::thread::scope(|scope| {
        let ask_part = |part| move || Vec::from_iter(<[Case]>::iter(part).map(|case| ask(address, case)));
        let parts: Vec<_> = cases.chunks(part).map(|part| scope.spawn(ask_part(part))).collect();
        parts.into_iter().flat_map(|part| part.join().expect("a thread that asks")).collect()
    })
}

fn talk(address: SocketAddr, input: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // A server that has refused and closed takes no more; what it answered is what counts.
    let _ = stream.write_all(input).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(received),
        result => result.map(|_| received),
    }
}

fn split(mut rest: &[u8]) -> Result<Vec<Answer>, String> {
    let mut answers = Vec::new();
    while !rest.is_empty() {
        if !rest.starts_with(b"HTTP/1.") {
            answers.push(Answer { status: 0, seen: None });
            break;
        }
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n").ok_or("a head without an end")?;
        let (head, behind) = rest.split_at(end + 4);
        let head = String::from_utf8_lossy(head);
        let status =
            head.get(9..12).and_then(|digits| digits.parse().ok()).ok_or_else(|| format!("no status: {head}"))?;
        let field = |name: &str| {
            head.lines().filter_map(|line| line.split_once(": ")).find(|(found, _)| found.eq_ignore_ascii_case(name))
        };
        let body = match field("content-length") {
            // An answer to HEAD has no body, whatever it says.
            _ if behind.starts_with(b"HTTP/1.") => 0,
            Some((_, length)) => length.parse::<usize>().map_err(|e| e.to_string())?.min(behind.len()),
            None if matches!(status, 100..=199 | 204 | 304) => 0,
            None if field("transfer-encoding").is_some() => {
                let end = behind.windows(5).position(|five| five == b"0\r\n\r\n").ok_or("a body without an end")?;
                end + 5
            }
            None => behind.len(),
        };
        if status >= 200 {
            answers.push(Answer { status, seen: field(SEEN_FIELD).map(|(_, seen)| seen.to_owned()) });
        }
        rest = behind.get(body..).unwrap_or_default();
    }
    Ok(answers)
}
