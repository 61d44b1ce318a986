//! What a program may do beyond its answer: as whom it runs, where, with how much, and what it may write.
//!
//! Holds the operator's wishes in the form in which they are applied, between clone and exec (`spawn`). What cannot be
//! prepared is an error here, and what cannot be applied is a program that is not run: never one that runs with less.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use super::Config;

/// How programs are confined. The default confines nothing: they run as the gateway itself.
///
/// # Examples
/// ```
/// use gateway_cgi::host::{Confinement, Resource};
///
/// let confinement = Confinement::new()
///     .umask(0o027)
///     .limit(Resource::CpuSeconds, 10)
///     .limit(Resource::MemoryBytes, 256 << 20)
///     .no_new_privileges();
/// assert!(Confinement::new().user("no such user").is_err());
/// # let _ = confinement;
/// ```
#[derive(Debug, Clone, Default)]
pub struct Confinement {
    pub(super) identity: Option<Identity>,
    pub(super) directory: Option<PathBuf>,
    pub(super) umask: Option<libc::mode_t>,
    pub(super) limits: Vec<(Resource, libc::rlim_t)>,
    pub(super) no_new_privileges: bool,
    pub(super) ends_with_parent: bool,
    pub(super) ruleset: Option<Arc<OwnedFd>>,
}

/// As whom a program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) user: libc::uid_t,
    pub(super) group: libc::gid_t,
    /// The supplementary groups, all of them.
    pub(super) groups: Vec<libc::gid_t>,
}

/// What of a program can be limited (setrlimit(2)). A limit holds for each process of a program, not for their sum, save
/// [`Resource::Processes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resource {
    /// Seconds of processor time; beyond them the system ends the process with SIGXCPU or SIGKILL.
    CpuSeconds,
    /// Bytes of address space; beyond them allocating fails.
    MemoryBytes,
    /// Processes of the program's user, all of them together, not the program's alone; root has no such limit.
    Processes,
    /// One more than the highest descriptor.
    Files,
    /// Bytes of a file that is written.
    FileBytes,
}

impl Resource {
    #[cfg(target_os = "linux")]
    pub(super) fn number(self) -> libc::__rlimit_resource_t {
        match self {
            Resource::CpuSeconds => libc::RLIMIT_CPU,
            Resource::MemoryBytes => libc::RLIMIT_AS,
            Resource::Processes => libc::RLIMIT_NPROC,
            Resource::Files => libc::RLIMIT_NOFILE,
            Resource::FileBytes => libc::RLIMIT_FSIZE,
        }
    }
}

impl Confinement {
    /// Nothing is confined.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing is to be done.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn is_none(&self) -> bool {
        self.identity.is_none()
            && self.umask.is_none()
            && self.limits.is_empty()
            && !self.no_new_privileges
            && !self.ends_with_parent
    }

    /// Runs programs as this user (a name or a number), with its group and its supplementary groups. The gateway has to be
    /// root, or that user.
    ///
    /// # Errors
    /// Nobody of that name is known; or it is root: what the client asks for must not be done by root because of a
    /// setting.
    pub fn user(mut self, name: &str) -> io::Result<Self> {
        let user = find_user(name)?;
        if user.uid.is_root() {
            return Err(invalid(format!("the user {name} is root, as which no program is run by a setting")));
        }
        let c_name = std::ffi::CString::new(user.name.as_str())?;
        let groups = getgrouplist(&c_name, user.gid)?;
        let groups = groups.into_iter().map(Gid::as_raw).collect();
        self.identity = Some(Identity { user: user.uid.as_raw(), group: user.gid.as_raw(), groups });
        Ok(self)
    }

    /// Runs programs with this group (a name or a number) and no other. The user is set first.
    ///
    /// # Errors
    /// No group of that name is known, or no user is set.
    pub fn group(mut self, name: &str) -> io::Result<Self> {
        let group = match name.parse() {
            Ok(number) => Gid::from_raw(number),
            Err(_) => Group::from_name(name)?.ok_or_else(|| invalid(format!("no group is called {name}")))?.gid,
        };
        let Some(identity) = &mut self.identity else {
            return Err(invalid(format!("the group {name} needs a user")));
        };
        (identity.group, identity.groups) = (group.as_raw(), vec![group.as_raw()]);
        Ok(self)
    }

    /// Where programs start. Default: the directory of each (CGI-141).
    #[must_use]
    pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.directory = Some(path.into());
        self
    }

    /// Which permissions new files do not get. Default: the gateway's own.
    #[must_use]
    pub fn umask(mut self, mask: u32) -> Self {
        self.umask = Some(mask & 0o777);
        self
    }

    /// Limits a resource; the program cannot raise it again. Default: the gateway's own limits.
    #[must_use]
    pub fn limit(mut self, resource: Resource, value: u64) -> Self {
        self.limits.retain(|(other, _)| *other != resource);
        self.limits.push((resource, value));
        self
    }

    /// No program can gain rights by executing a set-user-ID file (`PR_SET_NO_NEW_PRIVS`). Not the default: programs that
    /// send mail or ask sudo stop working.
    #[must_use]
    pub fn no_new_privileges(mut self) -> Self {
        self.no_new_privileges = true;
        self
    }

    /// The system kills the program when the thread that started it ends, and so when this process is killed
    /// (`PR_SET_PDEATHSIG`). Not the default, and not for a thread that may end before: what the program starts in turn is not
    /// killed.
    #[must_use]
    pub fn ends_with_parent(mut self) -> Self {
        self.ends_with_parent = true;
        self
    }

    /// Lets programs read everything that they may read anyway, and write below `writable` and to `/dev/null` only
    /// (Landlock). Implies [`no_new_privileges`](Self::no_new_privileges).
    ///
    /// # Errors
    /// The system has no Landlock of version 3 (Linux 6.2) or has it disabled, or one of `writable` cannot be opened.
    #[cfg(target_os = "linux")]
    pub fn read_only<P: AsRef<Path>>(mut self, writable: impl IntoIterator<Item = P>) -> io::Result<Self> {
        self.ruleset = Some(Arc::new(read_only(writable)?));
        Ok(self.no_new_privileges())
    }

    /// Not on this system: always an error.
    ///
    /// # Errors
    /// Landlock is Linux's.
    #[cfg(not(target_os = "linux"))]
    pub fn read_only<P: AsRef<Path>>(self, _: impl IntoIterator<Item = P>) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "a read-only file system needs Linux"))
    }
}

