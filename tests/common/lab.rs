//! Real Spack sites for tests: one for each checkout under `MOONSTACK_LAB` or `~/.cache/moonstack-lab`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{LazyLock, OnceLock};

use libtest_mimic::{Failed, Trial};

use super::trial::{Lack, trial};

pub const RELEASES: [&str; 3] = ["0.23", "1.1", "1.2"];

/// One trial a release, which gets its name and its checkout; `also` is what each needs besides.
pub fn for_each_release(
    test: &str,
    also: &Lack,
    run: fn(&'static str, &Path) -> Result<(), Failed>,
) -> Vec<Trial> {
    let one = |release: &'static str| {
        let lack = lack(release).or_else(|| also.clone());
        let root = root(release).unwrap_or_default();
        trial(format!("{test}::{}", word(release)), lack, move || run(release, &root))
    };
    RELEASES.into_iter().map(one).collect()
}

/// One trial for each populated site: those that `MOONSTACK_LAB_SITES` names (separated by ':'), else a small one a
/// release, made once and kept in the build folder.
pub fn for_each_site(test: &str, run: fn(&Path)) -> Vec<Trial> {
    if let Some(named) = named() {
        let name = |site: &Path| site.file_name().unwrap_or(site.as_os_str()).display().to_string();
        let one = |site: PathBuf| trial(format!("{test}::{}", name(&site)), None, move || run(&site));
        return named.into_iter().map(one).collect();
    }
    let one = |(number, release): (usize, &'static str)| {
        trial(format!("{test}::{}", word(release)), lack(release), move || match site(number) {
            Ok(folder) => run(&folder),
            Err(error) => panic!("the lab site of {release}: {error}"),
        })
    };
    RELEASES.into_iter().enumerate().map(one).collect()
}

/// The populated site of a release. Who asks while it is made waits for it.
fn site(number: usize) -> Result<PathBuf, String> {
    static SITES: [OnceLock<Result<PathBuf, String>>; RELEASES.len()] =
        [const { OnceLock::new() }; RELEASES.len()];
    let release = RELEASES[number];
    let make = || populated(release, &root(release).ok_or("it has no checkout")?);
    SITES[number].get_or_init(make).clone()
}

/// As a part of a trial's name.
pub fn word(release: &str) -> String {
    format!("spack_{}", release.replace('.', "_"))
}

/// What is missing to try something on a release.
pub fn lack(release: &str) -> Lack {
    static SOLVER: LazyLock<bool> = LazyLock::new(|| {
        let solver = Command::new("python3").args(["-c", "import clingo"]).output();
        solver.is_ok_and(|output| output.status.success())
    });
    if root(release).is_none() {
        return Some(format!("no checkout of Spack {release}"));
    }
    (!*SOLVER).then(|| "no clingo".to_owned())
}

/// Where the Spack of a release is.
pub fn root(release: &str) -> Option<PathBuf> {
    checkout(&format!("spack-{release}"))
}

