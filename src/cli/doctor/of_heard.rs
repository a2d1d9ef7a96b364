//! Rules for what was heard: whether a mirror is whole.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::tally::Heard;
use super::verdict::{Check, Verdict};

/// In the order of the answer.
pub(super) const CHECKS: &[Check<Heard>] = &[
    Check { name: "heard", run: heard },
    Check { name: "directions", run: directions },
    Check { name: "duplicates", run: duplicates },
    Check { name: "vlans", run: vlans },
    Check { name: "tunnels", run: tunnels },
    Check { name: "media", run: media },
    Check { name: "drops-heard", run: drops },
];

fn heard(heard: &Heard) -> Verdict {
    let seconds = heard.milliseconds / 1000;
    if let Some(reason) = &heard.ended {
        return Verdict::fail(format!("listening ended: {reason}"), "see whether the interface stays up");
    }
    if heard.frames == 0 {
        return Verdict::fail(
            format!("nothing in {seconds} s: the mirror is dead, or nothing is mirrored"),
            "check the mirror session on the switch (source, destination port, direction)",
        );
    }
    let (frames, octets) = (heard.frames, heard.octets);
    let found = format!("{frames} frames, {octets} octets in {seconds} s; the longest has {}", heard.longest);
    if heard.packets == 0 {
        let found = format!("{found}; no UDP, and no TCP with data");
        return Verdict::warn(found, "check that the mirror session has the ports and VLANs of calls");
    }
    Verdict::ok(found)
}

/// How a mirror comes to have both directions.
const MIRROR_BOTH: &str =
    "mirror what the port sends and what it receives (SPAN: \"both\"; a tap: both fibres)";

fn directions(heard: &Heard) -> Verdict {
    let (one, both) = (heard.pairs_one_way, heard.pairs_both_ways);
    let all = one + both;
    if all == 0 {
        return Verdict::unknown("no packets between two addresses");
    }
    let found = format!("{both} of {all} pairs of addresses went both ways");
    let one_way_media = heard.media_streams - heard.media_streams_both_ways;
    let found = match heard.media_streams {
        0 => found,
        streams => format!("{found}; {one_way_media} of {streams} media streams have no way back"),
    };
    if both == 0 || one_way_media == heard.media_streams && one_way_media > 0 {
        return Verdict::warn(found, MIRROR_BOTH);
    }
    Verdict::ok(found)
}

/// Above this share duplicates come from the mirror, not from the network.
const MANY_DUPLICATES_PERCENT: u64 = 1;

fn duplicates(heard: &Heard) -> Verdict {
    if heard.packets == 0 {
        return Verdict::unknown("no packets to compare");
    }
    let share = share(heard.duplicates, heard.packets);
    let found =
        format!("{} of {} packets came twice within 50 ms ({share})", heard.duplicates, heard.packets);
    if heard.duplicates * 100 > heard.packets * MANY_DUPLICATES_PERCENT {
        let mend =
            "mirror each packet once: on a VLAN or on several ports only what they receive (SPAN: \"rx\")";
        return Verdict::warn(found, mend);
    }
    Verdict::ok(found)
}

fn vlans(heard: &Heard) -> Verdict {
    if heard.packets == 0 {
        return Verdict::unknown("no packets");
    }
    let told = most_frequent(&heard.vlans);
    Verdict::ok(if told.is_empty() { "no tags".to_owned() } else { told })
}

fn tunnels(heard: &Heard) -> Verdict {
    if heard.packets == 0 {
        return Verdict::unknown("no packets");
    }
    let told = most_frequent(&heard.tunnels);
    Verdict::ok(if told.is_empty() { "none".to_owned() } else { told })
}

fn media(heard: &Heard) -> Verdict {
    match heard.media_streams {
        0 => Verdict::unknown("no RTP streams: no call, or none that comes by here")
            .by("ask again during a call that passes this mirror"),
        streams => Verdict::ok(format!("{streams} RTP streams")),
    }
}

