//! What tests of slow clients need, with TLS and without.

use gateway_spec::{AppError, Body, Bytes, Environ, StartResponse, StatusCode, headers};
use std::io::Read;
use std::time::Duration;

/// Answers with as many pieces of 64 KiB as its path says, and without a length.
pub(crate) fn long(environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let pieces: usize = environ.path_info().to_str()?[1..].parse()?;
    start_response(StatusCode::OK, headers!["content-type" => "application/octet-stream"])?;
    Ok(Body::iter((0..pieces).map(|_| Ok(Bytes::from_static(&[b'x'; 64 << 10])))))
}

/// Takes up to 64 KiB every so often; how much it got before the end.
pub(crate) fn take_slowly(stream: &mut impl Read, pause: Duration) -> usize {
    let (mut buffer, mut length) = (vec![0; 64 << 10], 0);
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        length += read;
        std::thread::sleep(pause);
    }
    length
}
