//! The entries of generations in Spack's list of environments.

use std::fs;
use std::os::unix::fs::symlink;

use crate::common::runs_bed::Bed;

#[test]
fn what_is_left_of_a_generation_that_is_gone_is_no_hindrance() {
    let bed = Bed::practice();
    let left = bed.root.join("site/environments/science-g1");
    let gone = bed.state().join("generations/science/1");
    symlink(&gone, &left).unwrap();
    assert_eq!(bed.json(&["generation", "adopt", "science"])["number"], 2, "its number stays its own");
    assert_eq!(fs::read_link(&left).unwrap(), gone);

    // An entry goes with its generation, also when somebody has emptied the folder.
    bed.ok(&["-q", "generation", "solve", "science", "--specs", "openblas"]);
    bed.ok(&["-q", "generation", "build", "science"]);
    let third = bed.root.join("site/environments/science-g3");
    fs::remove_file(third.join("spack.yaml")).unwrap();
    bed.ok(&["-q", "generation", "remove", "science", "3"]);
    assert!(fs::symlink_metadata(&third).is_err());
}

#[test]
fn the_name_of_somebody_elses_environment_is_not_taken() {
    let bed = Bed::practice();
    bed.ok(&["-q", "generation", "adopt", "science"]);
    bed.ok(&["-q", "generation", "solve", "science", "--specs", "openblas"]);
    // The number was free when it was given away.
    let taken = bed.root.join("site/environments/science-g2");
    symlink("/gone/physics", &taken).unwrap();
    let output = bed.run(&["-q", "generation", "build", "science"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    let words = "another environment by the name 'science-g2' of this generation: it leads to /gone/physics";
    assert!(told.contains(words) && told.contains("--name makes another line"), "{told}");
    assert_eq!(fs::read_link(&taken).unwrap().to_str(), Some("/gone/physics"));
}

#[test]
fn two_ways_to_one_environment_are_one_series() {
    let bed = Bed::practice();
    let shown = bed.json(&["env", "show", "science"]);
    let folder = std::path::PathBuf::from(shown["path"].as_str().unwrap_or_else(|| panic!("{shown:#}")));
    let link = bed.root.join("another-way");
    symlink(folder.parent().unwrap(), &link).unwrap();
    let through = link.join("science").display().to_string();

    // Another name was given to them, and the link's own name is another still.
    bed.ok(&["-q", "generation", "adopt", "science", "--name", "stack"]);
    symlink(&folder, bed.root.join("elsewhere")).unwrap();
    let elsewhere = bed.root.join("elsewhere").display().to_string();
    for way in ["science", through.as_str(), elsewhere.as_str(), "stack"] {
        assert_eq!(bed.json(&["eval", &format!("return generation.named('{way}')")]), "stack", "{way}");
    }
    let again = bed.run(&["generation", "adopt", &elsewhere]);
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    assert!(String::from_utf8_lossy(&again.stderr).contains("'stack' has generations already"));
    bed.ok(&["-q", "run", "upgrade-with-snapshot", &through, "hdf5@1.12"]);
    let rows = bed.json(&["generation", "list"]);
    let names: std::collections::BTreeSet<&str> =
        rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["stack"]);

    // Nor has it two series of snapshots.
    for way in ["science", through.as_str(), elsewhere.as_str()] {
        bed.ok(&["-q", "snapshot", "create", way]);
    }
    let rows = bed.json(&["snapshot", "list", &elsewhere]);
    assert_eq!(rows.as_array().map(Vec::len), Some(3), "{rows:#}");
}
