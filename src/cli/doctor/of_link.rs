//! Rules for an interface: how it stands, and what is lost on it.

use super::link::Link;
use super::verdict::{Check, Verdict};
use crate::capture::interface::Interface;

/// In the order of the answer.
pub(super) const CHECKS: &[Check<Link>] = &[
    Check { name: "kind", run: kind },
    Check { name: "up", run: up },
    Check { name: "carrier", run: carrier },
    Check { name: "promiscuous", run: promiscuous },
    Check { name: "mtu", run: mtu },
    Check { name: "drops", run: drops },
];

fn kind(link: &Link) -> Verdict {
    let what = link.kind();
    if link.interface.is_ethernet() {
        return Verdict::ok(if what.is_empty() {
            "Ethernet".to_owned()
        } else {
            format!("Ethernet, {what}")
        });
    }
    Verdict::warn(
        format!("not Ethernet (link kind {})", link.interface.link_kind),
        "backend = \"pcap\" for this point in the configuration",
    )
}

fn up(link: &Link) -> Verdict {
    if link.interface.is_up {
        return Verdict::ok("switched on");
    }
    Verdict::fail("switched off", format!("ip link set {} up", link.name()))
}

fn carrier(link: &Link) -> Verdict {
    match (link.interface.is_up, link.interface.has_carrier) {
        (_, true) => Verdict::ok("there is a link"),
        (false, false) => {
            let mend = format!("ip link set {} up, and ask again", link.name());
            Verdict::unknown("cannot be told while the interface is switched off").by(mend)
        }
        (true, false) => Verdict::fail(
            "no link: nothing is at the other end",
            format!("check cable, module and the switch's port; ethtool {}", link.name()),
        ),
    }
}

fn promiscuous(link: &Link) -> Verdict {
    if link.interface.is_promiscuous {
        return Verdict::ok(match link.interface.promiscuity {
            Some(users) if users > 0 => format!("on ({users} holding it)"),
            _ => "on".to_owned(),
        });
    }
    if link.interface.link_kind == Interface::LOOPBACK {
        return Verdict::ok("not needed on a loopback");
    }
    if link.may_capture {
        return Verdict::ok("off now; a capture switches it on while it runs");
    }
    Verdict::warn(
        "off: frames to other machines, so all that is mirrored, are not taken",
        format!("ip link set {} promisc on", link.name()),
    )
}

/// What most links carry; frames of this size do not fit any more once a tunnel is around them.
const USUAL: u32 = 1500;
/// A usual frame in ERSPAN III or VXLAN over IPv6, with two tags.
const USUAL_IN_TUNNEL: u32 = 1600;
/// What networks with jumbo frames carry.
const JUMBO: u32 = 9000;

fn mtu(link: &Link) -> Verdict {
    let mtu = link.interface.mtu;
    let mend = || format!("ip link set {} mtu {JUMBO}", link.name());
    match mtu {
        ..USUAL => Verdict::fail(format!("{mtu}: whole frames of usual links are not taken"), mend()),
        USUAL..USUAL_IN_TUNNEL => Verdict::warn(
            format!(
                "{mtu}: frames of {USUAL} octets inside mirror tunnels (ERSPAN, VXLAN) and jumbo frames are lost"
            ),
            mend(),
        ),
        USUAL_IN_TUNNEL..JUMBO => {
            Verdict::ok(format!("{mtu}, enough for mirror tunnels; not for jumbo frames"))
        }
        JUMBO.. => Verdict::ok(format!("{mtu}, enough for jumbo frames")),
    }
}

