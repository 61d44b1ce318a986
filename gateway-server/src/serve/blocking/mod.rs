//! The two server models whose threads wait: one connection at a time, and a thread for each.
//!
//! They are the oldest way to write a server, and the shortest to read. A thread takes a connection, reads a request, calls the
//! application, writes what comes, and goes on to the next request; whatever it has to wait for, it waits for right there. The rules
//! of HTTP are those of the other models, because it is the same machine ([`crate::h1`]) that is given bytes and asked for events.
//!
//! Read the files in this order:
//!
//! | file | holds |
//! | --- | --- |
//! | `pool` | the threads: who accepts, how many there are, who gives way, and the end |
//! | `connection` | request after request on one connection |
//! | `answer` | one request through its application |
//! | `line` | socket, machine and unsent bytes of a connection: what goes out |
//! | `writing` | writing it, at the pace that is asked of the client |
//! | `waiting` | receiving, with a limit of time for everything |
//! | `input` | a request body, read when the application asks for it |

mod answer;
mod connection;
mod input;
mod line;
mod pool;
mod waiting;
mod writing;

pub(super) use pool::serve;
