//! Where one request's time goes: requests asked one at a time, and the marks that all processes left on their way.
//!
//! Holds the asking. The marks themselves are set where the gateways serve ([`crate::marks`]).
//!
//! | part | holds |
//! | --- | --- |
//! | `moments` | the marks of all processes, from their files |
//! | `legs` | for each model, which mark ends which stage |
//! | `join` | requests and moments brought together |
//! | `end` | the end of a CGI program, which the client waits for or not |
//! | `empty` | what a process costs that does nothing |

mod empty;
mod end;
mod join;
mod legs;
mod moments;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::fleet::Fleet;
use super::load::{AskError, Request, ask};
use super::model::Model;
use super::result::Timeline;
pub(crate) use empty::empty_process;
use join::Asked;

/// Why it cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TimelineError {
    /// A request was not answered.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// An answer was not the one that is looked for.
    #[error("an answer had the status {0}")]
    Status(u16),
    /// The marks cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The folder or the file.
        path: PathBuf,
        source: io::Error,
    },
    /// A file of marks holds something else.
    #[error("line {line} of {} is no mark", .path.display())]
    Line {
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// Most requests lack this mark.
    #[error("the mark {mark:?} is missing in {missing} of {requests} requests")]
    Missing {
        /// That of the first request that lacks one.
        mark: &'static str,
        /// Requests that lack any mark.
        missing: usize,
        requests: usize,
    },
    /// Nothing was asked.
    #[error("no request was looked at")]
    Nothing,
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks so many times, each on a new connection, ends the processes, and reads in `marks` what they did meanwhile.
///
/// The fleet was started with `marks` as the folder for them.
pub(crate) fn take(
    fleet: Fleet,
    model: &Model,
    request: &Request,
    requests: usize,
    marks: &Path,
) -> Result<Timeline, TimelineError> {
    let mut asked = Vec::with_capacity(requests);
    for _ in 0..requests {
        let answer = ask(fleet.address(), request, PATIENCE)?;
        if !(200..400).contains(&answer.status) {
            return Err(TimelineError::Status(answer.status));
        }
        let one = Asked { began: answer.began, ended: answer.ended };
        asked.push(one);
        thread::sleep(rest_after(one));
    }
    // They write their marks at their end.
    fleet.stop();
    join::join(model, &asked, &moments::read(marks)?)
}

/// How long the machine is left alone: what is done after an answer, such as the end of a CGI program, is neither to be
/// cut off nor to slow the next request down.
fn rest_after(asked: Asked) -> Duration {
    const LEAST: Duration = Duration::from_millis(2);
    const MOST: Duration = Duration::from_millis(100);
    Duration::from_nanos(asked.total()).saturating_mul(2).clamp(LEAST, MOST)
}
