//! Which class each profile gives to a stream, and on what evidence.

use proptest::prelude::*;

use super::{loaded, name};
use crate::config::builtin;
use crate::policy::{Evidence, Policy, Question};
use crate::terms::{ClockRate, FlowKey, Transport};

const CLIENT: &str = "10.1.1.10";
const OTHER_CLIENT: &str = "10.2.2.20";
const RELAY: &str = "52.113.1.1";

fn flow(source: (&str, u16), destination: (&str, u16)) -> FlowKey {
    let end = |(address, port): (&str, u16)| (address.parse::<std::net::IpAddr>().unwrap(), port).into();
    FlowKey { source: end(source), destination: end(destination), transport: Transport::Udp }
}

/// A question of which only the flow is known.
fn ask(flow: FlowKey) -> Question {
    Question {
        flow,
        modality: None,
        payload_type: None,
        clock_rate: None,
        packet_interval_seconds: None,
        mean_octets: 0.0,
    }
}

fn answer<'p>(policy: &'p Policy, question: &Question) -> (Option<&'p str>, Evidence) {
    let (class, evidence) = policy.classify(question);
    (name(policy, class), evidence)
}

/// A port, and the class that it names.
type Expected = (u16, Option<&'static str>);

#[test]
fn client_ranges_decide_in_both_directions() {
    let cases: &[(&str, &[Expected])] = &[
        (
            "teams",
            &[
                (49_999, None),
                (50_000, Some("audio")),
                (50_019, Some("audio")),
                (50_020, Some("video")),
                (50_039, Some("video")),
                (50_040, Some("sharing")),
                (50_059, Some("sharing")),
                (50_060, None),
                (50_070, Some("signalling")),
                (50_089, Some("signalling")),
                (50_090, None),
            ],
        ),
        (
            "lync-2013",
            &[
                (50_019, None),
                (50_020, Some("audio")),
                (50_039, Some("audio")),
                (50_040, None),
                (58_000, Some("video")),
                (58_019, Some("video")),
                (42_000, Some("sharing")),
                (42_019, Some("sharing")),
                (42_020, Some("file-transfer")),
                (42_039, Some("file-transfer")),
                (42_040, None),
                (5350, None),
            ],
        ),
        (
            "lync-2013-server",
            &[
                (40_802, None),
                (40_803, Some("sharing")),
                (49_150, Some("sharing")),
                (49_151, None),
                (49_152, Some("audio")),
                (57_499, Some("audio")),
                (57_500, None),
                (57_501, Some("video")),
                (65_534, Some("video")),
                (65_535, None),
            ],
        ),
        ("lync-2013-phone", &[(50_000, None)]),
        ("webrtc", &[(50_000, None)]),
        ("zoom", &[(50_000, None), (8801, None)]),
        ("webex", &[(50_000, None), (9000, None)]),
        ("rfc4594", &[(50_000, None)]),
    ];
    for (profile, ports) in cases {
        let policy = builtin(profile).unwrap();
        for &(port, expected) in *ports {
            let evidence = if expected.is_some() { Evidence::ClientPort(port) } else { Evidence::None };
            let outbound = flow((CLIENT, port), (RELAY, 3478));
            let said = answer(&policy, &ask(outbound));
            assert_eq!(said, (expected, evidence), "{profile} {port} outbound");
            let said = answer(&policy, &ask(outbound.reversed()));
            assert_eq!(said, (expected, evidence), "{profile} {port} inbound");
        }
    }
}

#[test]
fn signalling_is_over_udp_only() {
    let policy = builtin("teams").unwrap();
    let tcp = FlowKey { transport: Transport::Tcp, ..flow((CLIENT, 50_070), (RELAY, 443)) };
    assert_eq!(answer(&policy, &ask(tcp)), (None, Evidence::None));
    let audio = FlowKey { transport: Transport::Tcp, ..flow((CLIENT, 50_000), (RELAY, 443)) };
    assert_eq!(answer(&policy, &ask(audio)), (Some("audio"), Evidence::ClientPort(50_000)));
}

#[test]
fn service_ports_decide_where_the_clients_do_not() {
    let teams = builtin("teams").unwrap();
    for (port, expected) in [
        (3478, (None, Evidence::None)),
        (3479, (Some("audio"), Evidence::ServicePort(3479))),
        (3480, (Some("video"), Evidence::ServicePort(3480))),
        (3481, (Some("sharing"), Evidence::ServicePort(3481))),
    ] {
        let outbound = flow((CLIENT, 61_000), (RELAY, port));
        assert_eq!(answer(&teams, &ask(outbound)), expected, "{port} outbound");
        assert_eq!(answer(&teams, &ask(outbound.reversed())), expected, "{port} inbound");
    }
    let in_range = flow((CLIENT, 50_000), (RELAY, 3480));
    assert_eq!(answer(&teams, &ask(in_range)), (Some("audio"), Evidence::ClientPort(50_000)));

    let edge = builtin("lync-2013-edge").unwrap();
    let to_server = flow((CLIENT, 3478), (OTHER_CLIENT, 49_152));
    assert_eq!(answer(&edge, &ask(to_server)), (Some("audio"), Evidence::ServicePort(49_152)));
}

#[test]
fn service_ports_that_contradict_each_other_need_a_far_side() {
    let teams = builtin("teams").unwrap();
    let outbound = flow((CLIENT, 3479), (RELAY, 3480));
    let expected = (Some("video"), Evidence::ServicePort(3480));
    assert_eq!(answer(&teams, &ask(outbound)), expected);
    assert_eq!(answer(&teams, &ask(outbound.reversed())), expected);
    let inside = flow((CLIENT, 3479), (OTHER_CLIENT, 3480));
    assert_eq!(answer(&teams, &ask(inside)), (None, Evidence::None));
}

#[test]
fn between_two_clients_the_sender_decides() {
    let policy = builtin("teams").unwrap();
    let call = flow((CLIENT, 50_005), (OTHER_CLIENT, 50_025));
    assert_eq!(answer(&policy, &ask(call)), (Some("audio"), Evidence::ClientPort(50_005)));
    assert_eq!(answer(&policy, &ask(call.reversed())), (Some("video"), Evidence::ClientPort(50_025)));
    // A relay's port that happens to lie in a range is no client's.
    let relayed = flow((CLIENT, 50_005), (RELAY, 50_025));
    assert_eq!(answer(&policy, &ask(relayed)), (Some("audio"), Evidence::ClientPort(50_005)));
    assert_eq!(answer(&policy, &ask(relayed.reversed())), (Some("audio"), Evidence::ClientPort(50_005)));
}

#[test]
fn modality_beats_the_port() {
    let policy = builtin("teams").unwrap();
    for (modality, expected) in [
        (1, (Some("audio"), Evidence::TurnModality)),
        (2, (Some("video"), Evidence::TurnModality)),
        (3, (Some("video"), Evidence::TurnModality)),
        (4, (Some("sharing"), Evidence::TurnModality)),
        (9, (Some("video"), Evidence::ClientPort(50_020))),
    ] {
        let question = Question { modality: Some(modality), ..ask(flow((CLIENT, 50_020), (RELAY, 3478))) };
        assert_eq!(answer(&policy, &question), expected, "{modality}");
    }
}

#[test]
fn payload_types_decide_where_ports_do_not() {
    let audio = |number| (Some("audio"), Evidence::PayloadType(number));
    let video = |number| (Some("video"), Evidence::PayloadType(number));
    for (profile, number, hz, expected) in [
        ("teams", 0, None, audio(0)),
        ("teams", 13, None, audio(13)),
        ("teams", 34, None, video(34)),
        ("teams", 33, None, (None, Evidence::None)),
        ("teams", 111, Some(48_000), audio(111)),
        ("teams", 111, Some(16_000), audio(111)),
        ("teams", 111, Some(90_000), (None, Evidence::None)),
        ("teams", 111, None, audio(111)),
        ("teams", 101, Some(8000), audio(101)),
        ("teams", 107, Some(90_000), video(107)),
        ("teams", 127, Some(90_000), (Some("sharing"), Evidence::PayloadType(127))),
        ("teams", 110, Some(48_000), (None, Evidence::None)),
        ("lync-2013", 121, Some(90_000), video(121)),
        ("webrtc", 110, Some(48_000), audio(110)),
        ("webrtc", 96, Some(90_000), video(96)),
        ("rfc4594", 0, None, (Some("telephony"), Evidence::PayloadType(0))),
        ("rfc4594", 31, None, (Some("multimedia-conferencing"), Evidence::PayloadType(31))),
    ] {
        let policy = builtin(profile).unwrap();
        let question = Question {
            payload_type: Some(number),
            clock_rate: hz.and_then(ClockRate::from_hz),
            ..ask(flow((CLIENT, 61_000), (RELAY, 3478)))
        };
        assert_eq!(answer(&policy, &question), expected, "{profile} {number} {hz:?}");
    }
}

#[test]
fn cadence_is_asked_last() {
    let policy = builtin("teams").unwrap();
    let speech = Question {
        payload_type: Some(119),
        clock_rate: ClockRate::from_hz(48_000),
        packet_interval_seconds: Some(0.02),
        mean_octets: 140.0,
        ..ask(flow((CLIENT, 61_000), (RELAY, 3478)))
    };
    assert_eq!(answer(&policy, &speech), (Some("audio"), Evidence::Cadence));
    let in_range = Question { flow: flow((CLIENT, 50_020), (RELAY, 3478)), ..speech };
    assert_eq!(answer(&policy, &in_range), (Some("video"), Evidence::ClientPort(50_020)));
    let unsure = Question { packet_interval_seconds: None, ..speech };
    assert_eq!(answer(&policy, &unsure), (None, Evidence::None));
}

#[test]
fn lync_audio_is_not_teams_video_where_a_rule_says_so() {
    let mixed = loaded(
        "[[rule]]\nclass = \"audio\"\nclient_ports = \"50020-50039\"\nclient_networks = [\"10.1.0.0/16\"]\n",
    );
    let lync = flow((CLIENT, 50_020), (RELAY, 3478));
    let teams = flow((OTHER_CLIENT, 50_020), (RELAY, 3478));
    for (flow, expected) in [(lync, "audio"), (teams, "video")] {
        let expected = (Some(expected), Evidence::ClientPort(50_020));
        assert_eq!(answer(&mixed.policy, &ask(flow)), expected, "{flow:?}");
        assert_eq!(answer(&mixed.policy, &ask(flow.reversed())), expected, "{flow:?} reversed");
    }
    assert_eq!(
        mixed.notes,
        [
            "rule[1] makes client ports 50020-50039 audio for clients in its networks; in the profile they are video"
        ]
    );
}

proptest! {
    #[test]
    fn both_directions_of_a_flow_to_the_outside_have_one_class(
        client in any::<u16>(), service in any::<u16>(), profile in 0_usize..9,
    ) {
        let policy = builtin(crate::policy::PROFILES[profile].name).unwrap();
        let flow = flow((CLIENT, client), (RELAY, service));
        prop_assert_eq!(policy.classify(&ask(flow)), policy.classify(&ask(flow.reversed())));
    }
}
