//! Where a packet was seen: interface, tags and tunnels, as a number.
//!
//! A frame's headers outside the innermost IP are its [`Layer`]s. Most packets of a capture share a handful of
//! layer stacks, so each distinct stack is kept once and packets carry a [`PathId`]. Two stacks that differ only
//! in *markings* (PCP, traffic class, user priority, outer DSCP) are two paths but one *place*.

use std::fmt;
use std::net::IpAddr;

use hashbrown::HashTable;

use super::lately::{self, Lately};
use crate::terms::Dscp;

/// One header between the wire and the innermost IP packet, outermost first; or between UDP and RTP (TURN).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// 802.1Q, 802.1ad or a tag of an older kind.
    Vlan {
        /// VLAN identifier, 0 to 4095.
        vid: u16,
        /// Priority code point, 0 to 7.
        pcp: u8,
    },
    /// An MPLS label stack entry (RFC 3032).
    Mpls {
        /// Label, 20 bits.
        label: u32,
        /// Traffic class, 0 to 7 (RFC 5462).
        tc: u8,
    },
    /// An 802.11 `QoS` data frame.
    Wlan {
        /// User priority, 0 to 7; none on a frame without `QoS` control.
        up: Option<u8>,
    },
    /// A `PPPoE` session (RFC 2516).
    Pppoe {
        /// Session identifier.
        session: u16,
    },
    /// An outer IP header: of a tunnel, never of the media itself.
    Ip {
        /// Outer source.
        source: IpAddr,
        /// Outer destination.
        destination: IpAddr,
        /// Outer codepoint.
        dscp: Dscp,
    },
    /// GRE (RFC 2784, 2890).
    Gre {
        /// Key, where there is one.
        key: Option<u32>,
    },
    /// A mirror session in ERSPAN.
    Erspan {
        /// 1, 2 or 3.
        version: u8,
        /// Session, 0 to 1023; 0 in version 1, which has none.
        session: u16,
        /// Version 3 says whether the copy was taken on the way out of the mirrored port.
        egress: Option<bool>,
    },
    /// VXLAN (RFC 7348).
    Vxlan {
        /// Network identifier, 24 bits.
        vni: u32,
    },
    /// GENEVE (RFC 8926).
    Geneve {
        /// Network identifier, 24 bits.
        vni: u32,
    },
    /// `TaZmen` Sniffer Protocol.
    Tzsp,
    /// GTP-U (3GPP TS 29.281).
    Gtpu {
        /// Tunnel endpoint identifier.
        teid: u32,
    },
    /// TURN ChannelData (RFC 8656, section 12.4).
    ChannelData {
        /// Channel number, 0x4000 to 0x4FFF.
        channel: u16,
    },
    /// A TURN Send or Data indication.
    TurnIndication,
    /// Microsoft's multiplexed TURN (MS-TURN, section 2.2.3).
    MultiplexedTurn {
        /// Session identifier.
        session: u64,
    },
    /// RFC 4571 framing of RTP on a TCP connection.
    TcpFraming,
    /// A tunnel that has no variant of its own (CAPWAP, L2TP, PPP, VN-Tag, ...), by its name.
    Other {
        /// Short name in lower case, as the report prints it.
        name: &'static str,
    },
}

impl Layer {
    /// The same layer with its markings taken out: what is left tells places apart.
    #[must_use]
    pub const fn without_marking(self) -> Self {
        match self {
            Self::Vlan { vid, .. } => Self::Vlan { vid, pcp: 0 },
            Self::Mpls { label, .. } => Self::Mpls { label, tc: 0 },
            Self::Wlan { .. } => Self::Wlan { up: None },
            Self::Ip { source, destination, .. } => Self::Ip { source, destination, dscp: Dscp::DF },
            other => other,
        }
    }
}

