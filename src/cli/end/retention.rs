//! Once a day the end of a run removes what the policy `keep` does not keep: rows of the journal and log files.

use crate::runs::prune;
use crate::site::Cx;
use crate::world::Action;

/// Runs are pruned when the last time is longer ago.
const SECONDS: f64 = 86_400.0;

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
        prune::by_policy(cx, false).await
    };
    if let Err(trouble) = pruned.await {
        cx.world.warn(format!("old runs were not pruned: {trouble}"));
    }
}
