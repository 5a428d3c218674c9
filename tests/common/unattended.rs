//! A practice site in a folder of its own, with a workflow that ends as it is told to, and a channel that keeps what
//! it is told.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Ends well, with warnings, or not at all; makes a change or none.
const NIGHTLY: &str = r#"
return workflow{
  name = "nightly", doc = "Ends as it is told to.",
  options = {
    { name = "mode", type = "string", doc = "How.", default = "calm" },
    { name = "of", type = "string", doc = "A file that says how, so that runs with the same options end differently." },
    { name = "file", type = "string", doc = "What to write." },
  },
  run = function(o)
    if o.of then o = setmetatable({ mode = fs.read(o.of) }, { __index = o }) end
    if o.mode == "work" then
      run.step("write", {}, function() fs.write(o.file, "x") end)
      log.info("written")
    elseif o.mode == "told" then
      if fs.read(o.file) == "fail" then fail("build", "hdf5 failed to build") end
    elseif o.mode == "fail" then
      run.step("build", {}, function() fail("build", "hdf5 failed to build") end)
    elseif o.mode == "attention" then
      return 1
    elseif o.mode == "install" then
      run.step("install", {}, function() spack.install("zlib") end)
    elseif o.mode == "hold" then
      fs.write(o.file, "held")
      time.sleep("60s")
    end
  end,
}
"#;

/// Says what it is given.
const SAY: &str = "for _, word in ipairs({ ... }) do print('<' .. word .. '>') end\n";

pub struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    /// With these lines in the site file.
    pub fn new(lines: &str) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let site = Site { folder };
        site.write("scripts/nightly.lua", NIGHTLY);
        site.write("scripts/say it's 100%.lua", SAY);
        site.write("site.toml", &format!("scripts = ['scripts']\n{lines}"));
        site
    }

    /// With a channel that is told of changes.
    pub fn telling(lines: &str) -> Site {
        let site = Site::new(lines);
        let tell = format!("cat >> '{0}'; echo >> '{0}'", site.path("told").display());
        let channel = format!("[notify.ops]\nkind = 'exec'\nargv = ['sh', '-c', \"{tell}\"]\n");
        let text = std::fs::read_to_string(site.path("site.toml")).unwrap();
        site.write("site.toml", &format!("{text}\n{channel}"));
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn word(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The executable on this site, with nothing of the tester's own settings.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moonstack"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path("home"))
            .arg("--site")
            .arg(self.path("site.toml"))
            .arg(format!("--practice={}", self.path("practice").display()))
            .args(args);
        command
    }

    /// Exit code, standard output, standard error.
    pub fn run(&self, args: &[&str]) -> (i32, String, String) {
        taken(&self.command(args).output().unwrap())
    }

    /// The same where it has to go well.
    pub fn fine(&self, args: &[&str]) -> String {
        let (code, out, err) = self.run(args);
        assert_eq!(code, 0, "{args:?}\n{out}\n{err}");
        out
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let (_, out, err) = self.run(&[&["--json"], args].concat());
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {args:?}\n{out}\n{err}"))
    }

    /// Titles of what the channel was told.
    pub fn told(&self) -> Vec<String> {
        let text = self.read("told");
        let messages = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
        messages.map(|m| m.unwrap()["title"].as_str().unwrap().to_owned()).collect()
    }
}

pub fn taken(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// A program with its input; its exit code and what it said.
pub fn ask(program: &str, args: &[&str], input: Option<&Path>) -> (i32, String) {
    let mut command = Command::new(program);
    if let Some(input) = input {
        command.stdin(std::fs::File::open(input).unwrap());
    }
    let (code, out, err) = taken(&command.args(args).output().unwrap());
    (code, format!("{out}{err}"))
}
