//! The smallest application (PEP 3333 "The Application/Framework Side", its first example).

use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};

/// Greets the world, whatever it is asked.
///
/// # Errors
/// If the response was started before.
///
/// # Examples
/// ```
/// use gateway_spec::{Environ, Event, Exchange};
/// let mut exchange = Exchange::call(&gateway_examples::hello::application, Environ::example("GET", "/"));
/// assert!(matches!(exchange.next(), Event::Head(head) if head.status == 200));
/// assert!(matches!(exchange.next(), Event::Chunk(chunk) if chunk == "Hello, World!"));
/// ```
pub fn application(_environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok("Hello, World!".into())
}
