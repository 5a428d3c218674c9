//! Elements of lists in the text of a manifest: one is put in, taken out, or worded anew, and every other byte stays.
//! Where a text is too unusual for that there is none; what came of it is read again by who asked.

use serde_json::Value;

use crate::spack::text::layout::{Node, Shape, layout};

/// The text with another word for the element that begins at a byte.
pub fn reworded(text: &str, at: usize, word: &str) -> Option<String> {
    let root = layout(text)?;
    let found = find(&root, at)?;
    let item = found.item()?;
    if item.value()? == word {
        return Some(text.to_owned());
    }
    let old = text.get(item.range.clone())?;
    let quote = old.chars().next().filter(|c| matches!(c, '"' | '\''));
    let new = match quote {
        Some(quote) if !word.contains(['"', '\'', '\\']) => format!("{quote}{word}{quote}"),
        _ => scalar(word, found.list.flow()),
    };
    spliced(text, item.range.clone(), &new)
}

/// The text without the element that begins at a byte. Remarks above it stay, that behind it goes.
pub fn without(text: &str, at: usize) -> Option<String> {
    let root = layout(text)?;
    let found = find(&root, at)?;
    if found.list.flow() { without_in_brackets(text, &found) } else { without_in_lines(text, &found) }
}

/// The text with more elements at the end of the list `spack:specs`.
pub fn with_specs(text: &str, specs: &[String]) -> Option<String> {
    if specs.is_empty() {
        return Some(text.to_owned());
    }
    let root = layout(text)?;
    let spack = root.get("spack")?;
    let list = spack.get("specs");
    match list {
        Some(list) if !list.items().is_empty() => behind(text, list, specs),
        _ if spack.flow() => first_in_brackets(text, spack, list, specs),
        Some(list) => {
            let (key, _) = spack.entries().iter().find(|(key, _)| key.value() == Some("specs"))?;
            // The empty list or nothing after the colon goes, and a remark behind it stays.
            let before = text.get(..list.range.start)?.trim_end_matches(' ').len();
            let emptied = spliced(text, before.max(key.range.end)..list.range.end, "")?;
            let end = line_end(&emptied, before.max(key.range.end));
            spliced(&emptied, end..end, &lines(column(text, key.range.start), specs))
        }
        None => {
            let indent = spack.entries().first().map_or(2, |(key, _)| column(text, key.range.start));
            let end =
                line_end(text, spack.entries().last().map_or(spack.range.end, |(_, last)| last.range.end));
            let key = format!("\n{}specs:{}", " ".repeat(indent), lines(indent, specs));
            let null =
                spack.entries().is_empty().then(|| spack.range.clone()).filter(|range| !range.is_empty());
            match null {
                Some(null) => spliced(text, null, &key),
                None => spliced(text, end..end, &key),
            }
        }
    }
}

/// Elements below a key, after the end of a line.
fn lines(indent: usize, specs: &[String]) -> String {
    let lead = " ".repeat(indent);
    let all: Vec<String> = specs.iter().map(|spec| format!("\n{lead}- {}", scalar(spec, false))).collect();
    all.concat()
}

fn behind(text: &str, list: &Node, specs: &[String]) -> Option<String> {
    let last = list.items().last()?;
    if list.flow() {
        let more: Vec<String> = specs.iter().map(|spec| format!(", {}", scalar(spec, true))).collect();
        return spliced(text, last.range.end..last.range.end, &more.concat());
    }
    let end = line_end(text, last.range.end);
    spliced(text, end..end, &lines(column(text, list.range.start), specs))
}

fn first_in_brackets(text: &str, spack: &Node, list: Option<&Node>, specs: &[String]) -> Option<String> {
    let all = specs.iter().map(|spec| scalar(spec, true)).collect::<Vec<_>>().join(", ");
    match (list, spack.entries().first()) {
        (Some(list), _) if list.range.is_empty() => spliced(text, list.range.clone(), &format!(" [{all}]")),
        (Some(list), _) => spliced(text, list.range.clone(), &format!("[{all}]")),
        (None, Some((first, _))) => {
            spliced(text, first.range.start..first.range.start, &format!("specs: [{all}], "))
        }
        (None, None) => spliced(text, spack.range.clone(), &format!("{{specs: [{all}]}}")),
    }
}

