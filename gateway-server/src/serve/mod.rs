//! The HTTP/1.1 listener: sockets, threads and times around the machine of [`crate::h1`].
//!
//! One task for each connection. A synchronous application is called right there, on the runtime's worker, when its body has
//! arrived; the runtime has more workers than cores, so one that blocks does no harm, and when nearly all of them are busy,
//! or the body keeps the call waiting, it goes on on a thread that may block. Everything a peer can make us wait for has a
//! time, everything it can make us hold has a size: see [`Config`] and [`Limits`](crate::h1::Limits).
//!
//! Responses to pipelined requests are gathered while further complete requests are here, so a batch of them costs one
//! read and one write; an application that may wait (asynchronous, or on its own thread) is not called before the
//! responses ahead of it are written.
//!
//! | file | holds |
//! | --- | --- |
//! | `config` | settings |
//! | `model`, `blocking` | the other server models: [`Model`] |
//! | `handler` | who answers |
//! | `hosts` | under which names |
//! | `server`, `shared` | running, counting, stopping |
//! | `accepting` | who comes in |
//! | `peers` | how many connections each peer has |
//! | `room` | who makes room in a full house |
//! | `endpoint`, `proxy_header`, `tls` | what the connections of a socket begin with |
//! | `arrival` | what comes before the first request |
//! | `transport` | the socket, or TLS over it |
//! | `connection` | request after request; closing |
//! | `h2` | the same over HTTP/2: streams, each with its request |
//! | `request` | what has arrived, as an environ |
//! | `answer`, `asynchronous` | one request through its application: where it runs |
//! | `drive`, `carrier` | its events, pulled and written; what carries its response |
//! | `record` | what is told of it |
//! | `input`, `upload` | a body that is still arriving: how it is read, and where |
//! | `pace`, `half_close` | how slow a client may be, and when it has gone |
//! | `patience` | how long an application is let be that has nothing yet |
//! | `trusted`, `forwarding` | proxies in front of us, and what they say of the client |
//! | `interim`, `upgrade` | what an asynchronous application may send before its answer, or instead of one |
//! | `wire`, `outbox`, `date` | socket, machine and unsent bytes; the time in a head |
//! | `refusal` | the server's own answers |

mod accepting;
mod answer;
mod arrival;
mod asynchronous;
mod blocking;
mod carrier;
mod config;
mod connection;
mod date;
mod drive;
mod endpoint;
mod forwarding;
#[cfg(feature = "http2")]
mod h2;
mod half_close;
mod handler;
mod hosts;
mod input;
mod interim;
mod model;
mod outbox;
mod pace;
mod patience;
mod peers;
mod proxy_header;
mod record;
mod refusal;
mod request;
mod room;
mod server;
mod shared;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod trusted;
mod upgrade;
mod upload;
mod wire;

pub use config::Config;
pub use endpoint::Endpoint;
#[cfg(feature = "proxy")]
pub(crate) use forwarding::TrustedPeer;
pub use handler::{Handler, Route, Router};
pub use hosts::{Hosts, HostsError};
pub use interim::Interim;
pub use model::{Model, UnknownModel};
pub use server::{Bound, Server, ServerHandle};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};
pub use trusted::{ForwardedFields, TrustedProxies, TrustedProxiesError};
pub use upgrade::{NotOffered, Upgrade, Upgraded};
