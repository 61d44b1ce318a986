//! What each stage of a request is, and why it costs.

use super::super::super::result::Stage;

/// A stage's name and what happens in it, in one sentence.
pub(crate) fn explain(stage: Stage) -> (&'static str, &'static str) {
    match stage {
        Stage::Accept => (
            "Accept",
            "The kernel makes the connection and wakes the listener, which takes it and reads the first bytes: the price \
             of a new connection, which a kept one does not pay.",
        ),
        Stage::Parse => ("Parse", "The listener finds method, path and fields in the bytes and checks them."),
        Stage::Queue => (
            "Queue",
            "The variables of the request are written down for the application, and a place among those that may run is \
             waited for.",
        ),
        Stage::Connect => (
            "Connect",
            "The listener connects to a FastCGI worker; a connection that was kept from an earlier request costs nothing.",
        ),
        Stage::ForkExec => (
            "Fork, exec",
            "The kernel makes a new process and starts the program in it: tables, descriptors and a new address space.",
        ),
        Stage::Loader => (
            "Loader",
            "The kernel maps the program into memory and the dynamic loader finds its libraries and joins them, page \
             fault by page fault.",
        ),
        Stage::ApplicationStart => (
            "Application start",
            "From the program's first line, or from the request being handed to a worker, to the application: environment \
             or records are read and the request is put together.",
        ),
        Stage::Application => (
            "Application",
            "The application itself makes its answer: the only stage in which the work is done that was asked for.",
        ),
        Stage::Write => {
            ("Write", "The answer goes back through pipe or socket and listener, until the client has its last byte.")
        }
        Stage::Exit => {
            ("Exit", "The program ends and the kernel takes its memory apart, as far as the client waits for it.")
        }
        Stage::Server => {
            ("Server", "All that a server does that does not say what it does, before the application begins.")
        }
    }
}

/// The name of what goes on when the client already has its answer.
pub(crate) const AFTERWARDS: (&str, &str) = (
    "Afterwards",
    "The program ends and is reaped while the client already has its answer: nobody waits for it, but a core works on it.",
);
