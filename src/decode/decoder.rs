//! The decoder: one frame in, what it carries out.

use super::ip::Ip;
use super::layers::{Layers, MirroredFrame};
use super::plain::{self, PlainRtp};
use super::tunnel::Tunnels;
use super::walk::{Carried, walk};
use super::{Layer, Message, Observation, PathId, PathTable, Undecoded, demux, tcp_framing};
use crate::terms::{Frame, Transport};

/// What an operator may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// UDP ports on which VXLAN is looked for.
    pub vxlan_ports: Vec<u16>,
    /// UDP ports on which GENEVE is looked for.
    pub geneve_ports: Vec<u16>,
    /// UDP ports on which GTP-U is looked for.
    pub gtpu_ports: Vec<u16>,
    /// UDP ports on which TZSP is looked for.
    pub tzsp_ports: Vec<u16>,
    /// UDP ports on which the data channel of CAPWAP is looked for.
    pub capwap_ports: Vec<u16>,
    /// How many tags and tunnels may be nested in each other; at most [`Options::DEEPEST`].
    pub max_depth: usize,
}

impl Options {
    /// The greatest [`Options::max_depth`]: what is above counts as this.
    pub const DEEPEST: usize = 64;
}

impl Default for Options {
    /// The registered ports, the port that Linux uses for VXLAN, and VXLAN-GPE's; 16 layers.
    fn default() -> Self {
        Self {
            vxlan_ports: vec![4789, 8472, 4790],
            geneve_ports: vec![6081],
            gtpu_ports: vec![2152],
            tzsp_ports: vec![37_008],
            capwap_ports: vec![5247],
            max_depth: 16,
        }
    }
}

/// Makes observations of frames, and numbers the paths on which they came.
///
/// ```
/// use hopmark::decode::{Decoder, Message, Options};
/// use hopmark::terms::{Frame, LinkType, Timestamp};
///
/// let rtp = [
///     0x45, 0xB8, 0, 40, 0, 1, 0, 0, 63, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, // IPv4, DSCP 46
///     0xC3, 0x50, 0x0D, 0x96, 0, 20, 0, 0, // UDP, 50000 to 3478
///     0x80, 0, 0, 1, 0, 0, 0, 160, 0xCA, 0xFE, 0xCA, 0xFE, // RTP
/// ];
/// let frame =
///     Frame { timestamp: Timestamp(0), data: &rtp, wire_len: 40, link: LinkType::RAW, interface: 0 };
/// let mut decoder = Decoder::new(1, Options::default());
/// decoder
///     .decode(&frame, |seen, paths| {
///         assert_eq!(seen.traffic_class.dscp().to_string(), "EF(46)");
///         assert!(paths.path(seen.path).is_some_and(|path| path.layers.is_empty()));
///         assert!(matches!(seen.message, Message::Rtp(header) if header.sequence == 1));
///     })
///     .unwrap();
/// ```
pub struct Decoder {
    paths: PathTable,
    layers: Layers,
    tunnels: Tunnels,
}

impl Decoder {
    /// A decoder without paths. The seed keeps an attacker from choosing layers that collide.
    #[must_use]
    pub fn new(seed: u64, options: Options) -> Self {
        Self {
            paths: PathTable::new(seed),
            layers: Layers::new(options.max_depth.min(Options::DEEPEST)),
            tunnels: Tunnels::new(options),
        }
    }

    /// Hands what the frame carries, and the paths so far, to `sink`.
    ///
    /// That is one observation of a UDP datagram or of a fragment; of a TCP segment one for each message in it,
    /// one [`Message::Other`] where there is none, and nothing where there is no data. Per frame: does not
    /// allocate, except for a path that was not seen before.
    ///
    /// # Errors
    ///
    /// The reason why there was no observation, to be counted.
    #[inline]
    pub fn decode<'a>(
        &mut self,
        frame: &Frame<'a>,
        mut sink: impl FnMut(&Observation<'a>, &PathTable),
    ) -> Result<(), Undecoded> {
        let Some((plain, path)) = self.decode_plain(frame) else { return self.decode_any(frame, &mut sink) };
        sink(&plain.observation(path), &self.paths);
        Ok(())
    }

