//! Writing, as long as the client takes it at the pace that is asked of it.
//!
//! Holds the attempts and the waits between them. Does not hold what is written (`line`), or the rule (`pace`).

use super::line::Line;
use super::waiting::{moment, wait_for};
use crate::serve::pace::{Pace, Rule, too_slow};
use gateway_fastcgi::net::BlockingStream;
use gateway_spec::FilePart;
use rustix::event::PollFlags;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;

/// How the client takes the response in progress.
#[derive(Debug, Default)]
pub(super) struct Taking {
    pub(super) pace: Pace,
    /// How many bytes the system has taken so far, in all.
    taken: u64,
}

impl Line {
    /// Writes everything, in as few calls as the socket lets it.
    pub(super) fn write_all(&self, taking: &mut Taking, pieces: &[&[u8]]) -> io::Result<()> {
        let mut slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut left = slices.as_mut_slice();
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            let written = self.write(taking, |stream| stream.write_vectored(left))?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut left, written);
        }
        Ok(())
    }

    /// Sends a part of a file, without reading it.
    pub(super) fn write_file(&self, taking: &mut Taking, mut part: FilePart) -> io::Result<()> {
        while part.length() > 0 {
            self.write(taking, |stream| stream.send_file(&mut part))?;
        }
        Ok(())
    }

    /// Attempts to write until the system takes something.
    fn write(
        &self,
        taking: &mut Taking,
        mut attempt: impl FnMut(&BlockingStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let rule = Rule::of_responses(&self.pool.shared.config);
        let mut is_late = false;
        loop {
            let attempted = match attempt(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                attempted => Some(attempted?),
            };
            let before = taking.taken;
            taking.taken += attempted.unwrap_or(0) as u64;
            if is_late && !taking.pace.is_kept(rule, before, taking.taken) {
                return Err(too_slow(self.peer, taking.taken, &self.stream));
            }
            if let Some(written) = attempted {
                return Ok(written);
            }
            let wait = taking.pace.begin(rule, taking.taken);
            let ready = wait_for(self.stream.as_fd(), PollFlags::OUT, moment(wait.longest));
            taking.pace.end(&wait);
            is_late = !ready?;
        }
    }
}
