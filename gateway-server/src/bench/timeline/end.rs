//! The end of a CGI program: whether the client waits for it, and how long it takes.
//!
//! Holds the one place where a stage is more than the time between two marks. An answer whose length is known is over with
//! its last byte, and the program ends afterwards; any other is over when the program is.

use super::moments::Moment;

/// What follows the application, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// The answer on its way to the client.
    pub(super) last: u64,
    /// The end of the program, as far as the client waited for it; `None` if nobody said when it was reaped.
    pub(super) exit: Option<u64>,
    /// From the end of the answer until the program was reaped.
    pub(super) afterwards: u64,
}

/// Divides the time from the application's end (`from`) to the answer's (`ended`), and what follows.
///
/// The program writes its marks to their file in between. That is no part of what is measured, and is taken out.
pub(super) fn end(from: u64, ended: u64, moments: &[Moment]) -> End {
    let at =
        |name: &str| moments.iter().find(|moment| moment.name == name && moment.at >= from).map(|moment| moment.at);
    let saving = match (at("saving"), at("saved")) {
        (Some(begun), Some(done)) if done <= ended => done.saturating_sub(begun),
        _ => 0,
    };
    let whole = ended.saturating_sub(from).saturating_sub(saving);
    let Some(reaped) = at("reaped") else { return End { last: whole, exit: None, afterwards: 0 } };
    match waited_from(from, ended, reaped, moments) {
        Some(exit_began) => {
            // Without a length the program learns after its last piece that it was the last, and writes its marks then.
            let exit = reaped.saturating_sub(exit_began).saturating_sub(saving);
            End { last: whole.saturating_sub(exit), exit: Some(exit), afterwards: 0 }
        }
        None => End { last: whole, exit: Some(0), afterwards: reaped.saturating_sub(ended) },
    }
}

/// Since when the client waited for the end of the program alone, if it did.
///
/// All that had come was sent, then the program ended, and then more was sent. That everything was sent after the end
/// means no more than that the program was quicker than its host.
fn waited_from(from: u64, ended: u64, reaped: u64, moments: &[Moment]) -> Option<u64> {
    let written = moments.iter().filter(|moment| moment.name == "written" && moment.at >= from).map(|moment| moment.at);
    let before = written.clone().filter(|written| *written < reaped).max();
    let is_more = reaped <= ended && written.max().is_some_and(|last| last > reaped);
    before.filter(|_| is_more)
}
