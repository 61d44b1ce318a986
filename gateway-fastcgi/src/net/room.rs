//! Room to read into, one for each thread.
//!
//! Holds the bytes of the last read, to be looked at or handed on. Does not read.

use bytes::{Bytes, BytesMut};
use std::cell::RefCell;
use std::io;

/// The room of a thread: what waits for bytes holds none of its own, and what is read again and again is read to the same place.
///
/// # Examples
/// ```
/// use gateway_fastcgi::net::Room;
/// use std::io::Read;
///
/// let mut body = &b"a body"[..];
/// let piece = Room::of_thread(|room| {
///     room.read(Room::SIZE, |bytes| body.read(bytes))?;
///     std::io::Result::Ok(room.share())
/// })?;
/// assert_eq!(piece, "a body");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Room {
    /// So many bytes as have been needed at once: none, some, or [`Room::SIZE`].
    room: BytesMut,
    /// So many at its front are of the last read.
    read: usize,
    /// The room while what is in it is shared.
    shared: Bytes,
}

impl Room {
    /// How much fits, in bytes: few system calls for long bodies, and not more than is soon looked at.
    pub const SIZE: usize = 64 << 10;

    /// What is enough for heads and parameters, in bytes: a thread that reads no more at once holds only so much. And less than this is
    /// copied where it is to be kept: somebody may keep it for long.
    pub const SMALL: usize = 16 << 10;

    /// The room of this thread; within `work` nobody else uses it.
    pub fn of_thread<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        thread_local! {
            static ROOM: RefCell<Room> = RefCell::default();
        }
        ROOM.with_borrow_mut(work)
    }

    /// Reads at most `most` bytes by `read`, which says how many it has put at the front.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read(&mut self, most: usize, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
        let size = if most > Self::SMALL { Self::SIZE } else { Self::SMALL };
        if self.room.len() < size {
            // Where somebody still has what was read last, this takes another place.
            let room = std::mem::take(&mut self.shared).try_into_mut().ok();
            self.room = room.filter(|room| room.len() >= size).unwrap_or_else(|| BytesMut::zeroed(size));
        }
        let done = read(self.room.get_mut(..most.min(size)).unwrap_or_default());
        self.read = *done.as_ref().unwrap_or(&0);
        done
    }

    /// What was read last, unless it was shared.
    pub fn bytes(&self) -> &[u8] {
        self.room.get(..self.read).unwrap_or_default()
    }

    /// What was read last, to be kept: not copied, unless it is short.
    pub fn share(&mut self) -> Bytes {
        if self.read < Self::SMALL {
            return Bytes::copy_from_slice(self.bytes());
        }
        self.shared = std::mem::take(&mut self.room).freeze();
        self.shared.slice(..self.read.min(self.shared.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(room: &mut Room, byte: u8, count: usize) -> Bytes {
        let fill = |bytes: &mut [u8]| {
            bytes[..count].fill(byte);
            Ok(count)
        };
        assert_eq!(room.read(Room::SIZE, fill).unwrap(), count);
        room.share()
    }

    #[test]
    fn a_room_is_used_again_once_nobody_has_it() {
        let mut room = Room::default();
        let first = read(&mut room, 1, 40_000);
        let place = first.as_ptr();
        let kept = first.slice(20_000..);
        drop(first);
        let second = read(&mut room, 2, 50_000);
        assert_ne!(second.as_ptr(), place, "a part of it is still in use");
        assert!(kept.iter().all(|byte| *byte == 1) && second.iter().all(|byte| *byte == 2));
        let place = second.as_ptr();
        drop(second);
        assert_eq!(read(&mut room, 3, Room::SIZE).as_ptr(), place);
    }

    #[test]
    fn a_short_piece_does_not_keep_the_room() {
        let mut room = Room::default();
        let pieces: Vec<Bytes> = (0..100).map(|byte| read(&mut room, byte, 10)).collect();
        assert!(room.bytes().as_ptr() != pieces[99].as_ptr() && room.bytes() == pieces[99]);
        assert!(pieces.iter().zip(0..).all(|(piece, byte)| *piece == [byte; 10][..]));
    }

    #[test]
    fn a_read_that_fails_leaves_nothing() {
        let mut room = Room::default();
        read(&mut room, 1, 5);
        assert!(room.read(10, |bytes| Err(io::Error::other(bytes.len().to_string()))).is_err());
        assert!(room.bytes().is_empty());
        assert!(room.share().is_empty());
    }
}