/// The checkout of a release, or of Spack's packages.
pub fn checkout(name: &str) -> Option<PathBuf> {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/moonstack-lab");
    let lab = std::env::var_os("MOONSTACK_LAB").map_or_else(home, PathBuf::from);
    Some(lab.join(name)).filter(|path| path.is_dir())
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

    /// What the executable keeps of it: beside it, so that it is no part of the site.
    pub fn state(&self) -> PathBuf {
        self.folder.with_file_name("state")
    }

    /// The executable within the site.
    pub fn moonstack(&self, words: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_moonstack"));
        command.args(words).env("MOONSTACK_STATE", self.state()).stdin(Stdio::null());
        command
    }

    pub fn json(&self, words: &[&str]) -> Result<serde_json::Value, String> {
        let output = self.moonstack(&[&["--json"], words].concat()).output().map_err(|e| e.to_string())?;
        done(&format!("{words:?}"), &output)?;
        if output.stdout.is_empty() {
            return Ok(serde_json::Value::Null);
        }
        serde_json::from_slice(&output.stdout).map_err(|e| format!("{words:?}: {e}"))
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

fn named() -> Option<Vec<PathBuf>> {
    let named = std::env::var("MOONSTACK_LAB_SITES").ok()?;
    let named: Vec<PathBuf> = named.split([':', ',']).filter(|s| !s.is_empty()).map(PathBuf::from).collect();
    (!named.is_empty()).then_some(named)
}

/// The site among those that `MOONSTACK_LAB_SITES` names that has the Spack of this checkout.
pub fn named_site(root: &Path) -> Option<LabSite> {
    let opened = named()?.into_iter().filter_map(|folder| LabSite::open(&folder).ok());
    opened.into_iter().find(|site| site.env.get("SPACK_ROOT").is_some_and(|of| Path::new(of) == root))
}

const INSTALLS: &[&str] = &[
    "lab-app@2.0 ^lab-openmpi",
    "lab-app@1.0 ^lab-mpich",
    "lab-hdf5@1.12.3~mpi",
    "lab-solver@2.4 precision=single ^lab-openmpi",
    "lab-zlib@1.2.13",
];

/// Name, what the manifest asks for, and whether it is concretized and installed. None has `unify: false`: before it
/// solves roots side by side, Spack 0.23 indexes all of its packages, which takes longer than everything else here.
const ENVIRONMENTS: &[(&str, &str, bool, bool)] = &[
    ("fresh", "  specs: [lab-app@2.0]\n", false, false),
    ("concrete", "  specs: [lab-netcdf@4.9.0, lab-big kib=12]\n  view: false\n", true, false),
    ("installed", "  specs: [lab-hdf5~mpi, lab-zlib]\n  concretizer: {unify: when_possible}\n", true, true),
    (
        "lists",
        "  definitions:\n  - zlibs: [lab-zlib@1.2.13, lab-zlib@1.3.1]\n  - others: [lab-hwloc@2.9]\n  specs:\n  \
         - $zlibs\n  - matrix:\n    - [lab-hdf5]\n    - [~mpi, +mpi]\n  concretizer: {unify: when_possible}\n  view: false\n",
        true,
        false,
    ),
    ("stale", "  specs: [lab-hwloc, lab-zlib@1.3.1]\n", true, false),
    // Words that Spack writes down in another way: another order, the same twice, what this machine is, a namespace.
    (
        "worded",
        "  specs: ['lab-app@2.0 ^lab-openmpi ^lab-hdf5', lab-zlib, lab-zlib, lab-hwloc os=fe target=default_target, \
         lab.lab-big]\n  concretizer: {unify: when_possible}\n  view: false\n",
        true,
        false,
    ),
];

fn populated(release: &str, root: &Path) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lab-{release}"));
    let finished = folder.join("populated");
    if finished.is_file() {
        return Ok(folder);
    }
    let io = |e: std::io::Error| e.to_string();
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(io)?;
    }
    let site = LabSite::make(root, &folder, false)?;
    for spec in INSTALLS {
        let words = std::iter::once("install").chain(spec.split(' ')).collect::<Vec<_>>();
        site.spack(&words)?;
    }
    for (name, asks, concretize, install) in ENVIRONMENTS {
        let file = folder.join(format!("{name}.yaml"));
        std::fs::write(&file, format!("spack:\n{asks}")).map_err(io)?;
        site.spack(&["env", "create", name, &file.display().to_string()])?;
        if *concretize {
            site.spack(&["-e", name, "concretize"])?;
        }
        if *install {
            site.spack(&["-e", name, "install"])?;
        }
    }
    site.spack(&["-e", "stale", "remove", "lab-hwloc"])?;
    site.spack(&["-e", "stale", "add", "lab-big"])?;
    std::fs::write(finished, "").map_err(io)?;
    Ok(folder)
}
