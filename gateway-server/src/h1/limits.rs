//! What one peer may make the machine hold, each bound with its name and its reason (HTTP-181).
//!
//! Holds numbers only. Times are the business of the serving code.

/// Bounds on what a peer may send. Every buffer that a peer can fill has one.
///
/// # Examples
/// ```
/// use gateway_server::h1::Limits;
///
/// let limits = Limits::default().max_target_bytes(2048).max_body_bytes(Some(10 << 20));
/// # let _ = limits;
/// ```
#[derive(Debug, Clone)]
pub struct Limits {
    pub(crate) max_head_bytes: usize,
    pub(crate) max_fields: usize,
    pub(crate) max_target_bytes: usize,
    pub(crate) max_method_bytes: usize,
    pub(crate) max_body_bytes: Option<u64>,
    pub(super) length_required: bool,
    pub(super) max_chunk_extension_bytes: usize,
    pub(super) max_trailer_bytes: usize,
}

/// The most fields a head may ever be allowed to have: the parser keeps its table of them on the stack.
pub const MAX_FIELDS: usize = 256;

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_head_bytes: 64 << 10,
            max_fields: 100,
            max_target_bytes: 8 << 10,
            max_method_bytes: 32,
            max_body_bytes: Some(1 << 30),
            length_required: false,
            max_chunk_extension_bytes: 16 << 10,
            max_trailer_bytes: 8 << 10,
        }
    }
}

impl Limits {
    /// Longest request head, its last empty line included. Default 64 KiB: room for the largest tickets and cookies
    /// seen in practice. Beyond: 431.
    #[must_use]
    pub fn max_head_bytes(mut self, bytes: usize) -> Self {
        self.max_head_bytes = bytes;
        self
    }

    /// Most field lines in a head. Default 100, as Apache has it; never more than [`MAX_FIELDS`]. Beyond: 431.
    #[must_use]
    pub fn max_fields(mut self, fields: usize) -> Self {
        self.max_fields = fields.min(MAX_FIELDS);
        self
    }

    /// Longest request target. Default 8 KiB, a little over the 8000 octets that RFC 9112 §3 recommends (HTTP-23).
    /// Beyond: 414.
    #[must_use]
    pub fn max_target_bytes(mut self, bytes: usize) -> Self {
        self.max_target_bytes = bytes;
        self
    }

    /// Longest method. Default 32: the longest registered one, `UPDATEREDIRECTREF`, has 17. Beyond: 501 (HTTP-21).
    #[must_use]
    pub fn max_method_bytes(mut self, bytes: usize) -> Self {
        self.max_method_bytes = bytes;
        self
    }

    /// Longest request body, or `None` for any. Default 1 GiB, as Apache: a body is streamed and costs no memory here, but whoever
    /// keeps it has a disk that ends; the application knows what less it can take. Beyond: 413 (HTTP-98).
    #[must_use]
    pub fn max_body_bytes(mut self, bytes: Option<u64>) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Refuse request bodies that do not tell their length, which are the chunked ones (HTTP-88). Default no: a body is
    /// streamed, and what cannot do without a length keeps the body first or refuses it itself. If yes: 411.
    #[must_use]
    pub fn length_required(mut self, required: bool) -> Self {
        self.length_required = required;
        self
    }

    /// Chunk extensions of one body, all together. Default 16 KiB: nobody uses them, but the text demands a bound
    /// (HTTP-93). Beyond: 400.
    #[must_use]
    pub fn max_chunk_extension_bytes(mut self, bytes: usize) -> Self {
        self.max_chunk_extension_bytes = bytes;
        self
    }

    /// The whole trailer section of one body. Default 8 KiB: a few checksums (HTTP-96). Beyond: 431.
    #[must_use]
    pub fn max_trailer_bytes(mut self, bytes: usize) -> Self {
        self.max_trailer_bytes = bytes;
        self
    }
}
