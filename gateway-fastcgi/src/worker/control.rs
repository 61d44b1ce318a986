//! The worker's end of the control channel: answers the manager, and finishes when it says so or is gone.
//!
//! Holds finding the channel, the task that answers on it, and whose deadline counts. The words are in [`crate::control`].

use super::activity::Activity;
use crate::control::{Ask, MAX_MESSAGE_BYTES, Report, VARIABLE};
use crate::net::inherited;
use rustix::net::SocketType;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::UnixDatagram;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Answers the manager that started this process, if one did, until this is dropped.
pub(super) struct Control {
    open: Option<Open>,
    deadline: watch::Receiver<Deadline>,
}

/// A manager that is there, or was.
struct Open {
    channel: Arc<UnixDatagram>,
    activity: Activity,
    task: AbortHandle,
}

/// Who sees to it that a worker which finishes comes to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deadline {
    /// The worker itself.
    Own,
    /// The manager: it has asked to finish, and kills what does not in its own time.
    OfManager,
}

impl Control {
    /// Takes the channel that the environment names. The first worker of a process gets it; others are not asked.
    pub(super) fn take(activity: &Activity, end: &watch::Sender<bool>) -> Self {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        let number = std::env::var(VARIABLE).ok().and_then(|value| value.parse().ok());
        let Some(number) = number.filter(|_| !TAKEN.swap(true, Ordering::Relaxed)) else {
            return Self::none();
        };
        // A program that this one starts has the variable and not the channel.
        gateway_cgi::descriptors::keep_private();
        let opened = inherited::duplicate(number).and_then(open);
        match opened {
            Ok(channel) => Self::over(channel, activity, end),
            Err(error) => {
                tracing::debug!(%error, number, "no control channel");
                Self::none()
            }
        }
    }

    fn none() -> Self {
        Self { open: None, deadline: watch::channel(Deadline::Own).1 }
    }

    fn over(channel: UnixDatagram, activity: &Activity, end: &watch::Sender<bool>) -> Self {
        let (channel, activity) = (Arc::new(channel), activity.clone());
        let (whose, deadline) = watch::channel(Deadline::Own);
        activity.watch();
        let answering = answer(Arc::clone(&channel), activity.clone(), end.clone(), whose);
        let task = tokio::spawn(answering).abort_handle();
        Self { open: Some(Open { channel, activity, task }), deadline }
    }

    /// Until the requests under way have had their time: `grace`, unless a manager has asked to finish. It has a deadline of its
    /// own, which may be longer; as soon as it is gone, ours begins.
    pub(super) async fn out_of_time(&self, grace: Duration) {
        let mut deadline = self.deadline.clone();
        loop {
            let whose = *deadline.borrow_and_update();
            let over = async {
                match whose {
                    Deadline::Own => tokio::time::sleep(grace).await,
                    Deadline::OfManager => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => return,
                Ok(()) = deadline.changed() => {}
            }
        }
    }

    /// Tells the manager that what is under way is lost, for its log.
    pub(super) fn tell_cut_off(&self) {
        let Some(Open { channel, activity, .. }) = &self.open else { return };
        let report = Report { cut_off: true, ..activity.report(true, None) };
        // Without a reader there is nobody to tell.
        let _ = channel.try_send(&report.encode());
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Some(open) = &self.open {
            open.task.abort();
        }
    }
}

fn open(channel: OwnedFd) -> io::Result<UnixDatagram> {
    if rustix::net::sockopt::socket_type(&channel)? != SocketType::SEQPACKET {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "descriptor is no control channel"));
    }
    let channel = StdDatagram::from(channel);
    channel.set_nonblocking(true)?;
    UnixDatagram::from_std(channel)
}

async fn answer(
    channel: Arc<UnixDatagram>,
    activity: Activity,
    end: watch::Sender<bool>,
    deadline: watch::Sender<Deadline>,
) {
    let mut message = vec![0; MAX_MESSAGE_BYTES];
    loop {
        let length = channel.recv(&mut message).await.unwrap_or(0);
        match Ask::decode(message.get(..length).unwrap_or_default()) {
            Some(Ask::Report { slow_after }) => {
                let report = activity.report(*end.borrow(), slow_after);
                // A manager that does not take it asks again.
                let _ = channel.try_send(&report.encode());
            }
            Some(Ask::Finish) => {
                deadline.send_replace(Deadline::OfManager);
                end.send_replace(true);
            }
            None if length == 0 => {
                tracing::info!("the manager is gone: finishing");
                deadline.send_replace(Deadline::Own);
                end.send_replace(true);
                return;
            }
            None => tracing::debug!(length, "a message that is none of this version"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, socketpair};

    const GRACE: Duration = Duration::from_millis(20);

    /// A worker's end and the manager's.
    fn pair() -> (Control, UnixDatagram, watch::Receiver<bool>) {
        let (its, ours) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let end = watch::Sender::new(false);
        let ended = end.subscribe();
        (Control::over(open(its).unwrap(), &Activity::default(), &end), open(ours).unwrap(), ended)
    }

    #[tokio::test]
    async fn fcgi_10_a_worker_that_its_manager_lets_finish_has_the_managers_time_while_there_is_one() {
        let (control, manager, mut ended) = pair();
        manager.send(&Ask::Finish.encode()).await.unwrap();
        ended.wait_for(|ended| *ended).await.unwrap();
        let early = tokio::time::timeout(10 * GRACE, control.out_of_time(GRACE)).await;
        assert!(early.is_err(), "the worker's own grace counted");
        drop(manager);
        control.out_of_time(GRACE).await;
    }

    #[tokio::test]
    async fn fcgi_10_a_worker_that_is_ended_by_others_has_its_own_grace_and_says_what_it_cuts_off() {
        let (control, manager, _ended) = pair();
        control.out_of_time(GRACE).await;
        control.tell_cut_off();
        let mut message = vec![0; MAX_MESSAGE_BYTES];
        let length = manager.recv(&mut message).await.unwrap();
        assert!(Report::decode(&message[..length]).unwrap().cut_off);
    }
}