impl fmt::Display for Layer {
    /// As the report lists it under `encapsulation`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vlan { vid, .. } => write!(f, "vlan {vid}"),
            Self::Mpls { label, .. } => write!(f, "mpls {label}"),
            Self::Wlan { .. } => f.write_str("802.11"),
            Self::Pppoe { session } => write!(f, "pppoe {session}"),
            Self::Ip { source, destination, .. } => write!(f, "ip {source}>{destination}"),
            Self::Gre { key: Some(key) } => write!(f, "gre {key}"),
            Self::Gre { key: None } => f.write_str("gre"),
            Self::Erspan { version, session, egress } => {
                write!(f, "erspan{version} {session}")?;
                match egress {
                    Some(true) => f.write_str(" egress"),
                    Some(false) => f.write_str(" ingress"),
                    None => Ok(()),
                }
            }
            Self::Vxlan { vni } => write!(f, "vxlan {vni}"),
            Self::Geneve { vni } => write!(f, "geneve {vni}"),
            Self::Tzsp => f.write_str("tzsp"),
            Self::Gtpu { teid } => write!(f, "gtp-u {teid}"),
            Self::ChannelData { channel } => write!(f, "turn-channel 0x{channel:04x}"),
            Self::TurnIndication => f.write_str("turn-indication"),
            Self::MultiplexedTurn { .. } => f.write_str("ms-turn"),
            Self::TcpFraming => f.write_str("rfc4571"),
            Self::Other { name } => f.write_str(name),
        }
    }
}

/// The number of one distinct stack of layers on one interface, within one [`PathTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathId(pub u16);

impl PathId {
    /// Stands for every path that came after the table was full.
    pub const OVERFLOW: Self = Self(u16::MAX);
}

/// One distinct stack of layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Which of the capture's interfaces heard it.
    pub interface: u16,
    /// Outermost first.
    pub layers: Box<[Layer]>,
    /// The path that stands for the place: equal for paths that differ only in markings.
    pub place: PathId,
}

impl Path {
    /// Priority code point of the innermost VLAN tag.
    #[must_use]
    pub fn pcp(&self) -> Option<u8> {
        self.layers.iter().rev().find_map(|l| if let Layer::Vlan { pcp, .. } = l { Some(*pcp) } else { None })
    }

    /// 802.11 user priority.
    #[must_use]
    pub fn user_priority(&self) -> Option<u8> {
        self.layers.iter().rev().find_map(|l| if let Layer::Wlan { up } = l { *up } else { None })
    }
}

/// All distinct paths of one observer. Bounded: 65,535 paths, then [`PathId::OVERFLOW`].
///
/// Whoever listens for months asks now and then whether it [has grown](Self::has_grown), and then says which numbers are
/// still used. Without that no number is ever given twice.
pub struct PathTable {
    paths: Vec<Path>,
    /// Numbers that are nobody's any more.
    free: Vec<u16>,
    /// Paths that were used when it was last looked through.
    kept: usize,
    index: HashTable<u16>,
    hasher: foldhash::fast::FixedState,
    /// The last answer for an empty stack, by interface: the common case costs one load.
    plain: Vec<Option<PathId>>,
    /// The same of a single tag.
    tagged: Lately,
    last: Option<PathId>,
    overflowed: u64,
}

const MAX_PATHS: usize = u16::MAX as usize;
/// Paths of which it is not worth while to ask who uses them.
const FEW: usize = 16_384;