    /// What a frame carries that is one of the commonest, and its path: an RTP packet with nothing around it but at most
    /// one VLAN tag. Of all other frames nothing is said: they are for [`Self::decode_any`]. Per frame.
    #[inline]
    pub fn decode_plain<'a>(&mut self, frame: &Frame<'a>) -> Option<(PlainRtp<'a>, PathId)> {
        let interface = (frame.interface, self.bare_path(frame.interface));
        self.decode_plain_of(interface, frame)
    }

    /// The path of frames of an interface with nothing around what they carry, once there was one.
    #[inline]
    #[must_use]
    pub fn bare_path(&self, interface: u16) -> Option<PathId> {
        self.paths.of_nothing(interface)
    }

    /// The same as [`Self::decode_plain`], of one of several frames of one interface, with its number and its
    /// [`Self::bare_path`]. Per frame.
    #[allow(clippy::inline_always, reason = "measured: as a call, all it says goes through memory")]
    #[inline(always)]
    pub fn decode_plain_of<'a>(
        &mut self,
        (interface, bare): (u16, Option<PathId>),
        frame: &Frame<'a>,
    ) -> Option<(PlainRtp<'a>, PathId)> {
        if let Some(plain) = plain::read(frame) {
            let path = match bare {
                Some(path) => path,
                None => self.paths.intern(interface, &[]),
            };
            return Some((plain, path));
        }
        let (plain, tag) = plain::read_tagged(frame)?;
        Some((plain, self.path_of_tag(interface, tag)?))
    }

    /// The path with no layer but this tag; none where there may be no layer at all.
    #[allow(clippy::inline_always, reason = "as that which calls it")]
    #[inline(always)]
    pub(super) fn path_of_tag(&mut self, interface: u16, tag: u16) -> Option<PathId> {
        match self.paths.of_tag(interface, tag) {
            Some(path) => Some(path),
            None => self.path_of_new_tag(interface, tag),
        }
    }

    #[inline(never)]
    fn path_of_new_tag(&mut self, interface: u16, tag: u16) -> Option<PathId> {
        self.layers.has_room().then(|| self.paths.intern_tag(interface, tag))
    }

    /// The same as [`Self::decode`], without a way of its own for frames that have no tunnel: for captures of which
    /// few frames are without.
    ///
    /// # Errors
    ///
    /// The reason why there was no observation, to be counted.
    #[inline(never)]
    pub fn decode_any<'a>(
        &mut self,
        frame: &Frame<'a>,
        sink: &mut dyn FnMut(&Observation<'a>, &PathTable),
    ) -> Result<(), Undecoded> {
        self.layers.clear();
        let (ip, carried) = walk(frame, &self.tunnels, &mut self.layers)?;
        match carried {
            Carried::Udp(udp, payload) => {
                let message = demux::message(payload, &mut self.layers);
                let path = self.paths.intern(frame.interface, self.layers.as_slice());
                let seen = Observation {
                    source_port: udp.source_port,
                    destination_port: udp.destination_port,
                    path,
                    message,
                    ..observation(frame, &ip, Transport::Udp)
                };
                sink(&seen, &self.paths);
            }
            Carried::Tcp(tcp, data) if tcp.has_data => {
                let paths = &mut self.paths;
                let segment = Observation {
                    source_port: tcp.source_port,
                    destination_port: tcp.destination_port,
                    ..observation(frame, &ip, Transport::Tcp)
                };
                // Headers count to the first message of a segment, so that octets add up.
                let mut headers = usize::from(ip.octets).saturating_sub(data.octets);
                let is_media = tcp_framing::split(data, &mut self.layers, |layers, octets, message| {
                    let octets = u16::try_from(std::mem::take(&mut headers) + octets).unwrap_or(u16::MAX);
                    let path = paths.intern(frame.interface, layers.as_slice());
                    sink(&Observation { path, octets, message, ..segment }, paths);
                });
                if !is_media {
                    let path = paths.intern(frame.interface, self.layers.as_slice());
                    sink(&Observation { path, ..segment }, paths);
                }
            }
            Carried::Tcp(..) => (),
            Carried::LaterFragment(transport) => {
                let path = self.paths.intern(frame.interface, self.layers.as_slice());
                let message = Message::LaterFragment;
                sink(&Observation { path, message, ..observation(frame, &ip, transport) }, &self.paths);
            }
        }
        Ok(())
    }

    /// How a mirror's tunnel numbered the frame decoded last, also where nothing else of it could be decoded. Says
    /// it once. Per frame.
    #[inline]
    pub fn take_mirrored(&mut self) -> Option<MirroredFrame> {
        self.layers.take_mirrored()
    }

    /// The number of a stack of layers that was not read from a frame here.
    #[inline]
    pub(super) fn intern(&mut self, interface: u16, layers: &[Layer]) -> PathId {
        self.paths.intern(interface, layers)
    }

    /// What the numbers of paths in the observations stand for.
    #[must_use]
    #[inline]
    pub const fn paths(&self) -> &PathTable {
        &self.paths
    }

    /// The same, to give numbers back that nobody uses any more.
    pub const fn paths_mut(&mut self) -> &mut PathTable {
        &mut self.paths
    }
}

/// What the IP header says; ports, path and message are still to come.
#[inline]
fn observation<'a>(frame: &Frame<'_>, ip: &Ip, transport: Transport) -> Observation<'a> {
    Observation {
        timestamp: frame.timestamp,
        addresses: ip.addresses,
        source_port: 0,
        destination_port: 0,
        transport,
        traffic_class: ip.traffic_class,
        ttl: ip.ttl,
        path: PathId::OVERFLOW,
        octets: ip.octets,
        fragment: ip.fragment,
        message: Message::Other,
    }
}
