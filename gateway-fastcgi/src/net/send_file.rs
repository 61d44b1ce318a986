//! A part of a file, straight to a socket (sendfile(2)).
//!
//! Holds one such step. Does not wait for room.

use gateway_spec::FilePart;
use std::io;
use std::os::fd::BorrowedFd;

/// Sends of `part` what `socket` takes, but not all of a long one at once.
pub(super) fn send_file(socket: BorrowedFd<'_>, part: &mut FilePart) -> io::Result<usize> {
    const MOST: usize = 2 << 20;
    let count = usize::try_from(part.length()).map_or(MOST, |left| left.min(MOST));
    let mut offset = part.offset();
    let sent = rustix::io::retry_on_intr(|| rustix::fs::sendfile(socket, part.file(), Some(&mut offset), count))?;
    if sent == 0 && count > 0 {
        return Err(part.ended_early());
    }
    part.advance(sent as u64);
    Ok(sent)
}
