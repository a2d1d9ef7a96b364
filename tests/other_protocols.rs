//! Other protocols are not reported as RTP, though some of their fields count and some stay.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "fields are filled by their low bits"
)]

mod common;

use std::net::{Ipv4Addr, SocketAddr};

use common::run::{names, streams};
use common::traffic::{Sender, Traffic, check_all, fields};
use common::{Capture, Random, Udp, ms, report, rtp, s};

/// ESP in UDP (RFC 3948): several security associations, each with its own sequence and a kind of IV.
fn esp(
    random: &mut Random,
    associations: u64,
    are_neighbours: bool,
    iv: fn(&mut Random, u32) -> [u8; 8],
) -> Sender {
    let base = 0x8000_0000 | random.u32() >> 2;
    let mut known: Vec<(u32, u32)> = (0..associations as u32)
        .map(|i| {
            let spi = if are_neighbours { base.wrapping_add(i) } else { 0x8000_0000 | random.u32() >> 2 };
            (spi, random.below(1000) as u32)
        })
        .collect();
    Box::new(move |random, i, _| {
        let turn =
            if are_neighbours { i as usize % known.len() } else { random.below(known.len() as u64) as usize };
        let (spi, sequence) = &mut known[turn];
        *sequence += 1;
        let octets = random.between(40, 200) as usize;
        fields(&[&spi.to_be_bytes(), &sequence.to_be_bytes(), &iv(random, *sequence), &random.octets(octets)])
    })
}

#[test]
fn esp_in_udp_is_no_stream() {
    check_all([
        Traffic::new("ESP with random IVs", 4500, |r| esp(r, 1, false, |r, _| r.next().to_be_bytes()))
            .packets(10, 200),
        Traffic::new("ESP with counters as IVs", 4500, |r| {
            esp(r, 1, false, |_, n| u64::from(n).to_be_bytes())
        })
        .packets(10, 200),
        Traffic::new("ESP of four associations", 4500, |r| {
            esp(r, 4, false, |_, n| u64::from(n).to_be_bytes())
        })
        .packets(10, 200),
        Traffic::new("ESP of four neighbouring associations in turn", 4500, |r| {
            esp(r, 4, true, |_, n| u64::from(n).to_be_bytes())
        })
        .packets(10, 200),
        Traffic::new("ESP of many neighbouring associations in turn", 41_000, |r| {
            esp(r, 64, true, |_, n| u64::from(n).to_be_bytes())
        })
        .packets(10, 200),
        Traffic::new("ESP on another port", 41_000, |r| esp(r, 2, false, |_, n| u64::from(n).to_be_bytes())),
    ]);
}

#[test]
fn tunnels_and_their_handshakes_are_no_streams() {
    check_all([
        Traffic::new("IKE", 500, |random| {
            let (initiator, responder) = (0x8000_0000_0000_0000 | random.next() >> 2, random.next());
            Box::new(move |random, i, _| {
                let header = [0x2E, 0x20, 0x23, 0x08];
                let octets = random.between(60, 400) as usize;
                let length = (28 + octets as u32).to_be_bytes();
                let ids = [initiator.to_be_bytes(), responder.to_be_bytes()].concat();
                fields(&[&ids, &header, &i.to_be_bytes(), &length, &random.octets(octets)])
            })
        }),
        Traffic::new("IKE on the port of ESP", 4500, |random| {
            let (initiator, responder) = (random.next(), random.next());
            Box::new(move |random, i, _| {
                let ids = [initiator.to_be_bytes(), responder.to_be_bytes()].concat();
                fields(&[&[0; 4], &ids, &[0x2E, 0x20, 0x23, 0x08], &i.to_be_bytes(), &random.octets(80)])
            })
        }),
        Traffic::new("WireGuard", 51_820, |random| {
            let receiver = random.u32();
            let mut counter = 0_u64;
            Box::new(move |random, i, _| match i {
                0 => fields(&[&[1, 0, 0, 0], &random.octets(144)]),
                1 => fields(&[&[2, 0, 0, 0], &random.octets(88)]),
                2 => fields(&[&[3, 0, 0, 0], &random.octets(60)]),
                _ => {
                    counter += 1;
                    let octets = 16 * random.between(2, 90) as usize;
                    let (to, count) = (receiver.to_le_bytes(), counter.to_le_bytes());
                    fields(&[&[4, 0, 0, 0], &to, &count, &random.octets(octets)])
                }
            })
        })
        .packets(10, 200),
        Traffic::new("OpenVPN", 1194, |random| {
            let (session, peer, is_new) = (random.next(), random.below(4) as u8, random.below(2) == 0);
            Box::new(move |random, i, _| {
                let id = i.to_be_bytes();
                match i {
                    0 => fields(&[&[0x38], &session.to_be_bytes(), &[0], &[0; 4]]),
                    1 => fields(&[&[0x40], &session.to_be_bytes(), &[0], &[0; 4]]),
                    2..=5 => fields(&[&[0x20], &session.to_be_bytes(), &[0], &id, &random.octets(100)]),
                    6 => fields(&[&[0x28], &session.to_be_bytes(), &[1], &id, &session.to_be_bytes()]),
                    _ if is_new => fields(&[&[0x48, 0, 0, peer], &id, &random.octets(100)]),
                    _ => fields(&[&[0x30], &id, &random.octets(100)]),
                }
            })
        }),
        Traffic::new("DTLS", 40_443, |random| {
            let is_13 = random.below(2) == 0;
            Box::new(move |random, i, _| {
                let octets = random.between(17, 300) as usize;
                let length = (octets as u16).to_be_bytes();
                let sequence = u64::from(i).to_be_bytes();
                if is_13 && i > 4 {
                    fields(&[&[0x2E], &random.u16().to_be_bytes(), &length, &random.octets(octets)])
                } else {
                    let kind = if i < 5 { 22 } else { 23 };
                    fields(&[&[kind, 0xFE, 0xFD, 0, 1], &sequence[2..], &length, &random.octets(octets)])
                }
            })
        }),
    ]);
}

