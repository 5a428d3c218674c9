//! `policy`: what decides on this site, and what an expression would say.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::base::trouble::Place;
use crate::base::{Kind, Result, Trouble};
use crate::cli::args::policy::PolicyCommand;
use crate::cli::session::Session;
use crate::policy::{Expression, SLOTS, slot};

pub fn policy(session: &Session, command: &PolicyCommand) -> Result<u8> {
    match command {
        PolicyCommand::List => list(session),
        PolicyCommand::Try { slot, expression, facts } => {
            attempt(session, slot, expression.as_deref(), facts.as_deref())
        }
    }
}

fn list(session: &Session) -> Result<u8> {
    let policies = &session.cx.site.loaded.policies;
    let mut rows = Vec::new();
    for slot in SLOTS {
        let given = policies.given(slot);
        let mut row = json!({
            "name": slot.name,
            "origin": given.map_or("default", |g| g.file.as_str()),
            "expression": given.map_or(slot.default, |g| g.expression.text()),
        });
        if session.printer.json {
            row["default"] = slot.default.into();
            row["answer"] = slot.answer.into();
            row["doc"] = slot.doc().into();
        }
        rows.push(row);
    }
    session.printer.give(&Value::Array(rows))?;
    Ok(0)
}

fn attempt(session: &Session, name: &str, text: Option<&str>, facts: Option<&Path>) -> Result<u8> {
    let slot = slot(name)?;
    let given = session.cx.site.loaded.policies.given(slot);
    let text = text.unwrap_or_else(|| given.map_or(slot.default, |g| g.expression.text()));
    let facts = match facts {
        Some(path) => slot.with_sample(&read_facts(session, path)?)?,
        None => slot.sample()?,
    };
    let said = Expression::check(slot, text).and_then(|e| e.evaluate(&facts)).and_then(|v| slot.read(&v));
    let answer = match said {
        Ok(answer) => answer,
        Err(flaw) => {
            let place = flaw.offset.and_then(|at| text.get(..at)).map(|before| Place {
                file: String::from(EXPRESSION),
                line: 1 + before.matches('\n').count() as u32,
                column: 1 + before.rsplit('\n').next().map_or(0, str::len) as u32,
            });
            let trouble = flaw.into_trouble(slot.name, text);
            let trouble = place.map_or(trouble.clone(), |place| trouble.at(place));
            // Shown here, because only here the text is known that the error points into.
            session.printer.trouble(&trouble, &|file| (file == EXPRESSION).then(|| text.to_owned()));
            return Ok(trouble.kind().exit_code());
        }
    };
    if session.printer.json {
        session.printer.json(&json!({ "policy": slot.name, "answer": answer, "facts": facts }))?;
    } else {
        // As it is written in an expression: `true`, not "yes".
        session.printer.result(&answer.as_str().map_or_else(|| answer.to_string(), str::to_owned))?;
    }
    Ok(0)
}

/// How an excerpt names the expression of the command line.
const EXPRESSION: &str = "expression";

fn read_facts(session: &Session, path: &Path) -> Result<Map<String, Value>> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|e| Trouble::usage(format!("cannot read the facts from standard input: {e}")))?;
        text
    } else {
        session
            .cx
            .world
            .eyes
            .read_text(path)
            .map_err(|t| Trouble::usage(t.message()).hint("--facts names a file with JSON or YAML"))?
    };
    let bad = |what: String| Trouble::new(Kind::Usage, format!("facts {}: {what}", path.display()));
    let value: Value = match serde_json::from_str(&text) {
        Ok(value) => value,
        // JSON that is nearly right is better explained as JSON.
        Err(e) if text.trim_start().starts_with('{') => return Err(bad(format!("not JSON: {e}"))),
        Err(_) => serde_saphyr::from_str(&text).map_err(|e| bad(format!("not YAML: {e}")))?,
    };
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(bad(String::from("they must be a table of names and values"))
            .hint("such as {\"age_days\": 12}; `moonstack docs policy.NAME` lists the facts")),
    }
}
