//! Where the parts of a YAML text stand, so that one of them can be changed and every other byte stays.

use std::ops::Range;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, StructureStyle};

/// A value and the bytes that it takes.
#[derive(Debug, Clone)]
pub struct Node {
    pub range: Range<usize>,
    /// Of its anchor, or zero.
    pub anchor: usize,
    pub shape: Shape,
}

#[derive(Debug, Clone)]
pub enum Shape {
    Scalar { value: String, style: ScalarStyle },
    List { items: Vec<Node>, flow: bool },
    Map { entries: Vec<(Node, Node)>, flow: bool },
    Alias(usize),
}

impl Node {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name.value() == Some(key)).map(|(_, value)| value)
    }

    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.shape {
            Shape::Map { entries, .. } => entries,
            _ => &[],
        }
    }

    pub fn items(&self) -> &[Node] {
        match &self.shape {
            Shape::List { items, .. } => items,
            _ => &[],
        }
    }

    pub fn value(&self) -> Option<&str> {
        match &self.shape {
            Shape::Scalar { value, .. } => Some(value),
            _ => None,
        }
    }

    /// It is written in brackets.
    pub fn flow(&self) -> bool {
        matches!(self.shape, Shape::List { flow: true, .. } | Shape::Map { flow: true, .. })
    }

    /// This and all that is in it.
    pub fn all(&self) -> Vec<&Node> {
        let inner: Vec<&Node> = match &self.shape {
            Shape::List { items, .. } => items.iter().flat_map(Node::all).collect(),
            Shape::Map { entries, .. } => {
                entries.iter().flat_map(|(k, v)| [k.all(), v.all()].concat()).collect()
            }
            Shape::Scalar { .. } | Shape::Alias(_) => Vec::new(),
        };
        std::iter::once(self).chain(inner).collect()
    }
}

struct Open {
    node: Node,
    key: Option<Node>,
}

/// The one document of a text. None where it is no YAML, or a form that nothing is changed in.
pub fn layout(text: &str) -> Option<Node> {
    let mut open: Vec<Open> = Vec::new();
    let mut done = None;
    for next in Parser::new_from_str(text) {
        let (event, span) = next.ok()?;
        let range = span.byte_range()?;
        let start = |shape, anchor| Open { node: Node { range: range.clone(), anchor, shape }, key: None };
        let finished = match event {
            Event::SequenceStart(style, anchor, _) => {
                let flow = style == StructureStyle::Flow;
                open.push(start(Shape::List { items: Vec::new(), flow }, anchor));
                continue;
            }
            Event::MappingStart(style, anchor, _) => {
                let flow = style == StructureStyle::Flow;
                open.push(start(Shape::Map { entries: Vec::new(), flow }, anchor));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let mut node = open.pop()?.node;
                if let (false, Some(first)) = (node.flow(), node.items().first()) {
                    node.range.start = dash_before(text, first.range.start)?;
                }
                let last = match &node.shape {
                    Shape::List { items, .. } => items.last(),
                    Shape::Map { entries, .. } => entries.last().map(|(_, value)| value),
                    Shape::Scalar { .. } | Shape::Alias(_) => None,
                };
                // What is written in lines ends with its last part; the parser comes to it later.
                node.range.end =
                    if node.flow() { range.end } else { last.map_or(range.start, |last| last.range.end) };
                node
            }
            Event::Scalar(value, style, anchor, _) => {
                let shape = Shape::Scalar { value: value.into_owned(), style };
                Node { range, anchor, shape }
            }
            Event::Alias(id) => Node { range, anchor: 0, shape: Shape::Alias(id) },
            _ => continue,
        };
        let Some(parent) = open.last_mut() else {
            done = Some(finished);
            continue;
        };
        match &mut parent.node.shape {
            Shape::List { items, .. } => items.push(finished),
            Shape::Map { entries, .. } => match parent.key.take() {
                None => parent.key = Some(finished),
                Some(key) => entries.push((key, finished)),
            },
            Shape::Scalar { .. } | Shape::Alias(_) => return None,
        }
    }
    done
}

/// The dash of an element: what may stand between are an anchor, a tag, and remarks above.
fn dash_before(text: &str, at: usize) -> Option<usize> {
    let mut before = text.get(..at)?;
    loop {
        before = before.trim_end();
        if before.ends_with('-') {
            return Some(before.len() - 1);
        }
        let line = before.rfind('\n').map_or(0, |newline| newline + 1);
        let word = before.rfind(char::is_whitespace).map_or(0, |space| space + 1);
        let last = before.get(word..)?;
        let remark = before.get(line..)?.find('#').map(|hash| line + hash);
        before = match remark {
            Some(remark) => before.get(..remark)?,
            None if last.starts_with(['&', '!']) => before.get(..word)?,
            None => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_knows_its_bytes() {
        let text = "# é\nspack:\n  specs: # why\n  - zlib  # c\n  - \"a b\"\n  - matrix:\n    - [x, 'y']\n    - - p\n      - q\n  view: {a: b}\n";
        let root = layout(text).unwrap();
        let specs = root.get("spack").unwrap().get("specs").unwrap();
        let cut = |node: &Node| &text[node.range.clone()];
        assert_eq!(cut(specs.items().first().unwrap()), "zlib");
        assert_eq!(cut(&specs.items()[1]), "\"a b\"");
        let rows = specs.items()[2].get("matrix").unwrap();
        assert_eq!(cut(&rows.items()[0]), "[x, 'y']");
        assert_eq!(cut(&rows.items()[0].items()[1]), "'y'");
        assert_eq!(cut(&rows.items()[1]), "- p\n      - q");
        assert!(cut(specs).starts_with("- zlib") && cut(specs).ends_with("- q"));
        assert_eq!(cut(&specs.items()[2]), "matrix:\n    - [x, 'y']\n    - - p\n      - q");
        assert_eq!(cut(root.get("spack").unwrap().get("view").unwrap()), "{a: b}");
    }
}
