//! What goes on beside one worker: its standard error becomes log lines, its reports and its end become events.
//!
//! Holds the task. Does not decide anything (`pool`).

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use rustix::net::{RecvFlags, recv};
use tokio::net::UnixDatagram;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc::UnboundedSender;

use super::process::Watch;
use crate::control::{MAX_MESSAGE_BYTES, Report};
use crate::lines::Lines;

/// What has happened to a worker, by its number in the pool.
#[derive(Debug)]
pub(super) enum Event {
    /// It has said what it is doing.
    Report(u64, Report),
    /// It has ended, and is to be reaped; with what it wrote last to its standard error.
    Ended(u64, LastWords),
}

/// The last lines that a worker wrote to its standard error, each cut: they may say why it ended.
#[derive(Debug, Default)]
pub(super) struct LastWords(VecDeque<String>);

/// A panic or a trace says in its last lines what was wrong; more is in the log.
const MAX_LINES: usize = 8;
const MAX_LINE_CHARS: usize = 200;

impl LastWords {
    fn push(&mut self, line: &str) {
        if self.0.len() == MAX_LINES {
            self.0.pop_front();
        }
        self.0.push_back(line.chars().take(MAX_LINE_CHARS).collect());
    }

    /// As one text; nothing if it was silent.
    pub(super) fn text(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.iter().map(String::as_str).collect::<Vec<_>>().join("\n"))
    }
}

/// One worker, as far as it can be listened to.
pub(super) struct Attendant {
    pub(super) id: u64,
    pub(super) pid: u32,
    pub(super) watch: Watch,
    pub(super) errors: Option<Receiver>,
    pub(super) channel: Option<Arc<UnixDatagram>>,
    pub(super) events: UnboundedSender<Event>,
    pub(super) lines: Lines,
    pub(super) last_words: LastWords,
}

/// How often the standard error of a worker that has ended is read: more than a pipe holds by default (pipe(7)).
const READS_AFTER_THE_END: usize = 20;

impl Attendant {
    /// Until the worker has ended. A grandchild that keeps the pipe open is not waited for.
    pub(super) async fn run(mut self) {
        let mut message = vec![0; MAX_MESSAGE_BYTES];
        loop {
            tokio::select! {
                biased;
                _ = self.watch.ended() => break,
                () = readable(&self.errors) => if !self.log_what_is_there() { self.errors = None },
                length = receive(&self.channel, &mut message) => self.report(message.get(..length).unwrap_or_default()),
            }
        }
        for _ in 0..READS_AFTER_THE_END {
            if !self.log_what_is_there() {
                break;
            }
        }
        // Its last report may tell of requests that are lost.
        while let Some(channel) = &self.channel {
            match recv(channel, message.as_mut_slice(), RecvFlags::DONTWAIT) {
                Ok((length, _)) => self.report(message.get(..length).unwrap_or_default()),
                Err(_) => break,
            }
        }
        let (pid, mut last_words) = (self.pid, self.last_words);
        self.lines.finish(|line| log(pid, line, &mut last_words));
        // The pool may have ended before.
        let _ = self.events.send(Event::Ended(self.id, last_words));
    }

    fn report(&mut self, message: &[u8]) {
        match Report::decode(message) {
            Some(report) => drop(self.events.send(Event::Report(self.id, report))),
            // It has closed its end, as every program does that ends; or it speaks otherwise than we do.
            None => self.channel = None,
        }
    }

    /// Reads once and logs the lines; answers whether there may be more.
    fn log_what_is_there(&mut self) -> bool {
        let Self { errors: Some(pipe), lines, last_words, pid, .. } = self else { return false };
        let mut buffer = [0; 4096];
        match pipe.try_read(&mut buffer) {
            Ok(0) => false,
            Ok(length) => {
                lines.receive(buffer.get(..length).unwrap_or_default(), |line| log(*pid, line, last_words));
                true
            }
            Err(e) => e.kind() == io::ErrorKind::WouldBlock || e.kind() == io::ErrorKind::Interrupted,
        }
    }
}

async fn readable(errors: &Option<Receiver>) {
    match errors {
        Some(pipe) => drop(pipe.readable().await),
        None => std::future::pending().await,
    }
}

/// The length of the next message; none at the channel's end.
async fn receive(channel: &Option<Arc<UnixDatagram>>, message: &mut [u8]) -> usize {
    match channel {
        Some(channel) => channel.recv(message).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}

fn log(pid: u32, line: &str, last_words: &mut LastWords) {
    tracing::info!(pid, text = line, "worker wrote to its standard error");
    last_words.push(line);
}
