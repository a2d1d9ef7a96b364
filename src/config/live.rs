//! Sources of observation points: as written, and each opened once.

use super::appliance::{Backend, Interface, LivePoint, MAX_POINTS, Source, opened};
use super::field::read_keys;
use super::keys::{INTERFACE, POINT};
use super::table::{At, Problems, Table};
use super::written::WrittenPoint;

/// The source of a `[[point]]` as written.
#[derive(Debug)]
pub(super) struct WrittenSource {
    source: Source,
    /// Place of `interface` or `file`.
    place: At<()>,
    /// Keys of an interface that stand there, with their places.
    settings: Vec<(&'static str, At<()>)>,
}

/// Keys of a `[[point]]` that are about listening, in the order in which errors list them.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    let first = ["interface", "file"].into_iter();
    first.chain(POINT.iter().map(|key| key.name)).chain(INTERFACE.iter().map(|key| key.name))
}

/// A point before its name and its mirror are known.
pub(super) fn read_point(table: &Table<'_>, problems: &mut Problems) -> LivePoint {
    let mut point = LivePoint::default();
    read_keys(table, POINT, &mut point, problems);
    point
}

/// The source, where there is one.
pub(super) fn read_source(table: &Table<'_>, problems: &mut Problems) -> Option<WrittenSource> {
    let mut interface = Interface::named("");
    read_keys(table, INTERFACE, &mut interface, problems);
    let settings: Vec<(&'static str, At<()>)> =
        INTERFACE.iter().filter_map(|key| Some((key.name, table.value(key.name)?.at(())))).collect();
    match (table.value("interface"), table.value("file")) {
        (Some(value), None) => {
            let name = value.interface(interface.backend == Backend::Pcap, problems)?;
            interface.name = name.value;
            check_interface(&interface, &value.at(()), &settings, problems);
            Some(WrittenSource { source: Source::Interface(interface), place: value.at(()), settings })
        }
        (None, Some(value)) => {
            none_of(&settings, "a file is not heard as an interface is", "", problems);
            let path = value.path(problems)?;
            let source = if path.as_os_str() == "-" { Source::StandardInput } else { Source::File(path) };
            Some(WrittenSource { source, place: value.at(()), settings })
        }
        (Some(_), Some(file)) => {
            let what = "a point has one source, and interface is given as well";
            problems.at(&file.at(()), what, "keep one");
            None
        }
        (None, None) => {
            none_of(&settings, "the point names no interface", ", or add interface = \"eth1\"", problems);
            None
        }
    }
}

fn none_of(settings: &[(&'static str, At<()>)], what: &str, or: &str, problems: &mut Problems) {
    for (name, at) in settings {
        problems.at(at, what, format!("take {name} out{or}"));
    }
}

/// What contradicts itself in one interface.
fn check_interface(
    interface: &Interface,
    place: &At<()>,
    settings: &[(&'static str, At<()>)],
    problems: &mut Problems,
) {
    if interface.backend != Backend::Pcap && interface.name == "any" {
        problems.at(place, "\"any\" is no single interface, and a ring needs one", "add backend = \"pcap\"");
    }
    for (name, at) in settings {
        match *name {
            "rings" if interface.backend == Backend::Pcap && interface.rings > 1 => {
                problems.at(at, "libpcap has no rings to share", "take rings out, or backend = \"pcap\"");
            }
            "rings" if interface.backend == Backend::Xdp && interface.rings > 1 => {
                problems.at(at, "digests come by one ring", "take rings out, or backend = \"ring\"");
            }
            "whole_frames" if interface.backend == Backend::Xdp && interface.whole_frames => {
                problems.at(
                    at,
                    "of RTP there are digests only",
                    "take whole_frames out, or backend = \"ring\"",
                );
            }
            // The filter is what drops and cuts.
            "exclude_ports" | "relay_ports" | "whole_frames" if !interface.filter => {
                let what = "without the kernel's filter every frame is taken whole";
                problems.at(at, what, format!("take {name} out, or filter = false"));
            }
            _ => {}
        }
    }
}

/// The points as they run. Those that share an interface take its values from the first.
pub(super) fn live_points(written: &[WrittenPoint], problems: &mut Problems) -> Vec<LivePoint> {
    let mut points: Vec<LivePoint> = Vec::with_capacity(written.len());
    for point in written {
        let mut live = point.live.clone();
        live.name.clone_from(&point.name.value);
        live.is_session = point.mirror.is_some();
        if let Some(own) = &point.source {
            live.source = Some(match sharer(&points, &own.source) {
                Some((first, source)) => {
                    check_shared(&live, own, first, &points, problems);
                    source.clone()
                }
                None => own.source.clone(),
            });
        }
        points.push(live);
    }
    if points.iter().any(|point| point.source.is_some()) {
        check_names(written, problems);
        check_captures(written, &points, problems);
    }
    points
}

/// The first point that opens the same, and its source.
fn sharer<'p>(points: &'p [LivePoint], source: &Source) -> Option<(&'p LivePoint, &'p Source)> {
    points
        .iter()
        .find_map(|point| point.source.as_ref().filter(|own| own.is_same(source)).map(|s| (point, s)))
}

fn check_shared(
    point: &LivePoint,
    own: &WrittenSource,
    first: &LivePoint,
    points: &[LivePoint],
    problems: &mut Problems,
) {
    let whole = points.iter().find(|other| {
        !other.is_session && other.source.as_ref().is_some_and(|source| source.is_same(&own.source))
    });
    if let Some(whole) = whole.filter(|_| !point.is_session) {
        let what = format!("{} is point \"{}\" already", own.source, whole.name);
        problems.at(&own.place, what, "add mirror to tell which session of it this point is");
    }
    for (name, at) in &own.settings {
        let what = format!("{} is opened once, for point \"{}\"", own.source, first.name);
        problems.at(at, what, format!("give {name} there"));
    }
}

/// Names become labels of metrics, so that there are few of them and none is strange.
fn check_names(written: &[WrittenPoint], problems: &mut Problems) {
    if let Some(point) = written.get(MAX_POINTS) {
        let what = format!("this is point number {}, and metrics are kept for each", MAX_POINTS + 1);
        problems.at(&point.name, what, format!("keep to {MAX_POINTS} points where one has a source"));
    }
    for WrittenPoint { name, .. } in written {
        if !(1..=64).contains(&name.value.chars().count()) || name.value.contains(char::is_control) {
            let what = "the name of a point is a label of metrics";
            problems.at(name, what, "use 1 to 64 characters, none of them a control character");
        }
    }
}

/// A session is looked for in its own source, or in the capture that it names: they must be one.
fn check_captures(written: &[WrittenPoint], points: &[LivePoint], problems: &mut Problems) {
    for point in written {
        let capture = point.mirror.as_ref().and_then(|mirror| mirror.value.capture.as_deref());
        let Some((capture, own)) = capture.zip(point.source.as_ref()) else { continue };
        let mut opened = opened(points).into_iter();
        let named_by = opened.find(|(_, source)| source.is_same(&own.source));
        if let Some(name) = named_by.map(|(point, _)| point.name.as_str()).filter(|name| *name != capture) {
            let what =
                format!("the session is looked for in \"{capture}\", but {} is \"{name}\"", own.source);
            problems.at(&own.place, what, format!("keep either, or write capture = \"{name}\""));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Appliance, load_str};

    fn appliance(text: &str) -> Appliance {
        load_str("hopmark.toml", text, None).unwrap_or_else(|error| panic!("{error}")).appliance
    }

    fn opened_by(text: &str) -> Vec<(String, String)> {
        let appliance = appliance(text);
        let sources = appliance.sources().into_iter();
        sources.map(|(point, source)| (point.name.clone(), source.to_string())).collect()
    }

    #[test]
    fn a_point_without_a_source_is_there_and_opens_nothing() {
        let appliance = appliance("[[point]]\nname = \"replayed\"\n");
        assert_eq!(appliance.points.len(), 1);
        assert_eq!(appliance.points[0].name, "replayed");
        assert!(appliance.sources().is_empty());
    }

    #[test]
    fn an_interface_is_opened_once_for_the_point_that_is_no_session() {
        let session = |name: &str, number: u32| {
            format!("[[point]]\nname = \"{name}\"\ninterface = \"eth1\"\nmirror = {{ vxlan = {number} }}\n")
        };
        let whole = "[[point]]\nname = \"rest\"\ninterface = \"eth1\"\n";
        let other = "[[point]]\nname = \"feed\"\nfile = \"-\"\n";
        let of = |name: &str| (name.to_owned(), "interface eth1".to_owned());
        let feed = ("feed".to_owned(), "standard input".to_owned());
        let sessions = [session("one", 1), session("two", 2)].concat();
        assert_eq!(opened_by(&(sessions.clone() + other)), [of("one"), feed.clone()]);
        assert_eq!(opened_by(&(sessions + other + whole)), [of("rest"), feed]);
    }

    #[test]
    fn points_of_one_interface_hear_it_as_the_first_says() {
        let appliance = appliance(
            "[[point]]\nname = \"one\"\ninterface = \"eth1\"\nrings = 4\nfilter = false\n\
             [[point]]\nname = \"two\"\ninterface = \"eth1\"\nmirror = { vxlan = 2 }\nsilent_after = 0\n",
        );
        let [one, two] = &appliance.points[..] else { panic!("two points") };
        assert_eq!(one.source, two.source);
        let Some(Source::Interface(interface)) = &two.source else { panic!("an interface") };
        assert_eq!((interface.rings, interface.filter), (4, false));
        assert_eq!((one.silent_after, two.silent_after), (Some(Duration::from_secs(60)), None));
        assert_eq!((one.is_session, two.is_session), (false, true));
    }

    #[test]
    fn digests_come_by_one_ring_and_have_no_frames() {
        let text = "[[point]]\nname = \"fast\"\ninterface = \"eth1\"\nbackend = \"xdp\"\n";
        assert_eq!(opened_by(text), [("fast".to_owned(), "interface eth1".to_owned())]);
        for (key, what) in [
            ("rings = 2", "rings: digests come by one ring; take rings out"),
            ("whole_frames = true", "whole_frames: of RTP there are digests only; take whole_frames out"),
        ] {
            let refused = load_str("fast.toml", &format!("{text}{key}\n"), None).unwrap_err().to_string();
            assert!(refused.contains(&format!("{what}, or backend = \"ring\"")), "{refused}");
        }
        let any = text.replace("eth1", "any");
        let refused = load_str("fast.toml", &any, None).unwrap_err().to_string();
        assert!(refused.contains("\"any\" is no single interface"), "{refused}");
    }

    #[test]
    fn names_of_libpcap_may_be_longer() {
        let text = "[[point]]\nname = \"log\"\ninterface = \"nflog:5\"\nbackend = \"pcap\"\n";
        assert_eq!(opened_by(text), [("log".to_owned(), "interface nflog:5".to_owned())]);
    }

    #[test]
    fn there_are_64_points_where_one_is_live() {
        let points = |count: usize| -> String {
            (0..count).map(|n| format!("[[point]]\nname = \"p{n}\"\n")).collect::<Vec<_>>().concat()
        };
        let live = "[[point]]\nname = \"live\"\nfile = \"-\"\n";
        assert_eq!(appliance(&points(100)).points.len(), 100);
        assert_eq!(appliance(&(points(63) + live)).points.len(), 64);
        let refused = load_str("many.toml", &(points(64) + live), None).unwrap_err().to_string();
        let start = "many.toml:130:8: point[65].name: this is point number 65";
        assert!(refused.starts_with(start), "{refused}");
    }
}
