//! A script's own declaration: name, doc, typed options. Becomes a clap command when the script is run, so that
//! help, "did you mean" and completion work for site scripts as for bundled ones.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command};
use mlua::{Function, Lua, Table, Value};

use crate::base::{Kind, Result, Trouble, words};

/// The keys that a declaration may have.
const KEYS: &[&str] = &["name", "doc", "options", "run", "on_fail", "lock"];
/// What the failure of a step may mean.
const ON_FAIL: &[&str] = &["stop", "keep_going", "roll_back"];
/// The keys that an option may have.
const OPTION_KEYS: &[&str] = &["name", "type", "doc", "default", "choices", "required", "positional"];

/// What an option's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionType {
    String,
    Integer,
    Number,
    Flag,
    List,
    Duration,
    Size,
}

impl OptionType {
    const NAMES: &[(&str, OptionType)] = &[
        ("string", OptionType::String),
        ("integer", OptionType::Integer),
        ("number", OptionType::Number),
        ("flag", OptionType::Flag),
        ("list", OptionType::List),
        ("duration", OptionType::Duration),
        ("size", OptionType::Size),
    ];

    fn named(name: &str) -> Result<Self> {
        Self::NAMES
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, t)| *t)
            .ok_or_else(|| Trouble::unknown("option type", name, Self::NAMES.iter().map(|(n, _)| *n)))
    }
}

/// One option of a workflow.
pub struct OptionSpec {
    pub name: String,
    pub kind: OptionType,
    pub doc: String,
    pub default: Option<Value>,
    pub choices: Vec<String>,
    pub required: bool,
    pub positional: bool,
}

/// A declared workflow.
pub struct Workflow {
    pub name: String,
    pub doc: String,
    pub options: Vec<OptionSpec>,
    pub run: Function,
    on_fail: OnFail,
    pub lock: Instances,
}

/// What the failure of a step means for the others.
enum OnFail {
    Always(String),
    /// As its options say.
    Asked(Function),
}

/// How many of a workflow may run at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instances {
    /// Any number.
    Many,
    /// One for each combination of the values of these options.
    OnePer(Vec<String>),
}

impl Workflow {
    /// Reads and checks the table that `workflow{…}` marked.
    pub fn read(table: &Table) -> Result<Workflow> {
        check_keys("workflow", table, KEYS)?;
        let name = text(table, "name")?
            .ok_or_else(|| wrong("workflow: 'name' is missing").hint("workflow{ name = \"nightly\", … }"))?;
        let doc = text(table, "doc")?.unwrap_or_default();
        let Ok(Value::Function(run)) = table.raw_get("run") else {
            return Err(wrong("workflow: 'run' must be a function").hint("run = function(options) … end"));
        };
        let mut options = Vec::new();
        match table.raw_get("options") {
            Ok(Value::Nil) => {}
            Ok(Value::Table(list)) => {
                for item in list.sequence_values::<Table>() {
                    let item = item.map_err(|_| wrong("workflow: 'options' must be a list of tables"))?;
                    options.push(option(&item)?);
                }
                if options.is_empty() && !list.is_empty() {
                    return Err(wrong("workflow: 'options' must be a list")
                        .hint("options = { { name = \"jobs\", type = \"integer\", doc = \"…\" }, … }"));
                }
            }
            _ => return Err(wrong("workflow: 'options' must be a list")),
        }
        let on_fail = match table.raw_get::<Value>("on_fail") {
            Ok(Value::Function(asked)) => OnFail::Asked(asked),
            _ => OnFail::Always(known(text(table, "on_fail")?)?),
        };
        let lock = instances(table, &options)?;
        Ok(Workflow { name, doc, options, run, on_fail, lock })
    }

    /// What the failure of a step means for the others, with these options.
    pub fn on_fail(&self, options: &Table) -> Result<String> {
        match &self.on_fail {
            OnFail::Always(word) => Ok(word.clone()),
            OnFail::Asked(asked) => {
                let word: Option<String> =
                    asked.call(options.clone()).map_err(|e| crate::script::value::error::from_error(&e))?;
                known(word)
            }
        }
    }

    /// The command line of the workflow.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.name.clone())
            .bin_name(format!("moonstack run {}", self.name))
            .about(self.doc.clone())
            .no_binary_name(true);
        for option in &self.options {
            command = command.arg(option.arg());
        }
        command
    }

    /// The checked options as the table that `run` gets.
    pub fn arguments(&self, lua: &Lua, matches: &clap::ArgMatches) -> Result<Table> {
        let table = lua.create_table().map_err(|e| crate::script::value::error::from_error(&e))?;
        for option in &self.options {
            let value = option.value(lua, matches)?;
            table
                .raw_set(option.name.as_str(), value)
                .map_err(|e| crate::script::value::error::from_error(&e))?;
        }
        Ok(table)
    }
}

impl OptionSpec {
    fn flag_name(&self) -> String {
        self.name.replace('_', "-")
    }

    fn arg(&self) -> Arg {
        let mut doc = self.doc.clone();
        if let Some(default) = &self.default {
            let shown = default.to_string().unwrap_or_default();
            if self.kind != OptionType::Flag && self.kind != OptionType::List && !shown.is_empty() {
                doc.push_str(&format!(" [default: {shown}]"));
            }
        }
        let mut arg = Arg::new(self.name.clone()).help(doc).required(self.required);
        if !self.positional {
            arg = arg.long(self.flag_name());
        }
        arg = match self.kind {
            OptionType::Flag => return arg.action(ArgAction::SetTrue),
            OptionType::List => {
                let some = if self.positional { 0..=usize::MAX } else { 1..=1 };
                arg.action(ArgAction::Append).value_delimiter(',').num_args(some)
            }
            _ => arg.action(ArgAction::Set),
        };
        arg = arg.value_name(match self.kind {
            OptionType::Integer | OptionType::Number => "N",
            OptionType::Duration => "DURATION",
            OptionType::Size => "SIZE",
            OptionType::List => "NAME,…",
            _ => "TEXT",
        });
        if self.choices.is_empty() {
            arg
        } else {
            arg.value_parser(PossibleValuesParser::new(self.choices.clone()))
        }
    }

