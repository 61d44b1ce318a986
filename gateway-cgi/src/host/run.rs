//! One run of a program, from start to reaping: a future that owns the process.
//!
//! Whatever becomes of the request (answered, dropped, timed out), it goes on until the process is reaped, so there are
//! neither zombies nor strays (CGI-179). Who drives it is told in `pieces`.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use gateway_spec::{ErrorStream, InputStream};
use tokio::net::unix::pipe;
use tokio::time::Instant;

use super::activity::{Activity, at_latest};
use super::answer::{AfterAll, Answer, OutputLimits};
use super::body::feed;
use super::places::Place;
use super::process::{Exit, Pipes, Process, Stdin};
use super::spawn::Program;
use super::stderr::Lines;
use super::{Config, HostError};

/// All that a run needs.
pub(super) struct Run {
    pub(super) program: Program,
    pub(super) stdin: Stdin,
    /// What has to be pumped into standard input.
    pub(super) input: Option<InputStream>,
    pub(super) errors: ErrorStream,
    pub(super) config: Arc<Config>,
    /// The place among the programs that run at once; given back when the process is reaped.
    pub(super) permit: Place,
}

impl Run {
    /// Runs the program and sends its answer.
    pub(super) async fn supervise(self, answer: Answer) {
        let Run { program, stdin, input, errors, config, permit } = self;
        let deadline = at_latest(Instant::now(), config.total_timeout);
        let (mut process, pipes) = match Process::spawn(&program, &stdin, &config.confinement).await {
            Ok(started) => started,
            Err(error) => return report(&program, answer.fail(HostError::spawn(error)).await),
        };
        drop(stdin);
        let lines = Lines::new(errors, config.max_stderr_line_bytes, config.max_stderr_bytes);
        let Pipes { stdin, stdout, stderr } = pipes;
        let mut log = Log { pump: pin!(lines.pump(stderr)), done: false };
        let result = tokio::select! {
            result = log.beside(converse(&mut process, (stdin, input), stdout, &answer, &config)) => result,
            () = tokio::time::sleep_until(deadline) => Err(HostError::TotalTimeout { limit: config.total_timeout }),
            () = answer.abandoned() => Err(HostError::ClientGone),
        };
        let ended = match result {
            Ok(Exit::Running) => {
                // The output is at its end and the program goes on: the client need not wait for that.
                let ended = finish(&answer, Exit::Running, &config).await;
                if tokio::time::timeout_at(deadline, log.beside(process.ended())).await.is_ok() {
                    process.reap();
                } else {
                    log.beside(process.terminate(config.kill_grace)).await;
                }
                log.drain(config.linger).await;
                drop(permit);
                ended
            }
            Ok(exit) => {
                process.reap();
                drop(permit);
                // Its last words first, so that the log has them in the order of what happened.
                log.drain(config.linger).await;
                finish(&answer, exit, &config).await
            }
            Err(error) => {
                let ending = async {
                    process.terminate(config.kill_grace).await;
                    drop(permit);
                };
                let (told, ()) = log.beside(async { tokio::join!(answer.fail(error), ending) }).await;
                log.drain(config.linger).await;
                told
            }
        };
        report(&program, ended);
    }
}

/// How long a program may be silent before its end is watched for. The end of most is seen by the end of their output,
/// which comes first.
const UNWATCHED: Duration = Duration::from_millis(50);

/// Pumps all three pipes at once until the output is at its end and the program too, or one of them keeps us waiting
/// (CGI-178). Standard error has its pump already.
async fn converse(
    process: &mut Process,
    (stdin, input): (Option<pipe::Sender>, Option<InputStream>),
    stdout: pipe::Receiver,
    answer: &Answer,
    config: &Config,
) -> Result<Exit, HostError> {
    let limits = OutputLimits {
        head: config.head_limits,
        head_timeout: config.head_timeout,
        idle_timeout: config.idle_timeout,
        max_unwanted_bytes: config.max_unwanted_bytes,
    };
    let activity = Activity::new();
    let mut output = pin!(answer.pump(stdout, &limits, &activity));
    let mut input = pin!(feed(stdin, input, &activity));
    let mut end = pin!(process.ended());
    let (mut drained, mut fed, mut exit, mut watched) = (false, false, None, false);
    loop {
        tokio::select! {
            result = &mut output, if !drained => {
                result?;
                drained = true;
                activity.mark();
            }
            result = &mut input, if !fed && exit.is_none() => {
                result?;
                fed = true;
            }
            ended = &mut end, if exit.is_none() && (drained || watched) => {
                exit = Some(ended.map_err(HostError::Output)?);
                activity.mark();
            }
            () = activity.quiet(UNWATCHED), if !drained && !watched => watched = true,
            // Either a child of the program still holds the pipe (its own output is in there by now), or the program
            // has closed its output and goes on.
            () = activity.quiet(config.linger), if drained || exit.is_some() => break,
        }
        if drained && exit.is_some() {
            break;
        }
    }
    Ok(exit.unwrap_or(Exit::Running))
}

/// Ends an answer whose output is at its end.
async fn finish(answer: &Answer, exit: Exit, config: &Config) -> Result<(), HostError> {
    match answer.finish(exit, config.failed_exit).await {
        Ok(AfterAll::Well) => Ok(()),
        Ok(AfterAll::Failed) => Err(HostError::Failed { exit }),
        Err(error) => answer.fail(error).await,
    }
}

/// The pump of standard error, which runs beside everything else: a program that nobody listens to stops.
struct Log<'a, P> {
    pump: Pin<&'a mut P>,
    done: bool,
}

impl<P: Future<Output = ()>> Log<'_, P> {
    /// Waits for `future`, and logs meanwhile.
    async fn beside<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        loop {
            tokio::select! {
                output = &mut future => return output,
                () = &mut self.pump, if !self.done => self.done = true,
            }
        }
    }

    /// Waits until all is logged, but not for a grandchild that keeps standard error open.
    async fn drain(&mut self, linger: Duration) {
        if !self.done {
            self.done = tokio::time::timeout(linger, &mut self.pump).await.is_ok();
        }
    }
}

/// Logs what nobody else will: an error that went to the client's side is logged there.
fn report(program: &Program, ended: Result<(), HostError>) {
    match ended {
        Ok(()) => {}
        Err(HostError::ClientGone) => tracing::debug!(program = program.name(), "program ended: the client has gone"),
        Err(error) => tracing::warn!(program = program.name(), %error, "program failed after its answer"),
    }
}
