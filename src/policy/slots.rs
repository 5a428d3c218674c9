//! The slots of this build. To add one: a struct with its facts, an `impl Question`, a line in [`SLOTS`].

use std::borrow::Cow;
use std::time::Duration;

use rhai::Dynamic;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::slot::{Answer, Question, Slot};
use crate::base::{Kind, Result, Trouble};

/// Every slot, in the order of the documentation.
pub static SLOTS: &[Slot] = &[Slot::of::<Retry>(), Slot::of::<Keep>(), Slot::of::<Alert>()];

/// The slot of that name.
pub fn slot(name: &str) -> Result<&'static Slot> {
    SLOTS
        .iter()
        .find(|s| s.name == name)
        .ok_or_else(|| Trouble::unknown("policy", name, SLOTS.iter().map(|s| s.name)))
}

/// Asked after a failure: whether to try again, and how long to wait before.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How many attempts were made; 1 after the first failure.
    pub attempt: u32,
    /// How many attempts are allowed.
    pub max: u32,
    /// The kind of error.
    pub kind: ErrorKind,
    /// What the error says.
    pub message: String,
    /// Seconds since the first attempt began.
    pub seconds: f64,
    /// What was tried.
    pub name: String,
}

impl Question for Retry {
    type Answer = Delay;
    const SLOT: &'static str = "retry";
    const DEFAULT: &'static str = r#"if attempt < max && kind in ["network", "fetch", "timeout", "lock", "busy"] { min(2.0 ** attempt, 300.0) } else { false }"#;
    const EXAMPLE: &'static str = r#"if kind == "network" && seconds < 3600 { 60 } else { false }"#;
    fn sample() -> Retry {
        Retry {
            attempt: 1,
            max: 3,
            kind: ErrorKind(Kind::Network),
            message: String::from("connection reset by peer"),
            seconds: 12.5,
            name: String::from("fetch hdf5"),
        }
    }
}

/// A kind of error by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorKind(pub Kind);

impl Serialize for ErrorKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for ErrorKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Kind::named(&name)
            .map(ErrorKind)
            .ok_or_else(|| D::Error::custom(format!("there is no kind of error '{name}'")))
    }
}

impl JsonSchema for ErrorKind {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "ErrorKind".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = Kind::ALL.iter().map(|k| k.name()).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

/// How long to wait before the next attempt; none: do not try again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delay(pub Option<Duration>);

impl Serialize for Delay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(wait) => serializer.serialize_f64(wait.as_secs_f64()),
            None => serializer.serialize_bool(false),
        }
    }
}

impl Answer for Delay {
    const WORDS: &'static str = "seconds to wait, or false for no further attempt";
    fn read(value: &Dynamic) -> Option<Delay> {
        if let Ok(again) = value.as_bool() {
            // `true` does not say how long.
            return (!again).then_some(Delay(None));
        }
        let seconds = value.as_float().or_else(|_| value.as_int().map(|n| n as f64)).ok()?;
        Duration::try_from_secs_f64(seconds).ok().map(|wait| Delay(Some(wait)))
    }
}

/// Asked for each thing that retention judges: whether to keep it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// What it is: the log and journal of a run, a snapshot, or a generation.
    pub kind: RecordKind,
    /// Name of the workflow, the environment or the generations.
    pub name: String,
    /// Days since it was made, with fraction.
    pub age_days: f64,
    /// How many of the same name are newer; 0 is the newest.
    pub rank: u32,
    /// Whether it ended well.
    pub ok: bool,
    /// Exit code of the run; -1 if it has none.
    pub exit: i32,
    /// Whether somebody pinned it.
    pub pinned: bool,
    /// Whether it is the newest of its name that ended well.
    pub last_good: bool,
    /// Its size.
    pub bytes: u64,
}

/// What retention judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    Run,
    Snapshot,
    Generation,
}

impl Question for Keep {
    type Answer = bool;
    const SLOT: &'static str = "keep";
    const DEFAULT: &'static str = "rank < 20 || age_days < 90 || pinned || last_good";
    const EXAMPLE: &'static str = "age_days < 30 || pinned || (!ok && age_days < 180)";
    fn sample() -> Keep {
        Keep {
            kind: RecordKind::Run,
            name: String::from("health-sweep"),
            age_days: 45.5,
            rank: 30,
            ok: true,
            exit: 0,
            pinned: false,
            last_good: false,
            bytes: 48_000,
        }
    }
}

/// Asked for each finding of a sweep and each end of a workflow: whether to tell somebody.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// A finding of a check, or the end of a run.
    pub what: Subject,
    /// Name of the check or workflow.
    pub name: String,
    /// How it stands.
    pub status: Standing,
    /// How it stood before; empty the first time.
    pub previous: Standing,
    /// How many times in a row it stood like this, this time included.
    pub repeats: u32,
    /// Hours since it last stood otherwise.
    pub hours_since_change: f64,
    /// One line for people.
    pub message: String,
    /// Name of the host.
    pub host: String,
    /// Hour of the day there, 0 to 23.
    pub hour: u8,
}

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    Finding,
    Run,
}

/// How a check or workflow stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Pass,
    Skipped,
    Warn,
    Fail,
    #[serde(rename = "")]
    Unknown,
}

/// Whether and how loudly to tell somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Alarm {
    None,
    Note,
    Page,
}

impl Answer for Alarm {
    const WORDS: &'static str = r#""none", "note" or "page""#;
    fn read(value: &Dynamic) -> Option<Alarm> {
        match value.read_lock::<rhai::ImmutableString>()?.as_str() {
            "none" => Some(Alarm::None),
            "note" => Some(Alarm::Note),
            "page" => Some(Alarm::Page),
            _ => None,
        }
    }
}

impl Question for Alert {
    type Answer = Alarm;
    const SLOT: &'static str = "alert";
    const DEFAULT: &'static str = r#"if status == "fail" && previous != "fail" { "page" } else if status == "warn" && previous != "warn" || status == "pass" && previous in ["warn", "fail"] { "note" } else { "none" }"#;
    const EXAMPLE: &'static str =
        r#"if status == "fail" && repeats == 3 && hour in 8..18 { "page" } else { "none" }"#;
    fn sample() -> Alert {
        Alert {
            what: Subject::Finding,
            name: String::from("disk"),
            status: Standing::Fail,
            previous: Standing::Pass,
            repeats: 1,
            hours_since_change: 26.0,
            message: String::from("the store's file system is 97 % full"),
            host: String::from("login1"),
            hour: 3,
        }
    }
}
