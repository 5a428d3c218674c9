//! Drives real Spacks through the built executable and looks at what came of it: in the store, the environment
//! and the process table, never at what was printed. One site for each checkout; see `tests/common/lab.rs`.

mod bed;
mod environments;
mod installs;
mod removals;
mod trouble;

use bed::{Bed, Check};
use libtest_mimic::{Failed, Trial};

use crate::common::lab;

/// In this order: later ones stand on what earlier ones installed.
const STEPS: &[(&str, Check)] = &[
    ("concretizing tells what is missing", installs::concretizing),
    ("installing is proved by the database", installs::installing),
    ("what is installed is not installed again", installs::again),
    ("a variable reaches the build only by name", installs::variables),
    ("what Spack refuses of its configuration is found", trouble::refused_configuration),
    ("a build failure has kind, lines and log", trouble::build_failure),
    ("an unknown package is refused", trouble::unknown_package),
    ("a time limit ends every process", trouble::time_limit),
    ("silence ends it too", trouble::silence),
    ("Ctrl-C ends every process", trouble::interrupt),
    ("a Spack that is killed is told", trouble::killed),
    ("two moonstacks and a Spack at once", installs::at_once),
    ("an environment from nothing to installed", environments::life),
    ("environment refusals", environments::refusals),
    ("an installed spec that others need stays", removals::refused),
    ("garbage is what was said before", removals::garbage),
    ("a changed file is found", removals::verify),
    ("any other command", removals::exec),
    ("the new installer", installs::new_installer),
];

pub fn trials() -> Vec<Trial> {
    lab::for_each_release("drive", &None, steps)
}

fn steps(release: &'static str, root: &std::path::Path) -> Result<(), Failed> {
    let bed = Bed::new(release, root)?;
    for (name, check) in STEPS {
        let begin = std::time::Instant::now();
        check(&bed).map_err(|e| Failed::from(format!("Spack {release}: {name}: {e}")))?;
        println!("Spack {release}: {name}: {:.1} s", begin.elapsed().as_secs_f64());
    }
    Ok(())
}
