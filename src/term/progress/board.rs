//! What is going on: steps, the work within them, and the packages, items and checks within that. Knows nothing of
//! terminals; events go in, rows come out.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::world::Event;
use crate::world::scope::cancel::Cancel;
use crate::world::scope::event::Unit;

/// Where in a run something happens: what runs side by side has paths of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    pub step: Option<String>,
    pub path: String,
}

impl Place {
    /// Of the work that is being polled.
    pub fn current() -> Place {
        Cancel::current().map_or_else(Place::default, |scope| {
            let task_path = scope.task_path();
            Place { step: task_path.step.clone(), path: task_path.path.clone() }
        })
    }

    /// Whether this is within the work at another place.
    fn within(&self, other: &Place) -> bool {
        let below = |rest: &str| rest.is_empty() || rest.starts_with('.');
        self.step == other.step
            && !other.path.is_empty()
            && self.path.strip_prefix(other.path.as_str()).is_some_and(below)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Step,
    Work,
    Package,
    Item,
    Check,
}

#[derive(Debug)]
struct BoardRow {
    what: What,
    name: String,
    hash: Option<String>,
    place: Place,
    since: Instant,
    /// What is being done with it.
    phase: String,
    measure: Measure,
}

/// How far something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measure {
    pub done: u64,
    pub total: Option<u64>,
    pub unit: Unit,
}

/// One line of what is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// 0 for steps and for what belongs to none.
    pub depth: usize,
    pub name: String,
    pub phase: String,
    pub measure: Option<Measure>,
    pub since: Instant,
    /// Whether it may make way for others where there is little room.
    pub minor: bool,
}

/// What is going on.
#[derive(Debug, Default)]
pub struct Board {
    entries: Vec<BoardRow>,
    /// Checks that ended while others of the same step go on.
    checked: BTreeMap<Option<String>, u64>,
}

impl Board {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes an event in.
    pub fn see(&mut self, event: &Event, place: &Place, now: Instant) {
        let begin = |what, name: &str| BoardRow {
            what,
            name: name.to_owned(),
            hash: None,
            place: place.clone(),
            since: now,
            phase: String::new(),
            measure: Measure::default(),
        };
        match event {
            Event::StepStarted { name } => self.entries.push(begin(What::Step, name)),
            Event::StepFinished { name, .. } => self.end_step(name),
            Event::Started { what } => self.entries.push(begin(What::Work, what)),
            Event::Finished { what, .. } => self.end_work(what, place),
            Event::CheckStarted { name } => self.entries.push(begin(What::Check, name)),
            Event::CheckFinished { name, .. } => self.end_check(name, place),
            Event::ItemStarted { what, name, total, unit } => {
                let measure = Measure { done: 0, total: *total, unit: *unit };
                let name = item(what, name);
                self.entries.push(BoardRow { measure, ..begin(What::Item, &name) });
            }
            Event::ItemProgress { what, name, done, total, unit } => {
                let name = item(what, name);
                if let Some(entry) = self.newest(What::Item, &name, place) {
                    let total = total.or(entry.measure.total);
                    entry.measure = Measure { done: *done, total, unit: *unit };
                }
            }
            Event::ItemFinished { what, name, .. } => {
                drop(self.take(What::Item, &item(what, name), place));
            }
            _ => self.see_package(event, place, now),
        }
    }

    fn see_package(&mut self, event: &Event, place: &Place, now: Instant) {
        match event {
            Event::PackageStarted { name, hash, of, .. } => {
                if let (Some(of), Some(work)) = (of, self.work(place)) {
                    work.measure.total = Some(u64::from(*of));
                }
                self.package(name, hash.as_deref(), place, now);
            }
            Event::PackagePhase { name, phase } => {
                phase.clone_into(&mut self.package(name, None, place, now).phase);
            }
            Event::PackageFromCache { name, hash } => {
                let package = self.package(name, hash.as_deref(), place, now);
                package.phase = String::from("from a build cache");
            }
            Event::PackageFinished { name, hash } | Event::PackageFailed { name, hash, .. } => {
                self.end_package(name, hash.as_deref(), place);
                if let Some(work) = self.work(place) {
                    work.measure.done += 1;
                }
            }
            Event::PackagePresent { prefix } => {
                let hash = prefix.get(prefix.len().saturating_sub(32)..).unwrap_or_default();
                self.entries.retain(|e| e.what != What::Package || e.hash.as_deref() != Some(hash));
            }
            _ => {}
        }
    }

    /// The program at that place.
    fn work(&mut self, place: &Place) -> Option<&mut BoardRow> {
        self.entries.iter_mut().rev().find(|e| e.what == What::Work && e.place == *place)
    }

    /// The package of that hash; without a hash, one of that name.
    fn package(&mut self, name: &str, hash: Option<&str>, place: &Place, now: Instant) -> &mut BoardRow {
        let found = self.entries.iter().position(|e| e.is_package(name, hash, place));
        let at = found.unwrap_or(self.entries.len());
        if found.is_none() {
            self.entries.push(BoardRow {
                what: What::Package,
                name: name.to_owned(),
                hash: hash.map(str::to_owned),
                place: place.clone(),
                since: now,
                phase: String::new(),
                measure: Measure::default(),
            });
        }
        &mut self.entries[at]
    }

