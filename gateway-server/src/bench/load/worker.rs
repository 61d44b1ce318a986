//! One thread of the load, with its connections.
//!
//! Holds the loop, and what is done when a request is due, answered, failed or late.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::time::Duration;

use rustix::event::epoll::Event;

use super::answer::Complete;
use super::connection::{Failure, Progress, Room};
use super::pace::Grid;
use super::poller::Poller;
use super::slot::Slot;
use super::tally::Tally;
use super::{BodyLen, Mark, Run, clock};

/// A thread's part of the load.
#[derive(Debug)]
pub(super) struct Worker<'a> {
    run: &'a Run<'a>,
    poller: Poller,
    slots: Vec<Slot>,
    room: Room,
    mode: Mode,
    tally: Tally,
    /// What is answered, or in an open loop due, before this is warm-up, and after the other is too late.
    counted: Range<Mark>,
    /// The time, as of the last look.
    now: Mark,
    /// When timeouts and rests are next looked for.
    next_look: Mark,
}

/// What a connection does when it is free.
#[derive(Debug)]
enum Mode {
    /// Nothing: the time does not run yet, or is up.
    Still,
    /// It asks again, as soon as all answers that are there have been received: an answer must not wait, and seem late,
    /// until the requests that follow those before it are sent.
    Closed { free: VecDeque<usize> },
    /// It waits for its turn: the one that has been free longest takes the next request that is due.
    Open { grid: Grid, free: VecDeque<usize> },
}

/// When the next request of an open loop is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    At(Mark),
    /// It is due; a connection is waited for.
    WhenFree,
    /// The time will be up before one is due.
    Never,
}

/// How often timeouts are looked for, at least, within the time that is one.
const LOOKS_PER_TIMEOUT: u32 = 20;

impl<'a> Worker<'a> {
    pub(super) fn new(run: &'a Run<'a>, connections: usize) -> io::Result<Self> {
        Ok(Self {
            run,
            poller: Poller::new()?,
            slots: (0..connections).map(|_| Slot::default()).collect(),
            room: Room::new(),
            mode: Mode::Still,
            tally: Tally::new()?,
            counted: 0..0,
            now: clock::now(),
            next_look: 0,
        })
    }

