//! `spack env track`, `untrack` and `remove`: environments of other folders under a name, and how names go. A tracked
//! environment is a link in the folder of the managed ones; neither verb touches what it leads to.

use std::path::Path;

use crate::practice::env::environment::{self, Environment};
use crate::practice::model::disk;
use crate::practice::model::halt::Halt;
use crate::practice::session::{Declared, Options, Session};

pub fn track(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let declared: &[Declared] = &[(&["-n", "--name"], true), (&["-y", "--yes-to-all"], false)];
    let options = Options::read(arguments, declared)?;
    let Some(word) = options.words.first() else {
        return Err(Halt { code: 2, text: "the following arguments are required: dir".into() });
    };
    let folder = environment::absolute(Path::new(word))?;
    if !folder.join("spack.yaml").exists() {
        return Err(Halt::failed("Cannot track environment. Path doesn't contain an environment"));
    }
    let last = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = options.value("--name").unwrap_or(&last).to_owned();
    check_name(&name)?;
    let at = session.environments.join(&name);
    if at.is_dir() {
        return Err(Halt::failed(format!(
            "An environment named {name} already exists. Set a name with:\n\n        spack env track --name NAME {}\n",
            folder.display()
        )));
    }
    disk::link(&folder, &at)?;
    session.say(&format!("==> Tracking environment in {}", folder.display()))?;
    session.say("==> You can now activate this environment with the following command:\n")?;
    session.say(&format!("        spack env activate {name}\n"))?;
    Ok(0)
}

/// Spack lets this one through as an exception that it did not expect.
pub fn check_name(name: &str) -> Result<(), Halt> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    if name.starts_with(word) && name.chars().all(|c| word(c) || c == '-' || c == '/') {
        return Ok(());
    }
    Err(Halt::internal(format!(
        "{name}: names may only contain letters, numbers, _, and -, and may not start with -."
    )))
}

fn is_tracked(environment: &Environment) -> bool {
    std::fs::symlink_metadata(&environment.folder).is_ok_and(|m| m.is_symlink())
}

/// `remove` takes managed and tracked ones, `untrack` only the tracked. As Spack does, what can go goes, and the exit
/// code says whether all did.
pub fn forget(session: &mut Session<'_, '_>, arguments: &[String], remove: bool) -> Result<u8, Halt> {
    let declared: &[Declared] = &[(&["-y", "--yes-to-all"], false), (&["-f", "--force"], false)];
    let options = Options::read(arguments, declared)?;
    if options.words.is_empty() {
        return Err(Halt { code: 2, text: "the following arguments are required: env".into() });
    }
    let managed = session.managed();
    let mut known = Vec::new();
    for name in &options.words {
        match managed.iter().find(|e| e.name == *name) {
            Some(environment) => known.push(environment.clone()),
            None => session.complain(&format!("==> Error: Environment '{name}' does not exist"))?,
        }
    }
    let going: Vec<Environment> = known.iter().filter(|e| remove || is_tracked(e)).cloned().collect();
    for other in known.iter().filter(|e| !remove && !is_tracked(e)) {
        let name = &other.name;
        session.complain(&format!(
            "==> Error: '{name}' is not a tracked env. To remove it completely run,\n\n        spack env rm {name}\n"
        ))?;
    }
    let sure = options.has("--yes-to-all") || options.has("--force") || going.is_empty();
    if !sure && !ask(session, &going, remove)? {
        return Ok(0);
    }
    let mut gone = 0;
    for environment in &going {
        gone += usize::from(forget_one(session, environment, options.has("--force"), remove)?);
    }
    Ok(u8::from(gone < known.len()))
}

fn ask(session: &mut Session<'_, '_>, going: &[Environment], remove: bool) -> Result<bool, Halt> {
    let names: Vec<&str> = going.iter().map(|e| e.name.as_str()).collect();
    let list = match names.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => names.concat(),
    };
    let word = if names.len() == 1 { "environment" } else { "environments" };
    let verb = if remove { "remove" } else { "untrack" };
    let sure = session.confirm(&format!("Really {verb} {word} {list}?"))?;
    if !sure {
        session.say(&format!("==> Will not remove environment(s) {list}"))?;
    }
    Ok(sure)
}

fn forget_one(
    session: &mut Session<'_, '_>,
    environment: &Environment,
    force: bool,
    remove: bool,
) -> Result<bool, Halt> {
    let name = &environment.name;
    let active = session.environment.as_ref().is_some_and(|e| e.name == *name);
    if active && !force {
        let done = if remove { "removed" } else { "untracked" };
        session.complain(&format!("==> Error: Environment '{name}' can't be {done} while activated."))?;
        return Ok(false);
    }
    if is_tracked(environment) {
        let real = std::fs::canonicalize(&environment.folder).unwrap_or_else(|_| environment.folder.clone());
        disk::remove(&environment.folder)?;
        session.say(&format!(
            "==> Sucessfully untracked environment '{name}', but it can still be found at:\n\n        {}\n",
            real.display()
        ))?;
    } else {
        disk::remove(&environment.folder)?;
        session.say(&format!("==> Successfully removed environment '{name}'"))?;
    }
    Ok(true)
}
