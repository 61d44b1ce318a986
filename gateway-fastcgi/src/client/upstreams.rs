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

/// An attempt that failed, and what is needed for another if there may be one.
struct Failed {
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
    pub(super) async fn ask(&self, request: &Request, mut body: RequestBody) -> Result<Answer, ClientError> {
        let mut avoid = Avoid::NONE;
        let mut wanted = Wanted::Any;
        let mut place = self.wait(request, avoid).await?;
        let mut tries = 1;
        loop {
            let upstream = place.upstream();
            let Failed { error, retry } = match self.attempt(place, request, body, wanted).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let Some((retry, rewound)) = retry.filter(|_| tries < self.config.max_tries) else { return Err(error) };
            avoid = avoid.and(upstream);
            let another = self.places.has_another(avoid);
            (place, wanted) = match retry {
                Retry::OnFresh(place) => (place, Wanted::Fresh),
                Retry::AtAnother if !another => return Err(error),
                Retry::AtAnother => (self.wait(request, avoid).await?, Wanted::Any),
                Retry::Anywhere => {
                    // Everybody had it: the worker may have been one of many behind its address.
                    avoid = if another { avoid } else { Avoid::NONE };
                    (self.wait(request, avoid).await?, Wanted::Any)
                }
            };
            tries += 1;
            tracing::debug!(%error, tries, "request is sent again");
            body = rewound;
        }
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
        let last = |error| Failed { error, retry: None };
        // Each place has the number of a pool.
        let Some(pool) = self.pools.get(place.upstream()) else { return Err(last(ClientError::Closed)) };
        let (mut place, mut body) = (place, body);
        let asked = request.hops.as_ref().map(|hops| {
            hops.asked(pool.address().to_string());
            (hops, Instant::now())
        });
        let mut conversation = loop {
            let link = match pool.link(place, wanted, request.look).await {
                Ok(link) => link,
                // Nothing was sent.
                Err(error) => return Err(Failed { error, retry: Some((Retry::AtAnother, body)) }),
            };
            match Conversation::begin(link, pool, request, body, &self.config).map_err(last)? {
                Begun::UnderWay(conversation) => break conversation,
                Begun::NoRoom(same_place, same_body) => (place, body) = (same_place, same_body),
            }
        };
        match response::head(&mut conversation, &self.config).await {
            Ok((head, start)) => {
                if let Some((hops, began)) = asked {
                    hops.answered(pool.address().to_string(), began.elapsed());
                }
                Ok((conversation, head, start))
            }
            Err(error) => Err(Failed { retry: conversation.into_retry(&error, request.is_idempotent), error }),
        }
    }
}
