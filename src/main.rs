//! The executable: everything is in the library, so that tests and benchmarks can reach it.

use std::process::ExitCode;

/// A database is read on a worker thread, where the C library grows its memory page by page: 68 ms for a search in
/// 10,000 records became 55, all of them as JSON 196 ms became 124.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(moonstack::cli::main(std::env::args_os().collect()))
}