impl PathTable {
    /// An empty table. The seed keeps an attacker from choosing layers that collide.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            paths: Vec::new(),
            free: Vec::new(),
            kept: 0,
            index: HashTable::new(),
            hasher: foldhash::fast::FixedState::with_seed(seed),
            plain: Vec::new(),
            tagged: Lately::new(),
            last: None,
            overflowed: 0,
        }
    }

    /// The number of this stack of layers, new or known. Per frame.
    #[inline]
    pub fn intern(&mut self, interface: u16, layers: &[Layer]) -> PathId {
        if layers.is_empty() {
            if let Some(id) = self.of_nothing(interface) {
                return id;
            }
        } else if let Some(id) = self.last
            && self
                .paths
                .get(usize::from(id.0))
                .is_some_and(|p| p.interface == interface && *p.layers == *layers)
        {
            return id;
        }
        self.find_or_add(interface, layers)
    }

    /// The number of the path with no layer; none where it was never asked for. Per frame.
    #[inline]
    pub(super) fn of_nothing(&self, interface: u16) -> Option<PathId> {
        self.plain.get(usize::from(interface)).copied().flatten()
    }

    /// The number of the path with no layer but one VLAN tag, of which this is the control information; none where it
    /// was not asked for lately. Per frame.
    #[inline]
    pub(super) fn of_tag(&self, interface: u16, tag: u16) -> Option<PathId> {
        self.tagged.get(interface, tag)
    }

    /// The same, new or known.
    pub(super) fn intern_tag(&mut self, interface: u16, tag: u16) -> PathId {
        let path = self.intern(interface, &[lately::layer(tag)]);
        // Whoever finds no room is counted each time.
        if path != PathId::OVERFLOW {
            self.tagged.note(interface, tag, path);
        }
        path
    }

    #[inline(never)]
    fn find_or_add(&mut self, interface: u16, layers: &[Layer]) -> PathId {
        let id = match self.find(interface, layers) {
            Some(id) => id,
            None if self.held() >= MAX_PATHS - 1 => {
                self.overflowed += 1;
                return PathId::OVERFLOW;
            }
            None => {
                let bare: smallvec::SmallVec<[Layer; 8]> =
                    layers.iter().map(|l| l.without_marking()).collect();
                let place = if *bare == *layers {
                    None
                } else {
                    Some(self.find(interface, &bare).unwrap_or_else(|| self.add(interface, &bare, None)))
                };
                self.add(interface, layers, place)
            }
        };
        self.last = Some(id);
        if layers.is_empty() {
            let slot = usize::from(interface);
            if self.plain.len() <= slot {
                self.plain.resize(slot + 1, None);
            }
            self.plain[slot] = Some(id);
        }
        id
    }

    fn hash(&self, interface: u16, layers: &[Layer]) -> u64 {
        use std::hash::BuildHasher;
        self.hasher.hash_one((interface, layers))
    }

    fn find(&self, interface: u16, layers: &[Layer]) -> Option<PathId> {
        let hash = self.hash(interface, layers);
        let is_it = |&i: &u16| {
            self.paths.get(usize::from(i)).is_some_and(|p| p.interface == interface && *p.layers == *layers)
        };
        self.index.find(hash, is_it).map(|&i| PathId(i))
    }

    /// Adds a path; `place` is another path, or none where the path is its own place.
    fn add(&mut self, interface: u16, layers: &[Layer], place: Option<PathId>) -> PathId {
        let new = || u16::try_from(self.paths.len()).unwrap_or(u16::MAX);
        let number = self.free.pop().unwrap_or_else(new);
        let id = PathId(number);
        let hash = self.hash(interface, layers);
        let path = Path { interface, layers: layers.into(), place: place.unwrap_or(id) };
        match self.paths.get_mut(usize::from(number)) {
            Some(slot) => *slot = path,
            None => self.paths.push(path),
        }
        let (paths, hasher) = (&self.paths, &self.hasher);
        self.index.insert_unique(hash, number, |&i| {
            use std::hash::BuildHasher;
            paths.get(usize::from(i)).map_or(0, |p| hasher.hash_one((p.interface, &*p.layers)))
        });
        id
    }

    /// What a number stands for; `None` for [`PathId::OVERFLOW`].
    #[must_use]
    pub fn path(&self, id: PathId) -> Option<&Path> {
        self.paths.get(usize::from(id.0))
    }

    /// The place of a path: itself, or the path without markings.
    #[must_use]
    pub fn place(&self, id: PathId) -> PathId {
        self.path(id).map_or(PathId::OVERFLOW, |p| p.place)
    }

    /// How many paths there are.
    fn held(&self) -> usize {
        self.paths.len() - self.free.len()
    }

    /// Whether there are twice as many as were used once, or little room is left.
    #[must_use]
    pub fn has_grown(&self) -> bool {
        self.held() >= (2 * self.kept).clamp(FEW, MAX_PATHS / 8 * 7)
    }

    /// Forgets every path that is not among these, or the place of one of them. Its number may be given to another: who
    /// keeps numbers has named them, and who keeps anything by their numbers begins anew.
    pub fn keep_only(&mut self, used: impl IntoIterator<Item = PathId>) {
        let mut is_used = vec![false; self.paths.len()];
        for id in used {
            for id in [id, self.place(id)] {
                if let Some(slot) = is_used.get_mut(usize::from(id.0)) {
                    *slot = true;
                }
            }
        }
        let is_kept = |number: u16| is_used.get(usize::from(number)).copied().unwrap_or(false);
        self.index.retain(|number| is_kept(*number));
        let all = 0..u16::try_from(self.paths.len()).unwrap_or(u16::MAX);
        // The lowest first.
        self.free = all.rev().filter(|&number| !is_kept(number)).collect();
        self.kept = self.held();
        self.plain.clear();
        self.tagged.forget();
        self.last = None;
    }

    /// How many frames had a path for which there was no room.
    #[must_use]
    pub const fn overflowed(&self) -> u64 {
        self.overflowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markings_make_paths_but_not_places() {
        let mut table = PathTable::new(1);
        let five = table.intern(0, &[Layer::Vlan { vid: 7, pcp: 5 }]);
        let zero = table.intern(0, &[Layer::Vlan { vid: 7, pcp: 0 }]);
        let other = table.intern(0, &[Layer::Vlan { vid: 8, pcp: 5 }]);
        assert_ne!(five, zero);
        assert_eq!(table.place(five), table.place(zero));
        assert_ne!(table.place(five), table.place(other));
        assert_eq!(table.intern(0, &[Layer::Vlan { vid: 7, pcp: 5 }]), five);
    }

    #[test]
    fn interfaces_are_places() {
        let mut table = PathTable::new(1);
        assert_ne!(table.intern(0, &[]), table.intern(1, &[]));
        assert_eq!(table.intern(1, &[]), table.intern(1, &[]));
    }

    #[test]
    fn a_full_table_counts_what_it_refuses() {
        let mut table = PathTable::new(1);
        for teid in 0..70_000 {
            table.intern(0, &[Layer::Gtpu { teid }]);
        }
        assert!(table.overflowed() > 4_000);
        assert_eq!(table.intern(0, &[Layer::Gtpu { teid: 69_999 }]), PathId::OVERFLOW);
        assert_eq!(table.intern(0, &[Layer::Gtpu { teid: 5 }]), PathId(5));
    }

    #[test]
    fn paths_that_nobody_uses_make_room() {
        let mut table = PathTable::new(1);
        let bare = table.intern(0, &[]);
        let ids: Vec<PathId> = (0..70_000).map(|teid| table.intern(0, &[Layer::Gtpu { teid }])).collect();
        let refused = table.overflowed();
        assert!(table.has_grown());
        table.keep_only([ids[7], PathId::OVERFLOW]);
        assert!(!table.has_grown());
        // The same number for the one that is used; another stack may have got that of one that was not.
        assert_eq!(table.intern(0, &[Layer::Gtpu { teid: 7 }]), ids[7]);
        let fresh = table.intern(3, &[]);
        assert_eq!(fresh, bare);
        assert_eq!(table.path(fresh).map(|path| path.interface), Some(3));
        let again = table.intern(0, &[]);
        assert_eq!(table.path(again).map(|path| (path.interface, path.layers.len())), Some((0, 0)));
        assert_ne!(again, fresh);
        for teid in 100_000..165_000 {
            let id = table.intern(0, &[Layer::Gtpu { teid }]);
            assert_eq!(table.path(id).map(|path| &*path.layers), Some(&[Layer::Gtpu { teid }][..]));
            assert_ne!(id, ids[7]);
        }
        assert_eq!(table.overflowed(), refused);
    }

    #[test]
    fn a_single_tag_is_the_layer_that_it_is_in_a_stack() {
        let mut table = PathTable::new(1);
        assert_eq!(table.of_tag(2, 0xA007), None);
        let id = table.intern_tag(2, 0xA007);
        assert_eq!(table.intern(2, &[Layer::Vlan { vid: 7, pcp: 5 }]), id);
        assert_eq!((table.of_tag(2, 0xA007), table.of_tag(1, 0xA007)), (Some(id), None));
        // Its number may be another's from now on.
        table.keep_only([]);
        assert_eq!(table.of_tag(2, 0xA007), None);
    }

    #[test]
    fn tags_for_which_there_is_no_room_are_counted_each_time() {
        let mut table = PathTable::new(1);
        for teid in 0..u32::from(u16::MAX) {
            table.intern(0, &[Layer::Gtpu { teid }]);
        }
        let before = table.overflowed();
        for _ in 0..3 {
            assert_eq!(table.of_tag(0, 5), None);
            assert_eq!(table.intern_tag(0, 5), PathId::OVERFLOW);
        }
        assert_eq!(table.overflowed() - before, 3);
    }

    #[test]
    fn the_place_of_a_path_that_is_used_stays() {
        let mut table = PathTable::new(1);
        let first = table.intern(0, &[Layer::Vlan { vid: 1, pcp: 1 }]);
        let marked = table.intern(0, &[Layer::Vlan { vid: 7, pcp: 5 }]);
        let place = table.place(marked);
        table.keep_only([marked]);
        assert_eq!(table.intern(0, &[Layer::Vlan { vid: 7, pcp: 0 }]), place);
        assert_eq!(table.place(marked), place);
        assert!([first, table.place(first)].contains(&table.intern(0, &[Layer::Vlan { vid: 9, pcp: 0 }])));
    }
}
