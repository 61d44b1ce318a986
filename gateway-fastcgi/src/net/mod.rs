//! Addresses, connections and listeners: the sockets under every gateway of this workspace.
//!
//! Holds the spelling of an address, one [`Stream`] over TCP and UNIX sockets that is driven through `&self`, and the
//! [`Listener`] with its ways to come by a socket: bind, inherit on descriptor 0, or receive from systemd; and the [`Timer`] of a
//! connection. Does not hold protocols, time limits or logging.
//!
//! # Examples
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use gateway_fastcgi::net::{Address, ListenOptions, Listener, Stream};
//!
//! let listener = Listener::bind(&"tcp:127.0.0.1:0".parse()?, &ListenOptions::default()).await?;
//! let client = Stream::connect(listener.address()).await?;
//! let (server, _peer) = listener.accept().await?;
//! client.write_all(b"hello").await?;
//! let mut received = Vec::new();
//! server.read_buf(&mut received).await?;
//! assert_eq!(received, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod advice;
mod blocking;
mod handover;
pub(crate) mod inherited;
mod listener;
mod owner;
mod peer;
mod room;
mod send_file;
mod socket_file;
mod source;
mod stream;
#[cfg(test)]
mod tests;
mod timer;

pub use address::{Address, AddressError};
pub use advice::connect_advice;
pub use blocking::{BlockingListener, BlockingStream};
pub use handover::{HandedSocket, ListenerHandle, hand_over, take_over};
pub use inherited::{PassedSocket, inherited_stdin, is_listening_socket, systemd_sockets};
pub use listener::{AcceptTrouble, ListenOptions, Listener};
pub use owner::{Owner, OwnerError, group_id, user_id};
pub use peer::{Peer, PeerCredentials};
pub use room::Room;
pub use source::SocketSource;
pub use stream::{Insisting, Readiness, Stream};
pub use timer::{Elapsed, Timer, after};
