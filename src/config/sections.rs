//! Sections of the file that are about running live.

use super::appliance::{Appliance, Capture, Evidence};
use super::field::{Key, read_keys};
use super::keys::{CAPTURE, EVIDENCE, LISTEN, LOG, RUN};
use super::table::{Problems, Table};
use super::written::needed;

/// All sections; points are read elsewhere.
pub(super) fn read(file: &Table<'_>, problems: &mut Problems) -> Appliance {
    let mut appliance = Appliance::default();
    if let Some(table) = section(file, "capture", CAPTURE, &mut appliance.capture, problems) {
        check_ring(&table, &appliance.capture, problems);
    }
    section(file, "listen", LISTEN, &mut appliance.listen, problems);
    section(file, "run", RUN, &mut appliance.run, problems);
    section(file, "log", LOG, &mut appliance.log, problems);
    let mut evidence = Evidence::in_directory("");
    if let Some(table) = section(file, "evidence", EVIDENCE, &mut evidence, problems) {
        needed(&table, "directory", "\"/var/lib/hopmark/evidence\"", problems);
        appliance.evidence = Some(evidence);
    }
    appliance
}

fn section<'t, T>(
    file: &Table<'t>,
    name: &str,
    keys: &[Key<T>],
    values: &mut T,
    problems: &mut Problems,
) -> Option<Table<'t>> {
    let table = file.value(name)?.table(problems)?;
    let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
    table.allow(&names, problems);
    read_keys(&table, keys, values, problems);
    Some(table)
}

/// The kernel counts the octets of a ring in 32 bits.
fn check_ring(table: &Table<'_>, capture: &Capture, problems: &mut Problems) {
    let octets = capture.blocks.checked_mul(capture.block_octets);
    if octets.is_none_or(|octets| u32::try_from(octets).is_err()) {
        let value = table.value("blocks").or_else(|| table.value("block_octets"));
        if let Some(value) = value {
            let what = format!("{} blocks of {} octets are too much", capture.blocks, capture.block_octets);
            problems.at(&value.at(()), what, "keep a ring below 4 GiB");
        }
    }
}
