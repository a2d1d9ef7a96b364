//! Rules for the box: capabilities and features of the kernel.

use super::machine::{BPF, Machine, NET_ADMIN, NET_RAW};
use super::verdict::{Check, SETCAP, Verdict};

/// In the order of the answer.
pub(super) const CHECKS: &[Check<Machine>] = &[
    Check { name: "capabilities", run: capabilities },
    Check { name: "kernel", run: kernel },
    Check { name: "ring", run: ring },
    Check { name: "ebpf", run: ebpf },
    Check { name: "btf", run: btf },
    Check { name: "landlock", run: landlock },
    Check { name: "seccomp", run: seccomp },
    Check { name: "memory-lock", run: memory_lock },
    Check { name: "memory", run: memory },
];

fn capabilities(machine: &Machine) -> Verdict {
    if machine.capabilities.is_none() {
        return Verdict::unknown("the kernel does not tell what this process may")
            .by("grep Cap /proc/self/status");
    }
    let wanted = [(NET_RAW, "cap_net_raw"), (NET_ADMIN, "cap_net_admin"), (BPF, "cap_bpf")];
    let has = |capability| match capability {
        BPF => machine.may_load_programs(),
        other => machine.may(other) == Some(true),
    };
    let (there, lacking): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|(capability, _)| has(*capability));
    let names = |list: &[(u32, &str)]| list.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
    if lacking.is_empty() {
        return Verdict::ok(names(&there));
    }
    let found = format!("this process lacks {}", names(&lacking));
    if has(NET_RAW) {
        // Captures run without the others, but offloads stay as they are, and the filter is a lesser one.
        Verdict::warn(found, SETCAP)
    } else {
        Verdict::fail(format!("{found}: it cannot capture"), SETCAP)
    }
}

/// The oldest kernel with `CAP_BPF`, memory of eBPF programs counted to control groups, and landlock.
const WHOLE: (u32, u32) = (5, 13);
/// The oldest kernel with rings of the third version and fan-out by eBPF.
const OLDEST: (u32, u32) = (4, 3);

fn kernel(machine: &Machine) -> Verdict {
    let release = machine.release.as_deref().unwrap_or_default();
    match machine.version() {
        None => Verdict::unknown(format!("release {release:?} is not of the usual form")).by("uname -r"),
        Some(version) if version < OLDEST => {
            Verdict::fail(format!("{release} lacks what captures need"), "install a kernel from 5.13 on")
        }
        Some(version) if version < WHOLE => Verdict::warn(
            format!("{release} lacks landlock, so the process that parses packets is locked less"),
            "install a kernel from 5.13 on",
        ),
        Some(_) => Verdict::ok(release),
    }
}

fn ring(machine: &Machine) -> Verdict {
    if machine.has_packet_sockets {
        Verdict::ok("packet sockets with rings of version 3 (AF_PACKET, TPACKET_V3)")
    } else {
        Verdict::fail("this kernel has no packet sockets", "modprobe af_packet")
    }
}

fn ebpf(machine: &Machine) -> Verdict {
    match (machine.may_load_programs(), machine.bpf_disabled) {
        (true, _) => Verdict::ok("this process may load the filter and the fan-out"),
        (false, Some(0)) => Verdict::ok("anyone may load filters here (unprivileged_bpf_disabled = 0)"),
        (false, Some(value)) => Verdict::warn(
            format!(
                "this process may not load eBPF (unprivileged_bpf_disabled = {value}): the filter is classic BPF"
            ),
            SETCAP,
        ),
        (false, None) => Verdict::warn(
            "this kernel has no eBPF: the filter is classic BPF, and fan-out is by outer addresses",
            "install a kernel that is built with CONFIG_BPF_SYSCALL",
        ),
    }
}

fn btf(machine: &Machine) -> Verdict {
    if machine.has_btf {
        return Verdict::ok("the kernel describes its types (/sys/kernel/btf/vmlinux)");
    }
    Verdict::warn(
        "no /sys/kernel/btf/vmlinux: programs cannot be adapted to this kernel",
        "install a kernel that is built with CONFIG_DEBUG_INFO_BTF",
    )
}

fn landlock(machine: &Machine) -> Verdict {
    if machine.landlock > 0 {
        return Verdict::ok(format!("version {} or newer is enforced", machine.landlock));
    }
    match machine.security_modules.as_deref() {
        Some(modules) => Verdict::warn(
            format!("not among the security modules at work ({modules})"),
            format!("boot with lsm=landlock,{modules}"),
        ),
        None => Verdict::warn(
            "this kernel does not enforce it, so the process that parses packets is locked less",
            "install a kernel that is built with CONFIG_SECURITY_LANDLOCK, and boot it with lsm=landlock,...",
        ),
    }
}

fn seccomp(machine: &Machine) -> Verdict {
    if machine.has_seccomp {
        return Verdict::ok("system calls can be filtered");
    }
    Verdict::warn(
        "this kernel does not filter system calls, so the process that parses packets is locked less",
        "install a kernel that is built with CONFIG_SECCOMP_FILTER",
    )
}

/// From this kernel on the memory of eBPF programs is counted to control groups, not to locked memory.
const FREE_OF_LOCK: (u32, u32) = (5, 11);
/// More than the maps of the filter and the fan-out take.
const MAPS: u64 = 16 << 20;

