//! What Tab offers: names of modules, functions and globals, fields of live tables, the option keys of the call
//! that the cursor is in, and what may stand in its strings.

use std::collections::BTreeSet;

use mlua::{Lua, Table, Value};

use super::lex::{KEYWORDS, Kind, Token, tokens};
use crate::api::Registry;
use crate::api::gather::{FieldKind, Shape};
use crate::reference::signature::Signature;
use crate::script::module;

/// What completion may look at.
pub struct Known<'a> {
    pub lua: &'a Lua,
    pub registry: &'a Registry,
    pub environments: &'a dyn Fn() -> Vec<String>,
    /// Names for `help("…")`.
    pub topics: &'a dyn Fn() -> Vec<String>,
    /// Names for `require("…")`.
    pub modules: &'a dyn Fn() -> Vec<String>,
}

/// Where the word under the cursor begins, and the words that may stand there.
pub fn complete(known: &Known, line: &str, pos: usize) -> (usize, Vec<String>) {
    let before = line.get(..pos).unwrap_or(line);
    let tokens = tokens(before);
    let code = Code { text: before, tokens: &tokens };
    let (start, partial, mut words) = match tokens.last() {
        Some(last) if last.kind == Kind::OpenText => {
            let quote =
                if before[last.range.clone()].starts_with('[') { return (pos, Vec::new()) } else { 1 };
            let start = last.range.start + quote;
            (start, &before[start..], known.in_text(&code, tokens.len() - 1))
        }
        Some(last) if matches!(last.kind, Kind::Name | Kind::Keyword) && last.range.end == pos => {
            (last.range.start, &before[last.range.clone()], known.in_code(&code, tokens.len() - 1))
        }
        Some(last) if last.kind == Kind::Comment || last.kind == Kind::Number && last.range.end == pos => {
            return (pos, Vec::new());
        }
        _ => (pos, "", known.in_code(&code, tokens.len())),
    };
    words.retain(|w| w.starts_with(partial) && w != partial && !w.contains(char::is_control));
    let mut seen = BTreeSet::new();
    words.retain(|w| seen.insert(w.clone()));
    (start, words)
}

/// The text before the cursor.
struct Code<'a> {
    text: &'a str,
    tokens: &'a [Token],
}

/// The call that a place is in.
struct Call {
    path: String,
    /// How many commas stand before the place within the parentheses.
    argument: usize,
    /// Whether the place is in the table of options, and what it has.
    table: Option<Within>,
}

/// A place in a table constructor.
struct Within {
    /// The keys that are there already.
    used: Vec<String>,
    /// The key whose value is being written.
    key: Option<String>,
    /// Whether a key may begin here.
    fresh: bool,
}

