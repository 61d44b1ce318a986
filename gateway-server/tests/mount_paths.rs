//! How paths are decoded and split between mounts: one table, one row for each thing that has gone wrong somewhere.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a failure is a panic"
)]

use gateway_server::mount::{AlreadyMounted, MountTable, PathError, Prefix, PrefixError, RequestPath};
use proptest::prelude::*;

/// The mounts that the table is about; every target is the prefix it is mounted at.
const MOUNTS: [&str; 7] = ["/", "/app", "/app/admin", "/a", "/a/b/c", "/caf%C3%A9", "/with space"];

fn table(prefixes: &[&'static str]) -> MountTable<&'static str> {
    let mut table = MountTable::new();
    for prefix in prefixes {
        table.mount(prefix.parse().unwrap(), *prefix).unwrap();
    }
    table
}

#[track_caller]
fn check(name: &str, path: &[u8], (target, script_name, path_info): (&str, &[u8], &[u8])) {
    let table = table(&MOUNTS);
    let path = RequestPath::decode(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mounted = table.find(&path).unwrap_or_else(|| panic!("{name}: nobody answers"));
    assert_eq!(*mounted.target, target, "{name}: target");
    assert_eq!(mounted.script_name.escape_ascii().to_string(), script_name.escape_ascii().to_string(), "{name}");
    assert_eq!(mounted.path_info.escape_ascii().to_string(), path_info.escape_ascii().to_string(), "{name}");
    assert_eq!([mounted.script_name, mounted.path_info].concat(), path.as_bytes(), "{name}: CGI-37");
}

#[test]
fn pep_13_14_cgi_26_37_paths_are_split_on_whole_decoded_segments() {
    type Row = (&'static str, &'static [u8], (&'static str, &'static [u8], &'static [u8]));
    let rows: &[Row] = &[
        ("the root", b"/", ("/", b"", b"/")),
        ("a file at the root", b"/x", ("/", b"", b"/x")),
        ("deep below the root", b"/x/y/z", ("/", b"", b"/x/y/z")),
        ("the mount itself, no slash", b"/app", ("/app", b"/app", b"")),
        ("the mount itself, with slash", b"/app/", ("/app", b"/app", b"/")),
        ("below a mount", b"/app/x", ("/app", b"/app", b"/x")),
        ("a trailing slash below a mount", b"/app/x/", ("/app", b"/app", b"/x/")),
        ("half a segment is no prefix", b"/apple", ("/", b"", b"/apple")),
        ("half a segment, then a path", b"/apple/app", ("/", b"", b"/apple/app")),
        ("less than a prefix", b"/ap", ("/", b"", b"/ap")),
        ("a dot behind the prefix", b"/app.php", ("/", b"", b"/app.php")),
        ("the longer prefix wins", b"/app/admin", ("/app/admin", b"/app/admin", b"")),
        ("below the longer prefix", b"/app/admin/x", ("/app/admin", b"/app/admin", b"/x")),
        ("half of the longer prefix", b"/app/administrator", ("/app", b"/app", b"/administrator")),
        ("case is kept and counts", b"/App/x", ("/", b"", b"/App/x")),
        ("case of path info is kept", b"/app/AbC", ("/app", b"/app", b"/AbC")),
        ("a short prefix", b"/a", ("/a", b"/a", b"")),
        ("between two prefixes", b"/a/b", ("/a", b"/a", b"/b")),
        ("three segments", b"/a/b/c", ("/a/b/c", b"/a/b/c", b"")),
        ("three segments and a slash", b"/a/b/c/", ("/a/b/c", b"/a/b/c", b"/")),
        ("nearly three segments", b"/a/b/cc", ("/a", b"/a", b"/b/cc")),
        ("repeated slashes in path info are kept", b"/app//x", ("/app", b"/app", b"//x")),
        ("many slashes at the end are kept", b"/app///", ("/app", b"/app", b"///")),
        ("an empty first segment is not the mount", b"//app/x", ("/", b"", b"//app/x")),
        ("an empty segment inside a prefix", b"/app//admin", ("/app", b"/app", b"//admin")),
        ("slashes only", b"//", ("/", b"", b"//")),
        ("an escape in path info is decoded", b"/app/%41", ("/app", b"/app", b"/A")),
        ("an escape in the prefix is decoded first", b"/%61pp/x", ("/app", b"/app", b"/x")),
        ("a wholly escaped prefix", b"/%61%70%70", ("/app", b"/app", b"")),
        ("lower-case hex", b"/app/%7e", ("/app", b"/app", b"/~")),
        ("upper-case hex", b"/app/%7E", ("/app", b"/app", b"/~")),
        ("a comma is decoded once", b"/app/%2C", ("/app", b"/app", b"/,")),
        ("never twice: an escaped comma's escape", b"/app/%252C", ("/app", b"/app", b"/%2C")),
        ("never twice: an escaped slash's escape", b"/app/%252F", ("/app", b"/app", b"/%2F")),
        ("never twice: escaped dots' escapes", b"/app/%252e%252e/x", ("/app", b"/app", b"/%2e%2e/x")),
        ("a question mark that ends no path", b"/app/%3Fq", ("/app", b"/app", b"/?q")),
        ("a hash that ends no path", b"/app/%23", ("/app", b"/app", b"/#")),
        ("a plus is a plus", b"/app/a+b", ("/app", b"/app", b"/a+b")),
        ("a space", b"/app/a%20b", ("/app", b"/app", b"/a b")),
        ("a percent sign", b"/app/100%25", ("/app", b"/app", b"/100%")),
        ("a semicolon is data", b"/app;v=1/x", ("/", b"", b"/app;v=1/x")),
        ("a semicolon in path info", b"/app/x;y=z", ("/app", b"/app", b"/x;y=z")),
        ("reserved characters", b"/app/a:b@c&d=e$f,g", ("/app", b"/app", b"/a:b@c&d=e$f,g")),
        ("a backslash is no slash", b"/app%5Cadmin", ("/", b"", b"/app\\admin")),
        ("backslashes and dots", b"/app/..%5C..%5Cx", ("/app", b"/app", b"/..\\..\\x")),
        ("a tab", b"/app/%09", ("/app", b"/app", b"/\t")),
        ("UTF-8", b"/app/%C3%A9", ("/app", b"/app", "/é".as_bytes())),
        ("UTF-8 prefix", b"/caf%C3%A9/x", ("/caf%C3%A9", "/café".as_bytes(), b"/x")),
        ("UTF-8 prefix, lower-case hex", b"/caf%c3%a9", ("/caf%C3%A9", "/café".as_bytes(), b"")),
        ("Latin-1 is not UTF-8", b"/caf%E9/x", ("/", b"", b"/caf\xe9/x")),
        ("bytes that are no text", b"/app/%ff%fe", ("/app", b"/app", b"/\xff\xfe")),
        ("an overlong slash is no slash", b"/app%C0%AFadmin", ("/", b"", b"/app\xc0\xafadmin")),
        ("overlong dots are no dots", b"/app/%C0%AE%C0%AE", ("/app", b"/app", b"/\xc0\xae\xc0\xae")),
        ("a fullwidth slash is no slash", b"/app%EF%BC%8Fx", ("/", b"", "/app／x".as_bytes())),
        ("soft hyphen", b"/app/%C2%AD", ("/app", b"/app", b"/\xc2\xad")),
        ("a prefix with a space", b"/with%20space/x", ("/with space", b"/with space", b"/x")),
        ("a plus is no space in a prefix", b"/with+space", ("/", b"", b"/with+space")),
        ("three dots are a name", b"/app/...", ("/app", b"/app", b"/...")),
        ("a hidden file is a name", b"/app/.git", ("/app", b"/app", b"/.git")),
        ("dots inside a name", b"/app/a..b", ("/app", b"/app", b"/a..b")),
        ("dots at the end of a name", b"/app/a..", ("/app", b"/app", b"/a..")),
        ("a file name and more", b"/app/photo.jpg/x.php", ("/app", b"/app", b"/photo.jpg/x.php")),
        ("delete is a byte", b"/app/%7F", ("/app", b"/app", b"/\x7f")),
    ];
    assert!(rows.len() >= 60, "{} rows", rows.len());
    for (name, path, wanted) in rows {
        check(name, path, *wanted);
    }
}

#[test]
fn cgi_28_157_180_fcgi_132_ambiguous_paths_are_refused_where_they_go_wrong() {
    let dots = |at| PathError::DotSegment { at };
    let slash = |at| PathError::EncodedSlash { at };
    let escape = |at| PathError::Escape { at };
    let control = |byte, at| PathError::Control { byte, at };
    let rows: &[(&[u8], PathError)] = &[
        (b"", PathError::NotAbsolute),
        (b"*", PathError::NotAbsolute),
        (b"app", PathError::NotAbsolute),
        (b"%2Fapp", PathError::NotAbsolute),
        (b"/..", dots(1)),
        (b"/../", dots(1)),
        (b"/.", dots(1)),
        (b"/./app", dots(1)),
        (b"/app/..", dots(5)),
        (b"/app/../etc/passwd", dots(5)),
        (b"/app/./x", dots(5)),
        (b"/app/%2e%2e/x", dots(5)),
        (b"/app/%2E./x", dots(5)),
        (b"/app/.%2e", dots(5)),
        (b"/app/%2e", dots(5)),
        (b"/a%20b/%2e%2e/x", dots(7)),
        (b"/app//../x", dots(6)),
        (b"/app%2Fadmin", slash(4)),
        (b"/app%2fadmin", slash(4)),
        (b"/app/..%2F..%2Fetc", slash(7)),
        (b"/%2F", slash(1)),
        (b"/app/%", escape(5)),
        (b"/app/%4", escape(5)),
        (b"/app/%4/", escape(5)),
        (b"/app/%zz", escape(5)),
        (b"/app/%u002f", escape(5)),
        (b"/app/%+1", escape(5)),
        (b"/app/%%41", escape(5)),
        (b"/app/%00", control(0, 5)),
        (b"/app/x%00.php", control(0, 6)),
        (b"/app/\0", control(0, 5)),
        (b"/x.php/%0a", control(b'\n', 7)),
        (b"/x.php/%0D", control(b'\r', 7)),
        (b"/x.php/%0d%0aSet-Cookie:", control(b'\r', 7)),
    ];
    for (path, wanted) in rows {
        let refused = RequestPath::decode(path);
        assert_eq!(refused.as_ref(), Err(wanted), "{}", path.escape_ascii());
        assert_eq!(refused.map_err(|error| error.status().as_u16()), Err(400));
    }
}

#[test]
fn pep_13_prefixes_are_written_like_paths() {
    let script_name = |text: &str| text.parse::<Prefix>().map(|prefix| prefix.script_name().to_vec());
    for (text, wanted) in
        [("/", ""), ("/app", "/app"), ("/app/", "/app"), ("/a/b/", "/a/b"), ("/caf%C3%A9", "/café"), ("/é", "/é")]
    {
        assert_eq!(script_name(text), Ok(wanted.as_bytes().to_vec()), "{text}");
    }
    assert_eq!("/".parse(), Ok(Prefix::root()));
    let refused = [
        ("", PrefixError::Path(PathError::NotAbsolute)),
        ("app", PrefixError::Path(PathError::NotAbsolute)),
        ("//", PrefixError::EmptySegment),
        ("/a//b", PrefixError::EmptySegment),
        ("/a//", PrefixError::EmptySegment),
        ("/a/..", PrefixError::Path(PathError::DotSegment { at: 3 })),
        ("/a%2Fb", PrefixError::Path(PathError::EncodedSlash { at: 2 })),
        ("/a%", PrefixError::Path(PathError::Escape { at: 2 })),
        ("/a?b", PrefixError::NotPath('?')),
        ("/a#b", PrefixError::NotPath('#')),
    ];
    for (text, wanted) in refused {
        assert_eq!(script_name(text), Err(wanted), "{text}");
    }
}

#[test]
fn the_order_of_mounting_does_not_matter() {
    let path = RequestPath::decode(b"/app/admin/x").unwrap();
    for prefixes in [["/", "/app", "/app/admin"], ["/app/admin", "/app", "/"], ["/app", "/app/admin", "/"]] {
        assert_eq!(table(&prefixes).find(&path).map(|mounted| *mounted.target), Some("/app/admin"), "{prefixes:?}");
    }
}

#[test]
fn without_a_mount_at_the_root_nobody_answers_there() {
    let table = table(&["/app"]);
    for path in ["/", "/x", "/apple", "//app"] {
        assert!(table.find(&RequestPath::decode(path.as_bytes()).unwrap()).is_none(), "{path}");
    }
}

#[test]
fn one_prefix_is_mounted_once_however_it_is_written() {
    let mut table = table(&["/app"]);
    for again in ["/app", "/app/", "/%61pp"] {
        let prefix: Prefix = again.parse().unwrap();
        assert_eq!(table.mount(prefix.clone(), "again"), Err(AlreadyMounted { prefix }), "{again}");
    }
}

proptest! {
    #[test]
    fn cgi_5_14_encoding_every_byte_changes_nothing_but_the_writing(segments in prop::collection::vec("[^/\0\r\n]{1,8}", 1..4)) {
        let plain: String = segments.iter().map(|segment| format!("/{}", segment.replace('%', "%25"))).collect();
        let encoded: String = segments
            .iter()
            .map(|segment| segment.bytes().fold("/".to_owned(), |text, byte| format!("{text}%{byte:02X}")))
            .collect();
        let (plain, encoded) = (RequestPath::decode(plain.as_bytes()), RequestPath::decode(encoded.as_bytes()));
        match (plain, encoded) {
            (Ok(plain), Ok(encoded)) => prop_assert_eq!(plain, encoded),
            (Err(PathError::DotSegment { .. }), Err(PathError::DotSegment { .. })) => {}
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn cgi_37_script_name_and_path_info_are_the_whole_path(path in prop::collection::vec(any::<u8>(), 0..40)) {
        let table = table(&MOUNTS);
        let path = [b"/", path.as_slice()].concat();
        if let Ok(path) = RequestPath::decode(&path) {
            let mounted = table.find(&path).unwrap();
            prop_assert_eq!([mounted.script_name, mounted.path_info].concat(), path.as_bytes());
            prop_assert!(mounted.path_info.is_empty() || mounted.path_info.starts_with(b"/"));
            prop_assert!(mounted.script_name != b"/");
            prop_assert!(!path.as_bytes().split(|byte| *byte == b'/').any(|segment| segment == b".."));
        }
    }
}
