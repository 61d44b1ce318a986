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
/// The program writes its marks to their file before it ends. That is no part of what is measured, and is taken out.
pub(super) fn end(from: u64, ended: u64, moments: &[Moment]) -> End {
    let at =
        |name: &str| moments.iter().find(|moment| moment.name == name && moment.at >= from).map(|moment| moment.at);
    let saving = match (at("saving"), at("saved")) {
        (Some(begun), Some(done)) => done.saturating_sub(begun),
        _ => 0,
    };
    let Some(reaped) = at("reaped") else {
        // Without the host's word, the answer ending after the program's last one shows that it was waited for.
        let waited = at("saved").is_some_and(|saved| saved <= ended);
        let last = ended.saturating_sub(from).saturating_sub(if waited { saving } else { 0 });
        return End { last, exit: None, afterwards: 0 };
    };
    let written = moments.iter().filter(|moment| moment.name == "written" && moment.at >= from).map(|moment| moment.at);
    // All that had come was sent, then the program ended, and then more was sent: the client was waiting. That all of it was
    // sent after the end means no more than that the program was quicker than its host.
    let before = written.clone().filter(|written| *written < reaped).max();
    let is_more = reaped <= ended && written.max().is_some_and(|last| last > reaped);
    let Some(exit_began) = before.filter(|_| is_more) else {
        let afterwards = reaped.saturating_sub(ended).saturating_sub(saving);
        return End { last: ended.saturating_sub(from), exit: Some(0), afterwards };
    };
    let exit = reaped.saturating_sub(exit_began).saturating_sub(saving);
    let last = exit_began.saturating_sub(from).saturating_add(ended.saturating_sub(reaped));
    End { last, exit: Some(exit), afterwards: 0 }
}
