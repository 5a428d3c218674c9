//! Held to the system's own loader, and to programs and libraries that are made for it.

use std::collections::BTreeSet;
use std::process::Command;
use std::rc::Rc;

use super::*;
use crate::world::eyes::LiveEyes;

/// What a file lacks when it is started as it is.
fn started(search: &mut Search<'_>, path: &Path) -> Option<Vec<Lack>> {
    match search.open(path) {
        Opened::Object(object) => Some(resolve::lacks(search, path, &object, false)),
        _ => None,
    }
}

fn search() -> Search<'static> {
    Search::new(&LiveEyes, System::read(&LiveEyes))
}

/// Libraries that are found nowhere, or not in the version that is needed, as `ldd` says.
fn told_by_ldd(path: &Path) -> Option<BTreeSet<String>> {
    let output = Command::new("ldd").arg(path).env_remove("LD_LIBRARY_PATH").output().ok()?;
    let both = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&both).into_owned();
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if let Some((name, _)) = line.split_once(" => not found") {
            found.insert(name.trim().to_owned());
        } else if let Some((_, rest)) = line.split_once("version `") {
            found.insert(rest.split('\'').next().unwrap_or_default().to_owned());
        }
    }
    Some(found)
}

#[test]
fn the_loader_says_the_same_of_this_machine() {
    let wanted = std::env::var("MOONSTACK_LINKAGE").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    if Command::new("ldd").arg("--version").output().is_err() {
        return;
    }
    let mut files = Vec::new();
    for root in ["/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec"] {
        for entry in walkdir::WalkDir::new(root).sort_by_file_name().into_iter().flatten() {
            if entry.file_type().is_file() && !is_plain(entry.path()) {
                files.push(entry.into_path());
            }
        }
    }
    let mut search = search();
    let objects: Vec<_> =
        files.into_iter().filter(|path| matches!(search.open(path), Opened::Object(_))).collect();
    let step = (objects.len() / wanted).max(1);
    let (mut compared, mut missing) = (0, 0);
    for path in objects.iter().step_by(step) {
        let Some(lacks) = started(&mut search, path) else { continue };
        let ours: BTreeSet<String> = lacks
            .into_iter()
            .filter_map(|lack| match lack.how {
                How::Version(_, version) => Some(version),
                _ => lack.needs,
            })
            .collect();
        let Some(theirs) = told_by_ldd(path) else { continue };
        missing += theirs.len();
        compared += 1;
        assert_eq!(ours, theirs, "{}", path.display());
    }
    println!("{compared} of {} files as ldd says, {missing} libraries missing", objects.len());
    assert!(compared > 100 || objects.len() <= 100, "{compared}");
}

fn is_plain(path: &Path) -> bool {
    path.extension()
        .is_some_and(|e| ["py", "pyc", "h", "a", "txt", "gz", "pm", "pl"].iter().any(|plain| e == *plain))
}
