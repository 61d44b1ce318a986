//! Which thread does what: the four server models.
//!
//! Holds their names and the runtime that each needs. Does not hold how they work: two of them are `blocking`, the other two are all
//! the rest of this folder.

use gateway_fastcgi::calls::CallRuntime;
use std::fmt;
use std::io;
use std::str::FromStr;

/// How connections are shared out among threads.
///
/// The page `docs/models.md` compares them. Whatever the model, applications, limits and answers are the same.
///
/// # Examples
/// ```
/// use gateway_server::serve::{Config, Model};
///
/// let model: Model = "threads".parse()?;
/// let config = Config::default().model(model);
/// assert_eq!(Model::default(), Model::EventLoops);
/// # let _ = config;
/// # Ok::<(), gateway_server::serve::UnknownModel>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Model {
    /// One connection after the other.
    Iterative,
    /// A thread for each connection, of a bounded number.
    Threads,
    /// One thread for all connections and all calls.
    EventLoop,
    /// Threads on all cores share all connections.
    #[default]
    EventLoops,
}

/// A name that no model has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no server model {:?}; there are iterative, threads, event-loop and event-loops", .0)]
pub struct UnknownModel(String);

impl Model {
    /// All of them, from the simplest on.
    pub const ALL: [Model; 4] = [Model::Iterative, Model::Threads, Model::EventLoop, Model::EventLoops];

    /// Its name on command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Model::Iterative => "iterative",
            Model::Threads => "threads",
            Model::EventLoop => "event-loop",
            Model::EventLoops => "event-loops",
        }
    }

    /// Whether a connection has its thread to itself, which waits with it.
    pub const fn is_blocking(self) -> bool {
        matches!(self, Model::Iterative | Model::Threads)
    }

    /// A runtime for servers of this model: with as many places for calls as `inline` where several loops share the calls, and
    /// `overflow` threads for what may wait. Models that block need a small one all the same, for what is asynchronous beside
    /// them.
    ///
    /// # Errors
    /// What the system says when there are no more threads.
    pub fn runtime(self, inline: usize, overflow: usize) -> io::Result<CallRuntime> {
        match self {
            Model::Iterative | Model::Threads => CallRuntime::new(1, overflow),
            Model::EventLoop => CallRuntime::single(overflow),
            Model::EventLoops => CallRuntime::new(inline, overflow),
        }
    }
}

impl FromStr for Model {
    type Err = UnknownModel;

    fn from_str(text: &str) -> Result<Self, UnknownModel> {
        Model::ALL.into_iter().find(|model| model.name() == text).ok_or_else(|| UnknownModel(text.to_owned()))
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
