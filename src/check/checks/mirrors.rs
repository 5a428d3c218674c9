//! Does each mirror answer, and has it what Spack looks for first?

use std::path::{Path, PathBuf};
use std::time::Instant;

use futures_util::future::join_all;

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::Finding;
use crate::base::{Kind, Result, words};
use crate::mirror::answer::{self, Answer};
use crate::spack::config::mirrors::Mirror;
use crate::spack::config::paths;
use crate::world::Eyes;
use crate::world::net::ask::Web;

pub const CHECK: Check = Check {
    name: "mirrors",
    doc: "Mirrors answer and have an index: folders and web servers.",
    needs: &["configuration"],
    timeout: super::SLOW,
    optional: false,
    run,
};

fn run(look: CheckContext) -> Looking {
    Box::pin(judge(look))
}

async fn judge(look: CheckContext) -> Result<Vec<Finding>> {
    let mirrors = look.view.config()?.mirrors()?;
    if mirrors.is_empty() {
        return Ok(vec![Finding::skipped("no mirror is configured")]);
    }
    join_all(mirrors.iter().map(|mirror| ask(&look, mirror))).await.into_iter().collect()
}

async fn ask(look: &CheckContext, mirror: &Mirror) -> Result<Finding> {
    let url = mirror.fetch.url.clone();
    let finding = match paths::scheme(&url) {
        Some("file") => {
            let (folder, named) = (PathBuf::from(paths::file_url_path(&url)), mirror.clone());
            look.cx.blocking(move |cx| Ok(folder_answer(&*cx.world.eyes, &folder, &named))).await?
        }
        Some("http" | "https") if mirror.fetch.url_had_credentials => {
            Finding::skipped("its password stands in the URL, which this check does not use")
        }
        Some("http" | "https") => web_answer(look, mirror, &url).await,
        scheme => {
            let scheme = scheme.unwrap_or("?");
            Finding::skipped(format!("{scheme} mirrors cannot be asked by this check"))
        }
    };
    Ok(finding.about(&mirror.name))
}

/// The index of either layout, and what shows that the layout is used.
const LAYOUTS: &[(&str, &str)] = &[
    ("v3/manifests/index/index.manifest.json", "v3/manifests/spec"),
    ("build_cache/index.json", "build_cache"),
];

fn folder_answer(eyes: &dyn Eyes, folder: &Path, mirror: &Mirror) -> Finding {
    let shown = folder.display();
    let entry = &mirror.origin;
    let looked = match eyes.is_folder(folder) {
        Ok(false) => {
            let fix = format!("mount or create it (spack mirror create -d {shown}), or correct {entry}");
            return Finding::fail(format!("{shown} does not exist")).fix(fix);
        }
        Ok(true) => eyes.list(folder).map(drop),
        Err(trouble) => Err(trouble),
    };
    if let Err(trouble) = looked {
        return Finding::fail(trouble.message())
            .kind(trouble.kind())
            .fix(format!("let this user read {shown}"));
    }
    if !mirror.binary {
        return Finding::pass(format!("{shown} can be read"));
    }
    let used: Vec<_> = LAYOUTS.iter().filter(|(_, used)| eyes.finds_folder(&folder.join(used))).collect();
    match used.iter().find(|(index, _)| !eyes.finds_file(&folder.join(index))) {
        Some((index, _)) => Finding::warn(format!("{shown} holds binaries, but no {index}"))
            .fix(format!("spack buildcache update-index {}", mirror.name)),
        None if used.is_empty() => Finding::pass(format!("{shown} can be read, and holds no binaries")),
        None => Finding::pass(format!("{shown} can be read, and has an index")),
    }
}

async fn web_answer(look: &CheckContext, mirror: &Mirror, url: &str) -> Finding {
    let begin = Instant::now();
    let limit = look.limit.mul_f64(0.8);
    let paths: &[&str] = if mirror.binary { &[LAYOUTS[0].0, LAYOUTS[1].0] } else { &[""] };
    let reached = match Web::new(limit) {
        Ok(web) => answer::first(&web, url, paths).await,
        Err(trouble) => Answer::Silent(trouble.message().to_owned()),
    };
    let seconds = begin.elapsed();
    let finding = match reached {
        Answer::Here("") => Finding::pass(format!("{url} answers")),
        Answer::Here(path) => Finding::pass(format!("{url} answers, and has {path}")),
        Answer::NotHere if !mirror.binary => Finding::pass(format!("{url} answers")),
        Answer::NotHere => Finding::warn(format!("{url} answers, but has no index of binaries"))
            .fix(format!("spack buildcache update-index {}", mirror.name)),
        Answer::Refused(status) => Finding::fail(format!("{url} refuses: HTTP {status}"))
            .fix(format!("see {} and the server's access rules", mirror.origin)),
        Answer::Silent(why) => {
            Finding::fail(format!("{url} does not answer: {why}")).kind(Kind::Network).fix(format!(
                "see whether the server runs and the network lets you through; it is named at {}",
                mirror.origin
            ))
        }
    };
    let slow = look.thresholds.mirror_slow;
    let finding = if finding.status == super::super::Status::Pass && seconds > slow {
        let message = format!("{}, but only after {}", finding.message, words::span(seconds));
        Finding::warn(message).fix("see what slows the server or the network; mirror_slow sets the limit")
    } else {
        finding
    };
    finding.measure(seconds.as_secs_f64(), "s").reference(format!("warn above {}", words::span(slow)))
}
