//! One setting in the configuration part of a manifest, put in or taken out; everything else of the text stays.

use serde_json::{Map, Value, json};

use super::edit::edit;

/// The setting as a manifest has it.
pub fn get<'v>(manifest: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(manifest.get("spack")?, |value, key| value.get(key))
}

/// The manifest with this value at the path, or with nothing there. None if the text cannot be changed so that it
/// says exactly that.
pub fn with_setting(text: &str, path: &[&str], value: Option<&Value>) -> Option<String> {
    edit(
        text,
        |_| Some(()),
        |text| match value {
            Some(value) => put(&text, path, value),
            None => taken(&text, path),
        },
        |meaning| match value {
            Some(value) => put_meaning(meaning, path, value),
            None => take_meaning(meaning, path),
        },
    )
}

fn put_meaning(map: &mut Map<String, Value>, path: &[&str], value: &Value) {
    let Some((key, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        map.insert((*key).to_owned(), value.clone());
        return;
    }
    let below = map.entry(*key).or_insert_with(|| json!({}));
    if below.is_null() {
        *below = json!({});
    }
    if let Some(below) = below.as_object_mut() {
        put_meaning(below, rest, value);
    }
}

/// What holds nothing else goes with it.
fn take_meaning(map: &mut Map<String, Value>, path: &[&str]) {
    let Some((key, rest)) = path.split_first() else { return };
    if !rest.is_empty() {
        let Some(below) = map.get_mut(*key).and_then(Value::as_object_mut) else { return };
        take_meaning(below, rest);
        if !below.is_empty() {
            return;
        }
    }
    map.shift_remove(*key);
}

/// Writes it below as much of the path as there is in the text.
fn put(text: &str, path: &[&str], value: &Value) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let Some(mut at) = top(&lines) else { return text.to_owned() };
    let mut missing = Vec::new();
    let (mut place, mut remark) = (None, String::new());
    let mut indent = child_indent(&lines, at);
    for (depth, key) in path.iter().enumerate() {
        let is_last = depth + 1 == path.len();
        let found = missing.is_empty().then(|| child(&lines, at, indent, key, is_last)).flatten();
        match found {
            // What was said before is said again.
            Some(line) if is_last => {
                remark = remark_of(&lines, line, indent);
                cut(&mut lines, line, indent);
                place = Some(line);
                missing.push(*key);
            }
            Some(line) => {
                at = line;
                indent = child_indent(&lines, line);
            }
            None => missing.push(*key),
        }
    }
    let mut block = String::new();
    let last = missing.pop();
    for key in missing {
        block.push_str(&format!("{}{key}:\n", " ".repeat(indent)));
        indent += 2;
    }
    if let Some(key) = last {
        let lead = " ".repeat(indent);
        match value.as_object().filter(|map| !map.is_empty()) {
            Some(map) => {
                block.push_str(&format!("{lead}{key}:\n"));
                for (key, value) in map {
                    block.push_str(&format!("{lead}  {key}: {value}\n"));
                }
            }
            None => block.push_str(&format!("{lead}{key}: {value}{remark}\n")),
        }
    }
    lines.insert(place.unwrap_or(at + 1), block);
    lines.concat()
}

/// Takes it out, and the keys above that hold nothing else.
fn taken(text: &str, path: &[&str]) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let Some(mut at) = top(&lines) else { return text.to_owned() };
    let mut indent = child_indent(&lines, at);
    let mut way = Vec::new();
    for (depth, key) in path.iter().enumerate() {
        let Some(line) = child(&lines, at, indent, key, depth + 1 == path.len()) else {
            return text.to_owned();
        };
        way.push((line, indent));
        at = line;
        indent = child_indent(&lines, line);
    }
    for (line, indent) in way.into_iter().rev() {
        cut(&mut lines, line, indent);
        // The key above holds something else.
        let above = lines.get(..line).unwrap_or_default().iter().rposition(|l| says_something(l));
        let alone = above.is_some_and(|above| {
            let upper = lines.get(above).map_or(0, |l| indent_of(l));
            let end = end_of(&lines, above, upper);
            let rest = lines.get(above + 1..end).unwrap_or_default();
            upper < indent && !rest.iter().any(|l| says_something(l))
        });
        if !alone {
            break;
        }
    }
    lines.concat()
}

/// Takes out a key with what it holds. A remark after it is on what follows.
fn cut(lines: &mut Vec<String>, line: usize, indent: usize) {
    let end = end_of(lines, line, indent);
    let own = lines.get(line..end).unwrap_or_default().iter().rposition(|l| says_something(l));
    lines.drain(line..=(line + own.unwrap_or_default()));
}

