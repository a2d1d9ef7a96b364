//! `hopmark check` prints a configuration, and refuses a wrong one.

#![allow(clippy::expect_used, reason = "a test that cannot run its program has failed")]

use std::path::Path;
use std::process::{Command, Output};

fn check(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hopmark"))
        .arg("check")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the program runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[test]
fn without_a_file_the_default_profile_is_printed() {
    let output = check(&[]);
    assert!(output.status.success());
    assert!(output.stderr.is_empty());
    insta::assert_snapshot!("check_teams", stdout(&output));
    assert_eq!(stdout(&check(&["--profile", "teams"])), stdout(&output));
}

#[test]
fn the_example_file_is_printed_with_its_notes() {
    let output = check(&["--config", "deploy/hopmark.toml"]);
    assert!(output.status.success());
    insta::assert_snapshot!("check_example", stdout(&output));
}

#[test]
fn the_complete_file_loads_back_to_the_same_policy() {
    let complete = stdout(&check(&["--config", "deploy/hopmark.toml", "--format", "toml"]));
    assert!(complete.starts_with("# note: rule[2] makes client ports 50020-50039 audio"), "{complete}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &complete).unwrap();
    let again = check(&["--format", "toml", "--config", file.path().to_str().unwrap()]);
    let without_notes = complete.lines().filter(|line| !line.starts_with("# note: "));
    assert!(again.status.success());
    assert!(stdout(&again).lines().eq(without_notes));
}

#[test]
fn a_replay_takes_no_notice_of_what_is_for_running_live() {
    let replayed = |configuration: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), configuration).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_hopmark"))
            .args(["replay", "--format", "json", "--config", file.path().to_str().unwrap()])
            .arg("access=fixtures/demo/capture.pcapng")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("the program runs");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        stdout(&output)
    };
    let points = "[[point]]\nname = \"access\"\n[[point]]\nname = \"edge\"\n";
    let live = "[[point]]\nname = \"access\"\ninterface = \"eth1\"\n\
                [[point]]\nname = \"edge\"\nfile = \"-\"\n\
                [run]\nuser = \"hopmark\"\n[evidence]\ndirectory = \"/evidence\"\n";
    assert!(replayed(points).contains("\"access\""));
    assert_eq!(replayed(points), replayed(live));
}

#[test]
fn every_file_in_deploy_is_accepted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let configurations: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    assert!(!configurations.is_empty());
    for path in configurations {
        let output = check(&["--config", path.to_str().unwrap()]);
        assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_wrong_file_is_refused_with_every_place_and_status_2() {
    let output = check(&["--config", "tests/config/invalid-several.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = [
        "tests/config/invalid-several.toml:1:1: profil: unknown key; did you mean \"profile\"?",
        "tests/config/invalid-several.toml:4:8: class.audio.dscp: 99 is not a DSCP; ",
        "tests/config/invalid-several.toml:7:10: thresholds.jitter: true is not a length of time; ",
    ];
    assert_eq!(said.lines().count(), expected.len(), "{said}");
    for (line, start) in said.lines().zip(expected) {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn an_unknown_profile_is_refused_with_the_nearest() {
    let output = check(&["--profile", "lync2013"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "profile \"lync2013\" does not exist; did you mean \"lync-2013\"?\n");
}

#[test]
fn a_wrong_web_configuration_is_found_before_it_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let (file, web) = (folder.path().join("hopmark.toml"), folder.path().join("web.yml"));
    std::fs::write(&file, format!("[listen]\nweb_config = {:?}\n", web.to_str().unwrap())).unwrap();
    let check = || check(&["--config", file.to_str().unwrap()]);
    assert!(check().status.success(), "one that is not there, or not for everybody to read, is not judged");
    // The files that it names are the service's.
    std::fs::write(&web, "tls_server_config: {cert_file: server.crt, key_file: server.key}\n").unwrap();
    assert!(check().status.success());
    std::fs::write(&web, "basic_auth_users: {anna: secret}\n").unwrap();
    let refused = check();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("web.yml: basic_auth_users.anna: is no bcrypt hash"), "{said}");
    assert_eq!(refused.status.code(), Some(2));
}
