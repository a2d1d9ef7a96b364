//! Rules for what a driver does to packets: merging, queues, times.

use super::link::Link;
use super::verdict::{Check, Verdict};
use crate::capture::interface::{Coalescing, FlowHash, MergesWhat, Offload};

/// In the order of the answer.
pub(super) const CHECKS: &[Check<Link>] = &[
    Check { name: "offloads", run: offloads },
    Check { name: "vlan-tags", run: vlan_tags },
    Check { name: "ring-size", run: ring_size },
    Check { name: "queues", run: queues },
    Check { name: "timestamps", run: timestamps },
    Check { name: "coalescing", run: coalescing },
];

fn offloads(link: &Link) -> Verdict {
    let Some(offloads) = &link.offloads else {
        return Verdict::unknown("the kernel does not tell").by(format!("ethtool -k {}", link.name()));
    };
    let on: Vec<_> = offloads.iter().filter(|offload| offload.is_on).collect();
    if on.is_empty() {
        return Verdict::ok("none that merges packets is on");
    }
    let names = |list: &[&Offload]| list.iter().map(|offload| offload.name).collect::<Vec<_>>();
    let (fixed, loose): (Vec<&Offload>, Vec<&Offload>) =
        on.iter().copied().partition(|offload| offload.is_fixed);
    let merges_media = on.iter().any(|offload| offload.merges == MergesWhat::Udp);
    let merged = if merges_media { "packets of media" } else { "segments of TCP" };
    let mut found = format!("{} on: {merged} are merged before they are seen", names(&on).join(", "));
    if !fixed.is_empty() {
        found = format!("{found}; the driver does not let {} be changed", names(&fixed).join(", "));
    }
    let mend = if loose.is_empty() {
        "mirror to an interface with another driver".to_owned()
    } else {
        format!("ethtool -K {} {} off", link.name(), names(&loose).join(" off "))
    };
    if merges_media { Verdict::fail(found, mend) } else { Verdict::warn(found, mend) }
}

fn vlan_tags(link: &Link) -> Verdict {
    match link.takes_vlan_tags {
        Some(true) => Verdict::ok(
            "the outer tag is taken out of frames: captures get it beside them, digests (backend = \"xdp\") lack it",
        ),
        Some(false) => Verdict::ok("tags stay in frames"),
        None => Verdict::unknown("the kernel does not tell").by(format!("ethtool -k {}", link.name())),
    }
}

fn ring_size(link: &Link) -> Verdict {
    match link.rings {
        None => Verdict::unknown("the driver has no ring, or does not tell"),
        Some(sizes) if sizes.current < sizes.maximum => Verdict::warn(
            format!("{} frames of {} possible: bursts may be lost", sizes.current, sizes.maximum),
            format!("ethtool -G {} rx {}", link.name(), sizes.maximum),
        ),
        Some(sizes) => Verdict::ok(format!("{} frames, the most possible", sizes.current)),
    }
}

fn queues(link: &Link) -> Verdict {
    let Some(queues) = link.queues else {
        return Verdict::unknown("the driver does not tell").by(format!("ethtool -l {}", link.name()));
    };
    if queues.current <= 1 {
        return Verdict::ok(format!("1 of {} possible", queues.maximum.max(1)));
    }
    let count = format!("{} of {} possible", queues.current, queues.maximum);
    match link.hash {
        Some(FlowHash { is_symmetric: Some(true), .. }) => {
            Verdict::ok(format!("{count}; both directions of a flow come to one"))
        }
        Some(FlowHash { is_symmetric: Some(false), .. }) => Verdict::warn(
            format!("{count}; the directions of a flow come to different ones, so their order is not kept"),
            format!("ethtool -X {} xfrm symmetric-xor", link.name()),
        ),
        _ => Verdict::unknown(format!("{count}; whether both directions of a flow come to one is not told"))
            .by(format!("ethtool -x {}", link.name())),
    }
}

fn timestamps(link: &Link) -> Verdict {
    let clock = |number: Option<u32>| number.map(|n| format!(" (/dev/ptp{n})")).unwrap_or_default();
    match link.time_stamping {
        None => Verdict::unknown("the kernel does not tell").by(format!("ethtool -T {}", link.name())),
        Some(times) if times.hardware_all => {
            Verdict::ok(format!("hardware, of every frame{}", clock(times.clock)))
        }
        Some(times) => {
            let hardware = if times.hardware_some { "; hardware only for the time protocol" } else { "" };
            let found = format!("by the kernel{hardware}");
            match link.coalescing {
                Some(gathers) if waits(gathers) => Verdict::warn(
                    format!("{found}, after the interface has waited for more frames"),
                    "mirror to an interface that times every frame, or see coalescing",
                ),
                _ => Verdict::ok(found),
            }
        }
    }
}

/// Whether frames are held back before the kernel times them.
const fn waits(coalescing: Coalescing) -> bool {
    coalescing.is_adaptive || !coalescing.wait.is_zero()
}

/// Above this the wait shows in figures: an eighth of a millisecond, where interactive audio is judged in milliseconds.
const LONG_WAIT_MICROSECONDS: u128 = 125;

