//! A manifest with one key a line, for copies whose form need not be kept: what is written in one line can then be
//! changed like any other.

use serde_json::Value;

use super::elements::scalar;
use crate::spack::text::layout::{Node, Shape, layout};

/// The text with every mapping and list in lines. Scalars are spelt as they were, remarks are gone. None if that does
/// not say the same.
pub fn in_blocks(text: &str) -> Option<String> {
    let root = layout(text)?;
    let mut out = written(text, &root)?.join("\n");
    out.push('\n');
    let read = |text: &str| serde_saphyr::from_str::<Value>(text).ok();
    (read(text).is_some() && read(text) == read(&out)).then_some(out)
}

/// The lines of a value. A scalar is one line.
fn written(text: &str, node: &Node) -> Option<Vec<String>> {
    Some(match &node.shape {
        Shape::Alias(id) => vec![format!("*a{id}")],
        Shape::Scalar { value, .. } => {
            let source = text.get(node.range.clone())?;
            let spelt = if source.contains('\n') {
                Value::from(value.as_str()).to_string()
            } else {
                source.to_owned()
            };
            vec![spelt]
        }
        Shape::List { items, .. } if items.is_empty() => vec!["[]".to_owned()],
        Shape::Map { entries, .. } if entries.is_empty() => vec!["{}".to_owned()],
        Shape::List { items, .. } => {
            let mut out = Vec::new();
            for item in items {
                let lines = written(text, item)?;
                let mut lines = lines.iter();
                if item.anchor > 0 && !matches!(item.shape, Shape::Scalar { .. }) {
                    out.push(format!("- &a{}", item.anchor));
                } else {
                    let first = lines.next()?;
                    out.push(format!("- {}{first}", anchor(item)).trim_end().to_owned());
                }
                out.extend(lines.map(|line| format!("  {line}")));
            }
            out
        }
        Shape::Map { entries, .. } => {
            let mut out = Vec::new();
            for (key, value) in entries {
                let key = key_of(text, key)?;
                let lines = written(text, value)?;
                let empty = value.items().is_empty() && value.entries().is_empty();
                if empty {
                    let line = format!("{key}: {}{}", anchor(value), lines.first()?);
                    out.push(line.trim_end().to_owned());
                } else {
                    out.push(format!("{key}: {}", anchor(value)).trim_end().to_owned());
                    out.extend(lines.iter().map(|line| format!("  {line}")));
                }
            }
            out
        }
    })
}

fn anchor(node: &Node) -> String {
    if node.anchor > 0 { format!("&a{} ", node.anchor) } else { String::new() }
}

/// A key in quotes only where it must be.
fn key_of(text: &str, key: &Node) -> Option<String> {
    let source = text.get(key.range.clone())?;
    if source.starts_with(['"', '\'']) {
        return Some(scalar(key.value()?, true));
    }
    (!source.contains('\n') && key.value().is_some()).then(|| source.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_one_line_gets_a_line_for_each_key() {
        let cases = [
            (
                "spack: {specs: [zlib@1.10, \"a +x\"], view: {default: {root: /v}}, concretizer: {}}\n",
                "spack:\n  specs:\n    - zlib@1.10\n    - \"a +x\"\n  view:\n    default:\n      root: /v\n  concretizer: {}\n",
            ),
            ("{\"spack\": {\"specs\": [], \"view\": false}}", "spack:\n  specs: []\n  view: false\n"),
            (
                "spack: {definitions: [{p: [a, b]}], specs: [{matrix: [[$p], [~x]], exclude: [b ~x]}]}\n",
                "spack:\n  definitions:\n    - p:\n        - a\n        - b\n  specs:\n    - matrix:\n        - - $p\n        - - ~x\n      exclude:\n        - b ~x\n",
            ),
            (
                "spack: {packages: {a: &x {require: ['%gcc']}, b: *x, \"all:\": {target: [1.10]}}, specs: }\n",
                "spack:\n  packages:\n    a: &a1\n      require:\n        - '%gcc'\n    b: *a1\n    'all:':\n      target:\n        - 1.10\n  specs:\n",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(in_blocks(text).as_deref(), Some(expected), "{text}");
            assert_eq!(in_blocks(expected).as_deref(), Some(expected), "nothing is left to do");
        }
        assert_eq!(in_blocks("spack: {"), None);
    }
}
