//! Listening sockets on their way from a process to the one that takes its place.
//!
//! Holds the message and both ends of it. Does not start processes, and does not hold what they say to each other after.
//!
//! The sockets stay the same ones, with the connections that wait on them, so nobody who connects meanwhile notices. They go over a channel
//! (SCM_RIGHTS, unix(7)) and not by inheritance: nothing else that is started at the same time can get hold of them.

use super::Listener;
use super::socket_file::SocketFile;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A listening socket that can be handed over while its [`Listener`] goes on.
#[derive(Debug)]
pub struct ListenerHandle {
    socket: OwnedFd,
    file: Option<Arc<SocketFile>>,
}

impl ListenerHandle {
    /// Of this listener.
    ///
    /// # Errors
    /// The socket cannot be duplicated.
    pub fn of(listener: &Listener) -> io::Result<Self> {
        Ok(Self { socket: listener.as_fd().try_clone_to_owned()?, file: listener.file().cloned() })
    }

    /// From now on the socket file is somebody else's to remove.
    pub fn leave_file(&self) {
        if let Some(file) = &self.file {
            file.leave();
        }
    }
}

/// A socket that was handed over.
#[derive(Debug)]
pub struct HandedSocket {
    /// What the other process calls it.
    pub name: String,
    socket: OwnedFd,
    has_file: bool,
}

impl HandedSocket {
    /// Listens on it. A socket file that the other process has made is removed at the end, as if it had been made here. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// As [`Listener::from_fd`].
    pub fn listen(self) -> io::Result<Listener> {
        let listener = Listener::from_fd(self.socket)?;
        if self.has_file { listener.owning_file() } else { Ok(listener) }
    }
}

/// So many fit into one message, and are more than anybody listens on.
const MAX_SOCKETS: usize = 64;

/// The names of so many sockets.
const MAX_BYTES: usize = 32 << 10;

/// Sends sockets with their names, all in one message, over a UNIX stream socket.
///
/// # Errors
/// There are more than 64, their names are too long or have a line end in them, or what the system says.
pub fn hand_over(channel: impl AsFd, sockets: &[(String, ListenerHandle)]) -> io::Result<()> {
    let line = |(name, handle): &(String, ListenerHandle)| format!("{} {name}\n", u8::from(handle.file.is_some()));
    let names: String = sockets.iter().map(line).collect();
    let is_odd = sockets.iter().any(|(name, _)| name.contains('\n'));
    if sockets.len() > MAX_SOCKETS || names.len() >= MAX_BYTES || is_odd {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many sockets, or too long names"));
    }
    let fds: Vec<BorrowedFd<'_>> = sockets.iter().map(|(_, handle)| handle.socket.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // The line that ends it: a message without sockets has bytes too.
    let bytes = names + "\n";
    let sent = sendmsg(channel, &[IoSlice::new(bytes.as_bytes())], &mut ancillary, SendFlags::NOSIGNAL)?;
    if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Receives what [`hand_over`] sends.
///
/// # Errors
/// What came is no such message, or what the system says.
pub fn take_over(channel: impl AsFd) -> io::Result<Vec<HandedSocket>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = vec![0; MAX_BYTES];
    let received = recvmsg(channel, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let sockets = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let sockets: Vec<OwnedFd> = sockets.flatten().collect();
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "the message about listening sockets makes no sense");
    let text = bytes.get(..received.bytes).and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or_else(odd)?;
    let names: Vec<&str> = text.strip_suffix('\n').ok_or_else(odd)?.lines().collect();
    if names.len() != sockets.len() {
        return Err(odd());
    }
    let handed = |(line, socket): (&str, OwnedFd)| {
        let (has_file, name) = line.split_once(' ').ok_or_else(odd)?;
        Ok(HandedSocket { name: name.to_owned(), socket, has_file: has_file == "1" })
    };
    names.into_iter().zip(sockets).map(handed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Address, ListenOptions, Stream};
    use std::os::unix::net::UnixStream;

    async fn bound(address: &Address) -> Listener {
        Listener::bind(address, &ListenOptions::default()).await.unwrap()
    }

    #[tokio::test]
    async fn sockets_go_over_with_the_connections_that_wait_on_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        let (tcp, unix) = (bound(&Address::tcp("127.0.0.1", 0)).await, bound(&Address::unix(&path)).await);
        let waiting = Stream::connect(tcp.address()).await.unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let sockets = [
            ("one".to_owned(), ListenerHandle::of(&tcp).unwrap()),
            ("the other".to_owned(), ListenerHandle::of(&unix).unwrap()),
        ];
        hand_over(&ours, &sockets).unwrap();
        let handed = take_over(&theirs).unwrap();
        assert_eq!(handed.iter().map(|socket| socket.name.as_str()).collect::<Vec<_>>(), ["one", "the other"]);
        let mut taken: Vec<Listener> = handed.into_iter().map(|socket| socket.listen().unwrap()).collect();

        sockets.iter().for_each(|(_, handle)| handle.leave_file());
        drop((tcp, unix, sockets));
        assert!(path.exists(), "the file is the other's now");
        let (mut server, _) = taken[0].accept().await.unwrap();
        waiting.write_all(b"x").await.unwrap();
        let mut received = Vec::new();
        server.read_buf(&mut received).await.unwrap();
        assert_eq!(received, b"x");
        server = Stream::connect(&Address::unix(&path)).await.unwrap();
        drop((server, taken.pop()));
        assert!(!path.exists(), "it is removed by whoever has it last");
    }

    #[test]
    fn what_is_no_such_message_is_refused() {
        for text in ["", "x", "1 name\n\n", "\n\n"] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            io::Write::write_all(&mut &ours, text.as_bytes()).unwrap();
            drop(ours);
            assert!(take_over(&theirs).is_err(), "{text:?}");
        }
        let (ours, theirs) = UnixStream::pair().unwrap();
        hand_over(&ours, &[]).unwrap();
        assert!(take_over(&theirs).unwrap().is_empty());
    }
}
