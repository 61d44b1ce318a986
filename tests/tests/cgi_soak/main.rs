//! Ten thousand requests to good and bad CGI programs, 64 at a time: each is answered as it must be, and nothing stays.
//!
//! Holds the test and the table that it prints. The mixture is in [`kinds`], who asks in [`clients`], what is looked at
//! afterwards in [`traces`]. Kinds of misbehaviour one by one are not here: `bad_programs` and `leaks` have them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod clients;
mod kinds;
mod traces;

use std::collections::BTreeMap;
use std::time::Instant;

use gateway_tests::place::Place;
use gateway_tests::process::Running;
use gateway_tests::servers::ours;

use clients::{Outcome, Task};
use kinds::{KINDS, MOUNTS, PRELUDE};

const CLIENTS: usize = 64;
const ROUNDS: usize = 10;
const ROUND: usize = 1000;
/// How much more may be resident after all rounds than after the first. A leak of 1 KiB for each request is 9 MiB.
const MAX_GROWTH_BYTES: u64 = 8 << 20;

fn start() -> Running {
    let place = Place::new();
    let folder = place.folder("programs");
    for kind in KINDS.iter().filter(|kind| !kind.program.is_empty()) {
        place.write_script(&format!("programs/{}", kind.name), &format!("{PRELUDE}{}\n", kind.program));
    }
    let mounts = MOUNTS
        .map(|(prefix, places, limits)| format!("{prefix}=cgi:{}?max_children={places}&{limits}", folder.display()));
    ours::gateway(place, Vec::new(), &mounts)
}

/// So many rounds of all kinds, shuffled, always in the same way.
fn plan(rounds: usize, first_number: usize) -> Vec<Task> {
    let kinds = KINDS.iter().enumerate().flat_map(|(at, kind)| std::iter::repeat_n(at, kind.share * rounds));
    let mut plan: Vec<_> = kinds.zip(first_number..).map(|(kind, number)| Task { kind, number }).collect();
    let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
    for at in (1..plan.len()).rev() {
        // xorshift: any mixture will do.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        plan.swap(at, usize::try_from(random % (at as u64 + 1)).unwrap());
    }
    plan
}

fn print_table(outcomes: &[Outcome]) {
    println!("{:<10} {:>8} {:>6} {:>9}  what clients saw", "kind", "requests", "right", "slowest");
    for (at, kind) in KINDS.iter().enumerate() {
        let of_kind: Vec<_> = outcomes.iter().filter(|outcome| outcome.task.kind == at).collect();
        let mut seen = BTreeMap::new();
        for outcome in &of_kind {
            *seen.entry(&outcome.seen).or_insert(0) += 1;
        }
        let right = of_kind.iter().filter(|outcome| outcome.right).count();
        let slowest = of_kind.iter().map(|outcome| outcome.took.as_millis()).max().unwrap_or_default();
        println!("{:<10} {:>8} {right:>6} {slowest:>6} ms  {seen:?}", kind.name, of_kind.len());
    }
}

#[test]
fn cgi_179_183_ten_thousand_good_and_bad_programs_are_answered_and_leave_nothing() {
    let mut server = start();
    let began = Instant::now();
    // The first request opens what is kept on purpose.
    let first = clients::run(server.address, &[Task { kind: 0, number: 0 }], 1);
    let before = traces::descriptors_at_rest(&mut server);

    let mut outcomes = clients::run(server.address, &plan(1, 1), CLIENTS);
    let early = traces::settled(&mut server, &before);
    let rest = plan(ROUNDS - 1, 1 + ROUND);
    let (most, more) = traces::most_children(&mut server, |server| clients::run(server.address, &rest, CLIENTS));
    outcomes.extend(more);
    let took = began.elapsed();
    let late = traces::settled(&mut server, &before);
    let after = traces::descriptors_at_rest(&mut server);

    print_table(&outcomes);
    println!("{} requests, {CLIENTS} at a time, in {:.1} s", outcomes.len(), took.as_secs_f64());
    println!("at most {most} children at once; none left; open before {before:?}, after {after:?}");
    println!("resident after the first thousand {} KiB, after all {} KiB", early / 1024, late / 1024);

    assert_eq!(outcomes.len(), ROUNDS * ROUND);
    let wrong: Vec<_> = outcomes.iter().filter(|outcome| !outcome.right).collect();
    assert!(wrong.is_empty(), "{} wrong, such as {:#?}", wrong.len(), &wrong[..wrong.len().min(10)]);
    let places: usize = MOUNTS.iter().map(|(_, places, _)| places).sum();
    assert!(most > 0 && most <= places, "{most} children at once, and only {places} places");
    assert!(late <= early + MAX_GROWTH_BYTES, "grown from {early} to {late} bytes");
    outcomes.extend(first);
    traces::check_log(&server.logs(), &outcomes);
}
