//! A site made by hand: enough of a Spack to be found and configured, and a store from a recorded database.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use moonstack::base::clock::Clock;
use moonstack::check::sweep;
use moonstack::check::{Finding, Wanted};
use moonstack::script::workflow::Workflow;
use moonstack::site::Cx;
use moonstack::site::config::Loaded;
use moonstack::site::cx::Site;
use moonstack::world::World;
use moonstack::world::fs::eyes::LiveEyes;
use moonstack::world::scope::cancel::Cancel;
use moonstack::world::scope::event::Blind;
use moonstack::world::seam::live::LiveHands;
use moonstack::world::state::journal::Journal;
use moonstack::world::state::store::Store;
use serde_json::{Map, Value};

use super::program;

pub const APP: &str = "x6fvarfzreqo7qjttwetnuivde5fu6tz";
pub const LIB: &str = "la5xflzkgyejf7surdsuwctizwwbzcex";
pub const BASE: &str = "raw4ickli2nf5xfqaxcdyqepwqrwzfdz";

pub struct Bed {
    folder: tempfile::TempDir,
}

impl Bed {
    pub fn new() -> Bed {
        let bed = Bed { folder: tempfile::tempdir().unwrap() };
        for folder in
            ["spack/bin", "spack/lib/spack/spack", "spack/etc/spack/defaults", "store/.spack-db", "stage"]
        {
            std::fs::create_dir_all(bed.path(folder)).unwrap();
        }
        std::fs::write(bed.path("spack/lib/spack/spack/__init__.py"), "__version__ = \"1.1.0\"\n").unwrap();
        // Asked for its configuration, it accepts it unless a test says otherwise.
        let spack = bed.script(
            "spack-exe",
            "case \"$*\" in\n*\\ python\\ *) echo >> \"$0.asked\"; cat \"$0.refuses\" 2>/dev/null || echo \
             'moonstack-configuration:[]' ;;\n*) echo started >> \"$0.started\" ;;\nesac",
        );
        std::fs::rename(spack, bed.path("spack/bin/spack")).unwrap();
        bed.config("config", &bed.settings());
        let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/spack-1.1.0/index.json");
        std::fs::copy(recorded, bed.db("index.json")).unwrap();
        for file in ["lock", "prefix_lock", "prefix_failures"] {
            std::fs::write(bed.db(file), "").unwrap();
        }
        let store = bed.path("store").display().to_string();
        bed.edit(|installs| {
            for record in installs.values_mut() {
                let path = record["path"].as_str().unwrap();
                let name = path.rsplit('/').next().unwrap();
                let path = format!("{store}/linux-x86_64_v4/{name}");
                std::fs::create_dir_all(Path::new(&path).join(".spack")).unwrap();
                record["path"] = path.into();
            }
        });
        bed
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub fn db(&self, name: &str) -> PathBuf {
        self.path("store/.spack-db").join(name)
    }

    pub fn settings(&self) -> String {
        format!(
            "config:\n  install_tree:\n    root: {}\n  build_stage: [{}]\n  source_cache: {}\n",
            self.path("store").display(),
            self.path("stage").display(),
            self.path("cache").display()
        )
    }

    pub fn config(&self, section: &str, text: &str) {
        std::fs::write(self.path("spack/etc/spack").join(section).with_extension("yaml"), text).unwrap();
    }

    pub fn compiler(&self, spec: &str, path: &str) {
        let prefix = self.folder.path().display();
        let text = format!(
            "packages:\n  gcc:\n    externals:\n    - spec: {spec}\n      prefix: {prefix}\n      extra_attributes:\n        \
             compilers:\n          c: {path}\n"
        );
        self.config("packages", &text);
    }

    /// An executable shell script.
    pub fn script(&self, name: &str, body: &str) -> String {
        let path = self.path(name);
        program(&path, body);
        path.display().to_string()
    }

    pub fn edit(&self, change: impl FnOnce(&mut Map<String, Value>)) {
        let mut index: Value =
            serde_json::from_slice(&std::fs::read(self.db("index.json")).unwrap()).unwrap();
        change(index["database"]["installs"].as_object_mut().unwrap());
        std::fs::write(self.db("index.json"), index.to_string()).unwrap();
    }

    pub fn set_version(&self, version: &str) {
        let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/spack-1.1.0/index.json");
        let mut index: Value = serde_json::from_slice(&std::fs::read(recorded).unwrap()).unwrap();
        index["database"]["version"] = version.into();
        std::fs::write(self.db("index.json"), index.to_string()).unwrap();
    }

    pub fn prefix(&self, name: &str) -> PathBuf {
        let folder = self.path("store/linux-x86_64_v4");
        let found = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path());
        found.into_iter().find(|p| p.file_name().unwrap().to_str().unwrap().starts_with(name)).unwrap()
    }

