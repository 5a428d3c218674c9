//! Can the database be read, and does it agree with the store and with itself?

use std::path::Path;
use std::time::Duration;

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::Finding;
use super::{database_prefixes, database_records};
use crate::base::{Kind, Result};
use crate::spack::config::release::Release;
use crate::spack::store::database::read::UpstreamText;
use crate::spack::store::database::{Database, DatabaseText};

pub const CHECK: Check = Check {
    name: "database",
    doc: "The database can be read, and prefixes, dependencies, reference counts and hashes agree with it.",
    needs: &["configuration"],
    timeout: super::SLOW,
    optional: false,
    run,
};

/// How long a writer is waited for; one that takes longer is the `locks` check's finding.
const PATIENCE: Duration = Duration::from_secs(5);

fn run(look: CheckContext) -> Looking {
    Box::pin(look.blocking(judge))
}

fn judge(look: &CheckContext) -> Result<Vec<Finding>> {
    let eyes = &*look.cx.world.eyes;
    let config = look.view.config()?;
    let tree = config.install_tree()?;
    if !eyes.is_folder(&tree.root)? {
        let message = format!("the store {} does not exist", tree.root.display());
        let fix = format!("if packages were installed, mount it; it is named at {}", tree.origin);
        return Ok(vec![Finding::warn(message).fix(fix)]);
    }
    let text = match DatabaseText::read(eyes, &tree.root, PATIENCE.min(look.limit / 2)) {
        Ok(text) => text,
        Err(trouble) => return Ok(vec![unreadable(&trouble, &tree.root)]),
    };
    let database = match text.parse() {
        Ok(database) => database,
        Err(trouble) => return Ok(vec![unreadable(&trouble, &tree.root)]),
    };
    if let Some(wrong) = version(&database, config.release) {
        return Ok(vec![wrong]);
    }
    let (mut upstream_texts, mut unreachable) = (Vec::new(), Vec::new());
    let mut out = Vec::new();
    for upstream in config.upstreams()? {
        match UpstreamText::read(eyes, &upstream.install_tree) {
            Ok(UpstreamText::Read(text)) => upstream_texts.push((upstream.name, text)),
            Ok(UpstreamText::Unreachable(why)) => {
                out.push(upstream_unreachable(&why, &upstream.name, &upstream.origin));
                unreachable.push(upstream.name);
            }
            Err(trouble) => out.push(upstream_unreadable(&trouble, &upstream.name, &upstream.origin)),
        }
    }
    let mut upstreams = Vec::new();
    for (name, text) in &upstream_texts {
        match text.parse() {
            Ok(database) => upstreams.push(database),
            Err(trouble) => out.push(upstream_unreadable(&trouble, name, &text.path().display().to_string())),
        }
    }
    match database_records::judge(eyes, &database, &upstreams, &unreachable) {
        Ok(found) => out.extend(found),
        Err(trouble) => return Ok(vec![unreadable(&trouble, &tree.root)]),
    }
    out.extend(database_prefixes::judge(look, &database, &tree.root)?);
    if out.is_empty() {
        out.push(healthy(&database));
    }
    Ok(out)
}

fn healthy(database: &Database<'_>) -> Finding {
    let installed = database.records().iter().filter(|r| r.installed);
    let (count, explicit) = installed.fold((0, 0), |(n, e), r| (n + 1, e + usize::from(r.explicit)));
    let rest = database.records().len() - count;
    let message = format!(
        "version {}: {count} installed ({explicit} explicit), {rest} more known; prefixes, dependencies, \
         reference counts and hashes agree",
        database.version()
    );
    Finding::pass(message).measure(count as f64, "specs")
}

fn unreadable(trouble: &crate::base::Trouble, root: &Path) -> Finding {
    let finding = Finding::of_trouble(trouble);
    let folder = root.join(".spack-db");
    match trouble.kind() {
        Kind::Corrupt => finding.fix(format!(
            "restore {0}/index.json from a backup; without one: keep a copy of {0}, remove prefixes of interrupted \
             builds, then spack reindex",
            folder.display()
        )),
        Kind::Permission => finding.fix(format!("let this user read {}", folder.display())),
        _ => finding,
    }
}

fn upstream_unreadable(trouble: &crate::base::Trouble, name: &str, origin: &str) -> Finding {
    let message = format!("upstream {name}: {}", trouble.message());
    Finding::fail(message).kind(trouble.kind()).about(format!("upstream {name}")).fix(format!("see {origin}"))
}

/// Spack only warns, and takes what is installed there for missing.
fn upstream_unreachable(why: &crate::base::Trouble, name: &str, origin: &str) -> Finding {
    let fix = why.hints().first().map_or_else(
        || format!("mount it, or take it out of the configuration; it is named at {origin}"),
        |hint| format!("{hint} (it is named at {origin})"),
    );
    Finding::warn(format!("upstream {name}: {}", why.message())).about(format!("upstream {name}")).fix(fix)
}

/// A Spack of another series than the one that wrote the store refuses it.
fn version(database: &Database<'_>, release: Release) -> Option<Finding> {
    let wanted = release.abilities().database_version;
    let found: u32 = database.version().parse().ok()?;
    if database.records().is_empty() || found == wanted {
        return None;
    }
    let message =
        format!("the database has version {found}, and Spack {release} works with version {wanted}");
    let finding = Finding::fail(message).about("version").reference(wanted.to_string());
    Some(if found < wanted {
        finding.fix("keep a copy of .spack-db, then spack reindex; older Spacks cannot read it afterwards")
    } else {
        finding.fix(
            "use the newer Spack that wrote it, or a store of its own for this one (config:install_tree)",
        )
    })
}
