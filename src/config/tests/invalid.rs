//! One wrong file a rule, and the exact message that it gets.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::config::{ConfigError, load};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

/// Name of the file, and each message after the file's name.
#[rustfmt::skip]
const WRONG: &[(&str, &[&str])] = &[
    ("also-twice", &[
        "3:22: class.video.also[2].dscp: AF42(36) is accepted already; name each codepoint once; dscp is the preferred one",
    ]),
    ("also-without-dscp", &[
        r#"2:9: class.video.also[1]: dscp is missing; add dscp = "AF41""#,
    ]),
    ("burst", &[
        "2:17: thresholds.burst_packets: runs of 4 packets are not counted by themselves; write where a group begins: 1, 2, 3, 5, 10 or 20",
    ]),
    ("capture", &[
        "2:10: capture.blocks: 1 is not from 2 to 65536; write a number within these bounds",
        "3:16: capture.block_octets: 1000000 is not a power of two; write 1048576 or 524288",
        "4:10: capture.retire: 2s is not from 1ms to 1s; write a length within these bounds",
    ]),
    ("capture-size", &[
        "2:10: capture.blocks: 65536 blocks of 1048576 octets are too much; keep a ring below 4 GiB",
    ]),
    ("class-name", &[
        r#"1:8: class.screen sharing: "screen sharing" is no name of a class; use 1 to 64 letters, digits, hyphens and underscores"#,
    ]),
    ("class-without-dscp", &[
        r#"1:8: class.telemetry: a new class without dscp; add the codepoint it should carry, as dscp = "EF""#,
    ]),
    ("clock-rate", &[
        "3:14: payload_type[1].clock_rate: 0 is not a clock rate; write a number of hertz, as 48000",
    ]),
    ("count", &[
        "2:12: limits.max_hops: 1000 is not from 1 to 255; write a number within these bounds",
        "3:22: limits.samples_per_second: 0 is not from 1 to 1000; write a number within these bounds",
    ]),
    ("dscp-name", &[
        r#"2:8: class.video.dscp: "AF44" is not a DSCP; write a number from 0 to 63, or a name such as "EF", "AF41" or "CS5""#,
    ]),
    ("dscp-number", &[
        r#"2:8: class.audio.dscp: 64 is not a DSCP; write a number from 0 to 63, or a name such as "EF", "AF41" or "CS5""#,
    ]),
    ("duplicate-key", &[
        "2:1: not TOML: duplicate key; mend the line; texts stand in quotes, lists in brackets (https://toml.io)",
    ]),
    ("evidence", &[
        r#"1:1: evidence: directory is missing; add directory = "/var/lib/hopmark/evidence""#,
        r#"2:12: evidence.severity: "errors" is not a severity; write "error", "warning" or "info""#,
        "3:21: evidence.octets_per_packet: 20 is not from 64 to 65535; write a number within these bounds",
    ]),
    ("expectation-direction", &[
        "3:12: point[1].expect.inbound: unknown key; keys here are forward, reverse",
    ]),
    ("expectation", &[
        r#"3:22: point[1].expect.reverse: "zero" is not an expectation; write "class", "class-or-unmarked", "unmarked" or "any""#,
    ]),
    ("file-twice", &[
        r#"7:8: point[2].file: standard input is point "access" already; add mirror to tell which session of it this point is"#,
    ]),
    ("hint-without-clock", &[
        "2:10: payload_type[1].number: a hint without clock_rate; add clock_rate: a hint is believed only where the clock rate agrees",
    ]),
    ("hint", &[
        r#"4:8: payload_type[1].hint: "yes" is not true or false; write true or false"#,
    ]),
    ("inherit-without-classes", &[
        r#"1:12: inherit[1]: rules of a profile mean nothing without its classes; add "classes""#,
    ]),
    ("inherit", &[
        r#"1:23: inherit[2]: "class" is not a part of a profile; write any of "classes", "rules", "payload_types", "thresholds""#,
    ]),
    ("interface", &[
        r#"3:13: point[1].interface: "the first port" is not the name of an interface; write one as "eth1": up to 15 characters without space, slash and colon"#,
        r#"7:13: point[2].interface: "any" is no single interface, and a ring needs one; add backend = "pcap""#,
        r#"11:13: point[3].interface: "edge-outside-two" is not the name of an interface; write one as "eth1": up to 15 characters without space, slash and colon"#,
    ]),
    ("interface-capture", &[
        r#"7:13: point[2].interface: the session is looked for in "branch", but interface eth1 is "tap"; keep either, or write capture = "tap""#,
    ]),
    ("interface-filter", &[
        "5:17: point[1].exclude_ports: without the kernel's filter every frame is taken whole; take exclude_ports out, or filter = false",
        r#"11:9: point[2].rings: libpcap has no rings to share; take rings out, or backend = "pcap""#,
    ]),
    ("interface-key", &[
        r#"3:1: point[1].interfaces: unknown key; did you mean "interface"?"#,
    ]),
    ("interface-shared", &[
        r#"8:13: point[2].interface: interface eth1 is point "access" already; add mirror to tell which session of it this point is"#,
        r#"13:9: point[3].rings: interface eth1 is opened once, for point "access"; give rings there"#,
    ]),
    ("interface-values", &[
        r#"4:11: point[1].backend: "rings" is not a backend; write "ring", "xdp" or "pcap""#,
        "5:9: point[1].rings: 17 is not from 1 to 16; write a number within these bounds",
        "6:15: point[1].promiscuous: 1 is not true or false; write true or false",
        r#"7:22: point[1].exclude_ports[2]: "99999" is not a port or a range of ports; write ports as "50000-50019", 3479 or { start = 50000, count = 20 }"#,
        r#"8:16: point[1].silent_after: "later" is not a length of time, or never; write "never", a number of seconds, or a text such as "60s" or "2m", up to a day"#,
    ]),
    ("length-zero", &[
        r#"2:18: limits.stream_timeout: 0 is not a length of time; write a number of seconds above 0 and up to a day, or a text such as "30ms", "5s" or "2m""#,
    ]),
    ("length", &[
        r#"2:10: thresholds.jitter: "30 millis" is not a length of time; write a number of seconds above 0 and up to a day, or a text such as "30ms", "5s" or "2m""#,
    ]),
    ("listen", &[
        r#"2:11: listen.address: "localhost:9847" is not an address with a port; write one as "127.0.0.1:9847" or "[::1]:9847""#,
        r#"3:14: listen.web_config: "" is not a path; write the path of a file or folder in quotes"#,
        "4:19: listen.max_connections: 0 is not from 1 to 4096; write a number within these bounds",
        "5:19: listen.request_timeout: 1ms is not from 100ms to 300s; write a length within these bounds",
        r#"6:1: listen.max_serie: unknown key; did you mean "max_series"?"#,
    ]),
    ("log", &[
        r#"2:10: log.format: "yaml" is not a form of log lines; write "text" or "json""#,
        r#"3:9: log.level: "warning" is not a level; write "error", "warn", "info", "debug" or "trace""#,
    ]),
    ("media-twice", &[
        r#"6:9: class.voice.media: media "audio" is class audio already; give each kind of media to one class; the other has media = "none""#,
    ]),
    ("media", &[
        r#"2:9: class.audio.media: "sound" is not a kind of media; write "audio", "video" or "none""#,
    ]),
    ("mirror-from", &[
        r#"3:33: point[1].mirror.from: "switch-1" is not an address; write an address as "10.0.0.1" or "2001:db8::1""#,
    ]),
    ("mirror-nothing", &[
        r#"3:10: point[1].mirror: nothing tells the session; add erspan_session = 12, vxlan = 5001, geneve = 5001, outer_vlan = 900 or from = "10.0.0.1""#,
    ]),
    ("mirror-number", &[
        "3:29: point[1].mirror.erspan_session: 1024 is not from 0 to 1023; write a number within these bounds",
    ]),
    ("mirror-several", &[
        "3:41: point[1].mirror.vxlan: a session has one number, and erspan_session is given as well; keep one; a point that is two sessions has no place",
        "7:38: point[2].mirror.direction: only ERSPAN says on which way a copy was taken; take direction out, or name the erspan_session",
        "11:37: point[3].mirror.from: a VLAN tag does not say which switch sends it; take from out; outer_vlan alone tells the remote mirror",
        r#"15:45: point[4].mirror.direction: "rx" is not a direction; write "both", "ingress" or "egress""#,
        "19:12: point[5].mirror.session: unknown key; keys here are erspan_session, vxlan, geneve, outer_vlan, from, direction, capture",
    ]),
    ("mirror-twice", &[
        r#"7:10: point[2].mirror: frames of erspan_session 12 from 10.0.0.1 would belong to "core" and to "access", which is erspan_session 12; tell them apart by number, from, direction or capture"#,
    ]),
    ("modality-twice", &[
        "6:18: class.panorama.turn_modality[1]: modality 2 is class video already; give each modality to one class",
    ]),
    ("modality", &[
        "2:18: class.audio.turn_modality[1]: 0 is not a modality; write a number from 1 to 65535: 1 audio, 2 video, 3 supplemental video, 4 data",
    ]),
    ("network", &[
        r#"1:26: managed[2]: "192.168.0.0/33" is not a network; write an address and a prefix length, as "10.0.0.0/8" or "2001:db8::/32""#,
    ]),
    ("not-a-list", &[
        "1:1: rule: a single table; write [[rule]]: there can be several",
    ]),
    ("not-a-table", &[
        r#"1:9: class: "audio" is not a table; write it as a [table]"#,
    ]),
    ("not-utf8", &[
        "2:6: not UTF-8 text; save the file as UTF-8",
    ]),
    ("path-loop", &[
        r#"9:29: path[1].points[3]: point "access" is twice on the path; name each point once"#,
    ]),
    ("path-point", &[
        r#"9:11: path[1].points[1]: point "acess" is not described; did you mean "access"?"#,
    ]),
    ("path-short", &[
        "9:10: path[1].points: a path of fewer than two points has no order; name at least two points",
    ]),
    ("path-turned", &[
        r#"13:19: path[2].points[2]: "edge" stands before "access", on path "hq" behind it; give both paths the same order, from the clients outwards"#,
    ]),
    ("path-twice", &[
        r#"12:8: path[2].name: path "hq" is there already; give each path a name of its own"#,
    ]),
    ("payload-type-class", &[
        r#"3:9: payload_type[1].class: class "voice" does not exist; classes are audio, video, sharing, signalling; or add [class.NAME]"#,
    ]),
    ("payload-type-empty", &[
        "2:10: payload_type[1].number: nothing is said of it; add codec, clock_rate or class",
    ]),
    ("payload-type-twice", &[
        "6:10: payload_type[2].number: payload type 111 has two meanings; keep one, or make both hints with hint = true",
    ]),
    ("payload-type", &[
        "2:10: payload_type[1].number: 128 is not a payload type; write a number from 0 to 127",
    ]),
    ("point-label", &[
        "2:8: point[1].name: the name of a point is a label of metrics; use 1 to 64 characters, none of them a control character",
    ]),
    ("point-twice", &[
        r#"5:8: point[2].name: point "edge" is there already; describe each point once"#,
    ]),
    ("point-without-name", &[
        r#"1:1: point[1]: name is missing; add name = "access""#,
    ]),
    ("ports-count", &[
        "3:16: rule[1].client_ports: start and count are not a range of ports; give both, with start + count - 1 at most 65535, as { start = 50000, count = 20 }",
    ]),
    ("ports-none", &[
        "3:16: rule[1].client_ports: an empty list; write at least one port, or take the rule out",
    ]),
    ("ports-number", &[
        r#"3:23: rule[1].client_ports[2]: 70000 is not a port or a range of ports; write ports as "50000-50019", 3479 or { start = 50000, count = 20 }"#,
    ]),
    ("ports-overlap-networks", &[
        "8:16: rule[2].client_ports: ports 51000-51019 are both audio and video; give each port to one class, or tell the clients apart by client_networks, the rule with the networks first",
    ]),
    ("ports-overlap", &[
        "7:16: rule[2].client_ports: ports 51010-51019 are both audio and video; give each port to one class, or tell the clients apart by client_networks, the rule with the networks first",
    ]),
    ("ports", &[
        r#"3:16: rule[1].client_ports: "50019-50000" is not a port or a range of ports; write ports as "50000-50019", 3479 or { start = 50000, count = 20 }"#,
    ]),
    ("profile", &[
        r#"2:11: profile: profile "teems" does not exist; did you mean "teams"?"#,
    ]),
    ("ratio", &[
        "2:14: thresholds.loss_ratio: 1.5 is not a ratio; write a number from 0 to 1; one percent is 0.01",
    ]),
    ("rule-both-ports", &[
        "1:1: rule[1]: client_ports and service_ports are both given; give one of them; a class that needs both has two rules",
    ]),
    ("rule-class", &[
        r#"2:9: rule[1].class: class "vidoe" does not exist; did you mean "video"?"#,
    ]),
    ("rule-without-class", &[
        r#"1:1: rule[1]: class is missing; add class = "audio""#,
    ]),
    ("rule-without-ports", &[
        "1:1: rule[1]: client_ports or service_ports is missing; give one of them; a class that needs both has two rules",
    ]),
    ("run", &[
        r#"2:8: run.user: "hop mark" is not a user; write the name of a user of this system in quotes"#,
        "3:12: run.interval: 120s is not from 100ms to 60s; write a length within these bounds",
    ]),
    ("several", &[
        r#"1:1: profil: unknown key; did you mean "profile"?"#,
        r#"4:8: class.audio.dscp: 99 is not a DSCP; write a number from 0 to 63, or a name such as "EF", "AF41" or "CS5""#,
        r#"7:10: thresholds.jitter: true is not a length of time; write a number of seconds above 0 and up to a day, or a text such as "30ms", "5s" or "2m""#,
    ]),
    ("source-settings", &[
        r#"3:9: point[1].rings: the point names no interface; take rings out, or add interface = "eth1""#,
        "8:15: point[2].promiscuous: a file is not heard as an interface is; take promiscuous out",
    ]),
    ("source-twice", &[
        "4:8: point[1].file: a point has one source, and interface is given as well; keep one",
    ]),
    ("syntax", &[
        "1:11: not TOML: invalid boolean, expected `true`; mend the line; texts stand in quotes, lists in brackets (https://toml.io)",
    ]),
    ("transport", &[
        r#"4:13: rule[1].transport: "sctp" is not a transport; write "udp" or "tcp""#,
    ]),
    ("unknown-key-far", &[
        "1:1: sites: unknown key; keys here are profile, inherit, managed, class, rule, payload_type, thresholds, limits, point, path, capture, listen, run, log, evidence",
    ]),
    ("unknown-key-in-class", &[
        r#"2:1: class.audio.dcsp: unknown key; did you mean "dscp"?"#,
    ]),
    ("unknown-key-in-thresholds", &[
        r#"2:1: thresholds.jiter: unknown key; did you mean "jitter"?"#,
    ]),
    ("unknown-key", &[
        r#"2:1: rules: unknown key; did you mean "rule"?"#,
    ]),
];

