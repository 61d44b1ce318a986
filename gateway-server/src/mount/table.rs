//! The table of mounts: the longest prefix answers.
//!
//! Holds the lookup. Does not hold what a target is or does.

use super::{Prefix, RequestPath};

/// Prefixes and what is mounted at each; `T` is whatever answers.
///
/// # Examples
/// ```
/// use gateway_server::mount::{MountTable, RequestPath};
/// let mut table = MountTable::new();
/// table.mount("/".parse()?, "site")?;
/// table.mount("/app".parse()?, "application")?;
///
/// let path = RequestPath::decode(b"/app/users/1")?;
/// let mounted = table.find(&path).ok_or("nobody answers")?;
/// assert_eq!(*mounted.target, "application");
/// assert_eq!((mounted.script_name, mounted.path_info), (&b"/app"[..], &b"/users/1"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct MountTable<T> {
    /// The longest first, so that the first that fits is the answer.
    mounts: Vec<(Prefix, T)>,
}

/// Who answers a path, and the path as they are told it.
#[derive(Debug)]
pub struct Mounted<'t, 'p, T> {
    /// What is mounted.
    pub target: &'t T,
    /// Where.
    pub prefix: &'t Prefix,
    /// The decoded path up to the end of the prefix: empty for the mount at `/`.
    pub script_name: &'t [u8],
    /// The rest: empty, or from a `/` on. Together they are the whole decoded path (CGI-37).
    pub path_info: &'p [u8],
}

/// Two mounts at one prefix: only one could ever answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("prefix {prefix} is mounted already")]
pub struct AlreadyMounted {
    /// The prefix.
    pub prefix: Prefix,
}

impl<T> Default for MountTable<T> {
    fn default() -> Self {
        MountTable { mounts: Vec::new() }
    }
}

impl<T> MountTable<T> {
    /// An empty table: nobody answers anything.
    pub fn new() -> Self {
        MountTable::default()
    }

    /// Adds a mount; the order of the calls does not matter.
    ///
    /// # Errors
    /// [`AlreadyMounted`] if the prefix is taken.
    pub fn mount(&mut self, prefix: Prefix, target: T) -> Result<(), AlreadyMounted> {
        if self.mounts.iter().any(|(taken, _)| *taken == prefix) {
            return Err(AlreadyMounted { prefix });
        }
        let length = prefix.script_name().len();
        let at = self.mounts.partition_point(|(other, _)| other.script_name().len() >= length);
        self.mounts.insert(at, (prefix, target));
        Ok(())
    }

    /// The mount with the longest prefix of `path`, `None` if there is none: the answer is 404.
    pub fn find<'t, 'p>(&'t self, path: &'p RequestPath<'_>) -> Option<Mounted<'t, 'p, T>> {
        self.mounts.iter().find_map(|(prefix, target)| {
            let path_info = prefix.strip(path)?;
            Some(Mounted { target, prefix, script_name: prefix.script_name(), path_info })
        })
    }

    /// The mounts, the longest prefix first.
    pub fn iter(&self) -> impl Iterator<Item = (&Prefix, &T)> {
        self.mounts.iter().map(|(prefix, target)| (prefix, target))
    }

    /// Whether nothing is mounted.
    pub fn is_empty(&self) -> bool {
        self.mounts.is_empty()
    }
}
