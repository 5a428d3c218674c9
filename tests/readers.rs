//! Readers while their stack is switched, by the means that users have: programs of the view, and `module avail` of
//! Environment Modules and of Lmod where the machine has them, all through `current/NAME`. Nobody meets an error, and
//! everybody sees one whole generation. `MOONSTACK_READS=1000 cargo test --test readers` is the long proof.

#[path = "common/modules.rs"]
mod modules;
mod runs_bed;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use runs_bed::{Bed, share};

/// Users are on the second generation of two that differ in programs and modules.
fn two_generations() -> Bed {
    let bed = Bed::practice();
    let modules = "modules:\n  default:\n    enable: [tcl, lmod]\n    lmod:\n      core_compilers: [gcc@13.2.0]\n";
    std::fs::write(bed.root.join("site/config/modules.yaml"), modules).unwrap();
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12", "openblas"]);
    bed
}

/// What one reader sees, or the error that it meets.
type Look<'a> = Box<dyn Fn() -> Result<String, String> + Send + Sync + 'a>;

fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("it does not start: {e}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!("{command:?}: {}{}", text(&output.stdout), text(&output.stderr)))
}

/// Every way to look that this machine has, by name.
fn ways(bed: &Bed) -> Vec<(&'static str, Look<'_>)> {
    let current = bed.state().join("current/science");
    let view = current.join("view/bin/h5dump");
    let mut ways: Vec<(&'static str, Look<'_>)> =
        vec![("a program of the view", Box::new(move || said(Command::new(&view).arg("--version"))))];
    for (name, program, kind) in [
        ("Environment Modules", modules::environment_modules(), "tcl"),
        ("Lmod", modules::lmod(), "lmod"),
    ] {
        let Some(program) = program else {
            eprintln!("skipped: no {name} on this machine");
            continue;
        };
        let root = module_path(&current.join("modules").join(kind), kind);
        ways.push((name, Box::new(move || program.avail(&root))));
    }
    ways
}

/// What users put into MODULEPATH: the folders below the root, by way of the link.
fn module_path(root: &Path, kind: &str) -> String {
    let entries = std::fs::read_dir(root).unwrap().flatten().map(|entry| entry.path());
    let folders = entries.filter(|path| path.is_dir());
    let named = folders.map(|path| if kind == "lmod" { path.join("Core") } else { path });
    named.map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
}

#[test]
fn nobody_sees_a_hole_or_a_mixture() {
    let bed = two_generations();
    let ways = ways(&bed);
    let to = |number: &str| bed.ok(&["-q", "generation", "rollback", "science", "--to", number]);
    // What each way shows while nothing moves.
    let mut whole: Vec<BTreeSet<String>> = vec![BTreeSet::new(); ways.len()];
    for number in ["1", "2"] {
        to(number);
        for ((name, look), seen) in ways.iter().zip(&mut whole) {
            assert!(seen.insert(look().unwrap()), "{name} tells the generations apart");
        }
    }
    let (switches, least) = (share("MOONSTACK_SWITCHES", 50), share("MOONSTACK_READS", 150));
    let (done, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut wrong: BTreeSet<String> = BTreeSet::new();
    std::thread::scope(|scope| {
        let readers: Vec<_> = ways
            .iter()
            .zip(&whole)
            .flat_map(|pair| [pair, pair])
            .map(|((name, look), whole)| {
                let (done, reads) = (&done, &reads);
                scope.spawn(move || {
                    let mut wrong = BTreeSet::new();
                    while !done.load(Ordering::Relaxed) {
                        match look() {
                            Ok(seen) if whole.contains(&seen) => {}
                            Ok(seen) => drop(wrong.insert(format!("{name} saw a mixture: {seen}"))),
                            Err(error) => drop(wrong.insert(format!("{name}: {error}"))),
                        }
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                    wrong
                })
            })
            .collect();
        let mut turn = 0;
        while turn < switches || reads.load(Ordering::Relaxed) < least {
            to(if turn % 2 == 0 { "1" } else { "2" });
            turn += 1;
        }
        done.store(true, Ordering::Relaxed);
        println!("{} reads in {} ways during {turn} switches", reads.load(Ordering::Relaxed), ways.len());
        wrong = readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect();
    });
    assert!(wrong.is_empty(), "{} kinds of trouble: {wrong:#?}", wrong.len());
}
