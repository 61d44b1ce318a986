use proptest::prelude::*;

use super::*;

/// Gives its bytes in pieces of `step`, then ends; panics when asked after the end.
struct Pieces {
    bytes: Bytes,
    step: usize,
    asked: usize,
}

impl InputSource for Pieces {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        assert!(max > 0, "nothing was asked for");
        self.asked += 1;
        Ok(self.bytes.split_to(self.step.min(max).min(self.bytes.len())))
    }
}

fn pieces(text: &'static str, step: usize, length: Option<u64>) -> Input {
    Input::new(Pieces { bytes: Bytes::from_static(text.as_bytes()), step, asked: 0 }, length)
}

#[test]
fn pep_45_input_ends_at_the_declared_length_and_takes_nothing_more() {
    for step in 1..8 {
        let mut input = pieces("helloNEXT", step, Some(5));
        assert_eq!(input.read_all(100).expect("a body"), "hello", "step {step}");
        assert!(input.chunk(100).expect("the end").is_empty());
        assert_eq!(input.read(&mut [0; 9]).expect("the end"), 0);
    }
}

#[test]
fn pep_44_arrived_bytes_past_the_length_never_reach_the_application() {
    let mut input = pieces("", 1, Some(3)).with_arrived(Bytes::from_static(b"abcGET / HTTP/1.1"));
    assert_eq!(input.read_all(100).expect("a body"), "abc");
}

#[test]
fn pep_48_reading_an_empty_body_gives_nothing_at_once() {
    let mut input = Input::empty();
    assert!(input.chunk(1).expect("the end").is_empty());
    assert!(input.line(1).expect("the end").is_empty());
    assert_eq!(input.each_line(9).count(), 0);
}

#[test]
fn pep_49_a_line_is_cut_at_the_size_asked_for() {
    let mut input = pieces("abcdef\ngh", 2, None);
    assert_eq!(input.line(3).expect("a line"), "abc");
    assert_eq!(input.line(99).expect("a line"), "def\n");
    assert_eq!(input.line(99).expect("a line"), "gh");
    assert_eq!(input.line(99).expect("the end"), "");
}

#[test]
fn pep_40_iteration_gives_lines_whatever_the_pieces() {
    for step in 1..12 {
        let mut input = pieces("one\n\ntwo\nend", step, Some(12));
        let lines: Vec<_> = input.each_line(80).map(|line| line.expect("a line")).collect();
        assert_eq!(lines, ["one\n", "\n", "two\n", "end"], "step {step}");
    }
}

#[test]
fn http_86_a_body_that_stops_early_is_an_error_not_an_end() {
    let mut input = pieces("abc", 2, Some(5));
    let error = input.read_all(100).expect_err("incomplete");
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<InputError>());
    assert_eq!(cause, Some(&InputError::Incomplete { declared: 5, received: 3 }));
    assert!(input.chunk(1).is_err(), "it stays an error");
}

#[test]
fn pep_47_read_all_refuses_more_than_its_limit() {
    assert!(pieces("abcdef", 2, None).read_all(5).is_err());
    assert!(Input::from("abcdef").read_all(5).is_err());
    assert_eq!(Input::from("abcdef").read_all(6).expect("a body"), "abcdef");
    assert_eq!(pieces("abcdef", 2, None).read_all(6).expect("a body"), "abcdef");
}

#[test]
fn lines_that_are_too_long_are_refused() {
    let mut input = Input::from("abcdef\n");
    assert!(input.each_line(3).next().is_some_and(|line| line.is_err()));
}

#[test]
fn a_reader_can_be_the_source() {
    let mut input = Input::reader(&b"abc\ndef"[..], None);
    let mut text = String::new();
    BufRead::read_line(&mut input, &mut text).expect("a line");
    Read::read_to_string(&mut input, &mut text).expect("the rest");
    assert_eq!(text, "abc\ndef");
}

#[test]
fn pep_44_a_source_that_gives_too_much_cannot_smuggle_the_next_request_in() {
    struct Generous;
    impl InputSource for Generous {
        fn read_chunk(&mut self, _: usize) -> io::Result<Bytes> {
            Ok(Bytes::from_static(b"helloGET /admin"))
        }
    }
    assert_eq!(Input::new(Generous, Some(5)).read_all(100).expect("a body"), "hello");
}

