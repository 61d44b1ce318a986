//! An asynchronous application where synchronous ones are called: on threads that may block.
//!
//! Holds the way of the request body into it, and of its answer and its error stream out of it. The worker calls
//! synchronous applications, and looks after its connection between two pieces of their body; the CGI host is an
//! asynchronous one. So a silent program is no silence here: "nothing yet" is said ten times a second, and the worker sees
//! that a client has gone.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use gateway_spec::{
    AppError, Application, AsyncApplication, AsyncResponse, Body, BodyStream, BoxFuture, Bytes, Environ, ErrorSink,
    ErrorStream, GatewayError, Input, InputStream, Iterable, StartResponse, StatusCode,
};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::super::logging::error_stream_of;
use super::Stderr;

/// An [`AsyncApplication`] as an [`Application`]. It must be called on a thread that may block, never on a worker of the
/// runtime.
pub(super) struct Bridge<A> {
    app: Arc<A>,
    runtime: Handle,
    stderr: Stderr,
    places: Arc<Places>,
}

/// How many requests may be here at once, those that wait for a program's place too.
struct Places {
    taken: AtomicUsize,
    most: usize,
}

/// One of the [`Places`]; given back on drop.
struct Place(Arc<Places>);

impl<A: AsyncApplication> Bridge<A> {
    /// At most `most` requests at once are passed on; more are answered with 503.
    pub(super) fn new(app: A, runtime: Handle, stderr: Stderr, most: usize) -> Self {
        let places = Arc::new(Places { taken: AtomicUsize::new(0), most });
        Bridge { app: Arc::new(app), runtime, stderr, places }
    }
}

impl<A: AsyncApplication> Application for Bridge<A> {
    fn call(&self, mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        let place = Place::take(&self.places)?;
        let (input, feeding) = feed(&self.runtime, std::mem::take(&mut environ.input))?;
        let errors = match self.stderr {
            Stderr::Log => {
                environ.errors = error_stream_of(&environ);
                None
            }
            Stderr::FastCgi => {
                let held = Arc::new(Held::default());
                let errors = std::mem::replace(&mut environ.errors, ErrorStream::new(Arc::clone(&held) as Arc<_>));
                Some((held, errors))
            }
        };
        let app = Arc::clone(&self.app);
        let asked = Box::pin(async move { app.call(environ, input).await });
        let progress = Progress::Asked(start_response, asked);
        Ok(Body::new(Answer { runtime: self.runtime.clone(), progress, feeding, errors, _place: place }))
    }
}

impl Place {
    fn take(places: &Arc<Places>) -> Result<Self, GatewayError> {
        /// Programs are short, so a place is free again soon.
        const SECONDS: u32 = 1;
        let taken = places.taken.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(places));
        if taken < places.most {
            return Ok(place);
        }
        let reason = format!("{} requests run or wait already", places.most);
        Err(GatewayError::new(StatusCode::SERVICE_UNAVAILABLE, reason).field("retry-after", SECONDS))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer on its way from the application. Dropping it is how the application learns that nobody wants it.
struct Answer {
    runtime: Handle,
    progress: Progress,
    feeding: Arc<Feeding>,
    /// What the application has written to its error stream, and where it goes.
    errors: Option<(Arc<Held>, ErrorStream)>,
    _place: Place,
}

enum Progress {
    Asked(StartResponse, BoxFuture<'static, Result<AsyncResponse, AppError>>),
    Answered(BodyStream),
    Over,
}

/// How long the application may be silent before the worker gets a look at its connection.
const LOOK: Duration = Duration::from_millis(100);

impl Iterable for Answer {
    fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
        let piece = self.step();
        if let Some((held, errors)) = &self.errors {
            held.pass_on(errors);
        }
        piece
    }