#[test]
fn quic_is_no_stream() {
    check_all([
        Traffic::new("QUIC version 1", 443, |random| {
            let connection = random.octets(8);
            Box::new(move |random, i, _| {
                let octets = random.between(20, 1200) as usize;
                if i < 4 {
                    fields(&[
                        &[0xC0 | random.u8() & 0x3F, 0, 0, 0, 1, 8],
                        &connection,
                        &[0, 0x44, 0xD0],
                        &random.octets(1200),
                    ])
                } else {
                    fields(&[&[0x40 | random.u8() & 0x3F], &connection, &random.octets(octets)])
                }
            })
        }),
        Traffic::new("QUIC with a greased bit", 443, |random| {
            let connection = random.octets(8);
            Box::new(move |random, i, _| {
                // RFC 9287: the second bit is random too.
                let octets = random.between(20, 1200) as usize;
                if i < 8 {
                    fields(&[
                        &[0x80 | random.u8() & 0x7F, 0, 0, 0, 1, 8],
                        &connection,
                        &[0, 0x44, 0xD0],
                        &random.octets(1200),
                    ])
                } else {
                    fields(&[&[random.u8() & 0x7F], &connection, &random.octets(octets)])
                }
            })
        }),
        Traffic::new("QUIC of Google", 443, |random| {
            let connection = random.octets(8);
            Box::new(move |random, i, _| {
                let number = (i as u16).to_le_bytes();
                let rest = random.octets(900);
                match i {
                    0..=3 => fields(&[&[0x0D], &connection, b"Q043", &[i as u8 + 1], &rest]),
                    _ if i % 2 == 0 => fields(&[&[0x18], &connection, &number, &rest]),
                    _ => fields(&[&[0x10], &number, &rest]),
                }
            })
        }),
    ]);
}

