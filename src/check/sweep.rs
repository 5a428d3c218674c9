//! Runs checks side by side. A check past its limit, or one that breaks, becomes a finding; nothing that a check
//! does can stop the sweep, but cancelling the script stops them all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::checks::ALL;
use super::definition::{Check, CheckContext, unmet};
use super::finding::{Finding, Status};
pub use super::selection::{Selection, Wanted};
use super::site_view::SiteView;
use super::thresholds::Thresholds;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::world::World;
use crate::world::scope::cancel::Cancel;
use crate::world::scope::event::{Event, Underway};

/// Runs the built-in checks that are wanted.
pub async fn run(cx: &Cx, wanted: &Wanted) -> Result<Vec<Finding>> {
    let selection = Selection::of(cx, wanted)?;
    let checks: Vec<&Check> = ALL.iter().filter(|c| selection.names.iter().any(|n| n == c.name)).collect();
    let mut findings = run_checks(cx, &checks, &selection.thresholds, selection.timeout).await?;
    for name in selection.refused {
        findings.push(named(&name, Finding::skipped("the site file skips it ('check.skip')")));
    }
    Ok(findings)
}

/// Runs the given checks, each on `timeout` or its own limit.
pub async fn run_checks(
    cx: &Cx,
    checks: &[&Check],
    thresholds: &Thresholds,
    timeout: Option<Duration>,
) -> Result<Vec<Finding>> {
    let parent = Cancel::current().unwrap_or_default();
    // The programs of a cancelled sweep are awaited, not abandoned.
    let _hold = parent.hold();
    let view = Arc::new(cx.blocking(|cx| Ok(SiteView::read(&cx))).await?);
    let thresholds = Arc::new(thresholds.clone());
    let work = checks.iter().map(|check| {
        let limit = timeout.unwrap_or(check.timeout);
        let look = CheckContext {
            cx: cx.clone(),
            view: Arc::clone(&view),
            thresholds: Arc::clone(&thresholds),
            limit,
        };
        one(&parent, check, look)
    });
    let ended: Result<Vec<Vec<Finding>>> = join_all(work).await.into_iter().collect();
    Ok(ended?.into_iter().flatten().collect())
}

async fn one(parent: &Cancel, check: &Check, look: CheckContext) -> Result<Vec<Finding>> {
    let begin = Instant::now();
    let limit = look.limit;
    let scope = parent.child(Some(limit));
    let world = look.cx.world.clone();
    let name = check.name.to_owned();
    // Told from within its scope, so that what it starts is known to be its work.
    let underway = scope.enter(async { begun(&world, &name) }).await;
    let mut findings = match unmet(&look.cx, &look.view, check.needs) {
        Err(trouble) => vec![Finding::of_trouble(&trouble)],
        Ok(Some(unmet)) => vec![Finding::skipped(format!("needs {}: {}", unmet.need, unmet.reason))],
        Ok(None) => {
            let ended = scope.enter(scope.guard((check.run)(look))).await;
            if parent.is_cancelled() {
                return Err(Trouble::cancelled());
            }
            match ended {
                Ok(findings) => findings,
                Err(t) if t.is(Kind::Cancelled) => vec![Finding::too_slow(limit)],
                Err(t) if t.is(Kind::Configuration) && check.name != "configuration" => {
                    // Reported once, by the check whose work it is.
                    vec![Finding::skipped(format!("needs configuration: {}", t.message())).kind(t.kind())]
                }
                Err(trouble) => vec![Finding::of_trouble(&trouble)],
            }
        }
    };
    let seconds = begin.elapsed().as_secs_f64();
    for finding in &mut findings {
        check.name.clone_into(&mut finding.check);
        finding.seconds = seconds;
    }
    let worst = findings.iter().map(|f| f.status).max().unwrap_or(Status::Pass);
    let status = worst.name().to_owned();
    scope.enter(async { underway.end(Event::CheckFinished { name, status, seconds }) }).await;
    Ok(findings)
}

fn begun(world: &World, name: &str) -> Underway {
    let lost = name.to_owned();
    Underway::begin(&world.watcher, Event::CheckStarted { name: name.to_owned() }, |seconds| {
        Event::CheckFinished { name: lost, status: String::from("cancelled"), seconds }
    })
}

fn named(check: &str, mut finding: Finding) -> Finding {
    check.clone_into(&mut finding.check);
    finding
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::base::clock::Clock;
    use crate::site::config::Loaded;
    use crate::site::cx::Site;
    use crate::world::fs::eyes::LiveEyes;
    use crate::world::scope::event::Blind;
    use crate::world::seam::live::LiveHands;
    use crate::world::state::journal::Journal;
    use crate::world::state::store::Store;

    /// A site without Spack and with that site file.
    pub fn context(site_file: &str) -> Cx {
        let loaded = Loaded { config: toml::from_str(site_file).unwrap(), ..Loaded::default() };
        let state = tempfile::tempdir().unwrap().keep();
        let store = Arc::new(Store::at(state.join("state.db")));
        let clock = Clock::default();
        let journal = Arc::new(Journal::new(Arc::clone(&store), clock.clone()));
        let world = World {
            eyes: Arc::new(LiveEyes),
            hands: Arc::new(LiveHands::new(None)),
            watcher: Arc::new(Blind),
            clock,
        };
        let variables = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into();
        let site = Site::new(loaded, state, store, journal, None, variables, None);
        Cx { world, site: Arc::new(site) }
    }

    pub fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    fn check(
        name: &'static str,
        needs: &'static [&'static str],
        run: fn(CheckContext) -> super::super::definition::Looking,
    ) -> Check {
        Check { name, doc: "", needs, timeout: Duration::from_millis(100), optional: false, run }
    }

    #[test]
    fn each_check_ends_in_its_own_way_and_none_stops_the_others() {
        let hangs = check("hangs", &[], |_| Box::pin(std::future::pending()));
        let breaks = check("breaks", &[], |_| Box::pin(async { Err(Trouble::new(Kind::Io, "no disk")) }));
        let fine = check("fine", &[], |_| Box::pin(async { Ok(vec![Finding::pass("yes")]) }));
        let lacks = check("lacks", &["spack"], |_| Box::pin(async { Ok(vec![Finding::pass("yes")]) }));
        let checks = [&hangs, &breaks, &fine, &lacks];
        let found = block_on(run_checks(&context(""), &checks, &Thresholds::default(), None)).unwrap();
        let told: Vec<(&str, Status, Option<&str>)> =
            found.iter().map(|f| (f.check.as_str(), f.status, f.kind.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("hangs", Status::Fail, Some("timeout")),
                ("breaks", Status::Fail, Some("io")),
                ("fine", Status::Pass, None),
                ("lacks", Status::Skipped, None)
            ]
        );
        assert_eq!(found[3].message, "needs spack: no Spack installation was found");
    }

    #[test]
    fn a_cancelled_sweep_is_cancelled_and_no_finding() {
        let hangs = check("hangs", &[], |_| Box::pin(std::future::pending()));
        let scope = Cancel::root(None);
        let ended = block_on(async {
            let cancel = scope.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                cancel.cancel();
            });
            let cx = context("");
            let limits = Thresholds::default();
            scope.enter(run_checks(&cx, &[&hangs], &limits, Some(Duration::from_secs(30)))).await
        });
        assert_eq!(ended.unwrap_err().kind(), Kind::Cancelled);
    }
}
