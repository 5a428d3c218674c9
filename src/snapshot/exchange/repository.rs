//! The git work tree that snapshots are put into, and how git is run on it. What a `.gitattributes` there does to files
//! cannot be turned off in every release of git; it is noticed before the commit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha1::{Digest as _, Sha1};

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::world::proc::program::{Program, Ran};
use crate::world::seam::scene::Rehearsal;
use crate::world::{Action, Effect, who};

/// Path → content.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Whatever the repository or the user have set: no hook and no signing program runs, no line end is changed.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.autocrlf=false",
    "core.attributesFile=/dev/null",
    "commit.gpgsign=false",
    "commit.cleanup=verbatim",
    "gc.auto=0",
];
const LIMIT: Duration = Duration::from_mins(5);

/// A work tree.
pub struct Repository {
    root: PathBuf,
}

impl Repository {
    /// The work tree that a folder is in. An empty one is made to be one.
    pub async fn at(cx: &Cx, folder: &Path) -> Result<Repository> {
        let eyes = &*cx.world.eyes;
        for root in folder.ancestors() {
            if eyes.exists(&root.join(".git"))? {
                return Ok(Repository { root: root.to_owned() });
            }
        }
        if eyes.is_folder(folder)? {
            if !eyes.list(folder)?.is_empty() {
                let message = format!("{} is in no git work tree, and is not empty", folder.display());
                return Err(Trouble::new(Kind::Refused, message)
                    .hint("give an empty folder, or make it a repository with `git init`")
                    .fact("path", folder.display().to_string()));
            }
        } else {
            cx.world.perform(Action::MakeFolder { path: folder.to_owned() }).await?;
        }
        let repository = Repository { root: folder.to_owned() };
        let git = folder.join(".git");
        let made = git.clone();
        // A plan has to see that it is one now.
        let pretend = Rehearsal(Arc::new(move |scene, _| {
            scene.overlay.make_folder(&made);
            Box::pin(std::future::ready(Ok(Ran { code: Some(0), ..Ran::default() })))
        }));
        repository.run(cx, Effect::Changes, &["init", "--quiet"], vec![git], pretend).await?;
        Ok(repository)
    }

    /// What differs from the last commit at or below a path.
    pub async fn uncommitted(&self, cx: &Cx, at: &Path) -> Result<Vec<PathBuf>> {
        let path = at.display().to_string();
        let words = ["status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--", &path];
        let git = self.root.join(".git");
        let rehearsal = Rehearsal(Arc::new(move |scene, program| {
            // One that is only pretended has nothing in it.
            if scene.overlay.covers(&git) {
                return Box::pin(std::future::ready(Ok(Ran { code: Some(0), ..Ran::default() })));
            }
            Box::pin(scene.run(program))
        }));
        let ran = self.run(cx, Effect::Reads, &words, Vec::new(), rehearsal).await?;
        let lines = ran.stdout.split('\0').filter_map(|line| line.get(3..));
        Ok(lines.filter(|path| !path.is_empty()).map(|path| self.root.join(path)).collect())
    }

    /// Commits everything below a path, and nothing else that may be staged.
    pub async fn commit(&self, cx: &Cx, at: &Path, files: &Files, message: &str) -> Result<()> {
        let path = at.display().to_string();
        let touches = || vec![self.root.join(".git")];
        // What is ignored in this repository is a part of the snapshot all the same.
        let add = ["add", "--force", "--all", "--", &path];
        self.run(cx, Effect::Changes, &add, touches(), done()).await?;
        self.compare(cx, "", files).await?;
        let commit = ["commit", "--quiet", "--no-verify", "-m", message, "--", &path];
        self.run(cx, Effect::Changes, &commit, touches(), done()).await?;
        Ok(())
    }

