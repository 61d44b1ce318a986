//! A part of an open file as a body, and `wsgi.file_wrapper` (PEP 3333 "Optional Platform-Specific File Handling").
//!
//! Holds where the part begins, how much is left, and reading it block by block. Does not hold how a gateway sends it without
//! reading: it takes the part ([`Exchange::take_file`](crate::Exchange::take_file)) and asks its system.

use std::any::Any;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use bytes::{Bytes, BytesMut};

use super::Body;

/// Some bytes of an open file that are still to be sent, in order.
///
/// # Examples
/// ```
/// use gateway_spec::FilePart;
/// // `[package]` is its first line.
/// let mut part = FilePart::new(std::fs::File::open("Cargo.toml")?, 1, 7);
/// part.advance(4);
/// assert_eq!((part.offset(), part.length()), (5, 3));
/// assert_eq!(part.read_block()?, "age");
/// assert_eq!(part.length(), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Source: PEP 3333 "Optional Platform-Specific File Handling"; PEP-195, PEP-197.
#[derive(Debug)]
pub struct FilePart {
    file: File,
    offset: u64,
    length: u64,
}

impl FilePart {
    /// The most that [`FilePart::read_block`] gives at once: enough that system calls do not count beside the copying.
    pub const BLOCK_BYTES: usize = 64 * 1024;

    /// `length` bytes from `offset` on.
    pub fn new(file: File, offset: u64, length: u64) -> Self {
        FilePart { file, offset, length }
    }

    /// From the file's current position to what is its end now.
    ///
    /// # Errors
    /// When the file's size or position cannot be told.
    pub fn rest(mut file: File) -> io::Result<Self> {
        let offset = file.stream_position()?;
        let length = file.metadata()?.len().saturating_sub(offset);
        Ok(FilePart::new(file, offset, length))
    }

    /// The file, for a system call that sends from it. Its own position means nothing.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where the next byte is, counted from the file's beginning.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes are left.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Notes that `sent` bytes were sent; never more than are left.
    pub fn advance(&mut self, sent: u64) {
        let sent = sent.min(self.length);
        self.offset = self.offset.saturating_add(sent);
        self.length -= sent;
    }

    /// Keeps the first `length` bytes of what is left.
    pub fn truncate(&mut self, length: u64) {
        self.length = self.length.min(length);
    }

    /// Reads the next block; it is empty when nothing is left. May wait for a disk.
    ///
    /// # Errors
    /// [`ErrorKind::UnexpectedEof`] when the file has become shorter (HTTP-211); or what the system says.
    pub fn read_block(&mut self) -> io::Result<Bytes> {
        let most = usize::try_from(self.length).map_or(Self::BLOCK_BYTES, |left| left.min(Self::BLOCK_BYTES));
        if most == 0 {
            return Ok(Bytes::new());
        }
        let mut block = BytesMut::zeroed(most);
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.offset))?;
        let read = loop {
            match file.read(&mut block) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if read == 0 {
            return Err(self.ended_early());
        }
        block.truncate(read);
        self.advance(read as u64);
        Ok(block.freeze())
    }

    /// What to say when the file turns out to be shorter than it was.
    pub fn ended_early(&self) -> io::Error {
        io::Error::new(ErrorKind::UnexpectedEof, format!("the file ended {} bytes early", self.length))
    }
}

/// `wsgi.file_wrapper`: makes a body out of anything that can be read, without sending a byte (PEP-190 to PEP-193).
///
/// # Examples
/// ```
/// use gateway_spec::{Body, Environ};
/// let environ = Environ::example("GET", "/");
/// let file = std::io::Cursor::new("in memory");
/// let body = match environ.file_wrapper {
///     Some(wrapper) => wrapper.wrap(file, 8192),
///     None => Body::reader(file, 8192),
/// };
/// # drop(body);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct FileWrapper;

impl FileWrapper {
    /// A body that reads `file` from where it stands to its end, `block_size` bytes at a time, and drops it at close.
    ///
    /// A [`File`] that is a regular one becomes what [`Body::file`] makes of it, so a gateway may send it without reading
    /// it (PEP-195); `block_size` is a hint and counts for nothing then.
    pub fn wrap(self, file: impl Read + Send + 'static, block_size: usize) -> Body {
        let mut place = Some(file);
        let file = (&mut place as &mut dyn Any).downcast_mut::<Option<File>>();
        if let Some(part) = file.and_then(regular) {
            return Body::file_part(part);
        }
        match place {
            Some(file) => Body::reader(file, block_size),
            None => Body::empty(),
        }
    }
}

/// Takes a regular file out of its place. One that says it is empty may be one of the kernel's, of which only reading tells.
fn regular(place: &mut Option<File>) -> Option<FilePart> {
    let metadata = place.as_ref()?.metadata().ok()?;
    if !metadata.is_file() || metadata.len() == 0 {
        return None;
    }
    let offset = place.as_mut()?.stream_position().ok()?;
    Some(FilePart::new(place.take()?, offset, metadata.len().saturating_sub(offset)))
}