#[test]
fn servers_of_everyday_are_no_streams() {
    check_all([
        Traffic::new("DNS from one port, identifiers counting", 53, |random| {
            let first = 0x8000 | random.u16() >> 2;
            Box::new(move |_, i, _| {
                let id = first.wrapping_add(i as u16).to_be_bytes();
                fields(&[&id, &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0], b"\x07example\x03com\0\0\x01\0\x01"])
            })
        }),
        Traffic::new("DNS answers", 53, |_| {
            Box::new(|random, _, _| {
                let id = random.u16().to_be_bytes();
                fields(&[
                    &id,
                    &[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0],
                    b"\x07example\x03com\0\0\x01\0\x01",
                    &random.octets(16),
                ])
            })
        }),
        Traffic::new("mDNS", 5353, |_| {
            Box::new(|random, _, _| fields(&[&[0, 0, 0x84, 0, 0, 0, 0, 4, 0, 0, 0, 3], &random.octets(200)]))
        }),
        Traffic::new("NTP", 123, |random| {
            let first = random.pick(&[0xA3, 0xA4, 0xE3, 0x24, 0x1B]);
            let root = random.octets(12);
            Box::new(move |random, i, at| {
                let seconds = (0xE900_0000 + (at / s(1)) as u32 + i).to_be_bytes();
                fields(&[&[first, 2, 6, 0xEC], &root, &seconds, &random.octets(28)])
            })
        }),
        Traffic::new("SNMP", 161, |random| {
            let id = random.u32();
            Box::new(move |_, i, _| {
                let id = id.wrapping_add(i).to_be_bytes();
                fields(&[
                    b"\x30\x2C\x02\x01\x01\x04\x06public\xA0\x1F\x02\x04",
                    &id,
                    b"\x02\x01\0\x02\x01\0\x30\x11",
                ])
            })
        }),
        Traffic::new("syslog", 514, |_| {
            Box::new(|_, i, _| format!("<134>Nov 20 06:00:{:02} switch7 link {i} up", i % 60).into_bytes())
        }),
        Traffic::new("RADIUS", 1812, |_| {
            Box::new(|random, i, _| {
                let octets = random.between(20, 180) as usize;
                let length = (20 + octets as u16).to_be_bytes();
                let code = random.pick(&[1, 2, 3, 4, 5, 11]);
                fields(&[&[code, i as u8], &length, &random.octets(16 + octets)])
            })
        }),
        Traffic::new("GTP-C version 2", 2123, |random| {
            let teid = 0x8000_0000 | random.u32() >> 2;
            let first = random.u16();
            Box::new(move |random, i, _| {
                let sequence = u32::from(first).wrapping_add(i) << 8;
                let length = (8 + 80_u16).to_be_bytes();
                fields(&[
                    &[0x48, 34],
                    &length,
                    &teid.to_be_bytes(),
                    &sequence.to_be_bytes(),
                    &random.octets(80),
                ])
            })
        }),
    ]);
}

#[test]
fn storage_and_transfer_are_no_streams() {
    check_all([
        Traffic::new("TFTP", 69, |_| {
            Box::new(|random, i, _| match i % 2 {
                0 => fields(&[&[0, 3], &(i as u16 / 2 + 1).to_be_bytes(), &random.octets(512)]),
                _ => fields(&[&[0, 4], &(i as u16 / 2 + 1).to_be_bytes()]),
            })
        })
        .packets(10, 200)
        .every(ms(1), ms(3)),
        Traffic::new("RPC over UDP, identifiers counting", 2049, |random| {
            let first = 0x8000_0000 | random.u32() >> 2;
            Box::new(move |random, i, _| {
                let id = first.wrapping_add(i).to_be_bytes();
                fields(&[&id, &[0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0x86, 0xA3, 0, 0, 0, 3], &random.octets(60)])
            })
        })
        .packets(10, 200),
        Traffic::new("RPC over UDP, in bursts", 2049, |random| {
            let first = 0x8000_0000 | random.u32() >> 2;
            Box::new(move |random, i, _| {
                let id = first.wrapping_add(i).to_be_bytes();
                fields(&[&id, &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], &random.octets(60)])
            })
        })
        .every(0, ms(1)),
        Traffic::new("memcached", 11_211, |random| {
            let id = 0x8000 | random.u16() >> 2;
            Box::new(move |_, i, _| {
                // One answer in many datagrams, all of the same letter.
                let number = (i as u16).to_be_bytes();
                fields(&[&id.to_be_bytes(), &number, &[0, 200, 0, 0], &[b'a'; 1392]])
            })
        })
        .every(0, ms(1)),
        Traffic::new("Roughtime", 2002, |_| {
            Box::new(|random, _, _| fields(&[b"ROUGHTIM", &[0, 4, 0, 0, 2, 0, 0, 0], &random.octets(1000)]))
        }),
        Traffic::new("L2TP control", 1701, |random| {
            let (tunnel, session) = (random.u16(), random.u16());
            Box::new(move |random, i, _| {
                let (tunnel, session) = (tunnel.to_be_bytes(), session.to_be_bytes());
                let sent = (i as u16).to_be_bytes();
                fields(&[&[0xC8, 2, 0, 60], &tunnel, &session, &sent, &sent, &random.octets(48)])
            })
        }),
    ]);
}

