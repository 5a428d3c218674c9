//! A sweep in one word, one number and one line, as monitors want it.

use schemars::JsonSchema;
use serde::Serialize;

use super::finding::{Finding, Status};

/// Counts, exit code and line of a sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    pub passed: usize,
    pub warned: usize,
    pub failed: usize,
    pub skipped: usize,
    /// `OK`, `WARNING`, `CRITICAL` or `UNKNOWN`.
    pub word: &'static str,
    /// 0, 1, 2 or 3, as monitors and cron jobs read it.
    pub exit: u8,
    /// One line that ends with the figures after a `|`, as Nagios reads it.
    pub line: String,
}

impl Summary {
    pub fn of(findings: &[Finding]) -> Summary {
        let count = |status| findings.iter().filter(|f| f.status == status).count();
        let (passed, warned) = (count(Status::Pass), count(Status::Warn));
        let (failed, skipped) = (count(Status::Fail), count(Status::Skipped));
        let known_failure = findings.iter().any(|f| f.status == Status::Fail && !f.is_unknown());
        let (word, exit) = match (known_failure, failed, warned) {
            (true, ..) => ("CRITICAL", 2),
            (false, 1.., _) => ("UNKNOWN", 3),
            (false, 0, 1..) => ("WARNING", 1),
            (false, 0, 0) if passed == 0 => ("UNKNOWN", 3),
            (false, 0, 0) => ("OK", 0),
        };
        let mut summary = Summary { passed, warned, failed, skipped, word, exit, line: String::new() };
        summary.line = format!("{word} - {} | {}", summary.text(findings), summary.figures(findings));
        summary
    }

    fn text(&self, findings: &[Finding]) -> String {
        if self.passed + self.warned + self.failed == 0 {
            return format!("nothing was checked ({} skipped)", self.skipped);
        }
        if self.warned + self.failed == 0 {
            return format!("{} passed", self.passed);
        }
        let worst = if self.failed > 0 { Status::Fail } else { Status::Warn };
        let named: Vec<String> = findings
            .iter()
            .filter(|f| f.status == worst)
            .map(|f| format!("{}: {}", f.check, f.message))
            .collect();
        let shown = super::finding::some(&named);
        // The bar divides text and figures, and a line is one line.
        let shown: String = shown.chars().map(|c| if c == '|' || c.is_control() { ' ' } else { c }).collect();
        format!("{} failed, {} warned: {shown}", self.failed, self.warned)
    }

    /// Nagios' performance data: `label=value[unit]`; only the units that it knows are written.
    fn figures(&self, findings: &[Finding]) -> String {
        let mut out = format!(
            "passed={} warned={} failed={} skipped={}",
            self.passed, self.warned, self.failed, self.skipped
        );
        for finding in findings {
            let Some(measure) = &finding.measure else { continue };
            let subject = finding.subject.as_ref().map_or_else(String::new, |s| format!(" {s}"));
            let label = format!("{}{subject}", finding.check).replace(['\'', '=', '|'], "_");
            let unit =
                if ["%", "B", "s"].contains(&measure.unit.as_str()) { measure.unit.as_str() } else { "" };
            let value = (measure.value * 1000.0).round() / 1000.0;
            out.push_str(&format!(" '{label}'={value}{unit}"));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Kind;

    #[test]
    fn the_worst_decides_and_what_cannot_be_told_is_unknown() {
        let pass = Finding::pass("fine");
        let skipped = Finding::skipped("no need");
        let warn = Finding::warn("so so");
        let fail = Finding::fail("bad");
        let none = Finding::fail("no Spack").kind(Kind::NoSpack);
        let slow = Finding::too_slow(std::time::Duration::from_secs(1));
        for (findings, word, exit) in [
            (vec![&pass, &skipped], "OK", 0),
            (vec![&pass, &warn], "WARNING", 1),
            (vec![&warn, &fail], "CRITICAL", 2),
            (vec![&pass, &slow], "CRITICAL", 2),
            (vec![&none, &warn], "UNKNOWN", 3),
            (vec![&none, &fail], "CRITICAL", 2),
            (vec![&skipped], "UNKNOWN", 3),
            (vec![], "UNKNOWN", 3),
        ] {
            let findings: Vec<Finding> = findings.into_iter().cloned().collect();
            let summary = Summary::of(&findings);
            assert_eq!((summary.word, summary.exit), (word, exit), "{findings:?}");
        }
    }

    #[test]
    fn the_line_is_one_line_with_one_bar() {
        let mut bad = Finding::fail("a|b\nc").about("/x=y").measure(12.3456, "%");
        bad.check = "disk".into();
        let line = Summary::of(&[Finding::pass("fine"), bad]).line;
        assert_eq!(
            line,
            "CRITICAL - 1 failed, 0 warned: disk: a b c | passed=1 warned=0 failed=1 skipped=0 'disk /x_y'=12.346%"
        );
    }
}
