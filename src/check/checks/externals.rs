//! Are configured external packages still where they are said to be, and of the recorded version as far as
//! they can say it?

use std::ffi::OsStr;
use std::path::Path;

use futures_util::future::join_all;

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::Finding;
use super::super::program::{self, Answer, agrees};
use super::super::site_view::is_executable;
use super::compilers::recorded_version;
use crate::base::Result;
use crate::spack::config::compilers::External;
use crate::spack::store::database::DatabaseText;
use crate::spack::store::query::short;
use crate::spack::store::row::external_is_gone;

pub const CHECK: Check = Check {
    name: "externals",
    doc: "External packages of packages.yaml and of the database exist; those with a program of their name answer their recorded version.",
    needs: &["configuration", "real_spack"],
    timeout: super::SLOW,
    optional: true,
    run,
};

fn run(look: CheckContext) -> Looking {
    Box::pin(judge(look))
}

async fn judge(look: CheckContext) -> Result<Vec<Finding>> {
    let config = look.view.config()?;
    // Their executables are the compilers' check.
    let compilers: Vec<String> = config.compilers()?.into_iter().map(|c| c.spec).collect();
    let all = config.externals()?;
    let recorded = recorded(&look, &all)?;
    if all.is_empty() && recorded.is_empty() {
        return Ok(vec![Finding::skipped("no external package is configured")]);
    }
    let judged: Result<Vec<Option<Finding>>> =
        join_all(all.iter().map(|e| external(&look, e, compilers.contains(&e.spec))))
            .await
            .into_iter()
            .collect();
    let mut out: Vec<Finding> = judged?.into_iter().flatten().collect();
    out.extend(recorded);
    if out.is_empty() {
        let modules = all.iter().filter(|e| e.prefix.is_none()).count();
        let rest = if modules > 0 {
            format!("; {modules} named by module only, not looked at")
        } else {
            String::new()
        };
        let count = all.len() - modules;
        out.push(
            Finding::pass(format!("{count} external packages exist{rest}")).measure(count as f64, "packages"),
        );
    }
    Ok(out)
}

/// Externals on record whose prefix is gone: what was installed with them does not run, whether the configuration still
/// names them or not. Those that it names are looked at where they stand.
fn recorded(look: &CheckContext, configured: &[External]) -> Result<Vec<Finding>> {
    let eyes = &*look.cx.world.eyes;
    // A database that cannot be read is the database's check.
    let Ok(text) = look.view.store().and_then(|store| DatabaseText::read_unlocked(eyes, &store)) else {
        return Ok(Vec::new());
    };
    let Ok(database) = text.parse() else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    for record in database.records().iter().filter(|r| r.installed) {
        let node = database.node(record)?;
        let Some(external) = &node.external else { continue };
        let named = |e: &External| {
            e.prefix
                .as_deref()
                .is_some_and(|p| Some(p.as_os_str()) == external.path.as_deref().map(OsStr::new))
        };
        if configured.iter().any(named) || !external_is_gone(eyes, external.path.as_deref()) {
            continue;
        }
        let prefix = external.path.as_deref().unwrap_or_default();
        let spec = format!("{}@{}/{}", record.name, record.version, short(record.hash));
        let message = format!("the external {spec} is on record and gone from {prefix}");
        let fix = format!(
            "mount its file system; if it is gone for good, concretize and install again what needs /{}",
            record.hash
        );
        let finding = if record.ref_count > 0 { Finding::fail(message) } else { Finding::warn(message) };
        out.push(finding.about(format!("{spec} {prefix}")).fix(fix));
    }
    Ok(out)
}

/// What is to be said of a path that does not exist as it is written.
pub fn as_written(path: &Path) -> &'static str {
    if path.is_absolute() && !path.display().to_string().contains('$') {
        return "";
    }
    "; Spack takes it as it is written and replaces no variable in it"
}

async fn external(look: &CheckContext, external: &External, compiler: bool) -> Result<Option<Finding>> {
    let Some(prefix) = &external.prefix else { return Ok(None) };
    let (spec, shown) = (&external.spec, prefix.display());
    let fix = format!("correct or remove the entry at {}", external.origin);
    if !look.cx.world.eyes.is_folder(prefix)? {
        let mut message = format!("the prefix {shown} of {spec} does not exist");
        message.push_str(as_written(prefix));
        return Ok(Some(Finding::fail(message).about(format!("{spec} {shown}")).fix(fix)));
    }
    let program = prefix.join("bin").join(&external.package);
    let recorded = recorded_version(spec).filter(|_| !compiler && is_executable(&look.cx, &program));
    let Some(recorded) = recorded else { return Ok(None) };
    // A program that answers otherwise than with a version says nothing about the package.
    let Answer::Versions(found) = program::version(&look.cx, &program, look.program_limit()).await? else {
        return Ok(None);
    };
    if agrees(recorded, &found) {
        return Ok(None);
    }
    let answered = found.first().map_or("", String::as_str);
    let message = format!("{} is version {answered}, but {spec} is recorded", program.display());
    Ok(Some(Finding::warn(message).about(format!("{spec} {shown}")).fix(fix).reference(recorded)))
}
