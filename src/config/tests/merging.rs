//! How the operator's file changes its profile.

use std::time::Duration;

use super::{loaded, name};
use crate::config::live::keys as live_keys;
use crate::config::{Appliance, Evidence, Interface, LivePoint, Source, builtin, load_str, section_lines};
use crate::policy::{Media, PROFILES, Policy, PortRange, Thresholds};
use crate::terms::{Direction, Dscp, Transport};

fn codepoints(policy: &Policy, class: &str) -> Vec<u8> {
    let number = policy.class_named(class).unwrap();
    policy.accepted(number).iter().map(|accepted| accepted.dscp.value()).collect()
}

fn ports_of(policy: &Policy, class: &str) -> Vec<(String, Option<Transport>)> {
    let number = policy.class_named(class).unwrap();
    let of_class = policy.rules.iter().filter(|rule| rule.class == number);
    of_class
        .map(|rule| {
            (rule.ports.iter().map(PortRange::to_string).collect::<Vec<_>>().join(","), rule.transport)
        })
        .collect()
}

#[test]
fn every_profile_parses_without_a_note_and_knows_its_own_name() {
    for profile in PROFILES {
        let loaded = load_str(profile.name, profile.text, None).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.policy.profile, profile.name);
        assert_eq!(loaded.notes, Vec::<String>::new());
        assert!(
            loaded.policy.classes.iter().any(|class| class.media == Some(Media::Audio)),
            "{}",
            profile.name
        );
        assert_eq!(loaded.policy.thresholds, Thresholds::default(), "{}", profile.name);
    }
}

#[test]
fn every_codepoint_that_is_accepted_as_well_says_why() {
    for profile in PROFILES {
        for class in builtin(profile.name).unwrap().classes {
            let unexplained = class.accepted.iter().skip(1).find(|accepted| accepted.note.is_none());
            assert_eq!(unexplained, None, "{} {}", profile.name, class.name);
        }
    }
}

#[test]
fn every_value_of_a_profile_is_accompanied_by_its_source() {
    for profile in PROFILES {
        assert!(profile.text.contains("# Source"), "{}", profile.name);
        for line in profile.text.lines().filter(|line| line.starts_with("dscp = ")) {
            let also = profile.text.contains(&format!("also]]\n{line}\n"));
            assert!(line.contains('#') || also, "{}: {line}", profile.name);
        }
    }
}

#[test]
fn profiles_carry_the_published_codepoints() {
    for (profile, class, expected) in [
        ("teams", "audio", vec![46]),
        ("teams", "video", vec![34, 36]),
        ("teams", "sharing", vec![18, 34]),
        ("teams", "signalling", vec![40, 46]),
        ("lync-2013", "audio", vec![46, 40]),
        ("lync-2013", "video", vec![34]),
        ("lync-2013", "sharing", vec![24, 18]),
        ("lync-2013", "file-transfer", vec![14, 10]),
        ("lync-2013-phone", "audio", vec![46, 40]),
        ("webrtc", "audio", vec![46]),
        ("webrtc", "video", vec![34, 36, 38]),
        ("webrtc", "data", vec![18, 10]),
        ("zoom", "audio", vec![56, 46]),
        ("zoom", "video", vec![40, 34]),
        ("webex", "audio", vec![46, 36]),
        ("webex", "video", vec![34, 36]),
        ("rfc4594", "telephony", vec![46, 44]),
        ("rfc4594", "multimedia-conferencing", vec![34, 36, 38]),
        ("rfc4594", "low-priority-data", vec![1, 8]),
    ] {
        assert_eq!(codepoints(&builtin(profile).unwrap(), class), expected, "{profile} {class}");
    }
}

#[test]
fn an_empty_file_is_the_default_profile() {
    assert_eq!(loaded("").policy, builtin("teams").unwrap());
    assert_eq!(loaded("\u{feff}# only a comment\r\n").policy, builtin("teams").unwrap());
}

#[test]
fn the_command_lines_profile_takes_the_place_of_the_files() {
    let text = "profile = \"teams\"\n[thresholds]\njitter = \"10ms\"\n";
    let zoom = load_str("hopmark.toml", text, Some("zoom")).unwrap().policy;
    assert_eq!((zoom.profile.as_str(), zoom.thresholds.jitter), ("zoom", Duration::from_millis(10)));
    assert!(
        load_str("hopmark.toml", text, Some("zom"))
            .unwrap_err()
            .to_string()
            .contains("did you mean \"zoom\"?")
    );
}

#[test]
fn a_class_table_changes_the_keys_that_it_names() {
    let policy =
        loaded("[class.sharing]\ndscp = 34\n[class.video]\nalso = []\n[class.audio]\nalso = [\"VA\"]\n")
            .policy;
    assert_eq!(codepoints(&policy, "sharing"), [34]);
    assert_eq!(codepoints(&policy, "video"), [34]);
    assert_eq!(codepoints(&policy, "audio"), [46, 44]);
    let audio = policy.class(policy.class_named("audio").unwrap()).unwrap();
    assert_eq!((audio.media, audio.turn_modality.as_slice()), (Some(Media::Audio), [1].as_slice()));
    assert_eq!(loaded("[class.video]\ndscp = 26\n").policy.accepted(1)[1].dscp, Dscp::try_from(36).unwrap());
}

