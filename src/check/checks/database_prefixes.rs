//! The database against the store: every prefix of an installed spec exists, and every prefix in the store is
//! known. Of what is being built at the moment, neither can be said.

use std::path::{Path, PathBuf};

use super::super::definition::CheckContext;
use super::super::finding::{Finding, some};
use super::database_records::label;
use crate::base::Result;
use crate::spack::read::unregistered_prefixes;
use crate::spack::store::database::Database;
use crate::world::fs::lock::{self, Holder};

pub fn judge(look: &CheckContext, database: &Database<'_>, root: &Path) -> Result<Vec<Finding>> {
    let holders = lock::holders(&root.join(".spack-db/prefix_lock")).unwrap_or_default();
    let mut out: Vec<Finding> = missing(look, database, &holders)?.into_iter().collect();
    out.extend(unknown(look, database, root, &holders));
    Ok(out)
}

fn missing(look: &CheckContext, database: &Database<'_>, holders: &[Holder]) -> Result<Option<Finding>> {
    let mut gone = Vec::new();
    let mut first = None;
    for record in database.records().iter().filter(|r| r.installed) {
        let Some(path) = record.path.as_deref().filter(|p| *p != "None") else { continue };
        let external = database.node(record)?.external.is_some();
        if external
            || look.cx.world.eyes.is_folder(Path::new(path))?
            || unregistered_prefixes::is_held(holders, record.hash)
        {
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

fn unknown(look: &CheckContext, database: &Database<'_>, root: &Path, holders: &[Holder]) -> Vec<Finding> {
    let strays = unregistered_prefixes::strays(&*look.cx.world.eyes, root, database.records(), holders);
    let shown = |paths: &[PathBuf]| paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>();
    let (unknown, moved) = (shown(&strays.unknown), shown(&strays.moved));
    let mut out = Vec::new();
    if !moved.is_empty() {
        out.push(
            Finding::fail(format!("prefixes that are on record in another place: {}", some(&moved)))
                .about("moved prefixes")
                .measure(moved.len() as f64, "prefixes")
                .fix("name the store in config:install_tree as it was when they were installed, or move it back; remove nothing"),
        );
    }
    if !unknown.is_empty() {
        out.push(
            Finding::warn(format!("prefixes that no record has: {}", some(&unknown)))
                .about("unknown prefixes")
                .measure(unknown.len() as f64, "prefixes")
                .fix("leftovers of interrupted builds: remove them before any spack reindex, which would take them for installed"),
        );
    }
    out
}
