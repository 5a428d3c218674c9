//! A practice site at one path, and the executable working on it: what plans, runs and interruptions are tried on.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// The workflows of `tests/workflows` and the options that each takes.
pub const WORKFLOWS: &[(&str, &[&str])] = &[
    ("a_files", &["dir"]),
    ("b_tree", &["dir"]),
    ("c_environments", &["small", "big"]),
    ("d_solve", &["small", "big", "dir"]),
    ("e_install", &["new"]),
    ("f_environment_install", &["big", "dir"]),
    ("g_side_by_side", &["small", "dir"]),
    ("h_graph", &["dir"]),
    ("i_when_changed", &["small", "big", "dir"]),
    ("j_dated", &["small", "big", "dir"]),
];

pub struct Bed {
    _folder: Option<tempfile::TempDir>,
    pub root: PathBuf,
    /// Arguments and variables that lead to the site.
    pub site: Vec<String>,
    pub env: Vec<(String, String)>,
    /// Specs by the name of the option.
    pub specs: [(&'static str, String); 3],
}

impl Bed {
    /// A new practice site in a folder of its own.
    pub fn practice() -> Bed {
        let folder = tempfile::tempdir().unwrap();
        let bed = Bed::practice_in(folder.path());
        Bed { _folder: Some(folder), ..bed }
    }

    /// One in a folder that is there.
    pub fn practice_in(root: &Path) -> Bed {
        let root = root.to_owned();
        let bed = Bed {
            site: vec![format!("--practice={}", root.join("site").display())],
            env: Vec::new(),
            specs: [
                ("small", "zlib-ng".to_owned()),
                ("big", "gromacs".to_owned()),
                ("new", "openblas".to_owned()),
            ],
            root,
            _folder: None,
        };
        bed.renew();
        bed
    }

    /// Every call is given this site file.
    pub fn use_site_file(&mut self, text: &str) {
        let file = self.root.join("site.toml");
        std::fs::write(&file, text).unwrap();
        self.site.push(format!("--site={}", file.display()));
    }

    /// From now on there are module files of both kinds.
    pub fn make_modules(&self) {
        let text =
            "modules:\n  default:\n    enable: [tcl, lmod]\n    lmod:\n      core_compilers: [gcc@13.2.0]\n";
        std::fs::write(self.root.join("site/config/modules.yaml"), text).unwrap();
    }

    /// The same path with everything as at the beginning.
    pub fn renew(&self) {
        for name in ["site", "out"] {
            let _ = std::fs::remove_dir_all(self.root.join(name));
        }
        std::fs::create_dir_all(self.out()).unwrap();
        let _ = std::fs::remove_file(self.root.join("said"));
        self.ok(&["env", "list"]);
    }

    pub fn out(&self) -> PathBuf {
        self.root.join("out")
    }

    pub fn state(&self) -> PathBuf {
        self.root.join("site/state")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moonstack"));
        command.args(&self.site).args(args).current_dir(&self.root).stdin(Stdio::null());
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{args:?}\n{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend(args);
        serde_json::from_str(&self.ok(&all)).unwrap()
    }

    pub fn start(&self, args: &[&str]) -> Child {
        let said = std::fs::File::options();
        let said = said.clone().create(true).append(true).open(self.root.join("said")).unwrap();
        self.command(args).stdout(Stdio::null()).stderr(said).spawn().unwrap()
    }

    /// What the program says that users of `science` start, and the generation that they are on.
    pub fn used(&self) -> Result<(String, u64), String> {
        let link = self.state().join("current/science");
        let output = Command::new(link.join("view/bin/h5dump")).arg("--version").output();
        let output = output.map_err(|e| format!("the program does not start: {e}"))?;
        std::fs::read(link.join("spack.yaml")).map_err(|e| format!("the manifest: {e}"))?;
        let target = std::fs::read_link(&link).map_err(|e| format!("the link: {e}"))?;
        let number = target.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse().ok());
        match (output.status.success(), number) {
            (true, Some(number)) => Ok((String::from_utf8_lossy(&output.stdout).trim().to_owned(), number)),
            _ => Err(format!("{}: {output:?}", target.display())),
        }
    }

    /// Stages of the builds that run now.
    pub fn builds(&self) -> Vec<String> {
        let files = walkdir::WalkDir::new(&self.root).into_iter().flatten();
        let logs = files.filter(|entry| entry.file_name() == "spack-build-out.txt");
        logs.filter_map(|log| Some(log.path().parent()?.file_name()?.display().to_string())).collect()
    }

    /// What processes that were only started have said.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.root.join("said")).unwrap_or_default()
    }

    /// Path and options of a workflow.
    pub fn words(&self, name: &str) -> Vec<String> {
        let (_, options) = WORKFLOWS.iter().find(|(known, _)| *known == name).unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workflows").join(format!("{name}.lua"));
        let mut words = vec![path.display().to_string()];
        for option in *options {
            let spec = self.specs.iter().find(|(known, _)| known == option).map(|(_, spec)| spec.clone());
            words.push(format!("--{option}"));
            words.push(spec.unwrap_or_else(|| self.out().display().to_string()));
        }
        words
    }

    /// A script of the test's own.
    pub fn script(&self, name: &str, text: &str) -> String {
        let path = self.root.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// The newest run, as `runs show` has it.
    pub fn last_run(&self) -> Value {
        let id = self.json(&["runs", "-n", "1"])[0]["id"].to_string();
        self.json(&["runs", "show", &id])
    }

    /// Everything on the site but our own state: paths, kinds, contents.
    pub fn tree(&self) -> String {
        let digest = moonstack::base::digest::tree;
        let mut parts = vec![digest(&self.out()).unwrap()];
        for entry in std::fs::read_dir(self.root.join("site")).unwrap().flatten() {
            if entry.file_name() != "state" && entry.path().is_dir() {
                parts.push(format!("{} {}", entry.file_name().display(), digest(&entry.path()).unwrap()));
            }
        }
        parts.sort();
        parts.join("\n")
    }

    /// What users would notice: environments, their files, installed specs, what the workflow wrote. Times and the
    /// order of the database do not count.
    pub fn outcome(&self) -> Value {
        let names = self.json(&["env", "list"]);
        let environments: Vec<Value> = names
            .as_array()
            .unwrap()
            .iter()
            .map(|e| {
                let path = PathBuf::from(e["path"].as_str().unwrap());
                let text = |file: &str| std::fs::read_to_string(path.join(file)).unwrap_or_default();
                serde_json::json!([e["name"], text("spack.yaml"), hashes(&text("spack.lock"))])
            })
            .collect();
        let found = self.json(&["find"]);
        let mut specs: Vec<String> = found
            .as_array()
            .unwrap()
            .iter()
            .map(|s| format!("{} {} {}", s["name"], s["hash"], s["explicit"]))
            .collect();
        specs.sort();
        let mut files = Vec::new();
        for entry in walkdir::WalkDir::new(self.out()).sort_by_file_name() {
            let entry = entry.unwrap();
            let name = entry.path().strip_prefix(self.out()).unwrap().display().to_string();
            let counts = entry.file_type().is_file() && name != "submitted" && name != "report";
            let text = if counts { std::fs::read_to_string(entry.path()).unwrap() } else { String::new() };
            files.push(serde_json::json!([name, text]));
        }
        serde_json::json!({ "environments": environments, "specs": specs, "files": files })
    }

    /// Lines that programs have appended: what must not happen twice.
    pub fn submitted(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.out().join("submitted")).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

fn hashes(lock: &str) -> Vec<String> {
    let lock: Value = serde_json::from_str(lock).unwrap_or_default();
    lock["concrete_specs"].as_object().map(|specs| specs.keys().cloned().collect()).unwrap_or_default()
}

/// The same change in a plan and in the journal.
pub fn identities(actions: &Value) -> Vec<String> {
    let mut all: Vec<String> = actions
        .as_array()
        .unwrap()
        .iter()
        .map(|a| {
            let text = |key: &str| a[key].as_str().unwrap_or_default();
            format!(
                "{}|{}|{} {} {} ({})",
                text("step"),
                text("strand"),
                text("action"),
                text("what"),
                text("content"),
                text("place")
            )
        })
        .collect();
    // Between tasks that run side by side there is no order; within one there is, and sorting keeps it.
    all.sort_by_key(|line| line.splitn(3, '|').take(2).map(str::to_owned).collect::<Vec<_>>());
    all
}
