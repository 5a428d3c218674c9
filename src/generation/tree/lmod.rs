//! Lmod's cache of a generation's modules, kept in the generation itself, so that it is exchanged with it: users' Lmod
//! would otherwise read every module file for `module spider`, or believe the cache of another generation.

use std::path::{Path, PathBuf};

use crate::base::{Kind, Result, Trouble};
use crate::generation::series::place::Place;
use crate::generation::tree::modules::{self, ModuleFolders};
use crate::site::Cx;
use crate::spack::drive::session::Scope;
use crate::spack::read::module_system::of_lmod;
use crate::world::proc::program::Program;
use crate::world::{Action, Effect};

/// Lmod's own program for it.
const PROGRAM: &str = "update_lmod_system_cache_files";
/// What it writes, and what Lmod looks for.
const CACHE: &str = "spiderT.lua";
const TIMESTAMP: &str = "timestamp";

/// Makes the cache, if the generation has modules for Lmod and Lmod is here. Without a cache Lmod works as well, so that
/// none can be made is a warning.
pub async fn cache(cx: &Cx, scope: &Scope, place: &Place, number: u64) -> Result<Option<PathBuf>> {
    let all = modules::folders(&*cx.world.eyes, &scope.config, "lmod")?;
    let roots: Vec<ModuleFolders> =
        all.into_iter().filter(|folders| folders.root.starts_with(place.generation(number))).collect();
    let Some(program) = program(cx).filter(|_| !roots.is_empty()) else { return Ok(None) };
    let folder = place.generation(number).join("modules/lmod-cache");
    match make(cx, &program, &roots, &folder, place, number).await {
        Ok(()) => Ok(Some(folder)),
        Err(trouble) if trouble.is(Kind::Cancelled) => Err(trouble),
        Err(trouble) => {
            // An old one would hide what is new.
            if cx.world.eyes.exists(&folder)? {
                cx.world.perform(Action::RemovePath { path: folder }).await?;
            }
            cx.world.warn(format!("generation {number} has no cache for Lmod: {}", trouble.message()));
            Ok(None)
        }
    }
}

/// Lmod's program.
fn program(cx: &Cx) -> Option<PathBuf> {
    let found = of_lmod(cx, PROGRAM);
    if let (None, Some(folder)) = (&found, &cx.site.loaded.config.lmod) {
        cx.world.warn(format!(
            "there is no {PROGRAM} in {}, which `lmod` of the site file names",
            folder.display()
        ));
    }
    found
}

async fn make(
    cx: &Cx,
    program: &Path,
    roots: &[ModuleFolders],
    folder: &Path,
    place: &Place,
    number: u64,
) -> Result<()> {
    // What is half written must not lie where Lmod looks.
    let salt = cx.world.clock.now().as_nanosecond();
    let scratch = std::env::temp_dir().join(format!("moonstack-lmod-{}-{salt:x}", std::process::id()));
    cx.world.perform(Action::MakeTempFolder { path: scratch.clone() }).await?;
    let cores = cores(cx, roots);
    let words = |paths: &[PathBuf]| {
        let joined: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let (to, stamp) = (scratch.display().to_string(), scratch.join(TIMESTAMP).display().to_string());
        vec![program.display().to_string(), "-d".to_owned(), to, "-t".to_owned(), stamp, joined.join(":")]
    };
    let program = Program {
        argv: words(&cores),
        // Which folders Spack makes below a root is not known before.
        shown: Some(words(&roots.iter().map(|folders| folders.root.clone()).collect::<Vec<_>>())),
        timeout: Some(cx.site.program_limit()),
        ..Program::default()
    };
    let argv = program.argv.clone();
    let ran = cx.world.perform(Action::run(program, Effect::Changes)).await?.ran();
    if !ran.ok() {
        let said = ran.stderr.lines().chain(ran.stdout.lines()).find(|line| !line.trim().is_empty());
        let message = format!("{} failed: {}", argv.join(" "), said.unwrap_or("it said nothing"));
        return Err(Trouble::new(Kind::Program, message));
    }
    let text = if cx.world.hands.pretends() {
        String::new()
    } else {
        cx.world.eyes.read_text(&scratch.join(CACHE))?
    };
    cx.world.perform(Action::MakeFolder { path: folder.to_owned() }).await?;
    // Lmod believes a cache that is not older than its timestamp.
    let bytes = seen_by_users(text, &cores, place, number).into_bytes();
    for (name, bytes) in [(TIMESTAMP, Vec::new()), (CACHE, bytes)] {
        cx.world
            .perform(Action::WriteFile { path: folder.join(name), bytes, mode: None, varies: true })
            .await?;
    }
    Ok(())
}

/// The folders that users have in their MODULEPATH. The others of a hierarchy are found from there.
fn cores(cx: &Cx, roots: &[ModuleFolders]) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for folders in roots {
        let found = folders.now(&*cx.world.eyes);
        if found.is_empty() { out.push(folders.root.clone()) } else { out.extend(found) }
    }
    out
}

/// Lmod knows folders by the names that stand in MODULEPATH, and those of users lead through the link.
fn seen_by_users(text: String, cores: &[PathBuf], place: &Place, number: u64) -> String {
    let generation = place.generation(number);
    cores.iter().fold(text, |text, core| {
        let Ok(below) = core.strip_prefix(&generation) else { return text };
        let (from, to) = (core.display().to_string(), place.link.join(below).display().to_string());
        let inside = text.replace(&format!("\"{from}/"), &format!("\"{to}/"));
        inside.replace(&format!("\"{from}\""), &format!("\"{to}\""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_in_modulepath_goes_through_the_link() {
        let place = Place {
            name: "s".into(),
            folder: "/stack/generations/s".into(),
            link: "/stack/current/s".into(),
        };
        let core = PathBuf::from("/stack/generations/s/2/modules/lmod/linux/Core");
        let text = "[\"/stack/generations/s/2/modules/lmod/linux/Core\"] = { fn = \
                    \"/stack/generations/s/2/modules/lmod/linux/Core/zlib/1.lua\", deep = \
                    \"/stack/generations/s/2/modules/lmod/linux/CoreX/a\", old = \"/stack/generations/s/1/x\" }";
        let seen = seen_by_users(text.to_owned(), &[core], &place, 2);
        assert_eq!(
            seen,
            "[\"/stack/current/s/modules/lmod/linux/Core\"] = { fn = \
             \"/stack/current/s/modules/lmod/linux/Core/zlib/1.lua\", deep = \
             \"/stack/generations/s/2/modules/lmod/linux/CoreX/a\", old = \"/stack/generations/s/1/x\" }"
        );
    }
}
