//! The control channel: how a manager asks one of its workers what it is doing, and asks it to finish.
//!
//! Holds the words of both sides and their bytes. Does no I/O: the worker's end is in `worker::control`, the manager's in
//! `manager::channel`.
//!
//! A manager gives each worker one end of a pair of `SOCK_SEQPACKET` sockets, which keeps messages apart and ends when either
//! side does. The number of the descriptor is in the variable [`VARIABLE`]. The manager asks, the worker answers; unasked it
//! says one thing alone, that it cuts its requests off. A worker that is not ours takes no notice.

mod bytes;
mod report;

pub use report::{Ask, MAX_ACTIVE, MAX_METHOD_BYTES, MAX_PATH_BYTES, MAX_SLOW, Report, RequestLine};

/// Names the descriptor of a worker's end of its control channel.
pub const VARIABLE: &str = "GATEWAY_CONTROL";

/// The longest message: a report that is full.
pub const MAX_MESSAGE_BYTES: usize = 64 + (MAX_ACTIVE + MAX_SLOW) * (8 + 8 + 1 + MAX_METHOD_BYTES + 1 + MAX_PATH_BYTES);

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn line(serial: u64) -> RequestLine {
        RequestLine {
            serial,
            age: Duration::from_millis(serial * 10),
            method: vec![b'G'; MAX_METHOD_BYTES],
            path: vec![b'/'; MAX_PATH_BYTES],
        }
    }

    fn full() -> Report {
        Report {
            finishing: true,
            cut_off: true,
            finished: u64::MAX,
            slow: 7,
            active: 1000,
            requests: (0..MAX_ACTIVE as u64).map(line).collect(),
            were_slow: (0..MAX_SLOW as u64).map(line).collect(),
        }
    }

    #[test]
    fn a_report_is_read_as_it_was_written_and_fits_a_message() {
        for report in [Report::default(), full()] {
            let bytes = report.encode();
            assert!(bytes.len() <= MAX_MESSAGE_BYTES, "{}", bytes.len());
            assert_eq!(Report::decode(&bytes), Some(report));
        }
    }

    #[test]
    fn a_report_that_is_cut_or_too_long_is_none() {
        let bytes = full().encode();
        for length in 0..bytes.len() {
            assert_eq!(Report::decode(&bytes[..length]), None, "{length}");
        }
        assert_eq!(Report::decode(&[bytes.as_slice(), &[0]].concat()), None);
    }

    #[test]
    fn a_question_is_read_as_it_was_written_and_another_version_is_none() {
        let asks =
            [Ask::Report { slow_after: None }, Ask::Report { slow_after: Some(Duration::from_secs(3)) }, Ask::Finish];
        for ask in asks {
            let mut bytes = ask.encode();
            assert_eq!(Ask::decode(&bytes), Some(ask));
            assert_eq!(Ask::decode(&bytes[..bytes.len() - 1]), None);
            bytes[0] ^= 0x80;
            assert_eq!(Ask::decode(&bytes), None);
        }
    }
}
