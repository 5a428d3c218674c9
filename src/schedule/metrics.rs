//! A run as Prometheus reads it: the text format, for the textfile collector of node_exporter.

use std::collections::BTreeMap;

/// What is told of a run.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    pub workflow: String,
    pub exit: u8,
    /// Unix seconds.
    pub started: f64,
    pub ended: f64,
    /// When a run of the workflow last ended well, this one included.
    pub last_success: Option<f64>,
    pub actions: i64,
    /// How many steps are in which state.
    pub steps: BTreeMap<String, usize>,
    pub checks: Vec<Checked>,
}

/// A finding of the run.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    pub check: String,
    pub subject: String,
    pub status: String,
    pub seconds: f64,
}

/// States that are always told, so that a series does not come and go.
const STATES: &[&str] = &["ok", "failed", "skipped", "undone", "running"];

/// The text of the file.
pub fn text(run: &Measured) -> String {
    let mut out = String::new();
    let of_run = [("workflow", run.workflow.as_str())];
    let mut one = |name: &str, help: &str, value: f64| {
        family(&mut out, name, help, &[(labels(&of_run), value)]);
    };
    one("run_exit_code", "Exit code of the last run of the workflow.", f64::from(run.exit));
    one(
        "run_success",
        "Whether the last run did its work (exit code 0 or 1).",
        f64::from(u8::from(run.exit < 2)),
    );
    one("run_start_time_seconds", "When the last run began.", run.started);
    one("run_end_time_seconds", "When the last run ended.", run.ended);
    if let Some(at) = run.last_success {
        one("run_last_success_time_seconds", "When a run last ended with exit code 0 or 1.", at);
    }
    one("run_duration_seconds", "How long the last run took.", (run.ended - run.started).max(0.0));
    one("run_actions", "Changes that the last run made.", run.actions as f64);
    let others = run.steps.keys().map(String::as_str).filter(|s| !STATES.contains(s));
    let steps: Vec<(String, f64)> = STATES
        .iter()
        .copied()
        .chain(others)
        .map(|state| {
            let count = run.steps.get(state).copied().unwrap_or_default();
            (labels(&[of_run[0], ("state", state)]), count as f64)
        })
        .collect();
    family(&mut out, "run_steps", "Steps of the last run by their state.", &steps);
    checks(&mut out, &run.checks);
    out
}

fn checks(out: &mut String, checks: &[Checked]) {
    let mut standing = BTreeMap::new();
    let mut spans = BTreeMap::<String, f64>::new();
    for found in checks {
        let value: f64 = match found.status.as_str() {
            "pass" => 0.0,
            "warn" => 1.0,
            "fail" => 2.0,
            _ => -1.0,
        };
        // A check that says two things of a subject is as bad as the worse one.
        let key = labels(&[("check", found.check.as_str()), ("subject", found.subject.as_str())]);
        let worst = standing.entry(key).or_insert(value);
        *worst = value.max(*worst);
        let span = spans.entry(labels(&[("check", found.check.as_str())])).or_default();
        *span = span.max(found.seconds);
    }
    let standing: Vec<_> = standing.into_iter().collect();
    let spans: Vec<_> = spans.into_iter().collect();
    family(out, "check_status", "Standing of a check: 0 pass, 1 warn, 2 fail, -1 skipped.", &standing);
    family(out, "check_duration_seconds", "How long a check took.", &spans);
}

fn family(out: &mut String, name: &str, help: &str, samples: &[(String, f64)]) {
    if samples.is_empty() {
        return;
    }
    out.push_str(&format!("# HELP moonstack_{name} {help}\n# TYPE moonstack_{name} gauge\n"));
    for (labels, value) in samples {
        out.push_str(&format!("moonstack_{name}{labels} {value}\n"));
    }
}

fn labels(pairs: &[(&str, &str)]) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let words: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", words.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_with_checks_is_told_once_each_and_labels_are_escaped() {
        let found = |subject: &str, status: &str, seconds: f64| Checked {
            check: "disk".into(),
            subject: subject.into(),
            status: status.into(),
            seconds,
        };
        let checks =
            vec![found("/a\"b\\c\nd", "warn", 0.5), found("/x", "pass", 1.5), found("/x", "fail", 0.1)];
        let run = Measured {
            workflow: "nightly".into(),
            exit: 1,
            started: 10.0,
            ended: 12.5,
            last_success: Some(12.5),
            actions: 3,
            steps: [("ok".to_owned(), 2), ("odd".to_owned(), 1)].into(),
            checks,
        };
        let text = text(&run);
        for line in [
            "moonstack_run_exit_code{workflow=\"nightly\"} 1",
            "moonstack_run_success{workflow=\"nightly\"} 1",
            "moonstack_run_duration_seconds{workflow=\"nightly\"} 2.5",
            "moonstack_run_steps{workflow=\"nightly\",state=\"ok\"} 2",
            "moonstack_run_steps{workflow=\"nightly\",state=\"failed\"} 0",
            "moonstack_run_steps{workflow=\"nightly\",state=\"odd\"} 1",
            "moonstack_check_status{check=\"disk\",subject=\"/a\\\"b\\\\c\\nd\"} 1",
            "moonstack_check_status{check=\"disk\",subject=\"/x\"} 2",
            "moonstack_check_duration_seconds{check=\"disk\"} 1.5",
        ] {
            assert_eq!(text.lines().filter(|l| *l == line).count(), 1, "{line}\n{text}");
        }
        assert_eq!(text.matches("# TYPE ").count(), text.matches("# HELP ").count());
        let failed = Measured { exit: 2, last_success: None, ..run };
        assert!(super::text(&failed).contains("success{workflow=\"nightly\"} 0"));
        assert!(!super::text(&failed).contains("last_success"));
    }
}
