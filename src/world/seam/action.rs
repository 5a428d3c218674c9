//! The closed list of changes. Each can describe itself; nothing else may change the machine.

use crate::world::proc::program::{Program, Ran};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::{digest, redact};
use crate::world::fs::share::Sharing;
use crate::world::net::deliver::Target;
use crate::world::net::deliver::message::{Notice, Told};
use crate::world::seam::scene::Rehearsal;

/// Whether something only looks or also changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    Reads,
    Changes,
}

/// One change.
#[derive(Debug, Clone)]
pub enum Action {
    RunProgram {
        program: Program,
        effect: Effect,
        /// How a plan finds out what it would do. Without one its success is assumed.
        rehearsal: Option<Rehearsal>,
    },
    WriteFile {
        path: PathBuf,
        bytes: Vec<u8>,
        mode: Option<u32>,
        /// The content may differ between a plan and the run after it, as a report with the time in it does.
        varies: bool,
    },
    /// What somebody on the command line wants to have somewhere: a report, a plan, a page. It is kept, not performed:
    /// no journal names it.
    WriteOutput {
        path: PathBuf,
        bytes: Vec<u8>,
        mode: Option<u32>,
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
        /// A link to the same target that stands ready and takes its place: nothing has to be made then.
        ready: Option<PathBuf>,
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

impl Action {
    /// A program of which nobody knows what it would do.
    pub fn run(program: Program, effect: Effect) -> Action {
        Action::RunProgram { program, effect, rehearsal: None }
    }

    /// A program that only looks.
    pub fn look(program: Program) -> Action {
        Action::run(program, Effect::Reads)
    }

    /// A file whose content is the same in a plan and in the run.
    pub fn write(path: PathBuf, bytes: Vec<u8>) -> Action {
        Action::WriteFile { path, bytes, mode: None, varies: false }
    }

    /// What somebody wants to have somewhere, with the bits of the file that is there or of a new one.
    pub fn output(path: PathBuf, bytes: Vec<u8>) -> Action {
        Action::WriteOutput { path, bytes, mode: None }
    }

    /// The journal's word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Action::RunProgram { .. } => "run_program",
            Action::WriteFile { .. } => "write_file",
            Action::WriteOutput { .. } => "write_output",
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
            | Action::WriteOutput { path, .. }
            | Action::MakeFolder { path }
            | Action::MakeTempFolder { path }
            | Action::RemovePath { path } => path.display().to_string(),
            Action::WriteRecord { what, .. } => what.clone(),
            Action::MovePath { from, to } => format!("{} -> {}", from.display(), to.display()),
            Action::PointLink { path, target, .. } => format!("{} -> {}", path.display(), target.display()),
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
            | Action::WriteOutput { path, .. }
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
