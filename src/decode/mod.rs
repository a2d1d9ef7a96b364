//! The bytes of one frame to observations of what media uses.
//!
//! Link, tags, tunnels, IP, UDP or TCP, then RTP, RTCP, STUN, TURN, DTLS, ZRTP.
//!
//! Pure: no I/O, no clock, no allocation per frame. Takes any bytes whatever and never panics: what cannot be
//! read is a counted reason ([`Undecoded`]) and the next frame.
//!
//! [`Decoder`] is the way in. `walk` goes from the link to the innermost UDP or TCP header, `demux` and
//! `tcp_framing` tell what lies behind it. Each protocol has a file; a new one is a file and an
//! arm in one of these.

mod channel_data;
mod decoder;
mod demux;
mod digest;
mod dtls;
mod erspan;
mod ethernet;
mod ethertype;
mod gre;
mod host;
mod ip;
mod ipv4;
mod ipv6;
mod lately;
mod layers;
mod llc;
mod mpls;
mod multiplexed;
mod next;
mod nsh;
mod observation;
pub mod path;
mod payload;
mod plain;
mod ppp;
mod ring;
mod rtcp;
mod rtp;
mod span;
pub mod stun;
mod tags;
mod tcp;
mod tcp_framing;
mod tunnel;
mod udp;
mod undecoded;
mod walk;
mod wlan;
mod zrtp;

#[cfg(test)]
mod tests;

pub use decoder::{Decoder, Options};
pub use layers::MirroredFrame;
pub use observation::{Addresses, Fragment, Message, Observation, RtcpHeader, RtpHeader};
pub use path::{Layer, Path, PathId, PathTable};
pub use payload::Payload;
pub use plain::{PlainDigest, PlainRtp};
pub use undecoded::Undecoded;
