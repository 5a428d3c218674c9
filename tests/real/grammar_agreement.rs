//! Texts of specs in every form of the grammar, as Spack reads them: what they find, what is refused, and when two of
//! them are one; on real sites, see `for_each_site` in `tests/common/lab.rs`.

#![allow(clippy::unwrap_used)] // A test: what is not there must stop it.

mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;
use moonstack::spack::config::locate::{Search, locate};
use moonstack::spack::config::{Config, ConfigInputs};
use moonstack::spack::drive::site_words::ConfiguredWords;
use moonstack::spack::spec::reading::Reading;
use moonstack::spack::spec::{Dialect, Spec, words};
use moonstack::spack::store::database::DatabaseText;
use moonstack::spack::store::query::Query;
use moonstack::spack::store::recipes::RepositoryRecipes;
use moonstack::spack::store::stores::Stores;
use moonstack::world::fs::eyes::LiveEyes;
use serde_json::Value;
use texts::{Question, Texts};

use crate::common::dice::{Dice, share};
use crate::common::lab;

const QUESTIONS: usize = 900;

/// One that is a text, one in parts with conditions, and one with a name that was a compiler's.
const TOOLCHAINS: &str = "toolchains:
  both: '%c=gcc@12 %cxx=gcc@12'
  onlyc: '%c=gcc'
  nag: '%c=gcc@12.2.0'
  parts:
  - spec: '%c=gcc'
    when: '%c'
  - spec: '%cxx=gcc@12:'
    when: '%cxx'
";

/// The site with toolchains in its configuration.
struct Site {
    vars: BTreeMap<String, String>,
    config: Config,
    store: PathBuf,
    dialect: Dialect,
    _scope: tempfile::TempDir,
}

impl Site {
    fn open(folder: &Path) -> Site {
        let mut vars = lab::LabSite::open(folder).unwrap().env;
        let root = PathBuf::from(&vars["SPACK_ROOT"]);
        let installation = locate(&LiveEyes, &Search { explicit: Some(root), ..Search::default() }).unwrap();
        let modern = installation.release.abilities().compilers_are_nodes;
        let scope = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(&vars["SPACK_USER_CONFIG_PATH"]).unwrap() {
            let entry = entry.unwrap();
            if entry.path().is_file() {
                std::fs::copy(entry.path(), scope.path().join(entry.file_name())).unwrap();
            }
        }
        if modern {
            std::fs::write(scope.path().join("toolchains.yaml"), TOOLCHAINS).unwrap();
        }
        vars.insert("SPACK_USER_CONFIG_PATH".to_owned(), scope.path().display().to_string());
        let inputs = ConfigInputs {
            vars: vars.clone(),
            cwd: std::env::current_dir().unwrap(),
            ..ConfigInputs::default()
        };
        let config = Config::load(&LiveEyes, &installation, &inputs).unwrap();
        let store = config.install_tree().unwrap().root;
        let dialect = if modern { Dialect::Direct } else { Dialect::Compiler };
        Site { vars, config, store, dialect, _scope: scope }
    }

    fn read<T>(&self, work: impl FnOnce(Reading<'_>) -> T) -> T {
        let words = ConfiguredWords { config: &self.config };
        work(Reading { dialect: self.dialect, site: Some(&words) })
    }

    /// Spack's own answers.
    fn ask(&self, questions: &[Question]) -> Vec<Value> {
        let file = tempfile::NamedTempFile::new().unwrap();
        serde_json::to_writer(&file, questions).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/grammar_agreement/ask.py");
        let output = Command::new(Path::new(&self.vars["SPACK_ROOT"]).join("bin/spack"))
            .arg("python")
            .args([&script, file.path()])
            .envs(&self.vars)
            .env_remove("SPACK_ENV")
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        let json = printed.lines().find_map(|line| line.strip_prefix("GRAMMAR"));
        let json = json.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(&output.stderr)));
        serde_json::from_str(json).unwrap()
    }
}

