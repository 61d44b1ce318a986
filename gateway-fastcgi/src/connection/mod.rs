//! One FastCGI connection, seen from either end, without I/O.
//!
//! Holds the order in which records may come and go: [`WorkerConnection`] for the application's end, [`ClientConnection`]
//! for the gateway's. Both are driven alike: bytes go in by `receive` (or are read straight into [`WorkerConnection::input`]),
//! `next_event` says what they mean, `send_*` appends the answer to an [`Outgoing`], which the caller writes.
//! Does not hold sockets, time limits or logging; knows the codecs of [`crate::protocol`] and nothing above.
//!
//! # Examples
//! One request through both machines:
//! ```
//! use bytes::Buf;
//! use gateway_fastcgi::connection::{ClientConnection, ClientEvent, Limits, WorkerConnection, WorkerEvent};
//! use gateway_fastcgi::protocol::{BeginRequest, Capabilities, Role};
//!
//! let mut client = ClientConnection::new();
//! let begin = BeginRequest { role: Role::RESPONDER, keep_connection: true };
//! let id = client.send_request(begin, [(&b"REQUEST_METHOD"[..], &b"GET"[..])])?;
//! client.end_stdin(id)?;
//!
//! let mut worker = WorkerConnection::new(Limits::default(), Capabilities::one_at_a_time(8));
//! let output = client.output();
//! worker.receive(&output.copy_to_bytes(output.remaining()));
//! let Some(WorkerEvent::Request(request)) = worker.next_event()? else { return Err("no request".into()) };
//! assert_eq!(request.params.get(b"REQUEST_METHOD"), Some(&b"GET"[..]));
//! worker.send_stdout(request.id, "Status: 204 No Content\r\n\r\n".into())?;
//! worker.send_end(request.id, 0)?;
//!
//! let output = worker.output();
//! client.receive(&output.copy_to_bytes(output.remaining()));
//! assert!(matches!(client.next_event()?, Some(ClientEvent::Stdout { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod limits;
mod outgoing;
mod parameters;
mod reader;
mod send_error;
#[cfg(test)]
mod tests;
mod worker;

pub use client::{ClientConnection, ClientEvent};
pub use limits::Limits;
pub use outgoing::Outgoing;
pub use parameters::Parameters;
pub use send_error::SendError;
pub use worker::{Request, WorkerConnection, WorkerEvent};
