//! What is printed reads back, and no text makes the loader panic.

use proptest::prelude::*;

use super::loaded;
use crate::config::{Appliance, Loaded, builtin, difference, load_str, to_toml};
use crate::policy::PROFILES;

fn reads_back(first: &Loaded) {
    let text = to_toml(&first.policy, &first.appliance);
    let again = loaded(&text);
    assert_eq!(again.policy, first.policy, "{text}");
    assert_eq!(again.appliance, first.appliance, "{text}");
    assert_eq!(again.notes, Vec::<String>::new(), "{text}");
}

#[test]
fn every_profile_reads_back() {
    for profile in PROFILES {
        let (policy, appliance) = (builtin(profile.name).unwrap(), Appliance::default());
        reads_back(&Loaded { policy, appliance, notes: Vec::new() });
    }
}

#[test]
fn the_example_file_reads_back() {
    reads_back(&loaded(EXAMPLE));
}

const EXAMPLE: &str = include_str!("../../../deploy/hopmark.toml");

/// A `[class.NAME]` table; the names are few, so that they meet the profile's and each other's.
fn class() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just("audio"), Just("sharing"), Just("voice"), Just("b-2_x")];
    let also = prop::collection::vec((0_u8..64, "\\PC{0,12}"), 0..3);
    (name, 0_u8..64, also, prop::option::of(0_u8..3), prop::collection::vec(1_u16..6, 0..2)).prop_map(
        |(name, dscp, also, media, modality)| {
            let also: Vec<String> = also
                .into_iter()
                .map(|(dscp, note)| format!("{{ dscp = {dscp}, note = {} }}", toml::Value::String(note)))
                .collect();
            let media =
                media.map(|m| format!("media = \"{}\"\n", ["audio", "video", "none"][usize::from(m)]));
            format!(
                "[class.{name}]\ndscp = {dscp}\nalso = [{}]\n{}turn_modality = {modality:?}\n",
                also.join(", "),
                media.unwrap_or_default()
            )
        },
    )
}

fn rule() -> impl Strategy<Value = String> {
    let class = prop_oneof![Just("audio"), Just("video"), Just("sharing"), Just("signalling")];
    let side = prop_oneof![Just("client_ports"), Just("service_ports")];
    let transport = prop_oneof![Just(""), Just("transport = \"udp\"\n"), Just("transport = \"tcp\"\n")];
    let networks = prop_oneof![
        Just(""),
        Just("client_networks = [\"10.0.0.0/8\"]\n"),
        Just("client_networks = [\"10.1.0.0/16\", \"fd00::/8\"]\n"),
    ];
    (class, side, 49_990_u16..50_100, 0_u16..40, transport, networks).prop_map(
        |(class, side, first, more, transport, networks)| {
            format!(
                "[[rule]]\nclass = \"{class}\"\n{side} = \"{first}-{}\"\n{transport}{networks}",
                first + more
            )
        },
    )
}

fn payload_type() -> impl Strategy<Value = String> {
    (96_u8..128, 1_u32..192_000, any::<bool>()).prop_map(|(number, clock, hint)| {
        format!(
            "[[payload_type]]\nnumber = {number}\nclock_rate = {clock}\nclass = \"audio\"\nhint = {hint}\n"
        )
    })
}

fn thresholds() -> impl Strategy<Value = String> {
    (0.0_f64..=1.0, 1_u64..86_400_000_000_000, 1_u64..1000).prop_map(|(ratio, nanos, packets)| {
        format!(
            "[thresholds]\nloss_ratio = {ratio:?}\njitter = \"{nanos}ns\"\nmarking_min_packets = {packets}\n"
        )
    })
}

/// A `[[point]]` with a source; the names are few, so that they meet each other.
fn point() -> impl Strategy<Value = String> {
    let source = prop_oneof![
        Just("file = \"-\"\n".to_owned()),
        ("[a-z/ \"\\\\]{1,6}").prop_map(|path| format!("file = {}\n", toml::Value::String(path))),
        (0_u8..3, interface()).prop_map(|(n, keys)| format!("interface = \"eth{n}\"\n{keys}")),
        (0_u8..3).prop_map(|n| format!("interface = \"eth{n}\"\n")),
        Just("interface = \"any\"\nbackend = \"pcap\"\n".to_owned()),
        Just(String::new()),
    ];
    let mirror = prop_oneof![
        2 => Just(String::new()),
        1 => (1_u16..100).prop_map(|vid| format!("mirror = {{ outer_vlan = {vid} }}\n")),
    ];
    let silent = prop_oneof![
        Just(String::new()),
        Just("silent_after = 0\n".to_owned()),
        (1_u32..9_000_000).prop_map(|ms| format!("silent_after = \"{ms}ms\"\n")),
    ];
    (0_u8..8, source, mirror, silent).prop_map(|(name, source, mirror, silent)| {
        format!("[[point]]\nname = \"p{name}\"\n{source}{mirror}{silent}")
    })
}

