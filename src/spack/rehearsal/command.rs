//! A command line of Spack as those see it who predict what it would do.

use crate::site::Cx;
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::session::Scope;
use crate::world::proc::program::Ran;

/// A command as a rehearsal sees it.
pub struct Command<'a> {
    pub cx: &'a Cx,
    pub scope: &'a Scope,
    pub invocation: &'a Invocation,
    /// The words after the verb.
    pub words: &'a [String],
}

impl Command<'_> {
    pub fn has(&self, option: &str) -> bool {
        self.words.iter().any(|word| word == option)
    }

    /// What is no option, as far as that can be told without knowing which options take values.
    pub fn plain(&self) -> impl Iterator<Item = &String> {
        self.words.iter().filter(|word| !word.starts_with('-'))
    }
}

/// A command that came to an end.
pub fn ended(code: i32, stderr: &str) -> Ran {
    Ran { code: Some(code), stderr: stderr.to_owned(), ..Ran::default() }
}