#[test]
fn a_new_class_takes_media_and_modality_over() {
    let loaded = loaded("[class.voice]\ndscp = \"EF\"\nmedia = \"audio\"\nturn_modality = [1]\n");
    let policy = &loaded.policy;
    assert_eq!(policy.class_named("voice"), Some(4));
    let audio = policy.class(policy.class_named("audio").unwrap()).unwrap();
    assert_eq!((audio.media, audio.turn_modality.len()), (None, 0));
    assert_eq!(
        loaded.notes,
        [
            "class voice takes media \"audio\" over from class audio of the profile",
            "class voice takes modality 1 over from class audio"
        ]
    );
}

#[test]
fn the_operators_rule_takes_its_ports_from_the_profile() {
    let loaded = loaded("[[rule]]\nclass = \"audio\"\nclient_ports = \"50010-50024\"\n");
    assert_eq!(
        ports_of(&loaded.policy, "audio")[..2],
        [("50010-50024".into(), None), ("50000-50009".into(), None)]
    );
    assert_eq!(ports_of(&loaded.policy, "video")[0], ("50025-50039".into(), None));
    assert_eq!(loaded.notes, ["rule[1] makes client ports 50020-50024 audio; in the profile they are video"]);
}

#[test]
fn a_rule_for_one_transport_leaves_the_other() {
    let text = "[[rule]]\nclass = \"audio\"\nclient_ports = \"50030-50045\"\ntransport = \"udp\"\n";
    let policy = loaded(text).policy;
    let video = ports_of(&policy, "video");
    assert_eq!(video[..2], [("50020-50029".into(), None), ("50030-50039".into(), Some(Transport::Tcp))]);
}

#[test]
fn rules_can_be_left_behind() {
    let text = "inherit = [\"classes\"]\n[[rule]]\nclass = \"audio\"\nclient_ports = \"51000-51019\"\n";
    let policy = loaded(text).policy;
    assert_eq!((policy.rules.len(), policy.payload_types.len(), policy.classes.len()), (1, 0, 4));
}

#[test]
fn what_the_operator_says_of_a_payload_type_settles_it() {
    let policy =
        loaded("[[payload_type]]\nnumber = 111\ncodec = \"x\"\nclock_rate = 32000\nclass = \"video\"\n")
            .policy;
    assert_eq!(policy.configured_clock_rate(111).map(crate::terms::ClockRate::hz), Some(32_000));
    assert_eq!(policy.payload_types.iter().filter(|rule| rule.number == 111).count(), 1);
    assert_eq!(builtin("teams").unwrap().configured_clock_rate(111), None);
}

#[test]
fn too_many_classes_are_refused() {
    let tables: Vec<String> = (0..80).map(|n| format!("[class.c{n}]\ndscp = 0\n")).collect();
    let text = tables.concat();
    let message = load_str("many.toml", &text, None).unwrap_err().to_string();
    assert!(
        message.starts_with("many.toml:121:8: class.c60: this is class number 65; keep to 64 classes"),
        "{message}"
    );
}

#[test]
fn the_example_file_loads_and_names_every_key() {
    let text = include_str!("../../../deploy/hopmark.toml");
    let loaded = loaded(text);
    let policy = &loaded.policy;
    assert_eq!(name(policy, policy.class_named("paging")), Some("paging"));
    assert_eq!(policy.expectation("edge-outside", Direction::Reverse, true).as_str(), "unmarked");
    assert_eq!(policy.order("access", "core", Direction::Forward), Some(std::cmp::Ordering::Less));
    // It says of these that they are the defaults.
    let defaults = builtin("teams").unwrap();
    assert_eq!((&policy.thresholds, &policy.limits), (&defaults.thresholds, &defaults.limits));
    let settings = Thresholds::SETTINGS.iter().map(|s| s.key);
    let live = live_keys().chain(section_lines(&loaded.appliance).into_iter().flat_map(|(name, lines)| {
        assert!(text.contains(&format!("\n[{name}]\n")), "{name}");
        lines.into_iter().map(|line| line.key).collect::<Vec<_>>()
    }));
    for key in settings.chain(crate::policy::MeterLimits::SETTINGS.iter().map(|s| s.key)).chain(live) {
        assert!(text.contains(&format!("\n{key} = ")), "{key}");
    }
}

#[test]
fn the_example_file_has_the_defaults_of_running_where_it_says_so() {
    let mut appliance = loaded(include_str!("../../../deploy/hopmark.toml")).appliance;
    let access = appliance.points.remove(0);
    assert_eq!(access.source, Some(Source::Interface(Interface::named("eth1"))));
    assert_eq!(access.silent_after, LivePoint::default().silent_after);
    let sources: Vec<String> = appliance.sources().iter().map(|(_, source)| source.to_string()).collect();
    assert_eq!(sources, ["file /run/hopmark/core.pcap", "interface eth2"]);
    assert_eq!(appliance.evidence, Some(Evidence::in_directory("/var/lib/hopmark/evidence")));
    // What has no default is said to have none.
    assert_eq!(appliance.listen.web_config.take(), Some("/etc/hopmark/web.yml".into()));
    assert_eq!(appliance.run.user.take().as_deref(), Some("hopmark"));
    let written = Appliance { points: Vec::new(), evidence: None, ..appliance };
    assert_eq!(written, Appliance::default());
}
