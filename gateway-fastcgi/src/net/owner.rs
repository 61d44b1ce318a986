//! Users and groups by name, and who owns a socket file.
//!
//! Holds the spelling, `USER`, `USER:GROUP` or `:GROUP`, and the look into the system's lists. Changes nothing.

use nix::unistd::{Group, User};
use std::io;
use std::str::FromStr;

/// The owner of a socket file: a user, a group, or both. What is not named stays as it is.
///
/// # Examples
/// ```
/// use gateway_fastcgi::net::Owner;
///
/// let owner: Owner = "0:33".parse()?;
/// assert_eq!((owner.uid(), owner.gid()), (Some(0), Some(33)));
/// let owner: Owner = ":33".parse()?;
/// assert_eq!((owner.uid(), owner.gid()), (None, Some(33)));
/// assert_eq!("root".parse::<Owner>()?, Owner::user(0));
/// # Ok::<(), gateway_fastcgi::net::OwnerError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    uid: Option<u32>,
    gid: Option<u32>,
}

/// A user or a group that there is not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnerError {
    /// Neither a user nor a group is named.
    #[error("expected USER, USER:GROUP or :GROUP")]
    Nobody,
    /// The system knows no such user.
    #[error("no user is called \"{}\"", .name.escape_debug())]
    User {
        /// As it was written.
        name: String,
    },
    /// The system knows no such group.
    #[error("no group is called \"{}\"", .name.escape_debug())]
    Group {
        /// As it was written.
        name: String,
    },
    /// The lists of users and groups cannot be read.
    #[error("users and groups cannot be looked up: {0}")]
    Lookup(#[source] io::Error),
}

impl Owner {
    /// This user; the group stays as it is.
    pub fn user(uid: u32) -> Self {
        Self { uid: Some(uid), gid: None }
    }

    /// This group; the user stays as it is.
    pub fn group(gid: u32) -> Self {
        Self { uid: None, gid: Some(gid) }
    }

    /// With this group.
    #[must_use]
    pub fn and_group(self, gid: u32) -> Self {
        Self { gid: Some(gid), ..self }
    }

    /// The user, if one is named.
    pub fn uid(&self) -> Option<u32> {
        self.uid
    }

    /// The group, if one is named.
    pub fn gid(&self) -> Option<u32> {
        self.gid
    }
}

impl FromStr for Owner {
    type Err = OwnerError;

    fn from_str(text: &str) -> Result<Self, OwnerError> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let uid = (!user.is_empty()).then(|| user_id(user)).transpose()?;
        let gid = group.map(group_id).transpose()?;
        if uid.is_none() && gid.is_none() { Err(OwnerError::Nobody) } else { Ok(Self { uid, gid }) }
    }
}

/// The id of a user, given as a name or as the number itself.
///
/// # Errors
/// [`OwnerError::User`] if there is none of that name.
pub fn user_id(name: &str) -> Result<u32, OwnerError> {
    let unknown = || OwnerError::User { name: name.to_owned() };
    match number(name) {
        Some(id) => id.ok_or_else(unknown),
        None => match User::from_name(name) {
            Ok(user) => user.map(|user| user.uid.as_raw()).ok_or_else(unknown),
            Err(error) => Err(OwnerError::Lookup(error.into())),
        },
    }
}

/// The id of a group, given as a name or as the number itself.
///
/// # Errors
/// [`OwnerError::Group`] if there is none of that name.
pub fn group_id(name: &str) -> Result<u32, OwnerError> {
    let unknown = || OwnerError::Group { name: name.to_owned() };
    match number(name) {
        Some(id) => id.ok_or_else(unknown),
        None => match Group::from_name(name) {
            Ok(group) => group.map(|group| group.gid.as_raw()).ok_or_else(unknown),
            Err(error) => Err(OwnerError::Lookup(error.into())),
        },
    }
}

/// The number that `name` is, if it is one: none that does not fit, and not the highest, which chown(2) takes for "no change".
fn number(name: &str) -> Option<Option<u32>> {
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| name.parse().ok().filter(|id| *id != u32::MAX))
}
