//! `/metrics` is what Prometheus reads, and its reference is true.
//!
//! With `DOCS=overwrite` the reference is written anew:
//!
//!     DOCS=overwrite cargo test --test metrics

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a text that is wrong has failed")]
#![allow(clippy::float_cmp, clippy::cast_precision_loss, reason = "counts are below 2^53, and exact")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use common::served::{Served, demo, options, picture};
use hopmark::export::{ServerOptions, metrics_reference};
use hopmark::status::{Figures, Picture, PointFigures, Reload, Status};
use hopmark::verify::Outcome;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0";

/// Names are a promise. One may be added here; none goes, and none is renamed.
const NAMES: &str = "\
hopmark_build_info hopmark_capture_bytes_total hopmark_capture_dropped_total hopmark_capture_filtered_total \
hopmark_capture_freezes_total hopmark_capture_last_packet_timestamp_seconds hopmark_capture_packets_total \
hopmark_capture_snapped_total hopmark_capture_time_source_info hopmark_capture_up hopmark_capture_xdp_native \
hopmark_config_last_reload_success_timestamp_seconds hopmark_config_last_reload_successful \
hopmark_decode_undecoded_total hopmark_evidence_bytes_total hopmark_evidence_files_total \
hopmark_findings_forgotten_total hopmark_findings_open hopmark_findings_total \
hopmark_http_connections hopmark_http_connections_refused_total hopmark_http_requests_total \
hopmark_intervals_total hopmark_judge_last_seconds hopmark_judge_seconds_total hopmark_marking_packets_total hopmark_meter_refused_total \
hopmark_opener_up hopmark_peak_bytes_per_second hopmark_rtp_duplicate_packets_total hopmark_rtp_expected_packets_total \
hopmark_rtp_jitter_seconds hopmark_rtp_lost_packets_total hopmark_rtp_packets_total \
hopmark_rtp_reordered_packets_total hopmark_rtp_sequence_resets_total hopmark_scrapes_total \
hopmark_segment_delay_seconds hopmark_segment_lost_packets_total hopmark_segment_packets_total \
hopmark_segment_remarked_packets_total hopmark_segment_suspect_packets_total hopmark_series_limited_total \
hopmark_streams_active hopmark_streams_by_verdict hopmark_streams_evicted_total hopmark_streams_started_total \
hopmark_stun_requests_total hopmark_stun_round_trip_seconds hopmark_stun_unanswered_total \
hopmark_suspect_intervals_total process_cpu_seconds_total process_max_fds process_open_fds \
process_resident_memory_bytes process_start_time_seconds process_threads process_virtual_memory_bytes";

#[test]
fn the_reference_is_that_of_the_table() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let page = metrics_reference();
    if std::env::var("DOCS").is_ok_and(|mode| mode == "overwrite") {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "docs/metrics.md is stale: DOCS=overwrite cargo test --test metrics");
    let names: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    let families: Vec<&str> =
        names.into_iter().filter(|name| name.contains('_') && !name.starts_with("dscp_")).collect();
    assert_eq!(families, NAMES.split(' ').collect::<Vec<_>>());
}

#[test]
fn promtool_finds_nothing_to_say() {
    let text = Served::demo().get("/metrics").text().to_owned();
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        eprintln!("skipped: promtool is not installed");
        return;
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

/// Samples by name and labels, and the families of an `OpenMetrics` text; fails where the text breaks a rule of the format.
fn strict(text: &str) -> (BTreeMap<String, f64>, BTreeMap<String, String>) {
    let (mut samples, mut kinds) = (BTreeMap::new(), BTreeMap::<String, String>::new());
    let mut current = String::new();
    let body = text.strip_suffix("# EOF\n").expect("# EOF is the last line");
    assert!(body.ends_with('\n') && !body.contains("\n\n"));
    for line in body.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] => {
                assert!(!help.is_empty() && !kinds.contains_key(name), "{line}: a family stands twice");
                name.clone_into(&mut current);
            }
            ["#", "TYPE", name, kind] => {
                assert_eq!(name, current, "{line}: TYPE and HELP stand together");
                assert!(["counter", "gauge", "histogram", "info"].contains(&kind), "{line}");
                assert!(kind != "counter" || !name.ends_with("_total"), "{line}");
                assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
            }
            ["#", "UNIT", name, unit] => {
                assert!(name == current && name.ends_with(&format!("_{unit}")), "{line}");
            }
            _ => {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                let kind = kinds.get(&current).unwrap_or_else(|| panic!("{line}: no TYPE before it"));
                let suffix =
                    name.strip_prefix(&current).unwrap_or_else(|| panic!("{line}: not of {current}"));
                let suffixes: &[&str] = match kind.as_str() {
                    "counter" => &["_total"],
                    "info" => &["_info"],
                    "histogram" => &["_bucket", "_sum", "_count"],
                    _ => &[""],
                };
                assert!(suffixes.contains(&suffix), "{line}: a {kind}");
                let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}: no number"));
                assert!(kind == "gauge" || value >= 0.0, "{line}");
                if let Some(labels) = series[name.len()..].strip_prefix('{') {
                    labels_of(labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}")));
                }
                assert!(samples.insert(series.to_owned(), value).is_none(), "{line}: stands twice");
            }
        }
    }
    (samples, kinds)
}

