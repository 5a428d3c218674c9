//! The database against the store: every prefix of an installed spec exists, and every prefix in the store is
//! known. Of what is being built at the moment, neither can be said.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::super::definition::Look;
use super::super::finding::{Finding, some};
use super::database_records::label;
use super::locks::offset;
use crate::base::Result;
use crate::spack::database::Database;
use crate::world::lock::{self, Holder};

/// Levels below the store at which a prefix is looked for.
const DEPTH: usize = 8;

pub fn judge(look: &Look, database: &Database<'_>, root: &Path) -> Result<Vec<Finding>> {
    let holders = lock::holders(&root.join(".spack-db/prefix_lock")).unwrap_or_default();
    let mut out: Vec<Finding> = missing(look, database, &holders)?.into_iter().collect();
    out.extend(unknown(look, database, root, &holders));
    Ok(out)
}

fn missing(look: &Look, database: &Database<'_>, holders: &[Holder]) -> Result<Option<Finding>> {
    let mut gone = Vec::new();
    let mut first = None;
    for record in database.records().iter().filter(|r| r.installed) {
        let Some(path) = record.path.as_deref().filter(|p| *p != "None") else { continue };
        let external = database.node(record)?.external.is_some();
        if external || look.cx.world.eyes.is_folder(Path::new(path)) || is_held(holders, record.hash) {
            continue;
        }
        first.get_or_insert(record.hash);
        gone.push(format!("{} at {path}", label(record)));
    }
    Ok(first.map(|hash| {
        Finding::fail(format!("prefixes that do not exist: {}", some(&gone)))
            .about("prefixes")
            .measure(gone.len() as f64, "specs")
            .fix(format!(
                "if the file system is mounted: spack install --overwrite -y /{hash} (to drop it instead: spack \
                 uninstall --force -y /{hash})"
            ))
    }))
}

fn unknown(look: &Look, database: &Database<'_>, root: &Path, holders: &[Holder]) -> Option<Finding> {
    let mut walk = Walk::new(look, database, root);
    walk.folder(root, DEPTH);
    let strays: Vec<String> = walk
        .found
        .iter()
        .filter(|prefix| !hash_of(look, prefix).is_some_and(|hash| is_held(holders, &hash)))
        .map(|prefix| prefix.display().to_string())
        .collect();
    (!strays.is_empty()).then(|| {
        Finding::warn(format!("prefixes that no record has: {}", some(&strays)))
            .about("unknown prefixes")
            .measure(strays.len() as f64, "prefixes")
            .fix("leftovers of interrupted builds: remove them before any spack reindex, which would take them for installed")
    })
}

fn is_held(holders: &[Holder], hash: &str) -> bool {
    let Some(at) = offset(hash) else { return false };
    holders.iter().any(|h| {
        let end = if h.range.length == 0 { i64::MAX } else { h.range.start.saturating_add(h.range.length) };
        h.mode == lock::Mode::Write && (h.range.start..end).contains(&at)
    })
}

/// The hash that a prefix states, or that its name ends with.
fn hash_of(look: &Look, prefix: &Path) -> Option<String> {
    let stated = look.cx.world.eyes.read(&prefix.join(".spack/spec.json")).ok();
    let json: Option<serde_json::Value> = stated.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let stated = json.as_ref().and_then(|j| j.pointer("/spec/nodes/0/hash")).and_then(|h| h.as_str());
    let named = || prefix.file_name()?.to_str()?.rsplit('-').next();
    stated.or_else(named).map(str::to_owned)
}

struct Walk<'w> {
    look: &'w Look,
    known: HashSet<&'w Path>,
    /// Folders that hold a known prefix at some level.
    above: HashSet<&'w Path>,
    /// Folders that hold a known prefix directly.
    parents: HashSet<&'w Path>,
    found: Vec<PathBuf>,
}

impl<'w> Walk<'w> {
    fn new(look: &'w Look, database: &'w Database<'_>, root: &Path) -> Self {
        let known: HashSet<&Path> =
            database.records().iter().filter_map(|r| r.path.as_deref()).map(Path::new).collect();
        let inside = known.iter().copied().filter(|p| p.starts_with(root));
        let above = inside.clone().flat_map(|p| p.ancestors().skip(1)).collect();
        let parents = inside.filter_map(Path::parent).collect();
        Walk { look, known, above, parents, found: Vec::new() }
    }

    fn folder(&mut self, folder: &Path, depth: usize) {
        let eyes = &self.look.cx.world.eyes;
        let own = depth == DEPTH;
        for name in eyes.list(folder).unwrap_or_default() {
            // Spack's own: the database, the interpreter hook, temporary names of prefixes.
            if name.starts_with('.') || (own && (name == "bin" || name == "environments")) {
                continue;
            }
            let path = folder.join(&name);
            let real = eyes.lstat(&path).is_ok_and(|s| s.kind == crate::world::eyes::FileKind::Folder);
            if !real || self.known.contains(path.as_path()) {
                continue;
            }
            if eyes.is_folder(&path.join(".spack")) {
                self.found.push(path);
            } else if self.above.contains(path.as_path()) || !self.parents.contains(folder) {
                if depth > 1 {
                    self.folder(&path, depth - 1);
                }
            } else if eyes.list(&path).is_ok_and(|names| !names.is_empty()) {
                self.found.push(path);
            }
        }
    }
}
