//! Which runs stay on record: what the policy `keep` says of each. Asked by `runs prune`, and once a day at the end
//! of a run.

use std::collections::BTreeSet;

use crate::base::Result;
use crate::policy::slots::{Keep, Kept as Kind};
use crate::runs::prune::{self, Kept};
use crate::runs::read::{self, RunState};
use crate::site::Cx;
use crate::world::Action;

/// Runs are pruned when the last time is longer ago.
const SECONDS: f64 = 86_400.0;

/// What the policy says of a run. Where it cannot be asked, the run stays.
pub fn retention(cx: &Cx) -> Result<impl Fn(&Kept) -> bool> {
    let mut seen = BTreeSet::new();
    let good = |state: RunState| matches!(state, RunState::Ok | RunState::Warning);
    let last_good: BTreeSet<i64> = read::list(&cx.site.store, None, false, usize::MAX)?
        .into_iter()
        .filter(|run| good(run.state) && seen.insert(run.script.clone()))
        .map(|run| run.id)
        .collect();
    Ok(move |kept: &Kept| {
        let log = cx.site.logs().join(format!("run-{}.log", kept.run.id));
        let facts = Keep {
            kind: Kind::Run,
            name: kept.run.script.clone(),
            age_days: kept.age_days,
            rank: kept.rank as u32,
            ok: good(kept.run.state),
            exit: kept.run.exit.map_or(-1, i32::from),
            pinned: false,
            last_good: last_good.contains(&kept.run.id),
            bytes: cx.world.eyes.lstat(&log).map_or(0, |stat| stat.size),
        };
        cx.ask(&facts).unwrap_or(true)
    })
}

/// Prunes, unless that was done within the last day. It must not make a run fail that went well.
pub async fn rotate(cx: &Cx) {
    let mark = cx.site.logs().join(".pruned");
    let now = cx.world.clock.seconds();
    let last = cx.world.eyes.lstat(&mark).ok();
    let last = last.and_then(|stat| stat.modified.duration_since(std::time::UNIX_EPOCH).ok());
    if last.is_some_and(|last| now - last.as_secs_f64() < SECONDS) {
        return;
    }
    let pruned = async {
        // Marked first: of two runs that end together one is enough.
        cx.world.keep(Action::write(mark, Vec::new())).await?;
        prune::prune(cx, retention(cx)?, false).await
    };
    if let Err(trouble) = pruned.await {
        cx.world.warn(format!("old runs were not pruned: {trouble}"));
    }
}
