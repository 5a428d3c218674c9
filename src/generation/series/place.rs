//! Where generations and the links to them are.

use std::path::{Path, PathBuf};

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;

/// The ledger's file within the folder of a series.
pub const FILE: &str = "generations.json";

/// The folders of one line of generations.
#[derive(Debug, Clone)]
pub struct Place {
    pub name: String,
    /// `…/generations/NAME`.
    pub folder: PathBuf,
    /// `…/current/NAME`, what users follow.
    pub link: PathBuf,
}

impl Place {
    pub fn of(cx: &Cx, name: &str) -> Result<Place> {
        check_name(name)?;
        let stack = cx.site.stack();
        Ok(Place {
            name: name.to_owned(),
            folder: stack.join("generations").join(name),
            link: stack.join("current").join(name),
        })
    }

    /// The names of all lines, sorted.
    pub fn names(cx: &Cx) -> Result<Vec<String>> {
        let root = cx.site.stack().join("generations");
        let eyes = &*cx.world.eyes;
        if eyes.is_folder(&root)? { eyes.list(&root) } else { Ok(Vec::new()) }
    }

    /// The folder of a generation: an environment.
    pub fn generation(&self, number: u64) -> PathBuf {
        self.folder.join(number.to_string())
    }

    /// The folders that lead to a generation and that are ours: a folder in which others have something is not.
    pub fn way_to(&self, cx: &Cx, number: u64) -> Vec<PathBuf> {
        let (stack, own) = (cx.site.stack(), ["generations", "current", "locks"]);
        let names = cx.world.eyes.list(&stack).unwrap_or_default();
        let is_ours = stack == cx.site.state || names.iter().all(|name| own.contains(&name.as_str()));
        let generations = stack.join(own[0]);
        let below = [generations, self.folder.clone(), self.generation(number)];
        is_ours.then_some(stack).into_iter().chain(below).collect()
    }

    /// What the link of users holds: relative, so that the whole may be mounted elsewhere.
    pub fn target(&self, number: u64) -> PathBuf {
        Path::new("../generations").join(&self.name).join(number.to_string())
    }

    /// The name by which Spack knows it.
    pub fn tracked(&self, number: u64) -> String {
        format!("{}-g{number}", self.name)
    }

    /// The generation that users are on, as the link says.
    pub fn current(&self, cx: &Cx) -> Result<Option<u64>> {
        let target = match cx.world.eyes.read_link(&self.link) {
            Err(trouble) if trouble.is(Kind::NotFound) => return Ok(None),
            other => other?,
        };
        let number = target.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse().ok());
        match number {
            Some(number) if target == self.target(number) => Ok(Some(number)),
            _ => Err(Trouble::new(
                Kind::Corrupt,
                format!("{} leads to {}, which is no generation of '{}'", self.link.display(), target.display(), self.name),
            )
            .hint("somebody has changed the link; `moonstack generation rollback` points it to a generation again")),
        }
    }
}

/// A name that is a folder, an environment's name and nothing else.
pub fn check_name(name: &str) -> Result<()> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if first && name.len() <= 64 && name.chars().all(word) {
        return Ok(());
    }
    Err(Trouble::usage(format!("'{name}' is no name for generations")).hint(
        "letters, digits, '_' and '-', a letter or digit first; `name` gives one beside the environment's",
    ))
}
