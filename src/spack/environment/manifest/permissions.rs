//! A manifest that tells Spack whom the packages that it installs belong to, and which is otherwise the same.

use serde_json::{Map, Value, json};

use super::edit::edit;

/// Where Spack looks for them.
const PATH: [&str; 3] = ["packages", "all", "permissions"];

/// The manifest with these keys in `packages:all:permissions`. None if the text cannot be changed so that it says
/// exactly that.
pub fn with_permissions(text: &str, keys: &Map<String, Value>) -> Option<String> {
    let whole: Value = serde_saphyr::from_str(text).ok()?;
    let now = PATH.iter().try_fold(whole.get("spack")?, |value, key| value.get(key));
    let mut all = now.and_then(Value::as_object).cloned().unwrap_or_default();
    all.extend(keys.clone());
    edit(
        text,
        |_| Some(()),
        |text| spelt(&text, &all),
        |meaning| {
            let all_packages = PATH[..2].iter().try_fold(&mut *meaning, |map, key| {
                let value = map.entry(*key).or_insert_with(|| json!({}));
                if value.is_null() {
                    *value = json!({});
                }
                value.as_object_mut()
            });
            if let Some(settings) = all_packages {
                settings.insert(String::from(PATH[2]), all.clone().into());
            }
        },
    )
}

/// Writes them below as much of the path as there is in the text.
fn spelt(text: &str, all: &Map<String, Value>) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let Some(mut at) = lines.iter().position(|line| line.trim_end() == "spack:") else {
        return text.to_owned();
    };
    let mut missing = Vec::new();
    let mut indent = child_indent(&lines, at);
    for (depth, key) in PATH.into_iter().enumerate() {
        let found = missing.is_empty().then(|| child(&lines, at, indent, key)).flatten();
        match found {
            // What was said before is said again together with the rest.
            Some(line) if depth + 1 == PATH.len() => {
                let end = end_of(&lines, line, indent);
                // A remark after it is on what follows.
                let own = lines.get(line..end).unwrap_or_default().iter().rposition(|l| says_something(l));
                let end = line + 1 + own.unwrap_or_default();
                lines.drain(line..end);
                missing.push(key);
            }
            Some(line) => {
                at = line;
                indent = child_indent(&lines, line);
            }
            None => missing.push(key),
        }
    }
    let mut block = String::new();
    for key in missing {
        block.push_str(&format!("{}{key}:\n", " ".repeat(indent)));
        indent += 2;
    }
    for (key, value) in all {
        block.push_str(&format!("{}{key}: {value}\n", " ".repeat(indent)));
    }
    lines.insert(at + 1, block);
    lines.concat()
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
    let mut outside = after.filter(|(_, line)| says_something(line) && indent_of(line) <= indent);
    outside.next().map_or(lines.len(), |(end, _)| end)
}

/// How far in the keys below a line stand.
fn child_indent(lines: &[String], at: usize) -> usize {
    let own = lines.get(at).map_or(0, |line| indent_of(line));
    let first = lines.iter().skip(at + 1).find(|line| says_something(line)).map(|line| indent_of(line));
    first.filter(|indent| *indent > own).unwrap_or(own + 2)
}

/// The line of a key right below another, if a block follows it.
fn child(lines: &[String], at: usize, indent: usize, key: &str) -> Option<usize> {
    let end = end_of(lines, at, lines.get(at).map_or(0, |line| indent_of(line)));
    (at + 1..end).find(|line| {
        lines.get(*line).is_some_and(|line| {
            let rest = line.trim_start().strip_prefix(key).and_then(|rest| rest.strip_prefix(':'));
            indent_of(line) == indent && rest.is_some_and(|rest| !says_something(rest))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_told_and_all_else_stays() {
        let keys = json!({ "read": "world", "write": "group", "group": "soft-adm" });
        let keys = keys.as_object().unwrap();
        for text in [
            "spack:\n  specs: [zlib]\n",
            "spack:\n  # mine\n  packages: # all of them\n    # those\n    zlib:\n      variants: +pic   # so\n  specs: []\n",
            "spack:\n    packages:\n        all:\n            target: [zen2]\n        mpi:\n            require: openmpi\n    view: true\n",
            "# top\nspack:\n  packages:\n    all:\n      permissions:\n        read: group # few\n        write: user\n      target: [zen2]\n  specs: []\n",
            "spack:\n  specs: []\n  packages:\n    zlib: {variants: +pic}",
            "spack:\n  packages:\n    all:\n  specs: []\n",
        ] {
            let out = with_permissions(text, keys).unwrap_or_else(|| panic!("{text}"));
            let (old, new): (Value, Value) =
                (serde_saphyr::from_str(text).unwrap(), serde_saphyr::from_str(&out).unwrap());
            let told = &new["spack"]["packages"]["all"]["permissions"];
            assert_eq!(told.as_object().unwrap(), keys, "{out}");
            for path in ["/spack/specs", "/spack/view", "/spack/packages/zlib", "/spack/packages/all/target"]
            {
                assert_eq!(new.pointer(path), old.pointer(path), "{out}");
            }
            assert_eq!(with_permissions(&out, keys).unwrap(), out, "the second time nothing changes");
        }
        // What is written in one line is left to who wrote it.
        for text in ["spack:\n  packages: {all: {target: [zen2]}}\n", "spack: {specs: []}\n"] {
            assert_eq!(with_permissions(text, keys), None, "{text}");
        }
    }
}