fn drops(link: &Link) -> Verdict {
    let statistics = &link.statistics;
    let Some(packets) = statistics.rx_packets else {
        let mend = format!("ethtool -S {}", link.name());
        return Verdict::unknown("the driver does not count").by(mend);
    };
    let counters = [
        ("missed", statistics.rx_missed),
        ("fifo", statistics.rx_fifo),
        ("over", statistics.rx_over),
        ("crc", statistics.rx_crc),
        ("dropped", statistics.rx_dropped),
    ];
    let told = |of: &[(&str, Option<u64>)]| -> Vec<String> {
        let counted = |(name, counter): &(&str, Option<u64>)| match counter {
            Some(count) if *count > 0 => Some(format!("{name} {count}")),
            _ => None,
        };
        of.iter().filter_map(counted).collect()
    };
    let (lost, rest) = counters.split_at(4);
    let (lost, rest) = (told(lost), told(rest));
    if !lost.is_empty() {
        let mend = match link.rings {
            Some(sizes) if sizes.current < sizes.maximum => {
                format!("ethtool -G {} rx {}", link.name(), sizes.maximum)
            }
            // With the largest rings there is only less to receive, or a better link.
            _ => "put fewer ports or VLANs into the mirror session; where crc counts, change cable or module"
                .to_owned(),
        };
        let all = [lost, rest].concat().join(", ");
        return Verdict::warn(format!("since it was made: {packets} received, {all}"), mend);
    }
    if rest.is_empty() {
        return Verdict::ok(format!("{packets} received, none lost, since it was made"));
    }
    // Linux counts here what no protocol wanted, after captures have seen it.
    Verdict::ok(format!("{packets} received; {} that nobody but captures wanted", rest.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::super::verdict::Status::{Fail, Ok, Unknown, Warn};
    use super::*;
    use crate::capture::interface::{InterfaceStatistics, RingSizes};

    fn with(change: impl FnOnce(&mut Link)) -> Link {
        let mut link = example::link();
        change(&mut link);
        link
    }

    #[test]
    fn a_good_interface_has_nothing_to_mend() {
        for check in CHECKS {
            let verdict = (check.run)(&example::link());
            assert_eq!((verdict.status, &verdict.mend), (Ok, &None), "{}: {}", check.name, verdict.found);
        }
    }

    #[test]
    fn what_is_amiss_is_told_with_the_command_that_mends_it() {
        let cases = [
            (
                kind as fn(&Link) -> Verdict,
                with(|l| l.interface.link_kind = 65534),
                Warn,
                "backend = \"pcap\"",
            ),
            (up, with(|l| l.interface.is_up = false), Fail, "ip link set eth1 up"),
            (carrier, with(|l| l.interface.has_carrier = false), Fail, "ethtool eth1"),
            (
                carrier,
                with(|l| (l.interface.is_up, l.interface.has_carrier) = (false, false)),
                Unknown,
                "ip link set eth1 up",
            ),
            (promiscuous, with(|l| l.may_capture = false), Warn, "ip link set eth1 promisc on"),
            (mtu, with(|l| l.interface.mtu = 1400), Fail, "ip link set eth1 mtu 9000"),
            (mtu, with(|l| l.interface.mtu = 1500), Warn, "ip link set eth1 mtu 9000"),
            (drops, with(|l| l.statistics.rx_missed = Some(7)), Warn, "fewer ports or VLANs"),
            (
                drops,
                with(|l| {
                    l.statistics.rx_missed = Some(7);
                    l.rings = Some(RingSizes { current: 256, maximum: 2048 });
                }),
                Warn,
                "ethtool -G eth1 rx 2048",
            ),
            (drops, with(|l| l.statistics = InterfaceStatistics::default()), Unknown, "ethtool -S eth1"),
        ];
        for (run, link, status, mend) in cases {
            let verdict = run(&link);
            assert_eq!(verdict.status, status, "{verdict:?}");
            assert!(verdict.mend.as_deref().is_some_and(|told| told.contains(mend)), "{verdict:?}");
        }
    }

    #[test]
    fn what_nobody_wanted_is_no_loss() {
        let verdict = drops(&with(|l| l.statistics.rx_dropped = Some(5)));
        assert_eq!(verdict.status, Ok);
        assert!(verdict.found.contains("dropped 5"), "{verdict:?}");
    }

    #[test]
    fn the_number_of_those_that_hold_it_promiscuous_is_told() {
        let verdict = promiscuous(&with(|l| {
            l.interface.is_promiscuous = true;
            l.interface.promiscuity = Some(2);
        }));
        assert_eq!((verdict.status, verdict.found.as_str()), (Ok, "on (2 holding it)"));
    }
}
