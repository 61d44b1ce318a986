//! The listener as its clients see it: real sockets, bytes in, bytes out.

mod asynchronous;
mod bodies;
mod closes;
mod dispatch;
mod limits;
mod persistence;
mod requests;
mod smuggling;
mod stop;
mod support;
