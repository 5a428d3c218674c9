//! The environments whose needs count when something is to go: those in Spack's list and those that the site file names.
//! One that cannot be looked at needs something that is not known, and that must not be taken for nothing.

use std::path::{Path, PathBuf};

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::drive::session::Scope;
use crate::spack::environment::{self, EnvironmentInfo};
use crate::world::fs::real::is_same_path;

/// All of them, each once. `without` are folders that are taken to need nothing. What cannot be looked at is an error
/// of that kind.
pub fn environments(cx: &Cx, scope: &Scope, without: &[PathBuf], kind: Kind) -> Result<Vec<EnvironmentInfo>> {
    let eyes = &*cx.world.eyes;
    let outside = scope.spack.config(cx, None)?;
    let is_left_out = |path: &Path| without.iter().any(|one| is_same_path(eyes, one, path));
    let (mut out, unseen) = environment::survey(eyes, &outside)?;
    let generations = cx.site.stack().join("generations");
    for entry in unseen {
        let target = environment::leads_to(eyes, &entry).unwrap_or_else(|| entry.clone());
        // What is left of a generation that was removed needs nothing.
        let is_ours = target.starts_with(&generations) && eyes.exists(&target).is_ok_and(|there| !there);
        if !is_ours && ![&target, &entry].into_iter().any(|path| is_left_out(path)) {
            return Err(unknown(kind, &format!("environment {}", entry.display()), &target));
        }
    }
    for folder in &cx.site.loaded.config.environments {
        if is_left_out(folder) || environment::in_folder(eyes, &out, folder).is_some() {
            continue;
        }
        // One that the site names is somewhere, be it not mounted today.
        let name = folder.display().to_string();
        if !eyes.is_file(&folder.join("spack.yaml")).unwrap_or(false) {
            return Err(unknown(kind, &format!("environment {name}"), folder));
        }
        out.push(
            environment::find(eyes, &outside, &name)
                .map_err(|_| unknown(kind, &format!("environment {name}"), folder))?,
        );
    }
    out.retain(|info| !is_left_out(&info.path));
    Ok(out)
}

/// The error for an environment whose needs are not known.
pub fn unknown(kind: Kind, who: &str, folder: &Path) -> Trouble {
    let place = folder.display();
    let end = if kind == Kind::Refused { "nothing was removed: " } else { "" };
    Trouble::new(kind, format!("{end}{place} cannot be looked at, so what {who} needs is not known"))
        .hint(format!(
            "mount it or let this user read it; `--without {place}` goes on as if it needed nothing"
        ))
        .fact("path", place.to_string())
}
