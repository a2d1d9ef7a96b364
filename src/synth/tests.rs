//! Whole scenarios, read back by code that is not ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use etherparse::{LaxSlicedPacket, NetSlice, SlicedPacket, TransportSlice};
use serde_json::Value;

use super::{Format, Kind, Options, Scenario, draw, generate};

struct Made {
    folder: tempfile::TempDir,
    truth: Value,
}

fn make(scenario: &Scenario, format: Format, one_file: bool) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { out: folder.path().to_owned(), format, one_file, truth: true };
    generate(scenario, &options).unwrap();
    let truth = serde_json::from_str(&fs::read_to_string(folder.path().join("truth.json")).unwrap()).unwrap();
    Made { folder, truth }
}

fn make_text(text: &str) -> Made {
    make(&toml::from_str(text).unwrap(), Format::Pcap, false)
}

/// All frames that libpcap finds in a capture: nanoseconds since 1970, length on the wire, octets kept.
fn frames(path: &Path) -> Vec<(i64, u32, Vec<u8>)> {
    let mut capture = pcap::Capture::from_file_with_precision(path, pcap::Precision::Nano).unwrap();
    assert_eq!(capture.get_datalink(), pcap::Linktype::ETHERNET);
    let mut frames = Vec::new();
    loop {
        match capture.next_packet() {
            Ok(packet) => {
                let at = packet.header.ts.tv_sec * 1_000_000_000 + packet.header.ts.tv_usec;
                frames.push((at, packet.header.len, packet.data.to_vec()));
            }
            Err(pcap::Error::NoMorePackets) => return frames,
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
}

/// Sum of 16-bit words to which a right checksum brings all ones (RFC 1071).
fn sums_to_ones(parts: &[&[u8]]) -> bool {
    let mut sum: u64 = 0;
    for pair in parts.concat().chunks(2) {
        sum += u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum == 0xFFFF
}

fn assert_checksums(frame: &[u8]) {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let Some(TransportSlice::Udp(udp)) = &packet.transport else { return };
    let octets = u32::try_from(udp.slice().len()).unwrap().to_be_bytes();
    let pseudo = match &packet.net {
        Some(NetSlice::Ipv4(ip)) => {
            assert!(sums_to_ones(&[ip.header().slice()]), "IPv4 header");
            [&ip.header().source()[..], &ip.header().destination()[..]].concat()
        }
        Some(NetSlice::Ipv6(ip)) => [&ip.header().source()[..], &ip.header().destination()[..]].concat(),
        other => panic!("{other:?}"),
    };
    assert!(sums_to_ones(&[&pseudo, &octets, &[0, 17], udp.slice()]), "UDP");
}

/// SSRC, TTL and DSCP of a frame that holds bare RTP of one of these SSRCs.
fn rtp(frame: &[u8], known: &[u32]) -> Option<(u32, u8, u8)> {
    let packet = LaxSlicedPacket::from_ethernet(frame).ok()?;
    let Some(TransportSlice::Udp(udp)) = &packet.transport else { return None };
    let payload = udp.payload();
    let is_rtp = payload.len() >= 12 && payload[0] >> 6 == 2 && !(192..224).contains(&payload[1]);
    let ssrc = u32::from_be_bytes(payload.get(8..12)?.try_into().ok()?);
    if !is_rtp || !known.contains(&ssrc) {
        return None;
    }
    match &packet.net {
        Some(etherparse::LaxNetSlice::Ipv4(ip)) => Some((ssrc, ip.header().ttl(), ip.header().dcp().value())),
        Some(etherparse::LaxNetSlice::Ipv6(ip)) => {
            Some((ssrc, ip.header().hop_limit(), ip.header().traffic_class() >> 2))
        }
        _ => None,
    }
}

fn ssrc(stream: &Value) -> u32 {
    u32::from_str_radix(stream["ssrc"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

#[test]
fn five_lines_are_a_scenario() {
    let made = make_text(
        "[[point]]\nname = \"lan\"\n[[stream]]\nsource = \"10.0.0.1\"\ndestination = \"10.0.0.2\"\n",
    );
    let hop = &made.truth["streams"][0]["hops"][0];
    assert_eq!(hop["packets"], 500);
    assert_eq!(hop["dscp"], serde_json::json!({"46": 500}));
    assert_eq!(hop["source"], "10.0.0.1:50000");
    assert_eq!(frames(&made.folder.path().join("lan.pcap")).len(), 500);
}

#[test]
fn the_truth_of_a_scenario_counted_by_hand() {
    // 100 packets forward. Three are lost on the way to b: 20, and the run 40, 41. The segment re-marks to
    // CS1. At b, the mirror hears again after a router. In reverse nothing of this happens.
    let made = make_text(
        r#"
        [[point]]
        name = "a"
        [[point]]
        name = "b"
        ttl_drop = 3
        delay = 0.004
        also_after_router = true
        after_router_vlan = [20]
        [[point.segment]]
        direction = "forward"
        remark = [{ from = "EF", to = "CS1" }]
        lose = [20]
        bursts = [{ at = 40, packets = 2 }]
        [[stream]]
        source = "10.0.0.1:50000"
        destination = "10.0.0.2:50000"
        direction = "both"
        codec = "pcmu"
        packets = 100
        restart = [70]
        "#,
    );
    let streams = &made.truth["streams"];
    let (there, back) = (&streams[0], &streams[1]);
    assert_eq!(there["hops"].as_array().unwrap().len(), 3);
    assert_eq!((&there["reverse_of"], &back["reverse_of"]), (&1.into(), &0.into()));
    for (hop, ttl, unique, lost, dscp, marking, vlan) in [
        (0, 128, 100, 0, "46", "conformant", serde_json::json!([])),
        (1, 125, 97, 3, "8", "remarked", serde_json::json!([])),
        (2, 124, 97, 3, "8", "inherited", serde_json::json!([20])),
    ] {
        let hop = &there["hops"][hop];
        assert_eq!(hop["ttl"], ttl);
        assert_eq!(hop["unique"], unique);
        assert_eq!(hop["expected"], 100);
        assert_eq!(hop["lost"], lost);
        assert_eq!(hop["resets"], 1);
        assert_eq!(hop["dscp"][dscp], unique);
        assert_eq!(hop["marking"], marking);
        assert_eq!(hop["vlan"], vlan);
        assert_eq!(hop["octets"], unique * (20 + 8 + 12 + 160));
        // Evenly sent: every packet but the first of either part updates, and finds (almost) nothing.
        assert_eq!(hop["jitter_seconds"]["updates"], unique - 2);
        assert!(hop["jitter_seconds"]["max"].as_f64().unwrap() < 1e-9);
        assert_eq!(hop["loss_bursts"]["1"], lost / 3);
        assert_eq!(hop["loss_bursts"]["2"], lost / 3);
    }
    let segment = &there["segments"][0];
    assert_eq!((&segment["lost"], &segment["unseen_after"]), (&3.into(), &0.into()));
    assert_eq!(segment["remarked"]["46>8"]["packets"], 97);
    assert!((segment["delay_seconds"]["mean"].as_f64().unwrap() - 0.004).abs() < 1e-9);
    let hops: Vec<_> =
        back["hops"].as_array().unwrap().iter().map(|hop| (&hop["point"], &hop["ttl"])).collect();
    assert_eq!(hops, [(&"b".into(), &128.into()), (&"b".into(), &127.into()), (&"a".into(), &124.into())]);
    assert!(back["hops"].as_array().unwrap().iter().all(|hop| hop["lost"] == 0 && hop["dscp"]["46"] == 100));
}

#[test]
fn stun_is_counted_by_transaction() {
    let made = make_text(
        "[[stun]]\nclient = \"10.0.0.1:50000\"\nserver = \"52.112.0.1\"\nchecks = 4\nunanswered = 1\nretransmitted = 1\n\
         round_trip = 0.03\n",
    );
    let exchange = &made.truth["stun"][0];
    for (key, count) in [("requests", 4), ("responses", 3), ("unanswered", 1), ("retransmitted", 1)] {
        assert_eq!(exchange[key], count, "{key}");
    }
    // The tap stands one millisecond from the client.
    assert!((exchange["round_trip_seconds"]["mean"].as_f64().unwrap() - 0.028).abs() < 1e-9);
    assert_eq!(exchange["server"], "52.112.0.1:3478");
}

#[test]
fn the_same_seed_gives_the_same_octets() {
    for (format, one_file) in [(Format::Pcap, false), (Format::Pcapng, false), (Format::Pcapng, true)] {
        let (one, two) = (
            make(&draw(Kind::Counting, 11), format, one_file),
            make(&draw(Kind::Counting, 11), format, one_file),
        );
        for file in fs::read_dir(one.folder.path()).unwrap() {
            let name = file.unwrap().file_name();
            let octets = |made: &Made| fs::read(made.folder.path().join(&name)).unwrap();
            assert!(octets(&one) == octets(&two), "{name:?}");
        }
        assert_ne!(one.truth, make(&draw(Kind::Counting, 12), format, one_file).truth);
    }
}

#[test]
fn what_is_written_is_what_the_truth_says() {
    for seed in 0..25 {
        let made = make(&draw(Kind::Counting, seed), Format::Pcap, false);
        let streams = made.truth["streams"].as_array().unwrap();
        let known: Vec<u32> = streams.iter().map(ssrc).collect();
        for capture in made.truth["captures"].as_array().unwrap() {
            let point = capture["points"][0].as_str().unwrap();
            let frames = frames(&made.folder.path().join(capture["file"].as_str().unwrap()));
            assert_eq!(capture["packets"], frames.len(), "seed {seed}, {point}");
            assert!(frames.windows(2).all(|pair| pair[0].0 <= pair[1].0), "seed {seed}: times go back");
            // By SSRC, TTL and DSCP: what stands bare in the file, and what the truth says of bare hops.
            let (mut found, mut told) = (BTreeMap::new(), BTreeMap::new());
            let mut strays = 0;
            for (_, wire_len, octets) in &frames {
                assert!(octets.len() <= *wire_len as usize);
                if octets.len() == *wire_len as usize && point.len() % 2 == 0 {
                    assert!(SlicedPacket::from_ethernet(octets).is_ok(), "seed {seed}, {point}");
                }
                if let Some(key) = rtp(octets, &known) {
                    *found.entry(key).or_insert(0_u64) += 1;
                }
            }
            let mut is_bare = true;
            for (stream, ssrc) in streams.iter().zip(&known) {
                for hop in stream["hops"].as_array().unwrap().iter().filter(|hop| hop["point"] == point) {
                    is_bare &= hop["encapsulation"].as_array().unwrap().is_empty();
                    strays += hop["stray"].as_u64().unwrap();
                    let sum: u64 =
                        ["unique", "duplicates", "stray"].iter().map(|k| hop[k].as_u64().unwrap()).sum();
                    assert_eq!(hop["packets"], sum);
                    assert!(hop.get("ways").is_none() || hop["ways"].as_array().unwrap().len() == 2);
                    if hop.get("ways").is_some() {
                        is_bare = false;
                        continue;
                    }
                    let ttl = u8::try_from(hop["ttl"].as_u64().unwrap()).unwrap();
                    for (dscp, packets) in hop["dscp"].as_object().unwrap() {
                        let key = (*ssrc, ttl, dscp.parse::<u8>().unwrap());
                        *told.entry(key).or_insert(0) += packets.as_u64().unwrap();
                    }
                }
            }
            if is_bare && strays == 0 {
                assert_eq!(found, told, "seed {seed}, {point}");
            }
        }
    }
}

#[test]
fn checksums_are_right() {
    let text = r#"
        [[point]]
        name = "a"
        vlan = [100, 200]
        [[relay]]
        name = "r"
        address = "52.112.0.1"
        framing = "indication"
        [[stream]]
        source = "10.0.0.1"
        destination = "52.112.0.2"
        class = "video"
        packets = 60
        relay = "r"
        [[stream]]
        source = "fd00::1"
        destination = "2001:db8::2"
        direction = "both"
        packets = 60
        [[stream]]
        source = "10.9.0.1"
        destination = "52.112.0.2"
        count = 300
        packets = 40
        order = "random"
        [[stream]]
        source = "fd00::ffff:fff0"
        destination = "2001:db8::2"
        payload = 33
        count = 40
        packets = 40
        order = "in-turn"
        [background]
        packets = 300
    "#;
    let made = make_text(text);
    let frames = frames(&made.folder.path().join("a.pcap"));
    assert_eq!(frames.len(), 60 + 6 + 120 + 12_000 + 1_600 + 300);
    for (_, _, octets) in &frames {
        assert_checksums(octets);
    }
}

#[test]
fn a_block_of_streams_is_as_many_streams() {
    let made = make_text(
        "[[point]]\nname = \"a\"\n[[point]]\nname = \"b\"\nencapsulation = [\"erspan2\"]\n[[stream]]\nsource = \"10.0.0.1\"\n\
         destination = \"10.2.0.1\"\ncodec = \"pcmu\"\ncount = 50\npackets = 40\norder = \"random\"\n",
    );
    let streams = made.truth["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 50);
    assert_eq!(streams[49]["source"], "10.0.0.50:50000");
    for hop in streams.iter().flat_map(|stream| stream["hops"].as_array().unwrap()) {
        assert_eq!((&hop["unique"], &hop["lost"], &hop["reordered"]), (&40.into(), &0.into(), &0.into()));
        // The order within an interval is reshuffled, so arrivals vary, by less than an interval.
        let jitter = hop["jitter_seconds"]["max"].as_f64().unwrap();
        assert!(jitter > 0.0 && jitter < 0.02, "{jitter}");
    }
    let captured = frames(&made.folder.path().join("b.pcap"));
    // Ethernet, IPv4, GRE: then the frame's number in the tunnel.
    let numbers =
        captured.iter().map(|(_, _, octets)| u32::from_be_bytes(octets[38..42].try_into().unwrap()));
    assert!(numbers.eq(0..2_000));
    let known: Vec<u32> = streams.iter().map(ssrc).collect();
    let plain = frames(&made.folder.path().join("a.pcap"));
    assert!(plain.iter().all(|(_, _, octets)| rtp(octets, &known).is_some()));
}

#[test]
fn a_spread_block_starts_one_stream_after_the_other() {
    let made = make_text(
        "[[point]]\nname = \"a\"\n[[point]]\nname = \"b\"\nclock_offset = -2.5\n[[stream]]\nsource = \"10.0.0.1\"\n\
         destination = \"10.2.0.1\"\ncodec = \"pcmu\"\ncount = 40\npackets = 30\nspread = 4.0\n",
    );
    let streams = made.truth["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 40);
    for hop in streams.iter().flat_map(|stream| stream["hops"].as_array().unwrap()) {
        assert_eq!((&hop["unique"], &hop["lost"], &hop["reordered"]), (&30.into(), &0.into(), &0.into()));
        assert!(hop["jitter_seconds"]["max"].as_f64().unwrap() < 1e-9);
    }
    let captured = frames(&made.folder.path().join("a.pcap"));
    assert_eq!(captured.len(), 1_200);
    // A stream every 100 ms; the last runs for 29 intervals.
    assert_eq!(captured[1_199].0 - captured[0].0, 39 * 100_000_000 + 29 * 20_000_000);
    let later = frames(&made.folder.path().join("b.pcap"));
    assert!(captured.iter().zip(&later).all(|(a, b)| b.0 - a.0 == 1_000_000 - 2_500_000_000));
}

#[test]
fn a_clock_that_drifts_is_fast_by_ever_more() {
    let made = make_text(
        "[[point]]\nname = \"a\"\n[[point]]\nname = \"b\"\nclock_offset = 3600.0\nclock_drift = 50.0\n[[stream]]\n\
         source = \"10.0.0.1\"\ndestination = \"10.2.0.1\"\ncodec = \"pcmu\"\npackets = 501\n",
    );
    let [a, b] = ["a", "b"].map(|point| frames(&made.folder.path().join(format!("{point}.pcap"))));
    let apart = |place: usize| b[place].0 - a[place].0 - 3_600_000_000_000;
    // One millisecond of delay; after ten seconds half a millisecond of drift.
    assert_eq!((apart(0), apart(500) - apart(0)), (1_000_100, 500_000));
    let segment = &made.truth["streams"][0]["segments"][0];
    assert_eq!(
        segment["clock"],
        serde_json::json!({"shared": false, "offset_seconds": 3600.0, "drift": 50.0})
    );
    assert!((segment["delay_seconds"]["max"].as_f64().unwrap() - 0.001).abs() < 1e-9);
}

#[test]
fn one_ssrc_at_two_hosts_must_be_asked_for() {
    let stream = |host: u8, ssrc: &str| {
        format!("[[stream]]\nsource = \"10.0.0.{host}\"\ndestination = \"10.2.0.1\"\npackets = 30\n{ssrc}")
    };
    let made = make_text(&format!("{}{}", stream(1, "ssrc = 7\n"), stream(2, "ssrc = 7\n")));
    let streams = made.truth["streams"].as_array().unwrap();
    assert!(streams.len() == 2 && streams.iter().all(|stream| ssrc(stream) == 7));
    let one_host = format!("{}{}", stream(1, "ssrc = 7\n"), stream(1, "ssrc = 7\n"));
    let folder = tempfile::tempdir().unwrap();
    let options =
        Options { out: folder.path().to_owned(), format: Format::Pcap, one_file: false, truth: true };
    let error = generate(&toml::from_str(&one_host).unwrap(), &options).unwrap_err().to_string();
    assert!(error.contains("two streams have the SSRC"), "{error}");
}

#[test]
fn what_cannot_be_decided_is_refused_with_a_way_out() {
    let stream = "[[stream]]\nsource = \"10.0.0.1\"\ndestination = \"10.0.0.2\"\n";
    for (text, said) in [
        (format!("{stream}restart = [5]\n"), "too close"),
        (format!("{stream}restart = [100]\nstray = [110]\n"), "too close"),
        (format!("{stream}silence = [{{ at = 50, seconds = 90.0 }}]\n"), "ends the stream"),
        (format!("{stream}outage = [{{ at = 50, packets = 2600 }}]\n"), "ends the stream"),
        (format!("{stream}relay = \"r\"\n"), "there is no relay \"r\""),
        (format!("{stream}order = \"random\"\nrtcp = true\n"), "plain audio"),
        (format!("{stream}payload_type = 72\n"), "RTCP"),
        (format!("[[point]]\nname = \"a\"\necmp = true\n{stream}order = \"random\"\n"), "unharmed"),
        (
            format!(
                "[[point]]\nname = \"a\"\nencapsulation = [\"gre\", \"erspan2\"]\n{stream}order = \"random\"\n"
            ),
            "tunnel in a tunnel",
        ),
        (format!("{stream}first_mile = {{ bursts = [{{ at = 9, packets = 2500 }}] }}\n"), "outage"),
        (format!("[[point]]\nname = \"a\"\n[[point]]\nname = \"a\"\nttl_drop = 0\n{stream}"), "listed twice"),
        (format!("[[point]]\nname = \"a/b\"\n{stream}"), "file name"),
        (
            format!(
                "[[point]]\nname = \"a\"\nalso_after_router = true\n[[point]]\nname = \"b\"\necmp = true\n{stream}"
            ),
            "several ways",
        ),
        (
            "[[stun]]\nclient = \"10.0.0.1\"\nserver = \"10.0.0.2\"\nround_trip = 0.001\n".to_owned(),
            "round_trip",
        ),
        ("[[stream]]\nsource = \"10.0.0.1\"\ndestination = \"fd00::1\"\n".to_owned(), "are mixed"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let options =
            Options { out: folder.path().to_owned(), format: Format::Pcap, one_file: false, truth: true };
        let error = generate(&toml::from_str(&text).unwrap(), &options).unwrap_err().to_string();
        assert!(error.contains(said), "{text}\n{error}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.toml");
    fs::write(&path, "seed = 1\n[[point]]\nname = \"a\"\ntll_drop = 1\n").unwrap();
    let error = Scenario::read(&path).unwrap_err().to_string();
    assert!(error.contains("line 4") && error.contains("tll_drop"), "{error}");
    assert!(Scenario::read(&folder.path().join("none.toml")).unwrap_err().to_string().contains("none.toml"));
}

#[test]
fn the_demo_is_made_by_its_scenario() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo");
    let scenario = Scenario::read(&demo.join("scenario.toml")).unwrap();
    let made = make(&scenario, scenario.format, scenario.one_file);
    for name in ["capture.pcapng", "truth.json"] {
        let (kept, new) =
            (fs::read(demo.join(name)).unwrap(), fs::read(made.folder.path().join(name)).unwrap());
        assert!(
            kept == new,
            "fixtures/demo/{name} is stale; run `hopmark synth fixtures/demo/scenario.toml`"
        );
    }
    assert!(fs::metadata(demo.join("capture.pcapng")).unwrap().len() < 300_000);
}

#[test]
fn every_scenario_kept_can_be_played() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut found = 0;
    for folder in fs::read_dir(fixtures).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        for file in fs::read_dir(folder.path()).unwrap().flatten() {
            if file.path().extension().is_some_and(|extension| extension == "toml") {
                let planned = super::plan::Plan::new(&Scenario::read(&file.path()).unwrap());
                assert!(planned.is_ok(), "{}: {}", file.path().display(), planned.unwrap_err());
                found += 1;
            }
        }
    }
    assert!(found >= 5);
}
