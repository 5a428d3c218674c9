//! A plan as a file: checked as a whole by a digest, refused when a newer build wrote it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::specs::SpecPlan;
use super::stored::StoredCommand;
use crate::base::{Kind, Result, Trouble, digest, redact};
use crate::world::Eyes;
use crate::world::seam::input::Input;
use crate::world::seam::scene::{Guard, Planned};

/// The format that this build writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// Who did something, where and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct By {
    pub user: String,
    pub host: String,
    /// RFC 3339.
    pub at: String,
}

/// A step that would fail, or the script itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFailure {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub step: String,
    pub kind: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

impl PlannedFailure {
    pub fn of(step: &str, trouble: &Trouble) -> PlannedFailure {
        PlannedFailure {
            step: step.to_owned(),
            kind: trouble.kind().name().to_owned(),
            message: redact::redact(trouble.message()),
            hints: trouble.hints().iter().map(|hint| redact::redact(hint)).collect(),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_fine(exit: &u8) -> bool {
    *exit == 0
}

/// A stored plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub format: u32,
    /// The moonstack that made it.
    pub moonstack: String,
    pub planned: By,
    pub command: StoredCommand,
    /// What it was made from.
    pub inputs: Vec<Input>,
    pub actions: Vec<Planned>,
    pub guards: Vec<Guard>,
    /// What would fail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<PlannedFailure>,
    /// How the script would end.
    #[serde(default, skip_serializing_if = "is_fine")]
    pub exit: u8,
    pub specs: SpecPlan,
    /// How long planning took, in seconds.
    pub seconds: f64,
    /// Of these, how long Spack and other programs ran.
    pub program_seconds: f64,
    /// Of everything above.
    pub digest: String,
}

impl Plan {
    /// Puts the digest in.
    pub fn sealed(mut self) -> Plan {
        self.digest = self.seal();
        self
    }

    fn seal(&self) -> String {
        let bare = Plan { digest: String::new(), ..self.clone() };
        digest::bytes(serde_json::to_string(&bare).unwrap_or_default().as_bytes())
    }

    pub fn new(
        planned: By,
        command: StoredCommand,
        inputs: Vec<Input>,
        actions: Vec<Planned>,
        guards: Vec<Guard>,
    ) -> Plan {
        Plan {
            format: FORMAT,
            moonstack: env!("CARGO_PKG_VERSION").to_owned(),
            planned,
            command,
            inputs,
            specs: SpecPlan::of(&actions),
            actions,
            guards,
            failures: Vec::new(),
            exit: 0,
            seconds: 0.0,
            program_seconds: 0.0,
            digest: String::new(),
        }
    }

    pub fn read(eyes: &dyn Eyes, path: &Path) -> Result<Plan> {
        let text = eyes.read_text(path)?;
        let shown = path.display();
        let wrong = |why: String| {
            Trouble::new(Kind::UnknownFormat, format!("{shown} is not a plan: {why}"))
                .hint("`moonstack plan NAME -o FILE` writes one")
                .fact("path", shown.to_string())
        };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format > u64::from(FORMAT) => {
                return Err(Trouble::new(
                    Kind::UnknownFormat,
                    format!("{shown} has format {format} of plans; this build knows up to {FORMAT}"),
                )
                .hint("use the moonstack that made it, or make a new plan"));
            }
            Some(_) => {}
            None => return Err(wrong(String::from("it names no format"))),
        }
        let plan: Plan = serde_json::from_value(value).map_err(|e| wrong(e.to_string()))?;
        if plan.seal() != plan.digest {
            return Err(Trouble::new(Kind::Refused, format!("{shown} was changed after it was made"))
                .hint("make a new plan; a plan is applied as it was reviewed or not at all"));
        }
        Ok(plan)
    }

    /// Whether that is the text of a plan, be it of another build.
    pub fn is_one(text: &[u8]) -> bool {
        let value: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
        ["format", "moonstack", "planned", "digest"].iter().all(|key| value.get(key).is_some())
    }

    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::fs::eyes::LiveEyes;

    #[test]
    fn a_plan_comes_back_as_it_was_and_a_changed_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.plan");
        let by = By { user: "u".into(), host: "h".into(), at: "2026-01-01T00:00:00Z".into() };
        let plan = Plan::new(by, StoredCommand::default(), Vec::new(), Vec::new(), Vec::new()).sealed();
        std::fs::write(&path, plan.to_text()).unwrap();
        assert_eq!(Plan::read(&LiveEyes, &path).unwrap(), plan);
        for (from, to, kind) in [
            ("\"user\": \"u\"", "\"user\": \"v\"", Kind::Refused),
            ("\"format\": 1", "\"format\": 9", Kind::UnknownFormat),
            ("\"format\": 1,", "", Kind::UnknownFormat),
            ("{", "[", Kind::UnknownFormat),
        ] {
            std::fs::write(&path, plan.to_text().replacen(from, to, 1)).unwrap();
            assert_eq!(Plan::read(&LiveEyes, &path).unwrap_err().kind(), kind, "{to}");
        }
    }
}
