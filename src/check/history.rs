//! Findings in the state database: what a sweep found, what was found before, and since when it is so.

use rusqlite::{Connection, OptionalExtension as _, params};
use schemars::JsonSchema;
use serde::Serialize;

use super::finding::Finding;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;

/// Findings older than this are forgotten.
const KEPT_SECONDS: f64 = 180.0 * 86_400.0;

/// What keeping a sweep told.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Recorded {
    /// Name of the sweep.
    pub sweep: String,
    /// What is not as it was.
    pub changes: Vec<Change>,
}

/// A status that is not what it was at the sweep before.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    pub check: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// `pass`, `warn`, `fail`, `skipped`.
    pub from: String,
    /// As above, or `gone` when the check no longer reports this.
    pub to: String,
}

/// A kept finding.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct KeptFinding {
    pub sweep: String,
    /// Unix seconds.
    pub at: f64,
    pub check: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub status: String,
    pub message: String,
    /// Since when it has had this status without a break, Unix seconds.
    pub since: f64,
}

/// Keeps the findings of one sweep and says what changed.
pub fn record(cx: &Cx, findings: &[Finding]) -> Result<Recorded> {
    let at = cx.world.clock.seconds();
    let run = cx.site.journal.run()?;
    let sweep = format!("{run}-{at:.3}");
    let bodies: Vec<String> = findings
        .iter()
        .map(|f| serde_json::to_string(f).map_err(|e| Trouble::new(Kind::Internal, e.to_string())))
        .collect::<Result<_>>()?;
    cx.site.store.with(|connection| {
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut changes = Vec::new();
        for finding in findings {
            changes.extend(change(&transaction, finding, i64::MAX)?);
        }
        changes.extend(gone(&transaction, findings, i64::MAX)?);
        for (finding, body) in findings.iter().zip(&bodies) {
            transaction.execute(
                "INSERT INTO findings (run, sweep, at, name, subject, status, message, body)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    run,
                    sweep,
                    at,
                    finding.check,
                    finding.subject,
                    finding.status.name(),
                    finding.message,
                    body
                ],
            )?;
        }
        transaction.execute("DELETE FROM findings WHERE at < ?", [at - KEPT_SECONDS])?;
        transaction.commit()?;
        Ok(Recorded { sweep: sweep.clone(), changes })
    })
}

