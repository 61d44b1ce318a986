//! How many programs run at once (CGI-183): of one program, of one host, and of several hosts together.
//!
//! Holds the places and the wait for one. Does not hold what is done with it: `run` gives it back when the process is
//! reaped.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::activity::at_latest;
use super::{Config, HostError};

/// Places that several hosts share, so that all of them together run no more programs than the machine can bear.
///
/// Clones are the same places.
///
/// # Examples
/// ```
/// use gateway_cgi::host::{Config, SharedPlaces};
///
/// let places = SharedPlaces::new(64);
/// let (one, two) = (Config::new().shared_places(places.clone()), Config::new().shared_places(places));
/// # drop((one, two));
/// ```
#[derive(Debug, Clone)]
pub struct SharedPlaces(Arc<Semaphore>);

impl SharedPlaces {
    /// So many places, at least 1.
    #[must_use]
    pub fn new(children: usize) -> Self {
        SharedPlaces(semaphore(children))
    }
}

/// Whose places were all taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowd {
    /// Those of one program, see [`Config::max_children_per_program`].
    Program,
    /// Those of the host, see [`Config::max_children`].
    Host,
    /// Those of all hosts that share them, see [`Config::shared_places`].
    Shared,
}

impl fmt::Display for Crowd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Crowd::Program => "this program",
            Crowd::Host => "this mount",
            Crowd::Shared => "all mounts",
        })
    }
}

/// The places of one host.
#[derive(Debug)]
pub(super) struct Places {
    host: Arc<Semaphore>,
    /// How many of them there are.
    max: usize,
    programs: Option<Programs>,
    shared: Option<SharedPlaces>,
}

/// The places of each program that runs or is waited for.
#[derive(Debug)]
struct Programs {
    children: usize,
    running: Mutex<HashMap<PathBuf, Weak<Semaphore>>>,
}

/// One place, given back on drop.
#[derive(Debug)]
pub(super) struct Place {
    _permits: [Option<OwnedSemaphorePermit>; 3],
}

impl Places {
    pub(super) fn new(config: &Config) -> Self {
        let programs = config.max_children_per_program;
        let host = semaphore(config.max_children);
        Places {
            max: host.available_permits(),
            host,
            programs: programs.map(|children| Programs { children, running: Mutex::default() }),
            shared: config.shared_places.clone(),
        }
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.max.saturating_sub(self.host.available_permits())
    }

    /// Waits for a place. The scarcest comes first, so that nobody who waits for it holds one of the others.
    pub(super) async fn take(&self, program: &Path, waited: Duration) -> Result<Place, HostError> {
        let deadline = at_latest(Instant::now(), waited);
        let take = async |semaphore: Option<Arc<Semaphore>>, crowd| match semaphore {
            None => Ok(None),
            Some(semaphore) => match timeout_at(deadline, semaphore.acquire_owned()).await {
                Ok(permit) => permit.map(Some).map_err(|_| HostError::ShuttingDown),
                Err(_) => Err(HostError::Busy { crowd, waited }),
            },
        };
        let program = take(self.programs.as_ref().map(|programs| programs.places(program)), Crowd::Program).await?;
        let host = take(Some(self.host.clone()), Crowd::Host).await?;
        let shared = take(self.shared.as_ref().map(|shared| shared.0.clone()), Crowd::Shared).await?;
        Ok(Place { _permits: [program, host, shared] })
    }
}

impl Programs {
    /// The places of this program. Those of programs that nobody runs or waits for are forgotten: a directory's files come
    /// and go.
    fn places(&self, program: &Path) -> Arc<Semaphore> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = running.get(program).and_then(Weak::upgrade) {
            return places;
        }
        running.retain(|_, places| places.strong_count() > 0);
        let places = semaphore(self.children);
        running.insert(program.to_owned(), Arc::downgrade(&places));
        places
    }
}

fn semaphore(children: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(children.clamp(1, Semaphore::MAX_PERMITS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    async fn crowd(places: &Places, program: &str) -> Option<Crowd> {
        match places.take(Path::new(program), NOW).await {
            Ok(_) => None,
            Err(HostError::Busy { crowd, .. }) => Some(crowd),
            Err(other) => panic!("{other}"),
        }
    }

    #[tokio::test]
    async fn cgi_183_each_limit_holds_and_says_which_it_is() {
        let shared = SharedPlaces::new(3);
        let config = Config::new().max_children(2).max_children_per_program(1).shared_places(shared);
        let (one, two) = (Places::new(&config), Places::new(&config));
        let first = one.take(Path::new("/a"), NOW).await.unwrap();
        assert_eq!(crowd(&one, "/a").await, Some(Crowd::Program));
        let second = one.take(Path::new("/b"), NOW).await.unwrap();
        assert_eq!(crowd(&one, "/c").await, Some(Crowd::Host));
        let third = two.take(Path::new("/a"), NOW).await.unwrap();
        assert_eq!(crowd(&two, "/b").await, Some(Crowd::Shared));
        drop(first);
        assert_eq!(crowd(&two, "/b").await, None);
        assert_eq!(crowd(&one, "/a").await, None);
        drop((second, third));
    }

    #[tokio::test]
    async fn programs_that_do_not_run_are_forgotten() {
        let places = Places::new(&Config::new().max_children_per_program(1));
        for at in 0..100 {
            drop(places.take(Path::new(&format!("/{at}")), NOW).await.unwrap());
        }
        assert!(places.programs.unwrap().running.lock().unwrap().len() <= 1);
    }
}