    /// The last commit, once it is seen to hold these files byte for byte. None in a plan.
    pub async fn holds(&self, cx: &Cx, files: &Files) -> Result<Option<String>> {
        let ran = self.run(cx, Effect::Reads, &["rev-parse", "HEAD"], Vec::new(), done()).await?;
        let Some(commit) = ran.stdout.lines().next() else { return Ok(None) };
        self.compare(cx, "HEAD", files).await?;
        Ok(Some(commit.to_owned()))
    }

    /// Compares what a commit holds, or what is to be committed next, with what it has to be.
    async fn compare(&self, cx: &Cx, of: &str, files: &Files) -> Result<()> {
        let name = |path: &PathBuf| path.strip_prefix(&self.root).unwrap_or(path).display().to_string();
        let names: Vec<String> = files.keys().map(|path| format!("{of}:{}", name(path))).collect();
        let words: Vec<&str> = ["rev-parse"].into_iter().chain(names.iter().map(String::as_str)).collect();
        let ran = self.run(cx, Effect::Reads, &words, Vec::new(), done()).await?;
        let lines = ran.stdout.lines();
        for ((path, bytes), blob) in files.iter().zip(lines) {
            // A repository of the newer kind has another digest, which git itself has compared.
            if blob.len() == 40 && blob != blob_id(bytes) {
                let message = format!("git would not keep {} byte for byte", path.display());
                return Err(Trouble::new(Kind::Refused, message)
                    .hint("does a .gitattributes of the repository change files on the way in?")
                    .fact("path", path.display().to_string()));
            }
        }
        Ok(())
    }

    async fn run(
        &self,
        cx: &Cx,
        effect: Effect,
        words: &[&str],
        touches: Vec<PathBuf>,
        rehearsal: Rehearsal,
    ) -> Result<Ran> {
        let user = who::user();
        let front = ["git".to_owned(), "-C".to_owned(), self.root.display().to_string()];
        let mut argv: Vec<String> = front.to_vec();
        let author = [format!("user.name={user}"), format!("user.email={user}@{}", who::host())];
        for setting in SETTINGS.iter().map(|s| (*s).to_owned()).chain(author) {
            argv.extend(["-c".to_owned(), setting]);
        }
        argv.extend(words.iter().map(|word| (*word).to_owned()));
        let shown = front.into_iter().chain(words.iter().map(|word| (*word).to_owned())).collect();
        let program = Program {
            argv,
            env: variables(cx),
            clear_env: true,
            timeout: Some(LIMIT),
            shown: Some(shown),
            touches,
            ..Program::default()
        };
        let action = Action::RunProgram { program, effect, rehearsal: Some(rehearsal) };
        let ran = cx.world.perform(action).await?.ran();
        if ran.ok() {
            return Ok(ran);
        }
        let verb = words.first().copied().unwrap_or_default();
        let said = ran.stderr.lines().next().unwrap_or("it said nothing").to_owned();
        Err(Trouble::new(Kind::Program, format!("git {verb} failed in {}: {said}", self.root.display()))
            .fact("stderr", ran.stderr))
    }
}

/// Of ours git gets what it needs to be found and to find whom it may trust.
fn variables(cx: &Cx) -> BTreeMap<String, String> {
    let mut out: BTreeMap<String, String> = ["PATH", "HOME"]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), cx.site.variables.get(*name)?.clone())))
        .collect();
    out.insert("LC_ALL".to_owned(), "C".to_owned());
    out.insert("GIT_TERMINAL_PROMPT".to_owned(), "0".to_owned());
    out
}

/// In a plan it ends well and says nothing.
fn done() -> Rehearsal {
    Rehearsal(Arc::new(|_, _| Box::pin(std::future::ready(Ok(Ran { code: Some(0), ..Ran::default() })))))
}

/// What git calls a content.
fn blob_id(bytes: &[u8]) -> String {
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", bytes.len()));
    hasher.update(bytes);
    data_encoding::HEXLOWER.encode(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    #[test]
    fn contents_are_called_as_git_calls_them() {
        assert_eq!(super::blob_id(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(super::blob_id(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
