//! The way back in place: manifest and lock byte for byte, what is missing by its hash, marks, views and modules as
//! they were. Everything is read back; what fails puts back what was there before. Nothing is ever solved again.
//!
//! ```text
//! into → reinstall → args
//! ```

pub mod args;
pub mod into;
pub mod reinstall;

use std::path::PathBuf;
use std::time::Duration;

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::snapshot::judge::check::{self, Restorable};
use crate::snapshot::record::configuration::{self, ConfigurationFile};
use crate::snapshot::record::source::Source;
use crate::snapshot::record::{capture, parts};
use crate::snapshot::restore::args::{Part, RestoreArgs, Restored};
use crate::snapshot::store::index::{Marks, StoredSnapshot};
use crate::snapshot::store::object::Objects;
use crate::snapshot::store::reference;
use crate::spack::change::around::view::{RefreshArgs, refresh};
use crate::spack::drive::locks;
use crate::spack::drive::session::{Scope, scope};
use crate::world::Action;
use crate::world::scope::cancel::Cancel;

use into::restore_into;
use reinstall::{Brought, bring_back};

/// Views and modules of a big environment take Spack some minutes.
const TIME_TO_PUT_BACK: Duration = Duration::from_mins(30);

pub async fn restore(cx: Cx, args: RestoreArgs) -> Result<Restored> {
    let begun = std::time::Instant::now();
    let kept = reference::find(&cx, &args.snapshot)?;
    let title = kept.snapshot.title();
    let restorable = check::of(&cx, &kept, args.deep).await?;
    refuse(&restorable, &args)?;
    if let Some(into) = &args.into {
        return restore_into(&cx, &kept, into, &args, &restorable).await;
    }
    let inside = scope(&cx, Some(kept.snapshot.env.path.display().to_string()))
        .await
        .map_err(|t| t.hint("`into` makes a new environment of the snapshot"))?;
    // Nobody may meet it half restored.
    let _hold = locks::hold(&cx, &inside).await?;
    let configuration = configuration_changes(&cx, &inside, &kept, &args).await?;
    let objects = Objects(&cx);
    let mut files = Vec::new();
    if args.only != Some(Part::Configuration) {
        let record = &kept.snapshot;
        files.push((inside.inside()?.manifest_file(), objects.get(&record.manifest.object)?));
        files.push((inside.inside()?.lock_file(), objects.get(&record.lock.object)?));
    }
    files.extend(configuration.write);
    let eyes = &*cx.world.eyes;
    files.retain(|(path, bytes)| !eyes.read(path).is_ok_and(|now| now == *bytes));
    let before = before(&cx, &inside, &title).await?;
    let old: Vec<(PathBuf, Option<Vec<u8>>)> =
        files.iter().map(|(path, _)| (path.clone(), eyes.read(path).ok())).collect();
    // A cancel waits until everything is there, or as it was.
    let cancel = Cancel::current().unwrap_or_default();
    let _hold = cancel.hold();
    let work = async {
        for (path, bytes) in &files {
            cx.world.perform(Action::write(path.clone(), bytes.clone())).await?;
        }
        inside.spack.forget();
        match args.only {
            Some(_) => Ok(Brought::default()),
            None => bring_back(&cx, &kept, &args, &restorable).await,
        }
    };
    match work.await {
        Ok(brought) => Ok(Restored {
            snapshot: title,
            env: kept.snapshot.env.name.clone(),
            path: kept.snapshot.env.path.clone(),
            written: files.into_iter().map(|(path, _)| path).collect(),
            installed: brought.installed,
            marked: brought.marked,
            left_out: brought.left_out,
            before,
            differing: configuration.left,
            seconds: begun.elapsed().as_secs_f64(),
        }),
        Err(trouble) => {
            cancel.shield(TIME_TO_PUT_BACK);
            let back = put_back(&cx, &inside, old).await;
            cancel.unshield();
            Err(match back {
                Ok(()) => {
                    let end = format!("environment '{}' is as it was before", kept.snapshot.env.name);
                    // Of a cancel nothing else would be told.
                    if trouble.is(Kind::Cancelled) {
                        cx.world.warn(format!("{title} was not restored: {end}"));
                    }
                    trouble.hint(end)
                }
                Err(other) => trouble.hint(format!(
                    "and the environment could not be put back: {}; snapshot {} has how it was",
                    other.message(),
                    before.unwrap_or_default()
                )),
            })
        }
    }
}