fn interface() -> impl Strategy<Value = String> {
    let ports = prop::collection::vec(any::<u16>(), 0..4);
    (1_u8..17, any::<[bool; 4]>(), ports).prop_map(
        |(rings, [promiscuous, outgoing, mend, hardware], ports)| {
            format!(
                "rings = {rings}\npromiscuous = {promiscuous}\nignore_outgoing = {outgoing}\n\
                 mend_offloads = {mend}\nhardware_timestamps = {hardware}\nexclude_ports = {ports:?}\n\
                 relay_ports = {ports:?}\nwhole_frames = {mend}\n"
            )
        },
    )
}

/// Sections of the appliance.
fn sections() -> impl Strategy<Value = String> {
    let address = any::<std::net::SocketAddr>();
    let evidence = prop::option::of((1_u64..600_000, 64_usize..65_536));
    (2_usize..64, 16_u32..27, address, 100_u64..60_000, evidence).prop_map(
        |(blocks, octets, address, interval, evidence)| {
            let evidence = evidence.map(|(keep, octets)| {
                format!("[evidence]\ndirectory = \"/e\"\nkeep = \"{keep}ms\"\noctets_per_packet = {octets}\n")
            });
            format!(
                "[capture]\nblocks = {blocks}\nblock_octets = {}\n[listen]\naddress = \"{address}\"\n\
                 [run]\ninterval = \"{interval}ms\"\n[log]\nformat = \"json\"\nlevel = \"trace\"\n{}",
                1_u32 << octets,
                evidence.unwrap_or_default()
            )
        },
    )
}

/// A file of the operator: most of them load.
fn file() -> impl Strategy<Value = String> {
    let profile = (0..PROFILES.len()).prop_map(|n| format!("profile = \"{}\"\n", PROFILES[n].name));
    let tables = (
        prop::collection::vec(class(), 0..2),
        prop::collection::vec(rule(), 0..3),
        prop::collection::vec(payload_type(), 0..3),
        prop::option::of(thresholds()),
    );
    // Rules name classes of Teams, so most files are about Teams.
    (prop_oneof![4 => Just("profile = \"teams\"\n".to_owned()), 1 => profile], tables).prop_map(
        |(profile, (classes, rules, payload_types, thresholds))| {
            let tables = [classes, rules, payload_types, thresholds.into_iter().collect()].concat();
            profile + &tables.concat()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_file_that_loads_is_printed_as_a_file_that_means_the_same(text in file()) {
        if let Ok(loaded) = load_str("hopmark.toml", &text, None) {
            reads_back(&loaded);
        }
    }

    #[test]
    fn what_is_said_of_running_live_reads_back(
        points in prop::collection::vec(point(), 0..4), sections in prop::option::of(sections()),
    ) {
        let text = points.concat() + &sections.unwrap_or_default();
        if let Ok(loaded) = load_str("hopmark.toml", &text, None) {
            reads_back(&loaded);
            prop_assert_eq!(difference(&loaded.appliance, &loaded.appliance), []);
        }
    }

    #[test]
    fn no_text_makes_the_loader_panic(text in "\\PC*|[\\[\\]{}=\",.a-z0-9\n -]{0,200}") {
        let _ = load_str("any.toml", &text, None);
    }

    #[test]
    fn no_damage_to_a_file_makes_the_loader_panic(
        at in any::<prop::sample::Index>(), cut in 0_usize..40, put in "[\\[\\]{}=\",a-z0-9\n -]{0,6}",
    ) {
        let chars: Vec<char> = EXAMPLE.chars().collect();
        let at = at.index(chars.len());
        let damaged: String = chars[..at].iter().copied().chain(put.chars()).chain(chars[(at + cut).min(chars.len())..].iter().copied()).collect();
        if let Ok(loaded) = load_str("damaged.toml", &damaged, None) {
            reads_back(&loaded);
        }
    }
}
