//! What the ledger keeps of one generation, and of one move of users.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unlisted::Unlisted;
use crate::site::Cx;
use crate::world::scope::replay;
use crate::world::who;

/// How far a generation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Its folder is there, its lock is not yet.
    Begun,
    /// Its lock says what it will be.
    Solved,
    /// Everything is installed, views and modules are made.
    Built,
    /// All of that was looked at.
    Proven,
    /// It could not be built or proven.
    Broken,
}

/// What is known of one generation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LedgerEntry {
    pub progress: Progress,
    /// When it was begun (RFC 3339).
    pub created: String,
    pub user: String,
    pub host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// The state folder whose run that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<PathBuf>,
    /// The call of the run, as its journal names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// What it was made from: an environment, or another generation.
    pub from: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// It is never removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// It was proven while users were on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub good: bool,
    /// Why it is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Since when it is being removed (RFC 3339). Nobody is sent there any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removing: Option<String>,
}

impl LedgerEntry {
    /// One that this run begins.
    pub fn begun(cx: &Cx, from: String, description: Option<String>) -> LedgerEntry {
        LedgerEntry {
            progress: Progress::Begun,
            created: cx.world.clock.now().to_string(),
            user: who::user(),
            host: who::host(),
            run: cx.site.journal.number(),
            state: Some(cx.site.state.clone()),
            call: replay::current().map(|call| call.key.clone()),
            from,
            description,
            pinned: false,
            good: false,
            why: None,
            removing: None,
        }
    }

    /// What a folder tells. How far it has come has to be proven again.
    pub fn of_folder(found: &Unlisted) -> LedgerEntry {
        LedgerEntry {
            progress: if found.has_lock { Progress::Built } else { Progress::Begun },
            created: jiff::Timestamp::try_from(found.written).unwrap_or_default().to_string(),
            user: "unknown".to_owned(),
            host: "unknown".to_owned(),
            run: None,
            state: None,
            call: None,
            from: String::new(),
            description: Some("found in its folder; the ledger did not have it".to_owned()),
            pinned: false,
            good: false,
            why: None,
            removing: None,
        }
    }
}

/// One time that users were moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Publication {
    pub number: u64,
    /// What they were on before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// When (RFC 3339).
    pub at: String,
    pub user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// It was not on record when users were moved; `at` is when that was noticed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub noticed: bool,
}

impl Publication {
    pub fn now(cx: &Cx, number: u64, before: Option<u64>) -> Publication {
        Publication {
            number,
            before,
            at: cx.world.clock.now().to_string(),
            user: who::user(),
            run: cx.site.journal.number(),
            noticed: false,
        }
    }
}
