//! The key of a stream in 16 octets, exact: addresses, ports, SSRC.

use std::hash::BuildHasher;
use std::net::{IpAddr, SocketAddr};

use hashbrown::HashTable;

use crate::decode::{Addresses, Observation, PlainRtp};
use crate::terms::{FlowKey, Ssrc, Transport};

/// Source, destination, ports and SSRC, packed so that comparing is two instructions.
///
/// Two kinds share the shape: in a *plain* key the address halves are IPv4 addresses of a UDP flow; in an
/// *interned* one they are numbers of an [`AddressBook`]. The two kinds stand in one index, told apart by a bit of their
/// tag, and never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    addresses: u64,
    ports_and_ssrc: u64,
}

/// Which kind of key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// IPv4 over UDP.
    Plain,
    /// Everything else.
    Interned,
}

impl Key {
    /// No stream's: nobody sends from nowhere to nowhere.
    pub(super) const VACANT: Self = Self { addresses: 0, ports_and_ssrc: 0 };

    fn new(source: u32, destination: u32, o: &Observation<'_>, ssrc: Ssrc) -> Self {
        Self {
            addresses: u64::from(source) << 32 | u64::from(destination),
            ports_and_ssrc: u64::from(o.source_port) << 48
                | u64::from(o.destination_port) << 32
                | u64::from(ssrc.0),
        }
    }

    /// Of an RTP packet over IPv4 and UDP. Per packet.
    #[inline]
    pub(super) const fn plain(packet: &PlainRtp<'_>) -> Self {
        let ports_and_ssrc = (packet.ports() as u64) << 32 | packet.ssrc().0 as u64;
        Self { addresses: packet.addresses(), ports_and_ssrc }
    }

    /// The SSRC.
    #[inline]
    pub(super) const fn ssrc(self) -> Ssrc {
        Ssrc((self.ports_and_ssrc & 0xFFFF_FFFF) as u32)
    }

    const fn source(self) -> u32 {
        (self.addresses >> 32) as u32
    }

    const fn destination(self) -> u32 {
        (self.addresses & 0xFFFF_FFFF) as u32
    }

    /// The numbers of an interned key's addresses.
    pub(super) const fn numbers(self) -> [u32; 2] {
        [self.source(), self.destination()]
    }

    const fn source_port(self) -> u16 {
        (self.ports_and_ssrc >> 48) as u16
    }

    const fn destination_port(self) -> u16 {
        (self.ports_and_ssrc >> 32 & 0xFFFF) as u16
    }
}

/// The key of a packet's stream; `None` where a new address found the address book full. Per packet.
pub(super) fn key_of(o: &Observation<'_>, ssrc: Ssrc, book: &mut AddressBook) -> Option<(Kind, Key)> {
    if let (Addresses::V4 { source, destination }, Transport::Udp) = (o.addresses, o.transport) {
        return Some((Kind::Plain, Key::new(source, destination, o, ssrc)));
    }
    let (source, destination) = o.addresses.pair();
    let source = book.number(source, o.transport)?;
    let destination = book.number(destination, o.transport)?;
    Some((Kind::Interned, Key::new(source, destination, o, ssrc)))
}

/// The flow that a key stands for.
pub(super) fn flow_of(kind: Kind, key: Key, book: &AddressBook) -> FlowKey {
    let ((source, transport), (destination, _)) = match kind {
        Kind::Plain => {
            let v4 = |bits: u32| (IpAddr::from(bits.to_be_bytes()), Transport::Udp);
            (v4(key.source()), v4(key.destination()))
        }
        Kind::Interned => (book.address(key.source()), book.address(key.destination())),
    };
    FlowKey {
        source: SocketAddr::new(source, key.source_port()),
        destination: SocketAddr::new(destination, key.destination_port()),
        transport,
    }
}

/// Numbers for addresses that do not fit 32 bits, and for ends of TCP connections. Bounded.
pub(super) struct AddressBook {
    addresses: Vec<(IpAddr, Transport)>,
    /// Numbers that are nobody's any more.
    free: Vec<u32>,
    index: HashTable<u32>,
    hasher: foldhash::fast::FixedState,
    bound: usize,
    /// Addresses that were used when it was last looked through.
    kept: usize,
}

/// Addresses of which it is not worth while to ask who uses them.
const FEW: usize = 16_384;

impl AddressBook {
    /// An empty book for at most `bound` addresses.
    pub(super) fn new(bound: usize, seed: u64) -> Self {
        let hasher = foldhash::fast::FixedState::with_seed(seed);
        Self { addresses: Vec::new(), free: Vec::new(), index: HashTable::new(), hasher, bound, kept: 0 }
    }

