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
/// How many thousand requests there are before each look at what is left.
const PARTS: [usize; 3] = [1, 4, 5];
/// How much more may be resident after all requests than after half of them. A leak of 1 KiB for each is 5 MiB.
const MAX_GROWTH_BYTES: u64 = 4 << 20;

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

/// Makes the requests of so many rounds and returns what is resident when nothing else of them is left.
fn soak(server: &mut Running, before: &BTreeMap<String, usize>, rounds: usize, outcomes: &mut Vec<Outcome>) -> u64 {
    outcomes.extend(clients::run(server.address, &plan(rounds, outcomes.len()), CLIENTS));
    traces::settled(server, before)
}

#[test]
fn cgi_179_183_ten_thousand_good_and_bad_programs_are_answered_and_leave_nothing() {
    let mut server = start();
    let began = Instant::now();
    // The first request opens what is kept on purpose.
    let mut outcomes = clients::run(server.address, &[Task { kind: 0, number: 0 }], 1);
    let before = traces::descriptors_at_rest(&mut server);

    let (most, resident) =
        traces::most_children(&mut server, |server| PARTS.map(|rounds| soak(server, &before, rounds, &mut outcomes)));
    let took = began.elapsed();
    let after = traces::descriptors_at_rest(&mut server);

    print_table(&outcomes);
    println!("{} requests, {CLIENTS} at a time, in {:.1} s", outcomes.len(), took.as_secs_f64());
    println!("at most {most} children at once, none left; open before {before:?}, after {after:?}");
    println!("resident KiB after {PARTS:?} thousand more: {:?}", resident.map(|bytes| bytes / 1024));

    assert_eq!(outcomes.len(), 1 + PARTS.iter().sum::<usize>() * 1000);
    let wrong: Vec<_> = outcomes.iter().filter(|outcome| !outcome.right).collect();
    assert!(wrong.is_empty(), "{} wrong, such as {:#?}", wrong.len(), &wrong[..wrong.len().min(10)]);
    let places: usize = MOUNTS.iter().map(|(_, places, _)| places).sum();
    assert!(most > 0 && most <= places, "{most} children at once, and only {places} places");
    let [_, half, whole] = resident;
    assert!(whole <= half + MAX_GROWTH_BYTES, "grown from {half} to {whole} bytes");
    traces::check_log(&server.logs(), &outcomes);
}
