//! Options of every command that stand behind the name of a workflow: they are taken out and put in front, where clap
//! reads them. A workflow's own option of the same name is its own.

use std::ffi::OsString;

use clap::Arg;
use clap::builder::Resettable;

use super::args::{Command, SWEEP, command};
use crate::base::Result;

/// The options of every command but those that every run has as well.
fn globals() -> Vec<Arg> {
    let of_runs = ["wait", "summary", "report", "metrics"];
    let tree = command();
    let all = tree.get_arguments().filter(|arg| arg.is_global_set());
    all.filter(|arg| !of_runs.contains(&arg.get_id().as_str())).cloned().collect()
}

/// The words after `run`, `plan` or `check`, the name of the workflow first.
pub fn run_words(command: &Command) -> Option<Vec<OsString>> {
    match command {
        Command::Run { words } => Some(words.clone()),
        Command::Plan(plan) => Some(plan.words.clone()),
        Command::Check { args } => {
            Some(std::iter::once(OsString::from(SWEEP)).chain(args.iter().cloned()).collect())
        }
        _ => None,
    }
}

/// Shows them in the help of a workflow.
pub fn shown(command: clap::Command) -> clap::Command {
    let known: Vec<String> = command.get_arguments().map(|a| a.get_id().to_string()).collect();
    let every = globals().into_iter().filter(|arg| !known.contains(&arg.get_id().to_string()));
    every.fold(command, clap::Command::arg)
}

/// The command line with those in front that stand among the words of a run; none where there is nothing to move.
/// `own` tells the options of the workflow.
pub fn moved(
    argv: &[OsString],
    typed: &Command,
    own: impl FnOnce(&str) -> Result<Option<Vec<String>>>,
) -> Result<Option<Vec<OsString>>> {
    let Some(words) = run_words(typed) else { return Ok(None) };
    let Some((name, rest)) = words.split_first() else { return Ok(None) };
    let Some(head) = argv.strip_suffix(rest).filter(|head| !head.is_empty()) else { return Ok(None) };
    let globals = globals();
    if found(&globals, rest).options.is_empty() {
        return Ok(None);
    }
    let Some(own) = own(&name.to_string_lossy())? else { return Ok(None) };
    // The letter is ours also where the word is the workflow's.
    let is_own = |arg: &Arg| own.iter().any(|own| own == arg.get_id().as_str());
    let ours = |arg: Arg| if is_own(&arg) { arg.long(Resettable::Reset) } else { arg };
    let globals: Vec<Arg> = globals.into_iter().map(ours).collect();
    let Found { options, words } = found(&globals, rest);
    Ok((!options.is_empty()).then(|| [&head[..1], &options, &head[1..], &words].concat()))
}

struct Found {
    options: Vec<OsString>,
    words: Vec<OsString>,
}

/// What of the words is one of these options, and what is not.
fn found(options: &[Arg], words: &[OsString]) -> Found {
    let mut found = Found { options: Vec::new(), words: Vec::new() };
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            found.words.push(word.clone());
            found.words.extend(rest.cloned());
            break;
        }
        let Some((arg, has_value)) = named(options, &word.to_string_lossy()) else {
            found.words.push(word.clone());
            continue;
        };
        found.options.push(word.clone());
        if !has_value && arg.get_action().takes_values() && !arg.is_require_equals_set() {
            found.options.extend(rest.next().cloned());
        }
    }
    found
}

/// The option that a word is, and whether its value is in the word.
fn named<'a>(options: &'a [Arg], word: &str) -> Option<(&'a Arg, bool)> {
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        let arg = options.iter().find(|arg| arg.get_long() == Some(name))?;
        return Some((arg, value.is_some()));
    }
    // `-vv` is twice the same.
    let mut letters = word.strip_prefix('-')?.chars();
    let first = letters.next()?;
    let arg = options.iter().find(|arg| arg.get_short() == Some(first))?;
    letters.all(|letter| letter == first).then_some((arg, true))
}