/// The labels of a series; fails where they are not written as the format has it.
fn labels_of(mut text: &str) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").expect("a label");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_') && name != "type", "{name}");
        let (mut value, mut characters) = (String::new(), rest.char_indices());
        let end = loop {
            match characters.next().expect("the end of a label") {
                (at, '"') => break at,
                (_, '\\') => value.push(match characters.next().expect("an escaped character").1 {
                    'n' => '\n',
                    c @ ('\\' | '"') => c,
                    c => panic!("\\{c} is no escape"),
                }),
                (_, c) => value.push(c),
            }
        };
        assert!(labels.iter().all(|(other, _)| other != name), "{name} stands twice");
        labels.push((name.to_owned(), value));
        text = &rest[end + 1..];
        text = text.strip_prefix(',').unwrap_or(text);
    }
    labels
}

#[test]
fn open_metrics_is_what_its_specification_says() {
    let served = Served::demo();
    let answer = served.ask("GET", "/metrics", &[("Accept", OPEN_METRICS)]);
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let (samples, kinds) = strict(answer.text());
    assert_eq!(kinds["hopmark_rtp_packets"], "counter");
    assert_eq!(kinds["hopmark_build"], "info");
    assert_eq!(kinds["hopmark_rtp_jitter_seconds"], "histogram");
    // Histograms are cumulative, and end in their count.
    for (series, count) in samples.iter().filter(|(series, _)| series.contains("_seconds_count")) {
        let bucket = series.replace("_count", "_bucket");
        let all = match bucket.strip_suffix('}') {
            Some(labelled) => format!("{labelled},le=\"+Inf\"}}"),
            None => format!("{bucket}{{le=\"+Inf\"}}"),
        };
        assert_eq!(samples[&all], *count, "{series}");
    }
}

