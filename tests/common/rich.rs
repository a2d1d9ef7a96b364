//! One capture with something of everything.
//!
//! Marked right and wrong, at several hops, both ways, with STUN.

use super::packet::VLAN;
use super::tunnel::{self, channel_data, stun};
use super::{Capture, Stream, Udp, ms, rtp, s};

const CLIENT: &str = "10.20.0.31";

fn flow(port: u16, service: &str) -> Udp {
    Udp::new(&format!("{CLIENT}:{port}"), service)
}

/// Audio marked right, both ways, with STUN on its ports.
fn good_call(capture: &mut Capture) {
    let out = Stream::g711(flow(50_004, "52.112.100.7:3479"));
    let back = Stream { ssrc: 0x1C04_15B2, ..out };
    capture.extend(out.frames(0..600));
    capture.extend(Stream { flow: out.flow.reversed().ttl(58), ..back }.frames(0..600));
    for n in 0..4_u8 {
        let at = s(3) * i64::from(n);
        let id = [n; 12];
        capture.add(at, out.flow.frame(&stun(0x0001, id, &[])));
        capture.add(at + ms(24 + i64::from(n)), out.flow.reversed().frame(&stun(0x0101, id, &[])));
    }
}

/// Video whose marking is cleared at the third hop, with loss after the second; what comes back is never marked.
fn bleached_video(capture: &mut Capture) {
    let out = Stream {
        payload_type: 107,
        ssrc: 0x2222_0001,
        step: 3000,
        interval: 33_333_333,
        octets: 900,
        ..Stream::g711(flow(50_022, "52.112.100.8:3480").dscp(34))
    };
    for i in 0..400 {
        let payload = out.payload(i);
        capture.add(out.time(i), out.flow.frame(&payload));
        capture.add(out.time(i) + 400_000, out.flow.ttl(63).frame(&payload));
        if i % 40 != 9 {
            capture.add(out.time(i) + 900_000, out.flow.ttl(62).dscp(0).frame(&payload));
        }
    }
    let back = Stream { ssrc: 0x2222_0002, flow: out.flow.reversed().dscp(0).ttl(55), ..out };
    capture.extend(back.frames(0..400));
}

/// Audio through a relay, in a tag whose priority does not fit, with a change of marking on the way.
fn relayed_audio(capture: &mut Capture) {
    let out = Stream { ssrc: 0x3333_0001, ..Stream::opus(flow(50_006, "52.112.100.9:3478")) };
    for i in 0..500 {
        let flow = if i < 300 { out.flow } else { out.flow.dscp(0) };
        let payload = channel_data(0x4001, &out.payload(i));
        capture.add(out.time(i), flow.tagged(&[(VLAN, 30, 1)], &payload));
    }
}

/// Sharing over TCP, IPv6, a tunnel, telephone events, strays, fragments, and a relay that does not answer.
fn others(capture: &mut Capture) {
    let tcp = Stream {
        ssrc: 0x4444_0001,
        payload_type: 127,
        octets: 300,
        ..Stream::opus(flow(50_041, "52.112.100.10:443"))
    };
    let mut sequence = 1;
    for i in 0..120 {
        let data = tunnel::rfc4571(&tcp.payload(i));
        capture.add(tcp.time(i), tcp.flow.dscp(0).segment(sequence, &data));
        sequence += data.len() as u32;
    }
    let v6 = Udp::new("[fd00:20::31]:50008", "[2603:1063::7]:3479");
    capture.extend(Stream { ssrc: 0x5555_0001, ..Stream::g711(v6) }.frames((0..300).filter(|i| i % 25 != 3)));
    let inner = Stream { ssrc: 0x6666_0001, ..Stream::g711(flow(50_010, "10.99.0.2:50012").dscp(40)) };
    capture.extend(inner.wrapped(0..200, |flow, payload| tunnel::vxlan(5000, &flow.frame(payload))));
    capture.add(s(2) + ms(3), inner.flow.frame(&rtp(0, 60_000, 1, 0x1C04_15B1, 160)));
    for (client, id) in [("10.20.0.31:50100", 1), ("10.20.0.32:50100", 2), ("10.20.0.33:50100", 3)] {
        for n in 0..3 {
            let request = stun(0x0003, [id * 16 + n; 12], &[0, 0x19, 0, 4, 17, 0, 0, 0]);
            capture
                .add(s(1) + ms(500) * i64::from(n), Udp::new(client, "52.112.100.11:3478").frame(&request));
        }
    }
    capture.add(s(4), tunnel::outer().frame(b"GET / HTTP/1.0"));
    capture.add(s(4), vec![0xFF; 30]);
}

/// The capture.
pub(crate) fn capture() -> Capture {
    let mut capture = Capture::new();
    good_call(&mut capture);
    bleached_video(&mut capture);
    relayed_audio(&mut capture);
    others(&mut capture);
    capture
}
