//! Names of files that are never given out as they are: they are source, which may hold passwords.
//!
//! Holds the rule for one name. Does not hold which folders are denied.

/// What names of PHP's source end in, also followed by more: editors and people make `page.php~` and `page.php.bak` of it.
/// `inc` is what many programs call a part that is read by another file.
const SOURCE: [&[u8]; 5] = [b"php", b"phtml", b"pht", b"phar", b"inc"];

/// What a browser asks for by this ending, and nobody calls a copy of a script: `mode.php.js` of an editor is no source.
const PLAIN: [&[u8]; 9] = [b"js", b"mjs", b"css", b"map", b"html", b"htm", b"svg", b"png", b"jpg"];

/// Whether a file of this name may be PHP's source. Upper and lower case are one: a file system may take them for one.
///
/// One of the parts behind a dot begins with an ending of source, and no further letter follows it: `.php`, `.PHP`, `.php7`,
/// `.phps`, `.php~`, `.php.bak`, `.php_old`, `.inc`; but not `.phpbb` or `.incl`.
pub(super) fn is_source(name: &[u8]) -> bool {
    let mut parts = name.split(|byte| *byte == b'.').skip(1).peekable();
    let last = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let is_plain = PLAIN.iter().any(|plain| last.eq_ignore_ascii_case(plain));
    !is_plain && parts.any(|part| SOURCE.iter().any(|source| begins_with_word(part, source)))
}

fn begins_with_word(part: &[u8], word: &[u8]) -> bool {
    let Some((start, rest)) = part.split_at_checked(word.len()) else { return false };
    let rest = rest.strip_prefix(b"s").unwrap_or(rest);
    start.eq_ignore_ascii_case(word) && !rest.first().is_some_and(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_known_by_any_part_of_a_name() {
        for name in [
            "a.php",
            "a.PHP",
            "a.php7",
            "a.phps",
            "a.php~",
            "a.php.bak",
            "a.php.swp",
            "a.php_old",
            "a.php-dist",
            "a.php.2024-01-01",
            "a.b.php.orig",
            "a.phtml",
            "a.pht",
            "a.phar",
            "a.phar.gz",
            "a.inc",
            "a.inc.php",
            "a.Inc~",
            ".php",
        ] {
            assert!(is_source(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn other_names_are_no_source() {
        for name in [
            "",
            "a",
            "php",
            "inc",
            "a.jpg",
            "php.ini",
            "a.phpbb",
            "a.incl",
            "a.include",
            "logo.phpbb.png",
            "mode.php.js",
            "style.inc.css",
            "php.min.js",
            "a.htm",
            "a.ph",
            "a.txt",
            "sub.php.html",
        ] {
            assert!(!is_source(name.as_bytes()), "{name}");
        }
    }
}
