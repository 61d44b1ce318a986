//! What a worker says of itself (FCGI-54 to FCGI-59): the other question than a request.
//!
//! Holds how it is asked and shown. Does not hold the connection (`conversation`).

use gateway_fastcgi::connection::ClientEvent;
use gateway_fastcgi::dump::{Entry, Meaning, NamedValue};
use gateway_fastcgi::protocol::{RecordType, ValueName};

use super::console::{Console, escaped};
use super::conversation::{Arrived, Conversation, Step};
use super::error::{FcgiError, Outcome};

impl Conversation {
    /// Asks for the three values of the specification, and prints what comes (FCGI-54 to FCGI-59).
    pub(super) async fn values(mut self) -> Result<Outcome, FcgiError> {
        const RESULT: &str = "GET_VALUES_RESULT";
        self.machine.send_get_values(&ValueName::ALL);
        loop {
            while let Some(Arrived { entry, events }) = self.next_record()? {
                for event in events {
                    match event {
                        ClientEvent::Values(_) => return tell_values(entry.as_ref(), self.trace.console()),
                        ClientEvent::UnknownType(kind) => {
                            self.trace
                                .console()
                                .say(&format!("gateway: the worker does not know {kind} (FastCGI 1.0 §4.2)\n"));
                            return Ok(Outcome::Refused);
                        }
                        _ => {}
                    }
                }
            }
            if let Step::Ended = self.step(RESULT).await? {
                return Err(self.closed(RESULT));
            }
        }
    }
}

/// The names and values of a result, as they came: a worker may know more than the specification.
fn tell_values(entry: Option<&Entry>, console: &Console) -> Result<Outcome, FcgiError> {
    let pairs = match entry {
        Some(Entry { header: Some(header), meaning: Meaning::Pairs(pairs), .. })
            if header.kind == RecordType::GET_VALUES_RESULT =>
        {
            pairs.as_slice()
        }
        _ => &[],
    };
    let line = |pair: &NamedValue| format!("{}={}\n", escaped(&pair.name), escaped(&pair.value));
    console.out(pairs.iter().map(line).collect::<String>().as_bytes()).map_err(FcgiError::Output)?;
    for name in ValueName::ALL {
        if !pairs.iter().any(|pair| pair.name == name.as_str().as_bytes()) {
            console.say(&format!("gateway: the worker says nothing of {}\n", name.as_str()));
        }
    }
    Ok(Outcome::Answered)
}
