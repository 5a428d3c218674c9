//! Gives a snapshot out of this site: as a file that another site takes in, as a description for people, or into a
//! git work tree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{describe, git};
use crate::base::{Result, Trouble};
use crate::site::Cx;
use crate::snapshot::exchange::exported::Exported;
use crate::snapshot::record::configuration;
use crate::snapshot::store::archive::Archive;
use crate::snapshot::store::document::Snapshot;
use crate::snapshot::store::index::StoredSnapshot;
use crate::snapshot::store::object::Objects;
use crate::snapshot::store::reference;
use crate::world::Action;
use crate::world::fs::replace::replaces_only;

/// Writes a snapshot for another place: one file that `snapshot.import` takes in, a description of it in YAML, or a
/// commit in a git work tree.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ExportArgs {
    /// `NAME@NUMBER`, `NAME@last`, `NAME@good`, `NAME`, or the beginning of its id.
    pub snapshot: String,
    /// The file to write, such as `science.tar.zst`.
    pub file: Option<PathBuf>,
    /// Write YAML that tells people what the snapshot is. It cannot be imported.
    pub yaml: bool,
    /// Instead of a file: a folder of a git work tree. A subfolder for the environment gets its files, and one commit
    /// holds them. An empty folder becomes a repository.
    pub git: Option<PathBuf>,
}

pub async fn export(cx: Cx, args: ExportArgs) -> Result<Exported> {
    let kept = reference::find(&cx, &args.snapshot)?;
    let record = kept.clone();
    let archive = cx.blocking(move |cx| whole(&cx, &record)).await?;
    let manifest = archive.objects.get(&kept.snapshot.manifest.object).map_or(&[][..], Vec::as_slice);
    let manifest = String::from_utf8_lossy(manifest);
    // It is kept byte for byte, as it has to come back; configuration files were kept without theirs.
    if !args.yaml && configuration::masked(&manifest) != *manifest {
        let title = kept.snapshot.title();
        cx.world.warn(format!("{title}: the manifest seems to hold a secret, and goes along as it is"));
    }
    match (&args.file, &args.git) {
        (Some(file), None) => into_file(&cx, &kept, &archive, file, args.yaml).await,
        (None, Some(folder)) if !args.yaml => git::commit(&cx, &kept, &archive, folder).await,
        _ => Err(Trouble::usage("an export goes into a file or into a git work tree")
            .hint("give `file`, with `yaml` for a description, or `git`")),
    }
}

/// The snapshot with everything that it names, each part compared with its name.
fn whole(cx: &Cx, kept: &StoredSnapshot) -> Result<Archive> {
    let document = cx.world.eyes.read_own(&kept.file)?;
    let objects = Objects(cx);
    let mut all = BTreeMap::new();
    for id in kept.snapshot.objects() {
        all.insert(id.clone(), objects.get(id)?);
    }
    // As it was written, with the number that it had there: every site exports the same bytes.
    let snapshot = Snapshot::parse(&document, &kept.file.display().to_string())?;
    Ok(Archive { id: kept.id.clone(), snapshot, document, objects: all })
}

async fn into_file(
    cx: &Cx,
    kept: &StoredSnapshot,
    archive: &Archive,
    file: &Path,
    yaml: bool,
) -> Result<Exported> {
    let (again, record) = (archive.clone(), kept.clone());
    let bytes =
        cx.blocking(move |_| if yaml { describe::yaml(&record, &again) } else { again.to_bytes() }).await?;
    let name = file.display().to_string();
    let ours = |there: &[u8]| there.starts_with(describe::HEAD) || Archive::read(there, &name).is_ok();
    let now = replaces_only(&*cx.world.eyes, file, "no export of a snapshot", &ours)?;
    let changed = now.as_ref() != Some(&bytes);
    let size = Some(bytes.len() as u64);
    // The same snapshot gives the same bytes, but one that the same run takes is another than that of its plan.
    let write = Action::WriteFile { path: file.to_owned(), bytes, mode: None, varies: true };
    cx.world.perform(write).await?;
    let path = file.to_owned();
    Ok(Exported { snapshot: kept.snapshot.title(), id: kept.id.clone(), path, size, commit: None, changed })
}
