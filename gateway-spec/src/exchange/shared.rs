//! What the application's handles and the driver share: the stored head, and what `write` did.
//!
//! The state's lock is held for a few assignments at a time, never while application or gateway code runs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::StatusCode;

use super::head::{LengthGuard, ResponseHead, StoredHead, check};
use super::{Event, PushSink};
use crate::start_response::{Start, Writer};
use crate::{AppError, Headers, StartError, Write, WriteError};

pub(super) struct Shared {
    state: Mutex<State>,
    head_request: bool,
    push: Option<Arc<dyn PushSink>>,
    /// Held while something is pushed: two writers never overtake each other, nor the end of the call.
    pushing: Mutex<()>,
}

struct State {
    /// `start_response` was called, successfully or not (PEP-88).
    called: bool,
    stored: Option<StoredHead>,
    head_sent: bool,
    /// The application returned its body, so `write` is over (PEP-124).
    returned: bool,
    /// The application has no say any more: the exchange is over, or its failure is being answered.
    ended: bool,
    length: LengthGuard,
    queued_head: Option<ResponseHead>,
    queue: VecDeque<Bytes>,
}

/// What came of the application's call.
pub(super) struct Returned {
    /// What `write` did, if it committed the head.
    pub(super) written: Option<Written>,
    /// The head, where the application has let go of all its handles: nobody can change it any more.
    pub(super) head: Option<StoredHead>,
}

/// What `write` did during the call.
pub(super) struct Written {
    /// Head and data wait in the queue; otherwise they have been sent.
    pub(super) queued: bool,
    pub(super) length: LengthGuard,
}

impl Shared {
    pub(super) fn new(head_request: bool, push: Option<Arc<dyn PushSink>>) -> Arc<Self> {
        Arc::new(Shared {
            state: Mutex::new(State {
                called: false,
                stored: None,
                head_sent: false,
                returned: false,
                ended: false,
                length: LengthGuard::unknown(),
                queued_head: None,
                queue: VecDeque::new(),
            }),
            head_request,
            push,
            pushing: Mutex::new(()),
        })
    }

    pub(super) fn is_head_request(&self) -> bool {
        self.head_request
    }

    pub(super) fn head_sent(&self) -> bool {
        let state = self.lock();
        state.head_sent && state.queued_head.is_none()
    }

    /// The application's call is over; says what `write` sent or left.
    pub(super) fn call_returned(self: &mut Arc<Self>) -> Returned {
        if let Some(alone) = Arc::get_mut(self) {
            // The usual case, and no lock is needed any more.
            let state = alone.state.get_mut().unwrap_or_else(PoisonError::into_inner);
            state.returned = true;
            if !state.head_sent {
                return Returned { written: None, head: state.stored.take() };
            }
        }
        Returned { written: self.written(), head: None }
    }

    fn written(&self) -> Option<Written> {
        let mut state = self.lock();
        state.returned = true;
        if !state.head_sent {
            return None;
        }
        // Another thread may be pushing what it wrote before the call returned. Its accounting is done: see `write`.
        let queued = state.queued_head.is_some();
        let length = if queued { LengthGuard::unknown() } else { state.length };
        drop(state);
        drop(self.wait_for_push());
        Some(Written { queued, length })
    }

    /// Takes the stored head to send it now.
    pub(super) fn take_head(&self) -> Option<StoredHead> {
        let mut state = self.lock();
        let stored = state.stored.take();
        state.head_sent = stored.is_some();
        stored
    }

    pub(super) fn take_queued_head(&self) -> Option<ResponseHead> {
        self.lock().queued_head.take()
    }

    pub(super) fn take_queued_chunk(&self) -> Option<Bytes> {
        if self.push.is_some() {
            return None;
        }
        self.lock().queue.pop_front()
    }

    /// Puts the answer for a failure in place of whatever was stored or queued.
    pub(super) fn replace_head(&self, head: Option<StoredHead>) {
        let mut state = self.lock();
        state.called = true;
        state.ended = true;
        state.head_sent = false;
        state.stored = head;
        state.queued_head = None;
        state.queue.clear();
    }

    /// The application has no say any more; nothing to do if it has let go of all its handles.
    pub(super) fn end(self: &Arc<Self>) {
        if Arc::strong_count(self) > 1 {
            self.lock().ended = true;
        }
    }

    /// Commits the head, if that has not happened, and accounts for `data`. What has to be sent comes back.
    fn commit(&self, state: &mut State, mut data: Bytes) -> Result<(Option<ResponseHead>, Bytes), WriteError> {
        if state.stored.is_none() && !state.head_sent {
            // A restart was refused after this handle was given out: there is no head to send the data with.
            return Err(WriteError::NotStarted);
        }
        let guard = state.stored.as_ref().map_or(state.length, |stored| stored.guard(self.head_request));
        if let Some(declared) = guard.exceeded_by(data.len()) {
            return Err(WriteError::TooLong { declared });
        }
        let head = state.stored.take().map(|stored| stored.finish(None, self.head_request));
        if head.is_some() {
            state.length = guard;
            state.head_sent = true;
        }
        state.length.cut(&mut data);
        Ok((head, data))
    }

    fn wait_for_push(&self) -> Option<MutexGuard<'_, ()>> {
        // Uncontended unless an application writes from several threads; a sink that panicked is not our state.
        self.push.as_ref().map(|_| self.pushing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing inside panics; and if it did, each field would still be valid by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Start for Shared {
    fn start(
        self: Arc<Self>,
        status: StatusCode,
        headers: Headers,
        error: Option<AppError>,
    ) -> Result<Write, StartError> {
        let mut state = self.lock();
        match error {
            None if state.called => return Err(StartError::AlreadyStarted),
            Some(error) if state.head_sent || state.ended => return Err(StartError::HeadersSent(error)),
            // PEP-89: the reason is let go as soon as it has served.
            _ => {}
        }
        // PEP-88: called is called, even if the checks refuse it; and what was stored is void (PEP-82).
        state.called = true;
        state.stored = None;
        state.stored = Some(check(status, headers)?);
        drop(state);
        Ok(Write::from_driver(self))
    }
}

impl Writer for Shared {
    fn write(&self, data: Bytes) -> Result<(), WriteError> {
        let _pushing = self.wait_for_push();
        let mut state = self.lock();
        if state.returned || state.ended {
            return Err(WriteError::AfterReturn);
        }
        // PEP-72: an empty piece does not release the head.
        if data.is_empty() {
            return Ok(());
        }
        let (head, data) = self.commit(&mut state, data)?;
        match &self.push {
            None => {
                if head.is_some() {
                    state.queued_head = head;
                }
                if !data.is_empty() {
                    state.queue.push_back(data);
                }
            }
            Some(push) => {
                drop(state);
                if let Some(head) = head {
                    push.push(Event::Head(head))?;
                }
                if !data.is_empty() {
                    push.push(Event::Chunk(data))?;
                }
            }
        }
        Ok(())
    }
}
