//! Takes in a snapshot that was exported, here or at another site. Everything is read and compared before anything is
//! written; the document keeps its bytes and so its id, and gets the next number of this place.

use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::snapshot::judge::verify;
use crate::snapshot::record::configuration::ConfigurationFile;
use crate::snapshot::record::row::SnapshotRow;
use crate::snapshot::record::state::HashState;
use crate::snapshot::store::archive::{Archive, read};
use crate::snapshot::store::index::{IMPORTED, Marks, Shelf};
use crate::snapshot::store::object::Objects;
use crate::spack::lock::contents::LockContents;
use crate::spack::lock::lockfile::LockfileText;

/// Takes in an exported snapshot: with the id that it has, the next number of its environment, and the tag `imported`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct ImportArgs {
    /// The file that `snapshot.export` wrote.
    pub file: PathBuf,
}

pub async fn import(cx: Cx, args: ImportArgs) -> Result<SnapshotRow> {
    let archive = cx
        .blocking(move |cx| {
            cx.world.depends_on_file(&args.file)?;
            let archive = read(&cx, &args.file)?;
            sound(&archive, &args.file)?;
            Ok(archive)
        })
        .await?;
    let (mut shelf, _turn) = Shelf::locked(&cx, &archive.snapshot.env).await?;
    let known = known(&shelf, &archive.id)?;
    if let Some(kept) = known.as_ref().filter(|kept| verify::problems(&cx, kept).is_empty()) {
        let message = format!("this snapshot is here already: {}", kept.snapshot.title());
        return Err(Trouble::new(Kind::Exists, message)
            .fact("snapshot", kept.snapshot.title())
            .fact("id", archive.id.as_str()));
    }
    let objects = Objects(&cx);
    for bytes in archive.objects.into_values() {
        objects.put(bytes, None).await?;
    }
    // It was damaged, and is whole again.
    if let Some(kept) = known {
        return Ok(SnapshotRow::of(&kept));
    }
    let marks = Marks { tags: [IMPORTED.to_owned()].into(), ..Marks::default() };
    Ok(SnapshotRow::of(&shelf.adopt(&archive.snapshot, archive.document, marks).await?))
}

fn known(shelf: &Shelf<'_>, id: &str) -> Result<Option<crate::snapshot::store::index::StoredSnapshot>> {
    let numbers = shelf.numbers()?;
    // A damaged one is not the same.
    Ok(numbers.into_iter().filter_map(|number| shelf.read(number).ok()).find(|kept| kept.id == id))
}

/// Whether the parts can be read as what they are, and name nothing that no snapshot has.
fn sound(archive: &Archive, file: &Path) -> Result<()> {
    let snapshot = &archive.snapshot;
    let corrupt = |why: String| {
        Trouble::new(Kind::Corrupt, format!("{} is damaged: {why}", file.display()))
            .hint("nothing of it was taken in; export the snapshot again where it was taken")
            .fact("path", file.display().to_string())
    };
    let part = |id: &str| archive.objects.get(id).map_or(&[][..], Vec::as_slice);
    let configuration: Vec<ConfigurationFile> = serde_json::from_slice(part(&snapshot.configuration))
        .map_err(|e| corrupt(format!("its configuration: {e}")))?;
    serde_json::from_slice::<Vec<HashState>>(part(&snapshot.state))
        .map_err(|e| corrupt(format!("its state: {e}")))?;
    std::str::from_utf8(part(&snapshot.manifest.object))
        .map_err(|e| corrupt(format!("its manifest: {e}")))?;
    let lock = LockfileText::from_bytes(&snapshot.lock.path, part(&snapshot.lock.object).to_vec())?;
    LockContents::of(&lock.parse()?)?;
    let named = &snapshot.env.name;
    if named.is_empty() || named.chars().any(char::is_control) || !is_plain(&snapshot.env.path) {
        let env = format!("{named:?} in {}", snapshot.env.path.display());
        return Err(refused(file, &format!("{env} is no environment")));
    }
    // A restore writes these back, and Spack has no configuration in files of another name.
    let yaml = |path: &Path| path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    match configuration.iter().find(|one| !is_plain(&one.path) || !yaml(&one.path)) {
        Some(one) => Err(refused(file, &format!("{} is no file of configuration", one.path.display()))),
        None => Ok(()),
    }
}

fn refused(file: &Path, why: &str) -> Trouble {
    Trouble::new(Kind::Refused, format!("{} was refused: {why}", file.display()))
        .hint("nothing of it was taken in")
        .fact("path", file.display().to_string())
}

/// Absolute and without steps upwards.
fn is_plain(path: &Path) -> bool {
    path.is_absolute() && path.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)))
}
