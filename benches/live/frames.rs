//! Frames that the bench sends: media, and what is none.

/// Octets of a frame of a call: Ethernet, IPv4, UDP, RTP and 20 ms of G.711.
pub(crate) const CALL_OCTETS: usize = 214;
/// Octets of a frame that fills the MTU.
const FULL_OCTETS: usize = 1514;
/// Flows of background: more than frames of a batch, so that no buffer is in one twice.
const BACKGROUND_FLOWS: u32 = 256;
/// Frames of background for each one of media.
pub(crate) const BACKGROUND_FRAMES: usize = 9;

/// Octets of a payload that are others in each packet.
const SPEECH: usize = 32;

const IPV4: usize = 14;
const UDP: usize = IPV4 + 20;
const RTP: usize = UDP + 8;
/// Expedited Forwarding in the octet of DSCP and ECN.
const EF: u8 = 46 << 2;

/// What is sent between the packets of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Background {
    None,
    /// Segments of bulk transfers on a port where no relay is looked for.
    Tcp,
    /// Datagrams as QUIC has them.
    Udp,
}

impl Background {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::None, Self::Tcp, Self::Udp].into_iter().find(|one| one.name() == name)
    }
}

/// One flow's next frame.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) octets: Vec<u8>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Call,
    Tcp,
    Udp,
}

impl Flow {
    /// One direction of a call: two neighbouring numbers are the two directions of one.
    fn call(number: u32) -> Self {
        let (near, far) = ([10, 1], [52, 112]);
        let [_, _, high, low] = (number / 2).to_be_bytes();
        let (near, far) = ([near[0], near[1], high, low], [far[0], far[1], high, low]);
        let mut octets = if number.is_multiple_of(2) {
            ipv4(CALL_OCTETS, 17, EF, near, far)
        } else {
            ipv4(CALL_OCTETS, 17, EF, far, near)
        };
        let ports = if number.is_multiple_of(2) { (50_004, 3479) } else { (3479, 50_004) };
        put_udp(&mut octets, ports);
        put(&mut octets, RTP, &[0x80, 0]);
        put(&mut octets, RTP + 2, &scattered(number).to_be_bytes()[..2]);
        put(&mut octets, RTP + 4, &scattered(number + 7).to_be_bytes());
        put(&mut octets, RTP + 8, &scattered(number + 13).to_be_bytes());
        octets[RTP + 12..].fill(0xD5);
        Self { octets, kind: Kind::Call }
    }

    fn tcp(number: u32) -> Self {
        let mut octets = ipv4(FULL_OCTETS, 6, 0, host(10, number), host(192, number));
        put(&mut octets, UDP, &8080_u16.to_be_bytes());
        put(&mut octets, UDP + 2, &40_001_u16.to_be_bytes());
        // Header of 20 octets, ACK, a window.
        put(&mut octets, UDP + 12, &[0x50, 0x10, 0xFF, 0xFF]);
        Self { octets, kind: Kind::Tcp }
    }

    fn udp(number: u32) -> Self {
        let mut octets = ipv4(FULL_OCTETS, 17, 0, host(10, number), host(192, number));
        put_udp(&mut octets, (443, 40_001));
        // A short header, a connection's name, and what looks like nothing.
        for (place, octet) in octets[RTP..].iter_mut().enumerate() {
            *octet = scattered(number + place as u32 * 31).to_be_bytes()[0];
        }
        octets[RTP] = 0x41;
        Self { octets, kind: Kind::Udp }
    }

    /// Makes it the frame after this one.
    pub(crate) fn advance(&mut self) {
        match self.kind {
            Kind::Call => {
                let sequence = u16::from_be_bytes([self.octets[RTP + 2], self.octets[RTP + 3]]);
                put(&mut self.octets, RTP + 2, &sequence.wrapping_add(1).to_be_bytes());
                // Half of what a payload like this comes to: as fast as a process can send is many times as fast as calls are,
                // and what counts more than 140,000 in a second is no clock of media.
                add(&mut self.octets, RTP + 4, 80);
                // Speech never comes again; what is beyond this nobody looks at.
                let mut word =
                    u32::from(sequence) ^ scattered(u32::from(sequence)) ^ u32::from(self.octets[RTP + 11]);
                for place in (RTP + 12..RTP + 12 + SPEECH).step_by(4) {
                    word = scattered(word);
                    put(&mut self.octets, place, &word.to_be_bytes());
                }
            }
            Kind::Tcp => add(&mut self.octets, UDP + 4, 1460),
            Kind::Udp => add(&mut self.octets, RTP + 9, 0x9E37_79B9),
        }
    }
}

