//! Packets of bad streams are kept live, and a full disk stops nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what cannot be read has failed")]
#![allow(clippy::indexing_slicing, reason = "a report without its keys has failed")]

mod common;

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Appliance, Calls, Folder, in_namespace, replay};
use nix::sched::{CloneFlags, unshare};

const FILES: &str = "hopmark_evidence_files_total";
const PACKETS: &str = "hopmark_capture_packets_total";
/// Whom root becomes.
const NOBODY: u32 = 65_534;

fn config(directory: &Path) -> String {
    format!(
        "[[point]]\nname = \"tap\"\ninterface = \"right\"\n\
         [evidence]\ndirectory = \"{}\"\nseverity = \"info\"\nmemory_octets = 1048576\n",
        directory.display()
    )
}

/// A folder for evidence.
fn directory(folder: &Folder) -> PathBuf {
    let directory = folder.path().join("evidence");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    chown(&directory, Some(NOBODY), Some(NOBODY)).unwrap();
    directory
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_packets_of_a_stream_that_is_not_marked_are_kept() {
    in_namespace(|| {
        let folder = Folder::new();
        let directory = directory(&folder);
        let appliance = Appliance::start(&config(&directory));
        let talk = Calls { count: 2, dscp: 0, ..Calls::on(&["left"]) }.start();
        appliance
            .wait_for("packets were kept", || appliance.metrics().count(FILES, &[("result", "written")]) > 0);
        talk.hang_up();
        let finding = appliance.findings("unmarked-at-source").remove(0);
        let stream = finding["stream"].as_str().unwrap();
        let kept =
            names(&directory).into_iter().find(|name| name.contains(stream)).expect("a file of the stream");
        let report = replay([directory.join(kept)]);
        let streams = report["streams"].as_array().unwrap();
        assert_eq!(streams.len(), 1, "of this stream only");
        let answer = appliance.api(&format!("/api/v1/streams/{stream}"));
        let live = &answer["stream"];
        assert_eq!(streams[0]["ssrc"], live["ssrc"]);
        assert_eq!(streams[0]["source"], live["source"]);
    });
}

#[test]
fn a_full_disk_is_counted_and_stops_nothing() {
    in_namespace(|| {
        if let Err(reason) = unshare(CloneFlags::CLONE_NEWNS) {
            eprintln!("skipped: no mount namespace can be made here: {reason}");
            return;
        }
        let mount = |arguments: &[&str]| Command::new("mount").args(arguments).status().unwrap();
        // What is mounted here is to be seen here only.
        assert!(mount(&["--make-rprivate", "/"]).success());
        let folder = Folder::new();
        let directory = directory(&folder);
        let place = directory.to_str().unwrap();
        let options = format!("size=4k,uid={NOBODY},gid={NOBODY}");
        assert!(mount(&["-t", "tmpfs", "-o", &options, "hopmark-test", place]).success());
        let appliance = Appliance::start(&config(&directory));
        let talk = Calls { dscp: 0, ..Calls::on(&["left"]) }.start();
        appliance.wait_for("a file could not be written", || {
            appliance.metrics().count(FILES, &[("result", "failed")]) > 0
        });
        let before = appliance.metrics().count(PACKETS, &[]);
        appliance
            .wait_for("packets are counted on", || appliance.metrics().count(PACKETS, &[]) > before + 500);
        let sent = talk.hang_up();
        appliance.wait_for_figure(PACKETS, &[], sent);
        appliance.wait_for_figure("hopmark_rtp_packets_total", &[], sent);
        assert!(appliance.log().contains("no room on the disk"), "{}", appliance.log());
        assert_eq!(appliance.get("/-/healthy").status, 200);
        assert_eq!(names(&directory), Vec::<String>::new(), "nothing incomplete is left");
        assert!(mount(&["-o", "remount,size=4m", place]).success());
        // Where there is room again, what is found next is kept.
        let talk = Calls { site: 1, dscp: 0, ..Calls::on(&["left"]) }.start();
        appliance
            .wait_for("packets were kept", || appliance.metrics().count(FILES, &[("result", "written")]) > 0);
        talk.hang_up();
    });
}
