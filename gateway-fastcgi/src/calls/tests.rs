//! Who gets which place, that sockets are served while calls block, and that nothing is left behind.

use super::{CallRuntime, Calls};
use crate::net::Stream;
use gateway_spec::{Admission, Permit};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle};

const LATE: Duration = Duration::from_secs(20);

#[track_caller]
fn inline(admission: Admission) -> Permit {
    match admission {
        Admission::Inline(permit) => permit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_house_is_full() {
    let calls = Calls::new(1, 1);
    let held = inline(calls.admit());
    assert!(calls.try_inline().is_none());
    let Admission::Overflow(_second) = calls.admit_blocking() else { panic!("there is a thread") };
    assert!(matches!(calls.admit(), Admission::Full));
    assert!(matches!(calls.admit_blocking(), Admission::Full));
    assert_eq!(calls.busy(), (1, 1));
    drop(held);
    let _held = inline(calls.admit());
}

#[test]
fn a_runtime_has_a_place_for_each_worker_but_one() {
    for (workers, places) in [(1, 1), (2, 1), (3, 2), (16, 15)] {
        let runtime = Builder::new_multi_thread().worker_threads(workers).enable_time().build().unwrap();
        runtime.block_on(async {
            let calls = Calls::of(&Handle::current(), 0);
            let mut held = Vec::new();
            while let Admission::Inline(permit) = calls.admit() {
                held.push(permit);
            }
            assert_eq!(held.len(), places, "{workers} workers");
        });
    }
}

#[test]
fn a_call_that_blocks_the_only_worker_awake_wakes_another() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let calls = Calls::of(runtime.handle(), 0);
    calls.watch(runtime.handle()).unwrap();
    for _ in 0..5 {
        let (begun, begins) = channel();
        let (served, is_served) = channel::<()>();
        let calls = calls.clone();
        let (mut near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        far.set_nonblocking(true).unwrap();
        let entered = runtime.enter();
        let far = tokio::net::UnixStream::from_std(far).unwrap();
        drop(entered);
        let blocking = runtime.spawn(async move {
            let permit = inline(calls.admit());
            begun.send(()).unwrap();
            let outcome = is_served.recv_timeout(LATE);
            drop(permit);
            outcome
        });
        let reading = runtime.spawn(async move {
            far.readable().await.unwrap();
            served.send(()).unwrap();
        });
        begins.recv_timeout(LATE).unwrap();
        std::io::Write::write_all(&mut near, b"x").unwrap();
        runtime.block_on(async {
            blocking.await.unwrap().expect("the socket is served while the call blocks");
            reading.await.unwrap();
        });
    }
}

#[test]
fn the_watch_ends_with_its_places() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let calls = Calls::of(runtime.handle(), 0);
    calls.watch(runtime.handle()).unwrap();
    calls.watch(runtime.handle()).unwrap();
    let counts = std::sync::Arc::downgrade(&calls.counts);
    drop(calls);
    let begin = Instant::now();
    while counts.strong_count() > 0 {
        assert!(begin.elapsed() < LATE, "the thread still has them");
        std::thread::yield_now();
    }
}

/// Waits for what another thread brings about.
#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < LATE, "still not: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn as_many_calls_may_block_as_there_are_places_and_sockets_are_served() {
    for places in [1, 2, 5, 24] {
        let runtime = CallRuntime::new(places, 0).unwrap();
        let (release, released) = channel::<()>();
        let released = std::sync::Arc::new(std::sync::Mutex::new(released));
        let blocking: Vec<_> = (0..places)
            .map(|_| {
                let (calls, released) = (runtime.calls().clone(), std::sync::Arc::clone(&released));
                runtime.spawn(async move {
                    let permit = inline(calls.admit());
                    let outcome = released.lock().unwrap().recv_timeout(LATE);
                    drop(permit);
                    outcome
                })
            })
            .collect();
        until("all calls run", || runtime.calls().busy().0 == places);
        let (mut near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        far.set_nonblocking(true).unwrap();
        let served = runtime.spawn(async move {
            let far = tokio::net::UnixStream::from_std(far).unwrap();
            far.readable().await.unwrap();
        });
        std::io::Write::write_all(&mut near, b"x").unwrap();
        runtime
            .block_on(async { tokio::time::timeout(LATE, served).await })
            .expect("served while all calls block")
            .unwrap();
        blocking.iter().for_each(|_| release.send(()).unwrap());
        for call in blocking {
            runtime.block_on(call).unwrap().unwrap();
        }
        runtime.shutdown(LATE);
    }
}

#[test]
fn spare_workers_sleep_wake_and_end_with_their_runtime() {
    let runtime = CallRuntime::new(64, 0).unwrap();
    let cores = std::thread::available_parallelism().unwrap().get();
    let spare = 65 - cores.min(64);
    let spares = std::sync::Arc::clone(&runtime.calls().watch.spares);
    until("they sleep", || spares.asleep() == spare);
    assert_eq!(spares.wake(spare + 1000), spare);
    until("they are awake", || runtime.metrics().num_alive_tasks() == 0);
    for asleep in 1..=spare {
        spares.put_to_sleep(runtime.handle());
        until("one more sleeps", || spares.asleep() == asleep);
    }
    drop(runtime);
    until("they are gone", || spares.asleep() == 0);
}

#[test]
fn a_seat_is_given_to_others_by_who_waits_or_reads_a_lot() {
    let runtime = CallRuntime::new(1, 1).unwrap();
    let calls = runtime.calls().clone();
    let is_free = || calls.busy() == (0, 0);
    runtime.block_on(async {
        let mut seat = calls.seat();
        let mut clone = seat.clone();
        assert!(seat.is_kept() && !is_free());
        assert!(!calls.seat().is_kept(), "there is one place");
        clone.leave();
        assert!(is_free());
        seat.leave();
        assert!(is_free());

        let mut reading = calls.seat();
        reading.count(2 << 20);
        assert!(reading.is_kept());
        reading.count(1);
        assert!(!reading.is_kept() && is_free());

        let (near, far) = Stream::pair().unwrap();
        let mut waiting = calls.seat();
        far.write_all(b"x").await.unwrap();
        assert!(waiting.wait(&near) && waiting.is_kept());
        assert_eq!(near.read(&mut [0; 9]).await.unwrap(), 1);
        assert!(!waiting.wait(&near) && !waiting.is_kept() && is_free());
        far.write_all(b"x").await.unwrap();
        assert!(!waiting.wait(&near), "it has no place any more");
    });
}

#[test]
fn one_thread_that_is_all_there_is_has_no_seat() {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { assert!(!Calls::new(5, 5).seat().is_kept()) });
    assert!(!Calls::new(5, 5).seat().is_kept(), "nor has who is no part of a runtime");
}
