//! The program: hands the command line to `hopmark::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    hopmark::cli::main()
}
