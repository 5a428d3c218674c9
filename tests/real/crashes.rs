//! What moves users and what keeps their past, killed or failed at each operation by which it makes files durable.
//! Afterwards users are on a whole generation, what is said is what is so, and the same command again comes to the end
//! that it has without faults. `MOONSTACK_CRASHES=1000 cargo test --test real crashes::` tries all of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::common::dice::{Dice, share};
use crate::common::runs_bed::Bed;
use crate::common::trial::trial;

/// A command, and what is done before it.
struct Case {
    name: &'static str,
    before: &'static [&'static [&'static str]],
    command: &'static [&'static str],
}

const SOLVE: &[&str] = &["generation", "solve", "science", "--specs", "hdf5@1.10"];
const CASES: &[Case] = &[
    Case {
        name: "publish",
        before: &[SOLVE, &["generation", "build", "science"], &["generation", "prove", "science"]],
        command: &["generation", "publish", "science", "--number", "3"],
    },
    Case { name: "rollback", before: &[], command: &["generation", "rollback", "science", "--to", "1"] },
    Case {
        name: "remove",
        before: &[SOLVE, &["generation", "build", "science"]],
        command: &["generation", "remove", "science", "3", "--force"],
    },
    Case {
        name: "prune",
        before: &[SOLVE, &["generation", "build", "science"], SOLVE],
        command: &["generation", "prune", "science", "--keep", "1"],
    },
    Case { name: "adopt", before: &[], command: &["generation", "adopt", "science", "--name", "other"] },
    Case { name: "build", before: &[SOLVE], command: &["generation", "build", "science", "--number", "3"] },
    Case { name: "snapshot create", before: &[], command: &["snapshot", "create", "science"] },
    Case {
        name: "snapshot restore",
        before: &[&["snapshot", "create", "science"], &["env", "add", "science", "zlib-ng"]],
        command: &["snapshot", "restore", "science@1"],
    },
    Case {
        name: "snapshot delete",
        before: &[&["snapshot", "create", "science"], &["snapshot", "create", "science"]],
        command: &["snapshot", "delete", "science@1"],
    },
    Case {
        name: "snapshot pin",
        before: &[&["snapshot", "create", "science"]],
        command: &["snapshot", "pin", "science@1"],
    },
];

pub fn trials() -> Vec<Trial> {
    let lack = compiled(Path::new("/")).is_none().then(|| "needs a C compiler".to_owned());
    CASES
        .iter()
        .map(|case| {
            let name = format!("crashes::{}", case.name.replace(' ', "_"));
            trial(name, lack.clone(), move || each(case))
        })
        .collect()
}

/// The library that makes operations fail, in that folder; in none, only whether it can be made.
fn compiled(folder: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/faulty_files.c");
    let library =
        if folder == Path::new("/") { PathBuf::from("/dev/null") } else { folder.join("faulty_files.so") };
    let mut cc = Command::new("cc");
    if folder == Path::new("/") {
        cc.arg("-fsyntax-only");
    } else {
        cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library);
    }
    cc.arg(source).arg("-ldl").output().is_ok_and(|done| done.status.success()).then_some(library)
}

struct Crashes {
    bed: Bed,
    library: PathBuf,
    log: PathBuf,
    /// The site as it is before the command.
    kept: PathBuf,
}