/// What the last sweep of a run found, and what of it was not so before.
pub fn of_run(cx: &Cx, run: i64) -> Result<(Vec<Finding>, Vec<Change>)> {
    cx.site.store.with(|connection| {
        let last: Option<(String, i64)> = connection
            .query_row(
                "SELECT sweep, min(id) FROM findings WHERE sweep =
                 (SELECT sweep FROM findings WHERE run = ? ORDER BY id DESC LIMIT 1) GROUP BY sweep",
                [run],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        let Some((sweep, first)) = last else { return Ok(Default::default()) };
        let findings: Vec<Finding> = connection
            .prepare("SELECT body FROM findings WHERE sweep = ? ORDER BY id")?
            .query_map([sweep], |row| row.get::<_, String>(0))?
            .filter_map(|body| body.map(|body| serde_json::from_str(&body).ok()).transpose())
            .collect::<rusqlite::Result<_>>()?;
        let mut changes = Vec::new();
        for finding in &findings {
            changes.extend(change(connection, finding, first)?);
        }
        changes.extend(gone(connection, &findings, first)?);
        Ok((findings, changes))
    })
}

/// Rows from `end` on are not looked at.
fn change(connection: &Connection, finding: &Finding, end: i64) -> rusqlite::Result<Option<Change>> {
    let before: Option<String> = connection
        .query_row(
            "SELECT status FROM findings WHERE name = ? AND subject IS ? AND id < ?
             ORDER BY at DESC, id DESC LIMIT 1",
            params![finding.check, finding.subject, end],
            |row| row.get(0),
        )
        .optional()?;
    let to = finding.status.name();
    Ok(before.filter(|from| from != to).map(|from| Change {
        check: finding.check.clone(),
        subject: finding.subject.clone(),
        from,
        to: to.to_owned(),
    }))
}

/// Warnings and failures of a check's last sweep that it does not report now.
fn gone(connection: &Connection, findings: &[Finding], end: i64) -> rusqlite::Result<Vec<Change>> {
    let mut names: Vec<&str> = findings.iter().map(|f| f.check.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut statement = connection.prepare(
        "SELECT subject, status FROM findings WHERE name = ?1 AND status IN ('warn', 'fail') AND sweep =
         (SELECT sweep FROM findings WHERE name = ?1 AND id < ?2 ORDER BY at DESC, id DESC LIMIT 1)",
    )?;
    let mut out = Vec::new();
    for name in names {
        let rows = statement.query_map(params![name, end], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for row in rows {
            let (subject, from): (Option<String>, String) = row?;
            if !findings.iter().any(|f| f.check == name && f.subject == subject) {
                out.push(Change { check: name.to_owned(), subject, from, to: "gone".to_owned() });
            }
        }
    }
    Ok(out)
}

/// The latest findings first, of one check or of all.
pub fn list(cx: &Cx, check: Option<&str>, limit: u32) -> Result<Vec<KeptFinding>> {
    cx.site.store.with(|connection| {
        let mut statement = connection.prepare(
            "SELECT sweep, at, name, subject, status, message FROM findings
             WHERE ?1 IS NULL OR name = ?1 ORDER BY at DESC, id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![check, limit], |row| {
            Ok(KeptFinding {
                sweep: row.get(0)?,
                at: row.get(1)?,
                check: row.get(2)?,
                subject: row.get(3)?,
                status: row.get(4)?,
                message: row.get(5)?,
                since: 0.0,
            })
        })?;
        let mut kept = rows.collect::<rusqlite::Result<Vec<KeptFinding>>>()?;
        for row in &mut kept {
            row.since = since(connection, row)?;
        }
        Ok(kept)
    })
}

fn since(connection: &Connection, row: &KeptFinding) -> rusqlite::Result<f64> {
    connection
        .prepare_cached(
            "SELECT min(at) FROM findings WHERE name = ?1 AND subject IS ?2 AND at <= ?4 AND at > coalesce(
             (SELECT max(at) FROM findings WHERE name = ?1 AND subject IS ?2 AND status <> ?3 AND at <= ?4), -1)",
        )?
        .query_row(params![row.check, row.subject, row.status, row.at], |r| {
            Ok(r.get::<_, Option<f64>>(0)?.unwrap_or(row.at))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Clock;
    use crate::check::sweep::tests::context;

    fn found(check: &str, subject: Option<&str>, finding: Finding) -> Finding {
        Finding { check: check.into(), subject: subject.map(str::to_owned), ..finding }
    }

    #[test]
    fn what_is_new_and_what_is_gone_is_told_and_since_is_kept() {
        let mut cx = context("");
        cx.world.clock = Clock::stopped(1_000);
        let disk = |f: Finding| found("disk", Some("/a"), f);
        let first =
            record(&cx, &[disk(Finding::pass("fine")), found("git", None, Finding::warn("old"))]).unwrap();
        assert_eq!(first.changes, []);
        cx.world.clock.advance(10);
        let second =
            record(&cx, &[disk(Finding::fail("full")), found("git", None, Finding::warn("old"))]).unwrap();
        let told: Vec<_> =
            second.changes.iter().map(|c| (c.check.as_str(), c.from.as_str(), c.to.as_str())).collect();
        assert_eq!(told, [("disk", "pass", "fail")]);
        cx.world.clock.advance(10);
        let third = record(&cx, &[found("disk", None, Finding::pass("fine"))]).unwrap();
        assert_eq!(third.changes.len(), 1);
        assert_eq!((third.changes[0].subject.as_deref(), third.changes[0].to.as_str()), (Some("/a"), "gone"));
        let run = cx.site.journal.run().unwrap();
        assert_eq!(of_run(&cx, run).unwrap().1, third.changes, "the same is known later");
        assert_eq!(of_run(&cx, run + 1).unwrap(), (vec![], vec![]));
        let git = list(&cx, Some("git"), 10).unwrap();
        assert_eq!(
            git.iter().map(|k| (k.at, k.since)).collect::<Vec<_>>(),
            [(1010.0, 1000.0), (1000.0, 1000.0)]
        );
        let disk = list(&cx, Some("disk"), 1).unwrap();
        assert_eq!((disk.len(), disk[0].at, disk[0].subject.as_deref()), (1, 1020.0, None));
    }

    #[test]
    fn old_findings_are_forgotten() {
        let mut cx = context("");
        cx.world.clock = Clock::stopped(0);
        record(&cx, &[found("git", None, Finding::pass("fine"))]).unwrap();
        cx.world.clock.advance(181 * 86_400);
        record(&cx, &[found("git", None, Finding::pass("fine"))]).unwrap();
        assert_eq!(list(&cx, None, 10).unwrap().len(), 1);
    }
}
