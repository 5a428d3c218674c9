//! Lists of specs as manifests write them: named definitions, references (`$name`, `$%name`, `$^name`),
//! matrices with exclusions. Expanded natively into the constraints that make up each user spec, each with where it
//! is written.

use std::collections::BTreeMap;

use super::combine::combined;
use super::exclusion::Reading;
use crate::base::{Kind, Result, Trouble};
use crate::spack::text::yaml::{Mark, Yaml};

/// Specs that one manifest may come to; a larger matrix is taken as a mistake.
const MAX_SPECS: usize = 100_000;

/// An element of a list in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    pub mark: Mark,
    /// As it is written there, without what a reference puts before it.
    pub text: String,
}

/// A constraint of a root, and the elements that it is made of: one, unless it comes from a matrix in a matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub text: String,
    pub elements: Vec<Element>,
}

/// An item of a list after references are followed.
#[derive(Debug, Clone)]
pub enum Item {
    Spec(Part),
    Matrix { rows: Vec<Vec<Item>>, exclude: Vec<String>, sigil: String, mark: Mark },
}

impl Item {
    /// Everything in it that is written somewhere; a matrix as a whole has no text.
    pub fn elements(&self) -> Vec<Element> {
        match self {
            Item::Spec(part) => part.elements.clone(),
            Item::Matrix { rows, mark, .. } => {
                let whole = Element { mark: mark.clone(), text: String::new() };
                std::iter::once(whole).chain(rows.iter().flatten().flat_map(Item::elements)).collect()
            }
        }
    }
}

/// The definitions known so far.
pub type Definitions = BTreeMap<String, Vec<Item>>;

/// One spec of the result: its constraints in order, and the matrix that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expanded {
    pub parts: Vec<Part>,
    pub matrix: Option<Mark>,
}

impl Expanded {
    pub fn constraints(&self) -> Vec<String> {
        self.parts.iter().map(|part| part.text.clone()).collect()
    }
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
        if let Some((sigil, name)) = reference(&text) {
            out.extend(follow(entry, sigil, name, known)?);
        } else {
            let element = Element { mark: entry.mark.clone(), text: text.clone() };
            out.push(Item::Spec(Part { text, elements: vec![element] }));
        }
        if out.len() > MAX_SPECS {
            return Err(entry.wrong(format!("more than {MAX_SPECS} specs")));
        }
    }
    Ok(out)
}

/// The name in a reference, and what is put before each of its specs.
pub fn reference(text: &str) -> Option<(&str, &str)> {
    let reference = text.strip_prefix('$')?;
    Some(match reference.chars().next() {
        Some('^' | '%') => reference.split_at(1),
        _ => ("", reference),
    })
}

fn follow(entry: &Yaml, sigil: &str, name: &str, known: &Definitions) -> Result<Vec<Item>> {
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
            Item::Spec(Part { text, elements }) => {
                Item::Spec(Part { text: format!("{sigil}{text}"), elements })
            }
            Item::Matrix { rows, exclude, sigil: own, mark } => {
                let sigil = if sigil.is_empty() { own } else { sigil.to_owned() };
                Item::Matrix { rows, exclude, sigil, mark }
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
        mark: entry.mark.clone(),
    })
}

/// Multiplies the matrices out. An exclusion that only Spack can decide is an error of kind `unsupported`.
pub fn expand(items: &[Item], reading: &Reading) -> Result<Vec<Expanded>> {
    let mut out = Vec::new();
    for item in items {
        match item {
            Item::Spec(part) => out.push(Expanded { parts: vec![part.clone()], matrix: None }),
            Item::Matrix { mark, .. } => {
                let all = combinations(item, reading)?.into_iter();
                out.extend(all.map(|parts| Expanded { parts, matrix: Some(mark.clone()) }));
            }
        }
    }
    Ok(out)
}

fn combinations(item: &Item, reading: &Reading) -> Result<Vec<Vec<Part>>> {
    let Item::Matrix { rows, exclude, sigil, mark } = item else { return Ok(Vec::new()) };
    let mut out: Vec<Vec<Part>> = vec![Vec::new()];
    for row in rows {
        let mut choices: Vec<Part> = Vec::new();
        for choice in row {
            match choice {
                Item::Spec(part) => choices.push(part.clone()),
                Item::Matrix { .. } => choices.extend(combinations(choice, reading)?.iter().map(|p| one(p))),
            }
        }
        if out.len().saturating_mul(choices.len()) > MAX_SPECS {
            let message = format!("this matrix makes more than {MAX_SPECS} specs");
            return Err(crate::spack::text::yaml::wrong(mark, message));
        }
        out = out
            .into_iter()
            .flat_map(|head| choices.iter().map(move |c| [head.as_slice(), std::slice::from_ref(c)].concat()))
            .collect();
    }
    out.retain(|combination| !combination.is_empty());
    let mut kept = Vec::with_capacity(out.len());
    for mut combination in out {
        if excluded(&combination, exclude, mark, reading)? {
            continue;
        }
        if let Some(first) = combination.first_mut() {
            first.text.insert_str(0, sigil);
        }
        kept.push(combination);
    }
    Ok(kept)
}

/// What a matrix in a matrix makes is one constraint, in one text.
fn one(parts: &[Part]) -> Part {
    let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
    let elements = parts.iter().flat_map(|part| part.elements.iter().cloned()).collect();
    Part { text: texts.join(" "), elements }
}

fn excluded(combination: &[Part], exclude: &[String], mark: &Mark, reading: &Reading) -> Result<bool> {
    if exclude.is_empty() {
        return Ok(false);
    }
    let unknown = |why: &str| Trouble::new(Kind::Unsupported, format!("{mark}: {why}"));
    let texts: Vec<&str> = combination.iter().map(|part| part.text.as_str()).collect();
    let spec = combined(&texts, reading.dialect).map_err(|trouble| unknown(trouble.message()))?;
    for wanted in exclude {
        match reading.satisfies(&spec, wanted) {
            Ok(Some(true)) => return Ok(true),
            Ok(Some(false)) => {}
            Ok(None) => {
                return Err(unknown(&format!(
                    "whether the exclusion '{wanted}' takes out '{spec}' is Spack's to say"
                )));
            }
            Err(trouble) => return Err(unknown(trouble.message())),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spack::spec::Dialect;
    use crate::spack::text::yaml::parse_named;

    fn expanded(list: &str, definitions: &[(&str, &str)]) -> Result<Vec<String>> {
        let mut known = Definitions::new();
        for (name, list) in definitions {
            let list = items(&parse_named(list, "d").unwrap(), &known)?;
            known.insert((*name).to_owned(), list);
        }
        let all = items(&parse_named(list, "m").unwrap(), &known)?;
        let packages = ["hdf5", "zlib", "clang"].map(str::to_owned).into();
        let all = expand(&all, &Reading { dialect: Dialect::Compiler, packages })?;
        Ok(all.iter().map(|e| e.constraints().join(" ")).collect())
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
                &["hdf5 %gcc@12 +x", "hdf5 %gcc@12 ~x", "zlib %gcc@12 +x", "zlib %clang +x"],
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
