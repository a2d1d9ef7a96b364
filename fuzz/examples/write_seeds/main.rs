//! Writes the seeds of all targets: `cargo run --example write_seeds`.

mod captures;
mod frames;
mod messages;
mod texts;

use std::fs;
use std::path::Path;

/// A seed's name and octets.
type Seed = (&'static str, Vec<u8>);

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, seeds) in [
        ("frame", frames::seeds()),
        ("capture", captures::seeds()),
        ("rtp", messages::rtp()),
        ("rtcp", messages::rtcp()),
        ("stun", messages::stun()),
        ("turn", messages::turn()),
        ("tcp", messages::tcp()),
        ("config", texts::config()),
        ("web_config", texts::web_config()),
        ("meter_sequence", messages::sequences()),
        ("anonymize", texts::sentences()),
        ("report", captures::calls()),
    ] {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        for (name, octets) in seeds {
            fs::write(folder.join(name), octets)?;
        }
    }
    Ok(())
}
