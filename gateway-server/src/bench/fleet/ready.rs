//! When a fleet is ready: the address that one of our own programs tells, and the first answer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::FleetError;
use super::crew::Crew;

/// How long a start may take; generous, because the machine may be busy.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long answers may be a server's errors: some give them until all their parts are there.
const ERROR_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks. It is part of what is measured as cold start, and a look costs little.
const PAUSE: Duration = Duration::from_micros(250);

/// Waits for the address on the front's standard error.
pub(super) fn told_address(crew: &mut Crew) -> Result<SocketAddr, FleetError> {
    poll(crew, "told no address to connect to", |crew| Ok(told(&crew.front_said())))
}

/// Waits for an answer that is no error of the server.
pub(super) fn first_answer(address: SocketAddr, crew: &mut Crew) -> Result<(), FleetError> {
    let began = Instant::now();
    poll(crew, "gave no answer", |crew| match ask(address) {
        Ok(status) if status < 500 => Ok(Some(())),
        Ok(status) if began.elapsed() > ERROR_LIMIT => {
            Err(FleetError::Status { server: crew.name(), status, said: crew.said() })
        }
        Ok(_) | Err(_) => Ok(None),
    })
}

fn poll<T>(
    crew: &mut Crew,
    missing: &'static str,
    mut look: impl FnMut(&mut Crew) -> Result<Option<T>, FleetError>,
) -> Result<T, FleetError> {
    let began = Instant::now();
    loop {
        if let Some(found) = look(crew)? {
            // A stranger may have answered on this port: ours must be there.
            crew.check()?;
            return Ok(found);
        }
        crew.check()?;
        if began.elapsed() > START_LIMIT {
            return Err(FleetError::Silent { server: crew.name(), missing, waited: START_LIMIT, said: crew.said() });
        }
        thread::sleep(PAUSE);
    }
}

/// The address in `listening on http://HOST:PORT`, once its line is there.
fn told(said: &str) -> Option<SocketAddr> {
    let (_, after) = said.split_once("listening on http://")?;
    // The line may be half written: what follows the port must be there.
    let end = after.find(|character: char| character.is_ascii_whitespace())?;
    after.get(..end)?.parse().ok()
}

/// Asks once, and takes the whole answer, so that no server complains about a client that went away.
fn ask(address: SocketAddr) -> io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, START_LIMIT)?;
    stream.set_read_timeout(Some(START_LIMIT))?;
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    status(&answer).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn status(answer: &[u8]) -> Option<u16> {
    let code = answer.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(code).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_either_programs_line() {
        let expected = Some(SocketAddr::from(([127, 0, 0, 1], 40321)));
        assert_eq!(told("listening on http://127.0.0.1:40321 (Ctrl-C ends it)\n"), expected);
        let log = "2026-01-31T12:00:00.0Z  INFO mounted prefix=/\n2026-01-31T12:00:00.1Z  INFO listening on http://127.0.0.1:40321\n";
        assert_eq!(told(log), expected);
    }

    #[test]
    fn half_a_line_tells_no_address() {
        let line = "listening on http://127.0.0.1:40321";
        for end in 0..=line.len() {
            assert_eq!(told(&line[..end]), None, "{}", &line[..end]);
        }
        assert_eq!(told("listening on unix:/x\n"), None);
    }

    #[test]
    fn the_status_is_read_from_both_versions_and_from_nothing_else() {
        assert_eq!(status(b"HTTP/1.1 404 Not Found\r\n"), Some(404));
        assert_eq!(status(b"HTTP/1.0 200 OK\r\n"), Some(200));
        for other in [&b""[..], b"HTTP/1.1 20", b"HTTP/1.1 abc\r\n", b"SSH-2.0-x"] {
            assert_eq!(status(other), None);
        }
    }
}
