//! The site file: system, then user, then `--site FILE`; later values win. Unknown keys are refused, and every
//! effective value knows the file it came from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::channels::ChannelConfig;
use super::policies;
use super::shared::SharedConfig;
use crate::base::trouble::Place;
use crate::base::{Kind, Result, Trouble, words};
use crate::policy::Policies;
use crate::world::Eyes;

/// Where a system-wide site file is looked for.
const SYSTEM: &str = "/etc/moonstack/site.toml";

/// What a site file says of any site, and not of the one stack, state and people that it is of.
const PRACTISED: &[&str] = &["scripts", "policy", "limits", "check"];

/// How far a site stands apart from the one that the site files are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Apart {
    /// It is that site.
    #[default]
    No,
    /// A practice site, of which `--site FILE` may be.
    ButForAsked,
    /// A site for tests.
    Whole,
}

/// Everything a site file can say.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SiteConfig {
    /// Root of the Spack installation.
    pub spack: Option<PathBuf>,
    /// Folder of moonstack's own state.
    pub state: Option<PathBuf>,
    /// Folders with site scripts and Lua modules.
    pub scripts: Vec<PathBuf>,
    /// Folder with `generations` and `current` below it; left out, the state folder.
    pub stack: Option<PathBuf>,
    /// Environments in folders of their own that Spack does not list: what they need is not removed.
    pub environments: Vec<PathBuf>,
    pub generations: GenerationConfig,
    /// Environment variables of Spack and its configuration, whatever the shell says that starts this.
    pub variables: BTreeMap<String, String>,
    /// Whom the site belongs to and who may use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedConfig>,
    /// Folder of Lmod, which makes the cache of a generation's modules; left out, where Lmod's variables say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lmod: Option<PathBuf>,
    pub check: CheckConfig,
    pub limits: Limits,
    /// Who is told, by name.
    pub notify: BTreeMap<String, ChannelConfig>,
    /// Expressions by policy, such as `keep`.
    pub policy: BTreeMap<String, String>,
    /// What runs unattended, by name.
    pub schedule: BTreeMap<String, ScheduleConfig>,
}

/// A run that cron or systemd starts.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Name of the workflow, or the file of a script.
    pub workflow: String,
    /// "daily 02:00", or a cron expression.
    pub on: String,
    /// Options of the workflow.
    #[serde(default)]
    pub options: Vec<String>,
}

/// How generations are kept.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GenerationConfig {
    /// What users were on is not removed for this long after they were moved: jobs may still run from it.
    pub grace: Option<String>,
}

/// How checks judge on this site.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckConfig {
    /// Checks that never run here. A name that no check of a sweep has is refused.
    pub skip: Vec<String>,
    /// Thresholds by name, as `check.run`'s option of that name takes them.
    pub thresholds: BTreeMap<String, Value>,
    /// Time limit of one check.
    pub timeout: Option<String>,
}

/// Limits of what runs unattended.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// A Spack command that changes something is ended after this long.
    pub spack: Option<String>,
    /// … or when it printed nothing for this long.
    pub silence: Option<String>,
    /// How long to wait for a lock that somebody else holds.
    pub lock: Option<String>,
    /// Any other program is ended after this long, unless a script says otherwise.
    pub program: Option<String>,
    /// A run as a whole is ended after this long, unless `--timeout` says otherwise.
    pub run: Option<String>,
    /// So much memory a script may take, 1 GiB unless it says otherwise.
    pub memory: Option<String>,
}

/// The least that a script may be given.
const LEAST_MEMORY: u64 = 16 << 20;

/// The effective configuration and where each value came from.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    pub config: SiteConfig,
    /// Dotted key → file.
    pub origins: BTreeMap<String, String>,
    pub files: Vec<PathBuf>,
    /// The policies of `config`, compiled.
    pub policies: Arc<Policies>,
}

impl Loaded {
    /// Reads the files that exist; one that was asked for must exist.
    pub fn read(eyes: &dyn Eyes, explicit: Option<&Path>, user_config: Option<&Path>) -> Result<Loaded> {
        Loaded::read_for(eyes, explicit, user_config, Apart::No)
    }

