//! Text that a worker writes for the error log, cut into lines that may stand in one (FCGI-83).
//!
//! Holds the start of a line until its end comes, up to a limit. Does not log: the caller knows whose line it is.

/// The longest line; what is longer becomes several. A worker may write for ever without a line end.
const MAX_LINE_BYTES: usize = 4096;

/// Cuts bytes into lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Takes the next bytes and calls `each` for every line that is complete. Blank lines are left out.
    pub(crate) fn receive(&mut self, bytes: &[u8], mut each: impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (line, ended) = match piece.split_last() {
                Some((b'\n', line)) => (line, true),
                _ => (piece, false),
            };
            let mut rest = line;
            while self.partial.len() + rest.len() > MAX_LINE_BYTES {
                let (now, later) = rest.split_at(MAX_LINE_BYTES - self.partial.len());
                self.partial.extend_from_slice(now);
                self.finish(&mut each);
                rest = later;
            }
            self.partial.extend_from_slice(rest);
            if ended {
                self.finish(&mut each);
            }
        }
    }

    /// Gives out what is left when no more will come.
    pub(crate) fn finish(&mut self, mut each: impl FnMut(&str)) {
        if self.partial.is_empty() {
            return;
        }
        let line = printable(&self.partial);
        if !line.is_empty() {
            each(&line);
        }
        self.partial.clear();
    }
}

/// The line as text: what is not UTF-8 replaced and control characters escaped, so that no line can pretend to be another.
fn printable(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    for symbol in String::from_utf8_lossy(line.trim_ascii_end()).chars() {
        match symbol {
            '\t' => text.push(symbol),
            control if control.is_control() => text.extend(control.escape_default()),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.receive(piece, |line| seen.push(line.to_owned()));
        }
        lines.finish(|line| seen.push(line.to_owned()));
        seen
    }

    #[test]
    fn fcgi_83_lines_do_not_depend_on_how_the_bytes_are_cut() {
        let input = b"first\r\n\n\nsecond\tline\nthe rest";
        let whole = ["first", "second\tline", "the rest"];
        assert_eq!(lines(&[input]), whole);
        for at in 0..=input.len() {
            assert_eq!(lines(&[&input[..at], &input[at..]]), whole, "cut at {at}");
        }
        let bytes: Vec<_> = input.chunks(1).collect();
        assert_eq!(lines(&bytes), whole);
    }

    #[test]
    fn fcgi_83_a_line_without_end_is_cut_and_never_held_in_full() {
        let long = vec![b'x'; 3 * MAX_LINE_BYTES + 5];
        let lengths: Vec<_> = lines(&[&long]).iter().map(String::len).collect();
        assert_eq!(lengths, [MAX_LINE_BYTES, MAX_LINE_BYTES, MAX_LINE_BYTES, 5]);
        let mut lines = Lines::default();
        for _ in 0..100 {
            lines.receive(&long, |_| {});
            assert!(lines.partial.len() <= MAX_LINE_BYTES);
        }
    }

    #[test]
    fn fcgi_83_control_characters_and_foreign_bytes_cannot_forge_the_log() {
        assert_eq!(lines(&[b"a\x1b[2Jb\xffc\rd\n"]), ["a\\u{1b}[2Jb\u{fffd}c\\rd"]);
    }
}
