//! The order that a picture draws. `a → b` says that `a` may use `b` and everything after it; what stands together in
//! braces may not use each other, but for a chain with arrows of its own; `a ↔ b` may. What is in square brackets is
//! not there yet: its place is kept. A link of a chain may be braces of its own.

use std::collections::{BTreeMap, BTreeSet};

/// What each part may use, itself among it.
#[derive(Debug, Default)]
pub struct Picture {
    pub may: BTreeMap<String, BTreeSet<String>>,
    pub planned: BTreeSet<String>,
}

/// The picture in the comment that a file begins with, if there is one.
pub fn of(text: &str) -> Option<Picture> {
    let lines: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let comment = lines.join("\n");
    let drawn = comment
        .split("```text")
        .skip(1)
        .find(|part| part.contains('→') || part.trim_start().starts_with('{'))?;
    Some(read(drawn.split("```").next().unwrap_or_default()))
}

pub fn read(drawn: &str) -> Picture {
    let mut picture = Picture::default();
    let mut below: BTreeSet<String> = BTreeSet::new();
    for group in split(drawn, '→').into_iter().rev() {
        let mut all = BTreeSet::new();
        let group = group.trim();
        let chains = match group.strip_prefix('{').and_then(|g| g.strip_suffix('}')) {
            Some(inside) => split(inside, ','),
            None => vec![group.to_owned()],
        };
        for chain in chains {
            let mut lower = below.clone();
            for link in split(&chain, '→').into_iter().rev() {
                // Those that know each other; in braces of their own they do not.
                let circles = match link.trim().strip_prefix('{').and_then(|l| l.strip_suffix('}')) {
                    Some(apart) => split(apart, ','),
                    None => vec![link],
                };
                let mut these = BTreeSet::new();
                for circle in circles {
                    let names: BTreeSet<String> =
                        circle.split('↔').map(|name| plain(name, &mut picture.planned)).collect();
                    let may: BTreeSet<String> = lower.union(&names).cloned().collect();
                    for name in &names {
                        let twice = picture.may.insert(name.clone(), may.clone());
                        assert!(twice.is_none(), "'{name}' is drawn twice");
                    }
                    these.extend(names);
                }
                lower.extend(these.iter().cloned());
                all.extend(these);
            }
        }
        below.extend(all);
    }
    picture
}

fn plain(name: &str, planned: &mut BTreeSet<String>) -> String {
    let name = name.trim();
    match name.strip_prefix('[').and_then(|n| n.strip_suffix(']')) {
        Some(name) => {
            planned.insert(name.to_owned());
            name.to_owned()
        }
        None => name.to_owned(),
    }
}

/// Splits outside of braces.
fn split(text: &str, at: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if c == at && depth == 0 {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
}
