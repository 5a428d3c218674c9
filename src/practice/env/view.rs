//! The views of an environment: trees of links to installed prefixes. Each is built in a folder named after its
//! content, `._NAME/<hash>` beside the view's root, and the root is a link that is then pointed there by a rename.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::descriptor::{self, Descriptor, LinkType};
use super::environment::{Environment, Lock};
use crate::practice::model::disk;
use crate::practice::model::halt::Halt;
use crate::practice::model::record::{Node, Nodes, sha1_base32};
use crate::practice::store::build::METADATA;
use crate::practice::store::{Records, Store};

/// Builds each view again whose content changed, and gives the roots of those that show anything.
pub fn regenerate(
    environment: &Environment,
    lock: &Lock,
    records: &Records,
    store: &Store,
) -> Result<Vec<PathBuf>, Halt> {
    let roots: Vec<String> = lock.roots.iter().map(|r| r.hash.clone()).collect();
    let mut built = Vec::new();
    for view in descriptor::declared(environment)? {
        let members = view.members(&roots, &lock.nodes, records)?;
        if one(&view, &members, &lock.nodes, store)? && !members.is_empty() {
            built.push(view.root);
        }
    }
    Ok(built)
}

/// Removes the view that is about to move or to go.
pub fn delete_default(environment: &Environment) -> Result<(), Halt> {
    let Some(view) = descriptor::declared(environment)?.into_iter().next() else { return Ok(()) };
    if let Some(tree) = current(&view.root) {
        disk::remove(&tree)?;
        disk::remove(&view.root)?;
    }
    Ok(())
}

/// Where the link of a view leads, taken from the link's folder.
fn current(root: &Path) -> Option<PathBuf> {
    let target = std::fs::read_link(root).ok()?;
    Some(root.parent().unwrap_or(root).join(target))
}

fn one(view: &Descriptor, members: &[&Node], nodes: &Nodes, store: &Store) -> Result<bool, Halt> {
    let new = next(view, members, store);
    let old = current(&view.root);
    if old.as_ref() == Some(&new) {
        return Ok(false);
    }
    refuse_remains(&new)?;
    make_room(&view.root)?;
    if let Err(halt) = fill(view, members, nodes, store, &new) {
        disk::remove(&new)?;
        return Err(halt);
    }
    disk::repoint(&new, &view.root)?;
    // Only a folder that Spack made goes: a link made by hand may lead anywhere.
    if let Some(old) = old.filter(|o| o.parent() == new.parent()) {
        disk::remove(&old)?;
    }
    Ok(true)
}

/// The folder for this content: Spack's own hash, so that both take each other's views for current.
fn next(view: &Descriptor, members: &[&Node], store: &Store) -> PathBuf {
    let mut sorted = members.to_vec();
    sorted.sort_by(|a, b| (&a.name, &a.version, &a.hash).cmp(&(&b.name, &b.version, &b.hash)));
    let specs: Vec<_> = sorted.iter().map(|n| (n.hash.clone(), store.prefix(n))).collect();
    let content = json!({"descriptor": view.description(), "specs": specs});
    let name = view.root.file_name().unwrap_or_default().to_string_lossy().into_owned();
    view.root.with_file_name(format!("._{name}")).join(sha1_base32(content.to_string().as_bytes()))
}

/// A folder of that name without the link to it is what is left of a damaged view.
fn refuse_remains(new: &Path) -> Result<(), Halt> {
    let remains = match std::fs::symlink_metadata(new) {
        Ok(meta) if meta.is_dir() => std::fs::read_dir(new).is_ok_and(|mut d| d.next().is_some()),
        Ok(_) => true,
        Err(_) => false,
    };
    if !remains {
        return Ok(());
    }
    Err(Halt::failed(format!(
        "Failed to generate environment view, because the target {} already exists or is not empty. To update the view, remove this path, and run `spack env view regenerate`",
        new.display()
    )))
}

fn make_room(root: &Path) -> Result<(), Halt> {
    let is_folder = std::fs::symlink_metadata(root).is_ok_and(|m| m.is_dir());
    if !is_folder {
        return Ok(());
    }
    if std::fs::read_dir(root).is_ok_and(|mut d| d.next().is_some()) {
        return Err(Halt::failed(format!(
            "The environment view in {} cannot not be created because it is a non-empty directory.",
            root.display()
        )));
    }
    Ok(disk::remove(root)?)
}

fn fill(view: &Descriptor, members: &[&Node], nodes: &Nodes, store: &Store, new: &Path) -> Result<(), Halt> {
    disk::folder(new)?;
    let members: Vec<&Node> = members.iter().copied().filter(|n| n.external.is_none()).collect();
    let mut taken: BTreeMap<PathBuf, &Node> = BTreeMap::new();
    let mut places = Vec::new();
    for node in members {
        let place = new.join(view.place(node, nodes)?);
        let metadata = place.join(METADATA).join(&node.name);
        if let Some(other) = taken.insert(metadata.clone(), node) {
            return Err(clash(view, other, node));
        }
        places.push((store.prefix(node), place, metadata));
    }
    for (prefix, place, _) in &places {
        link_tree(prefix, place, true, view.link_type)?;
    }
    for (prefix, _, metadata) in &places {
        link_tree(&prefix.join(METADATA), metadata, false, view.link_type)?;
    }
    Ok(())
}

fn clash(view: &Descriptor, one: &Node, other: &Node) -> Halt {
    let name = |n: &Node| format!("{}@{}/{}", n.name, n.version, n.short());
    Halt::failed(format!(
        "The environment view in {} could not be created, because the following two specs project to the same prefix:\n    {}, and\n    {}.\n    To resolve this issue:\n        a. use `concretization:unify:true` to ensure there is only one package per spec in the environment, or\n        b. disable views with `view:false`, or\n        c. create custom view projections.",
        view.root.display(),
        name(other),
        name(one)
    ))
}

/// Links every file below `from`, maybe except Spack's own; the first package with a path has it.
fn link_tree(from: &Path, to: &Path, without_metadata: bool, kind: LinkType) -> Result<(), Halt> {
    let entries = walkdir::WalkDir::new(from).min_depth(1).sort_by_file_name();
    let wanted = |e: &walkdir::DirEntry| !without_metadata || e.depth() == 0 || e.file_name() != METADATA;
    for entry in entries.into_iter().filter_entry(wanted) {
        let Ok(entry) = entry else { continue };
        let at = to.join(entry.path().strip_prefix(from).unwrap_or(entry.path()));
        if entry.file_type().is_dir() {
            disk::folder(&at)?;
        } else if std::fs::symlink_metadata(&at).is_err() {
            match kind {
                LinkType::Symlink => disk::link(entry.path(), &at)?,
                LinkType::Hardlink => disk::hard_link(entry.path(), &at)?,
                LinkType::Copy => disk::copy(entry.path(), &at)?,
            }
        }
    }
    Ok(())
}