impl<'a> Code<'a> {
    fn word(&self, index: usize) -> &'a str {
        self.tokens.get(index).and_then(|t| self.text.get(t.range.clone())).unwrap_or_default()
    }

    fn is_name(&self, index: usize) -> bool {
        self.tokens.get(index).is_some_and(|t| t.kind == Kind::Name)
    }

    /// `a.b.c` that ends before a token.
    fn path_before(&self, end: usize) -> Option<String> {
        let mut index = end.checked_sub(1)?;
        if !self.is_name(index) {
            return None;
        }
        let mut names = vec![self.word(index)];
        while index >= 2 && matches!(self.word(index - 1), "." | ":") && self.is_name(index - 2) {
            index -= 2;
            names.insert(0, self.word(index));
        }
        Some(names.join("."))
    }

    /// The brackets that are open before a token.
    fn open(&self, end: usize) -> Vec<usize> {
        let mut open = Vec::new();
        for index in 0..end {
            match self.word(index) {
                "(" | "{" | "[" => open.push(index),
                ")" | "}" | "]" => drop(open.pop()),
                _ => {}
            }
        }
        open
    }

    fn call(&self, at: usize) -> Option<Call> {
        let open = self.open(at);
        let inner = *open.last()?;
        match self.word(inner) {
            "(" => {
                Some(Call { path: self.path_before(inner)?, argument: self.commas(inner, at), table: None })
            }
            "{" => {
                let table = Some(self.within(inner, at));
                if let Some(path) = self.path_before(inner) {
                    return Some(Call { path, argument: 0, table });
                }
                let outer = *open.get(open.len().checked_sub(2)?)?;
                let path = if self.word(outer) == "(" { self.path_before(outer)? } else { return None };
                Some(Call { path, argument: self.commas(outer, inner), table })
            }
            _ => None,
        }
    }

    /// Commas between a bracket and a place, not counting those within inner brackets.
    fn commas(&self, open: usize, at: usize) -> usize {
        self.top_level(open, at).filter(|i| self.word(*i) == ",").count()
    }

    fn top_level(&self, open: usize, at: usize) -> impl Iterator<Item = usize> + '_ {
        let mut depth = 0_i32;
        (open + 1..at).filter(move |index| match self.word(*index) {
            "(" | "{" | "[" => {
                depth += 1;
                false
            }
            ")" | "}" | "]" => {
                depth -= 1;
                false
            }
            _ => depth == 0,
        })
    }

    fn within(&self, open: usize, at: usize) -> Within {
        let inside: Vec<usize> = self.top_level(open, at).collect();
        let begins = |i: usize| i == open || matches!(self.word(i), "," | ";");
        let mut used = Vec::new();
        let mut key = None;
        for index in &inside {
            if begins(*index) {
                key = None;
            } else if self.is_name(*index) && begins(index - 1) && self.word(index + 1) == "=" {
                used.push(self.word(*index).to_owned());
                key = Some(self.word(*index).to_owned());
            }
        }
        Within { used, key, fresh: begins(at - 1) }
    }
}

impl Known<'_> {
    /// Words for a place that is not in a string; `at` is the index of the partial word.
    fn in_code(&self, code: &Code, at: usize) -> Vec<String> {
        if at > 0 && matches!(code.word(at - 1), "." | ":") && code.path_before(at - 1).is_some() {
            return code.path_before(at - 1).map(|path| self.fields(&path)).unwrap_or_default();
        }
        if let Some(Call { path, table: Some(table), .. }) = code.call(at)
            && table.fresh
        {
            let keys = self.option_keys(&path, &table.used);
            if !keys.is_empty() {
                return keys;
            }
        }
        let mut words: Vec<String> = names(&self.lua.globals());
        words.extend(KEYWORDS.iter().map(|k| (*k).to_owned()));
        words.sort();
        words
    }

    fn in_text(&self, code: &Code, at: usize) -> Vec<String> {
        let called = if at > 0 { code.path_before(at) } else { None };
        let call = match called {
            Some(path) => Call { path, argument: 0, table: None },
            None => match code.call(at) {
                Some(call) => call,
                None => return Vec::new(),
            },
        };
        match call.path.as_str() {
            "help" => return (self.topics)(),
            "require" => return (self.modules)(),
            _ => {}
        }
        let Some(primitive) = self.registry.find(&call.path) else { return Vec::new() };
        let name = match &call.table {
            Some(table) => table.key.clone(),
            None => primitive.positional.get(call.argument).map(|n| (*n).to_owned()),
        };
        let Some(name) = name else { return Vec::new() };
        let is_environment = matches!(name.as_str(), "env" | "environment" | "environments" | "envs");
        if is_environment || primitive.module() == "env" && name == "name" {
            return (self.environments)();
        }
        let shape = Shape::of(&(primitive.args)());
        shape.field(&name).map(|f| choices(&f.kind, &shape)).unwrap_or_default()
    }

    /// The names within `path`: a module's functions, a table's fields.
    fn fields(&self, path: &str) -> Vec<String> {
        let mut words: Vec<String> = self.registry.names(path).into_iter().map(str::to_owned).collect();
        let mut table = Some(self.lua.globals());
        for name in path.split('.') {
            table = table.and_then(|t| t.raw_get::<Option<Table>>(name).ok().flatten());
        }
        // A module's functions stand behind it.
        let table = table.map(|t| module::functions(&t).unwrap_or(t));
        let live = table.map(|t| names(&t)).unwrap_or_default();
        words.extend(live.into_iter().filter(|name| !self.registry.names(path).contains(&name.as_str())));
        words
    }

    fn option_keys(&self, path: &str, used: &[String]) -> Vec<String> {
        let keys: Vec<String> = if let Some(primitive) = self.registry.find(path) {
            Shape::of(&(primitive.args)()).names().map(str::to_owned).collect()
        } else {
            let handmade = self.registry.handmade().iter().find(|h| h.path == path);
            handmade
                .and_then(|h| Signature::read(h.signature))
                .map(|s| s.option_keys().into_iter().map(str::to_owned).collect())
                .unwrap_or_default()
        };
        keys.into_iter().filter(|k| !used.contains(k)).map(|k| format!("{k} = ")).collect()
    }
}

