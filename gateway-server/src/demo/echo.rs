//! What the form sends, and what arrived of it.

use gateway_spec::{AppError, Body, Environ, StartResponse, Value};

use super::Call;

/// A request body as the application read it.
#[derive(Debug)]
pub(super) struct Echoed {
    /// CONTENT_TYPE.
    pub(super) content_type: String,
    /// CONTENT_LENGTH.
    pub(super) declared: Option<u64>,
    /// How many bytes could be read.
    pub(super) received: u64,
    /// The first of them.
    pub(super) start: Vec<u8>,
}

impl Echoed {
    /// Whether `start` is not all.
    pub(super) fn is_cut(&self) -> bool {
        self.start.len() as u64 != self.received
    }

    pub(super) fn text(&self) -> Value<'_> {
        Value::new(&self.start)
    }
}

/// Reads the body to its end, keeps the start, and shows it.
pub(super) fn answer(mut environ: Environ, call: Call, start_response: &StartResponse) -> Result<Body, AppError> {
    const SHOWN: usize = 4096;
    const PIECE: usize = 64 * 1024;
    let mut echoed = Echoed {
        content_type: environ.content_type().unwrap_or_default().to_string(),
        declared: environ.content_length(),
        received: 0,
        start: Vec::new(),
    };
    loop {
        let piece = environ.input.chunk(PIECE)?;
        if piece.is_empty() {
            break;
        }
        echoed.received += piece.len() as u64;
        let room = SHOWN - echoed.start.len().min(SHOWN);
        echoed.start.extend(piece.iter().take(room));
    }
    super::show(&environ, call, Some(&echoed), start_response)
}
