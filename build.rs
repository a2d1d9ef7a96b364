//! Compiles the programs that run in the kernel, by clang.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::{env, io};

const PROGRAMS: [&str; 3] = ["media_filter", "fanout", "digests"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=bpf");
    println!("cargo:rerun-if-env-changed=CLANG");
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let folder = env::var("OUT_DIR")?;
    for program in PROGRAMS {
        let object = Path::new(&folder).join(program).with_extension("o");
        let status = Command::new(&clang)
            // Functions that are checked apart, and take a pointer, need Linux 5.12: newer than what version 3 of the
            // instructions needs.
            .args(["--target=bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Wextra", "-Werror"])
            .args(["-ffile-prefix-map=.=bpf", "-I."])
            .arg("-c")
            .arg(format!("{program}.c"))
            .arg("-o")
            .arg(object)
            .current_dir("bpf")
            .status();
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => {
                return Err(format!(
                    "{clang} could not compile bpf/{program}.c ({status}); version 11 or newer, with the target \
                     bpf, is needed"
                )
                .into());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!(
                    "there is no {clang}, which compiles the kernel programs of bpf/. Install it (Debian, \
                     Ubuntu: apt install clang; Fedora: dnf install clang; Arch: pacman -S clang; Alpine: \
                     apk add clang), or name it in the variable CLANG"
                )
                .into());
            }
            Err(error) => return Err(format!("cannot run {clang}: {error}").into()),
        }
    }
    Ok(())
}
