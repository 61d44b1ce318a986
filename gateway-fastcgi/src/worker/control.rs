//! The worker's end of the control channel: answers the manager, and finishes when it says so or is gone.
//!
//! Holds finding the channel and the task that answers on it. The words are in [`crate::control`].

use super::activity::Activity;
use crate::control::{Ask, MAX_MESSAGE_BYTES, VARIABLE};
use crate::net::inherited;
use rustix::net::SocketType;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::UnixDatagram;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Answers the manager that started this process, if one did, until this is dropped.
pub(super) struct Control {
    task: Option<AbortHandle>,
}

impl Control {
    /// Takes the channel that the environment names. The first worker of a process gets it; others are not asked.
    pub(super) fn take(activity: &Activity, end: &watch::Sender<bool>) -> Self {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        let number = std::env::var(VARIABLE).ok().and_then(|value| value.parse().ok());
        let Some(number) = number.filter(|_| !TAKEN.swap(true, Ordering::Relaxed)) else {
            return Self { task: None };
        };
        // A program that this one starts has the variable and not the channel.
        gateway_cgi::descriptors::keep_private();
        let opened = inherited::duplicate(number).and_then(open);
        match opened {
            Ok(channel) => Self { task: Some(answer(channel, activity.clone(), end.clone())) },
            Err(error) => {
                tracing::debug!(%error, number, "no control channel");
                Self { task: None }
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
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

fn answer(channel: UnixDatagram, activity: Activity, end: watch::Sender<bool>) -> AbortHandle {
    activity.watch();
    let task = tokio::spawn(async move {
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
                    end.send_replace(true);
                }
                None if length == 0 => {
                    tracing::info!("the manager is gone: finishing");
                    end.send_replace(true);
                    return;
                }
                None => tracing::debug!(length, "a message that is none of this version"),
            }
        }
    });
    task.abort_handle()
}
