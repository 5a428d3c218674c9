//! YAML as Spack reads it: a tree that keeps the order of mappings, the file and line of every value, and the
//! marks on keys (`::`) that steer how configuration scopes are merged. Size, depth and aliases are
//! bounded, so a hostile file is an error and never a hang.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Tag};

use super::scalar;
use crate::base::trouble::Place;
use crate::base::{Kind, Result, Trouble};

/// Nodes in one document after aliases are followed.
const MAX_NODES: usize = 500_000;
/// Levels of nesting after aliases are followed.
const MAX_DEPTH: usize = 120;

/// Where a value was written. Line zero means "no file": a built-in default or the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub file: Arc<str>,
    pub line: u32,
    /// How many bytes of the file come before it.
    pub at: usize,
}

impl Mark {
    /// A place that is not a file, named for people.
    pub fn internal(name: &str) -> Mark {
        Mark { file: name.into(), line: 0, at: 0 }
    }

    pub fn is_file(&self) -> bool {
        self.line > 0
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_file() { write!(f, "{}:{}", self.file, self.line) } else { f.write_str(&self.file) }
    }
}

/// How a key's value meets the value of lower scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    #[default]
    Merge,
    /// `key::` replaces what lower scopes say.
    Override,
    /// `key+:` on the command line: before, and strings are joined.
    Prepend,
    /// `key-:` on the command line: after, and strings are joined.
    Append,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub name: String,
    pub mode: Mode,
    pub mark: Mark,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Yaml>),
    Map(Vec<(Key, Yaml)>),
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Yaml {
    pub value: Value,
    pub mark: Mark,
}

impl Yaml {
    pub fn new(value: Value, mark: Mark) -> Yaml {
        Yaml { value, mark }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Text, or a number or boolean as text.
    pub fn scalar_text(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) => Some(text.clone()),
            Value::Bool(b) => Some(b.to_string()),
            Value::Int(i) => Some(i.to_string()),
            Value::Float(f) => Some(scalar::float_text(*f)),
            _ => None,
        }
    }

    pub fn bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(b) => Some(b),
            _ => None,
        }
    }

    pub fn int(&self) -> Option<i64> {
        match self.value {
            Value::Int(i) => Some(i),
            _ => None,
        }
    }

    pub fn list(&self) -> &[Yaml] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub fn entries(&self) -> &[(Key, Yaml)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    pub fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    pub fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }

    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub fn get(&self, key: &str) -> Option<&Yaml> {
        self.entries().iter().find(|(k, _)| k.name == key).map(|(_, v)| v)
    }

    /// A list of texts; a single text counts as a list of one.
    pub fn texts(&self) -> Vec<String> {
        match &self.value {
            Value::List(items) => items.iter().filter_map(Yaml::scalar_text).collect(),
            _ => self.scalar_text().into_iter().collect(),
        }
    }

    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as J;
        match &self.value {
            Value::Null => J::Null,
            Value::Bool(b) => J::Bool(*b),
            Value::Int(i) => J::from(*i),
            Value::Float(f) => J::from(*f),
            Value::Text(s) => J::String(s.clone()),
            Value::List(items) => J::Array(items.iter().map(Yaml::to_json).collect()),
            Value::Map(entries) => {
                J::Object(entries.iter().map(|(k, v)| (k.name.clone(), v.to_json())).collect())
            }
        }
    }

    /// An error about this value, with its place.
    pub fn wrong(&self, message: impl std::fmt::Display) -> Trouble {
        wrong(&self.mark, message)
    }
}

/// A configuration error at a place.
pub fn wrong(mark: &Mark, message: impl std::fmt::Display) -> Trouble {
    let trouble = Trouble::new(Kind::Configuration, format!("{mark}: {message}")).fact("file", &*mark.file);
    if mark.is_file() {
        trouble.fact("line", mark.line).at(Place { file: mark.file.to_string(), line: mark.line, column: 0 })
    } else {
        trouble
    }
}

/// Reads one YAML document. An empty one is null.
pub fn parse(text: &str, file: &Path) -> Result<Yaml> {
    parse_named(text, &file.display().to_string())
}

/// Reads one YAML document that is not a file, such as a value of `-c`.
pub fn parse_named(text: &str, name: &str) -> Result<Yaml> {
    let mut tree = Tree::new(name);
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|e| {
            let mark = Mark { file: tree.file.clone(), line: line_of(e.marker().line()), at: 0 };
            wrong(&mark, format!("this is not valid YAML: {}", e.info()))
                .hint("check indentation, quotes and brackets at or just above that line")
        })?;
        let at = span.start.byte_offset().unwrap_or_default();
        let mark = Mark { file: tree.file.clone(), line: line_of(span.start.line()), at };
        tree.take(event, mark)?;
    }
    Ok(tree.done.unwrap_or(Yaml { value: Value::Null, mark: Mark { file: tree.file, line: 1, at: 0 } }))
}

fn line_of(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX).max(1)
}

struct Open {
    mark: Mark,
    anchor: usize,
    kind: OpenKind,
    nodes_before: usize,
    depth: usize,
}

enum OpenKind {
    List(Vec<Yaml>),
    Map { entries: Vec<(Key, Yaml)>, key: Option<Key>, merges: Vec<Yaml>, seen: HashMap<String, u32> },
}