    fn close(&mut self) {
        self.progress = Progress::Over;
    }
}

impl Answer {
    fn step(&mut self) -> Option<Result<Bytes, AppError>> {
        const NOTHING_YET: Option<Result<Bytes, AppError>> = Some(Ok(Bytes::new()));
        loop {
            match std::mem::replace(&mut self.progress, Progress::Over) {
                Progress::Asked(start_response, mut asked) => match self.wait(&mut asked) {
                    None => {
                        self.progress = Progress::Asked(start_response, asked);
                        return NOTHING_YET;
                    }
                    Some(Ok(AsyncResponse { status, headers, body })) => {
                        if let Err(error) = start_response(status, headers) {
                            return Some(Err(error.into()));
                        }
                        self.progress = Progress::Answered(body);
                    }
                    Some(Err(error)) => return Some(Err(error)),
                },
                Progress::Answered(mut body) => {
                    let piece = self.wait(body.next());
                    if !matches!(piece, Some(None | Some(Err(_)))) {
                        self.progress = Progress::Answered(body);
                    }
                    return piece.unwrap_or(NOTHING_YET);
                }
                Progress::Over => return None,
            }
        }
    }

    /// Waits, but for so long only that the worker can look after its connection; `None` if it should.
    fn wait<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        /// Once it is asked for an answer, the worker receives what is left of the body, to keep it on disk. It need not be if
        /// the application is about to take it.
        const LOOKS_WHILE_FED: u32 = 50;
        self.runtime.block_on(async {
            let mut future = pin!(future);
            let mut looks = 0;
            loop {
                if let Ok(output) = tokio::time::timeout(LOOK, &mut future).await {
                    return Some(output);
                }
                looks += 1;
                match self.feeding.stage() {
                    Stage::Over => return None,
                    Stage::Held if looks >= LOOKS_WHILE_FED => return None,
                    // Whoever reads the connection sees its end.
                    Stage::Held | Stage::Reads => {}
                }
            }
        })
    }
}

/// What becomes of the request body right now.
struct Feeding(AtomicU8);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The connection is read for more of it.
    Reads,
    /// The application has not taken what there is.
    Held,
    /// All of it has been passed on, or nobody wants it.
    Over,
}

impl Feeding {
    fn stage(&self) -> Stage {
        match self.0.load(Ordering::Relaxed) {
            0 => Stage::Reads,
            1 => Stage::Held,
            _ => Stage::Over,
        }
    }

    fn set(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Relaxed);
    }
}

/// What one piece of a body is at most.
const PIECE: usize = 64 * 1024;

/// The body as a stream. One that is there already is passed on whole; the rest of others is read on a thread of its own.
fn feed(runtime: &Handle, mut input: Input) -> Result<(InputStream, Arc<Feeding>), GatewayError> {
    let feeding = Arc::new(Feeding(AtomicU8::new(Stage::Over as u8)));
    let length = input.length();
    if length.is_some_and(|length| length <= PIECE as u64) {
        let body = input.read_all(PIECE).map_err(|error| {
            GatewayError::new(StatusCode::BAD_REQUEST, "the request body did not arrive").caused_by(error)
        })?;
        return Ok((InputStream::from(body), feeding));
    }
    feeding.set(Stage::Reads);
    let (sender, receiver) = mpsc::channel(1);
    let stage = Arc::clone(&feeding);
    runtime.spawn_blocking(move || pump(input, &sender, &stage));
    Ok((InputStream::new(Pieces(receiver), length), feeding))
}

fn pump(mut input: Input, sender: &mpsc::Sender<std::io::Result<Bytes>>, feeding: &Feeding) {
    loop {
        feeding.set(Stage::Reads);
        let piece = input.chunk(PIECE);
        feeding.set(Stage::Held);
        let is_last = piece.as_ref().map_or(true, Bytes::is_empty);
        let is_end = matches!(&piece, Ok(piece) if piece.is_empty());
        if is_end || sender.blocking_send(piece).is_err() || is_last {
            break;
        }
    }
    // The worker drops what is still to come once nobody can ask for it.
    drop(input);
    feeding.set(Stage::Over);
}

struct Pieces(mpsc::Receiver<std::io::Result<Bytes>>);

