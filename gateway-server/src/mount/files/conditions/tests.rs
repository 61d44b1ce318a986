//! The verdicts of RFC 9110 §13, field by field and together.

use super::*;

const OLD: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const NEW: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

fn seconds(since_epoch: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(since_epoch)
}

/// A file from 1994-11-06T08:49:37.5Z, long at rest.
fn file() -> Validators {
    Validators::of(10, Some(seconds(784_111_777) + Duration::from_millis(500)), seconds(1_000_000_000))
}

fn tag() -> String {
    file().etag().unwrap()
}

fn asked(method: &str, fields: &[(&str, &str)]) -> Asked {
    let mut environ = Environ::example(method, "/");
    for (name, value) in fields {
        environ.set(name, value).unwrap();
    }
    Asked::of(&environ)
}

#[track_caller]
fn check(fields: &[(&str, &str)], expected: Verdict) {
    for method in ["GET", "HEAD"] {
        assert_eq!(asked(method, fields).verdict(&file()), expected, "{method} {fields:?}");
    }
}

const MATCH: &str = "HTTP_IF_MATCH";
const NONE_MATCH: &str = "HTTP_IF_NONE_MATCH";
const MODIFIED: &str = "HTTP_IF_MODIFIED_SINCE";
const UNMODIFIED: &str = "HTTP_IF_UNMODIFIED_SINCE";
const RANGE: &str = "HTTP_RANGE";
const IF_RANGE: &str = "HTTP_IF_RANGE";

#[test]
fn http_194_conditions_are_evaluated_in_order() {
    let (tag, other) = (&*tag(), "\"other\"");
    let rows: [(&[(&str, &str)], Verdict); 12] = [
        (&[], Verdict::Send),
        (&[(MATCH, tag)], Verdict::Send),
        (&[(MATCH, other)], Verdict::Failed),
        (&[(UNMODIFIED, SAME)], Verdict::Send),
        (&[(UNMODIFIED, OLD)], Verdict::Failed),
        // If-Match decides alone; then the client's copy is looked at.
        (&[(MATCH, tag), (UNMODIFIED, OLD)], Verdict::Send),
        (&[(MATCH, tag), (NONE_MATCH, tag)], Verdict::Known),
        (&[(MATCH, other), (NONE_MATCH, tag)], Verdict::Failed),
        (&[(UNMODIFIED, OLD), (NONE_MATCH, tag)], Verdict::Failed),
        // If-None-Match decides alone.
        (&[(NONE_MATCH, other), (MODIFIED, NEW)], Verdict::Send),
        (&[(NONE_MATCH, tag), (MODIFIED, OLD)], Verdict::Known),
        (&[(MODIFIED, SAME)], Verdict::Known),
    ];
    for (fields, expected) in rows {
        check(fields, expected);
    }
}

#[test]
fn http_196_if_match_compares_strongly() {
    let tag = &*tag();
    check(&[(MATCH, "*")], Verdict::Send);
    check(&[(MATCH, &format!("\"a\", {tag}"))], Verdict::Send);
    check(&[(MATCH, &format!("W/{tag}"))], Verdict::Failed);
    check(&[(MATCH, "")], Verdict::Failed);
    let young = Validators::of(10, Some(seconds(1_000_000_000)), seconds(1_000_000_001));
    let weak = young.etag().unwrap();
    for condition in [&*weak, weak.strip_prefix("W/").unwrap()] {
        assert_eq!(asked("GET", &[(MATCH, condition)]).verdict(&young), Verdict::Failed, "a weak tag of ours");
    }
}

#[test]
fn http_197_if_none_match_compares_weakly() {
    let tag = &*tag();
    for list in ["*", tag, &format!("W/{tag}"), &format!("\"a,b\" , ,W/\"c\",{tag}"), &format!(",{tag}")] {
        check(&[(NONE_MATCH, list)], Verdict::Known);
    }
    // Text that is no list of tags matches nothing, whatever it contains.
    let opaque = tag.trim_matches('"');
    for list in [
        "\"a\"",
        opaque,
        &format!("w/{tag}"),
        &format!("\"a\" {tag}"),
        &format!("x, {tag}"),
        &format!("\"{opaque}"),
        "",
    ] {
        check(&[(NONE_MATCH, list)], Verdict::Send);
    }
}