    fn end_package(&mut self, name: &str, hash: Option<&str>, place: &Place) {
        if let Some(at) = self.entries.iter().position(|e| e.is_package(name, hash, place)) {
            self.entries.remove(at);
        }
    }

    /// With it goes all that belongs to it.
    fn end_step(&mut self, name: &str) {
        self.entries.retain(|e| {
            let own = e.what == What::Step && e.name == name;
            !own && (e.what == What::Step || e.place.step.as_deref() != Some(name))
        });
        self.checked.remove(&Some(name.to_owned()));
    }

    fn end_work(&mut self, what: &str, place: &Place) {
        let Some(ended) = self.take(What::Work, what, place) else { return };
        self.entries.retain(|e| e.what != What::Package || e.place != ended.place);
    }

    fn end_check(&mut self, name: &str, place: &Place) {
        let Some(ended) = self.take(What::Check, name, place) else { return };
        let step = ended.place.step;
        if self.entries.iter().any(|e| e.what == What::Check && e.place.step == step) {
            *self.checked.entry(step).or_default() += 1;
        } else {
            self.checked.remove(&step);
        }
    }

    fn newest(&mut self, what: What, name: &str, place: &Place) -> Option<&mut BoardRow> {
        let at = self.find(what, name, place)?;
        self.entries.get_mut(at)
    }

    fn take(&mut self, what: What, name: &str, place: &Place) -> Option<BoardRow> {
        self.find(what, name, place).map(|at| self.entries.remove(at))
    }

    /// What was cancelled tells of its end from nowhere: then the name alone decides.
    fn find(&self, what: What, name: &str, place: &Place) -> Option<usize> {
        let named = |e: &BoardRow| e.what == what && e.name == name;
        let here = self.entries.iter().rposition(|e| named(e) && e.place == *place);
        here.or_else(|| self.entries.iter().rposition(named))
    }

    /// From outer to inner, in the order in which things began.
    pub fn rows(&self) -> Vec<Row> {
        let steps = self.entries.iter().filter(|e| e.what == What::Step);
        let mut rows = Vec::new();
        for step in steps.clone() {
            rows.push(step.row(0));
            self.within(Some(&step.name), 1, &mut rows);
        }
        // A step is not told of where a run goes on after a crash; its work is shown all the same.
        let mut rest: Vec<Option<&str>> = Vec::new();
        for entry in self.entries.iter().filter(|e| e.what != What::Step) {
            let step = entry.place.step.as_deref();
            if !rest.contains(&step) && !steps.clone().any(|s| Some(s.name.as_str()) == step) {
                rest.push(step);
            }
        }
        for step in rest {
            self.within(step, 0, &mut rows);
        }
        rows
    }

    /// The rows below a step.
    fn within(&self, step: Option<&str>, depth: usize, rows: &mut Vec<Row>) {
        let own = |what: What| {
            self.entries.iter().filter(move |e| e.what == what && e.place.step.as_deref() == step)
        };
        rows.extend(self.checks(step, depth));
        let work = own(What::Work).filter(|w| !own(What::Check).any(|check| w.place.within(&check.place)));
        for work in work {
            rows.push(work.row(depth));
            let packages = own(What::Package).filter(|p| p.place == work.place);
            rows.extend(packages.map(|p| p.row(depth + 1)));
        }
        rows.extend(own(What::Item).map(|i| i.row(depth)));
    }

    /// All checks of a step in one row: how many, and which has been running for longest.
    fn checks(&self, step: Option<&str>, depth: usize) -> Option<Row> {
        let running =
            || self.entries.iter().filter(|e| e.what == What::Check && e.place.step.as_deref() == step);
        let slowest = running().min_by_key(|e| e.since)?;
        let done = self.checked.get(&step.map(str::to_owned)).copied().unwrap_or(0);
        let total = done + running().count() as u64;
        Some(Row {
            depth,
            name: String::from("checks"),
            phase: slowest.name.clone(),
            measure: Some(Measure { done, total: Some(total), unit: Unit::Count }),
            since: slowest.since,
            minor: false,
        })
    }
}

impl BoardRow {
    fn is_package(&self, name: &str, hash: Option<&str>, place: &Place) -> bool {
        let same = match (hash, &self.hash) {
            (Some(hash), Some(own)) => own == hash,
            _ => self.name == name,
        };
        self.what == What::Package && same && self.place == *place
    }

    fn row(&self, depth: usize) -> Row {
        let measured = self.what == What::Item || self.measure.total.is_some();
        Row {
            depth,
            name: self.name.clone(),
            phase: self.phase.clone(),
            measure: measured.then_some(self.measure),
            since: self.since,
            minor: matches!(self.what, What::Package | What::Item),
        }
    }
}

fn item(what: &str, name: &str) -> String {
    format!("{what} {name}")
}
