//! The ordinary user that a process becomes.

use nix::unistd::{Gid, Uid, User, setgroups, setresgid, setresuid};
use serde::{Deserialize, Serialize};

use super::error::LockError;

/// The user without rights of its own that every Linux has.
const NOBODY: &str = "nobody";

/// An ordinary user of this system: never root, neither as user nor as group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// The user that the configuration names, or `nobody`.
    ///
    /// # Errors
    ///
    /// There is no such user, it is root, or users cannot be looked up.
    pub fn find(configured: Option<&str>) -> Result<Self, LockError> {
        let name = configured.unwrap_or(NOBODY);
        match User::from_name(name) {
            Ok(Some(user)) => Self::ordinary(name, user.uid, user.gid),
            Ok(None) => Err(LockError::UnknownUser { name: name.to_owned() }),
            Err(cause) => Err(LockError::Lookup { name: name.to_owned(), cause: cause.into() }),
        }
    }

    fn ordinary(name: &str, uid: Uid, gid: Gid) -> Result<Self, LockError> {
        if uid.is_root() || gid.as_raw() == 0 {
            return Err(LockError::UserIsRoot { name: name.to_owned() });
        }
        Ok(Self { name: name.to_owned(), uid: uid.as_raw(), gid: gid.as_raw() })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// Makes this process its own: no other group, and no way back.
    ///
    /// The capabilities of the process go with it, unless it asked to keep them.
    pub(super) fn assume(&self) -> Result<(), LockError> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        setgroups(&[]).map_err(LockError::step("groups cannot be given up"))?;
        setresgid(gid, gid, gid).map_err(LockError::step("the group cannot be changed"))?;
        setresuid(uid, uid, uid).map_err(LockError::step("the user cannot be changed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_name_it_is_nobody() {
        let account = Account::find(None).unwrap();
        assert_eq!(account.name(), "nobody");
        assert_ne!(account.uid(), 0);
    }

    #[test]
    fn root_is_no_ordinary_user() {
        assert!(matches!(Account::find(Some("root")), Err(LockError::UserIsRoot { .. })));
        let group_of_root = Account::ordinary("half", Uid::from_raw(7), Gid::from_raw(0));
        assert!(matches!(group_of_root, Err(LockError::UserIsRoot { .. })));
    }

    #[test]
    fn a_user_that_is_not_there_is_named_with_the_way_to_make_it() {
        let error = Account::find(Some("hopmark-no-such-user")).unwrap_err().to_string();
        assert!(error.contains("useradd --system --no-create-home hopmark-no-such-user"), "{error}");
    }
}
