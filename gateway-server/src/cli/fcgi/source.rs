//! A body, from the command line, a file or standard input, with its length.
//!
//! Holds the reading. A length must be known before the first byte is sent (CGI-21), so what has none is kept in a file
//! without a name first. Does not hold records.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::UNIX_EPOCH;

use bytes::Bytes;

use super::error::FcgiError;

/// Where bytes come from.
#[derive(Debug)]
pub(super) struct Source {
    content: Content,
    /// What is still to be given out.
    left: u64,
    length: u64,
    /// Seconds since 1970, of a file (FCGI-101).
    pub(super) modified: Option<u64>,
}

#[derive(Debug)]
enum Content {
    Memory(Bytes),
    File(File),
}

/// One read of a file.
const PIECE: usize = 64 * 1024;

/// Standard input up to here stays in memory.
const MAX_MEMORY: u64 = 64 * 1024;

impl Source {
    pub(super) fn memory(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let length = bytes.len() as u64;
        Self { content: Content::Memory(bytes), left: length, length, modified: None }
    }

    /// The whole of a file.
    pub(super) fn file(path: &Path) -> Result<Self, FcgiError> {
        let failed = |source| FcgiError::File { path: path.to_owned(), source };
        Self::opened(File::open(path).map_err(failed)?).map_err(failed)
    }

    /// All that standard input gives.
    pub(super) fn stdin() -> Result<Self, FcgiError> {
        Self::kept(io::stdin().lock()).map_err(FcgiError::Body)
    }

    fn opened(file: File) -> io::Result<Self> {
        let found = file.metadata()?;
        if found.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !found.is_file() {
            return Self::kept(file);
        }
        let modified = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let length = found.len();
        Ok(Self { content: Content::File(file), left: length, length, modified: modified.map(|since| since.as_secs()) })
    }

    fn kept(mut input: impl Read) -> io::Result<Self> {
        let mut start = Vec::new();
        let length = (&mut input).take(MAX_MEMORY).read_to_end(&mut start)?;
        if (length as u64) < MAX_MEMORY {
            return Ok(Self::memory(start));
        }
        let mut file = tempfile::tempfile()?;
        file.write_all(&start)?;
        let length = MAX_MEMORY + io::copy(&mut input, &mut file)?;
        file.rewind()?;
        Ok(Self { content: Content::File(file), left: length, length, modified: None })
    }

    /// The length in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The next bytes, `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or has become shorter.
    pub(super) fn piece(&mut self) -> io::Result<Option<Bytes>> {
        if self.left == 0 {
            return Ok(None);
        }
        let piece = match &mut self.content {
            Content::Memory(bytes) => std::mem::take(bytes),
            Content::File(file) => {
                let wanted = PIECE.min(usize::try_from(self.left).unwrap_or(PIECE));
                let mut piece = vec![0; wanted];
                let read = file.read(&mut piece)?;
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                piece.truncate(read);
                piece.into()
            }
        };
        self.left = self.left.saturating_sub(piece.len() as u64);
        Ok(Some(piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut source: Source) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(piece) = source.piece().unwrap() {
            assert!(!piece.is_empty() && piece.len() <= PIECE);
            all.extend_from_slice(&piece);
        }
        all
    }

    #[test]
    fn whatever_it_comes_from_a_body_has_its_length_and_its_bytes() {
        for length in [0, 1, 65_535, 65_536, 65_537, 200_000] {
            let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("body");
            std::fs::write(&path, &bytes).unwrap();
            for source in [Source::file(&path).unwrap(), Source::kept(bytes.as_slice()).unwrap()] {
                assert_eq!(source.length(), bytes.len() as u64);
                assert!(all(source) == bytes, "{length} bytes");
            }
        }
    }

    #[test]
    fn a_folder_is_no_body_and_a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("none")] {
            let error = Source::file(&path).unwrap_err().to_string();
            assert!(error.starts_with(path.to_str().unwrap()), "{error}");
        }
    }

    #[test]
    fn a_file_that_shrinks_is_an_error_and_not_a_short_body() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("body");
        std::fs::write(&path, [b'x'; 100]).unwrap();
        let mut source = Source::file(&path).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(10).unwrap();
        assert_eq!(source.piece().unwrap().unwrap().len(), 10);
        assert_eq!(source.piece().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
