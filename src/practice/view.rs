//! The default view of an environment: a tree of links to installed prefixes, built beside the current one and
//! swapped in by a rename.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::disk;
use super::environment::{Environment, Lock};
use super::halt::Halt;
use super::record::{Node, closure, sha1_base32};
use super::store::{Records, Store};

/// Builds the view again when its content changed. True when it was built.
pub fn regenerate(
    environment: &Environment,
    lock: &Lock,
    records: &Records,
    store: &Store,
) -> Result<bool, Halt> {
    let manifest = environment.manifest()?;
    if manifest.get("view").is_some_and(|v| *v == json!(false)) {
        return Ok(false);
    }
    let members = members(lock, records);
    let listed: Vec<_> = members.iter().map(|n| (n.hash.clone(), store.prefix(n))).collect();
    let content = json!({"descriptor": {"root": ".spack-env/view", "link_type": "symlink"}, "specs": listed});
    let name = sha1_base32(content.to_string().as_bytes());
    let views = environment.folder.join(".spack-env/._view");
    let (new, link) = (views.join(&name), environment.view_path());
    let old = std::fs::read_link(&link).ok();
    if old.as_deref().and_then(Path::file_name).is_some_and(|f| *f == *name) && new.is_dir() {
        return Ok(false);
    }
    if lock.roots.is_empty() && old.is_none() {
        return Ok(false);
    }
    disk::remove(&new)?;
    disk::folder(&new)?;
    for node in members {
        link_tree(&store.prefix(node), &new)?;
    }
    disk::repoint(&PathBuf::from("._view").join(&name), &link)?;
    if let Some(old) = old.and_then(|o| o.file_name().map(|f| views.join(f)))
        && old != new
    {
        disk::remove(&old)?;
    }
    Ok(true)
}

/// Installed roots with what they link and run; externals are not linked.
fn members<'a>(lock: &'a Lock, records: &Records) -> Vec<&'a Node> {
    let roots = lock.roots.iter().map(|r| r.hash.clone());
    closure(&lock.nodes, roots, &["link", "run"])
        .iter()
        .filter_map(|hash| lock.nodes.get(hash))
        .filter(|n| n.external.is_none() && records.installed(&n.hash).is_some())
        .collect()
}

/// Links every file below `from`, except Spack's own; the first package with a path has it.
fn link_tree(from: &Path, to: &Path) -> Result<(), Halt> {
    let entries = walkdir::WalkDir::new(from).min_depth(1).sort_by_file_name();
    for entry in entries.into_iter().filter_entry(|e| e.depth() != 1 || e.file_name() != ".spack") {
        let Ok(entry) = entry else { continue };
        let at = to.join(entry.path().strip_prefix(from).unwrap_or(entry.path()));
        if entry.file_type().is_dir() {
            disk::folder(&at)?;
        } else if std::fs::symlink_metadata(&at).is_err() {
            disk::link(entry.path(), &at)?;
        }
    }
    Ok(())
}
