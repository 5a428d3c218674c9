//! Two admins and a cron job at the same moment: whatever they do to one environment or one store is done one after the
//! other, nothing is lost, and nobody keeps users from going back.

use std::collections::BTreeSet;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::dice::share;
use crate::common::runs_bed::Bed;

fn start(bed: &Bed, args: &[&str]) -> Child {
    bed.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn all_ok(children: Vec<Child>) {
    for child in children {
        ok(&child.wait_with_output().unwrap());
    }
}

fn ok(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(!text(&output.stderr).contains("error"), "{}", text(&output.stderr));
}

/// The generations of a line are whole, in order and known to Spack, and users are on the last one.
fn whole(bed: &Bed, line: &str, wanted: usize) {
    let rows = bed.json(&["generation", "list", line]);
    let rows = rows.as_array().unwrap();
    let numbers: Vec<u64> = rows.iter().map(|row| row["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=wanted as u64).collect::<Vec<_>>(), "{rows:?}");
    assert!(rows.iter().all(|row| row["progress"] == "proven"), "{rows:?}");
    assert_eq!(rows.iter().filter(|row| row["current"] == true).count(), 1);
    assert_eq!(rows[wanted - 1]["current"], true);
    let known = bed.json(&["env", "list"]);
    for number in &numbers {
        let name = format!("{line}-g{number}");
        assert!(known.as_array().unwrap().iter().any(|row| row["name"] == name.as_str()), "{name}");
        let proof = bed.json(&["generation", "prove", line, "--number", &number.to_string()]);
        assert_eq!(proof["ok"], true, "{proof}");
        let details = bed.json(&["generation", "show", line, &number.to_string()]);
        let before = (*number > 1).then(|| number - 1);
        assert_eq!(details["publications"].as_array().unwrap().len(), 1, "{details}");
        assert_eq!(details["publications"][0]["before"].as_u64(), before, "{details}");
    }
}

/// Every snapshot can be read and verified, and no number was given twice.
fn snapshots(bed: &Bed) -> Vec<Value> {
    let rows = bed.json(&["snapshot", "list"]).as_array().unwrap().clone();
    let names: BTreeSet<String> = rows.iter().map(|row| row["snapshot"].to_string()).collect();
    assert_eq!(names.len(), rows.len(), "{rows:?}");
    bed.ok(&["-q", "snapshot", "verify"]);
    assert!(rows.iter().all(|row| row["pinned"] == false), "{rows:?}");
    rows
}

#[test]
fn two_admins_and_a_cron_job_on_one_environment() {
    for _ in 0..share("MOONSTACK_ROUNDS", 1) {
        let bed = Bed::practice();
        bed.ok(&["-q", "generation", "adopt", "science"]);
        bed.ok(&["-q", "generation", "prove", "science"]);
        bed.ok(&["-q", "generation", "publish", "science"]);
        let wait = ["-q", "--wait", "5m", "run"];
        let with =
            |rest: &[&'static str]| wait.iter().copied().chain(rest.iter().copied()).collect::<Vec<_>>();
        let children = vec![
            start(&bed, &with(&["upgrade-with-snapshot", "science", "hdf5@1.12"])),
            start(&bed, &with(&["upgrade-with-snapshot", "science", "openblas"])),
            start(&bed, &with(&["snapshot-nightly"])),
        ];
        all_ok(children);
        whole(&bed, "science", 3);
        // The second built upon what the first had published.
        let last = bed.state().join("generations/science/3/spack.yaml");
        let manifest = std::fs::read_to_string(last).unwrap();
        assert!(manifest.contains("hdf5@1.12") && manifest.contains("openblas"), "{manifest}");
        let taken = snapshots(&bed);
        assert!(taken.iter().any(|row| row["tags"].to_string().contains("nightly")), "{taken:?}");
        let runs = bed.json(&["runs"]);
        assert!(runs.as_array().unwrap().iter().all(|run| run["state"] == "ok"), "{runs}");
    }
}

#[test]
fn two_environments_of_one_store() {
    let bed = Bed::practice();
    bed.ok(&["-q", "env", "install", "next"]);
    let wait = ["-q", "--wait", "5m", "run", "upgrade-with-snapshot"];
    let with = |rest: &[&'static str]| wait.iter().copied().chain(rest.iter().copied()).collect::<Vec<_>>();
    all_ok(vec![
        start(&bed, &with(&["science", "practice-upgrade@1.1"])),
        start(&bed, &with(&["next", "practice-upgrade@1.1"])),
    ]);
    whole(&bed, "science", 2);
    whole(&bed, "next", 2);
    snapshots(&bed);
    bed.ok(&["-q", "check", "--only", "database"]);
}

#[test]
fn an_upgrade_in_place_is_met_whole_by_everybody_else() {
    let bed = Bed::practice();
    bed.ok(&["-q", "snapshot", "create", "science", "--tags", "before"]);
    let mut upgrade =
        start(&bed, &["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12", "--mode", "in-place"]);
    // Snapshots that are taken meanwhile are of the old state or of the new one.
    let mut taken = 0;
    while upgrade.try_wait().unwrap().is_none() {
        bed.ok(&["-q", "snapshot", "create", "science", "--partial", "--tags", "meanwhile"]);
        taken += 1;
    }
    ok(&upgrade.wait_with_output().unwrap());
    assert!(taken > 0);
    snapshots(&bed);
    let states: BTreeSet<(String, String)> = documents(&bed).iter().map(of).collect();
    assert_eq!(states.len(), 2, "{states:?}");
}

/// The snapshots of an environment as they are kept.
fn documents(bed: &Bed) -> Vec<Value> {
    let files = walkdir::WalkDir::new(bed.state().join("snapshots/environments")).into_iter().flatten();
    let documents = files.filter(|entry| entry.file_name() != "shelf.json" && entry.file_type().is_file());
    documents.map(|entry| serde_json::from_slice(&std::fs::read(entry.path()).unwrap()).unwrap()).collect()
}

/// The digests of manifest and lock.
fn of(document: &Value) -> (String, String) {
    let digest = |key: &str| document[key]["object"].as_str().unwrap().to_owned();
    (digest("manifest"), digest("lock"))
}

#[test]
fn what_is_held_is_met_as_it_is_in_the_end() {
    let bed = Bed::practice();
    let text = "env.hold('science') env.add('science', 'openblas') fs.write(DIR .. '/begun', '')\n\
                time.sleep(1.5) env.concretize('science') env.install('science')";
    let script = bed.script("hold.lua", &text.replace("DIR", &format!("'{}'", bed.out().display())));
    let run = start(&bed, &["run", &script]);
    let begin = Instant::now();
    while !bed.out().join("begun").exists() {
        assert!(begin.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5));
    }
    bed.ok(&["-q", "snapshot", "create", "science", "--partial"]);
    ok(&run.wait_with_output().unwrap());
    let folder = bed.root.join("site/environments/science");
    let digest = |name: &str| moonstack::base::digest::file(&folder.join(name)).unwrap();
    let documents = documents(&bed);
    assert_eq!(documents.len(), 1);
    assert_eq!(of(&documents[0]), (digest("spack.yaml"), digest("spack.lock")));
}

#[test]
fn users_can_go_back_while_the_next_generation_is_built() {
    let bed = Bed::practice();
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]);
    bed.ok(&["-q", "generation", "solve", "science", "--specs", "practice-slow seconds=10"]);
    let mut build = start(&bed, &["-q", "generation", "build", "science", "--number", "3"]);
    let begin = Instant::now();
    while !bed.builds().iter().any(|stage| stage.contains("practice-slow")) {
        assert!(begin.elapsed() < Duration::from_secs(20), "the build does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    bed.ok(&["-q", "generation", "rollback", "science", "--to", "1"]);
    assert!(build.try_wait().unwrap().is_none(), "it was waited for");
    // What is built is not removed under it: this waits for its turn.
    let removed = start(&bed, &["-q", "generation", "remove", "science", "3"]);
    ok(&build.wait_with_output().unwrap());
    ok(&removed.wait_with_output().unwrap());
    let rows = bed.json(&["generation", "list", "science"]);
    let numbers: Vec<u64> =
        rows.as_array().unwrap().iter().map(|row| row["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2]);
}