    /// Opens the connections, and waits until they are open or have failed.
    pub(super) fn open(&mut self) -> io::Result<()> {
        self.now = clock::now();
        let until = clock::after(self.now, self.run.patience.open);
        for number in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(number) else { continue };
            if let Err(failure) = slot.connection.open(self.run.load.address, &self.poller, number) {
                self.failed(number, failure);
            }
        }
        let mut events = Poller::events();
        while self.now < until && self.slots.iter().any(|slot| slot.connection.is_opening()) {
            self.look(&mut events, until)?;
        }
        Ok(())
    }

    /// Makes requests from `start` on; `grid` says when, in an open loop.
    pub(super) fn run(mut self, start: Mark, grid: Option<Grid>) -> io::Result<Tally> {
        let cpu = clock::thread_cpu();
        self.now = clock::now();
        let from = clock::after(start, self.run.load.warm_up);
        let end = clock::after(from, self.run.load.duration);
        self.counted = from..end;
        let mut events = Poller::events();
        let up = match grid {
            None => self.run_closed(&mut events, end)?,
            Some(grid) => self.run_open(&mut events, grid, end)?,
        };
        self.tally.cpu = clock::thread_cpu().saturating_sub(cpu);
        self.tally.elapsed = Duration::from_nanos(up.saturating_sub(from));
        Ok(self.tally)
    }

    /// Returns when the time was up.
    fn run_closed(&mut self, events: &mut Vec<Event>, end: Mark) -> io::Result<Mark> {
        self.mode = Mode::Closed { free: self.ready_slots() };
        while self.now < end {
            self.ask_again();
            self.look(events, end)?;
        }
        let (up, last) = (self.now, clock::after(end, self.run.patience.settle));
        self.mode = Mode::Still;
        while self.unanswered() > 0 && self.now < last {
            self.look(events, last)?;
        }
        Ok(up)
    }

    /// Returns when the last answer had come, or was waited for no longer.
    fn run_open(&mut self, events: &mut Vec<Event>, grid: Grid, end: Mark) -> io::Result<Mark> {
        self.mode = Mode::Open { grid, free: self.ready_slots() };
        let last = clock::after(end, self.run.patience.settle);
        loop {
            let next = self.send_due();
            let is_settled = next == Next::Never && self.unanswered() == 0 && self.now >= end;
            if is_settled || self.now >= last {
                break;
            }
            match next {
                Next::At(due) => self.look(events, due)?,
                _ => self.look(events, if self.now < end { end } else { last })?,
            }
        }
        self.tally.errors.timeout += self.unanswered() + self.never_sent();
        Ok(self.now)
    }

    /// Waits, no longer than `until`, and does what there is to do then.
    fn look(&mut self, events: &mut Vec<Event>, until: Mark) -> io::Result<()> {
        self.poller.wait(events, self.now, until.min(self.next_look))?;
        self.now = clock::now();
        for event in events.drain(..) {
            let Some(number) = Poller::number(event) else { continue };
            let Some(slot) = self.slots.get_mut(number) else { continue };
            let progress = slot.connection.ready(event.flags, self.run.load.request.bytes(), &mut self.room);
            self.progressed(number, progress);
        }
        if self.now >= self.next_look {
            self.look_for_late();
        }
        Ok(())
    }

    /// Closed loop: every free connection asks.
    fn ask_again(&mut self) {
        while let Mode::Closed { free } = &mut self.mode
            && let Some(number) = free.pop_front()
        {
            self.now = clock::now();
            self.begin(number, self.now);
        }
    }

    fn progressed(&mut self, number: usize, progress: Progress) {
        match progress {
            Progress::Waiting => {}
            Progress::Answered { due, complete } => self.answered(number, due, complete),
            Progress::Failed(failure) => self.failed(number, failure),
            Progress::Stale => {
                // Without a request, it is opened again when it is needed.
                if let Some(due) = self.slots.get(number).and_then(|slot| slot.connection.due()) {
                    self.begin(number, due);
                }
            }
        }
    }

    fn begin(&mut self, number: usize, due: Mark) {
        let Some(slot) = self.slots.get_mut(number) else { return };
        let progress = match slot.connection.open(self.run.load.address, &self.poller, number) {
            Ok(()) => slot.connection.begin(due, self.run.load.request.bytes()),
            Err(failure) => Progress::Failed(failure),
        };
        self.progressed(number, progress);
    }

    fn answered(&mut self, number: usize, due: Mark, complete: Complete) {
        self.now = clock::now();
        if self.is_right(complete) {
            let counted = self.counted.contains(if matches!(self.mode, Mode::Open { .. }) { &due } else { &self.now });
            self.tally.answer(counted.then(|| self.now.saturating_sub(due)));
        } else {
            self.tally.errors.wrong += 1;
        }
        if let Some(slot) = self.slots.get_mut(number) {
            slot.failures = 0;
        }
        self.freed(number);
    }

    fn is_right(&self, complete: Complete) -> bool {
        let is_expected = || match self.run.load.request.expected() {
            BodyLen::Exactly(expected) => complete.body_len == expected,
            BodyLen::AsTheFirst => complete.body_len == *self.run.first_body_len.get_or_init(|| complete.body_len),
            BodyLen::Any => true,
        };
        complete.status == 200 && is_expected()
    }

    fn failed(&mut self, number: usize, failure: Failure) {
        self.tally.failure(failure);
        if let Mode::Closed { free } | Mode::Open { free, .. } = &mut self.mode {
            // A peer that speaks out of turn can make a free connection fail.
            free.retain(|other| *other != number);
        }
        let Some(slot) = self.slots.get_mut(number) else { return };
        slot.connection.close();
        let until = slot.rest(self.now);
        self.next_look = self.next_look.min(until);
    }

    /// The connection can take another request.
    fn freed(&mut self, number: usize) {
        match &mut self.mode {
            Mode::Still => {}
            Mode::Closed { free } | Mode::Open { free, .. } => free.push_back(number),
        }
    }

    /// Gives up requests that have no answer in time, and ends rests.
    fn look_for_late(&mut self) {
        let patience = self.run.patience.answer;
        self.next_look = clock::after(self.now, patience / LOOKS_PER_TIMEOUT);
        for number in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(number) else { continue };
            if let Some(until) = slot.rests_until {
                if self.now < until {
                    self.next_look = self.next_look.min(until);
                    continue;
                }
                slot.rests_until = None;
                self.freed(number);
            } else if slot.connection.due().is_some_and(|due| clock::after(due, patience) <= self.now) {
                self.tally.errors.timeout += 1;
                slot.connection.close();
                self.freed(number);
            }
        }
    }

    /// Open loop: sends what is due and for which a connection is free.
    fn send_due(&mut self) -> Next {
        let patience = self.run.patience.answer;
        loop {
            let Mode::Open { grid, free } = &mut self.mode else { return Next::Never };
            let Some(due) = grid.next() else { return Next::Never };
            if due > self.now {
                self.now = clock::now();
                if due > self.now {
                    return Next::At(due);
                }
            }
            if clock::after(due, patience) <= self.now {
                grid.take();
                self.tally.errors.timeout += 1;
                continue;
            }
            let Some(number) = free.pop_front() else { return Next::WhenFree };
            grid.take();
            self.tally.behind = Duration::from_nanos(self.now - due);
            self.begin(number, due);
        }
    }

    fn unanswered(&self) -> u64 {
        self.slots.iter().filter(|slot| slot.connection.due().is_some()).count() as u64
    }

    /// Requests that were due before the time was up, and are still in line.
    fn never_sent(&self) -> u64 {
        if let Mode::Open { grid, .. } = &self.mode { grid.left() } else { 0 }
    }

    fn ready_slots(&self) -> VecDeque<usize> {
        self.slots.iter().enumerate().filter(|(_, slot)| slot.rests_until.is_none()).map(|(number, _)| number).collect()
    }
}