fn refuse(restorable: &Restorable, args: &RestoreArgs) -> Result<()> {
    if let Some(problem) = restorable.problems.first() {
        return Err(Trouble::new(
            Kind::Corrupt,
            format!("snapshot {} is damaged: {problem}", restorable.snapshot),
        ));
    }
    if args.only.is_some() {
        return Ok(());
    }
    let worst = restorable.verdict;
    let names = |source: Source| {
        let some = restorable.missing.iter().filter(|m| m.from == source);
        some.take(5).map(|m| format!("{}@{} ({})", m.name, m.version, m.why)).collect::<Vec<_>>().join(", ")
    };
    let refused = |message: String| {
        // What nobody could ask may hold what is missing.
        let told = restorable
            .not_looked
            .iter()
            .fold(Trouble::new(Kind::Refused, message), |t, why| t.hint(why.clone()));
        told.fact("missing", serde_json::to_value(&restorable.missing).unwrap_or_default())
    };
    match worst {
        Source::Gone => Err(refused(format!(
            "snapshot {} cannot be restored: {}",
            restorable.snapshot,
            names(Source::Gone)
        ))),
        Source::Drifted if !args.allow_drift => Err(refused(format!(
            "snapshot {} would not come back as it was: {}",
            restorable.snapshot,
            names(Source::Drifted)
        ))
        .hint("check out the repository at the recorded commit, or say `allow_drift` to build from today's recipes")),
        Source::Source | Source::Drifted if args.cache_only => Err(refused(format!(
            "snapshot {} needs builds, and only mirrors are allowed: {}",
            restorable.snapshot,
            names(worst)
        ))),
        _ => Ok(()),
    }
}

/// How it is now, kept so that going back can be taken back.
async fn before(cx: &Cx, scope: &Scope, title: &str) -> Result<Option<String>> {
    if !scope.inside()?.has_lock {
        return Ok(None);
    }
    let marks = Marks { tags: ["before-restore".to_owned()].into(), ..Marks::default() };
    let description = Some(format!("before it was put back to {title}"));
    let kept = capture::take(cx, scope, description, marks, true).await?;
    Ok(Some(kept.snapshot.title()))
}

struct ConfigurationChanges {
    write: Vec<(PathBuf, Vec<u8>)>,
    left: Vec<PathBuf>,
}

async fn configuration_changes(
    cx: &Cx,
    scope: &Scope,
    kept: &StoredSnapshot,
    args: &RestoreArgs,
) -> Result<ConfigurationChanges> {
    let (again, record) = (scope.clone(), kept.clone());
    let (then, now) = cx
        .blocking(move |cx| Ok((parts::configuration(&cx, &record)?, configuration::read(&cx, &again)?)))
        .await?;
    let asked = args.configuration || args.only == Some(Part::Configuration);
    let mut out = ConfigurationChanges { write: Vec::new(), left: Vec::new() };
    for file in then {
        let same = |other: &ConfigurationFile| other.path == file.path && other.text == file.text;
        if now.iter().any(same) {
            continue;
        }
        let wanted = asked || (file.included && args.only.is_none());
        // A document may come from elsewhere: only what configures this environment is written to.
        let ours = now.iter().any(|n| n.path == file.path) || file.path.starts_with(&scope.inside()?.path);
        if !wanted || !ours {
            out.left.push(file.path);
        } else if file.masked {
            return Err(Trouble::new(
                Kind::Refused,
                format!("{} has changed, and the snapshot keeps it without its secrets", file.path.display()),
            )
            .hint("`moonstack snapshot diff` shows what differs; change it by hand, then restore again"));
        } else {
            out.write.push((file.path, file.text.into_bytes()));
        }
    }
    Ok(out)
}

/// The files as they were, and views and modules made of them.
async fn put_back(cx: &Cx, scope: &Scope, old: Vec<(PathBuf, Option<Vec<u8>>)>) -> Result<()> {
    for (path, bytes) in old {
        match bytes {
            Some(bytes) => cx.world.perform(Action::write(path, bytes)).await?,
            None if cx.world.eyes.exists(&path)? => cx.world.perform(Action::RemovePath { path }).await?,
            None => continue,
        };
    }
    scope.spack.forget();
    let name = scope.inside()?.path.display().to_string();
    refresh(cx.clone(), RefreshArgs { name }).await.map(drop)
}
