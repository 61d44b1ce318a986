//! Who is ready: one epoll, and a timer that is not rounded to milliseconds.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use super::Mark;

/// The epoll of one thread.
#[derive(Debug)]
pub(super) struct Poller {
    epoll: OwnedFd,
    timer: OwnedFd,
    /// What the timer is set to.
    rings: Option<Mark>,
}

/// The number of the timer among what may be ready. It means only that waiting is over.
const TIMER: u64 = u64::MAX;

/// How many may be reported at once.
const MAX_EVENTS: usize = 256;

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        // Edge-triggered, so that it need not be read.
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN | EventFlags::ET)?;
        Ok(Self { epoll, timer, rings: None })
    }

    /// Room for what may be reported.
    pub(super) fn events() -> Vec<Event> {
        Vec::with_capacity(MAX_EVENTS)
    }

    /// Watches `socket`, for as long as it is open: edge-triggered and for both directions, so that no request needs
    /// another system call for it.
    pub(super) fn watch(&self, socket: impl AsFd, number: usize) -> Result<(), Errno> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, socket, EventData::new_u64(number as u64), flags)
    }

    /// Ends the next wait at `mark`, or soon after.
    pub(super) fn ring_at(&mut self, mark: Mark) -> io::Result<()> {
        if self.rings == Some(mark) {
            return Ok(());
        }
        let setting = Itimerspec { it_interval: Timespec::default(), it_value: timespec(mark) };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &setting)?;
        self.rings = Some(mark);
        Ok(())
    }

    /// Waits until something is ready, but not past `until`, rounded up to milliseconds. `now` is the time.
    pub(super) fn wait(&self, events: &mut Vec<Event>, now: Mark, until: Mark) -> io::Result<()> {
        events.clear();
        match epoll::wait(&self.epoll, spare_capacity(events), Some(&timespec(until.saturating_sub(now)))) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The number of the connection that `event` is about.
    pub(super) fn number(event: Event) -> Option<usize> {
        let number = event.data.u64();
        if number == TIMER { None } else { usize::try_from(number).ok() }
    }
}

fn timespec(nanoseconds: u64) -> Timespec {
    let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    Timespec { tv_sec: seconds.cast_signed(), tv_nsec: rest.cast_signed() }
}
