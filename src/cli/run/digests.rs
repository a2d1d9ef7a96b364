//! Digests of an interface: what the opener does, and what becomes of it.

use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use crate::capture::digest::{Digests, OpenedDigests};
use crate::capture::interface::{VLAN_OFFLOAD, switch_off, vlan_offload};
use crate::capture::kernel::{DigestOptions, DigestProgram};
use crate::meter::MOST_CHOSEN;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OpenedDigestSizes {
    octets: u32,
    is_native: bool,
}

impl OpenedDigestSizes {
    pub(super) fn of(opened: &OpenedDigests) -> Self {
        Self { octets: opened.octets, is_native: opened.is_native }
    }
}

/// Puts the program for digests on an interface. Where it cannot be, all comes in frames, as ever.
pub(super) fn open_digests(
    name: &str,
    interface_index: u32,
    (octets, excluded_ports): (u32, &[(u16, u16)]),
    notes: &mut Vec<String>,
) -> Option<OpenedDigests> {
    let excluded_udp_ports = excluded_ports.iter().map(|&(first, last)| first..=last).collect();
    let program = DigestProgram::load(&DigestOptions { excluded_udp_ports, payloads: MOST_CHOSEN, octets });
    let attached = program
        .map_err(|error| error.to_string())
        .and_then(|program| program.attach(interface_index).map_err(|error| error.to_string()));
    let (opened, reason) = match attached {
        Ok(attached) => attached,
        Err(reason) => {
            notes.push(format!("there are no digests, so that RTP is read in frames: {reason}"));
            return None;
        }
    };
    let how = match reason {
        None => "at the driver (native)".to_owned(),
        Some(reason) => {
            format!("by the kernel (generic), as the driver does not take the program ({reason})")
        }
    };
    notes.push(format!(
        "RTP on {name} is told in digests and dropped {how}: nobody else on this machine gets it from this interface"
    ));
    Some(opened)
}

/// Digests are made of what the driver leaves in a frame: a tag that it takes out would be told by none.
pub(super) fn leave_tags_in(interface: &str, mends: bool, notes: &mut Vec<String>) {
    if vlan_offload(interface) != Some(true) {
        return;
    }
    let mended =
        if mends { switch_off(interface, VLAN_OFFLOAD).map_err(|error| error.to_string()) } else { Ok(()) };
    notes.push(match mended {
        Ok(()) if mends => format!("{VLAN_OFFLOAD} took VLAN tags out of frames and was switched off"),
        Ok(()) => format!(
            "{VLAN_OFFLOAD} takes VLAN tags out of frames before digests are made, so that they lack the outer one: \
             ethtool -K {interface} {VLAN_OFFLOAD} off"
        ),
        Err(error) => format!("{VLAN_OFFLOAD} takes VLAN tags out of frames and stays on: {error}"),
    });
}

/// Maps the ring of digests, whose descriptors are the last.
pub(super) fn map_digests(
    sizes: &OpenedDigestSizes,
    descriptors: &mut Vec<OwnedFd>,
) -> Result<Digests, String> {
    let (link, counters, ring) = (descriptors.pop(), descriptors.pop(), descriptors.pop());
    let (Some(link), Some(counters), Some(ring)) = (link, counters, ring) else {
        return Err("the opener handed over no descriptors of digests".to_owned());
    };
    let opened = OpenedDigests { ring, octets: sizes.octets, counters, link, is_native: sizes.is_native };
    Digests::map(opened).map_err(|error| format!("the ring of digests could not be mapped: {error}"))
}