#[test]
fn both_formats_say_the_same() {
    let served = Served::demo();
    let text = served.get("/metrics");
    assert_eq!(text.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let lines = |text: &str| -> Vec<String> {
        let own = |line: &&str| {
            line.starts_with("hopmark_")
                && !line.starts_with("hopmark_http")
                && !line.starts_with("hopmark_scrapes")
        };
        text.lines().filter(own).map(str::to_owned).collect()
    };
    let open = served.ask("GET", "/metrics", &[("Accept", OPEN_METRICS)]);
    assert_eq!(lines(text.text()), lines(open.text()));
    assert!(text.text().contains("# TYPE hopmark_rtp_packets_total counter\n"));
    assert!(open.text().contains("# TYPE hopmark_rtp_packets counter\n# UNIT hopmark_rtp_packets packets\n"));
}

#[test]
fn figures_are_those_of_the_picture() {
    let served = Served::demo();
    let (samples, _) = strict(served.ask("GET", "/metrics", &[("Accept", OPEN_METRICS)]).text());
    let sum = |family: &str, part: &str| -> f64 {
        samples
            .iter()
            .filter(|(s, _)| s.starts_with(&format!("{family}{{")) && s.contains(part))
            .map(|(_, v)| v)
            .sum()
    };
    let picture = served.status.picture();
    let packets: u64 = picture.figures.hops.values().map(|hop| hop.packets).sum();
    assert!(packets > 0);
    assert_eq!(sum("hopmark_rtp_packets_total", ""), packets as f64);
    assert_eq!(sum("hopmark_marking_packets_total", ""), packets as f64);
    // The demo bleaches the audio that comes from the service, between edge and access.
    let bleached =
        sum("hopmark_segment_remarked_packets_total", "from=\"edge\",to=\"access\",direction=\"reverse\"");
    let remarked: u64 = picture.figures.remarked.values().sum();
    assert!(remarked > 0 && bleached == remarked as f64, "{bleached} of {remarked}");
    assert_eq!(sum("hopmark_capture_dropped_total", "reason=\"ring\""), 6.0);
    assert_eq!(samples["hopmark_capture_up{point=\"edge\"}"], 1.0);
    assert_eq!(sum("hopmark_streams_by_verdict", ""), picture.streams.len() as f64);
    assert_eq!(samples["hopmark_judge_last_seconds"], 0.25);
    assert!(samples["process_resident_memory_bytes"] > 1e6);
    assert!(sum("hopmark_build_info", env!("CARGO_PKG_VERSION")) == 1.0);
}

#[test]
fn every_point_direction_and_class_is_there_from_the_start() {
    let status = Status::default();
    let points =
        ["core", "edge"].map(|name| PointFigures { name: name.to_owned(), ..PointFigures::default() });
    let figures = Figures { points: points.into(), classes: vec!["audio".into()], ..Figures::default() };
    status.publish(Picture { figures, ..Picture::default() });
    let (samples, kinds) =
        strict(Served::new(&options(), status).ask("GET", "/metrics", &[("Accept", OPEN_METRICS)]).text());
    for point in ["core", "edge"] {
        for direction in ["forward", "reverse"] {
            for class in ["audio", "other"] {
                let labels =
                    format!("{{point=\"{point}\",hop=\"1\",direction=\"{direction}\",class=\"{class}\"}}");
                for family in [
                    "hopmark_rtp_packets_total",
                    "hopmark_streams_active",
                    "hopmark_peak_bytes_per_second",
                    "hopmark_rtp_jitter_seconds_count",
                ] {
                    assert_eq!(samples[&format!("{family}{labels}")], 0.0);
                }
            }
        }
    }
    assert_eq!(samples["hopmark_findings_total{kind=\"bleached\",severity=\"error\"}"], 0.0);
    // What was not measured is not there.
    assert!(!kinds.contains_key("hopmark_marking_packets") && !kinds.contains_key("hopmark_capture_freezes"));
}

#[test]
fn streams_that_end_take_their_gauges_with_them() {
    let served = Served::demo();
    assert!(served.get("/metrics").text().contains("hopmark_streams_by_verdict{"));
    served.status.publish(picture_of_nothing());
    assert!(!served.get("/metrics").text().contains("hopmark_streams_by_verdict{"));
}

fn picture_of_nothing() -> Picture {
    Picture { outcome: Outcome::default(), ..Picture::default() }
}

#[test]
fn names_of_points_are_escaped() {
    let status = Status::default();
    let name = "a \"b\"\\c\nd";
    let point =
        PointFigures { name: name.to_owned(), is_up: true, has_been_up: true, ..PointFigures::default() };
    status.publish(Picture {
        figures: Figures { points: vec![point], ..Figures::default() },
        ..Picture::default()
    });
    let answer = Served::new(&options(), status).ask("GET", "/metrics", &[("Accept", OPEN_METRICS)]);
    let (samples, _) = strict(answer.text());
    let (series, _) = samples.iter().find(|(series, _)| series.starts_with("hopmark_capture_up")).unwrap();
    let labels = labels_of(series.strip_prefix("hopmark_capture_up{").unwrap().strip_suffix('}').unwrap());
    assert_eq!(labels, [("point".to_owned(), name.to_owned())]);
}

#[test]
fn beyond_the_limit_label_sets_are_left_out_and_counted() {
    let limited = ServerOptions { max_series: 150, ..options() };
    let served = Served::new(&limited, demo());
    let (samples, _) = strict(served.ask("GET", "/metrics", &[("Accept", OPEN_METRICS)]).text());
    assert!(samples.len() <= 151, "{} series", samples.len());
    let first = samples["hopmark_series_limited_total"];
    assert!(first > 0.0);
    // The same again is no more than before: it is a counter, and no new label set came.
    served.status.publish(demo_again());
    let (samples, _) = strict(served.ask("GET", "/metrics", &[("Accept", OPEN_METRICS)]).text());
    assert!(samples["hopmark_series_limited_total"] <= first + 2.0);
    assert!(samples["hopmark_series_limited_total"] >= first);
}

fn demo_again() -> Picture {
    picture(common::served::demo_outcome())
}

#[test]
fn scrapes_are_compressed_for_those_who_ask() {
    let served = Served::demo();
    let plain = served.get("/metrics");
    assert_eq!(plain.header("content-encoding"), None);
    let compressed = served.ask("GET", "/metrics", &[("Accept-Encoding", "gzip")]);
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    assert_eq!(compressed.header("vary"), Some("accept, accept-encoding"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*compressed.body).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain.text());
    assert!(compressed.body.len() * 4 < text.len());
}

#[test]
fn a_reload_that_failed_is_seen_at_once() {
    let served = Served::demo();
    assert!(served.get("/metrics").text().contains("hopmark_config_last_reload_successful 1\n"));
    served.status.set_reload(Reload {
        is_successful: false,
        success_seconds: 1.5e9,
        problem: Some("no".into()),
    });
    let text = served.get("/metrics").text().to_owned();
    assert!(text.contains("hopmark_config_last_reload_successful 0\n"));
    assert!(text.contains("hopmark_config_last_reload_success_timestamp_seconds 1500000000\n"));
}
