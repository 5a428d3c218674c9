//! One command line of Spack, and what those have to know of it who run or predict it.

use std::path::PathBuf;
use std::time::Duration;

use super::verbs;
use crate::world::Effect;

/// One command line of Spack.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Verb and its arguments.
    pub words: Vec<String>,
    pub effect: Effect,
    /// The new installer dies on end of file, so installers get a silent pipe; others must not wait for an
    /// answer that never comes.
    pub installs: bool,
    /// The specs among the words, where it matters which of them are.
    pub specs: Vec<String>,
    /// Hashes that it uninstalls.
    pub removes: Vec<String>,
    /// Files that it may change.
    pub touches: Vec<PathBuf>,
    /// The words to show, where the real ones name files that are made anew each time.
    pub shown: Option<Vec<String>>,
    /// Outside of the environment that the scope has, although its configuration and store are meant.
    pub outside: bool,
    /// Further variables to pass, by name.
    pub variables: Vec<String>,
    pub timeout: Option<Duration>,
    pub silence: Option<Duration>,
}

impl Invocation {
    pub fn new(effect: Effect, words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Invocation {
            words: words.into_iter().map(Into::into).collect(),
            effect,
            installs: false,
            specs: Vec::new(),
            removes: Vec::new(),
            touches: Vec::new(),
            shown: None,
            outside: false,
            variables: Vec::new(),
            timeout: None,
            silence: None,
        }
    }

    pub fn reads(words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Invocation::new(Effect::Reads, words)
    }

    pub fn changes(words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Invocation::new(Effect::Changes, words)
    }

    /// "spack install", for messages.
    pub fn title(&self) -> String {
        let at = verbs::verb_at(&self.words).unwrap_or(0);
        let verb = self.words.get(at).map_or("", String::as_str);
        match self.words.get(at + 1) {
            Some(next) if matches!(verb, "env" | "config" | "mirror" | "buildcache") => {
                format!("spack {verb} {next}")
            }
            _ => format!("spack {verb}"),
        }
    }
}
