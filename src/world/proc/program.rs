//! A program that is to be run, within which limits, and how it ended.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::world::scope::event::Stream;

type HearLine = dyn Fn(Stream, &str) + Send + Sync;

/// A program to run, in a process group of its own.
#[derive(Debug, Clone, Default)]
pub struct Program {
    pub argv: Vec<String>,
    pub cwd: Option<PathBuf>,
    /// The whole environment when `clear_env`, else additions to ours.
    pub env: BTreeMap<String, String>,
    pub clear_env: bool,
    pub stdin: Stdin,
    /// Killed after this long.
    pub timeout: Option<Duration>,
    /// Killed when nothing was printed for this long.
    pub silence: Option<Duration>,
    /// Both streams are appended here as they come.
    pub log: Option<PathBuf>,
    /// How much of each stream's end is kept in memory.
    pub tail: Tail,
    /// The signal that asks it to end before it is killed; Spack unwinds on an interrupt.
    pub gentle: Gentle,
    /// How long it may take to end after that signal.
    pub grace: Grace,
    /// Is told each line as it comes.
    pub listener: Option<Listener>,
    /// The command line for people and for comparing a run with its plan, where the real one names files that
    /// are made anew each time.
    pub shown: Option<Vec<String>>,
    /// Files that it may change, as far as they are known beforehand.
    pub touches: Vec<PathBuf>,
}

/// What the program reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Stdin {
    /// End of file at once.
    #[default]
    Null,
    Text(String),
    /// A pipe that stays open and silent: Spack's new installer dies on end of file (contract 6.4).
    Open,
}

/// Bytes of a stream's end that stay in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail(pub usize);

impl Default for Tail {
    fn default() -> Self {
        Tail(256 * 1024)
    }
}

/// How long a program and its group may take to end by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace(pub Duration);

impl Default for Grace {
    /// Spack ends its builders one after the other, and removes what they left from stages that may lie on a
    /// network file system; killed in the middle it leaves partial prefixes. Batch systems grant about as much.
    fn default() -> Self {
        Grace(Duration::from_secs(10))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gentle {
    #[default]
    Terminate,
    Interrupt,
}

/// How a program ended.
#[derive(Debug, Clone, Default)]
pub struct Ran {
    /// Exit code; none when a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// The memory bound was reached, so the beginning of a stream is only in the log.
    pub truncated: bool,
    pub seconds: f64,
    /// Why we ended it, if we did.
    pub ended: Option<Ended>,
    /// Why its log is cut off.
    pub unlogged: Option<String>,
}

impl Ran {
    pub fn ok(&self) -> bool {
        self.code == Some(0) && self.ended.is_none()
    }
}

/// Why a program was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    Timeout,
    Silence,
}

/// Is told each line as it comes.
#[derive(Clone)]
pub struct Listener(pub Arc<HearLine>);

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}
