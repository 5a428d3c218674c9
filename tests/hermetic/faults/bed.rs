//! A kept practice site, the executable on it, and what one run of it said.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use moonstack::practice;
use serde_json::Value;

pub const EXECUTABLE: &str = env!("CARGO_BIN_EXE_moonstack");

pub struct Bed {
    folder: tempfile::TempDir,
    sound: OnceLock<Value>,
}

/// One run of the executable.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Bed {
    pub fn new() -> Bed {
        let folder = tempfile::tempdir().unwrap();
        practice::create(&folder.path().join("site"), Path::new(EXECUTABLE)).unwrap();
        let bed = Bed { folder, sound: OnceLock::new() };
        bed.stop_time();
        bed
    }

    /// Gives every record the same time, so that a byte of the database is the same byte in every run.
    fn stop_time(&self) {
        const KEY: &str = "\"installation_time\":";
        let text = std::fs::read_to_string(self.index()).unwrap();
        let mut parts = text.split(KEY);
        let mut out = parts.next().unwrap().to_owned();
        for part in parts {
            let end = part.find([',', '}']).unwrap();
            out.push_str(&format!("{KEY}1700000000.25{}", &part[end..]));
        }
        std::fs::write(self.index(), out).unwrap();
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub fn index(&self) -> PathBuf {
        self.path("site/store/.spack-db/index.json")
    }

    /// Writes a file of the bed and gives its path as an argument.
    pub fn file(&self, below: &str, text: &str) -> String {
        std::fs::write(self.path(below), text).unwrap();
        self.path(below).display().to_string()
    }

    /// On the practice site, as nothing but that and the system is there.
    pub fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(EXECUTABLE);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.folder.path());
        command.arg(format!("--practice={}", self.path("site").display())).args(args);
        command.stdin(Stdio::null());
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Said {
        said(&mut self.command(args))
    }

    /// All records, installed or not, and with them whatever one record can show.
    pub fn records(&self) -> Said {
        self.run(&["--json", "call", "spack.find", r#"{"states":["installed","missing","deprecated"]}"#])
    }

    /// What `records` said while nothing was wrong yet.
    pub fn sound(&self) -> &Value {
        self.sound.get_or_init(|| self.records().json())
    }
}

pub fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what we print is text");
    let said = Said {
        code: output.status.code().expect("no signal ends it"),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    assert!(!said.err.contains("panicked"), "{said:?}");
    said
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The error as data: nothing else was printed, and the exit code is that of its kind.
    pub fn error(&self, case: &str) -> Value {
        let whole = self.out.lines().chain(self.err.lines()).find(|l| l.starts_with("{\"error\""));
        let line = whole.unwrap_or_else(|| panic!("{case}: no error was said: {self:?}"));
        let error: Value = serde_json::from_str::<Value>(line).unwrap()["error"].take();
        let kind = moonstack::base::Kind::named(error["kind"].as_str().unwrap()).unwrap();
        assert_eq!(self.code, i32::from(kind.exit_code()), "{case}: {self:?}");
        assert_eq!(self.out.lines().count() + self.err.lines().count(), 1, "{case}: {self:?}");
        error
    }

    /// The one error line that people see, with its hints.
    pub fn trouble(&self, code: i32) -> &str {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.err.matches("error:").count(), 1, "one clear message: {self:?}");
        assert_eq!(self.out, "", "nothing that looks like a result");
        self.err.trim()
    }
}

/// Runs each case, as many at a time as there are beds.
pub fn spread<C: Sync>(beds: &[Bed], cases: &[C], one: impl Fn(&Bed, &C) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for bed in beds {
            let (next, one) = (&next, &one);
            scope.spawn(move || {
                while let Some(case) = cases.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    one(bed, case);
                }
            });
        }
    });
}
