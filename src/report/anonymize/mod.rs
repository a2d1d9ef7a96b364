//! Replaces addresses by others that keep their common prefixes.
//!
//! Crypto-PAn (Xu, Fan, Ammar, Moon: "Prefix-Preserving IP Address Anonymization", ICNP 2002) with AES-128: two
//! addresses that share exactly their first n bits share exactly their first n bits afterwards, so subnets stay
//! recognisable as subnets, and the same key gives the same replacement in every report. IPv4 and IPv6 are
//! mapped apart, over 32 and over 128 bits.
//!
//! Ports are kept. Whether an address was private, link-local or multicast is not: the first bits are replaced
//! like all others, so a replaced address says nothing about its kind. Who holds the key can undo it; who holds
//! none but knows some original addresses learns the prefixes that others share with them.

mod key;
mod text;

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Block};
use hashbrown::HashMap;

pub use key::KeyError;

/// How many replacements are remembered; further ones are worked out each time.
const MAX_CACHED: usize = 1 << 18;

/// The keyed mapping of addresses.
pub struct Anonymizer {
    cipher: Aes128,
    /// Stands in for the bits of the address that are not looked at yet.
    pad: u128,
    cache: RefCell<HashMap<IpAddr, IpAddr, foldhash::fast::RandomState>>,
}

impl Anonymizer {
    /// From 32 secret octets: the first 16 are the cipher's key, the others make the padding.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        let (mut cipher_key, mut pad) = ([0; 16], [0; 16]);
        cipher_key.copy_from_slice(&key[..16]);
        pad.copy_from_slice(&key[16..]);
        let cipher = Aes128::new(&cipher_key.into());
        let pad = encrypt(&cipher, u128::from_be_bytes(pad));
        Self { cipher, pad, cache: RefCell::default() }
    }

    /// The replacement of an address.
    #[must_use]
    pub fn address(&self, address: IpAddr) -> IpAddr {
        if let Some(known) = self.cache.borrow().get(&address) {
            return *known;
        }
        let replaced = match address {
            IpAddr::V4(v4) => {
                let bits = self.map(u128::from(v4.to_bits()) << 96, 32) >> 96;
                IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or_default()))
            }
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(self.map(v6.to_bits(), 128))),
        };
        let mut cache = self.cache.borrow_mut();
        if cache.len() < MAX_CACHED {
            cache.insert(address, replaced);
        }
        replaced
    }

    /// The replacement of an address and port: the port stays.
    #[must_use]
    pub fn socket(&self, socket: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.address(socket.ip()), socket.port())
    }

    /// Flips each of the upper `length` bits by a keyed function of the bits before it.
    fn map(&self, address: u128, length: u32) -> u128 {
        let mut flips = 0;
        for position in 0..length {
            let rest = u128::MAX >> position;
            let bit = encrypt(&self.cipher, (address & !rest) | (self.pad & rest)) >> 127;
            flips |= bit << (127 - position);
        }
        address ^ flips
    }
}

impl std::fmt::Debug for Anonymizer {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Anonymizer").finish_non_exhaustive()
    }
}

fn encrypt(cipher: &Aes128, input: u128) -> u128 {
    let mut block = Block::from(input.to_be_bytes());
    cipher.encrypt_block(&mut block);
    u128::from_be_bytes(block.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The key of the sample trace in the authors' reference implementation.
    const KEY: [u8; 32] = [
        21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16, 216, 152, 143, 131, 121, 121,
        101, 39, 98, 87, 76, 45, 42, 132, 34, 2,
    ];

    #[test]
    fn the_published_vectors_come_out() {
        let anonymizer = Anonymizer::new(&KEY);
        for (original, replaced) in [
            // From the sample trace of the reference implementation.
            ("128.11.68.132", "135.242.180.132"),
            ("129.118.74.4", "134.136.186.123"),
            ("130.132.252.244", "133.68.164.234"),
            ("141.223.7.43", "141.167.8.160"),
            ("192.102.249.13", "252.138.62.131"),
            ("209.85.249.6", "226.170.70.6"),
            ("24.5.0.80", "100.9.15.210"),
            ("4.3.88.225", "124.60.155.63"),
            ("64.39.15.238", "0.219.7.41"),
            // IPv6, as other implementations have it.
            ("::1", "78ff:f001:9fc0:20df:8380:b1f1:704:ed"),
            ("::2", "78ff:f001:9fc0:20df:8380:b1f1:704:ef"),
            ("::ffff", "78ff:f001:9fc0:20df:8380:b1f1:704:f838"),
            ("2001:db8::1", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e"),
            ("2001:db8::2", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1c"),
        ] {
            let address: IpAddr = original.parse().unwrap();
            assert_eq!(anonymizer.address(address).to_string(), replaced, "{original}");
            assert_eq!(anonymizer.address(address).to_string(), replaced, "{original}, from the cache");
        }
    }

    #[test]
    fn the_port_stays() {
        let socket = Anonymizer::new(&KEY).socket("128.11.68.132:50004".parse().unwrap());
        assert_eq!(socket.to_string(), "135.242.180.132:50004");
    }

    #[test]
    fn the_key_is_not_in_the_debug_text() {
        assert_eq!(format!("{:?}", Anonymizer::new(&KEY)), "Anonymizer { .. }");
    }

    proptest! {
        #[test]
        fn common_prefixes_keep_their_length(key: [u8; 32], one: u32, differs_in in 0_u32..33, noise: u32) {
            // A second address that shares the upper bits with the first one.
            let rest = u32::MAX.checked_shr(differs_in).unwrap_or(0);
            let other = (one & !rest) | (noise & rest);
            let anonymizer = Anonymizer::new(&key);
            let map = |bits| match anonymizer.address(IpAddr::V4(Ipv4Addr::from_bits(bits))) {
                IpAddr::V4(v4) => v4.to_bits(),
                IpAddr::V6(v6) => panic!("{v6} from an IPv4 address"),
            };
            prop_assert_eq!((map(one) ^ map(other)).leading_zeros(), (one ^ other).leading_zeros());
        }

        #[test]
        fn common_prefixes_of_ipv6_keep_their_length(key: [u8; 32], one: u128, differs_in in 0_u32..129, noise: u128) {
            let rest = u128::MAX.checked_shr(differs_in).unwrap_or(0);
            let other = (one & !rest) | (noise & rest);
            let anonymizer = Anonymizer::new(&key);
            let map = |bits| match anonymizer.address(IpAddr::V6(Ipv6Addr::from_bits(bits))) {
                IpAddr::V6(v6) => v6.to_bits(),
                IpAddr::V4(v4) => panic!("{v4} from an IPv6 address"),
            };
            prop_assert_eq!((map(one) ^ map(other)).leading_zeros(), (one ^ other).leading_zeros());
        }
    }
}
