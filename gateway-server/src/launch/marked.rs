//! An application between two marks: `called`, and `finished` when its body has given its last piece.
//!
//! Holds what stands around the application of a program that keeps marks ([`crate::marks`]); the others run without it.

use gateway_spec::{AppError, Application, Body, Bytes, Environ, Iterable, StartResponse};

use crate::marks::Marks;

/// Such an application.
pub(super) struct Marked<A> {
    app: A,
    end: End,
}

/// When the marks are written to their file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Save {
    /// When the body has given its last piece, before that piece is sent.
    WhenFinished,
    /// Not here.
    Later,
}

impl<A> Marked<A> {
    pub(super) fn new(app: A, marks: &'static Marks, save: Save) -> Self {
        Marked { app, end: End { marks, save } }
    }
}

/// What is done when the application is at its end.
#[derive(Debug, Clone, Copy)]
struct End {
    marks: &'static Marks,
    save: Save,
}

impl End {
    fn reached(self) {
        self.marks.keep("finished");
        if self.save == Save::WhenFinished {
            self.marks.save();
        }
    }
}

impl<A: Application> Application for Marked<A> {
    fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        self.end.marks.keep("called");
        match self.app.call(environ, start_response) {
            Ok(body) => Ok(body.wrap(|body| Watched { left: body.length(), body, end: Some(self.end) })),
            Err(error) => {
                self.end.reached();
                Err(error)
            }
        }
    }
}

/// A body that is watched for its last piece.
///
/// Where the length is known, that piece is known to be the last one when it comes out: the gateway sends it before it asks for
/// another, and what it takes for that is not the application's time.
struct Watched {
    body: Body,
    left: Option<u64>,
    /// `None` once it is reached.
    end: Option<End>,
}

impl Watched {
    fn finish(&mut self) {
        if let Some(end) = self.end.take() {
            end.reached();
        }
    }
}

impl Iterable for Watched {
    fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
        let piece = self.body.next_chunk();
        if let Some(Ok(piece)) = &piece {
            self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
        }
        if self.left == Some(0) || !matches!(piece, Some(Ok(_))) {
            self.finish();
        }
        piece
    }

    fn length(&self) -> Option<u64> {
        self.body.length()
    }

    fn close(&mut self) {
        self.body.close();
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_spec::{Event, Exchange, StatusCode, headers};

    fn marks(folder: &std::path::Path) -> &'static Marks {
        Box::leak(Box::new(Marks::new(folder.into(), 10)))
    }

    /// What comes of it: events and marks in the order they came.
    fn driven(app: impl Fn() -> Result<Body, AppError> + Send + Sync + 'static) -> Vec<String> {
        let marks = marks(std::path::Path::new("."));
        let app = move |_: Environ, start_response: StartResponse| {
            start_response(StatusCode::OK, headers![])?;
            app()
        };
        let mut exchange = Exchange::call(&Marked::new(app, marks, Save::Later), Environ::example("GET", "/"));
        let mut order: Vec<String> = Vec::new();
        loop {
            let event = exchange.next();
            order.extend(marks.names().into_iter().skip(order.iter().filter(|name| is_mark(name)).count()));
            match event {
                Event::Head(head) => order.push(format!("head {:?}", head.framing)),
                Event::Chunk(chunk) => order.push(format!("chunk {}", chunk.len())),
                Event::Nothing => order.push("nothing".to_owned()),
                Event::End | Event::Abort => break,
            }
        }
        order
    }

    fn is_mark(name: &str) -> bool {
        name == "called" || name == "finished"
    }

    #[test]
    fn a_body_of_known_length_is_finished_before_its_last_piece_is_sent() {
        let order = driven(|| Ok("hello".into()));
        assert_eq!(order, ["called", "finished", "head Exact(5)", "chunk 5"]);
    }

    #[test]
    fn marks_that_cannot_wait_are_written_before_the_last_piece_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let app = |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
            start_response(StatusCode::OK, headers![])?;
            Ok("hello".into())
        };
        let marked = Marked::new(app, marks(folder.path()), Save::WhenFinished);
        let mut exchange = Exchange::call(&marked, Environ::example("GET", "/"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(matches!(exchange.next(), Event::Head(_)));
        let file = folder.path().join(format!("{}.marks", std::process::id()));
        assert!(std::fs::read_to_string(file).unwrap().ends_with(" saved\n"));
    }

    #[test]
    fn a_body_of_unknown_length_is_finished_at_its_end() {
        let pieces = || ["a", "bc"].into_iter().map(|piece| Ok(Bytes::from(piece)));
        let order = driven(move || Ok(Body::iter(pieces())));
        assert_eq!(order, ["called", "head Unknown", "chunk 1", "chunk 2", "finished"]);
    }

    #[test]
    fn an_empty_body_and_an_error_are_finished_too() {
        assert_eq!(driven(|| Ok(Body::empty())), ["called", "finished", "head Exact(0)"]);
        let order = driven(|| Err("no".into()));
        assert_eq!(order.get(..2), Some(&["called".to_owned(), "finished".to_owned()][..]));
    }
}
