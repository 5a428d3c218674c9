//! The tests that need something which a machine may lack: checkouts of Spack, the programs that read what is made for
//! them, another group, root. One list of trials; what cannot run here is reported as ignored with its reason.
//! `cargo test --test real upgrade::` runs one subject, `spack_1_1` one release.

mod agreement;
mod chained;
mod checks;
#[allow(dead_code)] // A part of the helpers is for the other programs.
#[path = "../common/mod.rs"]
mod common;
mod config_agreement;
mod crashes;
mod disk_full;
mod drive;
mod grammar_agreement;
mod hostile;
mod linkage;
mod lmod;
mod manifests;
mod notify;
mod plan;
mod practice;
mod readers;
mod restore;
mod run_end;
mod schedule;
mod services;
mod shared;
mod solving;
mod status_agreement;
mod upgrade;

use libtest_mimic::Arguments;

/// So many at a time, also where there are fewer cores: much of the time somebody waits for a build that sleeps.
const THREADS: usize = 4;

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    // The long ones first, so that none of them is left alone at the end.
    let trials = [
        drive::trials(),
        upgrade::trials(),
        solving::trials(),
        restore::trials(),
        plan::trials(),
        manifests::trials(),
        linkage::trials(),
        chained::trials(),
        config_agreement::trials(),
        agreement::trials(),
        grammar_agreement::trials(),
        status_agreement::trials(),
        practice::trials(),
        crashes::trials(),
        disk_full::trials(),
        readers::trials(),
        notify::trials(),
        shared::trials(),
        hostile::trials(),
        lmod::trials(),
        schedule::trials(),
        services::trials(),
        run_end::trials(),
        checks::trials(),
    ];
    libtest_mimic::run(&arguments, trials.into_iter().flatten().collect()).exit();
}
