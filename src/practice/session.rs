//! One run of the stand-in: its global options, configuration, environment and output streams, and the way from
//! words to a verb. The verbs are in `verb_…`.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::config::{Config, Variables};
use super::solve::wishes::Wishes;
use super::solve::{Kept, Solution, Solver};
use super::store::Store;
use crate::practice::config::fault::Faults;
use crate::practice::env::environment::Environment;
use crate::practice::model::catalogue::Catalogue;
use crate::practice::model::halt::Halt;
use crate::practice::model::record::Nodes;
use crate::spack::spec::Spec;

/// Where a run reads and prints.
pub struct Streams<'a> {
    pub input: &'a mut dyn BufRead,
    pub out: &'a mut dyn Write,
    pub err: &'a mut dyn Write,
}

pub struct Session<'a, 'b> {
    pub streams: &'a mut Streams<'b>,
    pub config: Config,
    pub environment: Option<Environment>,
    pub environments: PathBuf,
    pub store: Store,
    pub catalogue: Catalogue,
    pub faults: Faults,
}

/// Global options, and what follows them.
#[derive(Debug, Default)]
pub struct Globals {
    pub environment: Option<String>,
    pub directory: Option<String>,
    pub no_environment: bool,
    pub scopes: Vec<String>,
    pub assignments: Vec<String>,
    pub no_locks: bool,
    pub version: bool,
    pub rest: Vec<String>,
}

impl Globals {
    pub fn read(arguments: &[String]) -> Result<Globals, Halt> {
        let mut globals = Globals::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let (name, attached) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (word.as_str(), None),
            };
            let mut value = || {
                attached
                    .clone()
                    .or_else(|| words.next().cloned())
                    .ok_or_else(|| Halt { code: 2, text: format!("argument {name}: expected one argument") })
            };
            match name {
                "-e" | "--env" => globals.environment = Some(value()?),
                "-D" | "--env-dir" => globals.directory = Some(value()?),
                "-E" | "--no-env" => globals.no_environment = true,
                "-C" | "--config-scope" => globals.scopes.push(value()?),
                "-c" | "--config" => globals.assignments.push(value()?),
                "--color" => drop(value()?),
                "-L" | "--disable-locks" => globals.no_locks = true,
                "-V" | "--version" => globals.version = true,
                "-k" | "--insecure" | "-d" | "--debug" | "-t" | "--backtrace" | "--timestamp" | "-v"
                | "--verbose" | "-l" | "--enable-locks" | "--use-env-repo" | "--stacktrace" => {}
                other if other.starts_with('-') => {
                    return Err(Halt::failed(format!("unrecognized arguments: {word}")));
                }
                _ => {
                    globals.rest.push(word.clone());
                    globals.rest.extend(words.by_ref().cloned());
                }
            }
        }
        Ok(globals)
    }
}

impl<'a, 'b> Session<'a, 'b> {
    pub fn start(
        globals: &Globals,
        spack_root: &Path,
        variables: &Variables,
        streams: &'a mut Streams<'b>,
    ) -> Result<Session<'a, 'b>, Halt> {
        let mut config = Config::new(spack_root, variables);
        let environments = config.path("config", "/environments_root", "$spack/var/spack/environments")?;
        let environment = chosen_environment(globals, variables, &environments)?;
        if let Some(environment) = &environment {
            for path in environment.included()?.into_iter().rev() {
                config.push(path)?;
            }
            config.push_inline(Value::Object(environment.manifest()?));
        }
        for scope in &globals.scopes {
            config.push_folder(PathBuf::from(scope));
        }
        for assignment in &globals.assignments {
            config.push_assignment(assignment)?;
        }
        let mut store = Store::at(&config.path("config", "/install_tree/root", "$spack/opt/spack")?);
        let settings = config.section("config")?;
        let seconds = settings.get("db_lock_timeout").map_or(Some(60), Value::as_u64).filter(|s| *s > 0);
        store.patience = seconds.map(Duration::from_secs);
        store.locking = !globals.no_locks && settings.get("locks") != Some(&Value::Bool(false));
        let faults = Faults::load(spack_root, variables)?;
        let catalogue = Catalogue::load()?;
        Ok(Session { streams, config, environment, environments, store, catalogue, faults })
    }

    /// Prints a line and lets it be seen at once, as Spack does.
    pub fn say(&mut self, line: &str) -> Result<(), Halt> {
        writeln!(self.streams.out, "{line}")?;
        Ok(self.streams.out.flush()?)
    }

    pub fn complain(&mut self, line: &str) -> Result<(), Halt> {
        writeln!(self.streams.err, "{line}")?;
        Ok(self.streams.err.flush()?)
    }

    /// Asks as Spack does: an end of input is its "unexpected exception".
    pub fn confirm(&mut self, question: &str) -> Result<bool, Halt> {
        self.ask(&format!("{question} [y/N]"))
    }

