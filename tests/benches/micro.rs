//! `cargo bench -p gateway-tests`: how long each case takes, how much it moves, how often it allocates.
//!
//! Holds the registration of the subjects only; the cases are in `cases`. Under `cargo test` each runs once. For whether a
//! change made something slower, instructions say it sooner than times: `tests/instructions.sh`.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::panic)]

mod cases;

use cases::Case;
use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};

/// Counts allocations for each case; the counting is part of the times.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench(args = cases::h1::CASES)]
fn h1(bencher: Bencher<'_, '_>, case: &Case) {
    measure(bencher, case);
}

#[divan::bench(args = cases::fastcgi::CASES)]
fn fastcgi(bencher: Bencher<'_, '_>, case: &Case) {
    measure(bencher, case);
}

#[divan::bench(args = cases::cgi::CASES)]
fn cgi(bencher: Bencher<'_, '_>, case: &Case) {
    measure(bencher, case);
}

#[divan::bench(args = cases::environ::CASES)]
fn environ(bencher: Bencher<'_, '_>, case: &Case) {
    measure(bencher, case);
}

#[divan::bench(args = cases::exchange::CASES)]
fn exchange(bencher: Bencher<'_, '_>, case: &Case) {
    measure(bencher, case);
}

fn measure(bencher: Bencher<'_, '_>, case: &Case) {
    let body = (case.start)();
    match case.bytes {
        Some(bytes) => bencher.counter(BytesCount::new(bytes)).bench_local(body),
        None => bencher.bench_local(body),
    }
}
