//! Commands that are the primitives of one module: their verbs, arguments and help come from what the primitives
//! declare, so that neither can lag behind the other.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value};

use crate::api::Registry;
use crate::api::gather::{Field, FieldKind, Shape, first_sentence};
use crate::api::primitive::Primitive;
use crate::base::{Result, Trouble};

/// A verb of a module with what was given.
#[derive(Debug)]
pub struct VerbCall {
    pub path: String,
    /// Or why what was given is no such value.
    pub arguments: Result<Map<String, Value>>,
    /// The file of the web page.
    pub html: Option<PathBuf>,
}

/// The modules that are commands in this way, and what their help begins with.
pub const MODULES: &[(&str, &str)] = &[
    ("snapshot", "What environments were, and the way back"),
    ("generation", "States of a stack beside each other; users are on one of them"),
];

/// Verbs whose result may be a web page.
const PAGES: &[&str] = &["snapshot.diff", "generation.diff"];

/// The command of a module.
pub fn command(registry: &Registry, module: &str) -> Command {
    let about = MODULES.iter().find(|(name, _)| *name == module).map_or("", |(_, about)| about);
    let mut command =
        Command::new(module.to_owned()).about(about).subcommand_required(true).arg_required_else_help(true);
    for primitive in registry.iter().filter(|p| p.module() == module) {
        command = command.subcommand(verb(primitive));
    }
    command
}

fn verb(primitive: &Primitive) -> Command {
    let shape = Shape::of(&(primitive.args)());
    let mut command = Command::new(primitive.name().replace('_', "-"))
        .about(first_sentence(&shape.doc))
        .long_about(shape.doc.clone());
    for name in primitive.positional {
        if let Some(field) = shape.field(name) {
            command = command.arg(argument(&shape, field, true));
        }
    }
    for field in shape.fields.iter().filter(|f| !primitive.positional.contains(&f.name.as_str())) {
        // What has names of its own is given in JSON, to `moonstack call`.
        if !matches!(field.kind, FieldKind::Table | FieldKind::Any) {
            command = command.arg(argument(&shape, field, false));
        }
    }
    if PAGES.contains(&primitive.path) {
        let file = Arg::new("html").long("html").value_name("FILE");
        command = command.arg(file.help("Also write it as a web page that needs nothing else."));
    }
    command
}

fn argument(shape: &Shape, field: &Field, positional: bool) -> Arg {
    // The empty text, where it is the default, is what nothing has as a name.
    let needed = positional && field.schema.get("default").is_some_and(|default| default == "");
    let arg = Arg::new(field.name.clone())
        .help(field.doc.replace('\n', " "))
        .value_name(field.name.to_uppercase())
        .required(field.required || needed);
    let arg = if positional { arg } else { arg.long(field.name.replace('_', "-")) };
    let many = |arg: Arg| if positional { arg.num_args(0..) } else { arg.action(ArgAction::Append) };
    // A named list of words is shown as the words.
    let words = match &field.kind {
        FieldKind::Named(name) => shape.definitions.get(name).map(FieldKind::of),
        _ => None,
    };
    match words.as_ref().filter(|kind| matches!(kind, FieldKind::OneOf(_))).unwrap_or(&field.kind) {
        FieldKind::Flag => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(PossibleValuesParser::new(["true", "false"]))
            .hide_possible_values(true),
        FieldKind::OneOf(words) => arg.value_parser(PossibleValuesParser::new(words.clone())),
        FieldKind::List(_) | FieldKind::Either(_) => many(arg),
        _ => arg,
    }
}

/// What was given, as the primitive takes it.
fn arguments(primitive: &Primitive, matches: &ArgMatches) -> Result<Map<String, Value>> {
    let shape = Shape::of(&(primitive.args)());
    let mut out = Map::new();
    for field in &shape.fields {
        let given: Vec<&String> =
            matches.try_get_many::<String>(&field.name).ok().flatten().into_iter().flatten().collect();
        let Some(first) = given.first() else { continue };
        let number = |parsed: Option<Value>| {
            parsed.ok_or_else(|| {
                Trouble::usage(format!("--{}: '{first}' is no number", field.name.replace('_', "-")))
            })
        };
        let texts = || given.iter().map(|text| Value::from(text.as_str())).collect::<Vec<_>>();
        let value = match &field.kind {
            FieldKind::Flag => Value::from(*first == "true"),
            FieldKind::Integer => number(first.parse::<i64>().ok().map(Value::from))?,
            FieldKind::Number => number(first.parse::<f64>().ok().map(Value::from))?,
            FieldKind::List(_) => Value::from(texts()),
            FieldKind::Either(_) if given.len() > 1 => Value::from(texts()),
            _ => Value::from(first.as_str()),
        };
        out.insert(field.name.clone(), value);
    }
    Ok(out)
}

/// The command tree with the verbs of the modules that `argv` may name; those of others cost their schemas.
pub fn extend(tree: Command, argv: &[OsString]) -> Command {
    let registry = crate::api::registry();
    MODULES.iter().fold(tree, |tree, (module, about)| {
        let may_be = argv.iter().any(|word| word == module);
        tree.subcommand(if may_be { command(&registry, module) } else { Command::new(*module).about(*about) })
    })
}

/// The verb, if one was typed.
pub fn typed(matches: &ArgMatches) -> Option<VerbCall> {
    let (module, matches) = matches.subcommand()?;
    MODULES.iter().find(|(name, _)| *name == module)?;
    let (verb, matches) = matches.subcommand()?;
    let path = format!("{module}.{}", verb.replace('-', "_"));
    let arguments = crate::api::registry().get(&path).and_then(|declared| arguments(declared, matches));
    let html = matches.try_get_one::<String>("html").ok().flatten().map(PathBuf::from);
    Some(VerbCall { path, arguments, html })
}
