//! What a check found: one line for people, a status for monitors, a measure for graphs, and what to do.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Kind, Trouble};

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pass,
    Skipped,
    Warn,
    Fail,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Skipped => "skipped",
            Status::Warn => "warn",
            Status::Fail => "fail",
        }
    }
}

/// A figure and its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// The figure.
    pub value: f64,
    /// Such as `%`, `B`, `s`, `specs`.
    pub unit: String,
}

/// The result of a check, or of a part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Name of the check.
    pub check: String,
    /// The part that this finding is about, if the check has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub status: Status,
    /// One line for people.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<Measure>,
    /// What the measure was compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The kind of error when the check could not do its work, such as `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// How long the check took.
    #[serde(default)]
    pub seconds: f64,
}

impl Finding {
    fn new(status: Status, message: impl Into<String>) -> Self {
        Finding {
            check: String::new(),
            subject: None,
            status,
            message: message.into(),
            fix: None,
            measure: None,
            reference: None,
            kind: None,
            seconds: 0.0,
        }
    }

    pub fn pass(message: impl Into<String>) -> Self {
        Finding::new(Status::Pass, message)
    }

    pub fn warn(message: impl Into<String>) -> Self {
        Finding::new(Status::Warn, message)
    }

    pub fn fail(message: impl Into<String>) -> Self {
        Finding::new(Status::Fail, message)
    }

    pub fn skipped(reason: impl Into<String>) -> Self {
        Finding::new(Status::Skipped, reason)
    }

    /// A check that could not do its work has failed: silence would look like health.
    pub fn of_trouble(trouble: &Trouble) -> Self {
        let mut finding = Finding::fail(trouble.message());
        finding.fix = trouble.hints().first().cloned();
        finding.kind = Some(trouble.kind().name().to_owned());
        finding
    }

    /// The check was past its limit.
    pub fn too_slow(limit: Duration) -> Self {
        let shown = crate::base::words::span(limit);
        let mut finding = Finding::fail(format!("not done within {shown}"))
            .fix(
                "find out what hangs (a file server that does not answer?), or give more time with --timeout",
            )
            .reference(shown);
        finding.kind = Some(Kind::Timeout.name().to_owned());
        finding
    }

    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    pub fn measure(mut self, value: f64, unit: &str) -> Self {
        self.measure = Some(Measure { value, unit: unit.to_owned() });
        self
    }

    pub fn reference(mut self, reference: impl Into<String>) -> Self {
        self.reference = Some(reference.into());
        self
    }

    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind.name().to_owned());
        self
    }

    /// The check could not even begin to judge: there is no Spack, or none whose files are known.
    pub fn is_unknown(&self) -> bool {
        let kind = self.kind.as_deref().and_then(Kind::named);
        self.status == Status::Fail
            && matches!(kind, Some(Kind::NoSpack | Kind::UnknownFormat | Kind::Unsupported))
    }
}

/// "a, b, c and 4 more".
pub fn some(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut_and_counted() {
        let names = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        for (n, wanted) in [(0, ""), (1, "0"), (3, "0, 1, 2"), (5, "0, 1, 2 and 2 more")] {
            assert_eq!(some(&names(n)), wanted);
        }
    }

    #[test]
    fn a_trouble_is_a_failure_with_its_kind_and_hint() {
        let finding = Finding::of_trouble(&Trouble::new(Kind::Corrupt, "broken").hint("mend it"));
        assert_eq!(finding.status, Status::Fail);
        assert_eq!(finding.kind.as_deref(), Some("corrupt"));
        assert_eq!(finding.fix.as_deref(), Some("mend it"));
        assert!(!finding.is_unknown());
        assert!(Finding::of_trouble(&Trouble::new(Kind::NoSpack, "none")).is_unknown());
    }

    #[test]
    fn what_is_not_said_is_not_written() {
        let json = serde_json::to_value(Finding::pass("fine")).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"check": "", "status": "pass", "message": "fine", "seconds": 0.0})
        );
        assert!(
            serde_json::from_value::<Finding>(serde_json::json!({"check": "a", "statos": "pass"})).is_err()
        );
    }
}
