//! The built-in checks, one a file. None of them mends.

use std::time::Duration;

use super::definition::Check;

mod build_tools;
mod compilers;
mod configuration;
mod database;
mod database_prefixes;
mod database_records;
mod disk;
mod externals;
mod failures;
mod generations;
mod git;
mod gpu;
mod locks;
mod mirrors;
mod modules;
mod python;
mod spack;

const QUICK: Duration = Duration::from_secs(20);
const SLOW: Duration = Duration::from_mins(1);

/// All of them, in the order of the documentation.
pub const ALL: &[Check] = &[
    spack::CHECK,
    configuration::CHECK,
    python::CHECK,
    git::CHECK,
    build_tools::CHECK,
    compilers::CHECK,
    externals::CHECK,
    database::CHECK,
    locks::CHECK,
    failures::CHECK,
    disk::CHECK,
    mirrors::CHECK,
    modules::CHECK,
    generations::CHECK,
    gpu::CHECK,
];
