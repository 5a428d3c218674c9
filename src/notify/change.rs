//! The end of a run, and who is told of it: somebody when it begins to fail and when it recovers, not each night
//! that it still fails.

use futures_util::future::join_all;
use serde_json::{Map, Value};

use super::message::{Message, Status};
use super::route::{Delivery, Route};
use crate::base::words;
use crate::site::Cx;
use crate::site::channels::On;
use crate::world::scope::cancel::Cancel;

/// Lines of each list that a message shows.
const SHOWN: usize = 40;

/// How a run ended, and how the one before it.
#[derive(Debug, Clone, Default)]
pub struct RunEnd {
    /// The workflow's name.
    pub name: String,
    pub run: Option<i64>,
    /// The exit code.
    pub exit: u8,
    /// That of the last run of the same name that did something; none when it is the first.
    pub previous: Option<u8>,
    /// What it ended with: the error, or its own summary.
    pub message: Option<String>,
    pub seconds: f64,
    pub host: String,
    pub user: String,
    /// Lines of what happened.
    pub digest: Vec<String>,
    /// Findings that are not as they were.
    pub changed: Vec<Changed>,
}

/// A finding of a check that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The check, with its subject.
    pub what: String,
    /// `pass`, `warn`, `fail`, `skipped`.
    pub from: String,
    /// As above, or `gone`.
    pub to: String,
}

/// How loudly the end of a run is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    None,
    Note,
    Page,
}

/// How it stands, as far as telling goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fine,
    /// Done, with warnings.
    Attention,
    Failing,
}

/// Another instance was running: nothing was done, and nothing is known.
const BUSY: u8 = 5;

impl State {
    fn of(exit: u8) -> State {
        match exit {
            // `plan --check` that found changes did what it was asked.
            0 | 6 => State::Fine,
            1 => State::Attention,
            _ => State::Failing,
        }
    }
}

impl RunEnd {
    fn state(&self) -> State {
        State::of(self.exit)
    }

    fn before(&self) -> State {
        self.previous.filter(|exit| *exit != BUSY).map_or(State::Fine, State::of)
    }

    fn status(&self) -> Status {
        match (self.exit, self.before()) {
            (0 | 6, State::Fine) => Status::Ok,
            (0 | 6, _) => Status::Recovered,
            (1, _) => Status::Warning,
            (3, _) => Status::Unknown,
            _ => Status::Failed,
        }
    }

    /// "nightly failed", "nightly recovered".
    fn title(&self) -> String {
        let again = self.state() == self.before();
        let how = match (self.exit, again) {
            (0 | 6, true) => "went well",
            (0 | 6, false) => "recovered",
            (1, true) => "still needs attention",
            (1, false) => "needs attention",
            (3, false) => "could not tell or could not start",
            (4, false) => "was refused by a guard",
            (130, false) => "was interrupted",
            (_, true) => "still fails",
            (_, false) => "failed",
        };
        format!("{} {how}", self.name)
    }

    fn text(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.message.clone());
        let changed: Vec<String> =
            self.changed.iter().map(|c| format!("{}: {} -> {}", c.what, c.from, c.to)).collect();
        parts.extend([some(&changed), some(&self.digest)].into_iter().flatten());
        parts.join("\n\n")
    }

    fn facts(&self) -> Map<String, Value> {
        let span = std::time::Duration::try_from_secs_f64(self.seconds).map(words::span).unwrap_or_default();
        let mut facts = Map::new();
        facts.insert("workflow".into(), self.name.as_str().into());
        facts.insert("exit".into(), self.exit.into());
        if let Some(previous) = self.previous {
            facts.insert("exit before".into(), previous.into());
        }
        facts.insert("took".into(), span.into());
        facts.insert("user".into(), self.user.as_str().into());
        facts
    }

    fn as_message(&self, cx: &Cx, severity: Severity) -> Message {
        let message = Message::new(cx, &self.title(), &self.text());
        Message {
            status: self.status(),
            facts: self.facts(),
            run: self.run.or(message.run),
            host: if self.host.is_empty() { message.host } else { self.host.clone() },
            urgent: severity == Severity::Page,
            ..message
        }
    }
}

/// The first lines, and how many more there are.
fn some(lines: &[String]) -> Option<String> {
    let mut shown: Vec<String> = lines.iter().take(SHOWN).cloned().collect();
    if lines.len() > SHOWN {
        shown.push(format!("… and {} more", lines.len() - SHOWN));
    }
    (!shown.is_empty()).then(|| shown.join("\n"))
}

