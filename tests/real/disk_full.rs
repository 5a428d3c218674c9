//! A disk that runs full at some point of an upgrade: in the snapshot, the installation, the publication. Users stay on
//! one whole generation, the exit code says so, and with room again the upgrade goes on to its end. On a small tmpfs,
//! so it needs a user who may mount; `MOONSTACK_FILLS=60 cargo test --test real disk_full::` is the long proof.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::common::dice::{Dice, share};
use crate::common::runs_bed::Bed;
use crate::common::trial::trial;

pub fn trials() -> Vec<Trial> {
    let lack = Small::mount().is_none().then(|| "needs the right to mount a tmpfs".to_owned());
    let ext4 = Small::ext4().is_none().then(|| "needs mkfs.ext4 and the right to mount".to_owned());
    vec![
        trial(
            "disk_full::a_full_disk_leaves_users_whole_and_the_upgrade_goes_on_with_room",
            lack.clone(),
            full,
        ),
        trial("disk_full::users_go_back_on_a_full_tmpfs", lack, || {
            go_back(&Small::mount().expect("a tmpfs"));
        }),
        trial("disk_full::users_go_back_on_a_full_ext4", ext4, || {
            go_back(&Small::ext4().expect("an ext4"));
        }),
    ]
}

/// A small file system until it is dropped.
struct Small(tempfile::TempDir);

impl Small {
    fn mount() -> Option<Small> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"])
            .arg(folder.path())
            .output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Small(folder))
    }

    /// One in a file.
    fn ext4() -> Option<Small> {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        let ok = |program: &str, args: &[&str]| {
            let path = image.display().to_string();
            let done = Command::new(program).args(args).arg(&path).output();
            done.is_ok_and(|output| output.status.success())
        };
        if !ok("mkfs.ext4", &["-q", "-F", "-m", "0"]) {
            return None;
        }
        let at = folder.path().display().to_string();
        let mounted = Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Small(folder))
    }

    fn free(&self) -> u64 {
        nix::sys::statvfs::statvfs(self.0.path()).map(|s| s.blocks_available() * s.fragment_size()).unwrap()
    }

    fn ballast(&self) -> PathBuf {
        self.0.path().join("ballast")
    }

    /// Fills it up to so many bytes.
    fn leave(&self, bytes: u64) {
        let _ = std::fs::remove_file(self.ballast());
        let file = std::fs::File::create(self.ballast()).unwrap();
        let size = i64::try_from(self.free().saturating_sub(bytes).max(1)).unwrap();
        nix::fcntl::fallocate(&file, nix::fcntl::FallocateFlags::empty(), 0, size).unwrap();
    }

    fn empty(&self) {
        let _ = std::fs::remove_file(self.ballast());
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// What is there in the end, apart from times and numbers of attempts.
fn outcome(bed: &Bed) -> Value {
    let current = bed.json(&["generation", "show", "science"]);
    let proof = bed.json(&[
        "generation",
        "prove",
        "science",
        "--number",
        current["number"].to_string().as_str(),
        "--deep",
    ]);
    let pinned = bed.json(&["snapshot", "list"]).as_array().unwrap().iter().any(|row| row["pinned"] == true);
    let verified = bed.json(&["snapshot", "verify"]);
    serde_json::json!({ "ok": proof["ok"], "says": bed.used().unwrap().0, "pinned": pinned, "snapshots": verified["ok"] })
}

fn adopted(bed: &Bed) {
    for verb in ["adopt", "prove", "publish", "prove"] {
        bed.ok(&["-q", "generation", verb, "science"]);
    }
}

/// Not a byte, not a record and not a lock more: users are sent to where they were, and back, and it is told what could
/// not be recorded.
fn go_back(disk: &Small) {
    let bed = Bed::practice_in(disk.0.path());
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]);
    let mut rest = std::fs::File::create(disk.0.path().join("rest")).unwrap();
    for size in [1 << 20, 4096, 512] {
        while std::io::Write::write_all(&mut rest, &vec![1; size]).is_ok() {}
    }
    assert!(std::fs::write(disk.0.path().join("more"), [1; 8192]).is_err(), "it is full");
    for number in [1, 2, 1] {
        let output = bed.run(&["-q", "generation", "rollback", "science", "--to", &number.to_string()]);
        // Done, and what could not be recorded needs attention.
        assert_eq!((output.status.code(), bed.used().unwrap().1), (Some(1), number), "{output:?}");
    }
    drop(rest);
    std::fs::remove_file(disk.0.path().join("rest")).unwrap();
    // With room again it comes on record.
    bed.ok(&["-q", "generation", "prove", "science", "--number", "1"]);
    let shown = bed.json(&["generation", "show", "science"]);
    assert_eq!(
        (shown["number"].as_u64(), shown["publications"].as_array().map(Vec::len)),
        (Some(1), Some(2))
    );
    bed.ok(&UPGRADE[..4].iter().copied().chain(["hdf5@1.10"]).collect::<Vec<_>>());
}

const UPGRADE: [&str; 5] = ["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"];

fn full() {
    let disk = Small::mount().expect("a tmpfs");
    let bed = Bed::practice_in(disk.0.path());
    adopted(&bed);
    let before = disk.free();
    bed.ok(&UPGRADE);
    let needs = before - disk.free();
    let model = outcome(&bed);
    let mut dice = Dice::new();
    let mut where_it_failed: BTreeMap<String, usize> = BTreeMap::new();
    let fills = share("MOONSTACK_FILLS", 12);
    for attempt in 0..fills {
        disk.empty();
        bed.renew();
        adopted(&bed);
        // Logs and copies need more for a while than what remains.
        let part = 4 * needs / fills as u64;
        disk.leave(part * attempt as u64 + dice.below(part));
        let output = bed.run(&UPGRADE);
        let told = || format!("attempt {attempt}: {}", String::from_utf8_lossy(&output.stderr));
        let (said, number) = bed.used().unwrap_or_else(|e| panic!("{}: {e}", told()));
        assert!(
            number == 1 && said.contains("1.14") || number == 2 && said.contains("1.12"),
            "{said}: {}",
            told()
        );
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 2)), "{code:?}: {}", told());
        disk.empty();
        let place = if code == Some(0) { "nowhere".to_owned() } else { step(&bed) };
        *where_it_failed.entry(place).or_default() += 1;
        if code != Some(0) {
            let text = String::from_utf8_lossy(&output.stderr).to_lowercase();
            assert!(text.contains("space") || text.contains("full"), "the reason: {}", told());
            let runs = bed.json(&["runs", "-n", "1"]);
            if runs[0]["script"] == "upgrade-with-snapshot" {
                bed.ok(&["-q", "runs", "resume", &runs[0]["id"].to_string()]);
            } else {
                bed.ok(&UPGRADE);
            }
        }
        assert_eq!(outcome(&bed), model, "{}", told());
    }
    println!("an upgrade of {} KiB; where the disk was full: {where_it_failed:?}", needs / 1024);
}

/// The step that it ended in.
fn step(bed: &Bed) -> String {
    let run = bed.last_run();
    let steps = run["steps"].as_array().cloned().unwrap_or_default();
    let failed = steps.iter().find(|step| step["state"] != "ok").or(steps.last());
    failed.and_then(|step| step["name"].as_str()).unwrap_or("before any step").to_owned()
}