#[test]
fn http_198_if_modified_since_is_ignored_where_it_must_be() {
    for date in [SAME, NEW, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
        check(&[(MODIFIED, date)], Verdict::Known);
    }
    let two = format!("{SAME}, {NEW}");
    for date in [OLD, "", "yesterday", "1994-11-06", &two, "Mon, 06 Nov 1994 08:49:37 GMT"] {
        check(&[(MODIFIED, date)], Verdict::Send);
    }
    assert_eq!(asked("POST", &[(MODIFIED, SAME)]).verdict(&file()), Verdict::Send);
    let timeless = Validators::of(10, None, SystemTime::now());
    assert_eq!(asked("GET", &[(MODIFIED, NEW)]).verdict(&timeless), Verdict::Send);
}

#[test]
fn http_199_if_unmodified_since_is_ignored_where_it_must_be() {
    for date in [SAME, NEW, "yesterday", &format!("{OLD}, {OLD}")] {
        check(&[(UNMODIFIED, date)], Verdict::Send);
    }
    let timeless = Validators::of(10, None, SystemTime::now());
    assert_eq!(asked("GET", &[(UNMODIFIED, OLD)]).verdict(&timeless), Verdict::Send);
}

#[test]
fn http_193_dates_of_three_forms_are_one_time() {
    let time = Some(seconds(784_111_777));
    for text in [SAME, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
        assert_eq!(date(text.as_bytes()), time, "{text}");
    }
    // More than 50 years ahead is the past century: 1999, not 2099.
    assert_eq!(date(b"Friday, 31-Dec-99 00:00:00 GMT"), Some(seconds(946_598_400)));
}

#[test]
fn http_202_if_range_must_name_what_is_there_exactly() {
    let tag = &*tag();
    let range = |condition| asked("GET", &[(RANGE, "bytes=0-1"), (IF_RANGE, condition)]).range(&file()).is_some();
    assert!(range(tag));
    assert!(range(SAME));
    for condition in ["\"other\"", &format!("W/{tag}"), OLD, NEW, "", "*", &format!("{tag}, {tag}")] {
        assert!(!range(condition), "{condition}");
    }
    // A file that may have changed twice within the same second is not what a date names.
    let young = Validators::of(10, Some(seconds(784_111_777)), seconds(784_111_778));
    assert!(asked("GET", &[(RANGE, "bytes=0-1"), (IF_RANGE, SAME)]).range(&young).is_none());
    assert!(asked("GET", &[(IF_RANGE, tag)]).range(&file()).is_none(), "without a Range there is nothing to decide");
}

#[test]
fn http_201_only_get_has_ranges() {
    for method in ["HEAD", "POST"] {
        assert!(asked(method, &[(RANGE, "bytes=0-1")]).range(&file()).is_none(), "{method}");
    }
}

#[test]
fn http_191_a_time_in_the_future_is_now() {
    let now = seconds(784_111_777);
    let future = Validators::of(10, Some(now + Duration::from_secs(86_400)), now + Duration::from_millis(900));
    assert_eq!(future.last_modified().as_deref(), Some(SAME));
    assert!(future.etag().unwrap().starts_with("W/"));
}

#[test]
fn http_192_a_tag_is_strong_once_the_file_has_rested() {
    let at = seconds(1_000_000_000);
    let tag = |age| Validators::of(10, Some(at), at + Duration::from_millis(age)).etag().unwrap();
    assert!(tag(0).starts_with("W/\"") && tag(2000).starts_with("W/\""));
    let strong = tag(2001);
    assert!(strong.starts_with('"') && strong.ends_with('"'), "{strong}");
    assert_ne!(strong, Validators::of(11, Some(at), at + CLOCK_STEP * 2).etag().unwrap());
}

#[test]
fn http_190_times_that_no_field_can_tell_are_left_out() {
    let now = seconds(1_000_000_000);
    let before_epoch = Validators::of(1, Some(UNIX_EPOCH - Duration::from_secs(1)), now);
    assert_eq!((before_epoch.etag(), before_epoch.last_modified()), (None, None));
    let year_10000 = seconds(253_402_300_800);
    assert_eq!(Validators::of(1, Some(year_10000), year_10000 + CLOCK_STEP).last_modified(), None);
}
