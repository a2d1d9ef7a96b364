//! Frames made by hand, and inputs cut into messages.

use hopmark::terms::LinkType;

/// The two ends of all conversations, by IPv4 address and port.
const ENDS: [([u8; 4], u16); 2] = [([10, 0, 0, 1], 50_000), ([192, 0, 2, 2], 3478)];
const UDP: u8 = 17;
const TCP: u8 = 6;

/// One message of an input: three octets of circumstances, then as many octets as the second of them says.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// From the second end to the first.
    pub is_reply: bool,
    /// Time to live.
    pub ttl: u8,
    /// Traffic class.
    pub traffic_class: u8,
    /// Nanoseconds since the message before.
    pub elapsed_ns: i64,
    /// Octets of the frame that the capture did not keep.
    pub snapped: usize,
    /// What is sent.
    pub payload: &'a [u8],
}

/// Cuts an input into messages.
pub fn messages(data: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (&[circumstances, length, traffic_class], behind) = rest.split_first_chunk()?;
        let (payload, behind) = behind.split_at(behind.len().min(length.into()));
        rest = behind;
        let milliseconds = [20, 0, 1, 5000][usize::from(circumstances >> 2 & 3)];
        Some(Message {
            is_reply: circumstances & 1 != 0,
            ttl: 64 - (circumstances >> 1 & 1),
            traffic_class,
            elapsed_ns: milliseconds * 1_000_000,
            snapped: usize::from(circumstances >> 4),
            payload,
        })
    })
}

/// The link types that the decoder knows, and one that nobody does.
#[must_use]
pub fn link(choice: u8) -> LinkType {
    const ALL: [u16; 19] =
        [1, 0, 6, 9, 10, 12, 14, 50, 51, 101, 104, 105, 108, 113, 127, 228, 229, 276, 9999];
    LinkType(ALL[usize::from(choice) % ALL.len()])
}

/// An Ethernet frame with a UDP datagram.
#[must_use]
pub fn udp_frame(message: &Message<'_>) -> Vec<u8> {
    let (from, to) = ports(message);
    let length = u16::try_from(8 + message.payload.len()).unwrap_or(u16::MAX);
    let mut datagram = [from.to_be_bytes(), to.to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
    datagram.extend(message.payload);
    ipv4_frame(message, UDP, &datagram)
}

/// An Ethernet frame with a TCP segment.
#[must_use]
pub fn tcp_frame(message: &Message<'_>) -> Vec<u8> {
    let (from, to) = ports(message);
    let mut segment = [from.to_be_bytes(), to.to_be_bytes()].concat();
    segment.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0]);
    segment.extend(message.payload);
    ipv4_frame(message, TCP, &segment)
}

fn ports(message: &Message<'_>) -> (u16, u16) {
    let [one, other] = ENDS.map(|end| end.1);
    if message.is_reply { (other, one) } else { (one, other) }
}

fn ipv4_frame(message: &Message<'_>, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [one, other] = ENDS.map(|end| end.0);
    let (from, to) = if message.is_reply { (other, one) } else { (one, other) };
    let [l0, l1] = u16::try_from(20 + payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    frame.extend([0x45, message.traffic_class, l0, l1, 0, 1, 0x40, 0, message.ttl, protocol, 0, 0]);
    frame.extend([from, to].concat());
    frame.extend(payload);
    frame
}
