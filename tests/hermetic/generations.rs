//! What users see while their stack is changed: nobody meets a hole, an upgrade that is killed at any instant leaves
//! them on one whole generation and can be gone on with, and a removal takes nothing that somebody else uses.
//! `MOONSTACK_KILLS=200 cargo test --test hermetic generations::` is the long proof, `MOONSTACK_SEED` another sequence.

mod listing;
mod owners;
mod retention;
mod way_back;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::dice::{Dice, share};
use crate::common::runs_bed::Bed;

/// A site whose users are on the second generation of two.
fn two_generations() -> Bed {
    let bed = Bed::practice();
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]);
    bed
}

#[test]
fn nobody_sees_a_hole() {
    let bed = two_generations();
    let (done, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    let seen = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = BTreeSet::new();
                    while !done.load(Ordering::Relaxed) {
                        seen.insert(bed.used().map(|(said, _)| said));
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                    seen
                })
            })
            .collect();
        let (switches, mut turn) = (share("MOONSTACK_SWITCHES", 50), 0);
        while turn < switches || reads.load(Ordering::Relaxed) < 100 {
            let to = if turn % 2 == 0 { "1" } else { "2" };
            bed.ok(&["-q", "generation", "rollback", "science", "--to", to]);
            turn += 1;
        }
        done.store(true, Ordering::Relaxed);
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect::<BTreeSet<_>>()
    });
    let errors: Vec<_> = seen.iter().filter_map(|said| said.as_ref().err()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let versions: Vec<_> = seen.iter().flatten().collect();
    assert_eq!(versions.len(), 2, "each reader met the one or the other: {versions:?}");
    println!("{} reads, none met a hole", reads.load(Ordering::Relaxed));
}

#[test]
fn a_program_that_runs_keeps_its_tree() {
    let bed = two_generations();
    let view = bed.state().join("current/science/view/bin");
    // It was started on generation 2 and looks for its files there.
    let script = format!("cd '{}' && sleep 1 && ls h5dump && pwd -P", view.display());
    let running =
        Command::new("sh").args(["-c", &script]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    bed.ok(&["-q", "generation", "rollback", "science", "--to", "1"]);
    assert_eq!(bed.used().unwrap().1, 1);
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("/generations/science/2/"));
}

#[test]
fn an_upgrade_that_is_killed_leaves_users_whole_and_goes_on() {
    let kills = share("MOONSTACK_KILLS", 8);
    let mut dice = Dice::new();
    let bed = Bed::practice();
    let begin = Instant::now();
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]);
    let took = begin.elapsed();
    let model = outcome(&bed);
    let mut hit = 0;
    for attempt in 0..kills {
        bed.renew();
        // Users are on the first generation already, or this upgrade is the first thing that ever happens.
        let adopted = attempt % 3 > 0;
        for verb in ["adopt", "prove", "publish", "prove"].iter().filter(|_| adopted) {
            bed.ok(&["-q", "generation", verb, "science"]);
        }
        let mut child = bed.start(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]);
        std::thread::sleep(Duration::from_micros(dice.below(took.as_micros() as u64)));
        let _ = child.kill();
        child.wait().unwrap();
        if adopted || bed.state().join("current/science").is_symlink() {
            let (said, _) = bed.used().unwrap_or_else(|e| panic!("attempt {attempt}: {e}"));
            assert!(said.contains("1.14") || said.contains("1.12"), "{said}");
        }
        everything_is_listed(&bed);
        let runs = bed.json(&["runs", "-n", "1"]);
        if runs[0]["script"] != "upgrade-with-snapshot" {
            // It was killed before it was on record.
            bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]);
        } else if runs[0]["state"] != "ok" {
            hit += 1;
            bed.ok(&["-q", "runs", "resume", &runs[0]["id"].to_string()]);
        }
        assert_eq!(
            outcome(&bed),
            model,
            "attempt {attempt}: {}{}{}",
            bed.said(),
            bed.json(&["snapshot", "list"]),
            bed.last_run()
        );
        everything_is_listed(&bed);
    }
    println!("{kills} kills, {hit} of a run under way, each resumed to the same end");
    assert!(kills < 8 || hit > 0, "no kill hit a run");
}

