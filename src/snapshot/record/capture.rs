//! Takes a snapshot: reads everything while nobody writes, and keeps it. Starts no Spack.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{configuration, ensure, state};
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::snapshot::record::row::SnapshotRow;
use crate::snapshot::record::state::refuse_missing;
use crate::snapshot::store::document::{FORMAT, FileRecord, Snapshot, SpackRecord, Subject};
use crate::snapshot::store::index::{Marks, Shelf, StoredSnapshot};
use crate::snapshot::store::object::Objects;
use crate::spack::drive::installed::{self, Named};
use crate::spack::drive::locks;
use crate::spack::drive::session::{Scope, scope};
use crate::spack::environment::EnvironmentInfo;
use crate::spack::lock::contents::LockContents;
use crate::spack::lock::lockfile::LockfileText;
use crate::world::fs::lock::{self, Mode, Range};
use crate::world::who;

/// Records what an environment is: lock, manifest, configuration, repositories, and the state of each hash.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CreateArgs {
    /// Name of the environment, or its folder.
    pub env: String,
    /// What it is for, in words.
    pub description: Option<String>,
    /// Names to find it by.
    pub tags: Vec<String>,
    /// Never delete or prune it until it is unpinned.
    pub pin: bool,
    /// The environment is proven to work as it is now.
    pub good: bool,
    /// Although not everything of it is installed.
    pub partial: bool,
    /// Name of a mirror for binaries that shall have everything: what it does not have is pushed there first.
    pub ensure: Option<String>,
}

/// A snapshot that was taken.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Created {
    #[serde(flatten)]
    pub row: SnapshotRow,
    /// What was pushed to the mirror that was to have everything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pushed: Vec<Named>,
}

pub async fn create(cx: Cx, args: CreateArgs) -> Result<Created> {
    let scope = scope(&cx, Some(args.env.clone())).await?;
    let marks = Marks { tags: args.tags.iter().cloned().collect(), pinned: args.pin, good: args.good };
    for tag in &args.tags {
        check_tag(tag)?;
    }
    let _lock = locks::changing(&cx, &scope).await?;
    let pushed = match &args.ensure {
        Some(mirror) => ensure::ensure(&cx, &scope, mirror, args.partial).await?,
        None => Vec::new(),
    };
    let kept = write(&cx, &scope, args.description, marks, args.partial).await?;
    warn_of_secrets(&cx, &kept)?;
    Ok(Created { row: SnapshotRow::of(&kept), pushed })
}

/// The manifest is kept byte for byte, as it has to come back; a secret in it is a secret in the state folder.
fn warn_of_secrets(cx: &Cx, kept: &StoredSnapshot) -> Result<()> {
    let manifest = &kept.snapshot.manifest;
    for (line, shown) in configuration::secrets(&Objects(cx).text(&manifest.object)?) {
        cx.world.warn(format!(
            "{}:{line}: the manifest seems to hold a secret, which {} keeps as it is: {shown}",
            manifest.path.display(),
            kept.snapshot.title()
        ));
    }
    Ok(())
}

/// A tag must not look like a number, an id or a name.
pub fn check_tag(tag: &str) -> Result<()> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if !tag.is_empty() && tag.len() <= 64 && tag.chars().all(fits) {
        return Ok(());
    }
    Err(Trouble::usage(format!("'{tag}' is no tag"))
        .hint("letters, digits, '-', '_', '.' and ':', at most 64 of them"))
}

/// The environment that a snapshot is of, as its earlier snapshots call it: two paths to it are one series.
fn subject(cx: &Cx, environment: &EnvironmentInfo) -> Result<Subject> {
    let known =
        Shelf::all(cx)?.into_iter().find(|shelf| !shelf.is_foreign() && shelf.is_at(&environment.path));
    Ok(match known {
        Some(shelf) => shelf.env().clone(),
        None => Subject { name: environment.name.clone(), path: environment.path.clone() },
    })
}

/// What was read before anything is written.
struct Read {
    manifest: Vec<u8>,
    lock: Vec<u8>,
    configuration: Vec<u8>,
    state: Vec<u8>,
    snapshot: Snapshot,
}

