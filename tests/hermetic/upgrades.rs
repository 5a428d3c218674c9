//! What an upgrade asks for and what else it changes, on environments whose roots share dependencies. How the solver
//! of a real Spack takes it is tried in `real::solving`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::common::runs_bed::Bed;

/// Name to hash of what an environment has locked.
fn locked(bed: &Bed, env: &str) -> BTreeMap<String, String> {
    let rows = bed.json(&["env", "specs", env]);
    let row =
        |row: &Value| (row["name"].as_str().unwrap().to_owned(), row["hash"].as_str().unwrap().to_owned());
    rows.as_array().unwrap().iter().map(row).collect()
}

fn current(bed: &Bed) -> String {
    bed.state().join("current/science").display().to_string()
}

fn manifest(bed: &Bed) -> String {
    std::fs::read_to_string(PathBuf::from(current(bed)).join("spack.yaml")).unwrap()
}

/// What a failing call says, and its exit code.
fn refused(bed: &Bed, args: &[&str]) -> (String, i32) {
    let output = bed.run(args);
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code().unwrap())
}

fn upgrade(bed: &Bed, args: &[&str]) -> Value {
    bed.json(&[&["-q", "run", "upgrade-with-snapshot", "science", "--json"], args].concat())
}

fn why(result: &Value, name: &str) -> String {
    let row = result["changes"].as_array().unwrap().iter().find(|row| row["name"] == name);
    row.unwrap_or_else(|| panic!("no change of {name}: {result}"))["why"].as_str().unwrap().to_owned()
}

#[test]
fn a_root_that_others_need_is_upgraded_and_all_else_stays() {
    let bed = Bed::practice();
    let before = locked(&bed, "science");
    let done = upgrade(&bed, &["hdf5@1.12"]);
    assert_eq!(why(&done, "hdf5"), "asked");
    assert_eq!(why(&done, "netcdf-c"), "depends on hdf5");
    let after = locked(&bed, &current(&bed));
    let moved: Vec<&String> =
        before.iter().filter(|(name, hash)| after.get(*name) != Some(hash)).map(|(n, _)| n).collect();
    assert_eq!(moved, ["hdf5", "netcdf-c"]);
    // What the root asked for besides is still asked for.
    let text = manifest(&bed);
    assert!(text.contains("hdf5@1.12 +hl"), "{text}");
    let left = std::fs::read_dir(bed.state().join("requests")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "what Spack was given for the solve is left");
}

#[test]
fn what_is_asked_of_a_dependency_is_required_until_it_is_unasked() {
    let bed = Bed::practice();
    let done = upgrade(&bed, &["zlib-ng@2.1"]);
    assert_eq!(why(&done, "zlib-ng"), "asked");
    assert_eq!(why(&done, "hdf5"), "depends on zlib-ng");
    let openmpi = |env: &str| locked(&bed, env)["openmpi"].clone();
    assert_ne!(openmpi("science"), openmpi(&current(&bed)), "it needs zlib-ng");
    let requirement = "    zlib-ng:\n      require: [\"@2.1\"]\n";
    assert!(manifest(&bed).contains(requirement), "{}", manifest(&bed));
    let (said, code) = refused(&bed, &["run", "upgrade-with-snapshot", "science", "--unask", "hwloc"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("nothing was begun: nothing is asked of 'hwloc'"), "{said}");
    upgrade(&bed, &["--unask", "zlib-ng"]);
    assert!(!manifest(&bed).contains("  packages:"), "{}", manifest(&bed));
    // It is not asked for any more, and nobody asked for another.
    let kept = locked(&bed, &current(&bed))["zlib-ng"].clone();
    let version = |hash: &str| bed.json(&["find", &format!("/{hash}")])[0]["version"].clone();
    assert!(version(&kept).as_str().unwrap().starts_with("2.1"), "{}", version(&kept));
    // By its name alone the newest is asked for, and nothing required.
    let done = upgrade(&bed, &["zlib-ng"]);
    assert_eq!(why(&done, "zlib-ng"), "asked");
    let newest = locked(&bed, &current(&bed))["zlib-ng"].clone();
    assert!(version(&newest).as_str().unwrap().starts_with("2.2"), "{}", version(&newest));
    assert!(!manifest(&bed).contains("  packages:"), "{}", manifest(&bed));
    assert_eq!(upgrade(&bed, &["zlib-ng"])["changed"], false);
}

#[test]
fn what_there_is_not_is_refused_with_what_may_be_meant() {
    let bed = Bed::practice();
    upgrade(&bed, &["hdf5@1.12"]);
    for (args, says) in [
        (&["zlib-mg@2.1"] as &[&str], "no repository has 'zlib-mg'; did you mean 'zlib-ng'?"),
        (&["zlib-ng@9.9"], "`spack versions --safe zlib-ng` lists the versions"),
        (&["--remove", "hdf4"], "no root asks for 'hdf4'"),
    ] {
        let (said, code) = refused(&bed, &[&["run", "upgrade-with-snapshot", "science"], args].concat());
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(says) && said.contains("users stay on generation 2"), "{said}");
    }
}