    pub fn variables(&self) -> BTreeMap<String, String> {
        let root = self.path("spack").display().to_string();
        [("PATH", "/usr/bin:/bin".to_owned()), ("SPACK_ROOT", root)].map(|(k, v)| (k.to_owned(), v)).into()
    }

    pub fn cx(&self) -> Cx {
        context(&self.path("state"), self.variables())
    }

    pub fn sweep(&self, only: &[&str]) -> Vec<Finding> {
        self.sweep_with(only, Value::Null, None)
    }

    pub fn sweep_with(&self, only: &[&str], thresholds: Value, timeout: Option<&str>) -> Vec<Finding> {
        let wanted = Wanted {
            only: only.iter().map(|n| (*n).to_owned()).collect(),
            thresholds: thresholds.as_object().cloned().unwrap_or_default().into_iter().collect(),
            timeout: timeout.map(Value::from),
            ..Wanted::default()
        };
        let cx = self.cx();
        let found = super::block_on(sweep::run(&cx, &wanted)).unwrap();
        assert!(!self.path("spack.started").exists() && !self.path("spack/bin/spack.started").exists());
        found
    }

    /// The one finding of a check.
    pub fn only(&self, check: &str) -> Finding {
        self.only_with(check, Value::Null, None)
    }

    pub fn only_with(&self, check: &str, thresholds: Value, timeout: Option<&str>) -> Finding {
        let mut found = self.sweep_with(&[check], thresholds, timeout);
        assert_eq!(found.len(), 1, "{found:#?}");
        found.remove(0)
    }
}

pub fn context(state: &Path, variables: BTreeMap<String, String>) -> Cx {
    let clock = Clock::default();
    let store = Arc::new(Store::at(state.join("state.db")));
    let journal = Arc::new(Journal::new(Arc::clone(&store), clock.clone()));
    let world = World {
        eyes: Arc::new(LiveEyes),
        hands: Arc::new(LiveHands::new(Some(Arc::clone(&journal)))),
        watcher: Arc::new(Blind),
        clock,
    };
    let site = Site::new(Loaded::default(), state.to_owned(), store, journal, None, variables, None);
    moonstack::api::hand_in(&site);
    Cx { world, site: Arc::new(site) }
}

/// The environment that a site's `env.sh` makes.
pub fn variables_of(site: &str) -> BTreeMap<String, String> {
    let ran = Command::new("bash").args(["-c", ". \"$1/env.sh\" && env -0", "bash", site]).output().unwrap();
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    text.split('\0')
        .filter_map(|line| line.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

/// Runs the bundled workflow; its exit code and what it printed.
pub fn health_sweep(variables: BTreeMap<String, String>, options: &[&str]) -> (i64, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let cx = context(&folder.path().join("state"), variables);
    let bench = super::Bench::with(cx, folder, Arc::default(), &[]);
    let text = moonstack::script::loader::SCRIPTS.iter().find(|s| s.name == "health-sweep").unwrap().text;
    let declared = bench.run("health-sweep.lua", text).unwrap().remove(0);
    let workflow = Workflow::read(declared.as_table().unwrap()).unwrap();
    let matches = workflow.command().try_get_matches_from(options).unwrap();
    let arguments = workflow.arguments(bench.host.lua(), &matches).unwrap();
    let scope = Cancel::root(Some(Duration::from_mins(1)));
    let call = bench.host.call(
        &scope,
        workflow.run,
        mlua::MultiValue::from_vec(vec![mlua::Value::Table(arguments)]),
    );
    let ended = super::block_on(call).unwrap_or_else(|t| panic!("{}", super::shown(&t)));
    let printed = bench.printed.borrow().clone();
    (ended[0].as_integer().unwrap(), printed)
}

/// Another process that holds the byte of a hash, as Spack does.
pub fn hold(file: &Path, hash: &str) -> (Child, u32) {
    assert!(hash.bytes().all(|b| b == b'a'), "the byte of this hash is zero");
    let program = "import fcntl,sys,time\nf=open(sys.argv[1],'r+')\nfcntl.lockf(f,fcntl.LOCK_EX,1,0)\n\
                   print('held',flush=True)\ntime.sleep(60)";
    let mut child = Command::new("python3")
        .args(["-c", program, file.to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    let pid = child.id();
    (child, pid)
}

/// A web server that answers every request alike.
pub fn serve(status: &'static str) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut request = [0; 2048];
            let _ = stream.read(&mut request);
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    port
}
