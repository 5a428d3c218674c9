//! One expression in one slot: compiled and checked when it is loaded, evaluated when it is asked.

use std::collections::BTreeMap;

use rhai::{AST, Dynamic, EvalAltResult, LexError, ParseError, ParseErrorType, Position};
use serde_json::Value;

use super::engine::{TEXT, engine};
use super::facts::{Type, scope};
use super::flaw::Flaw;
use super::lint::lint;
use super::slot::Slot;

/// An expression that can be asked.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    ast: AST,
}

/// What people write who know other languages.
const HABITS: &[(&str, &str)] = &[
    ("=", "'==' compares"),
    ("and", "write '&&'"),
    ("or", "write '||'"),
    ("not", "write '!'"),
    ("~=", "write '!='"),
    ("?", "write 'if … { … } else { … }'"),
    ("'", "texts stand in double quotes"),
];

impl Expression {
    /// Compiles an expression for a slot, finds what is wrong with it, and tries it on the slot's sample.
    pub fn check(slot: &Slot, text: &str) -> Result<Expression, Flaw> {
        if text.len() > TEXT {
            return Err(Flaw::new(format!("an expression has at most {TEXT} bytes"), None));
        }
        if text.trim().is_empty() {
            return Err(Flaw::new("the expression is empty", None)
                .hint(format!("leave it out to have the default: {}", slot.default)));
        }
        let sample = slot.sample().map_err(|t| Flaw::new(t.message(), None))?;
        let types: BTreeMap<String, Type> =
            slot.facts().into_iter().map(|fact| (fact.name, fact.kind)).collect();
        let ast = engine()
            .compile_expression_with_scope(&scope(&sample), text)
            .map_err(|error| unparsed(&error, text, &types))?;
        if let Some(flaw) = lint(&ast, &types, &|at| offset(text, at)) {
            return Err(flaw);
        }
        let expression = Expression { text: text.to_owned(), ast };
        slot.read(&expression.evaluate(&sample)?)?;
        Ok(expression)
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it gives for facts that have the slot's names and types.
    pub fn evaluate(&self, facts: &Value) -> Result<Dynamic, Flaw> {
        engine()
            .eval_ast_with_scope::<Dynamic>(&mut scope(facts), &self.ast)
            .map_err(|error| failed(&error, &self.text))
    }
}

/// Rhai counts lines and characters, and 0 is the beginning.
fn offset(text: &str, at: Position) -> Option<usize> {
    let line = at.line()?;
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(start..)?;
    let before = at.position().unwrap_or(1).saturating_sub(1);
    Some(start + rest.char_indices().nth(before).map_or(rest.len(), |(at, _)| at))
}

fn unparsed(error: &ParseError, text: &str, types: &BTreeMap<String, Type>) -> Flaw {
    let at = offset(text, error.position());
    match error.err_type() {
        ParseErrorType::VariableUndefined(name) => {
            let flaw = Flaw::new(format!("'{name}' is no fact"), at);
            match HABITS.iter().find(|(word, _)| word == name) {
                Some((_, hint)) => flaw.named(name).hint(*hint),
                None => flaw.nearest(name, types.keys().map(String::as_str)),
            }
        }
        ParseErrorType::UnexpectedEOF => Flaw::new("the expression ends too early", Some(text.len())),
        ParseErrorType::ExprTooDeep => Flaw::new("too many levels within each other", at),
        ParseErrorType::LiteralTooLarge(_, most) => {
            Flaw::new(format!("what is written there is larger than {most}"), at)
        }
        ParseErrorType::Reserved(word) => unavailable(word, at),
        ParseErrorType::BadInput(LexError::ImproperSymbol(word, _) | LexError::UnexpectedInput(word)) => {
            match HABITS.iter().find(|(habit, _)| habit == word) {
                Some((_, hint)) => Flaw::new(format!("unexpected '{word}'"), at).named(word).hint(*hint),
                None if word.chars().all(|c| c.is_alphanumeric() || c == '_') => unavailable(word, at),
                None => Flaw::new(format!("unexpected '{word}'"), at).named(word),
            }
        }
        ParseErrorType::BadInput(LexError::MalformedChar(_)) => {
            Flaw::new("single quotes hold one character", at).hint("texts stand in double quotes")
        }
        ParseErrorType::MismatchedType(wanted, given) => {
            Flaw::new(format!("{} stands where {} is expected", plain(given), plain(wanted)), at)
        }
        other => Flaw::new(lower(&other.to_string()), at),
    }
}

fn unavailable(word: &str, at: Option<usize>) -> Flaw {
    Flaw::new(format!("unexpected '{word}'"), at)
        .named(word)
        .hint("a policy is one expression: no statements, loops, functions or modules")
}

fn failed(error: &EvalAltResult, text: &str) -> Flaw {
    let at = offset(text, error.position());
    match error.unwrap_inner() {
        EvalAltResult::ErrorTooManyOperations(_) => Flaw::new("it takes too many steps", at),
        EvalAltResult::ErrorDataTooLarge(..) => Flaw::new("it makes a value that is too large", at),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            let flaw = Flaw::new(format!("there is no {}", plain(signature)), at);
            if signature.contains("()") {
                flaw.hint("a part of it gives nothing: an `if` without `else`?")
            } else {
                flaw
            }
        }
        EvalAltResult::ErrorMismatchDataType(wanted, given, _) if !wanted.is_empty() => {
            Flaw::new(format!("{} stands where {} is expected", plain(given), plain(wanted)), at)
        }
        other => {
            let message = lower(&other.to_string());
            // The place is said in our own words.
            let message = message.split(" (line ").next().unwrap_or_default().to_owned();
            Flaw::new(message, at)
        }
    }
}

/// Rhai's names of types in words.
fn plain(signature: &str) -> String {
    [
        ("&str | ImmutableString | String", "text"),
        ("i64", "whole number"),
        ("f64", "number"),
        ("bool", "boolean"),
    ]
    .iter()
    .fold(signature.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
}

fn lower(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
