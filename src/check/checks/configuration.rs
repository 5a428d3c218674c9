//! Does every configuration file parse, and does Spack know every key in it?

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::Finding;
use crate::base::Kind;
use crate::spack::config::Config;
use crate::spack::config::keys;

pub const CHECK: Check = Check {
    name: "configuration",
    doc: "Configuration files parse, their keys are known, and no secret stands in them.",
    needs: &["spack"],
    timeout: super::QUICK,
    optional: false,
    run,
};

fn run(look: CheckContext) -> Looking {
    Box::pin(look.blocking(|look| {
        let config = match look.view.config() {
            Ok(config) => config,
            Err(trouble) => return Ok(vec![broken(&trouble)]),
        };
        Ok(judge(config))
    }))
}

fn broken(trouble: &crate::base::Trouble) -> Finding {
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

fn judge(config: &Config) -> Vec<Finding> {
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
    let defects = out.len();
    for place in &config.not_understood {
        out.push(
            Finding::skipped(format!("only Spack itself can tell: {place}"))
                .about(place)
                .fix("spack config get shows the effective value")
                .kind(Kind::Unsupported),
        );
    }
    if defects == 0 {
        let scopes = config.scopes.iter().filter(|s| s.exists && s.path.is_some()).count();
        out.insert(0, Finding::pass(format!("{scopes} scopes parse, all keys are known")));
    }
    out
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
