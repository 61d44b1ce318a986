//! The direct call, for unit tests: an application driven in memory, without a gateway.

use gateway_spec::{Application, Environ, Event, Exchange, Headers, Input};

/// What came of one exchange.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    /// How long each piece was.
    pub(crate) chunks: Vec<usize>,
    /// It ended with `End` and not with `Abort`.
    pub(crate) complete: bool,
    pub(crate) failure: Option<String>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(crate) fn get(app: &impl Application, target: &str) -> Answer {
    call(app, Environ::example("GET", target))
}

pub(crate) fn post(app: &impl Application, target: &str, content_type: &str, body: &str) -> Answer {
    let mut environ = Environ::example("POST", target);
    environ.set("CONTENT_TYPE", content_type).unwrap();
    environ.set("CONTENT_LENGTH", body.len().to_string()).unwrap();
    environ.input = Input::from(body.as_bytes().to_vec());
    call(app, environ)
}

pub(crate) fn call(app: &impl Application, environ: Environ) -> Answer {
    let mut exchange = Exchange::call(app, environ);
    let mut answer = Answer {
        status: 0,
        headers: Headers::new(),
        body: Vec::new(),
        chunks: Vec::new(),
        complete: false,
        failure: None,
    };
    loop {
        match exchange.next() {
            Event::Head(head) => {
                answer.status = head.status.as_u16();
                answer.headers = head.headers;
            }
            Event::Chunk(chunk) => {
                answer.chunks.push(chunk.len());
                answer.body.extend_from_slice(&chunk);
            }
            Event::Nothing => {}
            end => {
                answer.complete = matches!(end, Event::End);
                answer.failure = exchange.take_failure().map(|failure| failure.to_string());
                return answer;
            }
        }
    }
}
