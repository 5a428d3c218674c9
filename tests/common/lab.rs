//! Real Spack sites for tests: one for each checkout under `MOONSTACK_LAB` or `~/.cache/moonstack-lab`.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub const RELEASES: [&str; 3] = ["0.23", "1.1", "1.2"];

/// The checkout of a release, or of Spack's packages.
pub fn checkout(name: &str) -> Option<PathBuf> {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/moonstack-lab");
    let lab = std::env::var_os("MOONSTACK_LAB").map_or_else(home, PathBuf::from);
    Some(lab.join(name)).filter(|path| path.is_dir())
}

/// The Spack of a release, where it and its solver are.
pub fn spack(release: &str) -> Option<PathBuf> {
    let root = checkout(&format!("spack-{release}"))?;
    let solver = Command::new("python3").args(["-c", "import clingo"]).output();
    solver.is_ok_and(|o| o.status.success()).then_some(root)
}

/// An isolated site.
pub struct LabSite {
    pub folder: PathBuf,
    pub env: BTreeMap<String, String>,
}

impl LabSite {
    /// Makes one in a folder that does not exist yet; with `packages`, Spack's own packages are known as well.
    pub fn make(root: &Path, folder: &Path, packages: bool) -> Result<LabSite, String> {
        let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/lab");
        let mut command = Command::new("python3");
        command.arg(tool).arg("site").arg(folder).env("SPACK_ROOT", root).env_remove("SPACK_PACKAGES");
        if let Some(packages) = checkout("spack-packages").filter(|_| packages) {
            command.env("SPACK_PACKAGES", packages);
        }
        done("lab site", &command.output().map_err(|e| e.to_string())?)?;
        LabSite::open(folder)
    }

    /// One that is there.
    pub fn open(folder: &Path) -> Result<LabSite, String> {
        let script = folder.join("env.sh");
        let text = std::fs::read_to_string(&script).map_err(|e| format!("{}: {e}", script.display()))?;
        let mut env: BTreeMap<String, String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let path = std::env::var("PATH").unwrap_or_default();
        if let Some(value) = env.get_mut("PATH") {
            *value = value.replace("$PATH", &path);
        }
        Ok(LabSite { folder: folder.to_owned(), env })
    }

    /// A program within the site.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("SPACK") || text.starts_with("MOONSTACK") {
                command.env_remove(&name);
            }
        }
        command.envs(&self.env);
        command
    }

    pub fn spack(&self, words: &[&str]) -> Result<String, String> {
        let spack = Path::new(&self.env["SPACK_ROOT"]).join("bin/spack");
        let output = self.command(spack).args(words).output().map_err(|e| e.to_string())?;
        done(&format!("spack {}", words.join(" ")), &output)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// The records of the database by hash, read by other means than what is tested.
    pub fn records(&self) -> serde_json::Map<String, serde_json::Value> {
        let path = self.store().join(".spack-db/index.json");
        let Ok(text) = std::fs::read(path) else { return serde_json::Map::new() };
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        value["database"]["installs"].as_object().cloned().unwrap_or_default()
    }

    /// Hashes of what is installed under a name.
    pub fn installed(&self, name: &str) -> Vec<String> {
        self.records()
            .into_iter()
            .filter(|(_, r)| r["installed"] == true && r["spec"]["name"] == name)
            .map(|(hash, _)| hash)
            .collect()
    }
}

pub fn done(what: &str, output: &Output) -> Result<(), String> {
    if output.status.success() {
        return Ok(());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Err(format!("{what}: {}\n{}{}", output.status, text(&output.stdout), text(&output.stderr)))
}
