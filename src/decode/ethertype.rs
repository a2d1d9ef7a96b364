//! The `EtherType`s that lead to media (IANA ieee-802-numbers).

pub(super) const IPV4: u16 = 0x0800;
pub(super) const IPV6: u16 = 0x86DD;
pub(super) const VLAN: u16 = 0x8100;
pub(super) const PROVIDER_VLAN: u16 = 0x88A8;
/// What tags of a second level were before 802.1ad.
pub(super) const OLD_VLAN: [u16; 3] = [0x9100, 0x9200, 0x9300];
pub(super) const VN_TAG: u16 = 0x8926;
pub(super) const E_TAG: u16 = 0x893F;
pub(super) const CISCO_METADATA: u16 = 0x8909;
pub(super) const PROVIDER_BACKBONE: u16 = 0x88E7;
pub(super) const MACSEC: u16 = 0x88E5;
pub(super) const MPLS: u16 = 0x8847;
pub(super) const MPLS_UPSTREAM: u16 = 0x8848;
pub(super) const PPPOE_SESSION: u16 = 0x8864;
pub(super) const PPP: u16 = 0x880B;
pub(super) const NSH: u16 = 0x894F;
pub(super) const TRANSPARENT_ETHERNET: u16 = 0x6558;
pub(super) const ERSPAN_1_2: u16 = 0x88BE;
pub(super) const ERSPAN_3: u16 = 0x22EB;
/// A mirror of Mellanox switches.
pub(super) const MELLANOX_MIRROR: u16 = 0x8949;
/// What access points of Aruba put 802.11 frames under: one number for each class of traffic.
pub(super) const ARUBA: std::ops::RangeInclusive<u16> = 0x8200..=0x8370;
pub(super) const WCCP: u16 = 0x883E;
pub(super) const ARP: u16 = 0x0806;
pub(super) const LLDP: u16 = 0x88CC;

/// Below this an `EtherType` field is a length (IEEE 802.3, clause 3.2.6).
pub(super) const FIRST: u16 = 0x0600;

/// Whether a type stands at the start of a frame often enough to believe that a frame starts there.
pub(super) fn is_common(kind: u16) -> bool {
    matches!(
        kind,
        IPV4 | IPV6 | VLAN | PROVIDER_VLAN | MPLS | PPPOE_SESSION | ARP | LLDP | MACSEC | PROVIDER_BACKBONE
    ) || OLD_VLAN.contains(&kind)
}
