//! Lists of specs as manifests write them: named definitions, references (`$name`, `$%name`, `$^name`),
//! matrices with exclusions. Expanded natively into the constraints that make up each user spec.

use std::collections::BTreeMap;

use crate::base::{Kind, Result, Trouble};
use crate::spack::text::yaml::Yaml;

/// Decides whether a spec (given as the constraints that it is made of) satisfies another.
pub type Satisfies<'a> = &'a dyn Fn(&[String], &str) -> Result<bool>;

/// Specs that one manifest may come to; a larger matrix is taken as a mistake.
const MAX_SPECS: usize = 100_000;

/// An item of a list after references are followed.
#[derive(Debug, Clone)]
pub enum Item {
    Spec { text: String, source: Yaml },
    Matrix { rows: Vec<Vec<Item>>, exclude: Vec<String>, sigil: String, source: Yaml },
}

/// The definitions known so far.
pub type Definitions = BTreeMap<String, Vec<Item>>;

/// One spec of the result: its constraints in order, and where it was written.
#[derive(Debug, Clone)]
pub struct Expanded {
    pub constraints: Vec<String>,
    pub source: Yaml,
}

/// Follows references in a list.
pub fn items(list: &Yaml, known: &Definitions) -> Result<Vec<Item>> {
    if !list.is_list() && !list.is_null() {
        return Err(list.wrong("a list of specs was expected"));
    }
    let mut out = Vec::new();
    for entry in list.list() {
        if entry.is_null() {
            continue;
        }
        if entry.is_map() {
            out.push(matrix(entry, known)?);
            continue;
        }
        let Some(text) = entry.scalar_text() else {
            return Err(entry.wrong("a spec, a matrix or a reference was expected"));
        };
        match text.strip_prefix('$') {
            Some(reference) => out.extend(follow(entry, reference, known)?),
            None => out.push(Item::Spec { text, source: entry.clone() }),
        }
        if out.len() > MAX_SPECS {
            return Err(entry.wrong(format!("more than {MAX_SPECS} specs")));
        }
    }
    Ok(out)
}

fn follow(entry: &Yaml, reference: &str, known: &Definitions) -> Result<Vec<Item>> {
    let (sigil, name) = match reference.chars().next() {
        Some('^' | '%') => reference.split_at(1),
        _ => ("", reference),
    };
    let Some(found) = known.get(name) else {
        let trouble = entry.wrong(format!("the list '{name}' is not defined before it is used"));
        return Err(match crate::base::nearest::nearest(name, known.keys().map(String::as_str)) {
            Some(near) => trouble.hint(format!("did you mean '${sigil}{near}'?")),
            None => trouble.hint("define it under 'definitions'"),
        });
    };
    Ok(found
        .iter()
        .cloned()
        .map(|item| match item {
            Item::Spec { text, source } => Item::Spec { text: format!("{sigil}{text}"), source },
            Item::Matrix { rows, exclude, sigil: own, source } => {
                let sigil = if sigil.is_empty() { own } else { sigil.to_owned() };
                Item::Matrix { rows, exclude, sigil, source }
            }
        })
        .collect())
}

fn matrix(entry: &Yaml, known: &Definitions) -> Result<Item> {
    for (key, _) in entry.entries() {
        if key.name != "matrix" && key.name != "exclude" {
            return Err(crate::spack::text::yaml::wrong(
                &key.mark,
                format!("'{}' has no meaning in a matrix", key.name),
            )
            .hint("a matrix has the keys 'matrix' and 'exclude'"));
        }
    }
    let Some(rows) = entry.get("matrix").filter(|rows| rows.is_list()) else {
        return Err(entry.wrong("a mapping in a list of specs needs the key 'matrix' with a list of lists"));
    };
    Ok(Item::Matrix {
        rows: rows.list().iter().map(|row| items(row, known)).collect::<Result<_>>()?,
        exclude: entry.get("exclude").map(Yaml::texts).unwrap_or_default(),
        sigil: String::new(),
        source: entry.clone(),
    })
}

/// Multiplies the matrices out. Without `satisfies`, a matrix that excludes is an error of kind `unsupported`.
pub fn expand(items: &[Item], satisfies: Option<Satisfies<'_>>) -> Result<Vec<Expanded>> {
    let mut out = Vec::new();
    for item in items {
        match item {
            Item::Spec { text, source } => {
                out.push(Expanded { constraints: vec![text.clone()], source: source.clone() });
            }
            Item::Matrix { source, .. } => {
                for constraints in combinations(item, satisfies)? {
                    out.push(Expanded { constraints, source: source.clone() });
                }
            }
        }
    }
    Ok(out)
}

