//! Two Spacks of one account, or two state folders, and one stack folder.

use std::fs;

use serde_json::Value;

use crate::common::runs_bed::Bed;

fn told(bed: &Bed, code: i32, args: &[&str]) -> String {
    let output = bed.run(args);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
    told
}

#[test]
fn the_generations_of_another_spack_are_not_touched() {
    let shared = tempfile::tempdir().unwrap();
    let stack = shared.path().display().to_string();
    let (mut ours, mut theirs) = (Bed::practice(), Bed::practice());
    for bed in [&mut ours, &mut theirs] {
        bed.use_site_file(&format!("stack = \"{stack}\"\n[generations]\ngrace = \"0s\"\n"));
    }
    theirs.ok(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]);
    let link = shared.path().join("current/science");
    // Locks aside, nothing may be other than it is now.
    let seen = || {
        let digest = |name: &str| moonstack::base::digest::tree(&shared.path().join(name)).unwrap();
        (digest("generations"), digest("current"))
    };
    let before = seen();
    let spack = theirs.root.join("site").display().to_string();
    for args in [
        &["adopt", "science"][..],
        &["solve", "science", "--specs", "openblas"],
        &["build", "science", "--number", "1"],
        &["prove", "science", "--number", "1"],
        &["publish", "science", "--number", "1"],
        &["rollback", "science", "--to", "1"],
        &["rollback", "science", "--to", "1", "--force"],
        &["remove", "science", "1", "--force"],
        &["prune", "science", "--keep", "1"],
        &["pin", "science", "1"],
    ] {
        let told = told(&ours, 4, &[&["-q", "generation"][..], args].concat());
        assert!(told.contains("the generations of 'science' are not of") && told.contains(&spack), "{told}");
    }
    told(&ours, 4, &["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]);
    assert_eq!(fs::read_link(&link).unwrap().to_str(), Some("../generations/science/2"));
    let rows = ours.json(&["generation", "list"]);
    assert!(rows[0]["of"].as_str().unwrap().starts_with(&spack), "{rows}");
    let rows = theirs.json(&["generation", "list"]);
    assert!(rows[0]["of"].is_null(), "{rows}");
    assert_eq!(before, seen());
    // By another name there are generations of its own.
    ours.ok(&["-q", "generation", "adopt", "science", "--name", "ours"]);
    ours.ok(&["-q", "generation", "prune", "--keep", "1"]);
}

#[test]
fn what_an_older_moonstack_has_written_is_taken_over_where_spack_knows_it() {
    let bed = super::two_generations();
    let file = bed.state().join("generations/science/generations.json");
    let mut kept: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(kept["format"], 2, "older ones refuse it");
    assert!(kept["owner"]["spack"].is_string() && kept["owner"]["store"].is_string());
    kept["format"] = Value::from(1);
    kept.as_object_mut().unwrap().remove("owner");
    fs::write(&file, kept.to_string()).unwrap();
    assert_eq!(bed.json(&["generation", "list"]).as_array().unwrap().len(), 2);
    bed.ok(&["-q", "generation", "pin", "science", "1"]);
    let now: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!((now["format"].as_u64(), now["owner"]["spack"].is_string()), (Some(2), true));
    // Of one that this Spack has nowhere in its list it is not known whose it is, until somebody says so.
    fs::write(&file, kept.to_string()).unwrap();
    for number in [1, 2] {
        fs::remove_file(bed.root.join(format!("site/environments/science-g{number}"))).unwrap();
    }
    let told = told(&bed, 4, &["-q", "generation", "rollback", "science", "--to", "1"]);
    assert!(
        told.contains("has none of them in its list") && told.contains("generation claim science"),
        "{told}"
    );
    bed.ok(&["-q", "generation", "claim", "science"]);
    assert!(bed.root.join("site/environments/science-g2").is_symlink());
    bed.ok(&["-q", "generation", "rollback", "science", "--to", "1"]);
    assert_eq!(bed.used().unwrap().1, 1);
}
