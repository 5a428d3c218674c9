//! Is there room, in bytes and in inodes, where Spack writes?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::Finding;
use super::super::thresholds::Room;
use crate::base::{Result, words};
use crate::spack::config::paths;
use crate::world::fs::space::{self, Space};

pub const CHECK: Check = Check {
    name: "disk",
    doc: "Space and inodes of store, stage, temporary folder, source cache and local mirrors.",
    needs: &["configuration"],
    timeout: super::QUICK,
    optional: false,
    run,
};

fn run(look: CheckContext) -> Looking {
    Box::pin(look.blocking(judge))
}

/// What is on one file system.
struct Volume {
    names: Vec<String>,
    path: PathBuf,
}

fn judge(look: &CheckContext) -> Result<Vec<Finding>> {
    let mut volumes: BTreeMap<u64, Volume> = BTreeMap::new();
    for (name, path) in places(look)? {
        // A stage is made when it is first needed.
        let Some(there) = path.ancestors().find(|p| look.cx.world.eyes.finds_folder(p)) else { continue };
        let device = look.cx.world.eyes.stat(there)?.device;
        let volume =
            volumes.entry(device).or_insert_with(|| Volume { names: Vec::new(), path: there.to_owned() });
        if !volume.names.contains(&name) {
            volume.names.push(name);
        }
    }
    let mut out = Vec::new();
    for volume in volumes.values() {
        match space::space(&volume.path) {
            Ok(found) => out.extend(rate(look, volume, found)),
            Err(trouble) => out.push(Finding::of_trouble(&trouble).about(volume.names.join(", "))),
        }
    }
    Ok(out)
}

/// Names and folders, the most important first.
fn places(look: &CheckContext) -> Result<Vec<(String, PathBuf)>> {
    let config = look.view.config()?;
    let mut out = vec![("store".to_owned(), config.install_tree()?.root)];
    let stages = config.build_stage()?;
    let stage =
        crate::spack::config::settings::first_existing(&*look.cx.world.eyes, &stages).or(stages.first());
    out.extend(stage.map(|s| ("stage".to_owned(), s.path.clone())));
    out.push(("temporary folder".to_owned(), config.sub.host.tempdir.clone()));
    out.push(("source cache".to_owned(), config.source_cache()?.path));
    for mirror in config.mirrors().unwrap_or_default() {
        if paths::scheme(&mirror.push.url) == Some("file") {
            let folder = paths::file_url_path(&mirror.push.url);
            out.push((format!("mirror {}", mirror.name), PathBuf::from(folder)));
        }
    }
    Ok(out)
}

fn rate(look: &CheckContext, volume: &Volume, found: Space) -> Vec<Finding> {
    let limits = &look.thresholds;
    let names = volume.names.join(", ");
    let fix = advice(&volume.path);
    let mut out = Vec::new();
    if found.bytes > 0 {
        let share = percent(found.free_bytes, found.bytes);
        let message = format!(
            "{share:.1}% ({} of {}) free for {names} at {}",
            words::size(found.free_bytes),
            words::size(found.bytes),
            volume.path.display()
        );
        let room = (limits.disk_warn, limits.disk_fail, true);
        out.push(graded(room, (found.free_bytes, found.bytes), message, &fix).about(&names));
    }
    if found.inodes > 0 {
        let share = percent(found.free_inodes, found.inodes);
        let message = format!("{share:.1}% of the inodes free for {names} at {}", volume.path.display());
        let room = (limits.inodes_warn, limits.inodes_fail, false);
        out.push(
            graded(room, (found.free_inodes, found.inodes), message, &fix).about(format!("{names} (inodes)")),
        );
    }
    out
}

fn advice(path: &Path) -> String {
    format!("free room at {}: spack clean --stage --downloads, spack gc, or more storage", path.display())
}

fn percent(free: u64, total: u64) -> f64 {
    free as f64 * 100.0 / total.max(1) as f64
}

fn graded(
    (warn, fail, bytes): (Room, Room, bool),
    (free, total): (u64, u64),
    message: String,
    fix: &str,
) -> Finding {
    let finding = if fail.short(free, total) {
        Finding::fail(message).fix(fix)
    } else if warn.short(free, total) {
        Finding::warn(message).fix(fix)
    } else {
        Finding::pass(message)
    };
    finding.measure(percent(free, total), "%").reference(format!(
        "warn below {}, fail below {}",
        warn.show(bytes),
        fail.show(bytes)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status;

    #[test]
    fn the_worse_threshold_counts_first() {
        let room = (Room::Percent(10.0), Room::Percent(3.0), true);
        for (free, wanted) in
            [(50, Status::Pass), (10, Status::Pass), (9, Status::Warn), (3, Status::Warn), (2, Status::Fail)]
        {
            let finding = graded(room, (free, 100), String::new(), "more");
            assert_eq!(finding.status, wanted, "{free}%");
            assert_eq!(finding.fix.is_some(), wanted != Status::Pass);
            assert_eq!(finding.reference.as_deref(), Some("warn below 10%, fail below 3%"));
        }
    }
}
