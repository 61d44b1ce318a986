//! Foreign bytes for people: as text where they are text, else as hexadecimal numbers.
//!
//! Holds the choice and the escaping: nothing that a peer sent can move a terminal's cursor or end a line of ours. Does not
//! hold the lines of records.

use std::fmt::Write as _;

/// Bytes in one line of hexadecimal numbers.
const ROW: usize = 16;

/// The lines that show at most `limit` of these bytes, and one that counts the rest.
pub(super) fn lines(bytes: &[u8], limit: usize) -> Vec<String> {
    let shown = bytes.get(..limit).unwrap_or(bytes);
    let mut lines = if is_text(shown) { text(shown) } else { hexadecimal(shown) };
    if bytes.len() > shown.len() {
        lines.push(format!("… {} more bytes", bytes.len() - shown.len()));
    }
    lines
}

/// At most `limit` of these bytes on one line.
pub(super) fn line(bytes: &[u8], limit: usize) -> String {
    let shown = bytes.get(..limit).unwrap_or(bytes);
    let mut line = escaped(shown);
    if bytes.len() > shown.len() {
        let _ = write!(line, "… {} more bytes", bytes.len() - shown.len());
    }
    line
}

/// Text has no NUL and next to nothing that cannot be printed. A character may be cut at either end.
fn is_text(bytes: &[u8]) -> bool {
    let mut strange = 0;
    for piece in bytes.utf8_chunks() {
        strange += piece.valid().chars().filter(|symbol| is_strange(*symbol)).count() + piece.invalid().len();
    }
    !bytes.contains(&0) && strange <= 3 + bytes.len() / 16 && (strange == 0 || bytes.len() >= ROW)
}

fn is_strange(symbol: char) -> bool {
    symbol.is_control() && !matches!(symbol, '\t' | '\r' | '\n' | '\x1b')
}

/// Line by line, with the ends of lines visible: a gateway tells CRLF from LF, and so should who looks.
fn text(bytes: &[u8]) -> Vec<String> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(escaped).collect()
}

fn escaped(bytes: &[u8]) -> String {
    let mut line = String::with_capacity(bytes.len() + 4);
    for piece in bytes.utf8_chunks() {
        for symbol in piece.valid().chars() {
            match symbol {
                '\\' => line.push(symbol),
                other if other.is_control() || is_invisible(other) => line.extend(other.escape_default()),
                other => line.push(other),
            }
        }
        for byte in piece.invalid() {
            let _ = write!(line, "\\x{byte:02x}");
        }
    }
    line
}

/// What turns the direction of text around, or takes no room, and so hides what is there.
fn is_invisible(symbol: char) -> bool {
    matches!(symbol, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn hexadecimal(bytes: &[u8]) -> Vec<String> {
    let rows = bytes.chunks(ROW).enumerate();
    rows.map(|(row, bytes)| {
        let mut line = format!("{:04x}  ", row * ROW);
        for at in 0..ROW {
            let _ = match bytes.get(at) {
                Some(byte) => write!(line, "{byte:02x} "),
                None => write!(line, "   "),
            };
            if at == ROW / 2 - 1 {
                line.push(' ');
            }
        }
        line.push(' ');
        line.extend(bytes.iter().map(|byte| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '.' }));
        line
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_line_by_line_with_its_line_ends() {
        let head = "Status: 200\r\nX: é\ttab\n\nbody";
        assert_eq!(lines(head.as_bytes(), 100), ["Status: 200\\r\\n", "X: é\\ttab\\n", "\\n", "body"]);
        assert_eq!(lines(b"abcdef", 4), ["abcd", "… 2 more bytes"]);
        assert_eq!(lines(b"", 4), [""; 0]);
    }

    #[test]
    fn a_character_cut_by_the_end_is_still_text() {
        let cut = &"a line of text and é".as_bytes()[..20];
        assert_eq!(lines(cut, 100), ["a line of text and \\xc3"]);
    }

    #[test]
    fn other_bytes_are_numbers() {
        let shown = lines(&[0, 1, b'A', 0xff], 100);
        assert_eq!(shown, ["0000  00 01 41 ff                                       ..A."]);
        let long: Vec<u8> = (0..40).collect();
        let shown = lines(&long, 32);
        assert_eq!(shown.len(), 3);
        assert!(shown[1].starts_with("0010  10 11") && shown[2] == "… 8 more bytes", "{shown:#?}");
    }

    #[test]
    fn nothing_that_came_can_steer_a_terminal() {
        let wild = "plain enough text \x1b[2J\u{202e}\u{9b}31m \\ end of it, surely";
        for line in lines(wild.as_bytes(), 1000).into_iter().chain([line(wild.as_bytes(), 1000)]) {
            assert!(!line.chars().any(|symbol| symbol.is_control() || symbol == '\u{202e}'), "{line:?}");
        }
    }
}
