//! Checks of what other programs do: a lock that Python holds as Spack does, and whole sites.

use libtest_mimic::Trial;
use moonstack::check::Status::Pass;

use crate::common::checks_bed::{self as bed, Bed};
use crate::common::trial::{program, trial};

pub fn trials() -> Vec<Trial> {
    let none = sites().is_empty().then(|| "MOONSTACK_SITES names no site".to_owned());
    vec![
        trial("checks::a_lock_held_by_another_process_is_told_with_its_owner", program("python3"), held),
        trial("checks::health_sweep_runs_on_real_sites", none, sweeps),
    ]
}

fn held() {
    let bed = Bed::new();
    let (mut python, pid) = bed::hold(&bed.db("prefix_lock"), "a".repeat(32).as_str());
    let found = bed.sweep(&["locks"]);
    let _ = python.kill();
    let _ = python.wait();
    let told = found.iter().find(|f| f.subject.as_deref() == Some("prefix_lock")).unwrap();
    assert_eq!(told.status, Pass, "a build that runs is no defect");
    assert!(told.message.contains(&format!("for write by process {pid} (python3")), "{}", told.message);
}

/// Folders with an `env.sh`, separated by `:`.
fn sites() -> Vec<String> {
    let named = std::env::var("MOONSTACK_SITES").unwrap_or_default();
    named.split(':').filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

fn sweeps() {
    for site in sites() {
        for options in [vec![], vec!["--nagios"], vec!["--quiet", "--json", "--only", "spack,gpu"]] {
            let (exit, lines) = bed::health_sweep(bed::variables_of(&site), &options);
            println!("== {site} {options:?}: exit {exit}\n{}", lines.join("\n"));
            assert!((0..=2).contains(&exit), "a site with a Spack can be told");
            assert!(options != ["--nagios"] || lines.len() == 1);
        }
    }
}