fn memory_lock(machine: &Machine) -> Verdict {
    let Some(limit) = machine.lockable else { return Verdict::ok("no limit") };
    let size = mebibytes(limit);
    if machine.version().is_some_and(|version| version >= FREE_OF_LOCK) {
        return Verdict::ok(format!("limit {size}; neither rings nor eBPF count against it"));
    }
    if limit >= MAPS {
        return Verdict::ok(format!("limit {size}"));
    }
    Verdict::warn(
        format!("limit {size}: on this kernel eBPF maps count against it, and loading the filter may fail"),
        "set LimitMEMLOCK=infinity in the systemd unit",
    )
}

/// Octets of a ring as it is asked for by default.
const RING: u64 = 64 << 20;
/// What the tables take when they are full, by and large.
const TABLES: u64 = 512 << 20;

fn memory(machine: &Machine) -> Verdict {
    let Some(available) = machine.available else {
        return Verdict::unknown("the kernel does not tell how much is free")
            .by("grep MemAvailable /proc/meminfo");
    };
    let rings = RING * machine.interfaces.max(1) as u64;
    let found = format!("{} available; rings take {}", mebibytes(available), mebibytes(rings));
    if available < rings {
        Verdict::fail(found, "lower blocks of [capture] in the configuration, or give the box more memory")
    } else if available < rings + TABLES {
        let found = format!("{found}, full tables about {}", mebibytes(TABLES));
        Verdict::warn(
            found,
            "lower max_streams of [limits] in the configuration, or give the box more memory",
        )
    } else {
        Verdict::ok(found)
    }
}

fn mebibytes(octets: u64) -> String {
    format!("{} MiB", octets >> 20)
}

#[cfg(test)]
mod tests {
    use super::super::machine::SYS_ADMIN;
    use super::super::verdict::Status::{Fail, Ok, Unknown, Warn};
    use super::*;

    fn good() -> Machine {
        Machine {
            release: Some("6.8.0-31-generic".to_owned()),
            capabilities: Some(1 << NET_RAW | 1 << NET_ADMIN | 1 << BPF),
            has_packet_sockets: true,
            bpf_disabled: Some(2),
            has_btf: true,
            landlock: 4,
            security_modules: Some("landlock,yama".to_owned()),
            has_seccomp: true,
            lockable: Some(8 << 20),
            available: Some(4 << 30),
            interfaces: 2,
        }
    }

    #[test]
    fn a_good_box_has_nothing_to_mend() {
        for check in CHECKS {
            let verdict = (check.run)(&good());
            assert_eq!((verdict.status, &verdict.mend), (Ok, &None), "{}: {}", check.name, verdict.found);
        }
    }

    #[test]
    fn what_is_amiss_is_told_with_how_to_mend_it() {
        let cases: [(&str, Machine, _, &str); 14] = [
            ("capabilities", Machine { capabilities: Some(0), ..good() }, Fail, "setcap cap_net_raw"),
            ("capabilities", Machine { capabilities: Some(1 << NET_RAW), ..good() }, Warn, "cap_bpf=ep"),
            ("capabilities", Machine { capabilities: None, ..good() }, Unknown, "/proc/self/status"),
            ("kernel", Machine { release: Some("3.10.0-1160.el7".to_owned()), ..good() }, Fail, "5.13"),
            ("kernel", Machine { release: Some("5.4.0".to_owned()), ..good() }, Warn, "5.13"),
            ("ring", Machine { has_packet_sockets: false, ..good() }, Fail, "modprobe af_packet"),
            ("ebpf", Machine { capabilities: Some(1 << NET_RAW), ..good() }, Warn, "setcap"),
            (
                "ebpf",
                Machine { capabilities: None, bpf_disabled: None, ..good() },
                Warn,
                "CONFIG_BPF_SYSCALL",
            ),
            ("btf", Machine { has_btf: false, ..good() }, Warn, "CONFIG_DEBUG_INFO_BTF"),
            (
                "landlock",
                Machine { landlock: 0, security_modules: Some("yama,apparmor".to_owned()), ..good() },
                Warn,
                "lsm=landlock,yama,apparmor",
            ),
            ("seccomp", Machine { has_seccomp: false, ..good() }, Warn, "CONFIG_SECCOMP_FILTER"),
            (
                "memory-lock",
                Machine { release: Some("5.4.0".to_owned()), lockable: Some(64 << 10), ..good() },
                Warn,
                "LimitMEMLOCK=infinity",
            ),
            ("memory", Machine { available: Some(100 << 20), ..good() }, Fail, "lower blocks of [capture]"),
            ("memory", Machine { available: Some(300 << 20), ..good() }, Warn, "max_streams"),
        ];
        for (name, machine, status, mend) in cases {
            let check = CHECKS.iter().find(|check| check.name == name).unwrap();
            let verdict = (check.run)(&machine);
            assert_eq!(verdict.status, status, "{name}: {verdict:?}");
            assert!(verdict.mend.as_deref().is_some_and(|told| told.contains(mend)), "{name}: {verdict:?}");
        }
    }

    #[test]
    fn root_without_the_newer_capability_may_load_programs() {
        let machine = Machine { capabilities: Some(1 << SYS_ADMIN), ..good() };
        assert_eq!(ebpf(&machine).status, Ok);
    }
}
