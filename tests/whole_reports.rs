//! Both reports on one capture of everything, word for word.

mod common;

use common::{Folder, rich};

fn report(format: &str) -> String {
    let folder = Folder::new();
    folder.write("rich.pcap", &rich::capture().pcap());
    let run = folder.replay(["--format", format, "rich.pcap"]);
    assert_eq!((run.status(), run.stderr()), (1, ""));
    run.stdout().replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[test]
fn the_text_report_of_a_rich_capture() {
    insta::assert_snapshot!(report("text"));
}

#[test]
fn the_json_report_of_a_rich_capture() {
    insta::assert_snapshot!(report("json"));
}