fn coalescing(link: &Link) -> Verdict {
    let Some(coalescing) = link.coalescing else {
        return Verdict::unknown("the driver does not gather frames, or does not tell");
    };
    let wait = coalescing.wait.as_micros();
    let adaptive = if coalescing.is_adaptive { ", changed by load" } else { "" };
    let found = format!("rx-usecs {wait}, rx-frames {}{adaptive}", coalescing.frames);
    if link.time_stamping.is_some_and(|times| times.hardware_all) {
        return Verdict::ok(format!("{found}; hardware times frames before"));
    }
    if !waits(coalescing) {
        return Verdict::ok(format!("{found}: frames are handed over at once"));
    }
    let floor = format!("{found}: jitter below {wait} µs cannot be seen");
    if coalescing.is_adaptive || wait > LONG_WAIT_MICROSECONDS {
        let mend = format!("ethtool -C {} adaptive-rx off rx-usecs 25", link.name());
        return Verdict::warn(floor, mend);
    }
    Verdict::ok(floor)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::example;
    use super::super::verdict::Status::{Fail, Ok, Unknown, Warn};
    use super::*;
    use crate::capture::interface::{Queues, RingSizes, TimeStamping};

    type Rule = fn(&Link) -> Verdict;

    fn with(change: impl FnOnce(&mut Link)) -> Link {
        let mut link = example::link();
        change(&mut link);
        link
    }

    fn offload(name: &'static str, merges: MergesWhat, is_fixed: bool) -> Offload {
        Offload { name, merges, is_on: true, is_fixed }
    }

    const SOFTWARE: TimeStamping =
        TimeStamping { hardware_all: false, hardware_some: true, software: true, clock: Some(0) };

    #[test]
    fn a_good_driver_has_nothing_to_mend() {
        for check in CHECKS {
            let verdict = (check.run)(&example::link());
            assert_eq!((verdict.status, &verdict.mend), (Ok, &None), "{}: {}", check.name, verdict.found);
        }
    }

    #[test]
    fn what_is_amiss_is_told_with_the_command_that_mends_it() {
        let gro = offload("gro", MergesWhat::Tcp, false);
        let udp = offload("rx-udp-gro-forwarding", MergesWhat::Udp, false);
        let lro = offload("lro", MergesWhat::Tcp, true);
        let cases = [
            (
                offloads as Rule,
                with(|l| l.offloads = Some(vec![gro.clone()])),
                Warn,
                "ethtool -K eth1 gro off",
            ),
            (
                offloads,
                with(|l| l.offloads = Some(vec![gro.clone(), udp])),
                Fail,
                "ethtool -K eth1 gro off rx-udp-gro-forwarding off",
            ),
            (offloads, with(|l| l.offloads = Some(vec![lro])), Warn, "another driver"),
            (offloads, with(|l| l.offloads = None), Unknown, "ethtool -k eth1"),
            (
                ring_size,
                with(|l| l.rings = Some(RingSizes { current: 512, maximum: 4096 })),
                Warn,
                "ethtool -G eth1 rx 4096",
            ),
            (
                queues,
                with(|l| {
                    l.queues = Some(Queues { current: 4, maximum: 8 });
                    l.hash = Some(FlowHash { covers_udp_ports: Some(true), is_symmetric: Some(false) });
                }),
                Warn,
                "ethtool -X eth1",
            ),
            (queues, with(|l| l.hash = None), Unknown, "ethtool -x eth1"),
            (timestamps, with(|l| l.time_stamping = Some(SOFTWARE)), Warn, "every frame"),
            (
                coalescing,
                with(|l| {
                    l.time_stamping = Some(SOFTWARE);
                    l.coalescing =
                        Some(Coalescing { wait: Duration::from_micros(200), frames: 0, is_adaptive: false });
                }),
                Warn,
                "ethtool -C eth1 adaptive-rx off rx-usecs 25",
            ),
        ];
        for (run, link, status, mend) in cases {
            let verdict = run(&link);
            assert_eq!(verdict.status, status, "{verdict:?}");
            assert!(verdict.mend.as_deref().is_some_and(|told| told.contains(mend)), "{verdict:?}");
        }
    }

    #[test]
    fn the_floor_of_jitter_is_told_in_microseconds() {
        let verdict = coalescing(&with(|l| {
            l.time_stamping = Some(SOFTWARE);
            l.coalescing =
                Some(Coalescing { wait: Duration::from_micros(50), frames: 8, is_adaptive: false });
        }));
        let expected = "rx-usecs 50, rx-frames 8: jitter below 50 µs cannot be seen";
        assert_eq!((verdict.status, verdict.found.as_str()), (Ok, expected));
    }

    #[test]
    fn an_offload_that_cannot_be_changed_is_named_but_not_in_the_command() {
        let fixed = offload("rx-gro-hw", MergesWhat::Tcp, true);
        let both = vec![offload("gro", MergesWhat::Tcp, false), fixed];
        let verdict = offloads(&with(|l| l.offloads = Some(both)));
        assert_eq!(verdict.mend.as_deref(), Some("ethtool -K eth1 gro off"));
        assert!(verdict.found.ends_with("the driver does not let rx-gro-hw be changed"), "{verdict:?}");
    }

    #[test]
    fn an_interface_that_does_not_wait_has_no_floor_of_jitter() {
        let prompt = with(|l| {
            l.time_stamping = Some(SOFTWARE);
            l.coalescing = Some(Coalescing { wait: Duration::ZERO, frames: 1, is_adaptive: false });
        });
        assert_eq!((timestamps(&prompt).status, coalescing(&prompt).status), (Ok, Ok));
        assert!(coalescing(&prompt).found.ends_with("at once"), "{:?}", coalescing(&prompt));
    }

    #[test]
    fn what_a_software_interface_lacks_is_no_fault() {
        let veth = with(|l| {
            l.interface.software_kind = Some("veth".to_owned());
            (l.rings, l.coalescing) = (None, None);
            l.time_stamping = Some(TimeStamping { hardware_some: false, clock: None, ..SOFTWARE });
        });
        assert_eq!(timestamps(&veth).status, Ok);
        assert_eq!((ring_size(&veth).status, coalescing(&veth).status), (Unknown, Unknown));
    }
}