#[test]
fn a_spack_that_is_not_told_to_solve_it_again_keeps_what_is_locked() {
    let bed = Bed::practice();
    let file = bed.root.join("site/environments/science/spack.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("hdf5+hl", "hdf5@1.12+hl")).unwrap();
    let (said, code) = refused(&bed, &["env", "concretize", "science"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("without changing the existing environment"), "{said}");
    assert!(said.contains("Cannot satisfy"), "the reasons are cut off: {said}");
    bed.ok(&["-q", "env", "concretize", "science", "--force"]);
}

#[test]
fn what_cannot_be_solved_leaves_nothing_behind() {
    let bed = Bed::practice();
    upgrade(&bed, &["fftw@3.3.9"]);
    for mode in ["generation", "in-place"] {
        let tree = bed.tree();
        let args = ["-q", "run", "upgrade-with-snapshot", "science", "hdf5~hl", "--mode", mode];
        let (said, code) = refused(&bed, &args);
        assert_eq!(code, 2, "{said}");
        for part in ["variant 'hl' cannot have two values at once", "hint:"] {
            assert!(said.contains(part), "'{part}' is not said: {said}");
        }
        if mode == "generation" {
            assert!(said.contains("users stay on generation 2 of science"), "{said}");
            assert_eq!(bed.tree(), tree, "something of it is left");
        }
        let pinned = bed.json(&["snapshot", "list"]);
        assert!(pinned.as_array().unwrap().iter().all(|row| row["pinned"] == false), "{pinned}");
        let names: Vec<String> =
            bed.json(&["env", "list"]).as_array().unwrap().iter().map(|e| e["name"].to_string()).collect();
        assert_eq!(names.iter().filter(|name| name.contains("science-g")).count(), 2, "{names:?}");
        assert_eq!(bed.json(&["generation", "list"]).as_array().unwrap().len(), 2);
    }
}

#[test]
fn who_stays_on_the_old_one_is_named_and_can_be_taken_along() {
    let bed = Bed::practice();
    let file = bed.root.join("site/environments/science/spack.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("unify: true", "unify: when_possible")).unwrap();
    let script = r#"return env.upgrade("science", { "hdf5@1.12" }, { dependents = DEPENDENTS })"#;
    let first = bed.json(&["eval", &script.replace("DEPENDENTS", "false")]);
    assert!(first["stays"][0]["name"].as_str().unwrap().starts_with("netcdf-c@"), "{first}");
    assert!(first["stays"][0]["on"].as_str().unwrap().starts_with("hdf5@1.14"), "{first}");
    let second = bed.json(&["eval", &script.replace("DEPENDENTS", "true").replace("1.12", "1.10.11")]);
    assert_eq!(second["stays"].as_array().unwrap().len(), 0, "{second}");
    assert_eq!(why(&second, "netcdf-c"), "depends on hdf5");
}

#[test]
fn what_came_to_nothing_does_not_count_as_kept() {
    let bed = Bed::practice();
    upgrade(&bed, &["fftw@3.3.9"]);
    for _ in 0..2 {
        let (said, code) =
            refused(&bed, &["-q", "run", "upgrade-with-snapshot", "science", "practice-upgrade@2.0"]);
        assert_eq!(code, 2, "{said}");
    }
    upgrade(&bed, &["fftw@3.3.10", "--keep-generations", "3"]);
    let rows = bed.json(&["generation", "list"]);
    let numbers: Vec<u64> =
        rows.as_array().unwrap().iter().map(|row| row["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 5], "{rows}");
}

#[test]
fn what_is_cancelled_while_spack_solves_is_put_back() {
    let mut bed = Bed::practice();
    let folder = bed.root.join("site/environments/science");
    let files =
        || ["spack.yaml", "spack.lock"].map(|name| std::fs::read_to_string(folder.join(name)).unwrap());
    let before = files();
    bed.env.push(("MOONSTACK_PRACTICE_FAULTS".to_owned(), "verb.concretize.hang = true".to_owned()));
    let mut child = bed.start(&["-q", "eval", "return env.upgrade('science', { 'hdf5@1.12' })"]);
    // Both are written before Spack is asked.
    while files().iter().zip(&before).any(|(now, then)| now == then) {
        assert!(child.try_wait().unwrap().is_none(), "{}", bed.said());
        std::thread::sleep(Duration::from_millis(5));
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{}", bed.said());
    assert_eq!(files(), before);
    let left = std::fs::read_dir(bed.state().join("requests")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "what Spack was given for the solve is left");
}

#[test]
fn an_upgrade_in_place_that_is_interrupted_is_put_back_and_can_be_resumed() {
    let mut bed = Bed::practice();
    bed.env.push(("MOONSTACK_PRACTICE_FAULTS".to_owned(), "verb.install.hang = true".to_owned()));
    let lock = bed.root.join("site/environments/science/spack.lock");
    let manifest = lock.with_file_name("spack.yaml");
    let (before, written) = (std::fs::read(&lock).unwrap(), std::fs::read(&manifest).unwrap());
    let mut child =
        bed.start(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12", "--mode", "in-place"]);
    while std::fs::read(&lock).unwrap() == before {
        assert!(child.try_wait().unwrap().is_none(), "{}", bed.said());
        std::thread::sleep(Duration::from_millis(5));
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{}", bed.said());
    let said = bed.said();
    assert!(said.contains("runs resume") && said.contains("is back as it was in science@1"), "{said}");
    assert!(
        std::fs::read(&lock).unwrap() == before && std::fs::read(&manifest).unwrap() == written,
        "{said}"
    );
    // Who resumes it gets the upgrade, and not the word that it was done.
    bed.env.pop();
    let asks = || std::fs::read_to_string(&manifest).unwrap().contains("hdf5@1.12");
    bed.ok(&["-q", "runs", "resume", "1"]);
    assert!(asks(), "the resumed run says that it is done, and nothing is");
    assert_eq!(bed.json(&["env", "status", "science"])["ok"], true);
}

#[test]
fn a_restore_that_is_interrupted_is_put_back() {
    let mut bed = Bed::practice();
    bed.ok(&["-q", "snapshot", "create", "science"]);
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12", "--mode", "in-place"]);
    let gone = r#"{"query":"hdf5@1.14.5","dependents":true,"force":true}"#;
    bed.ok(&["-q", "call", "spack.uninstall", gone]);
    let manifest = bed.root.join("site/environments/science/spack.yaml");
    let files =
        || [manifest.clone(), manifest.with_file_name("spack.lock")].map(|path| std::fs::read(path).unwrap());
    let before = files();
    bed.env.push(("MOONSTACK_PRACTICE_FAULTS".to_owned(), "verb.install.hang = true".to_owned()));
    let mut child = bed.start(&["-q", "snapshot", "restore", "science@1"]);
    while files() == before {
        assert!(child.try_wait().unwrap().is_none(), "{}", bed.said());
        std::thread::sleep(Duration::from_millis(5));
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{}", bed.said());
    assert!(files() == before, "{}", bed.said());
    assert!(bed.said().contains("was not restored"), "{}", bed.said());
}

#[test]
fn of_several_roots_of_one_name_none_is_lost() {
    let bed = Bed::practice();
    let make = |name: &str, roots: &str| {
        let file = bed.root.join("spack.yaml");
        std::fs::write(&file, format!("spack:\n  specs: {roots}\n  concretizer: {{unify: false}}\n"))
            .unwrap();
        bed.ok(&[
            "-q",
            "eval",
            &format!("env.create('{name}', {{ from = 'spack.yaml' }}) env.concretize('{name}')"),
        ]);
    };
    let written = |name: &str| {
        std::fs::read_to_string(bed.root.join("site/environments").join(name).join("spack.yaml")).unwrap()
    };
    let ask =
        |name: &str, spec: &str| bed.run(&["-q", "eval", &format!("env.upgrade('{name}', {{ '{spec}' }})")]);
    // One of them asks for it already.
    make("both", "[zlib@1.2.13, zlib@1.3.1]");
    let before = written("both");
    let done = ask("both", "zlib@1.3.1");
    assert_eq!((done.status.code(), written("both")), (Some(0), before), "{done:?}");
    // Both would become the same.
    make("either", "[zlib@1.2.13, zlib]");
    let before = written("either");
    let done = ask("either", "zlib@1.3.1");
    assert_eq!((done.status.code(), written("either")), (Some(4), before), "{done:?}");
    // The same one twice loses nothing.
    make("twice", "[zlib, zlib]");
    let done = ask("twice", "zlib@1.2.13");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(written("twice").contains("zlib@1.2.13"), "{}", written("twice"));
}

#[test]
fn a_guard_that_guards_nothing_is_refused_before_anything_is_begun() {
    let bed = Bed::practice();
    upgrade(&bed, &["fftw@3.3.9"]);
    let tree = bed.tree();
    for (args, says) in [
        (&["--keep", "hdf55"] as &[&str], "--keep hdf55: there is no package of that name"),
        (&["--keep", "hdf5@1.14"], "--keep hdf5@1.14: there is no package of that name"),
        (&["--checks", "nosuch"], "check 'nosuch' does not exist"),
        (&["--mode", "in-place", "--approve"], "--approve needs generations"),
        (&["--mode", "in-place", "--keep", "hdf55"], "--keep hdf55"),
    ] {
        let words = [&["-q", "run", "upgrade-with-snapshot", "science", "netcdf-c@4.9.0"], args].concat();
        let (said, code) = refused(&bed, &words);
        assert_eq!(code, 3, "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
        // Of a bundled script nobody needs the lines to understand what is said of the site.
        assert!(!said.contains("^^^"), "{said}");
        assert_eq!(bed.tree(), tree, "{args:?} left something");
    }
}

#[test]
fn what_was_approved_on_an_older_generation_takes_nothing_back_without_a_word() {
    let bed = Bed::practice();
    upgrade(&bed, &["fftw@3.3.9"]);
    let words = ["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12", "--approve"];
    assert_eq!(bed.run(&words).status.code(), Some(1));
    upgrade(&bed, &["zlib-ng@2.1"]);
    let again = ["-q", "run", "upgrade-with-snapshot", "science", "--number", "3"];
    let (said, code) = refused(&bed, &again);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("generation 3 was solved from generation 2, and users are on 4 now"), "{said}");
    let pinned = bed.json(&["snapshot", "list"]);
    assert!(pinned.as_array().unwrap().iter().all(|row| row["pinned"] == false), "{pinned}");
    bed.ok(&[&again as &[&str], &["--force"]].concat());
    assert!(manifest(&bed).contains("hdf5@1.12"), "{}", manifest(&bed));
}

#[test]
fn what_a_root_asks_for_stays_and_its_file_as_well() {
    let bed = Bed::practice();
    let file = bed.root.join("site/environments/science/spack.yaml");
    let kept = bed.root.join("kept.yaml");
    std::fs::rename(&file, &kept).unwrap();
    std::os::unix::fs::symlink(&kept, &file).unwrap();
    let in_place = |spec: &str| upgrade(&bed, &[spec, "--mode", "in-place"]);
    // One that was never concretized has nothing to come back to.
    let (lock, away) = (file.with_file_name("spack.lock"), bed.root.join("spack.lock"));
    std::fs::rename(&lock, &away).unwrap();
    let words = ["-q", "run", "upgrade-with-snapshot", "science", "fftw@3.3.9", "--mode", "in-place"];
    let (said, code) = refused(&bed, &words);
    assert!(code == 4 && said.contains("concretize it first"), "{said}");
    std::fs::rename(&away, &lock).unwrap();
    in_place("fftw@3.3.9");
    let text = || std::fs::read_to_string(&kept).unwrap();
    assert!(text().contains("fftw@3.3.9"), "{}", text());
    in_place("fftw~mpi");
    assert!(text().contains("fftw@3.3.9 ~mpi") || text().contains("fftw@3.3.9~mpi"), "{}", text());
    let broken =
        ["-q", "run", "upgrade-with-snapshot", "science", "practice-broken@2.0", "--mode", "in-place"];
    let before = text();
    let (said, code) = refused(&bed, &broken);
    assert!(code == 2 && said.contains("is back as it was"), "{said}");
    assert_eq!(text(), before);
    assert!(std::fs::symlink_metadata(&file).unwrap().is_symlink(), "the link is gone");
}