/// The words that an option may be.
fn choices(kind: &FieldKind, shape: &Shape) -> Vec<String> {
    match kind {
        FieldKind::OneOf(words) => words.clone(),
        FieldKind::Either(kinds) => kinds.iter().flat_map(|k| choices(k, shape)).collect(),
        FieldKind::List(inner) => choices(inner, shape),
        FieldKind::Named(name) => match shape.definitions.get(name).map(FieldKind::of) {
            Some(FieldKind::Named(_)) | None => Vec::new(),
            Some(kind) => choices(&kind, shape),
        },
        _ => Vec::new(),
    }
}

/// The names in a table itself, sorted.
fn names(table: &Table) -> Vec<String> {
    let mut names: Vec<String> = table
        .pairs::<Value, Value>()
        .flatten()
        .filter_map(|(key, _)| match key {
            Value::String(name) => Some(name.to_string_lossy()),
            _ => None,
        })
        .filter(|n| n.chars().all(|c| c.is_alphanumeric() || c == '_'))
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Result;
    use crate::site::Cx;
    use crate::world::Effect;

    /// Looks for something.
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[allow(dead_code)]
    struct Look {
        /// What.
        query: Option<String>,
        /// Where.
        env: Option<String>,
        /// How.
        how: Option<How>,
    }

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "lowercase")]
    #[allow(dead_code)]
    enum How {
        Fast,
        Slow,
    }

    async fn look(_: Cx, _: Look) -> Result<u8> {
        Ok(1)
    }

    #[test]
    fn each_place_has_its_words() {
        let mut registry = crate::api::registry();
        registry.add("probe.look", Effect::Reads, &["query"], "probe.look()", look);
        let lua = Lua::new();
        lua.load("mine = { alpha = 1, beta = { gamma = 2 } }").exec().unwrap();
        let environments = || vec![String::from("prod"), String::from("test")];
        let topics = || vec![String::from("probe.look")];
        let modules = || vec![String::from("report")];
        let known = Known {
            lua: &lua,
            registry: &registry,
            environments: &environments,
            topics: &topics,
            modules: &modules,
        };
        let cases: &[(&str, usize, &[&str])] = &[
            ("probe.l", 6, &["look"]),
            ("mine.", 5, &["alpha", "beta"]),
            ("x = mine.beta.g", 14, &["gamma"]),
            ("probe.look({ ", 13, &["query = ", "env = ", "how = "]),
            ("probe.look('a', { e", 18, &["env = "]),
            ("probe.look{ env = 'p', ", 23, &["query = ", "how = "]),
            ("probe.look{ env = 'p", 19, &["prod"]),
            ("probe.look{ how = \"", 19, &["fast", "slow"]),
            ("probe.look{ env = mi", 18, &["mine"]),
            ("task.map(x, f, { l", 17, &["limit = "]),
            ("help('pr", 6, &["probe.look"]),
            ("require 're", 9, &["report"]),
            ("whi", 0, &["while"]),
            ("-- whi", 6, &[]),
            ("nothing.", 8, &[]),
            ("12", 2, &[]),
        ];
        for (line, start, words) in cases {
            let (at, found) = complete(&known, line, line.len());
            assert_eq!((at, found), (*start, words.iter().map(|w| (*w).to_owned()).collect()), "{line}");
        }
    }
}