    /// The same for a site that may be another one than these files are of.
    pub fn read_for(
        eyes: &dyn Eyes,
        explicit: Option<&Path>,
        user_config: Option<&Path>,
        apart: Apart,
    ) -> Result<Loaded> {
        let mut merged = toml::Table::new();
        let mut loaded = Loaded::default();
        let mut given = Policies::default();
        let candidates = [
            Some((PathBuf::from(SYSTEM), false)),
            user_config.map(|dir| (dir.join("site.toml"), false)),
            explicit.map(|p| (p.to_owned(), true)),
        ];
        let whole = |asked: bool| apart == Apart::No || (asked && apart == Apart::ButForAsked);
        for (path, required) in candidates.into_iter().flatten() {
            if !required && !eyes.exists(&path)? {
                continue;
            }
            let text = eyes.read_text(&path).map_err(|t| {
                Trouble::new(Kind::Configuration, t.message().to_owned()).hint("--site names a TOML file")
            })?;
            let mut table = parse(&path, &text)?;
            if table.contains_key("policy") {
                policies::read(&path, &text, &mut given)?;
            }
            if !whole(required) {
                table.retain(|key, _| PRACTISED.contains(&key));
            }
            resolve(&mut table, path.parent().unwrap_or(Path::new(".")));
            merge(&mut merged, table, "", &path.display().to_string(), &mut loaded.origins);
            loaded.files.push(path);
        }
        loaded.config = merged
            .try_into()
            .map_err(|e: toml::de::Error| Trouble::new(Kind::Configuration, e.message().to_owned()))?;
        loaded.policies = Arc::new(given);
        loaded.config.limits.check()?;
        if let Some(shared) = &loaded.config.shared {
            shared.check()?;
        }
        for (name, channel) in &loaded.config.notify {
            channel.check().map_err(|t| configuration(&format!("notify.{name}"), &t))?;
        }
        check_variables(&loaded.config.variables)?;
        if let Some(grace) = &loaded.config.generations.grace {
            words::parse_span(grace).map_err(|t| configuration("generations.grace", &t))?;
        }
        if let Some(timeout) = &loaded.config.check.timeout {
            words::parse_span(timeout).map_err(|t| configuration("check.timeout", &t))?;
        }
        Ok(loaded)
    }
}

impl Limits {
    fn check(&self) -> Result<()> {
        for (key, value) in [
            ("spack", &self.spack),
            ("silence", &self.silence),
            ("lock", &self.lock),
            ("program", &self.program),
            ("run", &self.run),
        ] {
            if let Some(value) = value {
                words::parse_span(value).map_err(|t| configuration(&format!("limits.{key}"), &t))?;
            }
        }
        if let Some(memory) = &self.memory {
            let bytes = words::parse_size(memory).map_err(|t| configuration("limits.memory", &t))?;
            if bytes < LEAST_MEMORY {
                let least = Trouble::usage(format!("at least {} are needed", words::size(LEAST_MEMORY)));
                return Err(configuration("limits.memory", &least));
            }
        }
        Ok(())
    }
}

/// What no program could be given is refused, and so is the variable that would choose the environment.
fn check_variables(variables: &BTreeMap<String, String>) -> Result<()> {
    for (name, value) in variables {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let wrong =
            |why: &str| Trouble::new(Kind::Configuration, format!("site file: variables.{name}: {why}"));
        if name.is_empty() || !name.chars().all(word) || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(wrong("a variable's name has letters, digits and '_' only"));
        }
        if name == "SPACK_ENV" {
            return Err(wrong("which environment is meant is said by each command"));
        }
        if value.contains('\0') {
            return Err(wrong("the value has a zero byte"));
        }
    }
    Ok(())
}

pub(super) fn configuration(key: &str, trouble: &Trouble) -> Trouble {
    let told = Trouble::new(Kind::Configuration, format!("site file: {key}: {}", trouble.message()));
    trouble.hints().iter().fold(told, Trouble::hint)
}

/// Parses one file alone, so that an error names its line.
fn parse(path: &Path, text: &str) -> Result<toml::Table> {
    let checked: Result<SiteConfig, toml::de::Error> = toml::from_str(text);
    if let Err(error) = checked {
        let line = error.span().map_or(1, |s| 1 + text[..s.start.min(text.len())].matches('\n').count());
        let message = error.message().trim().to_owned();
        let mut trouble = Trouble::new(Kind::Configuration, format!("{}:{line}: {message}", path.display()));
        // A place is shown with its line, and a line of a channel may have a secret where none should be.
        if !in_channel(text, line) {
            let file = path.display().to_string();
            trouble = trouble.at(Place { file, line: line as u32, column: 0 });
        }
        if let Some((unknown, known)) = unknown_field(&message)
            && let Some(near) = crate::base::nearest::nearest(&unknown, known.iter().map(String::as_str))
        {
            trouble = trouble.hint(format!("did you mean '{near}'?"));
        }
        return Err(trouble);
    }
    text.parse().map_err(|e: toml::de::Error| Trouble::new(Kind::Configuration, e.message().to_owned()))
}

