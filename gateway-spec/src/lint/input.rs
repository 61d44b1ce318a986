//! What the server's input does while the application reads it (PEP 3333 "Input and Error Streams").

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::rules;
use super::violation::Reporter;
use crate::{Input, InputSource};

/// Puts a watch between an input and its source. What an input does by itself, such as ending, needs none.
pub(super) fn watch(input: &mut Input, reporter: &Arc<Reporter>) {
    let reporter = Arc::clone(reporter);
    input.wrap_source(|source| Box::new(Watched { source, reporter }));
}

struct Watched {
    source: Box<dyn InputSource>,
    reporter: Arc<Reporter>,
}

impl InputSource for Watched {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        let piece = self.source.read_chunk(max)?;
        if piece.len() > max {
            self.reporter.report(rules::INPUT_READ, format!("{} bytes where {max} were asked for", piece.len()));
        }
        Ok(piece)
    }
}