#[derive(Default)]
struct Score {
    agree: usize,
    refused: usize,
    differ: Vec<String>,
}

impl Score {
    fn add(&mut self, question: &Question, theirs: &Value, ours: &Result<Value, String>) {
        let refused = theirs.get("error");
        match (refused, ours) {
            (None, Ok(ours)) if ours == theirs => self.agree += 1,
            (Some(_), Err(_)) => self.refused += 1,
            _ => self.differ.push(format!("{question:?}\n    theirs {theirs}\n    ours   {ours:?}")),
        }
    }
}

fn found(
    site: &Site,
    stores: &Stores<'_>,
    recipes: &RepositoryRecipes<'_>,
    all: &[String],
) -> Result<Value, String> {
    let text = words::join(all, site.dialect);
    let specs = site.read(|reading| Spec::parse_all(&text, reading)).map_err(|e| e.to_string())?;
    if specs.is_empty() {
        return Ok(Value::Array(Vec::new()));
    }
    let found = Query::new(specs, site.dialect).run(stores, Some(recipes)).map_err(|e| e.to_string())?;
    let hashes: BTreeSet<String> = found.iter().map(|entry| entry.record.hash.to_owned()).collect();
    Ok(hashes.into_iter().map(Value::from).collect())
}

/// The same two answers; what Spack wrote down is taken from it, and must be what is expected to be left.
fn compared(site: &Site, [a, b]: &[String; 2], theirs: &Value) -> Result<Value, String> {
    let parse = |text: &str| site.read(|reading| Spec::parse(text, reading)).map_err(|e| e.to_string());
    let (a, b) = (parse(a)?, parse(b)?);
    let written = theirs["written"].as_str().ok_or("nothing was written")?;
    let again = if written.trim().is_empty() { Spec::default() } else { parse(written)? };
    if !a.as_written(site.dialect).same_as(&again, site.dialect) {
        return Err(format!("what is left of it is {}, not {again}", a.as_written(site.dialect)));
    }
    let (same, kept) = (a.same_as(&b, site.dialect), a.same_as(&again, site.dialect));
    Ok(serde_json::json!({"same": same, "written": written, "kept": kept}))
}

/// In which order Spack writes several dependencies without a name is not known here.
fn is_undecided(question: &Question) -> bool {
    let Question::Pair([text, _]) = question else { return false };
    let nameless = text.match_indices('^').filter(|(at, _)| {
        let next = text.get(at + 1..).unwrap_or_default().chars().next();
        next.is_some_and(|c| !c.is_ascii_alphanumeric() && c != '[')
    });
    nameless.count() > 1
}

fn as_spack_reads_them(folder: &Path) {
    let site = Site::open(folder);
    let text = DatabaseText::read(&LiveEyes, &site.store, Duration::from_mins(1)).unwrap();
    let stores = Stores::new(text.parse().unwrap(), Vec::new());
    let recipes =
        RepositoryRecipes::new(&LiveEyes, site.config.recipe_folders(&LiveEyes).unwrap(), site.dialect);
    let count = share("MOONSTACK_QUESTIONS", QUESTIONS);
    let questions = Texts::new(Dice::new(), &stores, site.dialect).questions(count);
    let mut score = Score::default();
    for (question, theirs) in questions.iter().zip(site.ask(&questions)) {
        if is_undecided(question) {
            continue;
        }
        let ours = match question {
            Question::Words(words) => found(&site, &stores, &recipes, words),
            Question::Pair(pair) => compared(&site, pair, &theirs),
        };
        score.add(question, &theirs, &ours);
    }
    let Score { agree, refused, differ } = score;
    eprintln!(
        "{}: {} questions: {agree} agree, {refused} refused by both, {} differ",
        folder.display(),
        questions.len(),
        differ.len()
    );
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}

pub fn trials() -> Vec<Trial> {
    lab::for_each_site("grammar_agreement", as_spack_reads_them)
}
