//! What can go wrong in an exchange, and the status it is answered with if nothing was sent yet.

use std::any::Any;

use http::StatusCode;

use crate::{AppError, GatewayError, Headers, StartError};

/// Why an exchange went wrong: for the gateway's log, never for the client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The application returned an error, or its body gave one.
    #[error("application failed: {0}")]
    Application(#[source] AppError),
    /// The application panicked; this is what it said.
    #[error("application panicked: {0}")]
    Panic(String),
    /// Body data, or the end of the body, came before `start_response` was called (PEP-76).
    #[error("application did not call start_response")]
    NotStarted,
    /// The body ended before its Content-Length (PEP-92).
    #[error("application sent {sent} of the {declared} bytes it declared")]
    BodyTooShort {
        /// Content-Length in bytes.
        declared: u64,
        /// What was sent, in bytes.
        sent: u64,
    },
    /// The body went on past its Content-Length; the rest was not sent (PEP-90).
    #[error("application gave more than the {declared} bytes it declared")]
    BodyTooLong {
        /// Content-Length in bytes.
        declared: u64,
    },
}

impl Failure {
    /// The status of the answer: an upstream's for a [`GatewayError`], else 500.
    pub fn status(&self) -> StatusCode {
        match self {
            Failure::Application(error) => status_of(error.as_ref()),
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The fields that a [`GatewayError`] adds to the answer.
    pub(crate) fn fields(&self) -> Headers {
        match self {
            Failure::Application(error) => error.downcast_ref::<GatewayError>().map(|error| error.fields().clone()),
            _ => None,
        }
        .unwrap_or_default()
    }

    /// An application's error; what `start_response` only passed through is taken out of its wrapping (PEP-84), and so
    /// is what another driver reported.
    pub(crate) fn application(error: AppError) -> Self {
        let error = match error.downcast::<Failure>() {
            Ok(failure) => return *failure,
            Err(error) => error,
        };
        match error.downcast::<StartError>() {
            Ok(error) => match *error {
                StartError::HeadersSent(cause) => Failure::Application(cause),
                other => Failure::Application(other.into()),
            },
            Err(error) => Failure::Application(error),
        }
    }

    pub(crate) fn panic(payload: Box<dyn Any + Send>) -> Self {
        let text = match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(payload) => {
                payload.downcast::<&'static str>().map_or("not a text".to_owned(), |text| (*text).to_owned())
            }
        };
        Failure::Panic(text)
    }
}

fn status_of(error: &(dyn std::error::Error + 'static)) -> StatusCode {
    let status = error.downcast_ref::<GatewayError>().map(GatewayError::status);
    status.filter(|status| (400..=599).contains(&status.as_u16())).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