pub async fn take(
    cx: &Cx,
    scope: &Scope,
    description: Option<String>,
    marks: Marks,
    partial: bool,
) -> Result<StoredSnapshot> {
    let _lock = locks::changing(cx, scope).await?;
    write(cx, scope, description, marks, partial).await
}

/// The same for who has the turn.
async fn write(
    cx: &Cx,
    scope: &Scope,
    description: Option<String>,
    marks: Marks,
    partial: bool,
) -> Result<StoredSnapshot> {
    let again = scope.clone();
    let read = cx.blocking(move |cx| read(&cx, &again, description, partial)).await?;
    let (mut shelf, _turn) = Shelf::locked(cx, &read.snapshot.env).await?;
    let before = match shelf.numbers()?.last() {
        // A damaged one is no base for differences.
        Some(last) => shelf.read(*last).ok().map(|kept| kept.snapshot),
        None => None,
    };
    let objects = Objects(cx);
    let near = |pick: fn(&Snapshot) -> &String| before.as_ref().map(|b| pick(b).as_str());
    let mut snapshot = read.snapshot;
    snapshot.manifest.object = objects.put(read.manifest, near(|s| &s.manifest.object)).await?;
    snapshot.lock.object = objects.put(read.lock, near(|s| &s.lock.object)).await?;
    snapshot.configuration = objects.put(read.configuration, near(|s| &s.configuration)).await?;
    snapshot.state = objects.put(read.state, near(|s| &s.state)).await?;
    // An interrupted run may have taken it already, without its being on record.
    if let Some(last) = before.filter(|last| {
        let (number, created) = (snapshot.number, snapshot.created.clone());
        cx.site.journal.replay().is_some()
            && snapshot.run.is_some()
            && Snapshot { number, created, ..last.clone() } == snapshot
    }) {
        return shelf.mark(last.number, |now| *now = marks).await;
    }
    shelf.add(snapshot, marks).await
}

fn read(cx: &Cx, scope: &Scope, description: Option<String>, partial: bool) -> Result<Read> {
    let eyes = &*cx.world.eyes;
    let environment = scope.inside()?;
    // Spack writes manifest and lock under this lock; where there can be none, both are replaced whole.
    let transaction = environment.path.join(".spack-env/transaction_lock");
    let _held = lock::lock(&transaction, Mode::Read, Range::WHOLE, cx.site.lock_limit())?;
    let manifest = eyes.read(&environment.manifest_file())?;
    let Some(text) = LockfileText::of(cx, environment)? else {
        return Err(Trouble::new(
            Kind::Refused,
            format!("environment '{}' has no lock, so there is nothing to come back to", environment.name),
        )
        .hint(format!("concretize it first: moonstack env concretize {}", environment.name)));
    };
    let lock = eyes.read(&environment.lock_file())?;
    let contents = LockContents::of(&text.parse()?)?;
    let store = installed::read(cx, scope)?;
    let states = state::of(eyes, &store, &contents, &scope.config.recipe_folders(eyes)?);
    refuse_missing(&environment.name, &states, partial)?;
    let installation = &scope.spack.installation;
    let file = |path, bytes: &[u8]| FileRecord { path, object: String::new(), size: bytes.len() as u64 };
    let json = |e: serde_json::Error| Trouble::new(Kind::Internal, format!("snapshot: {e}"));
    Ok(Read {
        snapshot: Snapshot {
            format: FORMAT,
            number: 0,
            env: subject(cx, environment)?,
            created: cx.world.clock.now().to_string(),
            user: who::user(),
            host: who::host(),
            run: cx.site.journal.number(),
            description,
            spack: SpackRecord {
                version: installation.version_text.clone(),
                commit: installation.commit.clone(),
                root: installation.root.clone(),
            },
            store: scope.install_tree()?.root,
            roots: contents.all_roots().count(),
            specs: states.len(),
            installed: states.iter().filter(|s| s.installed).count(),
            manifest: file(environment.manifest_file(), &manifest),
            lock: file(environment.lock_file(), &lock),
            configuration: String::new(),
            state: String::new(),
            repositories: state::repositories(eyes, scope)?,
        },
        configuration: serde_json::to_vec(&configuration::read(cx, scope)?).map_err(json)?,
        state: serde_json::to_vec(&states).map_err(json)?,
        manifest,
        lock,
    })
}
