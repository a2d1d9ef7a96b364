//! Media on its way to a relay: channels, indications, MS-TURN.

use std::net::SocketAddr;

use super::plan::RelayUse;
use super::random::mix;
use super::scenario::Framing;
use super::stun::{DATA, DATA_INDICATION, Message, SEND_INDICATION, XOR_PEER_ADDRESS};

/// Wraps a payload between client and relay. `reverse`: from the relay to its client.
pub(super) fn frame(relay: &RelayUse, peer: SocketAddr, payload: &[u8], reverse: bool) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    match relay.framing {
        Framing::Channel => {
            let mut framed = relay.channel.to_be_bytes().to_vec();
            framed.extend(length.to_be_bytes());
            framed.extend(payload);
            framed
        }
        Framing::Indication => {
            let kind = if reverse { DATA_INDICATION } else { SEND_INDICATION };
            // Every indication has a transaction of its own; what tells them apart is their content.
            let seed =
                payload.iter().take(16).fold(relay.session, |seed, octet| mix(seed ^ u64::from(*octet)));
            Message::new(kind, seed).address(XOR_PEER_ADDRESS, peer).attribute(DATA, payload).finished()
        }
        Framing::MsTurn => {
            // MS-TURN, section 2.2.3: 0xFF10, octets that follow, session, data.
            let mut framed = vec![0xFF, 0x10];
            framed.extend((length + 8).to_be_bytes());
            framed.extend(relay.session.to_be_bytes());
            framed.extend(payload);
            framed
        }
        Framing::Plain => payload.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(framing: Framing) -> RelayUse {
        let address = "192.0.2.9:3478".parse().unwrap();
        RelayUse {
            address,
            relayed: address,
            channel: 0x4001,
            session: 7,
            framing,
            position: 1,
            allocate: true,
        }
    }

    #[test]
    fn the_payload_stands_behind_the_frame() {
        let peer = "192.0.2.8:50000".parse().unwrap();
        let payload = [0x80, 1, 2, 3, 4];
        let channel = frame(&relay(Framing::Channel), peer, &payload, false);
        assert_eq!(channel, [0x40, 0x01, 0, 5, 0x80, 1, 2, 3, 4]);
        let ms_turn = frame(&relay(Framing::MsTurn), peer, &payload, false);
        assert_eq!(ms_turn, [0xFF, 0x10, 0, 13, 0, 0, 0, 0, 0, 0, 0, 7, 0x80, 1, 2, 3, 4]);
        let indication = frame(&relay(Framing::Indication), peer, &payload, true);
        assert_eq!(&indication[..4], &[0, 0x17, 0, 24]);
        assert_eq!(&indication[32..], &[0, 0x13, 0, 5, 0x80, 1, 2, 3, 4, 0, 0, 0]);
    }
}
