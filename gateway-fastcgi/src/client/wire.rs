//! Records on their way to a worker.
//!
//! Holds one write of what a machine wants written. Does not wait, and takes nothing from the machine.

use std::io::{self, IoSlice};

use bytes::Buf;

use crate::connection::Outgoing;
use crate::net::Stream;

/// Writes what the system takes at once.
pub(super) fn write_some(stream: &Stream, output: &Outgoing) -> io::Result<usize> {
    // The whole of most requests.
    if output.chunk().len() == output.remaining() {
        return stream.try_write(output.chunk());
    }
    let mut slices = [IoSlice::new(&[]); 16];
    let filled = output.chunks_vectored(&mut slices);
    stream.try_write_vectored(slices.get(..filled).unwrap_or_default())
}