/// A list, which of its elements is meant, and the key that the list stands after.
struct Found<'a> {
    list: &'a Node,
    at: usize,
    key: Option<&'a Node>,
}

impl Found<'_> {
    fn item(&self) -> Option<&Node> {
        self.list.items().get(self.at)
    }
}

fn find(root: &Node, at: usize) -> Option<Found<'_>> {
    let mut queue: Vec<(&Node, Option<&Node>)> = vec![(root, None)];
    while let Some((node, key)) = queue.pop() {
        let is_it = |item: &Node| item.range.start == at && !matches!(item.shape, Shape::List { .. });
        if let Some(index) = node.items().iter().position(is_it) {
            return Some(Found { list: node, at: index, key });
        }
        queue.extend(node.items().iter().map(|item| (item, None)));
        queue.extend(node.entries().iter().map(|(key, value)| (value, Some(key))));
    }
    None
}

fn without_in_brackets(text: &str, found: &Found<'_>) -> Option<String> {
    let item = found.item()?;
    let before = found.at.checked_sub(1).and_then(|at| found.list.items().get(at));
    let Some(next) = found.list.items().get(found.at + 1) else {
        let from = before.map_or(found.list.range.start + 1, |before| before.range.end);
        // A comma behind the last one may stay, behind none it may not.
        let to = if before.is_some() { item.range.end } else { found.list.range.end.checked_sub(1)? };
        return spliced(text, from..to, "");
    };
    let between = text.get(item.range.end..next.range.start)?;
    let mut end = item.range.end + between.find(',')? + 1;
    end += text.get(end..)?.len() - text.get(end..)?.trim_start_matches([' ', '\t']).len();
    let rest = text.get(end..line_end(text, end))?;
    let lead = text.get(line_start(text, item.range.start)..item.range.start)?;
    let whole_line = (rest.is_empty() || rest.starts_with('#')) && lead.trim().is_empty();
    if whole_line {
        return spliced(text, line_start(text, item.range.start)..after_line(text, end), "");
    }
    spliced(text, item.range.start..end, "")
}

fn without_in_lines(text: &str, found: &Found<'_>) -> Option<String> {
    let item = found.item()?;
    let column = column(text, found.list.range.start);
    let dash = dash(text, item.range.start, column)?;
    let alone = found.list.items().len() == 1;
    let starts_line = text.get(line_start(text, dash)..dash)?.trim().is_empty();
    match (found.key, found.list.items().get(found.at + 1)) {
        (Some(key), _) if alone && starts_line => {
            let gone = spliced(text, line_start(text, dash)..after_line(text, item.range.end), "")?;
            let colon = key.range.end + text.get(key.range.end..)?.find(':')? + 1;
            spliced(&gone, colon..colon, " []")
        }
        _ if alone => spliced(text, dash..item.range.end, "[]"),
        _ if starts_line => spliced(text, line_start(text, dash)..after_line(text, item.range.end), ""),
        // It shares its line with the dash of the list that it is in.
        (_, Some(next)) => spliced(text, dash..self::dash(text, next.range.start, column)?, ""),
        (_, None) => None,
    }
}

/// The dash of an element, in the column of its list's, on its line or above it.
fn dash(text: &str, at: usize, column: usize) -> Option<usize> {
    let mut start = line_start(text, at);
    loop {
        let place = start + column;
        if place < at && text.get(place..=place) == Some("-") {
            return Some(place);
        }
        start = line_start(text, start.checked_sub(1)?);
    }
}

fn spliced(text: &str, range: std::ops::Range<usize>, new: &str) -> Option<String> {
    Some([text.get(..range.start)?, new, text.get(range.end..)?].concat())
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

/// Where the line ends, before its newline.
fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |newline| at + newline)
}

fn after_line(text: &str, at: usize) -> usize {
    (line_end(text, at) + 1).min(text.len())
}

fn column(text: &str, at: usize) -> usize {
    at - line_start(text, at)
}

