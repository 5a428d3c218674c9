//! One test file of a site: its cases run one after the other on this machine's host, and each is told of as it
//! ends, so that whoever listens knows how far a file came that never ended.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mlua::{Function, Lua, MultiValue, Result as LuaResult, Table, Value};
use serde::{Deserialize, Serialize};

use super::host::Uncompiled;
use super::loader::Source;
use super::{Host, value};
use crate::base::trouble::Place;
use crate::base::{Kind, Result, Trouble, chunk_names};
use crate::script::value::error::{self, raise};
use crate::world::scope::cancel::Cancel;

/// What is known of a test file before it runs.
pub struct Trial {
    /// As people know it, and as errors show it.
    pub source: Source,
    pub folder: PathBuf,
    /// This executable, for workflows that a case runs.
    pub executable: PathBuf,
    /// The practice site's folder.
    pub site: PathBuf,
    /// How long one case may take.
    pub limit: Duration,
    /// Only cases whose file and name hold this.
    pub filter: Option<String>,
}

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pass,
    /// An assertion does not hold.
    Fail,
    /// Something else was raised, or the file ended early.
    Error,
    Skipped,
}

/// A case that has ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Case {
    pub name: String,
    pub status: Status,
    pub seconds: f64,
    /// What was raised, in the form that `--json` prints.
    pub error: Option<serde_json::Value>,
}

/// What a running test file tells, one line of JSON each.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Told {
    Begin {
        name: String,
    },
    Print {
        text: String,
    },
    Case(Case),
    /// The file came to its end, and so many cases were told.
    End {
        cases: usize,
    },
}

/// Most bytes of a text that is told: a line is read whole only up to a limit.
const MOST: usize = 8 * 1024;

impl Told {
    /// What a script printed, in pieces that fit a line.
    pub fn print(text: &str) -> Vec<Told> {
        let mut pieces = Vec::new();
        let mut rest = text;
        loop {
            let (piece, after) = rest.split_at(rest.floor_char_boundary(MOST));
            pieces.push(Told::Print { text: piece.to_owned() });
            rest = after;
            if rest.is_empty() {
                return pieces;
            }
        }
    }
}

impl Case {
    fn of(name: String, status: Status, seconds: f64, trouble: Option<&Trouble>) -> Case {
        let error = trouble.map(|trouble| {
            let mut error = trouble.to_json();
            let message = trouble.message();
            if message.len() > MOST {
                let cut = message.split_at(message.floor_char_boundary(MOST)).0;
                error["message"] = format!("{cut}… ({} bytes)", message.len()).into();
            }
            if error["facts"].to_string().len() > MOST {
                error["facts"] = serde_json::json!({});
            }
            error
        });
        Case { name, status, seconds, error }
    }
}

/// Where it is told.
pub type Tell = Rc<dyn Fn(&Told) -> Result<()>>;

impl Trial {
    /// What a file without cases counts as.
    pub fn stem(&self) -> String {
        let path = std::path::Path::new(&self.source.name);
        path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Whether the filter lets a case through.
    fn wanted(&self, case: &str) -> bool {
        self.filter.as_ref().is_none_or(|text| format!("{} {case}", self.source.name).contains(text))
    }

    /// Runs the file. An error is one of the run itself; those of cases are told.
    pub async fn run(self, host: &Host, scope: &Cancel, tell: Tell) -> Result<()> {
        let chunk = match host.compile(&self.source).map_err(Uncompiled::into_trouble) {
            Ok(chunk) => chunk,
            Err(trouble) => {
                tell(&Told::Case(Case::of(self.stem(), Status::Error, 0.0, Some(&trouble))))?;
                return tell(&Told::End { cases: 1 });
            }
        };
        let made = driver(host.lua(), Rc::new(self), tell).map_err(|e| error::from_error(&e))?;
        let arguments = MultiValue::from_vec(vec![Value::Table(made.1), Value::Function(chunk)]);
        host.call(scope, made.0, arguments).await.map(drop)
    }
}

/// The Lua side and what it is given.
fn driver(lua: &Lua, trial: Rc<Trial>, tell: Tell) -> LuaResult<(Function, Table)> {
    let context = lua.create_table()?;
    context.raw_set("stem", trial.stem())?;
    context.raw_set("limit", trial.limit.as_secs_f64())?;
    for (name, path) in [("folder", &trial.folder), ("executable", &trial.executable), ("site", &trial.site)]
    {
        context.raw_set(name, path.display().to_string())?;
    }
    let begin = Instant::now();
    context.raw_set("seconds", lua.create_function(move |_, ()| Ok(begin.elapsed().as_secs_f64()))?)?;
    let stem = trial.stem();
    let chosen = Rc::clone(&trial);
    context.raw_set("wanted", lua.create_function(move |_, name: String| Ok(chosen.wanted(&name)))?)?;
    // The file itself counts as a case only if it has none, or if it cannot be loaded.
    let (file, count) = (std::cell::RefCell::new(None), std::cell::Cell::new(0));
    context.raw_set(
        "tell",
        lua.create_function(move |lua, (what, name, seconds, error, written): Arguments| {
            let status = match what.as_str() {
                "begin" => return tell(&Told::Begin { name }).map_err(raise),
                "end" => {
                    if let Some(case) = file.borrow_mut().take().filter(|_| name == "0" && trial.wanted("")) {
                        tell(&Told::Case(case)).map_err(raise)?;
                        count.set(count.get() + 1);
                    }
                    return tell(&Told::End { cases: count.get() }).map_err(raise);
                }
                "pass" => Status::Pass,
                "fail" => Status::Fail,
                "skipped" => Status::Skipped,
                _ => Status::Error,
            };
            let trouble = (status != Status::Pass).then(|| shown(lua, &error, written.as_ref()));
            let case = Case::of(name, status, seconds, trouble.as_ref());
            if case.name == stem && status == Status::Pass && file.borrow().is_none() {
                *file.borrow_mut() = Some(case);
                return Ok(());
            }
            count.set(count.get() + 1);
            tell(&Told::Case(case)).map_err(raise)
        })?,
    )?;
    let text = include_str!("lua/trial.lua");
    Ok((lua.load(text).set_name(chunk_names::chunk("trial")).into_function()?, context))
}

/// What the Lua side says: what happened, to which case, its seconds, its error, and its function.
type Arguments = (String, String, f64, Value, Option<Function>);

/// An error of a case; a table that is not one of ours says at least what is in it. One that comes from no line of
/// the script, such as a time limit, is placed where the case begins.
fn shown(lua: &Lua, error: &Value, written: Option<&Function>) -> Trouble {
    let trouble = match error {
        Value::Table(table) if !table.contains_key("message").unwrap_or(false) => {
            Trouble::new(Kind::Script, format!("a table was raised: {}", value::to_json(lua, error)))
        }
        error => error::from_value(lua, error),
    };
    let begins = written.map(Function::info).and_then(|info| {
        let file = info.source?.strip_prefix('@')?.to_owned();
        let line = u32::try_from(info.line_defined?).ok()?.max(1);
        Some(Place { file, line, column: 0 })
    });
    match begins {
        Some(place) if trouble.place().is_none() => trouble.at(place),
        _ => trouble,
    }
}