#[test]
fn industry_and_measurement_are_no_streams() {
    check_all([
        Traffic::new("BACnet/IP", 47_808, |_| {
            Box::new(|random, i, _| {
                fields(&[&[0x81, 10, 0, 17, 1, 4, 0, 5, i as u8, 12, 12], &random.octets(6)])
            })
        }),
        Traffic::new("BACnet/IP, lengths that grow", 47_808, |_| {
            Box::new(|_, i, _| {
                let length = (20 + i as u16).to_be_bytes();
                fields(&[
                    &[0x81, 11],
                    &length,
                    &[1, 0x20, 0xFF, 0xFF, 0, 0xFF, 0x10, 8],
                    &vec![9; 8 + i as usize],
                ])
            })
        }),
        Traffic::new("FINS", 9600, |random| {
            let node = random.u8();
            Box::new(move |random, i, _| {
                fields(&[&[0x80, 0, 2, 0, node, 0, 0, 99, 0, i as u8, 1, 1], &random.octets(8)])
            })
        }),
        Traffic::new("Modbus over UDP", 502, |random| {
            let first = 0x8000 | random.u16() >> 2;
            Box::new(move |_, i, _| {
                let id = first.wrapping_add(i as u16).to_be_bytes();
                fields(&[&id, &[0, 0, 0, 6, 1, 3, 0, 100, 0, 10]])
            })
        }),
        Traffic::new("iperf", 5001, |_| {
            Box::new(|_, i, at| {
                let (seconds, micros) = ((at / s(1)) as u32, (at % s(1) / 1000) as u32);
                fields(&[&i.to_be_bytes(), &seconds.to_be_bytes(), &micros.to_be_bytes(), &[0x36; 1458]])
            })
        })
        .every(ms(1), ms(12)),
        Traffic::new("TWAMP", 862, |random| {
            let first = random.pick(&[0, 0x8000_0000_u32]);
            Box::new(move |random, i, at| {
                let seconds = (0xE900_0000 + (at / s(1)) as u32).to_be_bytes();
                fields(&[&first.wrapping_add(i).to_be_bytes(), &seconds, &random.octets(34)])
            })
        })
        .packets(10, 200),
        Traffic::new("a counter of 32 bits beside constants", 40_000, |random| {
            let (first, a, b) = (0x8000_0000 | random.u32() >> 2, random.u32(), random.u32());
            Box::new(move |random, i, _| {
                let n = first.wrapping_add(i).to_be_bytes();
                fields(&[&n, &a.to_be_bytes(), &b.to_be_bytes(), &random.octets(40)])
            })
        })
        .packets(10, 200),
        Traffic::new("MPEG transport stream", 1234, |random| {
            let pid = random.u16();
            Box::new(move |random, i, _| {
                let one = |random: &mut Random, n: u32| {
                    let head = [0x47, (pid >> 8) as u8 & 0x1F, pid as u8, 0x10 | n as u8 & 0x0F];
                    fields(&[&head, &random.octets(184)])
                };
                (0..7).flat_map(|n| one(random, i * 7 + n)).collect()
            })
        }),
    ]);
}

#[test]
fn game_libraries_are_no_streams() {
    check_all([
        Traffic::new("RakNet", 19_132, |random| {
            let kind = random.pick(&[0x80, 0x84, 0x88, 0x8C]);
            Box::new(move |random, i, _| {
                let n = i.to_le_bytes();
                fields(&[&[kind], &n[..3], &[0x60, 0, 0x80], &n[..3], &n[..3], &[0], &random.octets(16)])
            })
        })
        .packets(10, 200),
        Traffic::new("RakNet acknowledgements", 19_132, |random| {
            let kind = random.pick(&[0xC0, 0xA0]);
            Box::new(move |_, i, _| {
                let n = i.to_le_bytes();
                fields(&[&[kind, 0, 1, 1], &n[..3], &n[..3], &[0; 4]])
            })
        }),
        Traffic::new("ENet at 60 frames a second", 7777, |random| {
            let peer = 0x8000 | random.u16() & 0x0FFF;
            Box::new(move |random, i, at| {
                let (clock, n) = ((at / ms(1)) as u16, (i as u16).to_be_bytes());
                fields(&[
                    &peer.to_be_bytes(),
                    &clock.to_be_bytes(),
                    &[0x07, 0],
                    &n,
                    &n,
                    &[0, 32],
                    &random.octets(32),
                ])
            })
        })
        .packets(10, 200)
        .every(ms(15), ms(17)),
        Traffic::new("ENet, reliable commands of one length", 7777, |random| {
            let peer = 0x8000 | random.u16() & 0x0FFF;
            Box::new(move |random, i, at| {
                let (clock, n) = ((at / ms(1)) as u16, (i as u16).to_be_bytes());
                fields(&[
                    &peer.to_be_bytes(),
                    &clock.to_be_bytes(),
                    &[0x86, 1],
                    &n,
                    &[0, 32, 7, 7],
                    &random.octets(32),
                ])
            })
        })
        .packets(10, 200)
        .every(ms(1), ms(16)),
    ]);
}

