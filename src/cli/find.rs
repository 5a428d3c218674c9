//! `find`: installed specs, for people as lines, for programs as one array.

use anstyle::AnsiColor;
use serde_json::{Map, Value, json};

use super::args::Find;
use super::call::primitive;
use super::setup::Session;
use crate::base::{Result, words};

pub async fn find(session: &Session, args: &Find) -> Result<u8> {
    let mut options = Map::new();
    if !args.query.is_empty() {
        options.insert(String::from("query"), args.query.join(" ").into());
    }
    if args.explicit || args.implicit {
        options.insert(String::from("explicit"), args.explicit.into());
    }
    if let Some(env) = &args.env {
        options.insert(String::from("env"), env.as_str().into());
    }
    if args.missing {
        options.insert(String::from("states"), json!(["installed", "missing"]));
    }
    let reply = primitive(session, "spack.find", options).await?;
    if session.printer.json {
        session.printer.json(&*reply)?;
        return Ok(0);
    }
    let rows = super::call::to_value("spack.find", &*reply)?;
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    session
        .printer
        .write(|out| rows.iter().try_for_each(|row| writeln!(out, "{}", line(session, row, args))))?;
    session.printer.note(&match rows.len() {
        0 => String::from("no installed spec matches"),
        n => words::count(n, "spec"),
    });
    // As `grep`: nothing found is not a failure, but a caller may want to know.
    Ok(u8::from(rows.is_empty() && !args.query.is_empty()))
}

/// `hash7 name@version+variants arch  prefix`.
fn line(session: &Session, row: &Value, args: &Find) -> String {
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
    let flag = |key: &str| row.get(key).and_then(Value::as_bool).unwrap_or_default();
    let hash = if args.long { text("hash") } else { text("hash").get(..7).unwrap_or_default() };
    let mark = match (row.get("external").is_some(), flag("installed"), flag("explicit")) {
        (true, ..) => "e",
        (_, false, _) => "-",
        (_, _, true) => "x",
        _ => " ",
    };
    let hash = if session.printer.out_colour {
        session.printer.paint(hash, AnsiColor::BrightBlack)
    } else {
        hash.to_owned()
    };
    let spec = format!("{mark} {hash} {}", text("spec"));
    if args.paths { format!("{spec}  {}", text("prefix")) } else { spec }
}