/// What is remarked, after blanks, behind a value that stands on the line of its key.
fn remark_of(lines: &[String], line: usize, indent: usize) -> String {
    let text = lines.get(line).map_or("", |line| line.trim_end());
    let inside = lines.get(line + 1..end_of(lines, line, indent)).unwrap_or_default();
    if inside.iter().any(|line| says_something(line)) {
        return String::new();
    }
    let mut quote = None;
    let mut blank = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '#') if blank.is_some() => {
                return text.get(blank.unwrap_or(at)..).unwrap_or_default().to_owned();
            }
            _ => {}
        }
        blank = c.is_whitespace().then(|| blank.unwrap_or(at));
    }
    String::new()
}

fn top(lines: &[String]) -> Option<usize> {
    lines.iter().position(|line| line.trim_end() == "spack:")
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn says_something(line: &str) -> bool {
    let bare = line.trim_start();
    !bare.is_empty() && !bare.starts_with('#')
}

/// The first line after the block of a line.
fn end_of(lines: &[String], at: usize, indent: usize) -> usize {
    let after = lines.iter().enumerate().skip(at + 1);
    // The items of a list may stand as far in as its key.
    let within = |line: &String| {
        indent_of(line) > indent || indent_of(line) == indent && line.trim_start().starts_with("- ")
    };
    let mut outside = after.filter(|(_, line)| says_something(line) && !within(line));
    outside.next().map_or(lines.len(), |(end, _)| end)
}

/// How far in the keys below a line stand.
fn child_indent(lines: &[String], at: usize) -> usize {
    let own = lines.get(at).map_or(0, |line| indent_of(line));
    let first = lines.iter().skip(at + 1).find(|line| says_something(line)).map(|line| indent_of(line));
    first.filter(|indent| *indent > own).unwrap_or(own + 2)
}

/// The line of a key right below another, if a block follows it, or whatever it holds.
fn child(lines: &[String], at: usize, indent: usize, key: &str, any: bool) -> Option<usize> {
    let end = end_of(lines, at, lines.get(at).map_or(0, |line| indent_of(line)));
    (at + 1..end).find(|line| {
        lines.get(*line).is_some_and(|line| {
            let rest = line.trim_start().strip_prefix(key).and_then(|rest| rest.strip_prefix(':'));
            indent_of(line) == indent && rest.is_some_and(|rest| any || !says_something(rest))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: [&str; 3] = ["packages", "zlib", "require"];

    #[test]
    fn a_remark_behind_a_value_stays_with_the_next_one() {
        for (old, kept) in [
            ("'@1.2'   # site wide", "   # site wide"),
            ("\"@1.2 # no remark\"", ""),
            ("['@1.2']  # \"quoted\"", "  # \"quoted\""),
            ("+pic", ""),
        ] {
            let text =
                format!("spack:\n  packages:\n    zlib:\n      require: {old}\n      variants: +pic\n");
            let new = with_setting(&text, &PATH, Some(&json!(["@1.3"]))).unwrap_or_else(|| panic!("{text}"));
            assert!(
                new.contains(&format!("      require: [\"@1.3\"]{kept}\n      variants: +pic\n")),
                "{new}"
            );
        }
    }

    #[test]
    fn a_setting_is_put_in_changed_and_taken_out_and_all_else_stays() {
        for text in [
            "spack:\n  specs: [zlib]\n",
            "# top\nspack:\n  # mine\n  packages: # all of them\n    zlib:\n      variants: +pic   # so\n  specs: []\n",
            "spack:\n    packages:\n        all:\n            target: [zen2]\n    view: true\n",
            "spack:\n  packages:\n    mpi:\n      require:\n      - openmpi\n  specs: []\n",
            "spack:\n  # what is wanted\n  specs: []\n",
        ] {
            let first = with_setting(text, &PATH, Some(&json!(["@1.2"]))).unwrap_or_else(|| panic!("{text}"));
            let second = with_setting(&first, &PATH, Some(&json!(["@1.3", "+x"]))).unwrap();
            let read: Value = serde_saphyr::from_str(&second).unwrap();
            assert_eq!(get(&read, &PATH), Some(&json!(["@1.3", "+x"])), "{second}");
            assert_eq!(with_setting(&second, &PATH, None).unwrap(), text);
        }
    }

    #[test]
    fn what_was_written_over_several_lines_is_taken_out_whole() {
        let text = "spack:\n  packages:\n    zlib:\n      require:\n      - \"@1.2\"\n      # why\n      - +pic\n    # of this\n    other:\n      buildable: false\n  specs: []\n";
        let out = with_setting(text, &PATH, None).unwrap();
        assert_eq!(
            out,
            "spack:\n  packages:\n    # of this\n    other:\n      buildable: false\n  specs: []\n"
        );
        assert_eq!(with_setting(&out, &PATH, None).unwrap(), out, "nothing is there any more");
    }
}
