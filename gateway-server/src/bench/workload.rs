//! What is asked for.
//!
//! Holds the five workloads of the application inside this command, and paths of other applications.

use super::app::{HELLO, LARGE};
use super::load::BodyLen;

/// One kind of request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workload {
    /// The name in the report: a word, or the path itself.
    pub(crate) name: String,
    /// Path and query.
    pub(crate) path: String,
    /// Bytes that are sent along; none makes it a GET, some a POST.
    pub(crate) upload: usize,
    /// What the body of a right answer is like.
    pub(crate) answer: BodyLen,
    /// Whether only the application inside this command answers it.
    pub(crate) is_built_in: bool,
}

impl Workload {
    /// The workloads of the application inside this command, the plainest first.
    pub(crate) fn built_in() -> Vec<Workload> {
        let (hello, large, count) = (HELLO.len() as u64, LARGE as u64, LARGE.to_string().len() as u64);
        [
            ("hello", 0, BodyLen::Exactly(hello)),
            ("db", 0, BodyLen::AsTheFirst),
            ("download", 0, BodyLen::Exactly(large)),
            ("upload", LARGE, BodyLen::Exactly(count)),
            ("cpu", 0, BodyLen::AsTheFirst),
        ]
        .into_iter()
        .map(|(name, upload, answer)| Workload {
            name: name.to_owned(),
            path: format!("/{name}"),
            upload,
            answer,
            is_built_in: true,
        })
        .collect()
    }

    /// A GET of this path.
    pub(crate) fn path(path: &str) -> Workload {
        Workload { name: path.to_owned(), path: path.to_owned(), upload: 0, answer: BodyLen::Any, is_built_in: false }
    }

    /// One of the five by its name, or a path.
    pub(super) fn parse(text: &str) -> Result<Workload, String> {
        if let Some(known) = Workload::built_in().into_iter().find(|workload| workload.name == text) {
            return Ok(known);
        }
        // What stands in a request line has neither spaces nor controls, and is ASCII (RFC 9112 §3.2).
        if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Ok(Workload::path(text));
        }
        Err("allowed are hello, db, download, upload, cpu, or a path such as /page?x=1".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_are_read_and_other_texts_refused() {
        assert_eq!(Workload::parse("upload").unwrap().upload, 1 << 20);
        assert_eq!(Workload::parse("/a?b=c").unwrap(), Workload::path("/a?b=c"));
        for bad in ["", "helo", "a/b", "/a b", "/a\r\nHost: x", "/ä", "/a#b"] {
            assert!(Workload::parse(bad).is_err(), "{bad:?}");
        }
    }
}
