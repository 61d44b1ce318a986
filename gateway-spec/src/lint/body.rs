//! What the application's body gives (PEP 3333 "Specification Details", "Handling the Content-Length Header").

use std::sync::Arc;

use bytes::Bytes;

use super::rules;
use super::start::{Head, Watch};
use crate::{AppError, Body, Iterable};

/// The application's body, measured.
pub(super) struct Checked {
    inner: Body,
    promised: Option<u64>,
    given: u64,
    /// Reports that are made once for a body, not for each of its pieces.
    said: Said,
    watch: Arc<Watch>,
}

#[derive(Default)]
struct Said {
    not_started: bool,
    about_content: bool,
}

impl Checked {
    pub(super) fn new(inner: Body, watch: Arc<Watch>) -> Self {
        Checked { promised: inner.length(), given: 0, said: Said::default(), inner, watch }
    }

    fn check_piece(&mut self, chunk: &Bytes) {
        let (len, reporter) = (chunk.len() as u64, &self.watch.reporter);
        if self.watch.told_to_stop() {
            reporter.report(rules::STOP_WHEN_TOLD, format!("a piece of {len} bytes was given"));
        }
        match self.watch.head() {
            None if len > 0 => reporter.report(rules::STARTED, format!("{len} bytes came first")),
            None if !std::mem::replace(&mut self.said.not_started, true) => {
                reporter.report(rules::STARTED_FIRST, "an empty piece came first");
            }
            Some(head) if len > 0 => {
                self.given += len;
                self.watch.sends();
                self.check_content(head);
            }
            _ => {}
        }
    }

    fn check_content(&mut self, head: Head) {
        let reporter = &self.watch.reporter;
        if !std::mem::replace(&mut self.said.about_content, true) {
            if head.is_bodiless() {
                reporter.report(rules::NO_BODY, format!("status {} with data", head.status.as_u16()));
            } else if !head.has_type {
                reporter.report(rules::CONTENT_TYPE, "data without a Content-Type");
            }
        }
        let total = self.watch.written() + self.given;
        if let Some(declared) = head.declared.filter(|declared| total > *declared && !head.is_bodiless()) {
            reporter.report(rules::LENGTH, format!("{total} bytes where {declared} were declared"));
        }
        if let Some(promised) = self.promised.filter(|promised| self.given > *promised) {
            reporter.report(rules::LENGTH_HINT, format!("{} bytes where the body told {promised}", self.given));
        }
    }

    fn check_end(&self) {
        let reporter = &self.watch.reporter;
        if self.watch.told_to_stop() {
            reporter.report(rules::STOP_WHEN_TOLD, "the body ended as if all were well");
        }
        let Some(head) = self.watch.head() else {
            return reporter.report(rules::STARTED, "the body ended first");
        };
        let total = self.watch.written() + self.given;
        // HTTP-142: what a HEAD or a bodiless status declares is not about this body.
        let is_measured = !self.watch.is_head_request() && !head.is_bodiless();
        if let Some(declared) = head.declared.filter(|declared| total < *declared && is_measured) {
            reporter.report(rules::LENGTH, format!("{total} bytes where {declared} were declared"));
        }
        if let Some(promised) = self.promised.filter(|promised| self.given < *promised) {
            reporter.report(rules::LENGTH_HINT, format!("{} bytes where the body told {promised}", self.given));
        }
    }
}

impl Iterable for Checked {
    fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
        let piece = self.inner.next_chunk();
        match &piece {
            Some(Ok(chunk)) => self.check_piece(chunk),
            Some(Err(_)) => {}
            None => self.check_end(),
        }
        match self.watch.outcome() {
            Ok(()) => piece,
            Err(violation) => Some(Err(violation)),
        }
    }

    fn length(&self) -> Option<u64> {
        self.inner.length()
    }

    fn close(&mut self) {
        self.inner.close();
    }
}
