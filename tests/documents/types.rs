//! The bundled scripts and modules against the generated stubs, by `emmylua_check` where it is on PATH.

use std::path::Path;
use std::process::{Command, Output};

use libtest_mimic::{Failed, Trial};

use crate::common::trial::{program, trial};

pub fn trials() -> Vec<Trial> {
    let checker = program("emmylua_check");
    vec![
        trial("types::bundled_scripts_are_well_typed", checker.clone(), bundled),
        trial("types::a_wrong_script_is_found", checker, wrong),
    ]
}

/// Checks what is bundled, and a further script, in a folder of its own.
fn check(further: Option<&str>) -> Result<Output, Failed> {
    let folder = tempfile::tempdir()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["stdlib", "scripts"] {
        copy(&root.join(name), &folder.path().join(name))?;
    }
    if let Some(text) = further {
        std::fs::write(folder.path().join("scripts/further.lua"), text)?;
    }
    Ok(Command::new("emmylua_check").arg("--warnings-as-errors").arg(folder.path()).output()?)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry?;
        let target = to.join(entry.path().strip_prefix(from).unwrap_or(from));
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn bundled() -> Result<(), Failed> {
    let output = check(None)?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stdout).into_owned().into())
}

fn wrong() -> Result<(), Failed> {
    let output = check(Some("local spec = spack.get('zlib')\nprint(spec.prefixx)\n"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.contains("prefixx") && !output.status.success() { Ok(()) } else { Err(text.into_owned().into()) }
}
