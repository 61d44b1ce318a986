//! Records for people: the same records however they are cut, and nothing in their text that a terminal would obey.
#![no_main]

use gateway_fastcgi::dump::{Dump, Entry, Layout, Side};
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let side = if first & 0x80 == 0 { Side::ToWorker } else { Side::FromWorker };
    assert_eq!(run(side, bytes, bytes.len().max(1)), run(side, bytes, usize::from(first & 0x7f) + 1));
});

/// The records; what is none is shown as far as it came, so it is not compared.
fn run(side: Side, bytes: &[u8], step: usize) -> Vec<String> {
    let mut dump = Dump::new(side);
    let mut all = Vec::new();
    for mut piece in bytes.chunks(step) {
        while !piece.is_empty() {
            let received = dump.receive(piece);
            assert!(received.taken > 0 || received.entry.is_some(), "it stands still");
            piece = &piece[received.taken..];
            all.extend(received.entry.map(show));
        }
    }
    all.extend(dump.end().map(show));
    all.into_iter().flatten().collect()
}

fn show(entry: Entry) -> Option<String> {
    let text = Layout::default().text(&entry, Duration::ZERO);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    entry.header.is_some().then_some(text)
}
