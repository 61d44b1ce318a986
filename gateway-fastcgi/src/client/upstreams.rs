//! The upstreams of one client, and how often a request is sent to them.
//!
//! Holds the attempts: which failure leads to another, and where. Does not hold the choice between upstreams (`balance`), the
//! queue (`places`) or what one attempt is (`conversation`, `response`).

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::balance::Avoid;
use super::conversation::{Begun, Conversation, Retry};
use super::places::{Place, Places};
use super::pool::{Pool, Wanted};
use super::request_body::RequestBody;
use super::response::{self, Head};
use super::{ClientError, Config, Request};
use crate::net::Address;

/// All upstreams of one client.
pub(super) struct Upstreams {
    config: Arc<Config>,
    places: Arc<Places>,
    /// As numbered by `places`.
    pools: Vec<Arc<Pool>>,
}

/// What a client's upstream is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpstreamStatus {
    /// Where it is.
    pub address: Address,
    /// Requests that it has.
    pub requests: usize,
    /// Connections that are kept open without a request on them.
    pub idle_connections: usize,
    /// It failed, or said that it is full, and gets no request until it is tried again.
    pub is_out: bool,
}

/// An answer whose head has come, and what came of its body.
pub(super) type Answer = (Conversation, Head, Bytes);

/// A request that is under way.
struct Asked<'a> {
    upstream: usize,
    pool: &'a Pool,
    conversation: Conversation,
    /// When, if somebody wants to know.
    began: Option<Instant>,
}

/// What came of beginning a request without waiting.
enum AtOnce<'a> {
    UnderWay(Asked<'a>),
    NoPlace(RequestBody),
    NoConnection(Place, RequestBody),
}

/// From where a request goes on that could not begin at once, or failed.
enum Start {
    Queue(RequestBody),
    Connect(Place, RequestBody),
    After(Failed),
}

/// An attempt that failed, and what is needed for another if there may be one.
struct Failed {
    upstream: usize,
    error: ClientError,
    retry: Option<(Retry, RequestBody)>,
}

impl Upstreams {
    pub(super) fn new(addresses: Vec<Address>, config: &Arc<Config>) -> Self {
        let places = Places::new(addresses.clone(), config);
        let pool = |(number, address)| Pool::new(address, Arc::clone(config), Arc::clone(&places), number);
        let pools = addresses.into_iter().enumerate().map(pool).collect();
        Self { config: Arc::clone(config), places, pools }
    }

    pub(super) fn pools(&self) -> impl Iterator<Item = &Arc<Pool>> {
        self.pools.iter()
    }

    pub(super) fn statuses(&self) -> Vec<UpstreamStatus> {
        let status = |(number, pool): (usize, &Arc<Pool>)| {
            let (requests, is_out) = self.places.state_of(number);
            UpstreamStatus {
                address: pool.address().clone(),
                requests,
                idle_connections: pool.idle_connections(),
                is_out,
            }
        };
        self.pools.iter().enumerate().map(status).collect()
    }

    pub(super) fn waiting(&self) -> usize {
        self.places.waiting()
    }