/// All flows, and the order in which they send.
#[derive(Debug)]
pub(crate) struct Traffic {
    pub(crate) flows: Vec<Flow>,
    streams: usize,
    /// Flow of each frame of one round, in which every stream sends once.
    order: Vec<usize>,
    random: u32,
}

impl Traffic {
    pub(crate) fn new(streams: u32, background: Background) -> Self {
        let mut flows: Vec<Flow> = (0..streams).map(Flow::call).collect();
        match background {
            Background::None => {}
            Background::Tcp => flows.extend((0..BACKGROUND_FLOWS).map(Flow::tcp)),
            Background::Udp => flows.extend((0..BACKGROUND_FLOWS).map(Flow::udp)),
        }
        let streams = streams as usize;
        let others = flows.len() - streams;
        let mut order = Vec::new();
        for stream in 0..streams {
            order.push(stream);
            let next = order.len() - stream - 1;
            order.extend(
                (next..next + BACKGROUND_FRAMES).filter_map(|n| Some(streams + n.checked_rem(others)?)),
            );
        }
        Self { flows, streams, order, random: 1 }
    }

    /// The flows of the next round. The order of streams is another in each, as it is on a link: in a fixed one
    /// a processor foresees every access.
    pub(crate) fn round(&mut self) -> &[usize] {
        let step = self.order.len() / self.streams.max(1);
        for n in (1..self.streams).rev() {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 17;
            self.random ^= self.random << 5;
            self.order.swap(n * step, self.random as usize % (n + 1) * step);
        }
        &self.order
    }
}

/// A frame with an IPv4 header, the rest zeros.
fn ipv4(len: usize, protocol: u8, traffic_class: u8, source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
    let mut octets = vec![0; len];
    put(&mut octets, 0, &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
    put(&mut octets, IPV4, &[0x45, traffic_class]);
    put(&mut octets, IPV4 + 2, &((len - IPV4) as u16).to_be_bytes());
    put(&mut octets, IPV4 + 6, &[0x40, 0, 60, protocol]);
    put(&mut octets, IPV4 + 12, &source);
    put(&mut octets, IPV4 + 16, &destination);
    let words = octets[IPV4..UDP].chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum: u32 = words.sum();
    let folded = (sum & 0xFFFF) + (sum >> 16);
    put(&mut octets, IPV4 + 10, &(!(folded as u16)).to_be_bytes());
    octets
}

/// A UDP header; without a checksum, which IPv4 allows.
fn put_udp(octets: &mut [u8], (source, destination): (u16, u16)) {
    let len = (octets.len() - UDP) as u16;
    put(octets, UDP, &source.to_be_bytes());
    put(octets, UDP + 2, &destination.to_be_bytes());
    put(octets, UDP + 4, &len.to_be_bytes());
}

fn put(octets: &mut [u8], place: usize, what: &[u8]) {
    octets[place..place + what.len()].copy_from_slice(what);
}

fn add(octets: &mut [u8], place: usize, step: u32) {
    let field = [octets[place], octets[place + 1], octets[place + 2], octets[place + 3]];
    put(octets, place, &u32::from_be_bytes(field).wrapping_add(step).to_be_bytes());
}

fn host(network: u8, number: u32) -> [u8; 4] {
    let [_, _, high, low] = number.to_be_bytes();
    [network, 168, high, low]
}

/// A number that says nothing of the one that it is made of.
const fn scattered(number: u32) -> u32 {
    let mixed = (number ^ 0x5BD1_E995).wrapping_mul(0x9E37_79B1);
    (mixed ^ mixed >> 15).wrapping_mul(0x85EB_CA77)
}