/// How loudly to tell of it, where no policy says otherwise: a page when it begins to fail, a note when it changes in
/// another way or when other findings than before are bad, and nothing when all is as it was.
pub fn severity(end: &RunEnd) -> Severity {
    if end.exit == BUSY {
        return Severity::None;
    }
    let (now, before) = (end.state(), end.before());
    if now == State::Failing && before != State::Failing {
        return Severity::Page;
    }
    let bad = |status: &str| matches!(status, "warn" | "fail");
    let moved = end.changed.iter().any(|c| bad(&c.from) || bad(&c.to));
    if now != before || (moved && now != State::Fine) { Severity::Note } else { Severity::None }
}

/// Whether a channel is told.
fn wanted(on: On, end: &RunEnd, severity: Severity) -> bool {
    match on {
        _ if end.exit == BUSY => false,
        On::Change => severity != Severity::None,
        On::Always => true,
        On::Failure => end.state() != State::Fine,
    }
}

/// Tells the channels of the site that want to know, as loudly as is said; those that want every failure or every
/// run are told whatever that is. Bounded in time, and never an error: what could not be delivered is a warning, and
/// in what is returned.
pub async fn tell(cx: &Cx, end: &RunEnd, severity: Severity) -> Vec<Delivery> {
    let channels = &cx.site.loaded.config.notify;
    let wanted: Vec<_> = channels.iter().filter(|(_, c)| wanted(c.on, end, severity)).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let message = end.as_message(cx, severity);
    let work = wanted.into_iter().map(|(name, channel)| {
        let message = &message;
        async move {
            let sent = match Route::of(name, channel) {
                Ok(route) => route.send(cx, message).await,
                Err(trouble) => Err(trouble),
            };
            sent.unwrap_or_else(|trouble| {
                cx.world.warn(format!("{name}: not delivered: {trouble}"));
                let error = Some(trouble.message().to_owned());
                Delivery { channel: name.clone(), delivered: false, attempts: 0, error, seconds: 0.0 }
            })
        }
    });
    // The run's own scope may be cancelled, and that is what is to be told.
    Cancel::default().enter(join_all(work)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(previous: Option<u8>, exit: u8) -> RunEnd {
        RunEnd { name: "nightly".into(), exit, previous, ..RunEnd::default() }
    }

    #[test]
    fn who_is_told_of_which_change() {
        use Severity::{None as Nothing, Note, Page};
        // before, now, severity, title, (change, failure, always)
        for (before, now, loud, title, told) in [
            (None, 0, Nothing, "nightly went well", (false, false, true)),
            (None, 2, Page, "nightly failed", (true, true, true)),
            (Some(0), 2, Page, "nightly failed", (true, true, true)),
            (Some(2), 2, Nothing, "nightly still fails", (false, true, true)),
            (Some(2), 4, Nothing, "nightly still fails", (false, true, true)),
            (Some(2), 0, Note, "nightly recovered", (true, false, true)),
            (Some(0), 1, Note, "nightly needs attention", (true, true, true)),
            (Some(1), 1, Nothing, "nightly still needs attention", (false, true, true)),
            (Some(1), 2, Page, "nightly failed", (true, true, true)),
            (Some(2), 1, Note, "nightly needs attention", (true, true, true)),
            (Some(1), 0, Note, "nightly recovered", (true, false, true)),
            (Some(0), 3, Page, "nightly could not tell or could not start", (true, true, true)),
            (Some(0), 4, Page, "nightly was refused by a guard", (true, true, true)),
            (Some(0), 130, Page, "nightly was interrupted", (true, true, true)),
            (Some(0), 6, Nothing, "nightly went well", (false, false, true)),
            (Some(0), 5, Nothing, "nightly failed", (false, false, false)),
            (Some(5), 2, Page, "nightly failed", (true, true, true)),
        ] {
            let end = end(before, now);
            let loudness = severity(&end);
            assert_eq!(loudness, loud, "{before:?} -> {now}");
            assert_eq!(end.title(), title, "{before:?} -> {now}");
            let got = [On::Change, On::Failure, On::Always].map(|on| wanted(on, &end, loudness));
            assert_eq!((got[0], got[1], got[2]), told, "{before:?} -> {now}");
        }
    }

    #[test]
    fn another_finding_that_is_bad_is_news_while_the_run_needs_attention() {
        let mut end = end(Some(1), 1);
        end.changed = vec![Changed { what: "disk /a".into(), from: "skipped".into(), to: "pass".into() }];
        assert_eq!(severity(&end), Severity::None);
        end.changed.push(Changed { what: "git".into(), from: "warn".into(), to: "gone".into() });
        assert_eq!(severity(&end), Severity::Note);
        end.digest = (0..50).map(|n| format!("line {n}")).collect();
        assert!(end.text().ends_with("line 39\n… and 10 more"), "{}", end.text());
        assert!(end.text().contains("git: warn -> gone"));
    }
}