    /// Sends the request and waits for the head of the answer; again where that can do no harm (FCGI-82, FCGI-117).
    pub(super) async fn ask(&self, request: &Request, body: RequestBody) -> Result<Answer, ClientError> {
        let start = match self.begin_at_once(request, body)? {
            AtOnce::UnderWay(asked) => match self.answer(request, asked).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => Start::After(failed),
            },
            AtOnce::NoPlace(body) => Start::Queue(body),
            AtOnce::NoConnection(place, body) => Start::Connect(place, body),
        };
        // In a box, because it is large and seldom: most requests find a place and a connection and get their answer.
        Box::pin(self.go_on(request, start)).await
    }

    /// Begins where nothing has to be waited for: a place is free, and a kept connection.
    fn begin_at_once(&self, request: &Request, body: RequestBody) -> Result<AtOnce<'_>, ClientError> {
        let now = tokio::time::Instant::now();
        let Some(place) = self.places.take(Avoid::NONE, now) else { return Ok(AtOnce::NoPlace(body)) };
        // Each place has the number of a pool.
        let Some(pool) = self.pools.get(place.upstream()) else { return Err(ClientError::Closed) };
        let upstream = place.upstream();
        let link = match pool.link_at_once(place, request.look, now) {
            Ok(link) => link,
            Err(place) => return Ok(AtOnce::NoConnection(place, body)),
        };
        let began = note_asked(request, pool);
        Ok(match Conversation::begin(link, pool, request, body, &self.config, now)? {
            Begun::UnderWay(conversation) => AtOnce::UnderWay(Asked { upstream, pool, conversation, began }),
            Begun::NoRoom(place, body) => AtOnce::NoConnection(place, body),
        })
    }

    /// Goes on from where waiting begins.
    async fn go_on(&self, request: &Request, start: Start) -> Result<Answer, ClientError> {
        let mut avoid = Avoid::NONE;
        let mut tries = 1;
        let (mut place, mut wanted, mut body) = match start {
            Start::Queue(body) => (self.wait(request, avoid).await?, Wanted::Any, body),
            Start::Connect(place, body) => (place, Wanted::Any, body),
            Start::After(failed) => {
                let again = self.again(request, failed, &mut avoid, tries).await?;
                tries += 1;
                again
            }
        };
        loop {
            match self.attempt(place, request, body, wanted).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => (place, wanted, body) = self.again(request, failed, &mut avoid, tries).await?,
            }
            tries += 1;
        }
    }

    /// Where and how a request is sent once more; its error if it is not.
    async fn again(
        &self,
        request: &Request,
        failed: Failed,
        avoid: &mut Avoid,
        tries: u32,
    ) -> Result<(Place, Wanted, RequestBody), ClientError> {
        let Failed { upstream, error, retry } = failed;
        let Some((retry, rewound)) = retry.filter(|_| tries < self.config.max_tries) else { return Err(error) };
        *avoid = avoid.and(upstream);
        let another = self.places.has_another(*avoid);
        let (place, wanted) = match retry {
            Retry::OnFresh(place) => (place, Wanted::Fresh),
            Retry::AtAnother if !another => return Err(error),
            Retry::AtAnother => (self.wait(request, *avoid).await?, Wanted::Any),
            Retry::Anywhere => {
                // Everybody had it: the worker may have been one of many behind its address.
                *avoid = if another { *avoid } else { Avoid::NONE };
                (self.wait(request, *avoid).await?, Wanted::Any)
            }
        };
        tracing::debug!(%error, tries = tries + 1, "request is sent again");
        Ok((place, wanted, rewound))
    }

    /// Waits for a place, and notes for how long.
    async fn wait(&self, request: &Request, avoid: Avoid) -> Result<Place, ClientError> {
        let Some(hops) = &request.hops else { return self.places.wait(avoid).await };
        let began = Instant::now();
        let place = self.places.wait(avoid).await;
        hops.waited(began.elapsed());
        place
    }

    /// Sends the request once.
    async fn attempt(
        &self,
        place: Place,
        request: &Request,
        body: RequestBody,
        wanted: Wanted,
    ) -> Result<Answer, Failed> {
        let upstream = place.upstream();
        let last = |error| Failed { upstream, error, retry: None };
        // Each place has the number of a pool.
        let Some(pool) = self.pools.get(upstream) else { return Err(last(ClientError::Closed)) };
        let (mut place, mut body) = (place, body);
        let began = note_asked(request, pool);
        let conversation = loop {
            let link = match pool.link(place, wanted, request.look).await {
                Ok(link) => link,
                // Nothing was sent.
                Err(error) => return Err(Failed { upstream, error, retry: Some((Retry::AtAnother, body)) }),
            };
            let now = tokio::time::Instant::now();
            match Conversation::begin(link, pool, request, body, &self.config, now).map_err(last)? {
                Begun::UnderWay(conversation) => break conversation,
                Begun::NoRoom(same_place, same_body) => (place, body) = (same_place, same_body),
            }
        };
        self.answer(request, Asked { upstream, pool, conversation, began }).await
    }

    /// Waits for the head of the answer.
    async fn answer(&self, request: &Request, asked: Asked<'_>) -> Result<Answer, Failed> {
        let Asked { upstream, pool, mut conversation, began } = asked;
        match response::head(&mut conversation, &self.config).await {
            Ok((head, start)) => {
                if let (Some(hops), Some(began)) = (&request.hops, began) {
                    hops.answered(pool.address().to_string(), began.elapsed());
                }
                Ok((conversation, head, start))
            }
            Err(error) => {
                Err(Failed { upstream, retry: conversation.into_retry(&error, request.is_idempotent), error })
            }
        }
    }
}

/// Notes who is asked, where somebody wants to know.
fn note_asked(request: &Request, pool: &Pool) -> Option<Instant> {
    let hops = request.hops.as_ref()?;
    hops.asked(pool.address().to_string());
    Some(Instant::now())
}