#[test]
fn iteration_ends_after_an_error() {
    assert_eq!(pieces("a\nb", 1, Some(9)).each_line(9).filter_map(Result::ok).count(), 1);
    assert_eq!(pieces("abc", 1, Some(9)).chunks().filter_map(Result::ok).count(), 3);
    assert_eq!(Input::from("abcdef\n").each_line(3).count(), 1);
}

#[test]
fn pep_40_every_way_of_reading_can_be_mixed() {
    let mut input = pieces("one\ntwo\nthree\nrest", 2, Some(18));
    assert_eq!(input.line(99).expect("a line"), "one\n");
    let mut three = [0; 3];
    input.read_exact(&mut three).expect("three bytes");
    assert_eq!(&three, b"two");
    assert_eq!(input.chunk(1).expect("a byte"), "\n");
    let mut text = String::new();
    input.read_line(&mut text).expect("a line");
    assert_eq!(text, "three\n");
    let mut rest = Vec::new();
    for piece in input.chunks() {
        rest.extend_from_slice(&piece.expect("a piece"));
    }
    assert_eq!(rest, b"rest");
}

/// One way to take something out of an input.
#[derive(Debug, Clone)]
enum Take {
    Chunk(usize),
    Line(usize),
    Read(usize),
    Fill(usize),
}

/// Gives the body in pieces of these sizes, then byte by byte; and more than the body, to tempt the input.
struct Steps {
    bytes: Bytes,
    steps: Vec<usize>,
}

impl InputSource for Steps {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        let step = self.steps.pop().unwrap_or(1).max(1);
        Ok(self.bytes.split_to(step.min(max).min(self.bytes.len())))
    }
}

proptest! {
    /// However the body arrives and however it is read: the same bytes, in order, to the declared end and no further.
    #[test]
    fn pep_45_47_49_input_is_the_body_however_it_is_cut(
        body in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..40),
        beyond in proptest::collection::vec(any::<u8>(), 0..10),
        arrived in 0_usize..50,
        declared in any::<bool>(),
        steps in proptest::collection::vec(1_usize..12, 0..12),
        takes in proptest::collection::vec(prop_oneof![
            (1_usize..12).prop_map(Take::Chunk),
            (1_usize..12).prop_map(Take::Line),
            (0_usize..12).prop_map(Take::Read),
            (0_usize..12).prop_map(Take::Fill),
        ], 0..30),
    ) {
        let mut wire = body.clone();
        if declared {
            wire.extend(&beyond);
        }
        let mut rest = Bytes::from(wire);
        let first = rest.split_to(arrived.min(rest.len()));
        let length = declared.then_some(body.len() as u64);
        let mut input = Input::new(Steps { bytes: rest, steps }, length).with_arrived(first);
        let mut left = &body[..];
        for take in takes {
            let (got, ends_at_line) = match take {
                Take::Chunk(max) => (input.chunk(max).expect("a chunk").to_vec(), false),
                Take::Line(max) => (input.line(max).expect("a line").to_vec(), true),
                Take::Read(len) => {
                    let mut into = vec![0; len];
                    let read = input.read(&mut into).expect("a read");
                    into.truncate(read);
                    if len == 0 { continue }
                    (into, false)
                }
                Take::Fill(amount) => {
                    let got: Vec<u8> = input.fill_buf().expect("a buffer").iter().copied().take(amount).collect();
                    input.consume(got.len());
                    if amount == 0 { continue }
                    (got, false)
                }
            };
            let (Take::Chunk(most) | Take::Line(most) | Take::Read(most) | Take::Fill(most)) = take;
            prop_assert!(got.len() <= most);
            prop_assert_eq!(got.is_empty(), left.is_empty(), "empty at the end and only there");
            prop_assert!(left.starts_with(&got));
            if ends_at_line {
                let newline = got.iter().position(|byte| *byte == b'\n');
                prop_assert!(newline.is_none_or(|at| at + 1 == got.len()), "a line holds one newline, its last byte");
            }
            left = &left[got.len()..];
        }
        prop_assert_eq!(input.read_all(1000).expect("the rest"), left);
        prop_assert!(input.chunk(1).expect("the end").is_empty());
    }
}