impl Stream for Pieces {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

/// Error output on its way to the connection: tasks write it, and may not wait; the thread that answers sends it. The
/// host bounds how much there is for one request.
#[derive(Default)]
struct Held(Mutex<String>);

impl Held {
    fn pass_on(&self, errors: &ErrorStream) {
        let text = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if !text.is_empty() {
            errors.write(&text);
        }
    }
}

impl ErrorSink for Held {
    fn write(&self, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use gateway_spec::{Event, Exchange, headers};
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    /// Answers with what `answer` makes of the body, and writes a line to its error stream.
    struct App<F>(F);

    impl<F, T> AsyncApplication for App<F>
    where
        F: Fn(InputStream) -> T + Send + Sync + 'static,
        T: Future<Output = Result<Bytes, AppError>> + Send,
    {
        async fn call(&self, environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
            environ.errors.write("a line\n");
            let body = (self.0)(input).await?;
            Ok(AsyncResponse::new(StatusCode::OK, headers!["content-type" => "text/plain"], body))
        }
    }

    #[derive(Default)]
    struct Log(Mutex<String>);

    impl ErrorSink for Log {
        fn write(&self, text: &str) {
            self.0.lock().unwrap().push_str(text);
        }
    }

    fn environ(body: &[u8], log: &Arc<Log>) -> Environ {
        let mut environ = Environ::example("POST", "/");
        environ.input = Input::reader(std::io::Cursor::new(body.to_owned()), Some(body.len() as u64));
        environ.errors = ErrorStream::new(Arc::clone(log) as Arc<_>);
        environ
    }

    /// Status, body, and how often there was nothing yet.
    fn drive(mut exchange: Exchange) -> (u16, Vec<u8>, u32) {
        let (mut status, mut body, mut nothing) = (0, Vec::new(), 0);
        loop {
            match exchange.next() {
                Event::Head(head) => status = head.status.as_u16(),
                Event::Chunk(chunk) => body.extend_from_slice(&chunk),
                Event::Nothing => nothing += 1,
                Event::End => return (status, body, nothing),
                Event::Abort => panic!("broken off: {:?}", exchange.take_failure()),
            }
        }
    }

    fn runtime() -> Runtime {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    #[test]
    fn bodies_of_any_length_go_in_whole_and_come_back() {
        let runtime = runtime();
        let echo = App(|mut input: InputStream| async move { Ok(input.read_all(usize::MAX).await?) });
        let bridge = Bridge::new(echo, runtime.handle().clone(), Stderr::FastCgi, 1);
        for length in [0, 1, PIECE, PIECE + 1, 40 * PIECE] {
            let sent: Vec<u8> = (0..=250).cycle().take(length).collect();
            let log = Arc::new(Log::default());
            let (status, body, _) = drive(Exchange::call(&bridge, environ(&sent, &log)));
            assert_eq!((status, body == sent), (200, true), "{length}");
            assert_eq!(*log.0.lock().unwrap(), "a line\n", "{length}");
        }
    }

    #[test]
    fn fcgi_79_a_silent_application_lets_the_worker_look_at_its_connection() {
        let runtime = runtime();
        let slow = App(|_| async {
            tokio::time::sleep(3 * LOOK).await;
            Ok(Bytes::from_static(b"late"))
        });
        let bridge = Bridge::new(slow, runtime.handle().clone(), Stderr::Log, 1);
        let log = Arc::new(Log::default());
        let (status, body, nothing) = drive(Exchange::call(&bridge, environ(&[], &log)));
        assert_eq!((status, body.as_slice()), (200, &b"late"[..]));
        assert!((1..=3).contains(&nothing), "{nothing}");
        assert_eq!(*log.0.lock().unwrap(), "", "it went to the log of this process");
    }

    #[test]
    fn cgi_179_an_answer_that_nobody_wants_ends_the_application() {
        struct Mark(Arc<AtomicBool>);
        impl Drop for Mark {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let runtime = runtime();
        let ended = Arc::new(AtomicBool::new(false));
        let mark = Arc::clone(&ended);
        let never = App(move |_| {
            let mark = Mark(Arc::clone(&mark));
            async move {
                std::future::pending::<()>().await;
                drop(mark);
                Ok(Bytes::new())
            }
        });
        let bridge = Bridge::new(never, runtime.handle().clone(), Stderr::Log, 1);
        let mut exchange = Exchange::call(&bridge, environ(&[], &Arc::default()));
        assert!(matches!(exchange.next(), Event::Nothing));
        // Its place is taken as long as it runs.
        let (status, ..) = drive(Exchange::call(&bridge, environ(&[], &Arc::default())));
        assert_eq!((status, ended.load(Ordering::SeqCst)), (503, false));
        exchange.close();
        assert!(ended.load(Ordering::SeqCst));
        assert!(matches!(Exchange::call(&bridge, environ(&[], &Arc::default())).next(), Event::Nothing));
    }
}
