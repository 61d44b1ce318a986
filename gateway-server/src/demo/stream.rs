//! A body that comes line by line: each line is on its way before the next one is made.

use std::time::{Duration, Instant};

use gateway_spec::{AppError, Body, Bytes, StartResponse, StatusCode};

const LINES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(300);

pub(super) fn answer(start_response: &StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, super::plain_fields())?;
    let began = Instant::now();
    let lines = (1..=LINES).map(move |number| {
        if number > 1 {
            // A synchronous application may block. Its thread waits here; everybody else is served by others.
            std::thread::sleep(PAUSE);
        }
        let after = began.elapsed().as_secs_f64();
        Ok(Bytes::from(format!("line {number} of {LINES}, made {after:.1} s after the first\n")))
    });
    Ok(Body::iter(lines))
}
