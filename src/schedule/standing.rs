//! How the schedules of the site file stand: when each is due next, how its last run went, and what is overdue.

use jiff::{SignedDuration, Timestamp, Zoned};
use serde::Serialize;

use super::when::Schedule;
use crate::base::{Kind, Result, Trouble};
use crate::runs::latest;
use crate::runs::read::{RunRow, RunState};
use crate::site::Cx;
use crate::site::config::ScheduleConfig;

/// One schedule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    pub name: String,
    pub workflow: String,
    pub on: String,
    pub cron: String,
    /// RFC 3339, in the local zone.
    pub next: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Last>,
    pub overdue: bool,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Its last run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Last {
    pub run: i64,
    pub state: RunState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<u8>,
    /// RFC 3339, in the local zone.
    pub started: String,
    pub age_seconds: f64,
}

/// The schedule of the site file, or what is wrong with it.
pub fn schedule(name: &str, config: &ScheduleConfig) -> Result<Schedule> {
    Schedule::parse(&config.on).map_err(|t| {
        let told =
            Trouble::new(Kind::Configuration, format!("site file: schedule.{name}.on: {}", t.message()));
        t.hints().iter().fold(told, Trouble::hint)
    })
}

/// How a schedule stands at a time, whose zone is the one that cron works in.
pub fn standing(cx: &Cx, name: &str, config: &ScheduleConfig, now: &Zoned) -> Result<Standing> {
    let schedule = schedule(name, config)?;
    let store = &cx.site.store;
    let run = if store.path().exists() {
        latest::of_command(store, &config.workflow, &config.options)?
    } else {
        None
    };
    let why = overdue(&schedule, run.as_ref(), known_since(cx, name), now);
    Ok(Standing {
        name: name.to_owned(),
        workflow: config.workflow.clone(),
        on: config.on.clone(),
        cron: schedule.cron(),
        next: schedule.next(now).map(|next| shown(&next)),
        last: run.as_ref().map(|run| Last {
            run: run.id,
            state: run.state,
            exit: run.exit,
            started: shown(&local(run.started, now)),
            age_seconds: now.timestamp().as_second() as f64 - run.started,
        }),
        overdue: why.is_some(),
        why,
    })
}

/// When the file that has the schedule was last changed: nothing can be overdue that was due before.
fn known_since(cx: &Cx, name: &str) -> Option<Timestamp> {
    let file = cx.site.loaded.origins.get(&format!("schedule.{name}.on"))?;
    let stat = cx.world.eyes.lstat(std::path::Path::new(file)).ok()?;
    Timestamp::try_from(stat.modified).ok()
}

/// Why somebody should look after it.
fn overdue(
    schedule: &Schedule,
    run: Option<&RunRow>,
    since: Option<Timestamp>,
    now: &Zoned,
) -> Option<String> {
    if let Some(run) = run {
        let how = match run.state {
            RunState::Failed => Some("failed"),
            RunState::Interrupted => Some("was interrupted and has no end on record"),
            RunState::Refused => Some("was refused"),
            RunState::Cancelled => Some("was cancelled"),
            RunState::Running | RunState::Ok | RunState::Warning => None,
        };
        if let Some(how) = how {
            let message = run.message.as_ref().and_then(|m| m.lines().next());
            let message = message.map(|m| format!(": {m}")).unwrap_or_default();
            return Some(format!("run {} {how}{message}", run.id));
        }
    }
    let due = schedule.previous(now)?;
    let before = schedule.previous(&due.checked_sub(SignedDuration::from_secs(1)).ok()?)?;
    let at = before.timestamp();
    match run {
        Some(run) if run.started >= at.as_second() as f64 => None,
        None if since.is_some_and(|since| since > at) => None,
        _ => Some(format!("no run has begun since {}", before.strftime("%F %H:%M"))),
    }
}

fn local(seconds: f64, now: &Zoned) -> Zoned {
    let time = Timestamp::from_microsecond((seconds * 1e6) as i64).unwrap_or(Timestamp::UNIX_EPOCH);
    time.to_zoned(now.time_zone().clone())
}

fn shown(time: &Zoned) -> String {
    time.strftime("%FT%T%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(state: RunState, started: &str) -> RunRow {
        let started: Zoned = started.parse().unwrap();
        RunRow {
            id: 7,
            kind: "run".into(),
            script: "nightly".into(),
            state,
            exit: None,
            message: Some("no space\nat all".into()),
            user: "u".into(),
            host: "h".into(),
            pid: 1,
            attempt: 1,
            actions: 0,
            started: started.timestamp().as_second() as f64,
            ended: None,
        }
    }

    #[test]
    fn two_periods_without_a_run_are_too_many() {
        use RunState::{Failed, Interrupted, Ok, Running, Warning};
        let zone = "[Europe/Berlin]";
        for (on, now, last, why) in [
            ("daily 02:00", "2026-06-10T12:00", Some((Ok, "2026-06-10T02:00")), None),
            ("daily 02:00", "2026-06-10T12:00", Some((Warning, "2026-06-09T02:00")), None),
            (
                "daily 02:00",
                "2026-06-10T12:00",
                Some((Ok, "2026-06-08T02:00")),
                Some("since 2026-06-09 02:00"),
            ),
            ("daily 02:00", "2026-06-10T01:59", Some((Ok, "2026-06-08T02:00")), None),
            (
                "daily 02:00",
                "2026-06-10T12:00",
                Some((Running, "2026-06-08T02:00")),
                Some("since 2026-06-09"),
            ),
            (
                "daily 02:00",
                "2026-06-10T12:00",
                Some((Failed, "2026-06-10T02:00")),
                Some("run 7 failed: no space"),
            ),
            ("daily 02:00", "2026-06-10T12:00", Some((Interrupted, "2026-06-10T02:00")), Some("interrupted")),
            // A week-end is no time without a run.
            ("weekdays 06:00", "2026-06-08T05:00", Some((Ok, "2026-06-04T06:00")), None),
            ("weekdays 06:00", "2026-06-08T07:00", Some((Ok, "2026-06-04T06:00")), Some("since 2026-06-05")),
            // Nor is the hour that a clock skips.
            ("daily 02:30", "2026-03-29T12:00", Some((Ok, "2026-03-29T03:00")), None),
            ("every 15m", "2026-06-10T12:00", Some((Ok, "2026-06-10T11:40")), Some("since 2026-06-10 11:45")),
            ("daily 02:00", "2026-06-10T12:00", None, Some("since 2026-06-09 02:00")),
        ] {
            let now: Zoned = format!("{now}{zone}").parse().unwrap();
            let last = last.map(|(state, at)| run(state, &format!("{at}{zone}")));
            let schedule = Schedule::parse(on).unwrap();
            let said = overdue(&schedule, last.as_ref(), None, &now);
            match why {
                Some(why) => {
                    assert!(said.as_deref().is_some_and(|s| s.contains(why)), "{on} {now}: {said:?}");
                }
                None => assert_eq!(said, None, "{on} {now}"),
            }
            if last.is_none() {
                let since = now.timestamp() - SignedDuration::from_hours(1);
                assert_eq!(overdue(&schedule, None, Some(since), &now), None, "it is new");
            }
        }
    }
}
