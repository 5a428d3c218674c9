//! Readers while their stack is switched, by the means that users have: programs of the view, a shell that enters,
//! and `module` of Environment Modules and of Lmod where the machine has them, all through `current/NAME`. Nobody
//! meets an error, and who enters sees one whole generation. `MOONSTACK_READS=3000 cargo test --test real readers::`
//! is the long proof, and with `MOONSTACK_READERS=1000` so many look at the same time.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use libtest_mimic::Trial;

use crate::common::dice::share;
use crate::common::modules::{self, ModuleProgram};
use crate::common::runs_bed::Bed;
use crate::common::trial::{program, trial};

/// By the means that each user has, and by those that only some machines have.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("readers::programs_and_shells_see_no_hole_and_no_mixture", None, || looked_at(plain)),
        trial("readers::environment_modules_show_no_hole_and_no_mixture", program("modulecmd"), || {
            looked_at(|bed| through(bed, "tcl", modules::environment_modules().expect("modulecmd")));
        }),
        trial("readers::lmod_shows_no_hole_and_no_mixture", modules::no_lmod(), || {
            looked_at(|bed| through(bed, "lmod", modules::lmod().expect("Lmod")));
        }),
    ]
}

/// Users are on the second generation of two that differ in programs and modules.
fn two_generations() -> Bed {
    let bed = Bed::practice();
    bed.make_modules();
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12", "openblas"]);
    bed
}

/// How somebody looks.
struct Way<'a> {
    name: &'static str,
    /// It opens one path through the link, or enters by one: then it sees a whole generation.
    whole: bool,
    look: Box<dyn Fn() -> Result<String, String> + Send + Sync + 'a>,
}

fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("it does not start: {e}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!("{command:?}: {}{}", text(&output.stdout), text(&output.stderr)))
}

/// A program of the view, and a shell.
fn plain(bed: &Bed) -> Vec<Way<'_>> {
    let current = bed.state().join("current/science");
    let view = current.join("view/bin/h5dump");
    let enter =
        format!(". '{}/activate.sh' && h5dump --version && IFS=: && ls $MODULEPATH", current.display());
    vec![
        Way {
            name: "a program of the view",
            whole: true,
            look: Box::new(move || said(Command::new(&view).arg("--version"))),
        },
        Way {
            name: "a shell that enters",
            whole: true,
            look: Box::new(move || said(Command::new("sh").args(["-euc", &enter]).env_remove("MODULEPATH"))),
        },
    ]
}

/// Users' `module`, on the module files of its kind.
fn through<'a>(bed: &'a Bed, kind: &str, program: ModuleProgram) -> Vec<Way<'a>> {
    let current = bed.state().join("current/science");
    let walked = module_path(&current.join("modules").join(kind), kind);
    let entered = current.join("modulefiles").display().to_string();
    let program = Arc::new(program);
    let again = Arc::clone(&program);
    vec![
        Way {
            name: "walking through the link",
            whole: false,
            look: Box::new(move || program.says("module -t avail", &walked)),
        },
        Way {
            name: "entering",
            whole: true,
            look: Box::new(move || {
                again.says("module load science\nmodule -t avail\nh5dump --version >&2", &entered)
            }),
        },
    ]
}

/// What users may put into MODULEPATH: the folders below the root, by way of the link.
fn module_path(root: &Path, kind: &str) -> String {
    let entries = std::fs::read_dir(root).unwrap().flatten().map(|entry| entry.path());
    let folders = entries.filter(|path| path.is_dir());
    let named = folders.map(|path| if kind == "lmod" { path.join("Core") } else { path });
    named.map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
}

fn looked_at(ways: fn(&Bed) -> Vec<Way<'_>>) {
    let bed = two_generations();
    let ways = ways(&bed);
    let to = |number: &str| bed.ok(&["-q", "generation", "rollback", "science", "--to", number]);
    // What each way shows while nothing moves.
    let mut whole: Vec<BTreeSet<String>> = vec![BTreeSet::new(); ways.len()];
    for number in ["1", "2"] {
        to(number);
        for (way, seen) in ways.iter().zip(&mut whole) {
            assert!(
                seen.insert((way.look)().unwrap()),
                "{} does not tell the generations apart: {seen:?}",
                way.name
            );
        }
    }
    let (switches, least) = (share("MOONSTACK_SWITCHES", 30), share("MOONSTACK_READS", 80));
    let many = share("MOONSTACK_READERS", ways.len());
    let (done, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut wrong: BTreeSet<String> = BTreeSet::new();
    std::thread::scope(|scope| {
        let readers: Vec<_> = ways
            .iter()
            .zip(&whole)
            .cycle()
            .take(many)
            .map(|(way, whole)| {
                let (done, reads, name) = (&done, &reads, way.name);
                scope.spawn(move || {
                    let mut wrong = BTreeSet::new();
                    while !done.load(Ordering::Relaxed) {
                        match (way.look)() {
                            Ok(seen) if !way.whole || whole.contains(&seen) => {}
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
        let seen = reads.load(Ordering::Relaxed);
        println!("{many} readers, {seen} reads in {} ways during {turn} switches", ways.len());
        wrong = readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect();
    });
    assert!(wrong.is_empty(), "{} kinds of trouble: {wrong:#?}", wrong.len());
}
