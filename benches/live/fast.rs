//! Sends from within the kernel: faster than any process can.

use std::error::Error;
use std::path::Path;
use std::process::Command;

use aya::programs::{TestRun, TestRunAttrs, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use nix::net::if_::if_nametoindex;

use super::frames::{Background, Traffic};
use super::network::SENDING;

/// Frames that the kernel hands to the interface at once.
const BATCH: u32 = 64;

/// The program that writes packets.
pub(crate) struct Generator {
    object: Ebpf,
    frame: Vec<u8>,
}

impl Generator {
    /// Compiles and loads it, for so many streams.
    pub(crate) fn load(streams: u32) -> Result<Self, Box<dyn Error>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = tempfile::tempdir()?;
        let object = folder.path().join("generator.o");
        let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
        let status = Command::new(clang)
            .args(["--target=bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-c", "-I"])
            .arg(root.join("bpf"))
            .arg(root.join("benches/live/generator.c"))
            .arg("-o")
            .arg(&object)
            .status()?;
        if !status.success() {
            return Err("the generator does not compile".into());
        }
        let interface = if_nametoindex(SENDING)?;
        let mut object = EbpfLoader::new()
            .override_global("INTERFACE", &interface, true)
            .override_global("STREAMS", &streams, true)
            .load(&std::fs::read(object)?)?;
        program(&mut object)?.load()?;
        let traffic = Traffic::new(1, Background::None);
        let frame = traffic.flows.first().ok_or("no stream")?.octets.clone();
        Ok(Self { object, frame })
    }

    /// Sends so many packets.
    pub(crate) fn send(&mut self, packets: u64) -> Result<(), Box<dyn Error>> {
        let options = TestRunOptions {
            data_in: Some(&self.frame),
            repeat: u32::try_from(packets)?,
            attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
            ..TestRunOptions::default()
        };
        program(&mut self.object)?.test_run(options)?;
        Ok(())
    }
}

fn program(object: &mut Ebpf) -> Result<&mut Xdp, Box<dyn Error>> {
    Ok(object.program_mut("generator").ok_or("no program")?.try_into()?)
}
