//! The capabilities of this thread: read, kept, given up.

use std::io;

use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl;
use nix::unistd::Uid;

use super::account::Account;
use super::error::LockError;

/// Opens packet sockets; without it there is no live capture.
pub(super) const NEEDED: Capability = Capability::CAP_NET_RAW;

/// What the opener keeps: to open, to set up interfaces (time stamps, offloads), to load kernel programs.
pub(super) const KEPT: [Capability; 3] = [NEEDED, Capability::CAP_NET_ADMIN, Capability::CAP_BPF];

/// What this thread may have in effect.
pub(super) fn permitted() -> CapsHashSet {
    caps::read(None, CapSet::Permitted).unwrap_or_default()
}

/// Whether this process may become another user.
fn may_change_user(permitted: &CapsHashSet) -> bool {
    permitted.contains(&Capability::CAP_SETUID) && permitted.contains(&Capability::CAP_SETGID)
}

/// Lets the next program that this process starts have what the opener keeps, also where its file has no
/// capabilities and its user is not root.
///
/// Some systems forbid it; then the opener says that it lacks them, unless it has them by its file.
pub(super) fn pass_on() {
    for capability in permitted().intersection(&KEPT.into_iter().collect()) {
        let _ = caps::raise(None, CapSet::Inheritable, *capability)
            .and_then(|()| caps::raise(None, CapSet::Ambient, *capability));
    }
}

/// Becomes `account` if this process may, and keeps of its capabilities those in `kept`, in no set that a program
/// started later would inherit.
///
/// Gives whether the user was changed.
pub(super) fn reduce(account: Option<&Account>, kept: &[Capability]) -> Result<bool, LockError> {
    let permitted = permitted();
    let kept: CapsHashSet = permitted.iter().copied().filter(|one| kept.contains(one)).collect();
    // What may be in effect need not be; the steps below need it.
    caps::set(None, CapSet::Effective, &permitted).map_err(step("capabilities cannot be put in effect"))?;
    if permitted.contains(&Capability::CAP_SETPCAP) {
        // While it may: what is not in this set cannot be had again by starting a program.
        caps::clear(None, CapSet::Bounding).map_err(step("the bounding set cannot be cleared"))?;
    }
    let account =
        account.filter(|account| may_change_user(&permitted) && account.uid() != Uid::current().as_raw());
    if let Some(account) = account {
        if !kept.is_empty() {
            prctl::set_keepcaps(true)
                .map_err(LockError::step("capabilities cannot be kept over a change of user"))?;
        }
        account.assume()?;
    }
    caps::set(None, CapSet::Effective, &kept).map_err(step("capabilities cannot be given up"))?;
    caps::set(None, CapSet::Permitted, &kept).map_err(step("capabilities cannot be given up"))?;
    caps::clear(None, CapSet::Inheritable).map_err(step("capabilities to inherit cannot be given up"))?;
    // Linux before 4.3 has no such set, and nothing in it either.
    let _ = caps::clear(None, CapSet::Ambient);
    Ok(account.is_some())
}

fn step(step: &'static str) -> impl FnOnce(caps::errors::CapsError) -> LockError {
    move |cause| LockError::Step { step, cause: io::Error::other(cause) }
}
