//! A site and the executable on it.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::lab::LabSite;

pub type Outcome = Result<(), String>;
pub type Check = fn(&Bed) -> Outcome;

pub struct Bed {
    pub release: String,
    pub site: LabSite,
    state: PathBuf,
    _folder: tempfile::TempDir,
}

/// What the executable gave.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub json: Value,
    pub stderr: String,
}

impl Bed {
    pub fn new(release: &str, root: &Path) -> Result<Bed, String> {
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let site = LabSite::make(root, &folder.path().join("site"), false)?;
        let state = folder.path().join("state");
        std::fs::create_dir_all(&state).map_err(|e| e.to_string())?;
        Ok(Bed { release: release.to_owned(), site, state, _folder: folder })
    }

    pub fn command(&self, script: &str) -> std::process::Command {
        let mut command = self.site.command(env!("CARGO_BIN_EXE_moonstack"));
        command.args(["--json", "eval", script]).env("XDG_STATE_HOME", &self.state);
        command.env("SPACK_COLOR", "always").env("PYTHONPATH", "/nonexistent").stdin(Stdio::null());
        command
    }

    pub fn eval(&self, script: &str) -> Result<Said, String> {
        self.eval_with(script, &[])
    }

    pub fn eval_with(&self, script: &str, env: &[(&str, &str)]) -> Result<Said, String> {
        let output = self.command(script).envs(env.iter().copied()).output().map_err(|e| e.to_string())?;
        said(output)
    }

    /// A script that must succeed; its result.
    pub fn ok(&self, script: &str) -> Result<Value, String> {
        let said = self.eval(script)?;
        if said.code == Some(0) { Ok(said.json) } else { Err(format!("{script}: {said:#?}")) }
    }

    /// A script that must fail with this kind; its error.
    pub fn fails(&self, script: &str, kind: &str) -> Result<Value, String> {
        error(&self.eval(script)?, kind).map_err(|e| format!("{script}: {e}"))
    }

    pub fn start(&self, script: &str) -> Result<Child, String> {
        self.command(script).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|e| e.to_string())
    }

    /// The logs of Spack's commands, as they are now.
    pub fn logs(&self) -> Vec<(PathBuf, String)> {
        let entries = std::fs::read_dir(self.state.join("moonstack/logs")).into_iter().flatten().flatten();
        entries.filter_map(|e| Some((e.path(), std::fs::read_to_string(e.path()).ok()?))).collect()
    }

    /// Processes that work in the site: their command line or folder names it.
    pub fn processes(&self) -> Vec<String> {
        let site = self.site.folder.display().to_string();
        let own = std::process::id().to_string();
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        entries
            .filter_map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name == own || !name.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                let environ = std::fs::read(entry.path().join("environ")).ok()?;
                let line = std::fs::read(entry.path().join("cmdline")).ok()?;
                let here = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(&site);
                (here(&environ) || here(&line))
                    .then(|| String::from_utf8_lossy(&line).replace('\0', " "))
                    .filter(|line| !line.is_empty())
            })
            .collect()
    }

    /// Nobody is left after a while.
    pub fn quiet(&self) -> Outcome {
        wait("processes to end", Duration::from_secs(15), || self.processes().is_empty())
            .map_err(|e| format!("{e}: {:#?}", self.processes()))
    }
}

pub fn said(output: std::process::Output) -> Result<Said, String> {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let json = if stdout.trim().is_empty() {
        // Errors are the last line beside the results.
        stderr.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default()
    } else {
        serde_json::from_str(&stdout).map_err(|e| format!("not JSON ({e}): {stdout}\n{stderr}"))?
    };
    Ok(Said { code: output.status.code(), json, stderr })
}

pub fn error(said: &Said, kind: &str) -> Result<Value, String> {
    let error = said.json["error"].clone();
    if error["kind"] == kind && said.code != Some(0) {
        Ok(error)
    } else {
        Err(format!("expected {kind}, got {said:#?}"))
    }
}

pub fn wait(what: &str, limit: Duration, mut done: impl FnMut() -> bool) -> Outcome {
    let begin = Instant::now();
    while !done() {
        if begin.elapsed() > limit {
            return Err(format!("waited {limit:?} for {what}"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

pub fn ensure(holds: bool, what: &str) -> Outcome {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}
