//! Foreign text in a line of a log: escaped, so that nobody can forge a line, a field or a terminal's command.
//!
//! Holds the three spellings, of lines for people and their tools, of `name=value` and of JSON; and numbers. Does not know what is written.

use std::io::Write as _;

/// Between quotation marks of the combined form: `"`, `\`, controls and whatever is not ASCII become `\"`, `\\` and `\xHH`, as Apache and nginx
/// write them.
pub(super) fn quoted(line: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'"' | b'\\' => line.extend([b'\\', *byte]),
            b' '..=b'~' => line.push(*byte),
            _ => escape(line, *byte),
        }
    }
}

/// A word of the combined form: as [`quoted`], and without spaces; `-` if there is nothing.
pub(super) fn word(line: &mut Vec<u8>, text: &[u8]) {
    if text.is_empty() {
        return line.push(b'-');
    }
    for byte in text {
        match byte {
            b'!'..=b'~' if !b"\"\\".contains(byte) => line.push(*byte),
            _ => escape(line, *byte),
        }
    }
}

fn escape(line: &mut Vec<u8>, byte: u8) {
    let _ = write!(line, "\\x{byte:02x}");
}

/// The value of `name=value`: in quotation marks where it would not be one word.
pub(super) fn value(line: &mut Vec<u8>, text: &[u8]) {
    let is_plain = |byte: &u8| matches!(byte, b'!'..=b'~') && !b"\"\\=".contains(byte);
    if !text.is_empty() && text.iter().all(is_plain) {
        return line.extend_from_slice(text);
    }
    line.push(b'"');
    quoted(line, text);
    line.push(b'"');
}

/// A JSON string (RFC 8259 §7). What is not UTF-8 becomes U+FFFD; U+2028 and U+2029, which some readers take for line ends, are escaped.
pub(super) fn json(line: &mut Vec<u8>, text: &[u8]) {
    line.push(b'"');
    for piece in text.utf8_chunks() {
        for character in piece.valid().chars() {
            match character {
                '"' | '\\' => line.extend([b'\\', character as u8]),
                '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                    let _ = write!(line, "\\u{:04x}", u32::from(character));
                }
                _ => line.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !piece.invalid().is_empty() {
            line.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    line.push(b'"');
}

/// Milliseconds with three digits behind the point.
pub(super) fn millis(line: &mut Vec<u8>, time: std::time::Duration) {
    let micros = time.as_micros();
    let _ = write!(line, "{}.{:03}", micros / 1000, micros % 1000);
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn written(write: fn(&mut Vec<u8>, &[u8]), text: &[u8]) -> String {
        let mut line = Vec::new();
        write(&mut line, text);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn foreign_text_stays_where_it_is_put() {
        let text = b"a \"b\"\\\r\n\x1b[31m\xff\xc3\xa9=";
        assert_eq!(written(quoted, text), r#"a \"b\"\\\x0d\x0a\x1b[31m\xff\xc3\xa9="#);
        assert_eq!(written(word, text), r"a\x20\x22b\x22\x5c\x0d\x0a\x1b[31m\xff\xc3\xa9=");
        assert_eq!(written(word, b""), "-");
        assert_eq!(written(value, text), r#""a \"b\"\\\x0d\x0a\x1b[31m\xff\xc3\xa9=""#);
        assert_eq!((written(value, b"/a"), written(value, b"")), ("/a".to_owned(), "\"\"".to_owned()));
        assert_eq!(written(json, text), "\"a \\\"b\\\"\\\\\\u000d\\u000a\\u001b[31m\u{fffd}\u{e9}=\"");
    }

    #[test]
    fn times_have_three_digits() {
        let mut line = Vec::new();
        millis(&mut line, std::time::Duration::from_micros(1_002_003));
        millis(&mut line, std::time::Duration::from_nanos(999));
        assert_eq!(line, b"1002.0030.000");
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_one_printable_line(text in vec(any::<u8>(), 0..200)) {
            for write in [quoted, word, value, json] {
                let line = written(write, &text);
                prop_assert!(!line.chars().any(|c| c.is_control() || c == '\u{2028}'), "{}", line);
            }
            prop_assert!(!written(word, &text).contains([' ', '"']));
            let read: String = serde_json::from_str(&written(json, &text)).unwrap();
            prop_assert_eq!(read, String::from_utf8_lossy(&text).into_owned());
        }
    }
}
