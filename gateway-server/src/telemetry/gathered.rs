//! Lines that were gathered by several threads, and the order in which they are written.

use std::time::Instant;

use super::shard::SHARDS;

/// Lines, one behind the other, and when each was written and where it ends.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) bytes: Vec<u8>,
    pub(super) ends: Vec<(Instant, usize)>,
}

/// Puts all lines into one text, the earliest first, and forgets them.
pub(super) fn merge(taken: &mut [Lines; SHARDS], text: &mut Vec<u8>) {
    // For each, how many lines and how many bytes are in the text.
    let mut merged = [(0, 0); SHARDS];
    let first = |(lines, (count, _)): (&Lines, &(usize, usize))| Some(*lines.ends.get(*count)?);
    while let Some((at, (_, end))) = (0..SHARDS)
        .zip(taken.iter().zip(&merged).map(first))
        .filter_map(|(at, line)| Some((at, line?)))
        .min_by_key(|(_, (time, _))| *time)
    {
        if let (Some(lines), Some((count, begin))) = (taken.get(at), merged.get_mut(at)) {
            text.extend_from_slice(lines.bytes.get(*begin..end).unwrap_or_default());
            (*count, *begin) = (*count + 1, end);
        }
    }
    for lines in taken {
        lines.bytes.clear();
        lines.ends.clear();
    }
}
