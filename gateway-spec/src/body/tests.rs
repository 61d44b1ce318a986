use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn collect(body: Body) -> Vec<u8> {
    body.map(|chunk| chunk.expect("a chunk")).fold(Vec::new(), |mut all, chunk| {
        all.extend_from_slice(&chunk);
        all
    })
}

fn counter() -> (Arc<AtomicUsize>, impl FnOnce() + Send + 'static) {
    let count = Arc::new(AtomicUsize::new(0));
    let handle = Arc::clone(&count);
    (count, move || {
        handle.fetch_add(1, Ordering::SeqCst);
    })
}

#[test]
fn pep_103_exact_lengths_are_exact() {
    let bodies: Vec<(&str, Body)> = vec![
        ("empty", Body::empty()),
        ("unit", ().into()),
        ("text", "abc".into()),
        ("string", String::from("abcd").into()),
        ("bytes", Bytes::from_static(b"ab").into()),
        ("chunks", Body::chunks(vec!["a".into(), "".into(), "bc".into()])),
    ];
    for (name, body) in bodies {
        let length = body.length().expect("a known length");
        assert_eq!(collect(body).len() as u64, length, "{name}");
    }
}

#[test]
fn pep_104_close_runs_once_at_the_end_of_life() {
    let (count, hook) = counter();
    let mut body = Body::from("x").on_close(hook);
    body.close();
    body.close();
    assert!(body.next_chunk().is_none(), "nothing comes out of a closed body");
    drop(body);
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn pep_104_105_dropping_a_body_that_was_not_read_closes_it() {
    let (count, hook) = counter();
    drop(Body::iter(std::iter::repeat_with(|| Ok(Bytes::from_static(b"x")))).on_close(hook));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn pep_107_three_layers_close_the_inner_body_once() {
    struct Layer(Body);
    impl Iterable for Layer {
        fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
            self.0.next_chunk()
        }
    }
    let (count, hook) = counter();
    let mut body = Body::from("inner").on_close(hook).wrap(Layer).wrap(Layer).wrap(Layer);
    assert_eq!(body.next_chunk().expect("a chunk").expect("bytes"), "inner");
    body.close();
    drop(body);
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn pep_104_a_panic_in_close_does_not_skip_the_hook() {
    struct Bad;
    impl Iterable for Bad {
        fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
            None
        }
        fn close(&mut self) {
            panic!("close failed");
        }
    }
    let (count, hook) = counter();
    let mut body = Body::new(Bad).on_close(hook);
    let result = catch_unwind(AssertUnwindSafe(|| body.close()));
    assert!(result.is_err());
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn pep_197_198_a_file_is_sent_from_its_position_to_its_end() {
    let path = std::env::temp_dir().join(format!("gateway-spec-body-{}", std::process::id()));
    let mut file =
        std::fs::File::options().create(true).truncate(true).read(true).write(true).open(&path).expect("a file");
    std::fs::remove_file(&path).expect("unlinked");
    file.write_all(b"0123456789abc").expect("written");
    file.seek(SeekFrom::Start(10)).expect("sought");
    let body = Body::file(file.try_clone().expect("a second handle")).expect("a body");
    assert_eq!(body.length(), Some(3));
    assert_eq!(collect(body), b"abc");

    file.seek(SeekFrom::Start(0)).expect("sought");
    let mut shrunk = Body::file(file.try_clone().expect("a second handle")).expect("a body");
    file.set_len(4).expect("cut");
    assert_eq!(shrunk.next_chunk().expect("a chunk").expect("bytes"), "0123");
    assert!(shrunk.next_chunk().expect("not the end").is_err(), "HTTP-211: no clean end");
}

#[test]
fn pep_191_196_a_file_wrapper_reads_nothing_until_asked_and_works_on_memory() {
    struct Touchy(Arc<AtomicUsize>);
    impl Read for Touchy {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(0)
        }
    }
    let reads = Arc::new(AtomicUsize::new(0));
    drop(FileWrapper.wrap(Touchy(Arc::clone(&reads)), 10));
    assert_eq!(reads.load(Ordering::SeqCst), 0);
    assert_eq!(collect(FileWrapper.wrap(std::io::Cursor::new(b"memory"), 4)), b"memory");
}

#[test]
fn pep_192_the_file_is_dropped_at_close() {
    struct Dropped(Arc<AtomicUsize>);
    impl Read for Dropped {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Ok(0)
        }
    }
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let mut body = FileWrapper.wrap(Dropped(Arc::clone(&drops)), 10);
    body.close();
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

#[test]
fn an_iterable_is_not_asked_again_after_its_end_an_error_or_a_panic() {
    struct Once(u8);
    impl Iterable for Once {
        fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
            match std::mem::replace(&mut self.0, 9) {
                0 => None,
                1 => Some(Err("failed".into())),
                2 => panic!("panicked"),
                _ => unreachable!("asked again"),
            }
        }
    }
    for kind in 0..3 {
        let mut body = Body::new(Once(kind));
        let _ = catch_unwind(AssertUnwindSafe(|| body.next_chunk().is_some()));
        assert!(body.next_chunk().is_none());
        assert!(body.next_chunk().is_none());
    }
}
