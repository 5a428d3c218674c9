//! Which runs are kept: rows of the journal and log files go together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::read::{self, RunRow, RunState};
use crate::base::Result;
use crate::policy::{self, slots::Keep};
use crate::site::Cx;
use crate::world::Action;
use crate::world::state::private_record;

/// What of a run counts when it is judged.
#[derive(Debug, Clone, Serialize)]
pub struct JudgedRun {
    pub run: RunRow,
    /// Zero is the newest of its name.
    pub rank: usize,
    pub age_days: f64,
    /// The newest of its name that ended well.
    pub last_good: bool,
    /// Of its log.
    pub bytes: u64,
}

/// What went, or would go.
#[derive(Debug, Default, Serialize)]
pub struct Pruned {
    pub runs: Vec<i64>,
    /// Of runs, and of Spack commands that no run which is kept can have written.
    pub logs: Vec<String>,
    pub dry_run: bool,
    /// How many more runs would go, beyond the most that may.
    #[serde(skip_serializing_if = "is_none")]
    pub due: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// Removes what the policy `keep` does not want; the oldest, if it is more than `most` runs.
pub async fn by_policy(cx: &Cx, dry_run: bool, most: Option<usize>) -> Result<Pruned> {
    let wanted = |kept: &JudgedRun| {
        cx.ask(&Keep {
            kind: policy::slots::RecordKind::Run,
            name: kept.run.script.clone(),
            age_days: kept.age_days,
            rank: kept.rank as u32,
            ok: kept.run.exit == Some(0),
            exit: kept.run.exit.map_or(-1, i32::from),
            pinned: false,
            last_good: kept.last_good,
            bytes: kept.bytes,
        })
    };
    prune(cx, wanted, dry_run, most).await
}

/// Removes what `keep` does not want, never what is running.
async fn prune(
    cx: &Cx,
    keep: impl Fn(&JudgedRun) -> Result<bool>,
    dry_run: bool,
    most: Option<usize>,
) -> Result<Pruned> {
    let store = &cx.site.store;
    let all = read::list(store, None, false, usize::MAX)?;
    let now = cx.world.clock.seconds();
    let mut ranks = BTreeMap::<String, usize>::new();
    let mut good = BTreeSet::new();
    let mut pruned = Pruned { dry_run, ..Pruned::default() };
    let mut unwanted = Vec::new();
    let mut oldest_kept = now;
    for run in all {
        let rank = ranks.entry(run.script.clone()).or_default();
        let log = cx.site.logs().join(format!("run-{}.log", run.id));
        let judged = JudgedRun {
            rank: *rank,
            age_days: (now - run.started) / 86_400.0,
            last_good: run.exit == Some(0) && good.insert(run.script.clone()),
            bytes: cx.world.eyes.lstat(&log).map_or(0, |stat| stat.size),
            run,
        };
        *rank += 1;
        if matches!(judged.run.state, RunState::Running) || keep(&judged)? {
            oldest_kept = oldest_kept.min(judged.run.started);
        } else {
            unwanted.push((judged.run.started, judged.run.id));
        }
    }
    // Newest first, as they were listed: those that stay are the first of them.
    let stay = unwanted.len().saturating_sub(most.unwrap_or(usize::MAX));
    pruned.due = stay;
    for (at, (started, id)) in unwanted.into_iter().enumerate() {
        if at < stay {
            oldest_kept = oldest_kept.min(started);
        } else {
            pruned.runs.push(id);
        }
    }
    let logs = logs_of(cx, &pruned.runs, oldest_kept);
    let private = private_record::files(&cx.site.state, &pruned.runs);
    pruned.logs = logs.iter().map(|path| path.display().to_string()).collect();
    if dry_run {
        return Ok(pruned);
    }
    for path in logs.into_iter().chain(private) {
        cx.world.keep(Action::RemovePath { path }).await?;
    }
    store.with(|c| {
        let t = c.transaction()?;
        for id in &pruned.runs {
            t.execute("DELETE FROM runs WHERE id = ?1", [id])?;
        }
        t.commit()
    })?;
    Ok(pruned)
}

/// The logs of these runs, and those of commands that ended before the oldest run that is kept.
fn logs_of(cx: &Cx, runs: &[i64], oldest_kept: f64) -> Vec<PathBuf> {
    let folder = cx.site.logs();
    let names = cx.world.eyes.list(&folder).unwrap_or_default();
    let goes = |name: &str| {
        let number = |text: &str| text.strip_prefix("run-")?.strip_suffix(".log")?.parse::<i64>().ok();
        match number(name) {
            Some(id) => runs.contains(&id),
            None => {
                !runs.is_empty()
                    && name.starts_with("spack-")
                    && written(cx, &folder.join(name)) < oldest_kept
            }
        }
    };
    names.iter().filter(|name| goes(name)).map(|name| folder.join(name)).collect()
}

fn written(cx: &Cx, path: &Path) -> f64 {
    let stat = cx.world.eyes.lstat(path).ok();
    let age = stat.and_then(|s| s.modified.duration_since(std::time::SystemTime::UNIX_EPOCH).ok());
    age.map_or(f64::MAX, |d| d.as_secs_f64())
}
