//! The closed list of changes. Each can describe itself; nothing else may change the machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::planning::Rehearsal;
use crate::base::{digest, redact};
use crate::world::fs::share::Sharing;
use crate::world::net::deliver::{Notice, Target, Told};
use crate::world::proc::process::Listener;

/// Whether something only looks or also changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    Reads,
    Changes,
}

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
    /// How a plan finds out what it would do. Without one its success is assumed.
    pub rehearsal: Option<Rehearsal>,
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

/// One change.
#[derive(Debug, Clone)]
pub enum Action {
    RunProgram {
        program: Program,
        effect: Effect,
    },
    WriteFile {
        path: PathBuf,
        bytes: Vec<u8>,
        mode: Option<u32>,
        /// The content may differ between a plan and the run after it, as a report with the time in it does.
        varies: bool,
    },
    /// One of our own records, such as a snapshot, in the next free place: a plan promises what it is of, and not
    /// its number.
    WriteRecord {
        path: PathBuf,
        bytes: Vec<u8>,
        what: String,
    },
    MakeFolder {
        path: PathBuf,
    },
    /// A new folder that only we may enter and that is removed when this process ends.
    MakeTempFolder {
        path: PathBuf,
    },
    MovePath {
        from: PathBuf,
        to: PathBuf,
    },
    RemovePath {
        path: PathBuf,
    },
    /// A link that points to the target from one moment to the next: who follows it sees the old target or the new
    /// one, and never none.
    PointLink {
        path: PathBuf,
        target: PathBuf,
    },
    /// Gives files and folders the group and the modes that the site file says. That something belongs to somebody
    /// else and stays as it is, is told and no error.
    Share(Sharing),
    /// Tells somebody outside. That it cannot be delivered is an outcome, not an error.
    Notify {
        message: Notice,
        target: Target,
    },
}

/// What a performed action gave.
#[derive(Debug, Clone)]
pub enum Outcome {
    Done,
    Ran(Ran),
    Told(Told),
}

impl Outcome {
    /// The program's result; an action of another kind ran nothing.
    pub fn ran(self) -> Ran {
        match self {
            Outcome::Ran(ran) => ran,
            Outcome::Done | Outcome::Told(_) => Ran::default(),
        }
    }

    /// How a delivery went; hands that only pretend deliver at once.
    pub fn told(self) -> Told {
        match self {
            Outcome::Told(told) => told,
            Outcome::Done | Outcome::Ran(_) => Told { delivered: true, ..Told::default() },
        }
    }
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

impl Action {
    /// A program that only looks.
    pub fn look(program: Program) -> Action {
        Action::RunProgram { program, effect: Effect::Reads }
    }

    /// A file whose content is the same in a plan and in the run.
    pub fn write(path: PathBuf, bytes: Vec<u8>) -> Action {
        Action::WriteFile { path, bytes, mode: None, varies: false }
    }

    /// The journal's word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Action::RunProgram { .. } => "run_program",
            Action::WriteFile { .. } => "write_file",
            Action::WriteRecord { .. } => "write_record",
            Action::MakeFolder { .. } => "make_folder",
            Action::MakeTempFolder { .. } => "make_temp_folder",
            Action::MovePath { .. } => "move_path",
            Action::RemovePath { .. } => "remove_path",
            Action::PointLink { .. } => "point_link",
            Action::Share(_) => "share",
            Action::Notify { .. } => "notify",
        }
    }

    pub fn effect(&self) -> Effect {
        match self {
            Action::RunProgram { effect, .. } => *effect,
            _ => Effect::Changes,
        }
    }

    /// One line for people and the journal, without secrets.
    pub fn describe(&self) -> String {
        match self {
            Action::RunProgram { program, .. } => {
                redact::argv(program.shown.as_ref().unwrap_or(&program.argv)).join(" ")
            }
            Action::WriteFile { path, .. }
            | Action::MakeFolder { path }
            | Action::MakeTempFolder { path }
            | Action::RemovePath { path } => path.display().to_string(),
            Action::WriteRecord { what, .. } => what.clone(),
            Action::MovePath { from, to } => format!("{} -> {}", from.display(), to.display()),
            Action::PointLink { path, target } => format!("{} -> {}", path.display(), target.display()),
            Action::Share(what) => {
                let paths: Vec<String> = what.paths.iter().map(|p| p.display().to_string()).collect();
                format!("{} ({})", paths.join(" "), what.access)
            }
            Action::Notify { message, target } => {
                format!("{target}: {}", redact::redact(&message.title))
            }
        }
    }

    /// The content that it would leave behind, where a plan promises it.
    pub fn content(&self) -> Option<String> {
        match self {
            Action::WriteFile { bytes, varies: false, .. } => Some(digest::bytes(bytes)),
            _ => None,
        }
    }

    /// Paths that it may change.
    pub fn subjects(&self) -> Vec<PathBuf> {
        match self {
            Action::RunProgram { program, .. } => program.touches.clone(),
            Action::WriteFile { path, .. }
            | Action::MakeFolder { path }
            | Action::MakeTempFolder { path }
            | Action::WriteRecord { path, .. }
            | Action::PointLink { path, .. }
            | Action::RemovePath { path } => vec![path.clone()],
            Action::MovePath { from, to } => vec![from.clone(), to.clone()],
            // What it changes is no content that a run would rest on.
            Action::Share(_) | Action::Notify { .. } => Vec::new(),
        }
    }
}
