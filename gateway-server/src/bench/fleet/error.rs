//! What goes wrong with a fleet: whose fault, what was being done, and what the server said about it.

use std::io;
use std::time::Duration;

/// Why a model does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum FleetError {
    /// The server is not on this machine, or a part of it.
    #[error("{reason}")]
    NotInstalled { reason: String },
    /// Something that its configuration has no way to write.
    #[error("{server}: {what} cannot stand in its configuration: \"{}\"", .text.escape_debug())]
    Unwritable { server: &'static str, what: &'static str, text: String },
    /// A server that passes the words of a query to CGI programs, and nothing else.
    #[error("{server} cannot pass arguments to a CGI program")]
    Arguments { server: &'static str },
    /// CGI programs that nobody waits for, and no control group to count them.
    #[error(
        "{server} does not wait for its CGI programs: their CPU time is only known to a control group, and none can be made"
    )]
    Uncounted { server: &'static str },
    /// What a process needs could not be made.
    #[error("{what}: {source}")]
    Prepare { what: String, source: io::Error },
    /// A process could not be started.
    #[error("{server} cannot be started ({program}): {source}")]
    Spawn { server: String, program: String, source: io::Error },
    /// A process ended before anybody asked it to.
    #[error("{server} ended ({how}) before it answered{}", below(.said))]
    Ended { server: String, how: String, said: String },
    /// No address was told, or no answer came.
    #[error("{server} {missing} within {} s{}", .waited.as_secs(), below(.said))]
    Silent { server: String, missing: &'static str, waited: Duration, said: String },
    /// Answers came, and all of them were a server's errors.
    #[error("{server} answers with status {status}{}", below(.said))]
    Status { server: String, status: u16, said: String },
}

impl FleetError {
    /// Whether another port may help.
    pub(super) fn is_taken_port(&self) -> bool {
        matches!(self, FleetError::Ended { said, .. } if said.to_ascii_lowercase().contains("address already in use"))
    }
}

/// The last lines of what processes wrote, below the message.
fn below(lines: &str) -> String {
    if lines.is_empty() { String::new() } else { format!("; it said:\n{lines}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(said: &str) -> FleetError {
        FleetError::Ended { server: "nginx".to_owned(), how: "exit code 1".to_owned(), said: said.to_owned() }
    }

    #[test]
    fn a_process_that_ended_is_named_with_its_last_lines() {
        assert_eq!(ended("").to_string(), "nginx ended (exit code 1) before it answered");
        assert_eq!(ended("a\nb").to_string(), "nginx ended (exit code 1) before it answered; it said:\na\nb");
    }

    #[test]
    fn only_a_taken_port_is_worth_another_try() {
        assert!(ended("bind() to 127.0.0.1:1 failed (98: Address already in use)").is_taken_port());
        assert!(!ended("unknown directive").is_taken_port());
    }
}