#[test]
fn a_wrong_file_says_where_what_and_how_to_mend_it() {
    for (name, expected) in WRONG {
        let path = folder().join(format!("invalid-{name}.toml"));
        let message = load(&path, None).expect_err(name).to_string();
        let prefix = format!("{}:", path.display());
        let said: Vec<&str> =
            message.lines().map(|line| line.strip_prefix(&prefix).unwrap_or(line)).collect();
        assert_eq!(said, *expected, "{name}");
    }
}

#[test]
fn every_wrong_file_has_its_row() {
    let named: BTreeSet<String> = WRONG.iter().map(|(name, _)| format!("invalid-{name}.toml")).collect();
    let files =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.filter(|name| name.starts_with("invalid-")).collect();
    assert_eq!(files, named);
}

#[test]
fn the_place_is_data_too() {
    let Err(ConfigError::Invalid(problems)) = load(&folder().join("invalid-several.toml"), None) else {
        panic!("refused with problems");
    };
    let places: Vec<_> = problems.iter().map(|p| (p.line, p.column, p.key.as_str())).collect();
    assert_eq!(places, [(1, 1, "profil"), (4, 8, "class.audio.dscp"), (7, 10, "thresholds.jitter")]);
}

#[test]
fn a_missing_file_is_named() {
    let message = load(Path::new("no-such-file.toml"), None).unwrap_err().to_string();
    assert!(message.starts_with("no-such-file.toml: cannot be read: "), "{message}");
}
