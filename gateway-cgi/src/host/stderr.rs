//! A program's standard error, line by line, to the request's error stream (CGI-178).

use bytes::{Buf, BytesMut};
use gateway_spec::ErrorStream;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

/// Most programs write nothing, and then this is not used.
const FIRST: usize = 256;

/// Cuts what a program writes into lines, within limits.
pub(super) struct Lines {
    errors: ErrorStream,
    max_line: usize,
    /// What may still be logged for this request.
    left: usize,
    line: Vec<u8>,
    /// The line is longer than the limit; the rest of it is dropped.
    cut: bool,
}

impl Lines {
    pub(super) fn new(errors: ErrorStream, max_line: usize, max_total: usize) -> Self {
        Lines { errors, max_line, left: max_total, line: Vec::new(), cut: false }
    }

    /// Reads to the end of the pipe, also past every limit: a full pipe would stop the program.
    pub(super) async fn pump(mut self, mut stderr: pipe::Receiver) {
        let mut buffer = BytesMut::with_capacity(FIRST);
        while let Ok(len) = stderr.read_buf(&mut buffer).await {
            if len == 0 {
                break;
            }
            self.receive(&buffer);
            buffer.advance(buffer.len());
            buffer.reserve(4096);
        }
        self.end_of_line();
    }

    fn receive(&mut self, bytes: &[u8]) {
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            let room = self.max_line.saturating_sub(self.line.len());
            self.cut |= piece.len() > room;
            self.line.extend(piece.iter().take(room));
            if pieces.peek().is_some() {
                self.end_of_line();
            }
        }
    }

    fn end_of_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let cut = std::mem::take(&mut self.cut);
        if line.is_empty() || self.left == 0 {
            return;
        }
        self.left = self.left.saturating_sub(line.len());
        let mut text = printable(&line);
        if cut {
            text.push_str(" [cut]");
        }
        text.push('\n');
        self.errors.write(&text);
        if self.left == 0 {
            self.errors.write("[the rest of standard error is dropped]\n");
        }
    }
}

/// Foreign bytes as text that cannot steer a terminal or forge a line of the log.
fn printable(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    for character in String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).chars() {
        if character.is_control() && character != '\t' {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use gateway_spec::ErrorSink;

    use super::*;

    #[derive(Default)]
    struct Log(Mutex<String>);

    impl ErrorSink for Log {
        fn write(&self, text: &str) {
            self.0.lock().unwrap().push_str(text);
        }
    }

    #[track_caller]
    fn check(input: &[u8], max_line: usize, max_total: usize, expected: &str) {
        for size in 1..=input.len() {
            let log = Arc::new(Log::default());
            let mut lines = Lines::new(ErrorStream::new(log.clone()), max_line, max_total);
            input.chunks(size).for_each(|piece| lines.receive(piece));
            lines.end_of_line();
            assert_eq!(*log.0.lock().unwrap(), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn cgi_178_standard_error_is_logged_by_line() {
        check(b"one\ntwo\r\n\nthree", 80, 1000, "one\ntwo\nthree\n");
    }

    #[test]
    fn cgi_178_a_line_and_the_whole_are_bounded() {
        check(b"abcdefgh\nxyz\n", 4, 1000, "abcd [cut]\nxyz\n");
        check(b"abcd\nefgh\nijkl\n", 80, 8, "abcd\nefgh\n[the rest of standard error is dropped]\n");
    }

    #[test]
    fn cgi_158_standard_error_cannot_forge_the_log() {
        check(b"a\x1b[31m\x00\xffb\rc\td\n", 80, 1000, "a\\u{1b}[31m\\u{0}\u{fffd}b\\rc\td\n");
    }
}
