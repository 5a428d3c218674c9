//! The way back: whatever is damaged, full, locked or under way, users can be sent to where they were, and never to
//! what is not whole or is just being removed.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use serde_json::Value;

use super::two_generations;
use crate::common::runs_bed::Bed;

fn findings(bed: &Bed) -> String {
    let output = bed.run(&["--json", "check", "--only", "generations"]);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn refused(bed: &Bed, args: &[&str]) -> String {
    let output = bed.run(args);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{args:?}: {told}");
    told
}

fn ledger(bed: &Bed) -> Value {
    let path = bed.state().join("generations/science/generations.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Where the package that only generation 2 has is installed.
fn prefix_of_second(bed: &Bed) -> String {
    let rows = bed.json(&["call", "spack.find", r#"{"query":"hdf5@1.12"}"#]);
    rows[0]["prefix"].as_str().unwrap().to_owned()
}

#[test]
fn a_damaged_state_database_is_no_hindrance() {
    let bed = two_generations();
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = fs::write(bed.state().join(name), "no database".repeat(500));
    }
    let output = bed.run(&["-q", "generation", "rollback", "science", "--to", "1"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), bed.used().unwrap().1), (Some(1), 1), "{told}");
    assert!(told.contains("not on record"), "{told}");
    // It is on record all the same: what safety rests on is not in the database.
    let last = ledger(&bed)["publications"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((last["number"].as_u64(), last["before"].as_u64()), (Some(1), Some(2)));
}

#[test]
fn a_removal_under_way_keeps_nobody_from_going_elsewhere_and_nobody_is_sent_into_it() {
    let mut bed = two_generations();
    bed.use_site_file("[generations]\ngrace = \"0s\"\n");
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.10"]);
    bed.ok(&["-q", "generation", "rollback", "science", "--to", "1"]);
    bed.env.push(("MOONSTACK_PRACTICE_FAULTS".to_owned(), "[verb.uninstall]\nhang = true\n".to_owned()));
    let mut removal = bed.start(&["-q", "generation", "remove", "science", "2", "--force"]);
    bed.env.clear();
    for _ in 0..600 {
        if ledger(&bed)["generations"]["2"]["removing"].is_string() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // Another one may be gone to at once, the one that goes not even by force.
    bed.ok(&["-q", "generation", "rollback", "science", "--to", "3"]);
    assert_eq!(bed.used().unwrap().1, 3);
    for more in [&["rollback", "science", "--to", "2"][..], &["rollback", "science", "--to", "2", "--force"]]
    {
        let told = refused(&bed, &[&["-q", "generation"][..], more].concat());
        assert!(told.contains("is being removed, or was removed in part"), "{told}");
    }
    let _ = removal.kill();
    removal.wait().unwrap();
    assert_eq!(bed.used().unwrap().1, 3);
    // What was left half done says so, is not published, and is ended or brought back.
    assert!(bed.json(&["generation", "list", "science"])[1]["removing"].is_string());
    refused(&bed, &["-q", "generation", "publish", "science", "--number", "2"]);
    let findings = findings(&bed);
    assert!(findings.contains("generation 2 was removed in part"), "{findings}");
    bed.ok(&["-q", "generation", "build", "science", "--number", "2"]);
    bed.ok(&["-q", "generation", "prove", "science", "--number", "2"]);
    bed.ok(&["-q", "generation", "publish", "science", "--number", "2"]);
    assert_eq!(bed.used().unwrap().1, 2);
}

#[test]
fn a_removal_that_fails_at_once_leaves_a_whole_generation() {
    let mut bed = two_generations();
    bed.use_site_file("[generations]\ngrace = \"0s\"\n");
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.10"]);
    bed.env.push(("MOONSTACK_PRACTICE_FAULTS".to_owned(), "[verb.uninstall]\ncode = 1\n".to_owned()));
    let output = bed.run(&["-q", "generation", "remove", "science", "2", "--force"]);
    bed.env.clear();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("is whole"), "{told}");
    assert!(bed.json(&["generation", "list", "science"])[1]["removing"].is_null());
    assert!(bed.root.join("site/environments/science-g2").is_symlink(), "Spack's collection spares it");
    bed.ok(&["-q", "generation", "rollback", "science", "--to", "2"]);
    assert_eq!(bed.used().unwrap().1, 2);
}

#[test]
fn a_move_that_nobody_could_record_is_recorded_by_who_notices() {
    let bed = two_generations();
    let link = bed.state().join("current/science");
    fs::remove_file(&link).unwrap();
    symlink("../generations/science/1", &link).unwrap();
    let file = bed.state().join("generations/science/generations.json");
    let text = fs::read_to_string(&file).unwrap().replace("\"good\": true", "\"good\": false");
    fs::write(&file, text).unwrap();
    // A second ago users were on it.
    let told = refused(&bed, &["-q", "generation", "remove", "science", "2"]);
    assert!(told.contains("users were on it until"), "{told}");
    let last = ledger(&bed)["publications"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((last["number"].as_u64(), last["before"].as_u64()), (Some(1), Some(2)));
    assert_eq!(last["noticed"], true);
}

#[test]
fn nobody_is_sent_to_what_is_not_whole() {
    let bed = two_generations();
    bed.ok(&["-q", "generation", "rollback", "science", "--to", "1"]);
    let prefix = prefix_of_second(&bed);
    fs::rename(&prefix, format!("{prefix}.away")).unwrap();
    for words in [&["publish", "science", "--number", "2"][..], &["rollback", "science", "--to", "2"]] {
        let told = refused(&bed, &[&["-q", "generation"][..], words].concat());
        assert!(told.contains("is not whole") && told.contains("hdf5"), "{told}");
    }
    assert_eq!(bed.used().unwrap().1, 1);
    // Found broken, it is refused by what is on record as well, with what is wrong.
    bed.run(&["-q", "generation", "prove", "science", "--number", "2"]);
    fs::rename(format!("{prefix}.away"), &prefix).unwrap();
    let told = refused(&bed, &["-q", "generation", "rollback", "science", "--to", "2"]);
    assert!(told.contains("is broken") && told.contains("hdf5") && told.contains("--force"), "{told}");
    bed.ok(&["-q", "generation", "rollback", "science", "--to", "2", "--force"]);
    assert_eq!(bed.used().unwrap().1, 2);
}

#[test]
fn a_ledger_that_is_lost_or_old_leads_nobody_into_the_live_generation() {
    for older in [false, true] {
        let bed = Bed::practice();
        for verb in ["adopt", "prove", "publish"] {
            bed.ok(&["-q", "generation", verb, "science"]);
        }
        let file = bed.state().join("generations/science/generations.json");
        let backup = fs::read(&file).unwrap();
        bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]);
        let live = bed.state().join("generations/science/2/spack.lock");
        let lock = fs::read(&live).unwrap();
        if older {
            fs::write(&file, backup).unwrap();
        } else {
            fs::remove_file(&file).unwrap();
        }
        let rows = bed.json(&["generation", "list", "science"]);
        assert_eq!(rows.as_array().unwrap().len(), 2, "{rows}");
        assert!(rows[1]["current"] == true && rows[1]["description"].to_string().contains("found"), "{rows}");
        let solved = bed.json(&["generation", "solve", "science", "--specs", "hdf5@1.10"]);
        assert_eq!(solved["number"], 3, "{solved}");
        assert!(fs::read(&live).unwrap() == lock, "what users are on is as it was");
        // What was found can be proven and gone to like any other.
        bed.ok(&["-q", "generation", "prove", "science", "--number", "1"]);
        bed.ok(&["-q", "generation", "rollback", "science", "--to", "1"]);
        assert_eq!(bed.used().unwrap().1, 1);
    }
}

#[test]
fn a_number_is_given_away_once() {
    let bed = two_generations();
    // Somebody else's environment of that name, and a folder that holds something else.
    symlink("/gone/elsewhere", bed.root.join("site/environments/science-g7")).unwrap();
    fs::create_dir(bed.state().join("generations/science/8")).unwrap();
    let solved = bed.json(&["generation", "solve", "science", "--specs", "openblas"]);
    assert_eq!(solved["number"], 9, "{solved}");
    let file = bed.state().join("generations/science/generations.json");
    let mut kept = ledger(&bed);
    kept["last"] = Value::from(u64::MAX - 1);
    fs::write(&file, kept.to_string()).unwrap();
    let told = refused(&bed, &["-q", "generation", "solve", "science", "--specs", "openblas"]);
    assert!(told.contains("no number left"), "{told}");
}

#[test]
fn the_sweep_sees_what_is_wrong_with_what_users_follow() {
    let bed = two_generations();
    let found = |words: &str| {
        let findings = findings(&bed);
        assert!(findings.contains(words), "{words}: {findings}");
    };
    found("agree");
    let link = bed.state().join("current/science");
    let lead = |target: &str| {
        let _ = fs::remove_file(&link);
        symlink(target, &link).unwrap();
    };
    for (target, words) in [
        ("../generations/science/9", "dangling link"),
        ("/tmp", "outside of the generations"),
        ("science", "science"),
        ("../generations/science", "to no generation"),
    ] {
        lead(target);
        found(words);
    }
    fs::remove_file(&link).unwrap();
    found("is gone; users were on generation 2");
    fs::create_dir(&link).unwrap();
    found("somebody has replaced it");
    fs::remove_dir(&link).unwrap();
    lead("../generations/science/2");
    let entry = bed.root.join("site/environments/science-g2");
    fs::remove_file(&entry).unwrap();
    found("Spack does not list generation 2");
    bed.ok(&["-q", "generation", "claim", "science"]);
    assert!(entry.is_symlink());
    let lock = bed.state().join("generations/science/2/spack.lock");
    let text = fs::read(&lock).unwrap();
    fs::remove_file(&lock).unwrap();
    found("has lost its spack.lock");
    fs::write(&lock, text).unwrap();
    fs::write(bed.state().join("generations/science/notes.txt"), "of somebody").unwrap();
    found("notes.txt beside the generations");
    fs::rename(bed.state().join("generations/science/1"), bed.root.join("away")).unwrap();
    found("the folder of generation 1 is gone");
}
