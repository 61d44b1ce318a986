//! The command line of a program made with `main!`.
//!
//! Holds what it asks for. Does not hold the names of the flags (`flag`), what can be wrong (`usage`), or what they lead to: see `decide`. It is
//! written by hand because the same program may be started for every request (CGI), where a large parser would be paid for every time.

use std::ffi::OsString;

use gateway_fastcgi::net::SocketSource;

use super::flag::Flag;
use super::memory::MemoryRequest;
use super::usage::UsageError;
use crate::serve::Model;

/// What the command line asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) http: Option<SocketSource>,
    pub(super) fastcgi: Option<SocketSource>,
    pub(super) request: Option<MemoryRequest>,
    pub(super) model: Option<Model>,
    pub(super) tls_cert: Option<String>,
    pub(super) tls_key: Option<String>,
    pub(super) threads: Option<usize>,
    pub(super) socket_mode: Option<u32>,
    pub(super) socket_owner: Option<String>,
    pub(super) allow_users: Vec<String>,
    pub(super) allow_groups: Vec<String>,
    pub(super) explain: bool,
    pub(super) help: bool,
    pub(super) version: bool,
}

impl Flags {
    /// Reads the arguments that follow the program's name.
    pub(super) fn parse(arguments: &[OsString]) -> Result<Flags, UsageError> {
        let mut flags = Flags::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let argument = text(argument)?;
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value)),
                _ => (argument, None),
            };
            let flag = Flag::named(name).ok_or_else(|| unknown(name))?;
            match flag.expects() {
                None if value.is_some() => return Err(UsageError::Value { flag: flag.name() }),
                None => flags.set(flag, "")?,
                Some(expected) => {
                    let missing = UsageError::NoValue { flag: flag.name(), expected };
                    let value = match value {
                        Some(value) => value,
                        None => text(rest.next().ok_or(missing)?)?,
                    };
                    flags.set(flag, value)?;
                }
            }
        }
        flags.check()?;
        Ok(flags)
    }

    fn set(&mut self, flag: Flag, value: &str) -> Result<(), UsageError> {
        let name = flag.name();
        let out_of_range = |expected| UsageError::Range { flag: name, value: value.to_owned(), expected };
        match flag {
            Flag::Http => once(name, &mut self.http, address(name, value)?),
            Flag::FastCgi => once(name, &mut self.fastcgi, address(name, value)?),
            Flag::TlsCert => once(name, &mut self.tls_cert, value.to_owned()),
            Flag::TlsKey => once(name, &mut self.tls_key, value.to_owned()),
            Flag::Threads => {
                let threads = value.parse().ok().filter(|threads| (1..=MAX_THREADS).contains(threads));
                once(name, &mut self.threads, threads.ok_or_else(|| out_of_range("a number from 1 to 4096"))?)
            }
            Flag::Model => {
                let model = value.parse().map_err(|_| out_of_range(MODELS))?;
                once(name, &mut self.model, model)
            }
            Flag::SocketMode => {
                let octal = value.bytes().all(|digit| digit.is_ascii_digit());
                let mode = u32::from_str_radix(value, 8).ok().filter(|mode| octal && *mode <= 0o777);
                once(name, &mut self.socket_mode, mode.ok_or_else(|| out_of_range("an octal mode such as 660"))?)
            }
            Flag::SocketOwner => once(name, &mut self.socket_owner, value.to_owned()),
            Flag::AllowUser => push(&mut self.allow_users, value),
            Flag::AllowGroup => push(&mut self.allow_groups, value),
            Flag::Request => {
                let request = MemoryRequest::parse(value);
                let request = request.ok_or_else(|| out_of_range("a method and a path, such as 'GET /path'"))?;
                once(name, &mut self.request, request)
            }
            Flag::Header => {
                let request = self.request.as_mut().ok_or_else(|| out_of_range(AFTER_REQUEST))?;
                request.add_header(value).ok_or_else(|| out_of_range("a field such as 'Accept: text/html'"))
            }
            Flag::Body => {
                let request = self.request.as_mut().ok_or_else(|| out_of_range(AFTER_REQUEST))?;
                once(name, &mut request.body, value.to_owned())
            }
            Flag::Explain => once_more(&mut self.explain),
            Flag::Help => once_more(&mut self.help),
            Flag::Version => once_more(&mut self.version),
        }
    }

    fn check(&self) -> Result<(), UsageError> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => return Err(UsageError::Alone { flag: "--tls-cert", other: "--tls-key" }),
            (None, Some(_)) => return Err(UsageError::Alone { flag: "--tls-key", other: "--tls-cert" }),
            _ => {}
        }
        let given = [
            (self.http.is_some(), Flag::Http),
            (self.fastcgi.is_some(), Flag::FastCgi),
            (self.request.is_some(), Flag::Request),
        ];
        let mut given = given.iter().filter(|(given, _)| *given).map(|(_, flag)| flag.name());
        match (given.next(), given.next()) {
            (Some(first), Some(second)) => Err(UsageError::Conflict { first, second }),
            _ => Ok(()),
        }
    }
}

/// More application calls at once than one machine makes sense of; each has a stack.
pub(crate) const MAX_THREADS: usize = 4096;

const MODELS: &str = "iterative, threads, event-loop or event-loops";

const AFTER_REQUEST: &str = "of use without a --request before it";

fn text(argument: &OsString) -> Result<&str, UsageError> {
    argument.to_str().ok_or_else(|| UsageError::NotText(argument.clone()))
}

fn unknown(name: &str) -> UsageError {
    if name.starts_with('-') {
        UsageError::Unknown { flag: name.to_owned() }
    } else {
        UsageError::Stray { argument: name.to_owned() }
    }
}

fn address(flag: &'static str, value: &str) -> Result<SocketSource, UsageError> {
    value.parse().map_err(|source| UsageError::Address { flag, value: value.to_owned(), source })
}

fn once<T>(flag: &'static str, slot: &mut Option<T>, value: T) -> Result<(), UsageError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(UsageError::Conflict { first: flag, second: flag }),
    }
}

fn push(list: &mut Vec<String>, value: &str) -> Result<(), UsageError> {
    list.push(value.to_owned());
    Ok(())
}

fn once_more(slot: &mut bool) -> Result<(), UsageError> {
    *slot = true;
    Ok(())
}
