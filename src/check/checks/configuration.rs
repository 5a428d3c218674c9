//! Does every configuration file parse, and does Spack accept what is in it?

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::{Finding, Status};
use crate::base::{Kind, Result, Trouble};
use crate::spack::config::Config;
use crate::spack::config::keys;
use crate::spack::drive::session;
use crate::spack::read::config_refusals::{Refusal, refusals};

pub const CHECK: Check = Check {
    name: "configuration",
    doc: "Configuration files parse, Spack accepts what is in them, and no secret stands there.",
    needs: &["spack"],
    timeout: super::SLOW,
    optional: false,
    run,
};

fn run(look: CheckContext) -> Looking {
    Box::pin(async move {
        let config = match look.view.config() {
            Ok(config) => config,
            Err(trouble) => return Ok(vec![broken(&trouble)]),
        };
        let defects = defects(config);
        let (refused, unasked) = match asked(&look, config).await {
            Ok(refused) => (refused, None),
            Err(trouble) if trouble.is(Kind::Cancelled) => return Err(trouble),
            Err(trouble) => (Vec::new(), Some(unasked(&trouble))),
        };
        let mut out = together(defects, &refused);
        out.extend(not_understood(config));
        if !out.iter().any(|f| f.status > Status::Skipped) {
            let scopes = config.scopes.iter().filter(|s| s.exists && s.path.is_some()).count();
            let accepted = if unasked.is_none() { ", and Spack accepts them" } else { "" };
            out.insert(0, Finding::pass(format!("{scopes} scopes parse, all keys are known{accepted}")));
        }
        out.extend(unasked);
        Ok(out)
    })
}

/// What Spack refuses. With a variable that is not set it would be asked about another configuration; the Spack of a
/// practice site has no schemas.
async fn asked(look: &CheckContext, config: &Config) -> Result<Vec<Refusal>> {
    if look.cx.site.practice.is_some() || config.named.all_set().is_err() {
        return Ok(Vec::new());
    }
    let scope = session::scope(&look.cx, None).await?;
    refusals(&look.cx, &scope, look.program_limit()).await
}

fn unasked(trouble: &Trouble) -> Finding {
    Finding::skipped(format!("Spack could not be asked whether it accepts them: {}", trouble.message()))
        .kind(trouble.kind())
}

/// What is read here says more of a key that is not known; that Spack refuses it makes it a failure.
fn together(mut defects: Vec<Finding>, refused: &[Refusal]) -> Vec<Finding> {
    for refusal in refused {
        let file = refusal.place.as_deref().and_then(|place| place.rsplit_once(':')).map(|(file, _)| file);
        let known = defects.iter_mut().find(|finding| {
            let about = finding.subject.as_deref().unwrap_or_default();
            Some(about) == refusal.place.as_deref() || Some(about) == file && finding.status == Status::Fail
        });
        match known {
            Some(finding) => finding.status = Status::Fail,
            None => defects.push(told(refusal)),
        }
    }
    defects
}

fn told(refusal: &Refusal) -> Finding {
    match &refusal.place {
        Some(place) => Finding::fail(format!("{place}: Spack refuses it: {}", refusal.why))
            .about(place)
            .fix(format!("correct {place}; no command of Spack that needs the file works")),
        None => Finding::fail(format!("Spack refuses its configuration: {}", refusal.why))
            .fix("spack config blame SECTION shows where each value was written"),
    }
}

fn broken(trouble: &Trouble) -> Finding {
    let file = trouble.facts().get("file").and_then(|f| f.as_str()).map(str::to_owned);
    let finding = Finding::of_trouble(trouble);
    let finding = match (&finding.fix, &file) {
        (None, Some(file)) => finding.fix(format!("correct {file}")),
        _ => finding,
    };
    match file {
        Some(file) => finding.about(file),
        None => finding,
    }
}

fn defects(config: &Config) -> Vec<Finding> {
    let mut out = Vec::new();
    for section in keys::sections(config.release) {
        if let Err(trouble) = config.section(section) {
            let finding = broken(&trouble);
            // A file with several sections is reported once.
            if !out.contains(&finding) {
                out.push(finding);
            }
        }
    }
    for key in &config.unknown_keys {
        let fix = match &key.nearest {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("remove '{}': Spack refuses keys that it does not know", key.key),
        };
        out.push(
            Finding::warn(format!("{}: unknown key '{}'", key.place, key.key)).about(&key.place).fix(fix),
        );
    }
    out.extend(config.named.unset().map(|trouble| broken(&trouble)));
    out.extend(secrets(config));
    out
}

fn not_understood(config: &Config) -> impl Iterator<Item = Finding> {
    config.not_understood.iter().map(|place| {
        Finding::skipped(format!("only Spack itself can tell: {place}"))
            .about(place)
            .fix("spack config get shows the effective value")
            .kind(Kind::Unsupported)
    })
}

fn secrets(config: &Config) -> Vec<Finding> {
    let Ok(mirrors) = config.mirrors() else { return Vec::new() };
    let open = mirrors
        .iter()
        .filter(|m| [&m.fetch, &m.push].iter().any(|side| side.secret_in_clear || side.url_had_credentials));
    open.map(|mirror| {
        Finding::warn(format!("a secret of the mirror '{}' stands in {}", mirror.name, mirror.origin))
            .about(format!("mirror {}", mirror.name))
            .fix("name environment variables instead: id_variable, secret_variable, access_token_variable")
    })
    .collect()
}