    fn number(&mut self, address: IpAddr, transport: Transport) -> Option<u32> {
        let entry = (address, transport);
        let hash = self.hasher.hash_one(entry);
        let known = self.index.find(hash, |&i| self.addresses.get(i as usize) == Some(&entry));
        if let Some(&i) = known {
            return Some(i);
        }
        let number = match self.free.pop() {
            Some(number) => number,
            None if self.addresses.len() >= self.bound => return None,
            None => u32::try_from(self.addresses.len()).ok()?,
        };
        match self.addresses.get_mut(number as usize) {
            Some(slot) => *slot = entry,
            None => self.addresses.push(entry),
        }
        let (addresses, hasher) = (&self.addresses, &self.hasher);
        self.index
            .insert_unique(hash, number, |&i| addresses.get(i as usize).map_or(0, |e| hasher.hash_one(e)));
        Some(number)
    }

    /// Whether there are twice as many as were used once, or little room is left.
    pub(super) fn has_grown(&self) -> bool {
        let nearly_full = self.bound / 8 * 7;
        self.addresses.len() - self.free.len() >= (2 * self.kept).max(FEW).min(nearly_full)
    }

    /// Forgets every address that is not among these.
    pub(super) fn keep_only(&mut self, used: impl Iterator<Item = u32>) {
        let mut is_used = vec![false; self.addresses.len()];
        for number in used {
            if let Some(slot) = is_used.get_mut(number as usize) {
                *slot = true;
            }
        }
        let is_kept = |number: u32| is_used.get(number as usize).copied().unwrap_or(false);
        self.index.retain(|number| is_kept(*number));
        let all = 0..u32::try_from(self.addresses.len()).unwrap_or(u32::MAX);
        self.free = all.filter(|&number| !is_kept(number)).collect();
        self.kept = self.addresses.len() - self.free.len();
    }

    fn address(&self, number: u32) -> (IpAddr, Transport) {
        let unknown = (IpAddr::from([0_u8; 4]), Transport::Udp);
        self.addresses.get(number as usize).copied().unwrap_or(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Message, PathId};
    use crate::terms::{Timestamp, TrafficClass};

    fn observation(addresses: Addresses, transport: Transport) -> Observation<'static> {
        Observation {
            timestamp: Timestamp(0),
            addresses,
            source_port: 50_000,
            destination_port: 3478,
            transport,
            traffic_class: TrafficClass(0),
            ttl: 64,
            path: PathId(0),
            octets: 200,
            fragment: None,
            message: Message::Other,
        }
    }

    #[test]
    fn keys_read_back_as_flows() {
        let mut book = AddressBook::new(10, 1);
        for (addresses, transport) in [
            (Addresses::V4 { source: 0x0A00_0001, destination: 0xC0A8_0002 }, Transport::Udp),
            (Addresses::V4 { source: 0x0A00_0001, destination: 0xC0A8_0002 }, Transport::Tcp),
            (Addresses::V6 { source: 1, destination: u128::MAX }, Transport::Udp),
        ] {
            let o = observation(addresses, transport);
            let (kind, key) = key_of(&o, Ssrc(7), &mut book).unwrap();
            assert_eq!(flow_of(kind, key, &book), o.flow());
            assert_eq!(key.ssrc(), Ssrc(7));
        }
    }

    #[test]
    fn addresses_that_nobody_uses_make_room() {
        let mut book = AddressBook::new(8, 1);
        let o = |n| observation(Addresses::V6 { source: n, destination: n + 1000 }, Transport::Udp);
        let keys: Vec<Key> = (0..4).map(|n| key_of(&o(n), Ssrc(7), &mut book).unwrap().1).collect();
        assert!(book.has_grown());
        assert!(key_of(&o(50), Ssrc(7), &mut book).is_none());
        book.keep_only(keys[1].numbers().into_iter());
        assert!(!book.has_grown());
        for n in 50..53 {
            let (kind, key) = key_of(&o(n), Ssrc(8), &mut book).unwrap();
            assert_eq!(flow_of(kind, key, &book), o(n).flow());
        }
        assert!(key_of(&o(60), Ssrc(7), &mut book).is_none());
        assert_eq!(key_of(&o(1), Ssrc(7), &mut book).unwrap().1, keys[1]);
    }

    #[test]
    fn a_book_is_looked_through_before_it_is_large() {
        let mut book = AddressBook::new(1 << 20, 1);
        let o = |n| observation(Addresses::V6 { source: n, destination: 0 }, Transport::Udp);
        let mut most = 0;
        for n in 1..1_000_000_u128 {
            let (_, key) = key_of(&o(n), Ssrc(7), &mut book).unwrap();
            most = most.max(book.addresses.len());
            if book.has_grown() {
                book.keep_only(key.numbers().into_iter());
            }
        }
        assert!(most <= FEW, "{most}");
    }

    #[test]
    fn a_full_book_refuses_new_addresses_only() {
        let mut book = AddressBook::new(2, 1);
        let o = |n| observation(Addresses::V6 { source: n, destination: n + 1 }, Transport::Udp);
        assert!(key_of(&o(1), Ssrc(7), &mut book).is_some());
        assert!(key_of(&o(5), Ssrc(7), &mut book).is_none());
        assert!(key_of(&o(1), Ssrc(8), &mut book).is_some());
    }
}
