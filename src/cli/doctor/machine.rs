//! Facts of the box and of this process, gathered once.

use std::fs;
use std::path::Path;

use landlock::{ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};
use nix::libc::RLIM_INFINITY;
use nix::sys::resource::{Resource, getrlimit};

/// What the kernel allows, and what this process may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Machine {
    /// As `uname -r` prints it.
    pub(super) release: Option<String>,
    /// The effective capabilities of this process, one bit each.
    pub(super) capabilities: Option<u64>,
    /// Whether packet sockets are there at all.
    pub(super) has_packet_sockets: bool,
    /// `kernel.unprivileged_bpf_disabled`: 0 anyone may load, 1 and 2 not.
    pub(super) bpf_disabled: Option<u8>,
    /// Whether the kernel describes its own types.
    pub(super) has_btf: bool,
    /// The newest version of landlock that the kernel enforces; 0: none.
    pub(super) landlock: u8,
    /// The security modules at work; absent where securityfs is not mounted.
    pub(super) security_modules: Option<String>,
    /// Whether system calls can be filtered.
    pub(super) has_seccomp: bool,
    /// Octets that may be locked in memory; absent: no limit.
    pub(super) lockable: Option<u64>,
    /// Octets of memory that programs can still have.
    pub(super) available: Option<u64>,
    /// How many interfaces are to be captured on.
    pub(super) interfaces: usize,
}

/// Numbers of capabilities (include/uapi/linux/capability.h).
pub(super) const NET_ADMIN: u32 = 12;
pub(super) const NET_RAW: u32 = 13;
pub(super) const SYS_ADMIN: u32 = 21;
pub(super) const BPF: u32 = 39;

impl Machine {
    /// Asks the kernel.
    pub(super) fn gather(interfaces: usize) -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let word = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        Self {
            release: word("/proc/sys/kernel/osrelease"),
            capabilities: field(&status, "CapEff").and_then(|hex| u64::from_str_radix(hex, 16).ok()),
            has_packet_sockets: Path::new("/proc/net/packet").exists(),
            bpf_disabled: word("/proc/sys/kernel/unprivileged_bpf_disabled")
                .and_then(|text| text.parse().ok()),
            has_btf: Path::new("/sys/kernel/btf/vmlinux").exists(),
            landlock: landlock_version(),
            security_modules: word("/sys/kernel/security/lsm"),
            has_seccomp: field(&status, "Seccomp").is_some(),
            lockable: getrlimit(Resource::RLIMIT_MEMLOCK)
                .ok()
                .map(|(soft, _)| soft)
                .filter(|soft| *soft != RLIM_INFINITY),
            available: field(&memory, "MemAvailable")
                .and_then(|size| size.strip_suffix(" kB")?.trim().parse::<u64>().ok())
                .map(|kilobytes| kilobytes << 10),
            interfaces,
        }
    }

    /// Whether this process has a capability; absent where the kernel does not tell.
    pub(super) fn may(&self, capability: u32) -> Option<bool> {
        self.capabilities.map(|all| all >> capability & 1 == 1)
    }

    /// Whether this process may load programs into the kernel.
    pub(super) fn may_load_programs(&self) -> bool {
        [BPF, SYS_ADMIN].into_iter().any(|capability| self.may(capability) == Some(true))
    }

    /// The first two numbers of the release.
    pub(super) fn version(&self) -> Option<(u32, u32)> {
        let mut numbers = self.release.as_deref()?.split(['.', '-']);
        let mut number = || numbers.next()?.parse().ok();
        Some((number()?, number()?))
    }
}

/// The value of a line `name: value`.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// The newest version whose rules the kernel takes. Makes rules, but is not put under them.
fn landlock_version() -> u8 {
    let versions = [ABI::V1, ABI::V2, ABI::V3, ABI::V4, ABI::V5, ABI::V6];
    let is_taken = |version: &ABI| {
        Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(*version))
            .and_then(Ruleset::create)
            .is_ok()
    };
    versions.into_iter().take_while(is_taken).count().try_into().unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_begin_with_two_numbers() {
        for (release, expected) in [
            ("6.18.5", Some((6, 18))),
            ("5.15.0-91-generic", Some((5, 15))),
            ("6.1-rc3", Some((6, 1))),
            ("custom", None),
        ] {
            let machine = Machine { release: Some(release.to_owned()), ..Machine::default() };
            assert_eq!(machine.version(), expected, "{release}");
        }
    }

    #[test]
    fn this_machine_tells_what_it_is() {
        let machine = Machine::gather(1);
        assert!(machine.version().is_some(), "{machine:?}");
        assert!(machine.capabilities.is_some() && machine.available.is_some(), "{machine:?}");
    }
}