fn find_user(name: &str) -> io::Result<User> {
    let user = match name.parse() {
        Ok(number) => User::from_uid(Uid::from_raw(number)),
        Err(_) => User::from_name(name),
    };
    user?.ok_or_else(|| invalid(format!("no user is called {name}")))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// Everything that Landlock can forbid is forbidden, save what the rules say.
#[cfg(target_os = "linux")]
fn read_only<P: AsRef<Path>>(writable: impl IntoIterator<Item = P>) -> io::Result<OwnedFd> {
    use landlock::{
        ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    };
    /// Before version 3 a file could be emptied that cannot be written.
    const NEEDED: ABI = ABI::V3;
    let failed = |error: landlock::RulesetError| {
        io::Error::new(io::ErrorKind::Unsupported, format!("Landlock (Linux 6.2) is not to be had here: {error}"))
    };
    let open = |path: &Path| PathFd::new(path).map_err(|error| invalid(format!("{}: {error}", path.display())));
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(NEEDED))
        .and_then(Ruleset::create)
        .and_then(|rules| {
            let root = PathFd::new("/").map_err(|_| ()).ok();
            match root {
                Some(root) => rules.add_rule(PathBeneath::new(root, AccessFs::from_read(NEEDED))),
                None => Ok(rules),
            }
        })
        .map_err(failed)?;
    let null = Path::new("/dev/null").to_owned();
    for path in writable.into_iter().map(|path| path.as_ref().to_owned()).chain([null]) {
        let all = if path.is_dir() { AccessFs::from_all(NEEDED) } else { AccessFs::from_file(NEEDED) };
        rules = rules.add_rule(PathBeneath::new(open(&path)?, all)).map_err(failed)?;
    }
    let descriptor: Option<OwnedFd> = rules.into();
    descriptor.ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, "Landlock is not to be had here"))
}

impl Config {
    /// How programs are confined. Default: not at all, they run as the gateway itself.
    #[must_use]
    pub fn confinement(mut self, confinement: Confinement) -> Self {
        self.confinement = confinement;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_found_by_name_and_number() {
        let nobody = Confinement::new().user("nobody").unwrap().identity.unwrap();
        assert_eq!(Confinement::new().user(&nobody.user.to_string()).unwrap().identity, Some(nobody.clone()));
        assert!(nobody.groups.contains(&nobody.group));
        let grouped = Confinement::new().user("nobody").unwrap().group("0").unwrap().identity.unwrap();
        assert_eq!((grouped.user, grouped.group, grouped.groups), (nobody.user, 0, vec![0]));
    }

    #[test]
    fn cgi_158_root_and_unknown_names_are_refused() {
        for (name, message) in [("root", "is root"), ("0", "is root"), ("no-such-user", "no user is called")] {
            let error = Confinement::new().user(name).unwrap_err();
            assert!(error.to_string().contains(message), "{name}: {error}");
        }
        assert!(Confinement::new().group("daemon").unwrap_err().to_string().contains("needs a user"));
        let error = Confinement::new().user("nobody").unwrap().group("no-such-group").unwrap_err();
        assert!(error.to_string().contains("no group is called"), "{error}");
    }

    #[test]
    fn a_folder_that_is_not_there_cannot_be_writable() {
        let error = Confinement::new().read_only(["/nonexistent/folder"]).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/folder"), "{error}");
    }
}
