//! Tunnels over UDP: a port suggests one, its header must prove it.
//!
//! What the header does not prove is a plain datagram: media on port 4789 or 2152 must not be lost.

mod capwap;
mod geneve;
mod gtpu;
mod l2tp;
mod tzsp;
mod vxlan;

use super::decoder::Options;
use super::layers::Layers;
use super::next::Next;
use super::span::Span;
use super::stun;
use super::udp::Udp;
use super::{Layer, Undecoded};

/// What a tunnel's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Opened {
    layer: Layer,
    next: Next,
    /// Octets before what is carried.
    header_octets: usize,
}

/// Reads one tunnel's header: `None` when it is not that tunnel, truncated when the octets end before that
/// can be said.
type Open = fn(Span<'_>) -> Result<Option<Opened>, Undecoded>;

/// Which ports suggest which tunnel.
pub(super) struct Tunnels {
    ports: Vec<(u16, Open)>,
}

impl Tunnels {
    /// From the ports the operator gives.
    pub(super) fn new(options: Options) -> Self {
        let kinds: [(Vec<u16>, Open); 6] = [
            (options.vxlan_ports, vxlan::open),
            (options.geneve_ports, geneve::open),
            (options.gtpu_ports, gtpu::open),
            (options.tzsp_ports, tzsp::open),
            (options.capwap_ports, capwap::open),
            (vec![l2tp::PORT], l2tp::open),
        ];
        let ports = kinds
            .into_iter()
            .flat_map(|(ports, open)| ports.into_iter().map(move |port| (port, open)))
            .collect();
        Self { ports }
    }

    /// What is inside, if one of the ports suggests a tunnel and the header proves it. Then `outer` and the
    /// tunnel are new layers.
    #[inline]
    pub(super) fn open<'a>(
        &self,
        udp: Udp,
        payload: Span<'a>,
        outer: impl FnOnce() -> Layer,
        layers: &mut Layers,
    ) -> Result<Option<(Next, Span<'a>)>, Undecoded> {
        // No tunnel begins like RTP, except VXLAN with a group policy: spare the media the search.
        match payload.bytes.first() {
            Some(0x80..=0x87 | 0x89..=0xBF) => Ok(None),
            _ => self.search(udp, payload, outer, layers),
        }
    }

    fn search<'a>(
        &self,
        udp: Udp,
        payload: Span<'a>,
        outer: impl FnOnce() -> Layer,
        layers: &mut Layers,
    ) -> Result<Option<(Next, Span<'a>)>, Undecoded> {
        let ports = [udp.destination_port, udp.source_port];
        let Some((_, open)) = self.ports.iter().find(|(port, _)| ports.contains(port)) else {
            return Ok(None);
        };
        if stun::has_cookie(payload.bytes) {
            return Ok(None);
        }
        let opened = match open(payload) {
            Ok(Some(opened)) => opened,
            Ok(None) => return Ok(None),
            // A whole datagram that is too short for the tunnel's header is none of the tunnel's.
            Err(Undecoded::TruncatedHeaders) if payload.is_whole() => return Ok(None),
            Err(reason) => return Err(reason),
        };
        layers.push(outer())?;
        layers.push(opened.layer)?;
        Ok(Some((opened.next, payload.skip(opened.header_octets)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VXLAN: [u8; 8] = [8, 0, 0, 0, 0, 0, 5, 0];

    fn open(source_port: u16, destination_port: u16, bytes: &[u8]) -> (bool, Vec<Layer>) {
        let tunnels = Tunnels::new(Options::default());
        let mut layers = Layers::new(4);
        let udp = Udp { source_port, destination_port };
        let span = Span::new(bytes, bytes.len());
        let opened = tunnels.open(udp, span, || Layer::Tzsp, &mut layers).unwrap();
        (opened.is_some(), layers.as_slice().to_vec())
    }

    #[test]
    fn port_and_header_together_make_a_tunnel() {
        let layers = vec![Layer::Tzsp, Layer::Vxlan { vni: 5 }];
        assert_eq!(open(50_000, 4789, &VXLAN), (true, layers.clone()));
        assert_eq!(open(4789, 50_000, &VXLAN), (true, layers));
        assert_eq!(open(50_000, 50_002, &VXLAN), (false, vec![]));
    }

    #[test]
    fn media_on_a_tunnels_port_stays_media() {
        let rtp = [0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0];
        let stun = [0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for port in [4789, 8472, 6081, 2152, 37_008, 5247, 1701] {
            assert!(!open(port, port, &rtp).0, "RTP on {port}");
            assert!(!open(port, port, &stun).0, "STUN on {port}");
        }
    }
}
