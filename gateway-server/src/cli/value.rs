//! Single values as an operator writes them: in a flag, behind a target, or in the configuration file.
//!
//! Holds one reader for each kind of value, and the words that say what the kind allows. Does not hold which key takes
//! which kind.

use std::time::Duration;

/// What a reader of values makes of a text: the value, or nothing if the text is none.
pub(super) type Read<T> = Option<T>;

pub(super) const DURATION: &str = "a time with its unit, such as 500ms, 5s or 2min; at most 100 years";
pub(super) const COUNT: &str = "a number from 1 on";
pub(super) const COUNT_OR_NONE: &str = "a number from 0 on";
pub(super) const BYTES: &str = "a number of bytes, such as 65536, 64KiB or 10MiB";
pub(super) const SWITCH: &str = "true or false";
pub(super) const PATH: &str = "a path";
pub(super) const MODE: &str = "an octal mode such as 660";
pub(super) const TEXT: &str = "a text without NUL";

/// A time: a number and a unit, one or more of them, more than zero, and not so long that no clock can count it.
pub(super) fn duration(text: &str) -> Read<Duration> {
    const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);
    humantime::parse_duration(text).ok().filter(|time| !time.is_zero() && *time <= LONGEST)
}

/// How many of something: none makes no sense.
pub(super) fn count(text: &str) -> Read<usize> {
    digits(text)?.try_into().ok().filter(|count| *count > 0)
}

/// [`count`], for what is never many.
pub(super) fn small_count(text: &str) -> Read<u32> {
    count(text)?.try_into().ok()
}

/// A number of things of which there may be none at all.
pub(super) fn count_or_none(text: &str) -> Read<usize> {
    digits(text)?.try_into().ok()
}

/// A size, in bytes or with one of the binary units.
pub(super) fn bytes(text: &str) -> Read<u64> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("B", 0)];
    let unit = units.into_iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)));
    let (number, shift) = unit.unwrap_or((text, 0));
    digits(number.trim_end())?.checked_mul(1 << shift).filter(|bytes| *bytes > 0)
}

/// [`bytes`] as a limit; 0 for none, as in Apache and nginx.
pub(super) fn bytes_or_any(text: &str) -> Read<Option<u64>> {
    if text == "0" { Some(None) } else { bytes(text).map(Some) }
}

/// [`bytes`], for a buffer in memory.
pub(super) fn size(text: &str) -> Read<usize> {
    bytes(text)?.try_into().ok()
}

/// Permissions, in the digits of chmod(1).
pub(super) fn mode(text: &str) -> Read<u32> {
    let octal = text.bytes().all(|digit| digit.is_ascii_digit());
    u32::from_str_radix(text, 8).ok().filter(|mode| octal && *mode <= 0o777)
}

/// `true` or `false`, and nothing else: what `on` or `1` mean is not to be guessed.
pub(super) fn switch(text: &str) -> Read<bool> {
    text.parse().ok()
}

/// Any text that can be a variable or an argument, and so not with NUL.
pub(super) fn text(text: &str) -> Read<String> {
    (!text.contains('\0')).then(|| text.to_owned())
}

/// A text that is not empty either.
pub(super) fn path(text: &str) -> Read<std::path::PathBuf> {
    (!text.is_empty() && !text.contains('\0')).then(|| text.into())
}

fn digits(text: &str) -> Read<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_a_unit_and_are_never_zero() {
        for (text, wanted) in [("5s", 5000), ("500ms", 500), ("2min", 120_000), ("1m 30s", 90_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Some(Duration::from_millis(wanted)), "{text}");
        }
        for text in ["", "5", "s", "-5s", "5 parsecs", "0s", "1e3s", "99999999999999999999s", "101years"] {
            assert_eq!(duration(text), None, "{text}");
        }
        assert!(duration("100years").is_some_and(|time| std::time::Instant::now().checked_add(time).is_some()));
    }

    #[test]
    fn counts_are_plain_numbers_from_one_on() {
        assert_eq!((count("1"), count("4096")), (Some(1), Some(4096)));
        for text in ["", "0", "-1", "+1", " 1", "1.5", "0x10", "two", "99999999999999999999"] {
            assert_eq!(count(text), None, "{text}");
        }
        assert_eq!((count_or_none("0"), count_or_none("-1")), (Some(0), None));
    }

    #[test]
    fn sizes_have_binary_units() {
        for (text, wanted) in [("1", 1), ("65536", 65536), ("64KiB", 65536), ("1 MiB", 1 << 20), ("2GiB", 2 << 30)] {
            assert_eq!(bytes(text), Some(wanted), "{text}");
        }
        for text in ["", "0", "KiB", "1KB", "1k", "-1", "1.5MiB", "99999999999GiB", "18446744073709551616"] {
            assert_eq!(bytes(text), None, "{text}");
            assert_eq!(bytes_or_any(text), (text == "0").then_some(None), "{text}");
        }
    }

    #[test]
    fn switches_are_true_or_false() {
        assert_eq!((switch("true"), switch("false")), (Some(true), Some(false)));
        for text in ["", "on", "yes", "1", "TRUE"] {
            assert_eq!(switch(text), None, "{text}");
        }
    }
}
