//! Once a day the end of a run removes what the policy `keep` does not keep: rows of the journal and log files.

use crate::runs::prune;
use crate::site::Cx;
use crate::world::Action;

/// Runs are pruned when the last time is longer ago.
const SECONDS: f64 = 86_400.0;

/// No more runs than these go in a day without being asked for: a clock that is wrong makes all of them old.
const MOST: usize = 50;

/// Prunes, unless that was done within the last day. It must not make a run fail that went well.
pub async fn rotate(cx: &Cx) {
    let mark = cx.site.logs().join(".pruned");
    let now = cx.world.clock.seconds();
    let last = cx.world.eyes.lstat(&mark).ok();
    let last = last.and_then(|stat| stat.modified.duration_since(std::time::UNIX_EPOCH).ok());
    // A mark from a future that has not come says nothing.
    if last.is_some_and(|last| (0.0..SECONDS).contains(&(now - last.as_secs_f64()))) {
        return;
    }
    let pruned = async {
        // Marked first: of two runs that end together one is enough.
        cx.world.keep(Action::write(mark, Vec::new())).await?;
        prune::by_policy(cx, false, Some(MOST)).await
    };
    match pruned.await {
        Err(trouble) => cx.world.warn(format!("old runs were not pruned: {trouble}")),
        Ok(pruned) if pruned.due > 0 => cx.world.warn(format!(
            "{} of the oldest runs were pruned, and {} more are as old by this machine's clock: `moonstack runs prune` \
             removes them",
            pruned.runs.len(),
            pruned.due
        )),
        Ok(_) => {}
    }
}