#[test]
fn a_library_that_is_damaged_after_its_installation_never_gets_to_users() {
    let mut bed = Bed::practice();
    let faults = "[package.hdf5]\nwhen = \"@1.12\"\ndamage = true\n";
    bed.env.push(("MOONSTACK_PRACTICE_FAULTS".to_owned(), faults.to_owned()));
    let output = bed.run(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    let reason = "generation 2 was not published: it is not whole: hdf5@1.12";
    assert!(told.contains("users stay on generation 1 of science") && told.contains(reason), "{told}");
    assert!(told.contains("lib/libhdf5.so is empty"), "{told}");
    let (said, number) = bed.used().unwrap();
    assert!(number == 1 && said.contains("1.14"), "{number}: {said}");
}

/// What is there in the end, apart from times.
fn outcome(bed: &Bed) -> Value {
    let generations = bed.json(&["generation", "list"]);
    let rows: Vec<Value> = generations
        .as_array()
        .unwrap()
        .iter()
        .map(|row| serde_json::json!([row["number"], row["current"], row["progress"], row["good"]]))
        .collect();
    let pinned = bed.json(&["snapshot", "list"]).as_array().unwrap().iter().any(|row| row["pinned"] == true);
    serde_json::json!({ "generations": rows, "pinned": pinned, "says": bed.used().unwrap().0 })
}

/// Every folder of a generation, and every environment that Spack knows for one, is in the list.
fn everything_is_listed(bed: &Bed) {
    let listed: BTreeSet<String> = bed
        .json(&["generation", "list"])
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["number"].to_string())
        .collect();
    let folders = std::fs::read_dir(bed.state().join("generations/science")).into_iter().flatten().flatten();
    for folder in folders.filter(|entry| entry.path().is_dir()) {
        let name = folder.file_name().to_string_lossy().into_owned();
        assert!(listed.contains(&name), "generation {name} is not listed: {listed:?}");
    }
    for env in bed.json(&["env", "list"]).as_array().unwrap() {
        if let Some(number) = env["name"].as_str().and_then(|name| name.strip_prefix("science-g")) {
            assert!(listed.contains(number), "Spack knows generation {number}, and it is not listed");
        }
    }
}

/// Hashes of every lock and snapshot on the site but those below `but`.
fn used_by_others(bed: &Bed, but: &Path) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for env in bed.json(&["env", "list"]).as_array().unwrap() {
        let folder = Path::new(env["path"].as_str().unwrap());
        let Ok(text) = std::fs::read_to_string(folder.join("spack.lock")) else { continue };
        if folder != but {
            let lock: Value = serde_json::from_str(&text).unwrap();
            out.extend(lock["concrete_specs"].as_object().unwrap().keys().cloned());
        }
    }
    for row in bed.json(&["snapshot", "list"]).as_array().unwrap() {
        let details = bed.json(&["snapshot", "show", row["id"].as_str().unwrap()]);
        if Path::new(details["path"].as_str().unwrap()) != but {
            let hashes = details["hashes"].as_array().unwrap().iter();
            out.extend(hashes.map(|h| h["hash"].as_str().unwrap().to_owned()));
        }
    }
    out
}