impl Crashes {
    fn new(folder: &Path, case: &Case) -> Crashes {
        let mut bed = Bed::practice_in(folder);
        bed.use_site_file("[generations]\ngrace = \"0s\"\n");
        bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]);
        for before in case.before {
            bed.ok(&[&["-q"][..], before].concat());
        }
        let library = compiled(folder).expect("it was compiled before");
        let crashes = Crashes { library, log: folder.join("operations"), kept: folder.join("kept"), bed };
        copy(&crashes.bed.root.join("site"), &crashes.kept);
        crashes
    }

    fn renew(&self) {
        let site = self.bed.root.join("site");
        std::fs::remove_dir_all(&site).unwrap();
        copy(&self.kept, &site);
    }

    fn run(&self, command: &[&str], at: usize, kind: &str) -> Output {
        let _ = std::fs::remove_file(&self.log);
        let mut command = self.bed.command(&[&["-q"][..], command].concat());
        command.env("LD_PRELOAD", &self.library).env("FAULT_LOG", &self.log);
        command.env("FAULT_AT", at.to_string()).env("FAULT_DO", kind);
        command.output().unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

fn each(case: &Case) {
    let folder = tempfile::tempdir().unwrap();
    let crashes = Crashes::new(folder.path(), case);
    let bed = &crashes.bed;
    let begin = state(bed);
    let output = crashes.run(case.command, 0, "kill");
    assert!(output.status.success(), "{}: {output:?}", case.name);
    let operations = std::fs::read_to_string(&crashes.log).unwrap().lines().count();
    let model = state(bed);
    let mut dice = Dice::new();
    let tries = share("MOONSTACK_CRASHES", 3);
    let mut struck = BTreeSet::new();
    for attempt in 0..tries.min(operations * 3) {
        let kind = ["kill", "eio", "enospc"][attempt % 3];
        // All of them where there are as many tries, else some.
        let at = if tries >= operations * 3 { attempt / 3 + 1 } else { 1 + dice.index(operations) };
        crashes.renew();
        let output = crashes.run(case.command, at, kind);
        let operation = std::fs::read_to_string(&crashes.log).unwrap_or_default();
        let operation = operation.lines().nth(at - 1).unwrap_or("none").to_owned();
        let told = format!("{} {kind} at {operation}: {output:?}", case.name);
        struck.insert(operation.split(' ').nth(1).unwrap_or_default().to_owned());
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{told}");
        let (_, number) = bed.used().unwrap_or_else(|e| panic!("users: {e}: {told}"));
        // What ended with 0 has done it, whatever failed on the way.
        if output.status.success() {
            assert_eq!(state(bed), model, "{told}");
        }
        everything_is_kept(bed, &told);
        // Who works on the generations next records where users are.
        bed.run(&["-q", "generation", "prove", "science", "--number", &number.to_string()]);
        let shown = bed.json(&["generation", "show", "science"]);
        let last = shown["publications"].as_array().and_then(|all| all.last().cloned());
        assert_eq!(last.map(|p| p["number"].clone()), Some(Value::from(number)), "{told}");
        // Once more without a fault: the same end, or it says that it was done.
        let again = bed.run(&[&["-q"][..], case.command].concat());
        let told = format!("{told}\nagain: {again:?}");
        let mut end = state(bed);
        // A creation that failed may have given its number away.
        if case.name == "snapshot create" && end["first snapshot"].is_null() {
            end["first snapshot"] = model["first snapshot"].clone();
        }
        assert!(end == model || !again.status.success() && end != begin, "{told}\n{end}\n{model}");
    }
    println!("{}: {operations} operations, {} tries at {struck:?}", case.name, tries.min(operations * 3));
}

/// What there is of generations, snapshots and packages. What came to nothing leaves a number and no more.
fn state(bed: &Bed) -> Value {
    let all = |args: &[&str]| bed.json(args).as_array().cloned().unwrap_or_default();
    let of = |row: &Value, keys: &[&str]| keys.iter().map(|key| row[*key].clone()).collect::<Vec<_>>();
    let generations: Vec<_> = all(&["generation", "list"])
        .iter()
        .filter(|row| row["progress"] != "begun" && row["progress"] != "solved")
        .map(|row| of(row, &["name", "current", "progress", "removing", "pinned"]))
        .collect();
    let snapshots = all(&["snapshot", "list"]);
    let first = snapshots.iter().find(|row| row["snapshot"] == "science@1").map(|row| row["pinned"].clone());
    let specs = all(&["call", "env.specs", r#"{"name":"science","roots":true}"#]);
    serde_json::json!({
        "users": bed.used().unwrap_or_default(),
        "generations": generations,
        "first snapshot": first,
        "snapshots": snapshots.iter().map(|row| row["env"].to_string()).collect::<BTreeSet<_>>(),
        "installed": all(&["find"]).iter().map(|row| row["hash"].clone()).collect::<Vec<_>>(),
        "roots": specs.iter().map(|row| of(row, &["name", "version"])).collect::<Vec<_>>(),
    })
}

/// What generations and environments need is installed.
fn everything_is_kept(bed: &Bed, told: &str) {
    for row in bed.json(&["generation", "list"]).as_array().unwrap() {
        if row["progress"] == "proven" && row["removing"].is_null() {
            let args = [
                "generation",
                "prove",
                row["name"].as_str().unwrap(),
                "--number",
                &row["number"].to_string(),
            ];
            let proof = bed.json(&args);
            assert_eq!(proof["ok"], true, "{told}: {proof}");
        }
    }
}
