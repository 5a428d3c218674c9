//! What stands in the file of a lock: who holds it, and whether that one still lives, at a glance.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::base::Kind;
use crate::world::fs::own_files::{self, Open};
use crate::world::who::Process;

/// How often a holder says that it lives.
pub const PULSE: Duration = Duration::from_secs(2);
/// How long those are waited for that do not say how often: of earlier releases, which do it every ten seconds.
const OLD: Duration = Duration::from_secs(35);
/// So many signs may be missed: a file server may be slow, or away for a moment.
const MISSED: f64 = 15.0;

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    #[serde(flatten)]
    pub process: Process,
    /// What it does, for the message of who waits.
    pub what: String,
    /// Seconds since 1970.
    pub since: f64,
    /// Seconds between two signs of life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulse: Option<f64>,
}

impl Holder {
    pub fn me(what: &str) -> Holder {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Holder {
            process: Process::me(),
            what: what.to_owned(),
            since: since.as_secs_f64(),
            pulse: Some(PULSE.as_secs_f64()),
        }
    }

    pub fn read(file: &mut File) -> Option<Holder> {
        let mut text = String::new();
        file.rewind().and_then(|()| file.take(LONGEST).read_to_string(&mut text)).ok()?;
        serde_json::from_str(&text).ok()
    }

    pub fn is_elsewhere(&self) -> bool {
        !self.process.is_here()
    }

    /// Who gives no sign for so long is taken as dead.
    pub fn silence(&self) -> Duration {
        let told = self.pulse.and_then(|seconds| Duration::try_from_secs_f64(seconds * MISSED).ok());
        told.unwrap_or(OLD).min(OLD) + Duration::from_millis(500)
    }
}

/// A holder's few words; more was written by somebody else.
const LONGEST: u64 = 4096;

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on {} ({})", self.process.pid, self.process.host, self.what)
    }
}

/// Clocks differ a little, either way.
fn is_recent(file: &File) -> bool {
    let Ok(modified) = file.metadata().and_then(|meta| meta.modified()) else { return false };
    let apart = modified.elapsed().unwrap_or_else(|ahead| ahead.duration());
    apart < Duration::from_mins(2)
}

/// Who has it now, if anybody; of another machine, who was the last to take it.
pub fn held_by(path: &Path) -> Option<String> {
    match standing(path) {
        Standing::Held(Some(holder)) => Some(holder.to_string()),
        Standing::Held(None) => Some(String::from("another process")),
        Standing::Free | Standing::Unknown => None,
    }
}

/// How a lock stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    Free,
    Held(Option<Holder>),
    /// It could not be looked at.
    Unknown,
}

/// How it stands at a glance. Who is to wait for a holder on another machine, or to follow it, watches it; this is to
/// show, and takes one whose last sign was at about this time for alive.
pub fn standing(path: &Path) -> Standing {
    let mut file = match own_files::open(path, Open::Read) {
        Ok(file) => file,
        Err(trouble) if trouble.is(Kind::NotFound) => return Standing::Free,
        Err(_) => return Standing::Unknown,
    };
    let holder = Holder::read(&mut file);
    match file.try_lock_shared() {
        Err(std::fs::TryLockError::WouldBlock) => Standing::Held(holder),
        Err(std::fs::TryLockError::Error(_)) => Standing::Unknown,
        Ok(()) => match holder.filter(|holder| holder.is_elsewhere() && is_recent(&file)) {
            Some(holder) => Standing::Held(Some(holder)),
            None => Standing::Free,
        },
    }
}
