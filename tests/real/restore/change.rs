//! What people and accidents do to an environment.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use libtest_mimic::Failed;

use super::Bed;
use crate::common::dice::Dice;

/// One thing that people and accidents do; says which.
pub fn change(bed: &Bed, dice: &mut Dice) -> Result<String, Failed> {
    let manifest = bed.env.join("spack.yaml");
    let text = fs::read_to_string(&manifest)?;
    let prefixes = bed.prefixes();
    let pick = |dice: &mut Dice| prefixes.get(dice.index(prefixes.len())).cloned();
    let stock = &bed.stock;
    Ok(match dice.below(12) {
        0 => {
            let spec = &stock.add[dice.index(stock.add.len())];
            format!("add {spec}{}", bed.tried(&[&["add", spec], &["concretize", "-f"], &["install"]]))
        }
        1 => {
            let roots: Vec<&str> = text.lines().filter(|line| line.starts_with("  - ")).collect();
            let Some(root) = roots.get(dice.index(roots.len())).filter(|_| roots.len() > 1) else {
                return Ok("nothing to remove".into());
            };
            fs::write(&manifest, text.replace(&format!("{root}\n"), ""))?;
            format!("remove{}{}", &root[3..], bed.tried(&[&["concretize"]]))
        }
        2 if text.contains(&stock.upgrade.0) => {
            let (from, to) = &stock.upgrade;
            fs::write(&manifest, text.replace(from, to))?;
            format!("upgrade {from}{}", bed.tried(&[&["concretize", "-f"], &["install"]]))
        }
        3 | 4 => match pick(dice) {
            None => "nothing to uninstall".into(),
            Some((hash, prefix)) => {
                let words = ["uninstall", "-y", "--force", &format!("/{hash}")];
                let refused = if bed.spack(&words).is_ok() { "" } else { ", which Spack refused" };
                format!("uninstall {}{refused}", prefix.display())
            }
        },
        5 | 6 => match pick(dice) {
            None => "nothing to damage".into(),
            Some((_, prefix)) => damage(dice, &prefix)?,
        },
        7 => {
            let (from, to) = stock.edit;
            fs::write(&manifest, text.replace(from, to) + "# edited by hand\n")?;
            "edit the manifest".into()
        }
        8 => {
            fs::write(bed.env.join("here.yaml"), "config:\n  build_jobs: 7\n")?;
            bed.spack(&["config", "--scope=user", "add", stock.require])?;
            "change configuration".into()
        }
        9 => {
            let _ = fs::remove_file(bed.env.join("spack.lock"));
            "lose the lock".into()
        }
        10 => {
            let links = fs::canonicalize(bed.view()).map(|real| links(&real)).unwrap_or_default();
            if let Some(link) = links.get(dice.index(links.len())) {
                fs::remove_file(link)?;
                symlink("/nowhere", link)?;
            }
            if dice.below(2) == 0 {
                let _ = fs::remove_file(bed.view());
            }
            "spoil the view".into()
        }
        _ => {
            let kind = dice.one_of(&["tcl", "lmod"]);
            let _ = fs::remove_dir_all(bed.site.folder.join(kind));
            format!("lose the {kind} modules")
        }
    })
}

fn links(folder: &Path) -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().flatten();
    all.filter(walkdir::DirEntry::path_is_symlink).map(walkdir::DirEntry::into_path).collect()
}

fn damage(dice: &mut Dice, prefix: &Path) -> Result<String, Failed> {
    let files: Vec<PathBuf> = walkdir::WalkDir::new(prefix)
        .sort_by_file_name()
        .into_iter()
        .flatten()
        .filter(|e| e.file_type().is_file() && !e.path().components().any(|c| c.as_os_str() == ".spack"))
        .map(walkdir::DirEntry::into_path)
        .collect();
    let Some(file) = files.get(dice.index(files.len())).filter(|_| dice.below(4) > 0) else {
        fs::remove_dir_all(prefix)?;
        return Ok(format!("remove {}", prefix.display()));
    };
    match dice.below(3) {
        0 => fs::remove_file(file)?,
        1 => fs::write(file, "")?,
        _ => {
            let mut bytes = fs::read(file)?;
            if let Some(byte) = bytes.first_mut() {
                *byte ^= 1;
            }
            fs::write(file, bytes)?;
        }
    }
    Ok(format!("damage {}", file.display()))
}
