//! `gateway fcgi`: one question to a FastCGI worker, from a shell.
//!
//! Holds the flags' way to an exit code. Does not hold what a request is made of or how it goes.
//!
//! | file | holds |
//! | --- | --- |
//! | `flags` | the command line, and its mistakes |
//! | `parameters`, `split` | the parameters of a request; which part of a path is which |
//! | `source` | a body and where it comes from |
//! | `conversation` | the records of one connection, both ways at once |
//! | `values` | what a worker says of itself |
//! | `answer` | what the worker said, for standard output and standard error |
//! | `console` | standard output and standard error |
//! | `trace` | every record, for people who want to see them |
//! | `error` | why there was no answer, and the exit code |

mod answer;
mod console;
mod conversation;
mod error;
mod flags;
mod parameters;
mod source;
mod split;
mod trace;
mod values;

use std::process::ExitCode;

pub(super) use error::Outcome;
pub(super) use flags::{ABOUT, Ask};

use answer::Answer;
use console::Console;
use conversation::Conversation;
use error::FcgiError;
use flags::{Question, What};
use trace::Trace;

/// Asks, and tells what came of it.
pub(super) fn run(ask: &Ask) -> ExitCode {
    let question = match ask.read() {
        Ok(question) => question,
        Err(mistakes) => {
            super::tell(&mistakes);
            return Outcome::Mistake.into();
        }
    };
    let console = Console::new();
    match answered(question, &console) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            if !error.is_silent() {
                console.say(&format!("gateway: {error}\n"));
            }
            error.outcome().into()
        }
    }
}

fn answered(question: Question, console: &Console) -> Result<Outcome, FcgiError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(FcgiError::Runtime)?;
    let Question { address, what, limits, show } = question;
    runtime.block_on(async {
        let conversation = Conversation::connect(&address, limits, Trace::new(&show, console.clone())).await?;
        match what {
            What::Values => conversation.values().await,
            What::Request(request) => {
                let answer = Answer::new(&show, request.role, console.clone());
                conversation.request(*request, answer).await
            }
        }
    })
}