    fn value(&self, lua: &Lua, matches: &clap::ArgMatches) -> Result<Value> {
        let lua_error = |e: mlua::Error| crate::script::value::error::from_error(&e);
        if self.kind == OptionType::Flag {
            return Ok(Value::Boolean(matches.get_flag(&self.name)));
        }
        let mut given = matches.get_many::<String>(&self.name).into_iter().flatten();
        if self.kind == OptionType::List {
            let list: Vec<String> = given.cloned().collect();
            return match (list.is_empty(), &self.default) {
                (true, Some(default)) => Ok(default.clone()),
                (true, None) => Ok(Value::Nil),
                _ => Ok(Value::Table(lua.create_sequence_from(list).map_err(lua_error)?)),
            };
        }
        let Some(text) = given.next() else { return Ok(self.default.clone().unwrap_or(Value::Nil)) };
        let about = |t: Trouble| t.about(format!("--{}", self.flag_name()));
        match self.kind {
            OptionType::Integer => {
                text.parse().map(Value::Integer).map_err(|_| self.bad(text, "a whole number"))
            }
            OptionType::Number => text.parse().map(Value::Number).map_err(|_| self.bad(text, "a number")),
            OptionType::Duration => {
                words::parse_span(text).map_err(about)?;
                Ok(Value::String(lua.create_string(text).map_err(lua_error)?))
            }
            OptionType::Size => Ok(Value::Integer(words::parse_size(text).map_err(about)? as i64)),
            _ => Ok(Value::String(lua.create_string(text).map_err(lua_error)?)),
        }
    }

    fn bad(&self, text: &str, wanted: &str) -> Trouble {
        Trouble::usage(format!("--{}: '{text}' is not {wanted}", self.flag_name()))
    }
}

fn instances(table: &Table, options: &[OptionSpec]) -> Result<Instances> {
    match table.raw_get::<Value>("lock") {
        Ok(Value::Nil) => Ok(Instances::OnePer(Vec::new())),
        Ok(Value::Boolean(false)) => Ok(Instances::Many),
        Ok(Value::Table(list)) => {
            let names: Vec<String> = list.sequence_values::<String>().filter_map(mlua::Result::ok).collect();
            match names.iter().find(|name| options.iter().all(|o| o.name != **name)) {
                Some(name) => Err(Trouble::unknown(
                    "workflow: lock: option",
                    name,
                    options.iter().map(|o| o.name.as_str()),
                )),
                None => Ok(Instances::OnePer(names)),
            }
        }
        _ => Err(wrong("workflow: 'lock' must be false or a list of names of options")
            .hint("lock = { \"env\" } lets one run for each environment")),
    }
}

fn option(table: &Table) -> Result<OptionSpec> {
    check_keys("workflow option", table, OPTION_KEYS)?;
    let name = text(table, "name")?.ok_or_else(|| wrong("workflow option: 'name' is missing"))?;
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.chars().all(good) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(wrong(format!(
            "workflow option '{name}': a name has lower-case letters, digits and '_'"
        )));
    }
    let kind = OptionType::named(&text(table, "type")?.unwrap_or_else(|| String::from("string")))
        .map_err(|t| t.about(format!("workflow option '{name}'")))?;
    let choices = match table.raw_get::<Value>("choices") {
        Ok(Value::Table(list)) => list.sequence_values::<String>().filter_map(mlua::Result::ok).collect(),
        _ => Vec::new(),
    };
    let flag = |key: &str| matches!(table.raw_get::<Value>(key), Ok(Value::Boolean(true)));
    let default = match table.raw_get::<Value>("default") {
        Ok(Value::Nil) | Err(_) => None,
        Ok(value) => Some(value),
    };
    let (required, positional) = (flag("required"), flag("positional"));
    Ok(OptionSpec {
        name,
        kind,
        doc: text(table, "doc")?.unwrap_or_default(),
        default,
        choices,
        required,
        positional,
    })
}

/// One of the words for it; nothing is `stop`.
fn known(on_fail: Option<String>) -> Result<String> {
    let word = on_fail.unwrap_or_else(|| String::from("stop"));
    if ON_FAIL.contains(&word.as_str()) {
        return Ok(word);
    }
    Err(Trouble::unknown("workflow: on_fail", &word, ON_FAIL.iter().copied()))
}

fn wrong(message: impl Into<String>) -> Trouble {
    Trouble::new(Kind::Usage, message)
}

fn text(table: &Table, key: &str) -> Result<Option<String>> {
    match table.raw_get::<Value>(key) {
        Ok(Value::Nil) => Ok(None),
        Ok(Value::String(text)) => Ok(Some(text.to_string_lossy())),
        _ => Err(wrong(format!("workflow: '{key}' must be text"))),
    }
}

fn check_keys(what: &str, table: &Table, known: &[&str]) -> Result<()> {
    for pair in table.pairs::<Value, Value>() {
        let Ok((Value::String(key), _)) = pair else { continue };
        let key = key.to_string_lossy();
        if !known.contains(&key.as_str()) {
            return Err(Trouble::unknown(&format!("{what}: field"), &key, known.iter().copied()));
        }
    }
    Ok(())
}
