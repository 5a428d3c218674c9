//! Pushing into a mirror, pretended: what is pushed is there afterwards, as far as it lies in a folder.

use crate::base::Result;
use crate::spack::rehearsal::command::{Command, ended};
use crate::world::proc::program::Ran;
use crate::world::seam::scene::PlanContext;

/// A manifest that names no archive.
const PROMISED: &str = r#"{"version": 3, "data": []}"#;

pub fn push(scene: &PlanContext<'_>, command: &Command<'_>) -> Result<Ran> {
    for path in &command.invocation.touches {
        scene.overlay.write(path, PROMISED.as_bytes().to_vec(), None);
    }
    scene.assume("what is pushed arrives in the mirror");
    Ok(ended(0, ""))
}
