//! Whose generations they are. Two Spacks of one account may share a stack folder: what the one has made is nothing
//! that the other may publish over, and its packages are not in the other's store.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::drive::session::Scope;
use crate::spack::environment;
use crate::world::fs::real::is_same_path;

/// The Spack and the store of a series of generations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Owner {
    /// Root of the Spack.
    pub spack: PathBuf,
    /// Its store, as configured outside of environments.
    pub store: PathBuf,
}

impl Owner {
    /// The Spack that is used now.
    pub fn here(cx: &Cx) -> Result<Owner> {
        let outside = Scope::open(cx, None)?;
        Ok(Owner { spack: outside.spack.installation.root.clone(), store: outside.install_tree()?.root })
    }

    /// Whether that is the one which is used now. A store stays one's own when Spack itself is replaced, so a Spack that
    /// is gone makes no difference.
    pub fn is_here(&self, cx: &Cx) -> Result<bool> {
        let (here, eyes) = (Owner::here(cx)?, &*cx.world.eyes);
        let is_this = is_same_path(eyes, &self.spack, &here.spack);
        Ok(is_same_path(eyes, &self.store, &here.store) && (is_this || !eyes.exists(&self.spack)?))
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the Spack {} with the store {}", self.spack.display(), self.store.display())
    }
}

/// Refuses the generations of another Spack. Those that were made when it was not noted whose they are, are of the
/// Spack that has one of them in its list.
pub fn check(cx: &Cx, name: &str, owner: Option<&Owner>, folders: &[PathBuf]) -> Result<()> {
    let (is_ours, whose) = match owner {
        Some(owner) => (owner.is_here(cx)?, owner.to_string()),
        None => (is_listed(cx, folders)?, "another Spack: this one has none of them in its list".to_owned()),
    };
    if is_ours {
        return Ok(());
    }
    let here = Owner::here(cx)?;
    let trouble =
        Trouble::new(Kind::Refused, format!("the generations of '{name}' are not of {here}, but of {whose}"))
            .fact("spack", here.spack.display().to_string());
    let trouble = match owner {
        Some(owner) if !is_same_path(&*cx.world.eyes, &owner.spack, &here.spack) => trouble
            .hint(format!("--spack {} works on them", owner.spack.display()))
            .fact("owner", owner.spack.display().to_string()),
        _ => trouble,
    };
    Err(trouble.hint(format!(
        "--name begins another series; `moonstack generation claim {name}` takes these over, where this Spack has \
         replaced the other"
    )))
}

fn is_listed(cx: &Cx, folders: &[PathBuf]) -> Result<bool> {
    let (eyes, outside) = (&*cx.world.eyes, Scope::open(cx, None)?);
    let known = environment::list(eyes, &outside.config)?;
    Ok(folders.iter().any(|folder| environment::in_folder(eyes, &known, folder).is_some()))
}
