//! A Rust file as the layers see it: which full paths its shipped code names, and on which line. Comments, texts
//! and tests do not count; `use` trees, renames and `super` are followed, so that no spelling hides an import.

use std::collections::BTreeMap;

/// A path that the code names, from its root: `crate::world::Eyes`, `std::fs::write`, `println!`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    pub line: usize,
    pub path: String,
}

/// Everything that a file names. `module` is its place below `src`: `check/checks/disk.rs`.
pub fn names(module: &str, text: &str) -> Vec<Named> {
    let tokens = tokens(&shipped(&blank(text)));
    let home = home(module);
    let mut bound = BTreeMap::new();
    let mut found = Vec::new();
    let mut rest = tokens.as_slice();
    let mut paths = Vec::new();
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        if token.text == "use" {
            let end = rest.iter().position(|t| t.text == ";").unwrap_or(rest.len());
            tree(&rest[..end], &[], &mut |full, name, line| {
                let full = absolute(full, &home);
                bound.insert(name.to_owned(), full.clone());
                found.push(Named { line, path: full.join("::") });
            });
            rest = &rest[end..];
        } else if token.text == "pub" && rest.first().is_some_and(|t| t.text == "(") {
            // How far something can be seen is no use of it.
            rest = &rest[rest.iter().position(|t| t.text == ")").unwrap_or(0)..];
        } else if is_word(&token.text) {
            let mut path = vec![token.text.clone()];
            while let [colons, next, ..] = rest
                && colons.text == "::"
                && is_word(&next.text)
            {
                path.push(next.text.clone());
                rest = &rest[2..];
            }
            if rest.first().is_some_and(|t| t.text == "!") {
                path.push("!".to_owned());
            }
            paths.push((path, token.line));
        }
    }
    // Twice, since a name may come through another: `use std::fs; use fs::write;`.
    for named in &mut found {
        let path: Vec<String> = named.path.split("::").map(str::to_owned).collect();
        named.path = expand(path, &bound).join("::");
    }
    for (path, line) in paths {
        let path = absolute(expand(path, &bound), &home);
        if path.len() > 1 {
            found.push(Named { line, path: path.join("::").replace("::!", "!") });
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The names that a file gives to what is elsewhere, with their full paths: its `pub use`.
pub fn exported(module: &str, text: &str) -> Vec<(String, String)> {
    let tokens = tokens(&shipped(&blank(text)));
    let home = home(module);
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        if pair[0].text == "pub" && pair[1].text == "use" {
            let rest = &tokens[at + 2..];
            let end = rest.iter().position(|t| t.text == ";").unwrap_or(rest.len());
            tree(&rest[..end], &[], &mut |full, name, _| {
                let full = absolute(full, &home);
                let full = if full[0] == "crate" { full } else { [home.clone(), full].concat() };
                found.push((name.to_owned(), full.join("::")));
            });
        }
    }
    found
}

fn expand(path: Vec<String>, bound: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    match bound.get(&path[0]) {
        Some(full) if full.first() != path.first() || full.len() == 1 => {
            [full.as_slice(), &path[1..]].concat()
        }
        _ => path,
    }
}

/// The module that a file is: `world/lock.rs` is `crate::world::lock`.
fn home(module: &str) -> Vec<String> {
    let stem = module.trim_end_matches(".rs").trim_end_matches("/mod");
    let below = stem.split('/').filter(|part| !["lib", "main", "mod"].contains(part));
    std::iter::once("crate").chain(below).map(str::to_owned).collect()
}

/// `self` and `super` from where they stand.
fn absolute(path: Vec<String>, home: &[String]) -> Vec<String> {
    let ups = path.iter().take_while(|p| *p == "super" || *p == "self").count();
    if ups == 0 {
        return path;
    }
    let levels = path[..ups].iter().filter(|p| *p == "super").count();
    [&home[..home.len().saturating_sub(levels).max(1)], &path[ups..]].concat()
}

/// Each leaf of a `use` tree with the name it binds.
fn tree(tokens: &[Token], before: &[String], leaf: &mut impl FnMut(Vec<String>, &str, usize)) {
    let mut path = before.to_vec();
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        match token.text.as_str() {
            "{" => {
                let mut depth = 0_usize;
                let mut start = 0;
                for (i, t) in rest.iter().enumerate() {
                    match t.text.as_str() {
                        "{" => depth += 1,
                        "}" if depth > 0 => depth -= 1,
                        "," | "}" if depth == 0 => {
                            tree(&rest[start..i], &path, leaf);
                            start = i + 1;
                        }
                        _ => {}
                    }
                }
                return;
            }
            "as" => {
                let name = rest.first().map_or("_", |t| t.text.as_str());
                leaf(path, name, token.line);
                return;
            }
            "self" if !path.is_empty() => {}
            "::" => {}
            word => path.push(word.to_owned()),
        }
        if rest.is_empty() {
            let name = path.last().cloned().unwrap_or_default();
            leaf(path, &name, token.line);
            return;
        }
    }
}

#[derive(Debug)]
struct Token {
    text: String,
    line: usize,
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn tokens(code: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    for (n, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                c if c.is_alphanumeric() || c == '_' => {
                    rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
                }
                ':' if rest.starts_with("::") => 2,
                c => c.len_utf8(),
            };
            found.push(Token { text: rest[..length].to_owned(), line: n + 1 });
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// Comments, texts and characters become blanks; every line stays where it is.
pub fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(raw) = raw_text(rest, out.chars().next_back()) {
            raw
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' && is_character(rest) {
            quoted(rest, '\'')
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &rest[length..];
    }
    out
}

/// The length of `r"…"`, `r#"…"#`, if one begins here.
fn raw_text(rest: &str, before: Option<char>) -> Option<usize> {
    let after =
        rest.strip_prefix('r').filter(|_| !before.is_some_and(|c| c.is_alphanumeric() && c != 'b'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(1 + hashes + 1 + body.find(&end).map_or(body.len(), |at| at + end.len()))
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character, not a lifetime.
fn is_character(rest: &str) -> bool {
    let mut inner = rest.chars().skip(1);
    inner.next() == Some('\\') || inner.next() == Some('\'')
}

/// Without the items that only tests have.
fn shipped(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = code.to_owned();
    while let Some(start) = out.find(MARK) {
        let mut depth = 0_usize;
        let body = &out[start + MARK.len()..];
        let end = body.char_indices().find_map(|(at, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            (depth == 0 && matches!(c, '}' | ';')).then_some(at + 1)
        });
        let end = start + MARK.len() + end.unwrap_or(body.len());
        let blanks: String = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..end, &blanks);
    }
    out
}