fn installed(bed: &Bed) -> BTreeSet<String> {
    let rows = bed.json(&["find"]);
    rows.as_array().unwrap().iter().map(|row| row["hash"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_upgrade_that_was_killed_may_be_started_anew() {
    let upgrade = ["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"];
    let mut dice = Dice::new();
    let bed = Bed::practice();
    let begin = Instant::now();
    bed.ok(&upgrade);
    let took = begin.elapsed();
    for attempt in 0..share("MOONSTACK_KILLS", 8) / 2 {
        bed.renew();
        let mut child = bed.start(&upgrade);
        std::thread::sleep(Duration::from_micros(dice.below(took.as_micros() as u64)));
        let _ = child.kill();
        child.wait().unwrap();
        everything_is_listed(&bed);
        let again = bed.run(&upgrade);
        let told = || format!("attempt {attempt}: {}", String::from_utf8_lossy(&again.stderr));
        // It may have been done already, or there is nothing left to upgrade.
        assert_eq!(again.status.code(), Some(0), "{}", told());
        let (said, _) = bed.used().unwrap_or_else(|e| panic!("{}: {e}", told()));
        assert!(said.contains("1.12"), "{said} {}", told());
        let number = bed.used().unwrap().1.to_string();
        let proof = bed.json(&["generation", "prove", "science", "--number", &number, "--deep"]);
        assert_eq!(proof["ok"], true, "{proof}");
        everything_is_listed(&bed);
    }
}

#[test]
fn a_removal_never_takes_what_others_use() {
    const SPECS: &[&str] = &[
        "openblas",
        "gromacs",
        "hdf5@1.12",
        "fftw~mpi",
        "zlib-ng",
        "practice-upgrade@1.0",
        "practice-upgrade@1.1",
    ];
    let mut dice = Dice::new();
    for round in 0..share("MOONSTACK_ROUNDS", 2) {
        let bed = Bed::practice();
        bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", dice.one_of(SPECS)]);
        for turn in 0..6 {
            let spec = dice.one_of(SPECS);
            match dice.below(4) {
                0 => drop(bed.run(&["-q", "run", "upgrade-with-snapshot", "science", spec])),
                1 => {
                    let name = format!("extra{turn}");
                    bed.ok(&["-q", "env", "create", &name, spec]);
                    bed.run(&["-q", "env", "install", &name]);
                }
                2 => drop(bed.run(&["-q", "snapshot", "create", "science", "--partial"])),
                _ => drop(bed.run(&["-q", "eval", &format!("spack.install('{spec}')")])),
            }
        }
        let rows = bed.json(&["generation", "list"]);
        for row in rows.as_array().unwrap() {
            let number = row["number"].to_string();
            let folder = bed.state().join("generations/science").join(&number);
            let others = used_by_others(&bed, &folder);
            let before = installed(&bed);
            let said =
                bed.run(&["--json", "generation", "remove", "science", &number, "--force", "--dry-run"]);
            let gone = bed.run(&["--json", "generation", "remove", "science", &number, "--force"]);
            assert_eq!(said.status.code(), gone.status.code(), "round {round}, generation {number}");
            let after = installed(&bed);
            let lost: BTreeSet<String> = before.difference(&after).cloned().collect();
            assert!(lost.is_disjoint(&others), "round {round}, generation {number}: {lost:?}");
            if gone.status.success() {
                let of = |bytes: &[u8]| -> BTreeSet<String> {
                    let told: Value = serde_json::from_slice(bytes).unwrap();
                    let specs = told["specs"].as_array().unwrap().iter();
                    specs.map(|spec| spec["hash"].as_str().unwrap().to_owned()).collect()
                };
                assert_eq!(of(&said.stdout), lost, "what was said is what went");
                assert!(!folder.exists());
            } else {
                assert_eq!(gone.status.code(), Some(4));
                assert!(lost.is_empty());
            }
            bed.used().unwrap();
        }
    }
}

#[test]
fn what_cannot_be_looked_at_keeps_what_it_may_need() {
    let mut bed = Bed::practice();
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "practice-upgrade@1.0"]);
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "practice-upgrade@1.1"]);
    let away = bed.root.join("not-mounted/env");
    let managed = bed.root.join("site/environments");
    let before = installed(&bed);
    let remove = |bed: &Bed, more: &[&str]| {
        let words = [&["generation", "remove", "science", "2", "--force"] as &[&str], more].concat();
        let output = bed.run(&words);
        (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
    };
    let refused = |bed: &Bed, what: &str| {
        let (said, code) = remove(bed, &[]);
        assert_eq!(code, Some(4), "{what}: {said}");
        assert!(said.contains(what) && said.contains("--without"), "{said}");
        // What else removes, or tells who needs something, does not know it either.
        for (code, primitive, arguments) in [
            (4, "spack.gc", r#"{"unused":true}"#),
            (4, "spack.uninstall", r#"{"query":"practice-upgrade@1.0"}"#),
            (3, "spack.users", r#"{"query":"practice-upgrade@1.0"}"#),
        ] {
            let output = bed.run(&["call", primitive, arguments]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(code), "{primitive}: {what}: {said}");
            assert!(said.contains(what), "{primitive}: {said}");
        }
        assert_eq!(installed(bed), before, "{what}");
    };
    // What dangles within an environment is none.
    let inside = managed.join("next/view");
    std::fs::create_dir_all(&inside).unwrap();
    std::os::unix::fs::symlink(&away, inside.join("gone")).unwrap();
    let (said, code) = remove(&bed, &["--dry-run"]);
    assert_eq!(code, Some(0), "{said}");
    // A tracked one whose folder is away, and a link that leads in a circle.
    std::os::unix::fs::symlink(&away, managed.join("away")).unwrap();
    refused(&bed, &away.display().to_string());
    std::fs::remove_file(managed.join("away")).unwrap();
    std::os::unix::fs::symlink("round", managed.join("round")).unwrap();
    refused(&bed, "environments/round");
    std::fs::remove_file(managed.join("round")).unwrap();
    // One whose lock is none, and one of the site file.
    std::fs::create_dir(managed.join("torn")).unwrap();
    std::fs::write(managed.join("torn/spack.yaml"), "spack: {specs: []}\n").unwrap();
    std::fs::write(managed.join("torn/spack.lock"), "{").unwrap();
    refused(&bed, "environments/torn");
    std::fs::remove_dir_all(managed.join("torn")).unwrap();
    bed.use_site_file(&format!("environments = ['{}']\n", away.display()));
    refused(&bed, &away.display().to_string());
    // A snapshot that somebody pinned.
    let path = bed.state().join("generations/science/2").display().to_string();
    let taken = bed.json(&["snapshot", "create", &path, "--pin"])["snapshot"].clone();
    let without = ["--without", away.to_str().unwrap()];
    let dry = bed.json(
        &[&["generation", "remove", "science", "2", "--force", "--dry-run"], &without as &[_]].concat(),
    );
    assert!(dry["specs"].as_array().unwrap().is_empty(), "{dry}");
    bed.ok(&["snapshot", "unpin", taken.as_str().unwrap()]);
    let (said, code) = remove(&bed, &without);
    assert_eq!(code, Some(0), "{said}");
    assert_ne!(installed(&bed), before);
}
