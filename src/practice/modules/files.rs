//! What installing and uninstalling do to the module files of the sets that are enabled.

use std::path::Path;

use crate::practice::model::disk;
use crate::practice::model::halt::Halt;
use crate::practice::model::record::{Node, Nodes};
use crate::practice::modules::{self, ModuleSet, System, text};
use crate::practice::session::Session;

/// Writes the modules of what was just installed; one that is there stays as it is.
pub fn installed(
    session: &mut Session<'_, '_>,
    node: &Node,
    nodes: &Nodes,
    explicit: bool,
) -> Result<(), Halt> {
    for mut set in modules::enabled(session, nodes)? {
        set.note_explicit(&node.hash, explicit);
        if set.excluded(node)? {
            continue;
        }
        let file = set.file(node)?;
        if file.exists() {
            session.complain(&format!(
                "==> Warning: Module file {} exists and will not be overwritten",
                file.display()
            ))?;
            continue;
        }
        disk::write(&file, text::text(&set, node)?)?;
        hide(&set, node, &file, false)?;
    }
    Ok(())
}

/// Takes the modules of what was just uninstalled away.
pub fn uninstalled(session: &mut Session<'_, '_>, node: &Node, nodes: &Nodes) -> Result<(), Halt> {
    for set in modules::enabled(session, nodes)? {
        remove(&set, node)?;
    }
    Ok(())
}

/// Names or unnames a hidden module in the file beside it.
pub fn hide(set: &ModuleSet, node: &Node, file: &Path, gone: bool) -> Result<(), Halt> {
    let path = set.rc_file(file);
    let name = set.use_name(node)?;
    let (header, line) = match set.system {
        System::Tcl => (Some("#%Module4.7"), format!("module-hide --soft --hidden-loaded {name}")),
        System::Lmod => (None, format!("hide_version(\"{name}\")")),
    };
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let mut lines: Vec<&str> = old.lines().filter(|l| *l != line).collect();
    if set.hidden(node) && !gone {
        if lines.is_empty() {
            lines.extend(header);
        }
        lines.push(&line);
    }
    if lines.iter().all(|l| Some(*l) == header) {
        return Ok(disk::remove(&path)?);
    }
    let text = lines.join("\n") + "\n";
    if text == old { Ok(()) } else { Ok(disk::write(&path, text)?) }
}

pub fn remove(set: &ModuleSet, node: &Node) -> Result<(), Halt> {
    let file = set.file(node)?;
    if !file.exists() {
        return Ok(());
    }
    disk::remove(&file)?;
    hide(set, node, &file, true)?;
    Ok(disk::remove_empty_folders(&file)?)
}