/// Whether a line belongs to `[notify]`.
fn in_channel(text: &str, line: usize) -> bool {
    let table = text.lines().take(line).filter(|l| l.trim_start().starts_with('[')).last();
    let own = text.lines().nth(line.saturating_sub(1));
    let names = |l: &str| l.trim_start().trim_start_matches(['[', '"', '\'', ' ']).starts_with("notify");
    table.is_some_and(names) || own.is_some_and(names)
}

/// Takes serde's "unknown field `a`, expected one of `b`, `c`" apart.
fn unknown_field(message: &str) -> Option<(String, Vec<String>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (unknown, rest) = rest.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((unknown.to_owned(), known))
}

/// Whether what stands for a workflow is the path of a script.
pub fn is_file(workflow: &str) -> bool {
    workflow.contains('/') || Path::new(workflow).extension().is_some_and(|e| e == "lua")
}

/// Relative paths belong to the file that names them.
fn resolve(table: &mut toml::Table, base: &Path) {
    let full = |text: &str| base.join(text).display().to_string();
    for key in ["lmod", "spack", "stack", "state"] {
        if let Some(toml::Value::String(text)) = table.get_mut(key) {
            *text = full(text);
        }
    }
    if let Some(toml::Value::Table(channels)) = table.get_mut("notify") {
        for channel in channels.iter_mut().filter_map(|(_, c)| c.as_table_mut()) {
            super::channels::resolve(channel, &full);
        }
    }
    if let Some(toml::Value::Table(schedules)) = table.get_mut("schedule") {
        for schedule in schedules.iter_mut().filter_map(|(_, s)| s.as_table_mut()) {
            if let Some(toml::Value::String(file)) = schedule.get_mut("workflow")
                && is_file(file)
            {
                *file = full(file);
            }
        }
    }
    for key in ["environments", "scripts"] {
        for item in table.get_mut(key).and_then(toml::Value::as_array_mut).into_iter().flatten() {
            if let toml::Value::String(text) = item {
                *text = full(text);
            }
        }
    }
}

fn merge(
    into: &mut toml::Table,
    from: toml::Table,
    prefix: &str,
    file: &str,
    origins: &mut BTreeMap<String, String>,
) {
    for (key, value) in from {
        let dotted = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match (into.get_mut(&key), value) {
            // A reference to a secret is one value, although it is written as a table.
            (_, value) if prefix.starts_with("notify.") => {
                origins.insert(dotted, file.to_owned());
                into.insert(key, value);
            }
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => {
                merge(old, new, &dotted, file, origins);
            }
            (_, toml::Value::Table(new)) => {
                let mut fresh = toml::Table::new();
                merge(&mut fresh, new, &dotted, file, origins);
                into.insert(key, toml::Value::Table(fresh));
            }
            (_, value) => {
                origins.insert(dotted, file.to_owned());
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::fs::eyes::LiveEyes;

    #[test]
    fn later_files_win_and_origins_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("site.toml"), "spack = 'a'\n[limits]\nspack = '1h'\n").unwrap();
        let own = dir.path().join("own.toml");
        std::fs::write(&own, "[limits]\nspack = '2h'\n").unwrap();
        let loaded = Loaded::read(&LiveEyes, Some(&own), Some(dir.path())).unwrap();
        assert_eq!(loaded.config.limits.spack.as_deref(), Some("2h"));
        assert_eq!(loaded.config.spack, Some(dir.path().join("a")));
        assert!(loaded.origins["limits.spack"].ends_with("own.toml"));
    }

    #[test]
    fn variables_are_text_and_names_are_names() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("own.toml");
        let read = |text: &str| {
            std::fs::write(&own, text).unwrap();
            Loaded::read(&LiveEyes, Some(&own), None)
        };
        let good = read("[variables]\nPROJECT = 'proj7'\n").unwrap();
        assert_eq!(good.config.variables["PROJECT"], "proj7");
        assert_eq!(good.origins["variables.PROJECT"], own.display().to_string());
        for bad in ["'A-B' = 'x'", "SPACK_ENV = 'x'", "1A = 'x'", "A = 3"] {
            assert_eq!(
                read(&format!("[variables]\n{bad}\n")).unwrap_err().kind(),
                Kind::Configuration,
                "{bad}"
            );
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_line_and_a_suggestion() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("own.toml");
        std::fs::write(&own, "[limits]\nsilense = '2h'\n").unwrap();
        let error = Loaded::read(&LiveEyes, Some(&own), None).unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(error.message().contains("own.toml:2"), "{error}");
        assert_eq!(error.hints(), ["did you mean 'silence'?"]);
    }
}