fn combinations(item: &Item, satisfies: Option<Satisfies<'_>>) -> Result<Vec<Vec<String>>> {
    let Item::Matrix { rows, exclude, sigil, source } = item else { return Ok(Vec::new()) };
    let mut out: Vec<Vec<String>> = vec![Vec::new()];
    for row in rows {
        let mut choices: Vec<String> = Vec::new();
        for choice in row {
            match choice {
                Item::Spec { text, .. } => choices.push(text.clone()),
                Item::Matrix { .. } => {
                    choices.extend(combinations(choice, satisfies)?.iter().map(|inner| inner.join(" ")));
                }
            }
        }
        if out.len().saturating_mul(choices.len()) > MAX_SPECS {
            return Err(source.wrong(format!("this matrix makes more than {MAX_SPECS} specs")));
        }
        out = out
            .into_iter()
            .flat_map(|head| choices.iter().map(move |c| [head.as_slice(), std::slice::from_ref(c)].concat()))
            .collect();
    }
    out.retain(|combination| !combination.is_empty());
    let mut kept = Vec::with_capacity(out.len());
    for mut combination in out {
        if excluded(&combination, exclude, satisfies, source)? {
            continue;
        }
        if let Some(first) = combination.first_mut() {
            first.insert_str(0, sigil);
        }
        kept.push(combination);
    }
    Ok(kept)
}

fn excluded(
    combination: &[String],
    exclude: &[String],
    satisfies: Option<Satisfies<'_>>,
    source: &Yaml,
) -> Result<bool> {
    for wanted in exclude {
        let Some(satisfies) = satisfies else {
            let message = format!("{}: the exclusion '{wanted}' is not understood", source.mark);
            return Err(Trouble::new(Kind::Unsupported, message));
        };
        if satisfies(combination, wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The constraints as one text that Spack reads as the same spec: what belongs to the node itself first, since
/// what follows `%` or `^` would belong to the dependency.
pub fn joined(constraints: &[String]) -> String {
    let rank = |text: &str| match text.trim_start().chars().next() {
        Some('^') => 2,
        Some('%') => 1,
        _ => 0,
    };
    let mut parts: Vec<&String> = constraints.iter().collect();
    if let Some((_, rest)) = parts.split_first_mut() {
        rest.sort_by_key(|text| rank(text));
    }
    parts.iter().map(|text| text.as_str()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spack::text::yaml::parse_named;

    fn expanded(list: &str, definitions: &[(&str, &str)]) -> Result<Vec<String>> {
        let mut known = Definitions::new();
        for (name, list) in definitions {
            let list = items(&parse_named(list, "d").unwrap(), &known)?;
            known.insert((*name).to_owned(), list);
        }
        let all = items(&parse_named(list, "m").unwrap(), &known)?;
        let literal = |parts: &[String], wanted: &str| {
            Ok(wanted.split_whitespace().all(|w| parts.iter().any(|p| p == w)))
        };
        Ok(expand(&all, Some(&literal))?.iter().map(|e| joined(&e.constraints)).collect())
    }

    #[test]
    fn references_matrices_and_exclusions() {
        let definitions =
            [("pkgs", "[hdf5, zlib]"), ("compilers", "[gcc@12, clang]"), ("both", "[$pkgs, '$%compilers']")];
        let cases: &[(&str, &[&str])] = &[
            ("[a@1, $pkgs]", &["a@1", "hdf5", "zlib"]),
            ("['$^compilers']", &["^gcc@12", "^clang"]),
            ("[$both]", &["hdf5", "zlib", "%gcc@12", "%clang"]),
            (
                "[{matrix: [[$pkgs], ['$%compilers'], [+x, ~x]], exclude: ['hdf5 %clang', 'zlib ~x']}]",
                &["hdf5 +x %gcc@12", "hdf5 ~x %gcc@12", "zlib +x %gcc@12", "zlib +x %clang"],
            ),
            ("[{matrix: [[a, b], []]}, c]", &["c"]),
            ("[{matrix: [[{matrix: [[a], [+x, +y]]}], ['^z']]}]", &["a +x ^z", "a +y ^z"]),
            ("[~, a]", &["a"]),
        ];
        for (list, expected) in cases {
            assert_eq!(&expanded(list, &definitions).unwrap(), expected, "{list}");
        }
    }

    #[test]
    fn mistakes_name_the_line() {
        let cases = [
            ("[a, $nosuch]", "'nosuch' is not defined"),
            ("[{matrix: [[a]], sigil: x}]", "'sigil' has no meaning"),
            ("[{exclude: [a]}]", "needs the key 'matrix'"),
            ("{a: b}", "a list of specs was expected"),
        ];
        for (list, expected) in cases {
            let trouble = expanded(list, &[]).unwrap_err();
            assert!(
                trouble.message().contains(expected) && trouble.message().starts_with("m:1"),
                "{trouble}"
            );
        }
        let row = format!("[{}]", vec!["x"; 400].join(","));
        let huge = format!("[{{matrix: [{row}, {row}]}}]");
        assert!(expanded(&huge, &[]).unwrap_err().message().contains("more than"));
    }
}
