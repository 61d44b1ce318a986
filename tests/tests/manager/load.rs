//! Clients that ask all the time until they are told to stop, and what they got.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use gateway_tests::client::{Connection, Request};

/// Clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Counts>>,
}

/// How often each answer came: by its status, or by what was wrong with it.
pub(crate) type Counts = BTreeMap<String, u64>;

impl Load {
    /// `clients` on kept connections, each of which asks the same again and again: the first one the first request, and so on in turn.
    pub(crate) fn of(address: SocketAddr, clients: usize, requests: &[Request]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |request: &Request| {
            let (stop, request) = (Arc::clone(&stop), request.clone());
            std::thread::spawn(move || ask(address, &request, &stop))
        };
        let clients = requests.iter().cycle().take(clients).map(client).collect();
        Self { stop, clients }
    }

    /// Stops them and adds up what they got.
    pub(crate) fn end(self) -> Counts {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Counts::new();
        for client in self.clients {
            for (answer, count) in client.join().unwrap() {
                *all.entry(answer).or_insert(0) += count;
            }
        }
        all
    }
}

fn ask(address: SocketAddr, request: &Request, stop: &AtomicBool) -> Counts {
    let mut counts = Counts::new();
    let mut kept: Option<Connection> = None;
    while !stop.load(Ordering::Relaxed) {
        let mut connection = match kept.take().map_or_else(|| Connection::open(address), Ok) {
            Ok(connection) => connection,
            Err(error) => {
                *counts.entry(format!("not connected: {error}")).or_insert(0) += 1;
                continue;
            }
        };
        let answer = match connection.exchange(request) {
            Ok(response) if !response.content.complete => format!("{}, cut short", response.status),
            Ok(response) => {
                let status = response.status.to_string();
                kept = response.is_persistent().then_some(connection);
                status
            }
            Err(error) => format!("{error:?}"),
        };
        *counts.entry(answer).or_insert(0) += 1;
    }
    counts
}

/// A request that may be sent again, and one that may not: what is lost of these, nobody can make good.
pub(crate) fn get_and_post(folder: &str) -> [Request; 2] {
    [Request::get(&format!("{folder}/hello")), Request::post(&format!("{folder}/echo"), "x")]
}

/// Checks that every answer was 200, and that there were some.
#[track_caller]
pub(crate) fn check_all_answered(counts: &Counts, log: &str) {
    assert!(counts.get("200").is_some_and(|count| *count > 0) && counts.len() == 1, "{counts:?}\n{log}");
}
