//! Strings in the form that exec takes: one after the other, each with a NUL behind it, and a list of their addresses.

use std::ffi::c_char;

/// Strings for the kernel. One allocation holds them all.
#[derive(Debug, Default)]
pub(super) struct Block {
    bytes: Vec<u8>,
    /// Where each begins.
    starts: Vec<usize>,
}

impl Block {
    /// With room for so many bytes of so many strings.
    pub(super) fn with_room(bytes: usize, strings: usize) -> Self {
        Block { bytes: Vec::with_capacity(bytes), starts: Vec::with_capacity(strings) }
    }

    /// Appends one string, made of `parts`, which have no NUL.
    pub(super) fn push(&mut self, parts: &[&[u8]]) {
        self.starts.push(self.bytes.len());
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.bytes.push(0);
    }

    /// The first string without its NUL; empty if there is none.
    pub(super) fn first(&self) -> &[u8] {
        self.bytes.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// All strings without their NULs.
    #[cfg(any(test, not(target_os = "linux")))]
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let text = |start: &usize| self.bytes.get(*start..)?.split(|byte| *byte == 0).next();
        self.starts.iter().filter_map(text)
    }

    /// The addresses of all strings, and a null at the end. They hold until the block is changed, moved parts included:
    /// the bytes lie on the heap.
    pub(super) fn addresses(&self) -> Vec<*const c_char> {
        let address = |start: &usize| self.bytes.get(*start..).map_or(std::ptr::null(), |bytes| bytes.as_ptr().cast());
        self.starts.iter().map(address).chain([std::ptr::null()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_lie_behind_each_other_and_the_list_ends_with_null() {
        let mut block = Block::default();
        block.push(&[b"A", b"=", b"1"]);
        block.push(&[b""]);
        block.push(&[b"B=\xff"]);
        assert_eq!(block.bytes, b"A=1\0\0B=\xff\0");
        assert_eq!(block.first(), b"A=1");
        assert_eq!(block.iter().collect::<Vec<_>>(), [&b"A=1"[..], b"", b"B=\xff"]);
        let addresses = block.addresses();
        let base = block.bytes.as_ptr() as usize;
        let offsets: Vec<usize> = addresses[..3].iter().map(|address| *address as usize - base).collect();
        assert_eq!((offsets, addresses[3].is_null()), (vec![0, 4, 5], true));
    }
}