struct Anchored {
    node: Yaml,
    nodes: usize,
    depth: usize,
}

struct Tree {
    file: Arc<str>,
    stack: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    done: Option<Yaml>,
}

impl Tree {
    fn new(name: &str) -> Tree {
        Tree { file: name.into(), stack: Vec::new(), anchors: HashMap::new(), nodes: 0, done: None }
    }

    fn take(&mut self, event: Event<'_>, mark: Mark) -> Result<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, 1, &mark)?;
                let value = scalar_value(&text, style, tag.as_deref());
                self.finish(Yaml::new(value, mark), anchor, 1, 1)
            }
            Event::SequenceStart(_, anchor, _) => self.open(OpenKind::List(Vec::new()), anchor, mark),
            Event::MappingStart(_, anchor, _) => {
                let kind = OpenKind::Map {
                    entries: Vec::new(),
                    key: None,
                    merges: Vec::new(),
                    seen: HashMap::new(),
                };
                self.open(kind, anchor, mark)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => {
                let Some(found) = self.anchors.get(&id) else {
                    return Err(wrong(&mark, "this alias refers to a value that contains it"));
                };
                let (node, nodes, depth) = (found.node.clone(), found.nodes, found.depth);
                self.count(nodes, depth, &mark)?;
                self.finish(node, 0, nodes, depth)
            }
            Event::DocumentStart(..) if self.done.is_some() => {
                Err(wrong(&mark, "one YAML document was expected, here a second one begins"))
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, nodes: usize, depth: usize, mark: &Mark) -> Result<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(wrong(mark, "the document is too large once its aliases are followed"));
        }
        if self.stack.len() + depth > MAX_DEPTH {
            return Err(wrong(mark, format!("nested more than {MAX_DEPTH} levels deep")));
        }
        Ok(())
    }

    fn open(&mut self, kind: OpenKind, anchor: usize, mark: Mark) -> Result<()> {
        self.count(1, 1, &mark)?;
        self.stack.push(Open { mark, anchor, kind, nodes_before: self.nodes - 1, depth: 1 });
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let Some(open) = self.stack.pop() else { return Ok(()) };
        let value = match open.kind {
            OpenKind::List(items) => Value::List(items),
            OpenKind::Map { mut entries, merges, .. } => {
                for merge in merges {
                    merge_in(&mut entries, merge);
                }
                Value::Map(entries)
            }
        };
        let nodes = self.nodes - open.nodes_before;
        self.finish(Yaml::new(value, open.mark), open.anchor, nodes, open.depth)
    }

    /// Hands a complete node to whatever is open around it.
    fn finish(&mut self, node: Yaml, anchor: usize, nodes: usize, depth: usize) -> Result<()> {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, depth });
        }
        let Some(open) = self.stack.last_mut() else {
            self.done = Some(node);
            return Ok(());
        };
        open.depth = open.depth.max(depth + 1);
        match &mut open.kind {
            OpenKind::List(items) => items.push(unmarked(node)),
            OpenKind::Map { entries, key, merges, seen } => match key.take() {
                None => *key = Some(key_of(node, seen)?),
                Some(k) if k.name == "<<" => merges.push(node),
                Some(k) => entries.push((k, unmarked(node))),
            },
        }
        Ok(())
    }
}

/// Spack takes the last colon off every text without `@`, value or key.
fn unmarked(mut node: Yaml) -> Yaml {
    if let Value::Text(text) = &mut node.value
        && text.ends_with(':')
        && !text.contains('@')
    {
        text.pop();
    }
    node
}

fn key_of(node: Yaml, seen: &mut HashMap<String, u32>) -> Result<Key> {
    let Some(name) = (if node.is_null() { Some("null".to_owned()) } else { node.scalar_text() }) else {
        return Err(node.wrong("a mapping or list cannot be a key here"));
    };
    // The reader strips the extra colon of `key::`, except where a spec such as `@1.2:` needs it.
    let (name, mode) = match name.strip_suffix(':') {
        Some(short) if !short.is_empty() && !name.contains('@') => (short.to_owned(), Mode::Override),
        _ => (name, Mode::Merge),
    };
    if let Some(first) = seen.insert(name.clone(), node.mark.line) {
        return Err(node.wrong(format!("the key '{name}' was given already on line {first}")));
    }
    Ok(Key { name, mode, mark: node.mark })
}

/// `<<: *other`: entries that the mapping does not have itself, after its own.
fn merge_in(entries: &mut Vec<(Key, Yaml)>, merge: Yaml) {
    match merge.value {
        Value::Map(more) => {
            for (key, value) in more {
                if !entries.iter().any(|(k, _)| k.name == key.name) {
                    entries.push((key, value));
                }
            }
        }
        Value::List(items) => items.into_iter().for_each(|item| merge_in(entries, item)),
        _ => {}
    }
}

fn scalar_value(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    match tag.and_then(Tag::core_suffix) {
        Some("str") => return Value::Text(text.to_owned()),
        Some("int" | "float" | "bool" | "null") => return scalar::plain(text),
        _ => {}
    }
    if style == ScalarStyle::Plain && tag.is_none() {
        scalar::plain(text)
    } else {
        Value::Text(text.to_owned())
    }
}

#[cfg(test)]
mod tests;