/// A word as a YAML scalar, in quotes only where it must be.
pub fn scalar(word: &str, flow: bool) -> String {
    let reads_as = |text: &str| serde_saphyr::from_str::<Value>(text).ok();
    let plain = if flow {
        reads_as(&format!("[{word}]")) == Some(Value::from(vec![word]))
    } else {
        reads_as(&format!("- {word}")) == Some(Value::from(vec![word]))
    };
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, word: &str) -> usize {
        text.find(word).unwrap_or_else(|| panic!("{word} in {text}"))
    }

    #[test]
    fn an_element_goes_and_every_other_byte_stays() {
        let cases = [
            ("l:\n- a # 1\n# on b\n- b # 2\n- c\n", "b # 2", "l:\n- a # 1\n# on b\n- c\n"),
            ("l:\n  - a\nm: 1\n", "a", "l: []\nm: 1\n"),
            ("l: # why\n- a\n", "a\n", "l: [] # why\n"),
            ("l:\n- a\n- b", "b", "l:\n- a\n"),
            ("l: [a, 'b', c]\n", "'b'", "l: [a, c]\n"),
            ("l: [a, b, ]\n", "b", "l: [a, ]\n"),
            ("l: [ a, ]\n", "a", "l: []\n"),
            ("l: [\n  a, # 1\n  b, # 2\n  c\n]\n", "b,", "l: [\n  a, # 1\n  c\n]\n"),
            ("l: [\n  a, b,\n  c\n]\n", "c", "l: [\n  a, b\n]\n"),
            ("l:\n- - a\n  - b\n- - c\n", "a", "l:\n- - b\n- - c\n"),
            ("l:\n- - a\n  - b\n- - c\n", "c", "l:\n- - a\n  - b\n- []\n"),
            ("l:\n- matrix:\n  - [a]\n  exclude: [b]\n- z\n", "matrix", "l:\n- z\n"),
            ("l:\n-\n  matrix: [[a]]\n- z\n", "matrix", "l:\n- z\n"),
            ("{l: [a, {matrix: [[x]]}]}", "{matrix", "{l: [a]}"),
        ];
        for (text, word, expected) in cases {
            assert_eq!(without(text, at(text, word)).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn an_element_is_worded_anew_in_its_own_quotes() {
        let cases = [
            ("l:\n- a # 1\n", "a", "b@2", "l:\n- b@2 # 1\n"),
            ("l: [\"a\", c]\n", "\"a", "b +x", "l: [\"b +x\", c]\n"),
            ("l: [a, c]\n", "a", "b l=x,y", "l: ['b l=x,y', c]\n"),
            ("l: ['a']\n", "'a", "b c=\"x\"", "l: [b c=\"x\"]\n"),
            ("l:\n- a\n", "a", "%gcc", "l:\n- '%gcc'\n"),
        ];
        for (text, word, new, expected) in cases {
            assert_eq!(reworded(text, at(text, word), new).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn specs_are_put_at_the_end_of_a_list_of_any_form() {
        let cases = [
            ("spack:\n  specs:\n  - a # 1\n  view: x\n", "spack:\n  specs:\n  - a # 1\n  - z@1\n  view: x\n"),
            ("spack:\n  specs: [a, ]\n", "spack:\n  specs: [a, z@1, ]\n"),
            ("spack:\n  specs: []  # none\n  view: x\n", "spack:\n  specs:  # none\n  - z@1\n  view: x\n"),
            ("spack:\n  specs:\n  view: x\n", "spack:\n  specs:\n  - z@1\n  view: x\n"),
            ("spack:\n  specs: ~\n", "spack:\n  specs:\n  - z@1\n"),
            ("spack:\n    view: x", "spack:\n    view: x\n    specs:\n    - z@1"),
            ("spack:\n", "spack:\n  specs:\n  - z@1\n"),
            ("spack: {view: x}\n", "spack: {specs: [z@1], view: x}\n"),
            ("spack: {specs: [], view: x}\n", "spack: {specs: [z@1], view: x}\n"),
            ("spack: {}\n", "spack: {specs: [z@1]}\n"),
            ("{\"spack\": {\"specs\": [\"a\"]}}\n", "{\"spack\": {\"specs\": [\"a\", z@1]}}\n"),
        ];
        for (text, expected) in cases {
            assert_eq!(with_specs(text, &["z@1".to_owned()]).as_deref(), Some(expected), "{text}");
        }
    }
}