#[test]
fn game_engines_and_their_transports_are_no_streams() {
    check_all([
        Traffic::new("Source engine", 27_015, |random| {
            let first = random.u32();
            Box::new(move |random, i, _| {
                let (sent, seen) =
                    (first.wrapping_add(i).to_le_bytes(), first.wrapping_add(i / 2).to_le_bytes());
                fields(&[&sent, &seen, &[0], &random.octets(90)])
            })
        })
        .packets(10, 200),
        Traffic::new("Quake", 27_960, |random| {
            let (first, port) = (random.u32(), random.u16());
            Box::new(move |random, i, _| {
                fields(&[&first.wrapping_add(i).to_le_bytes(), &port.to_le_bytes(), &random.octets(50)])
            })
        })
        .packets(10, 200),
        Traffic::new("KCP", 29_900, |random| {
            let conversation = random.u32() | 0x80;
            Box::new(move |random, i, at| {
                let clock = ((at / ms(1)) as u32).to_le_bytes();
                let n = i.to_le_bytes();
                let id = conversation.to_le_bytes();
                fields(&[&id, &[81, 0, 128, 0], &clock, &n, &n, &[100, 0, 0, 0], &random.octets(100)])
            })
        })
        .packets(10, 200),
    ]);
}

#[test]
fn other_transports_are_no_streams() {
    check_all([
        Traffic::new("uTP", 6881, |random| {
            let connection = random.u16();
            Box::new(move |random, i, at| {
                let micros = ((at / 1000) as u32).to_be_bytes();
                let n = (i as u16).to_be_bytes();
                let id = connection.to_be_bytes();
                fields(&[
                    &[0x01, 0],
                    &id,
                    &micros,
                    &[0, 0, 9, 9],
                    &[0, 0x10, 0, 0],
                    &n,
                    &n,
                    &random.octets(1000),
                ])
            })
        })
        .packets(10, 200),
        Traffic::new("SRT data", 9000, |random| {
            let (first, socket) = (random.u32() >> 1, random.u32());
            Box::new(move |random, i, at| {
                let n = first.wrapping_add(i) & 0x7FFF_FFFF;
                let micros = ((at / 1000) as u32).to_be_bytes();
                fields(&[
                    &n.to_be_bytes(),
                    &[0xE0, 0, 0, i as u8],
                    &micros,
                    &socket.to_be_bytes(),
                    &random.octets(1316),
                ])
            })
        })
        .packets(10, 200)
        .every(ms(1), ms(4)),
        Traffic::new("SRT acknowledgements", 9000, |random| {
            let socket = random.u32();
            Box::new(move |random, i, at| {
                let micros = ((at / 1000) as u32).to_be_bytes();
                fields(&[
                    &[0x80, 2, 0, 0],
                    &i.to_be_bytes(),
                    &micros,
                    &socket.to_be_bytes(),
                    &random.octets(28),
                ])
            })
        }),
        Traffic::new("a proprietary header before RTP", 8801, |random| {
            let (ssrc, first) = (random.u32(), random.u16());
            Box::new(move |_, i, _| {
                let inner = rtp(99, first.wrapping_add(i as u16), i * 3000, ssrc, 800);
                fields(&[&[5, 16, 1, 2, 0, 0, 0, 0], &(i as u16).to_be_bytes(), &[0; 14], &inner])
            })
        }),
        Traffic::new("something like VXLAN", 4789, |random| {
            Box::new({
                let id = random.octets(3);
                move |random, _, _| fields(&[&[8, 0, 0, 0], &id, &[0], &random.octets(200)])
            })
        }),
    ]);
}

#[test]
fn framed_and_unframed_octets_on_tcp_are_no_streams() {
    let mut random = Random::new(99);
    let mut capture = Capture::new();
    for number in 0..600_u32 {
        let client = Ipv4Addr::from(0x0A00_0000 + number + 1);
        let flow = Udp::between(SocketAddr::new(client.into(), 50_000), ([192, 0, 2, 9], 443).into());
        let mut sequence = random.u32();
        for i in 0..40_u32 {
            let octets = random.between(30, 900) as usize;
            let length = (octets as u16).to_be_bytes();
            let id = (0x8000_u16.wrapping_add(i as u16)).to_be_bytes();
            let data = match number % 4 {
                0 => fields(&[&[23, 3, 3], &length, &random.octets(octets)]),
                1 => random.octets(octets),
                // DNS over TCP: the length before each message is that of RFC 4571.
                2 => fields(&[&length, &id, &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0], &vec![7; octets - 12]]),
                _ => fields(&[&length, &random.octets(octets)]),
            };
            capture.add(ms(20) * i64::from(i), flow.segment(sequence, &data));
            sequence = sequence.wrapping_add(data.len() as u32);
        }
    }
    let report = report(&capture);
    assert!(streams(&report).is_empty(), "{}", names(&report));
}
