//! Request ids: one name for a request in every log it leaves a line in.
//!
//! Holds the making of an id, and what may be taken for one that a trusted proxy has made. Does not hold who is trusted or where the id goes.

use std::cell::Cell;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The id of one request: 32 hex digits of our own, which is also what a trace-id is (W3C Trace Context §3.2.2.3), or a trusted proxy's word.
///
/// # Examples
/// ```
/// use gateway_server::telemetry::RequestId;
///
/// let (one, other) = (RequestId::new(), RequestId::new());
/// assert_ne!(one, other);
/// assert_eq!(one.as_str().len(), 32);
/// assert!(RequestId::parse(b"7b6f-a.1").is_some());
/// assert!(RequestId::parse(b"two words").is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    text: [u8; RequestId::MAX_BYTES],
    length: u8,
}

/// What tells this process's ids from those of every other, random as the keys of hash maps are: half of each id as text, and what
/// the other half starts from.
static SEED: LazyLock<([u8; 16], u64)> = LazyLock::new(|| {
    let random = |salt: u64| {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u64(salt);
        hasher.write_u32(std::process::id());
        hasher.finish()
    };
    (hex(random(1)), random(2))
});

/// Threads take numbers in blocks, so that they do not meet at one counter for each request.
const BLOCK: u64 = 1024;
static NEXT_BLOCK: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static NUMBERS: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

fn number() -> u64 {
    NUMBERS.with(|numbers| {
        let (next, end) = match numbers.get() {
            (next, end) if next < end => (next, end),
            _ => {
                let first = NEXT_BLOCK.fetch_add(BLOCK, Ordering::Relaxed);
                (first, first + BLOCK)
            }
        };
        numbers.set((next + 1, end));
        next
    })
}

impl RequestId {
    /// Longest id that is taken from somebody else: more than any proxy or tracer sends.
    pub const MAX_BYTES: usize = 64;

    /// A new one, different from every other of this process, and of any other but for a chance of 1 in 2⁶⁴.
    #[must_use]
    pub fn new() -> Self {
        let (process, start) = &*SEED;
        // An odd factor maps the numbers one to one, so ids do not tell how many requests there were.
        let own = number().wrapping_add(*start).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut text = [0; Self::MAX_BYTES];
        for (place, half) in text.chunks_exact_mut(16).zip([process, &hex(own)]) {
            place.copy_from_slice(half);
        }
        Self { text, length: 32 }
    }

    /// An id that somebody else has made: `None` if it is empty, too long, or holds anything but letters, digits and `-_.~:/+=@`, which
    /// are safe in every log and header field.
    #[must_use]
    pub fn parse(id: &[u8]) -> Option<Self> {
        let is_safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~:/+=@".contains(byte);
        let mut text = [0; Self::MAX_BYTES];
        let place = text.get_mut(..id.len()).filter(|_| !id.is_empty() && id.iter().all(is_safe))?;
        place.copy_from_slice(id);
        Some(Self { text, length: u8::try_from(id.len()).ok()? })
    }

    /// The trace-id of a `traceparent` field: `00-TRACE-PARENT-FLAGS`, in lower case (W3C Trace Context §3.2).
    #[must_use]
    pub fn of_traceparent(field: &[u8]) -> Option<Self> {
        let mut parts = field.split(|byte| *byte == b'-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |text: &[u8], length| {
            text.len() == length && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        // A version to come may have more parts; ff is none.
        let fits = is_hex(version, 2) && version != b"ff" && is_hex(parent, 16) && is_hex(flags, 2);
        let is_known = fits && (version != b"00" || parts.next().is_none());
        let is_something = is_hex(trace, 32) && trace.iter().any(|digit| *digit != b'0');
        if is_known && is_something { Self::parse(trace) } else { None }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Both ways to make one let only ASCII in.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The id as text, in bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// A number in 16 digits, all of them at once: each byte of the result holds one.
fn hex(number: u64) -> [u8; 16] {
    // The four bits of each digit move apart, the first digit into the highest byte.
    let spread = |bits: u64| {
        let bits = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
        let bits = (bits | bits << 8) & 0x00ff_00ff_00ff_00ff;
        (bits | bits << 4) & 0x0f0f_0f0f_0f0f_0f0f
    };
    // Ten and more carry into the next bit when six is added, and are letters.
    let text = |digits: u64| {
        let letters = ((digits + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
        digits + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'0' - 10)
    };
    let mut all = [0; 16];
    for (place, half) in all.chunks_exact_mut(8).zip([number >> 32, number & 0xffff_ffff]) {
        place.copy_from_slice(&text(spread(half)).to_be_bytes());
    }
    all
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_of_many_threads_are_all_different_and_are_trace_ids() {
        let threads: Vec<_> =
            (0..8).map(|_| std::thread::spawn(|| (0..5000).map(|_| RequestId::new()).collect::<Vec<_>>())).collect();
        let ids: Vec<RequestId> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        let different: HashSet<&str> = ids.iter().map(RequestId::as_str).collect();
        assert_eq!(different.len(), 40_000);
        for id in ids {
            let field = format!("00-{id}-00f067aa0ba902b7-01");
            assert_eq!(RequestId::of_traceparent(field.as_bytes()), Some(id));
        }
    }

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for number in [0, 1, 9, 10, 15, 16, 0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, u64::MAX] {
            assert_eq!(hex(number), format!("{number:016x}").as_bytes());
        }
    }

    #[test]
    fn an_id_of_somebody_else_is_taken_only_if_it_is_safe_everywhere() {
        for id in ["a", "0af7651916cd43dd8448eb211c80319c", "Root=1-67891233-abcdef012345678912345678", "a/b+c=="] {
            assert_eq!(RequestId::parse(id.as_bytes()).unwrap().as_str(), id);
        }
        let long = "x".repeat(RequestId::MAX_BYTES + 1);
        for id in ["", "a b", "a\"", "a\n", "\u{e4}", "a,b", "<a>", long.as_str()] {
            assert_eq!(RequestId::parse(id.as_bytes()), None, "{id:?}");
        }
    }

    #[test]
    fn a_traceparent_is_taken_only_if_it_is_well_formed() {
        let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let taken = |field: String| RequestId::of_traceparent(field.as_bytes()).map(|id| id.to_string());
        assert_eq!(taken(format!("00-{trace}-{parent}-01")).as_deref(), Some(trace));
        assert_eq!(taken(format!("01-{trace}-{parent}-01-more")).as_deref(), Some(trace));
        for field in [
            format!("ff-{trace}-{parent}-01"),
            format!("00-{trace}-{parent}-01-more"),
            format!("00-{}-{parent}-01", trace.to_uppercase()),
            format!("00-{}-{parent}-01", "0".repeat(32)),
            format!("00-{trace}-{parent}"),
            String::new(),
        ] {
            assert_eq!(taken(field.clone()), None, "{field}");
        }
    }
}
