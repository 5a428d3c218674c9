//! Who holds Spack's locks, does a lock's owner still live, and does locking work where the store is?

use std::path::Path;
use std::time::Duration;

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::{Finding, some};
use super::database_records::label;
use crate::base::Result;
use crate::spack::read::unregistered_prefixes::lock_offset;
use crate::spack::store::database::{Database, DatabaseText};
use crate::world::fs::lock::{self, Holder, Mode};
use crate::world::fs::lock_test::{Trial, try_locks};

pub const CHECK: Check = Check {
    name: "locks",
    doc: "Who holds locks of the store, whether their owners live, and whether locking works there.",
    needs: &["configuration", "store"],
    timeout: super::QUICK,
    optional: false,
    run,
};

/// Spack holds the database for writing only as long as a write takes.
const WRITE_SECONDS: Duration = Duration::from_secs(2);

fn run(look: CheckContext) -> Looking {
    Box::pin(look.blocking(judge))
}

fn judge(look: &CheckContext) -> Result<Vec<Finding>> {
    let config = look.view.config()?;
    let folder = config.install_tree()?.root.join(".spack-db");
    let mut out = Vec::new();
    if !config.locks()? {
        let origin = config.origin("config:locks")?.map_or_else(String::new, |m| format!(" at {m}"));
        out.push(
            Finding::warn(format!("locking is turned off{origin}"))
                .about("setting")
                .fix("set config:locks to true, unless only one Spack ever runs here"),
        );
    }
    if !look.cx.world.eyes.is_folder(&folder)? {
        out.push(Finding::pass("no database yet, so nobody holds a lock"));
        return Ok(out);
    }
    out.push(trial(&folder));
    out.extend(database_lock(look, &folder));
    let text = DatabaseText::read_unlocked(&*look.cx.world.eyes, folder.parent().unwrap_or(&folder));
    let database = text.as_ref().ok().and_then(|text| text.parse().ok());
    for file in ["prefix_lock", "prefix_failures"] {
        let holders = lock::holders(&folder.join(file)).unwrap_or_default();
        out.extend(judge_holders(look, file, &holders, database.as_ref()));
    }
    Ok(out)
}

fn trial(folder: &Path) -> Finding {
    let shown = folder.display();
    let advice = "mount the file system with lock support, or keep the store elsewhere: without locks two Spacks \
                  at once damage the database";
    let finding = match try_locks(folder) {
        Trial::Works => Finding::pass(format!("locking works at {shown}")),
        Trial::Ignored => Finding::fail(format!("locks at {shown} do not exclude anybody")).fix(advice),
        Trial::Refused(why) => Finding::fail(format!("{shown} cannot be locked: {why}")).fix(advice),
        Trial::NotTried(why) => Finding::skipped(format!("locking at {shown} was not tried: {why}")),
    };
    finding.about("file system")
}

/// A write of the database is over soon; who holds it longer stops everybody.
fn database_lock(look: &CheckContext, folder: &Path) -> Vec<Finding> {
    let file = folder.join("lock");
    let held = || lock::holders(&file).unwrap_or_default();
    let begin = std::time::Instant::now();
    let patience = WRITE_SECONDS.min(look.limit / 2);
    let mut holders = held();
    while holders.iter().any(|h| h.mode == Mode::Write) && begin.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(100));
        holders = held();
    }
    if holders.iter().any(|h| h.mode == Mode::Write) {
        let who = some(&holders.iter().map(|h| owner(look, h)).collect::<Vec<_>>());
        let message = format!("the database is held for writing by {who}");
        let fix = "see what that process does; while it holds the lock no other Spack can work";
        return vec![Finding::warn(message).about("lock").fix(fix)];
    }
    // Readers that are not named may be the check of the database that runs beside this one, and harm nobody.
    let named: Vec<Holder> = holders.into_iter().filter(|h| h.pid > 0).collect();
    judge_holders(look, "lock", &named, None)
}

fn judge_holders(
    look: &CheckContext,
    file: &str,
    holders: &[Holder],
    database: Option<&Database<'_>>,
) -> Vec<Finding> {
    if holders.is_empty() {
        return Vec::new();
    }
    let told: Vec<String> = holders.iter().map(|h| describe(look, h, database)).collect();
    let dead: Vec<String> =
        holders.iter().filter(|h| !is_alive(look, h.pid)).map(|h| describe(look, h, database)).collect();
    if dead.is_empty() {
        return vec![
            Finding::pass(format!("held: {}", some(&told))).about(file).measure(told.len() as f64, "locks"),
        ];
    }
    let message = format!("held by processes that do not run on this machine: {}", some(&dead));
    vec![
        Finding::warn(message).about(file).measure(dead.len() as f64, "locks").fix(
            "look for that process on the other machines; if there is none, the lock server must forget it",
        ),
    ]
}

/// Locks of open files and of other machines state no process, so nothing can be said against them.
fn is_alive(look: &CheckContext, pid: i32) -> bool {
    pid <= 0 || look.cx.world.eyes.exists(Path::new(&format!("/proc/{pid}"))).unwrap_or(true)
}

fn describe(look: &CheckContext, holder: &Holder, database: Option<&Database<'_>>) -> String {
    let mode = if holder.mode == Mode::Write { "write" } else { "read" };
    let what = match (holder.range.length, database) {
        (1, Some(database)) => {
            let of = database.records().iter().find(|r| lock_offset(r.hash) == Some(holder.range.start));
            of.map_or_else(|| format!("byte {}", holder.range.start), label)
        }
        (1, None) => format!("byte {}", holder.range.start),
        _ => "all".to_owned(),
    };
    format!("{what} for {mode} by {}", owner(look, holder))
}

fn owner(look: &CheckContext, holder: &Holder) -> String {
    if holder.pid <= 0 {
        return "a process that the system does not name".to_owned();
    }
    let name = look.cx.world.eyes.read_text(Path::new(&format!("/proc/{}/comm", holder.pid)));
    let name = name.map_or_else(|_| String::new(), |n| format!(" ({})", n.trim()));
    format!("process {}{name}", holder.pid)
}