    /// The same, with the choices in the question.
    pub fn ask(&mut self, question: &str) -> Result<bool, Halt> {
        write!(self.streams.out, "==> {question} ")?;
        self.streams.out.flush()?;
        let mut answer = String::new();
        if self.streams.input.read_line(&mut answer).unwrap_or(0) == 0 {
            return Err(Halt::internal("EOF when reading a line"));
        }
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    pub fn solve(&self, requests: &[Spec]) -> Result<Solution, Halt> {
        self.solve_beside(requests, Kept::default())
    }

    /// Together with what stays as it is.
    pub fn solve_beside(&self, requests: &[Spec], kept: Kept) -> Result<Solution, Halt> {
        let compilers = self.config.compilers()?;
        let wishes = Wishes::read(&self.config.section("packages")?)?;
        Solver { catalogue: &self.catalogue, compilers: &compilers, wishes, kept }.solve(requests)
    }

    pub fn active(&self, verb: &str) -> Result<Environment, Halt> {
        self.environment.clone().ok_or_else(|| {
            Halt::failed(format!(
                "`spack {verb}` requires an environment\nactivate an environment first:\n    spack env activate ENV\nor use:\n    spack -e ENV {verb} ..."
            ))
        })
    }

    /// Every managed environment, nested ones too.
    pub fn managed(&self) -> Vec<Environment> {
        let walk = walkdir::WalkDir::new(&self.environments).follow_links(true).sort_by_file_name();
        walk.into_iter()
            .filter_entry(|e| !e.file_name().to_string_lossy().starts_with('.'))
            .filter_map(Result::ok)
            .filter(|e| e.file_name() == "spack.yaml")
            .filter_map(|e| e.path().parent().map(Path::to_path_buf))
            .filter_map(|folder| {
                let name = folder.strip_prefix(&self.environments).ok()?.to_string_lossy().into_owned();
                Some(Environment { name, folder })
            })
            .collect()
    }

    /// Database nodes and those of the active environment's lock together.
    pub fn known_nodes(&self) -> Result<Nodes, Halt> {
        let mut nodes = self.store.read()?.nodes();
        if let Some(environment) = &self.environment {
            nodes.extend(environment.lock()?.nodes);
        }
        Ok(nodes)
    }
}

fn chosen_environment(
    globals: &Globals,
    variables: &Variables,
    environments: &Path,
) -> Result<Option<Environment>, Halt> {
    if globals.no_environment {
        return Ok(None);
    }
    if let Some(folder) = &globals.directory {
        return Environment::find(folder, environments, true).map(Some);
    }
    let word = globals.environment.as_ref().or_else(|| variables.get("SPACK_ENV").filter(|v| !v.is_empty()));
    word.map(|w| Environment::find(w, environments, false)).transpose()
}

/// The options of one verb: flags and values taken out, the rest are its words.
#[derive(Debug, Default)]
pub struct Options {
    flags: Vec<&'static str>,
    values: Vec<(&'static str, String)>,
    pub words: Vec<String>,
}

/// An option's spellings, and whether a value follows. The last spelling is its name here.
pub type Declared = (&'static [&'static str], bool);

impl Options {
    pub fn read(arguments: &[String], declared: &[Declared]) -> Result<Options, Halt> {
        let mut options = Options::default();
        let find = |word: &str| declared.iter().find(|(names, _)| names.contains(&word));
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let (head, attached) = match word.split_once('=') {
                Some((head, value)) if head.starts_with("--") => (head, Some(value.to_owned())),
                _ => (word.as_str(), None),
            };
            if !word.starts_with('-') || word == "-" {
                options.words.push(word.clone());
            } else if let Some((names, takes_value)) = find(head) {
                let name = names.last().copied().unwrap_or_default();
                if *takes_value {
                    let Some(value) = attached.or_else(|| words.next().cloned()) else {
                        return Err(Halt {
                            code: 2,
                            text: format!("argument {head}: expected one argument"),
                        });
                    };
                    options.values.push((name, value));
                } else {
                    options.flags.push(name);
                }
            } else if !options.bundle(word, declared) {
                return Err(Halt::failed(format!("unrecognized arguments: {word}")));
            }
        }
        Ok(options)
    }

    /// `-yf` for `-y -f`, and `-j4`.
    fn bundle(&mut self, word: &str, declared: &[Declared]) -> bool {
        let Some(letters) = word.strip_prefix('-').filter(|l| l.len() > 1 && !l.starts_with('-')) else {
            return false;
        };
        let rest = letters.char_indices();
        for (at, letter) in rest {
            let short = format!("-{letter}");
            let Some((names, takes_value)) = declared.iter().find(|(n, _)| n.contains(&short.as_str()))
            else {
                return false;
            };
            let name = names.last().copied().unwrap_or_default();
            if *takes_value {
                let value = letters.get(at + letter.len_utf8()..).unwrap_or_default().to_owned();
                self.values.push((name, value));
                return true;
            }
            self.flags.push(name);
        }
        true
    }

    pub fn has(&self, name: &str) -> bool {
        self.flags.contains(&name)
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().rev().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }

    pub fn values(&self, name: &str) -> Vec<String> {
        self.values.iter().filter(|(n, _)| *n == name).map(|(_, v)| v.clone()).collect()
    }
}

pub fn stage_root(session: &Session<'_, '_>) -> Result<PathBuf, Halt> {
    session.config.path("config", "/build_stage", "$user_cache_path/stage")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn options_are_read_in_every_spelling() {
        let declared: &[Declared] =
            &[(&["-y", "--yes-to-all"], false), (&["-f", "--force"], false), (&["-j", "--jobs"], true)];
        let options = Options::read(&words("-yf -j4 zlib --jobs=8"), declared).unwrap();
        assert!(options.has("--yes-to-all") && options.has("--force"));
        assert_eq!(options.values("--jobs"), ["4", "8"]);
        assert_eq!(options.words, ["zlib"]);
        let error = Options::read(&words("--nosuchopt"), declared).unwrap_err();
        assert_eq!(error, Halt::failed("unrecognized arguments: --nosuchopt"));
    }

    #[test]
    fn global_options_end_at_the_verb() {
        let globals = Globals::read(&words("-e dev -c a:b:c find -e x")).unwrap();
        assert_eq!(globals.environment.as_deref(), Some("dev"));
        assert_eq!(globals.rest, ["find", "-e", "x"]);
    }
}
