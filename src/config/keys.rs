//! The keys of the appliance, in the order in which they are printed.

use std::time::Duration;

use super::appliance::{Capture, Evidence, Interface, Listen, LivePoint, Log, MAX_RINGS, Run};
use super::field::{Field, Key};

/// Keys of a `[[point]]` that any point may have.
pub(super) const POINT: &[Key<LivePoint>] =
    &[Key { name: "silent_after", field: |p| Field::LengthOrNever(&mut p.silent_after) }];

/// Keys of a `[[point]]` that only an interface has.
pub(super) const INTERFACE: &[Key<Interface>] = &[
    Key { name: "backend", field: |i| Field::Word(&mut i.backend) },
    Key { name: "rings", field: |i| Field::Count { value: &mut i.rings, min: 1, max: MAX_RINGS } },
    Key { name: "promiscuous", field: |i| Field::Truth(&mut i.promiscuous) },
    Key { name: "filter", field: |i| Field::Truth(&mut i.filter) },
    Key { name: "exclude_ports", field: |i| Field::Ports(&mut i.exclude_ports) },
    Key { name: "relay_ports", field: |i| Field::Ports(&mut i.relay_ports) },
    Key { name: "whole_frames", field: |i| Field::Truth(&mut i.whole_frames) },
    Key { name: "ignore_outgoing", field: |i| Field::Truth(&mut i.ignore_outgoing) },
    Key { name: "mend_offloads", field: |i| Field::Truth(&mut i.mend_offloads) },
    Key { name: "hardware_timestamps", field: |i| Field::Truth(&mut i.hardware_timestamps) },
];

/// Keys of `[capture]`.
pub(super) const CAPTURE: &[Key<Capture>] = &[
    Key { name: "blocks", field: |c| Field::Count { value: &mut c.blocks, min: 2, max: 65_536 } },
    // A block holds the longest frame, and is a multiple of the largest page.
    Key {
        name: "block_octets",
        field: |c| Field::PowerOfTwo { value: &mut c.block_octets, min: 1 << 16, max: 1 << 26 },
    },
    Key {
        name: "retire",
        field: |c| length(&mut c.retire, Duration::from_millis(1), Duration::from_secs(1)),
    },
];

/// Keys of `[listen]`.
pub(super) const LISTEN: &[Key<Listen>] = &[
    Key { name: "address", field: |l| Field::Address(&mut l.address) },
    Key { name: "web_config", field: |l| Field::OptionalPath(&mut l.web_config) },
    Key {
        name: "max_connections",
        field: |l| Field::Count { value: &mut l.max_connections, min: 1, max: 4096 },
    },
    Key {
        name: "request_timeout",
        field: |l| length(&mut l.request_timeout, Duration::from_millis(100), Duration::from_secs(300)),
    },
    Key {
        name: "max_series",
        field: |l| Field::Count { value: &mut l.max_series, min: 100, max: 10_000_000 },
    },
];

/// Keys of `[run]`.
pub(super) const RUN: &[Key<Run>] = &[
    Key { name: "user", field: |r| Field::User(&mut r.user) },
    Key {
        name: "interval",
        field: |r| length(&mut r.interval, Duration::from_millis(100), Duration::from_secs(60)),
    },
    Key {
        name: "keep_findings",
        field: |r| Field::Count { value: &mut r.keep_findings, min: 1, max: 1_000_000 },
    },
    Key { name: "keep_ended", field: |r| length(&mut r.keep_ended, Duration::from_secs(1), A_DAY) },
];

/// Keys of `[log]`.
pub(super) const LOG: &[Key<Log>] = &[
    Key { name: "format", field: |l| Field::Word(&mut l.format) },
    Key { name: "level", field: |l| Field::Word(&mut l.level) },
];

/// Keys of `[evidence]`.
pub(super) const EVIDENCE: &[Key<Evidence>] = &[
    Key { name: "directory", field: |e| Field::Path(&mut e.directory) },
    Key { name: "keep", field: |e| length(&mut e.keep, Duration::from_secs(1), Duration::from_secs(600)) },
    Key { name: "severity", field: |e| Field::Word(&mut e.severity) },
    Key {
        name: "octets_per_packet",
        field: |e| Field::Count { value: &mut e.octets_per_packet, min: 64, max: 65_535 },
    },
    Key {
        name: "memory_octets",
        field: |e| Field::Count { value: &mut e.memory_octets, min: 1 << 20, max: 1 << 31 },
    },
    Key {
        name: "max_octets",
        field: |e| Field::Octets { value: &mut e.max_octets, min: 1 << 20, max: 1 << 44 },
    },
    Key { name: "max_files", field: |e| Field::Count { value: &mut e.max_files, min: 1, max: 1_000_000 } },
];

const A_DAY: Duration = Duration::from_secs(86_400);

fn length(value: &mut Duration, min: Duration, max: Duration) -> Field<'_> {
    Field::Length { value, min, max }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T>(keys: &[Key<T>], mut values: T) {
        for key in keys {
            match (key.field)(&mut values) {
                Field::Count { value, min, max } => assert!((min..=max).contains(value), "{}", key.name),
                Field::PowerOfTwo { value, min, max } => {
                    assert!((min..=max).contains(value) && value.is_power_of_two(), "{}", key.name);
                    assert!(min.is_power_of_two() && max.is_power_of_two(), "{}", key.name);
                }
                Field::Octets { value, min, max } => assert!((min..=max).contains(value), "{}", key.name),
                Field::Length { value, min, max } => assert!((min..=max).contains(value), "{}", key.name),
                _ => {}
            }
        }
    }

    #[test]
    fn defaults_are_within_their_own_bounds() {
        check(INTERFACE, Interface::named("eth1"));
        check(CAPTURE, Capture::default());
        check(LISTEN, Listen::default());
        check(RUN, Run::default());
        check(EVIDENCE, Evidence::in_directory("evidence"));
    }
}
