//! The executable: everything is in the library, so that tests and benchmarks can reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(moonstack::cli::main(std::env::args_os().collect()))
}
