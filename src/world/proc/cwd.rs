//! Where this process stands: a stored command is made again in the folder in which it was given.

use std::path::Path;

use crate::base::{Result, Trouble};

/// Goes to a folder, before anything else has begun.
pub fn enter(folder: &Path) -> Result<()> {
    std::env::set_current_dir(folder).map_err(|e| Trouble::io("enter", folder, e))
}
