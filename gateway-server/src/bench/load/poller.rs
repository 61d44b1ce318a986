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

    /// Waits until something is ready, but not past `until`. `now` is the time.
    ///
    /// The timer is set only when `until` is another than before: a time given to each wait would be one more timer for
    /// the kernel to start and to stop, for every request on a server that is not busy.
    pub(super) fn wait(&mut self, events: &mut Vec<Event>, now: Mark, until: Mark) -> io::Result<()> {
        self.ring_at(now, until)?;
        events.clear();
        match epoll::wait(&self.epoll, spare_capacity(events), None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A time that has passed rings at once.
    fn ring_at(&mut self, now: Mark, mark: Mark) -> io::Result<()> {
        if self.rings == Some(mark) && now < mark {
            return Ok(());
        }
        let setting = Itimerspec { it_interval: Timespec::default(), it_value: timespec(mark.max(1)) };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &setting)?;
        self.rings = Some(mark);
        Ok(())
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
