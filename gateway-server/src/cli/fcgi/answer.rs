//! What the worker said: the body to standard output, its STDERR to standard error, and what a gateway would make of both.
//!
//! Holds the header block and the end. Does not hold records.

use std::time::Duration;

use gateway_cgi::head::{Decoded, Decoder, ProgramHead, ResponseKind};
use gateway_fastcgi::protocol::{EndRequest, Role};
use http::StatusCode;

use super::console::{Console, escaped};
use super::error::{FcgiError, Outcome};
use super::flags::Show;

/// An answer on its way.
#[derive(Debug)]
pub(super) struct Answer {
    decoder: Decoder,
    head: Option<ProgramHead>,
    body_bytes: u64,
    /// When the first byte came, and the end of the head.
    head_after: Option<Duration>,
    show: Show,
    role: Role,
    /// php-fpm was asked for a script that it does not find.
    no_script: bool,
    console: Console,
}

impl Answer {
    pub(super) fn new(show: &Show, role: Role, console: Console) -> Self {
        Self {
            decoder: Decoder::new(),
            head: None,
            body_bytes: 0,
            head_after: None,
            show: *show,
            role,
            no_script: false,
            console,
        }
    }

    /// The parameters, for those who want to see them.
    pub(super) fn parameters(&self, list: &[(Vec<u8>, Vec<u8>)]) {
        if self.show.parameters {
            let lines = list.iter().map(|(name, value)| format!("> {}={}\n", escaped(name), escaped(value)));
            self.console.say(&lines.collect::<String>());
        }
    }

    /// More of STDOUT.
    pub(super) fn output(&mut self, data: &[u8], since: Duration) -> Result<(), FcgiError> {
        if self.head.is_some() {
            return self.body(data);
        }
        if let Decoded::Head { head, consumed } = self.decoder.receive(data).map_err(FcgiError::Head)? {
            self.head_after = Some(since);
            self.tell_head(&head)?;
            self.head = Some(*head);
            self.body(data.get(consumed..).unwrap_or_default())?;
        }
        Ok(())
    }

    /// More of STDERR, which --dump shows among the records.
    pub(super) fn error_output(&mut self, data: &[u8]) {
        self.no_script |= data.starts_with(b"Primary script unknown");
        if self.show.dump.is_some() {
            return;
        }
        self.console.log(data);
    }

    /// The end of the request.
    pub(super) fn end(mut self, end: EndRequest, since: Duration) -> Result<Outcome, FcgiError> {
        let Some(head) = self.head.take() else { return Err(FcgiError::Head(self.decoder.end_of_output())) };
        if end.app_status != 0 && !self.show.verbose && self.show.dump.is_none() {
            // FCGI-93: what a CGI program would have returned. The answer stands all the same.
            self.console.say(&format!("gateway: the worker ended the request with appStatus {}\n", end.app_status));
        }
        if self.no_script {
            // FCGI-112.
            self.console.say("gateway: php-fpm has no such script; --root DIR says where its scripts are\n");
        }
        if self.show.verbose {
            self.summary(&head, end, since);
        }
        let failed = head.status >= StatusCode::BAD_REQUEST || end.app_status != 0;
        Ok(if failed && self.show.fail { Outcome::Failed } else { Outcome::Answered })
    }

    fn tell_head(&self, head: &ProgramHead) -> Result<(), FcgiError> {
        let mut text = format!("HTTP/1.1 {}\n", head.status);
        for (name, value) in head.headers.iter() {
            text += &format!("{name}: {}\n", escaped(value.as_bytes()));
        }
        if self.show.verbose {
            self.console.say(&text.lines().map(|line| format!("< {line}\n")).collect::<String>());
        }
        // As a client would get it, so with its line ends.
        if self.show.head { self.out(format!("{text}\n").replace('\n', "\r\n").as_bytes()) } else { Ok(()) }
    }

    fn body(&mut self, data: &[u8]) -> Result<(), FcgiError> {
        self.body_bytes += data.len() as u64;
        if data.is_empty() { Ok(()) } else { self.out(data) }
    }

    fn out(&self, bytes: &[u8]) -> Result<(), FcgiError> {
        self.console.out(bytes).map_err(FcgiError::Output)
    }

    fn summary(&self, head: &ProgramHead, end: EndRequest, since: Duration) {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let mut text = format!(
            "* {}, appStatus {}: {} bytes of body, the head after {:.2} ms, the end after {:.2} ms\n",
            end.protocol_status,
            end.app_status,
            self.body_bytes,
            milliseconds(self.head_after.unwrap_or_default()),
            milliseconds(since),
        );
        if let ResponseKind::LocalRedirect { target } = &head.kind {
            text += &format!("* a local redirect: a gateway answers with {} instead\n", escaped(target.as_bytes()));
        }
        if self.role == Role::AUTHORIZER {
            text += &verdict(head);
        }
        self.console.say(&text);
    }
}

/// What a gateway would do with an Authorizer's answer (FCGI-96 to FCGI-98).
fn verdict(head: &ProgramHead) -> String {
    if head.status != StatusCode::OK {
        return format!("* refused: a gateway sends this answer to the client, with status {}\n", head.status.as_u16());
    }
    let mut text = "* allowed\n".to_owned();
    for (name, value) in head.headers.iter() {
        if let Some(("variable-", variable)) = name.as_str().split_at_checked("variable-".len()) {
            let variable = variable.to_ascii_uppercase();
            text += &format!("* with the variable {variable}={}\n", escaped(value.as_bytes()));
        }
    }
    text
}
