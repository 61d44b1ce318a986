//! Who gets which place, and that waiting leaves nothing behind.

use super::Calls;
use gateway_spec::{Admission, Permit};
use std::pin::pin;
use std::sync::mpsc::channel;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::runtime::{Builder, Handle};

const LATE: Duration = Duration::from_secs(20);

#[track_caller]
fn inline(admission: Admission) -> Permit {
    match admission {
        Admission::Inline(permit) => permit,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_place_that_is_left_while_one_waits_is_taken() {
    let calls = Calls::new(1, 1);
    let held = inline(calls.admit().await);
    let mut waiting = pin!(calls.admit());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    calls.leave(held);
    let _permit = inline(waiting.await);
    assert_eq!(calls.busy(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_has_waited_in_vain_spares_others_the_wait() {
    let calls = Calls::new(1, 3);
    let held = inline(calls.admit().await);
    let begin = tokio::time::Instant::now();
    assert!(matches!(calls.admit().await, Admission::Overflow(_)));
    let waited = begin.elapsed();
    assert!(waited >= Duration::from_millis(2), "{waited:?}");
    let begin = tokio::time::Instant::now();
    assert!(matches!(calls.admit().await, Admission::Overflow(_)));
    assert_eq!(begin.elapsed(), Duration::ZERO);
    calls.leave(held);
    let _held = inline(calls.admit().await);
    let begin = tokio::time::Instant::now();
    assert!(matches!(calls.admit().await, Admission::Overflow(_)));
    assert!(begin.elapsed() >= Duration::from_millis(2), "a call has ended since: it is worth a wait again");
}

#[tokio::test(start_paused = true)]
async fn a_full_house_is_full() {
    let calls = Calls::new(1, 1);
    let _held = inline(calls.admit().await);
    let Admission::Overflow(_second) = calls.admit_blocking() else { panic!("there is a thread") };
    assert!(matches!(calls.admit().await, Admission::Full));
    assert!(matches!(calls.admit_blocking(), Admission::Full));
    assert_eq!(calls.busy(), (1, 1));
}

#[tokio::test]
async fn one_that_stops_waiting_is_not_counted() {
    let calls = Calls::new(1, 0);
    let held = inline(calls.admit().await);
    {
        let mut waiting = pin!(calls.admit());
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(calls.places.waiting(), 1);
    }
    assert_eq!(calls.places.waiting(), 0);
    calls.leave(held);
    let _held = inline(calls.admit().await);
}

#[test]
fn a_runtime_has_a_place_for_each_worker_but_one() {
    for (workers, places) in [(1, 1), (2, 1), (3, 2), (16, 15)] {
        let runtime = Builder::new_multi_thread().worker_threads(workers).enable_time().build().unwrap();
        runtime.block_on(async {
            let calls = Calls::of(&Handle::current(), 0);
            let mut held = Vec::new();
            while let Admission::Inline(permit) = calls.admit().await {
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
            let permit = inline(calls.admit().await);
            begun.send(()).unwrap();
            let outcome = is_served.recv_timeout(LATE);
            calls.leave(permit);
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
    let places = std::sync::Arc::downgrade(&calls.places);
    drop(calls);
    let begin = std::time::Instant::now();
    while places.strong_count() > 0 {
        assert!(begin.elapsed() < LATE, "the thread still has them");
        std::thread::yield_now();
    }
}