fn drops(heard: &Heard) -> Verdict {
    let kernel = heard.dropped_by_kernel;
    let interface = heard.lost_by_interface.unwrap_or_default();
    let told = if heard.lost_by_interface.is_none() { " (the driver does not count)" } else { "" };
    let found = format!("{kernel} by the kernel, {interface} by the interface{told} while listening");
    if kernel + interface == 0 {
        return Verdict::ok(found);
    }
    Verdict::warn(found, "larger rings (see ring-size), or fewer ports or VLANs in the mirror session")
}

/// How many kinds a line lists.
const LISTED: usize = 6;

fn most_frequent<K: Display + Ord>(counts: &BTreeMap<K, u64>) -> String {
    let mut counts: Vec<(&K, u64)> = counts.iter().map(|(kind, count)| (kind, *count)).collect();
    counts.sort_by(|(a, more), (b, less)| less.cmp(more).then(a.cmp(b)));
    let listed: Vec<String> =
        counts.iter().take(LISTED).map(|(kind, count)| format!("{kind} ({count})")).collect();
    let more = counts.len().saturating_sub(LISTED);
    if more > 0 { format!("{}, and {more} more", listed.join(", ")) } else { listed.join(", ") }
}

/// Part of a whole in percent.
#[allow(clippy::cast_precision_loss, reason = "two digits are shown")]
fn share(part: u64, whole: u64) -> String {
    format!("{:.2} %", part as f64 * 100.0 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::super::verdict::Status::{Fail, Ok, Unknown, Warn};
    use super::*;

    type Rule = fn(&Heard) -> Verdict;

    fn good() -> Heard {
        Heard {
            milliseconds: 5000,
            frames: 1000,
            octets: 200_000,
            longest: 218,
            packets: 1000,
            pairs_both_ways: 4,
            pairs_one_way: 1,
            media_streams: 4,
            media_streams_both_ways: 4,
            lost_by_interface: Some(0),
            ..Heard::default()
        }
    }

    #[test]
    fn a_whole_mirror_has_nothing_to_mend() {
        for check in CHECKS {
            let verdict = (check.run)(&good());
            assert_eq!((verdict.status, &verdict.mend), (Ok, &None), "{}: {}", check.name, verdict.found);
        }
    }

    #[test]
    fn what_is_amiss_is_told_with_how_to_mend_it() {
        let silence = Heard { milliseconds: 5000, ..Heard::default() };
        let cases = [
            (heard as Rule, silence, Fail, "mirror session"),
            (heard, Heard { ended: Some("it went down".to_owned()), ..good() }, Fail, "stays up"),
            (heard, Heard { packets: 0, ..good() }, Warn, "VLANs of calls"),
            (directions, Heard { pairs_both_ways: 0, ..good() }, Warn, "both"),
            (directions, Heard { media_streams_both_ways: 0, ..good() }, Warn, "both"),
            (duplicates, Heard { duplicates: 500, ..good() }, Warn, "rx"),
            (media, Heard { media_streams: 0, ..good() }, Unknown, "during a call"),
            (drops, Heard { dropped_by_kernel: 3, ..good() }, Warn, "ring-size"),
        ];
        for (run, heard, status, mend) in cases {
            let verdict = run(&heard);
            assert_eq!(verdict.status, status, "{verdict:?}");
            assert!(verdict.mend.as_deref().is_some_and(|told| told.contains(mend)), "{verdict:?}");
        }
    }

    #[test]
    fn the_most_frequent_stand_first_and_the_rest_is_counted() {
        let vlans = (1..=9).map(|vid| (vid, u64::from(vid) * 10)).collect();
        let verdict = super::vlans(&Heard { vlans, ..good() });
        assert_eq!(verdict.found, "9 (90), 8 (80), 7 (70), 6 (60), 5 (50), 4 (40), and 3 more");
    }
}
