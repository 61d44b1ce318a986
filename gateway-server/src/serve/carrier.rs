//! What carries one response to its client: a connection of HTTP/1.1, or one stream of HTTP/2.
//!
//! Holds what the running of an application (`answer`) needs of either. Does not hold how it is done.

use super::asynchronous::switch;
use super::drive::Outcome;
use super::interim::Interim;
use super::refusal::Refusal;
use super::shared::Shared;
use super::upgrade::Upgrade;
use super::wire::{Put, Wire};
use gateway_fastcgi::net::{Peer, Timer};
use gateway_spec::{Event, FilePart, PushSink, ResponseHead};
use std::io;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

/// The way of a response. It is put in event by event; flushing hands it on as far as the client takes it.
pub(super) trait Carrier: PushSink + 'static {
    fn shared(&self) -> &Shared;

    fn peer(&self) -> Peer;

    /// What spoilt the body of the request.
    fn trouble(&self) -> Option<Refusal>;

    /// Notes that the application is called now, if somebody is to be told.
    fn note_called(&self);

    /// Puts one event of the response in.
    fn put(&self, event: Event) -> Put;

    /// Puts in an event and, before it, the head that waited for it, and hands on what the client takes. [`Put::Flush`] says that
    /// some of it is left.
    fn send(&self, head: Option<ResponseHead>, event: Event) -> io::Result<Put> {
        let put = match head.map_or(Put::More, |head| self.put(Event::Head(head))) {
            Put::More => self.put(event),
            trouble => trouble,
        };
        match put {
            Put::Flush if self.try_flush()? => Ok(Put::More),
            put => Ok(put),
        }
    }

    /// Asks for a part of a file, where it can be sent as one.
    fn sendable(&self, take: impl FnOnce() -> Option<FilePart>) -> Option<FilePart>;

    /// Puts what is left of a file in.
    fn put_file(&self, part: FilePart) -> Put;

    /// What sends interim responses, where there are any.
    fn interim(this: &Arc<Self>) -> Option<Interim>;

    /// Sends the last head in this protocol, and lets the application speak another.
    fn switch(
        this: &Arc<Self>,
        head: ResponseHead,
        upgrade: &Upgrade,
        timer: &mut Timer,
    ) -> impl Future<Output = Outcome> + Send;

    /// Hands on what the client takes; true when everything is gone.
    fn try_flush(&self) -> io::Result<bool>;

    /// Hands everything on, however long it takes, as long as the client takes some of it now and then.
    fn flush(&self, timer: &mut Timer) -> impl Future<Output = io::Result<()>> + Send;

    /// [`Carrier::flush`] for threads that may block.
    fn flush_blocking(&self) -> io::Result<()>;

    /// Has the client gone?
    fn is_peer_gone(&self) -> bool;

    /// [`Carrier::is_peer_gone`] for whoever waits for something else. It may not be known before it is looked for.
    fn poll_peer_gone(&self, cx: &mut Context<'_>) -> Poll<()>;
}

impl Carrier for Wire {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn peer(&self) -> Peer {
        self.peer
    }

    fn trouble(&self) -> Option<Refusal> {
        self.lock().trouble
    }

    fn note_called(&self) {
        self.note_called();
    }

    fn put(&self, event: Event) -> Put {
        self.put(event)
    }

    fn send(&self, head: Option<ResponseHead>, event: Event) -> io::Result<Put> {
        self.send(head, event)
    }

    fn sendable(&self, take: impl FnOnce() -> Option<FilePart>) -> Option<FilePart> {
        self.sendable(take)
    }

    fn put_file(&self, part: FilePart) -> Put {
        self.put_file(part)
    }

    fn interim(this: &Arc<Self>) -> Option<Interim> {
        let request = this.lock().request;
        let way: Weak<Self> = Arc::downgrade(this);
        Some(Interim::new(way, request))
    }

    async fn switch(this: &Arc<Self>, head: ResponseHead, upgrade: &Upgrade, timer: &mut Timer) -> Outcome {
        switch(this, head, upgrade, timer).await
    }

    fn try_flush(&self) -> io::Result<bool> {
        self.try_flush()
    }

    async fn flush(&self, timer: &mut Timer) -> io::Result<()> {
        self.flush(timer).await
    }

    fn flush_blocking(&self) -> io::Result<()> {
        self.flush_blocking()
    }

    fn is_peer_gone(&self) -> bool {
        self.is_peer_gone()
    }

    /// Reading would tell, but it is the application that reads.
    fn poll_peer_gone(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}
