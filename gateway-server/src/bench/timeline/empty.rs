//! What it costs to start and end a process that does nothing: the least that a CGI program could cost.

use std::process::{Command, Stdio};
use std::time::Instant;

/// Microseconds from starting `/bin/true` to having reaped it: the median of so many times. `None` if it cannot be
/// started.
pub(crate) fn empty_process(times: usize) -> Option<f64> {
    let mut took: Vec<f64> = (0..times).map(|_| once()).collect::<Option<_>>()?;
    took.sort_by(f64::total_cmp);
    took.get(times / 2).copied()
}

fn once() -> Option<f64> {
    let mut command = Command::new("/bin/true");
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let status = command.status().ok()?;
    status.success().then(|| began.elapsed().as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_does_nothing_takes_some_time_and_less_than_a_second() {
        let took = empty_process(3).unwrap();
        assert!((10.0..1e6).contains(&took), "{took}");
        assert_eq!(empty_process(0), None);
    }
}
