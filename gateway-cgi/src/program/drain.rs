//! What is left of the request body when the program is done.
//!
//! Holds one case: a gateway that gives the program one socket as standard input and standard output (Apache's mod_cgid
//! does). Closing a socket with unread input resets the connection, and the peer loses the answer that it has not read
//! yet. So the rest is read and thrown away; a pipe needs nothing of this.

use std::io::Read;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long the gateway may send nothing before the program ends in spite of it.
const PATIENCE: Duration = Duration::from_millis(500);

/// Tells the gateway that the answer is complete, and reads what it still sends. Does nothing if this is no socket.
pub(super) fn drain(stdin: OwnedFd) {
    let mut socket = UnixStream::from(stdin);
    if socket.local_addr().is_ok() {
        read_to_the_end(&mut socket);
    }
}

/// Apart, and never a part of its caller: room on the stack is touched page by page before it is used, and each page costs
/// every program that is started, also those that have a pipe.
#[cold]
#[inline(never)]
fn read_to_the_end(socket: &mut UnixStream) {
    let _ = socket.shutdown(Shutdown::Write);
    if socket.set_read_timeout(Some(PATIENCE)).is_err() {
        return;
    }
    let mut buffer = [0; 16 * 1024];
    while let Ok(1..) = socket.read(&mut buffer) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn an_unread_body_does_not_cost_the_answer() {
        let (mut gateway, mut program) = UnixStream::pair().unwrap();
        let ours = std::thread::spawn(move || {
            program.write_all(b"answer").unwrap();
            drain(program.try_clone().unwrap().into());
        });
        // More than the socket holds: the gateway sends it all before it reads.
        gateway.write_all(&vec![b'x'; 1 << 20]).unwrap();
        gateway.shutdown(Shutdown::Write).unwrap();
        ours.join().unwrap();
        let mut answer = String::new();
        gateway.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
    }

    #[test]
    fn a_gateway_that_sends_nothing_more_is_not_waited_for() {
        let (gateway, program) = UnixStream::pair().unwrap();
        drain(program.into());
        drop(gateway);
    }

    #[test]
    fn a_pipe_is_left_alone() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"unread").unwrap();
        drain(reader.into());
        // It was not read: nobody is left who could.
        assert!(writer.write_all(b"more").is_err());
    }
}
