//! Which bytes of a file are wanted (RFC 9110 §14).
//!
//! Holds the Range field against a length. Does not hold If-Range (`conditions`) or the answer.
//!
//! A server may take a Range field for none (RFC 9110 §14.2), and this one does wherever that is not harmful: another unit,
//! a field that breaks the grammar, and more than one range at once, however many (HTTP-208): the answer is the whole file.
//! So there is no `multipart/byteranges`, which asks more work of a server than of the client that wants it.

/// What a Range field asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// This part; never empty.
    Part { first: u64, length: u64 },
    /// Nothing that is there (416).
    Unsatisfiable,
}

/// One range, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    From(u64),
    Between(u64, u64),
    Last(u64),
}

/// Reads a Range field about `size` bytes, in one pass.
pub(super) fn wanted(field: &[u8], size: u64) -> Wanted {
    let Some(set) = range_set(field) else { return Wanted::Whole };
    let mut only = None;
    for element in set.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty()) {
        let (Some(range), None) = (range(element), only) else { return Wanted::Whole };
        only = Some(range);
    }
    only.map_or(Wanted::Whole, |range| within(range, size))
}

/// What stands behind `bytes=`; units are compared without regard to case (RFC 9110 §14.1).
fn range_set(field: &[u8]) -> Option<&[u8]> {
    let (unit, set) = field.split_at_checked(b"bytes=".len())?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(set)
}

fn range(text: &[u8]) -> Option<Range> {
    let dash = text.iter().position(|byte| *byte == b'-')?;
    let (first, last) = (text.get(..dash)?, text.get(dash + 1..)?);
    match (first.is_empty(), last.is_empty()) {
        (true, _) => Some(Range::Last(number(last)?)),
        (false, true) => Some(Range::From(number(first)?)),
        (false, false) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Range::Between(first, last))
        }
    }
}

/// A number of any length; beyond 64 bits there is no file, so the largest stands for it (HTTP-85).
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        byte.is_ascii_digit().then(|| number.saturating_mul(10).saturating_add(u64::from(byte - b'0')))
    })
}

/// HTTP-204.
fn within(range: Range, size: u64) -> Wanted {
    let (first, end) = match range {
        Range::From(first) => (first, size),
        Range::Between(first, last) => (first, last.saturating_add(1).min(size)),
        Range::Last(0) => return Wanted::Unsatisfiable,
        // The end of an empty file is all of it, and a 206 cannot say so.
        Range::Last(_) if size == 0 => return Wanted::Whole,
        Range::Last(length) => (size.saturating_sub(length), size),
    };
    if first < end { Wanted::Part { first, length: end - first } } else { Wanted::Unsatisfiable }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(field: &str, size: u64, expected: Wanted) {
        assert_eq!(wanted(field.as_bytes(), size), expected, "{field:?} of {size}");
    }

    fn part(first: u64, length: u64) -> Wanted {
        Wanted::Part { first, length }
    }

    #[test]
    fn http_203_204_ranges_that_can_be_satisfied() {
        let rows = [
            ("bytes=0-0", part(0, 1)),
            ("bytes=2-4", part(2, 3)),
            ("bytes=5-", part(5, 5)),
            ("bytes=0-", part(0, 10)),
            ("bytes=0-9", part(0, 10)),
            ("bytes=9-99999", part(9, 1)),
            ("bytes=-1", part(9, 1)),
            ("bytes=-10", part(0, 10)),
            ("bytes=-99", part(0, 10)),
            ("Bytes=1-1", part(1, 1)),
            ("bytes= , 1-1 ,", part(1, 1)),
            ("bytes=1-18446744073709551615", part(1, 9)),
            ("bytes=1-99999999999999999999999", part(1, 9)),
        ];
        for (field, expected) in rows {
            check(field, 10, expected);
        }
    }

    #[test]
    fn http_203_ranges_that_cannot_be_satisfied() {
        for field in ["bytes=10-", "bytes=99999-", "bytes=10-11", "bytes=-0", "bytes=18446744073709551616-"] {
            check(field, 10, Wanted::Unsatisfiable);
        }
    }

    #[test]
    fn http_204_an_empty_file_has_only_its_end() {
        check("bytes=-1", 0, Wanted::Whole);
        for field in ["bytes=0-", "bytes=0-0", "bytes=-0"] {
            check(field, 0, Wanted::Unsatisfiable);
        }
    }

    #[test]
    fn http_201_203_other_units_and_broken_fields_are_ignored() {
        let fields = [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=a-b",
            "bytes=1",
            "bytes=9-5",
            "bytes=+1-2",
            "bytes=1-2-3",
            "bytes=0x1-2",
            "bytes =1-2",
            "bytes:1-2",
            "rows=1-2",
            "bytes=1 -2",
            "bytes=1-2;",
            "octets=0-1",
        ];
        for field in fields {
            check(field, 10, Wanted::Whole);
        }
    }

    #[test]
    fn http_208_several_ranges_are_the_whole_file_however_many() {
        check("bytes=0-0,2-2", 10, Wanted::Whole);
        check("bytes=0-,0-", 10, Wanted::Whole);
        let many: Vec<String> = (0..1000).map(|at| format!("{at}-{at}")).collect();
        check(&format!("bytes={}", many.join(",")), 10, Wanted::Whole);
    }
}
