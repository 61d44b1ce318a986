//! Becoming another user once everything is bound that needs root.
//!
//! Holds who that is, and the one way to it, on which there is no way back. Does not decide when.

use nix::unistd::{Gid, Group, Uid, User};

/// Whom the server becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    name: String,
    uid: Uid,
    gid: Gid,
    /// All groups, the first included.
    groups: Vec<Gid>,
}

/// Why the server does not become another user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PrivilegeError {
    #[error("there is no user {0:?}")]
    NoUser(String),
    #[error("there is no group {0:?}")]
    NoGroup(String),
    #[error("a group means something together with a user only")]
    NoUserForGroup,
    #[error("only root becomes another user: start it as root, or leave the user out")]
    NotRoot,
    #[error("cannot become user {name}: {what}: {error}")]
    System { name: String, what: &'static str, error: nix::errno::Errno },
    #[error("became user {name}, but could become root again; stopped for that reason")]
    WayBack { name: String },
}

impl Identity {
    /// The user, by name or number, with the groups of the system's list; or with this group alone. `None` if there is nothing to become.
    pub(super) fn of(user: Option<&str>, group: Option<&str>) -> Result<Option<Self>, PrivilegeError> {
        let Some(name) = user else {
            return if group.is_some() { Err(PrivilegeError::NoUserForGroup) } else { Ok(None) };
        };
        let no_user = || PrivilegeError::NoUser(name.to_owned());
        let known = match name.parse() {
            Ok(number) => User::from_uid(Uid::from_raw(number)),
            Err(_) => User::from_name(name),
        };
        let known = known.ok().flatten().ok_or_else(no_user)?;
        let (gid, groups) = match group {
            Some(group) => {
                let gid = gid_of(group)?;
                (gid, vec![gid])
            }
            None => {
                let login = std::ffi::CString::new(known.name.as_bytes()).map_err(|_| no_user())?;
                let groups = nix::unistd::getgrouplist(&login, known.gid).unwrap_or_else(|_| vec![known.gid]);
                (known.gid, groups)
            }
        };
        Ok(Some(Self { name: known.name, uid: known.uid, gid, groups }))
    }

    /// Whether it is root, who can make programs run as anybody.
    pub(super) fn is_root(&self) -> bool {
        self.uid.is_root()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether this process is that user already, and no other: nothing is to be done then.
    fn is_taken(&self) -> bool {
        let ids = [nix::unistd::getuid(), nix::unistd::geteuid()];
        !self.uid.is_root() && ids.iter().all(|uid| *uid == self.uid)
    }

    /// To be called before the first thread is started: nothing that this process executes from now on gets more rights than it has, by
    /// set-user-id files or otherwise (PR_SET_NO_NEW_PRIVS; threads inherit it).
    pub(super) fn prepare(&self) -> Result<(), PrivilegeError> {
        if !self.is_taken() && !nix::unistd::geteuid().is_root() {
            return Err(PrivilegeError::NotRoot);
        }
        let errno = |error: rustix::io::Errno| nix::errno::Errno::from_raw(error.raw_os_error());
        rustix::thread::set_no_new_privs(true).map_err(|error| self.failed("no new privileges", errno(error)))
    }

    /// Becomes it, in all threads.
    pub(super) fn take(&self) -> Result<(), PrivilegeError> {
        if self.is_taken() {
            return Ok(());
        }
        // The groups first: without root they could not be given up any more.
        nix::unistd::setgroups(&self.groups).map_err(|error| self.failed("setgroups", error))?;
        nix::unistd::setresgid(self.gid, self.gid, self.gid).map_err(|error| self.failed("setresgid", error))?;
        nix::unistd::setresuid(self.uid, self.uid, self.uid).map_err(|error| self.failed("setresuid", error))?;
        if !self.uid.is_root() && nix::unistd::setuid(Uid::from_raw(0)).is_ok() {
            return Err(PrivilegeError::WayBack { name: self.name.clone() });
        }
        Ok(())
    }

    fn failed(&self, what: &'static str, error: nix::errno::Errno) -> PrivilegeError {
        PrivilegeError::System { name: self.name.clone(), what, error }
    }
}

fn gid_of(group: &str) -> Result<Gid, PrivilegeError> {
    let known = match group.parse() {
        Ok(number) => return Ok(Gid::from_raw(number)),
        Err(_) => Group::from_name(group),
    };
    known.ok().flatten().map(|group| group.gid).ok_or_else(|| PrivilegeError::NoGroup(group.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_known_by_name_and_number() {
        let root = Identity::of(Some("root"), None).unwrap().unwrap();
        assert_eq!((root.name(), root.uid, root.gid), ("root", Uid::from_raw(0), Gid::from_raw(0)));
        assert_eq!(Identity::of(Some("0"), None).unwrap(), Some(root.clone()));
        let other = Identity::of(Some("root"), Some("12345")).unwrap().unwrap();
        assert_eq!((other.gid, other.groups), (Gid::from_raw(12345), vec![Gid::from_raw(12345)]));
        assert_eq!(Identity::of(None, None), Ok(None));
    }

    #[test]
    fn who_is_not_there_is_told() {
        assert_eq!(
            Identity::of(Some("nobody-of-this-name"), None).unwrap_err().to_string(),
            "there is no user \"nobody-of-this-name\""
        );
        assert_eq!(
            Identity::of(Some("root"), Some("no-such-group")),
            Err(PrivilegeError::NoGroup("no-such-group".into()))
        );
        assert_eq!(Identity::of(None, Some("root")), Err(PrivilegeError::NoUserForGroup));
    }
}
