//! What a worker says about itself: FCGI_GET_VALUES (FastCGI 1.0 §4.1), asked on a connection that is thrown away.
//!
//! Holds the question, and what follows from the answer for the pool. Does not hold when to ask (`pool`). Nothing depends on
//! an answer: php-fpm says one thing and closes, others close or never say anything (FCGI-59).

use std::time::Duration;

use bytes::Buf;
use tokio::time::timeout;

use super::Config;
use crate::connection::{ClientConnection, ClientEvent};
use crate::net::{Address, Stream};
use crate::protocol::{PeerValues, ValueName};

/// How long an answer is waited for. Those who answer do so at once; a host far away needs a part of this.
const LIMIT: Duration = Duration::from_secs(2);

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Values(PeerValues),
    /// It closed the connection, or said something else: it does not know the question.
    NotUnderstood,
    /// Nothing came in time. Perhaps no worker was free to hear the question.
    Silence,
    /// There was no connection.
    Unreachable,
}

/// Asks the worker at `address`.
pub(super) async fn ask(address: &Address) -> Answer {
    let Ok(connected) = timeout(LIMIT, Stream::connect(address)).await else { return Answer::Silence };
    let Ok(stream) = connected else { return Answer::Unreachable };
    timeout(LIMIT, question(&stream)).await.unwrap_or(Answer::Silence)
}

async fn question(stream: &Stream) -> Answer {
    let mut machine = ClientConnection::new();
    machine.send_get_values(&ValueName::ALL);
    let output = machine.output();
    let question = output.copy_to_bytes(output.remaining());
    if stream.write_all(&question).await.is_err() {
        return Answer::NotUnderstood;
    }
    loop {
        match machine.next_event() {
            Ok(None) => {}
            Ok(Some(ClientEvent::Values(values))) => return Answer::Values(values),
            Ok(Some(_)) | Err(_) => return Answer::NotUnderstood,
        }
        match stream.read_buf(machine.input(1024)).await {
            Ok(0) | Err(_) => return Answer::NotUnderstood,
            Ok(_) => {}
        }
    }
}

/// How the pool treats an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    /// Connections that are kept.
    pub(super) max_kept: usize,
    /// Requests at a time on one connection; 1 means that each has its own.
    pub(super) per_connection: u16,
}

/// Less than the processes of most pools of php-fpm, of which each kept connection holds one (FCGI-118).
const FEW: usize = 4;

impl Manner {
    /// Before anything is known.
    pub(super) fn unknown(config: &Config) -> Self {
        Self { max_kept: config.max_kept.unwrap_or(FEW), per_connection: 1 }
    }

    /// `others_were_served` tells whether a connection was answered that began after one on which nobody said anything: then a
    /// worker heard the question and did not know it. `None` if nothing follows from the answer.
    pub(super) fn of(answer: Answer, others_were_served: bool, config: &Config) -> Option<Self> {
        let values = match answer {
            Answer::Values(values) => values,
            // Those who hold a process for each connection do answer: php-fpm, php-cgi, libfcgi and what is built on it.
            Answer::NotUnderstood => PeerValues { max_connections: Some(u32::MAX), ..PeerValues::default() },
            Answer::Silence if others_were_served => {
                PeerValues { max_connections: Some(u32::MAX), ..PeerValues::default() }
            }
            Answer::Silence | Answer::Unreachable => return None,
        };
        let multiplexes = values.multiplexes == Some(true);
        let most = values.max_connections.map_or(0, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let kept = match most {
            // One stays free for those who are not us.
            most if most > FEW => most - 1,
            // Go's says no number, and serves them all.
            _ if multiplexes => usize::MAX,
            _ => FEW,
        };
        let requests = values.max_requests.map_or(u16::MAX, |most| u16::try_from(most).unwrap_or(u16::MAX));
        let together = if config.multiplex && multiplexes { requests.min(config.max_multiplexed) } else { 1 };
        Some(Self { max_kept: config.max_kept.unwrap_or(kept), per_connection: together.max(1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: PeerValues = PeerValues { max_connections: None, max_requests: None, multiplexes: None };

    #[track_caller]
    fn check(answer: Answer, expected: Option<(usize, u16)>) {
        let config = Config::default().multiplex(true).max_multiplexed(16);
        let expected = expected.map(|(max_kept, per_connection)| Manner { max_kept, per_connection });
        assert_eq!(Manner::of(answer, false, &config), expected, "{answer:?}");
    }

    #[test]
    fn fcgi_56_59_what_known_workers_say_decides_what_is_kept_and_shared() {
        // This crate's worker.
        let values = PeerValues { max_connections: Some(1000), max_requests: Some(64), multiplexes: Some(true) };
        check(Answer::Values(values), Some((999, 16)));
        let few = PeerValues { max_requests: Some(5), ..values };
        check(Answer::Values(few), Some((999, 5)));
        // php-fpm, libfcgi, php-cgi with children, Go.
        check(Answer::Values(PeerValues { multiplexes: Some(false), ..NONE }), Some((FEW, 1)));
        let one = PeerValues { max_connections: Some(1), max_requests: Some(1), multiplexes: Some(false) };
        check(Answer::Values(one), Some((FEW, 1)));
        check(Answer::Values(PeerValues { max_connections: Some(20), ..one }), Some((19, 1)));
        check(Answer::Values(PeerValues { multiplexes: Some(true), ..NONE }), Some((usize::MAX, 16)));
        check(Answer::NotUnderstood, Some((u32::MAX as usize - 1, 1)));
        check(Answer::Silence, None);
        check(Answer::Unreachable, None);
    }

    #[test]
    fn fcgi_59_silence_means_something_only_if_others_were_served() {
        let config = Config::default();
        assert!(Manner::of(Answer::Silence, true, &config).is_some_and(|manner| manner.max_kept > FEW));
    }

    #[test]
    fn what_the_operator_says_counts() {
        let config = Config::default().max_kept(2);
        let values = PeerValues { max_connections: Some(1000), max_requests: None, multiplexes: Some(true) };
        let manner = Manner::of(Answer::Values(values), false, &config);
        assert_eq!(manner, Some(Manner { max_kept: 2, per_connection: 1 }));
        assert_eq!(Manner::unknown(&config), Manner { max_kept: 2, per_connection: 1 });
    }
}
