//! Changes to the text of a manifest that touch nothing else: comments, order and spelling stay. The result is read
//! again and must say exactly what was meant, or there is none.

use std::str::FromStr as _;

use serde_json::Value;
use yaml_edit::{Document, Mapping};

/// What `spack env create` writes, to the letter: a plan has to know the file that comes of it.
pub const MANIFEST: &str = "# This is a Spack Environment file.\n#\n# It describes a set of packages to be installed, along with\n# configuration settings.\nspack:\n  # add package specs to the `specs` list\n  specs: []\n  view: true\n  concretizer:\n    unify: true\n";

/// Adds specs to the list of a manifest and takes out those for which `drop` says so.
pub fn with_specs(text: &str, add: &[String], drop: impl Fn(&str) -> bool) -> Option<String> {
    edit(
        text,
        |spack| {
            if spack.get_sequence("specs").is_none() {
                spack.set("specs", yaml_edit::Sequence::new());
            }
            let specs = spack.get_sequence("specs")?;
            for at in (0..specs.len()).rev() {
                if specs.get(at).is_some_and(|node| node.as_scalar().is_some_and(|s| drop(&s.as_string()))) {
                    specs.remove(at);
                }
            }
            for spec in add.iter().filter(|_| !specs.is_empty()) {
                specs.push(spec.as_str());
            }
            Some(())
        },
        |text| spelt(text, add),
        |meaning| {
            let list = meaning.entry("specs").or_insert(Value::Null);
            let mut specs = list.as_array().cloned().unwrap_or_default();
            specs.retain(|spec| spec.as_str().is_none_or(|text| !drop(text)));
            specs.extend(add.iter().map(|spec| Value::from(spec.as_str())));
            *list = specs.into();
        },
    )
}

/// The manifest with no view, for a copy that must not touch the real one.
pub fn without_view(text: &str) -> Option<String> {
    edit(
        text,
        |spack| {
            spack.set("view", false);
            Some(())
        },
        |text| text,
        |meaning| drop(meaning.insert(String::from("view"), false.into())),
    )
}

/// An empty list is written as Spack does, and the first specs below it as a block.
fn spelt(text: String, add: &[String]) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        let indent = bare.len() - bare.trim_start().len();
        let empty = ["specs:", "specs: []", "specs: null", "specs: ~"].contains(&bare.trim_start());
        let next_is_list = || {
            let after =
                text.get(line.as_ptr() as usize - text.as_ptr() as usize + line.len()..).unwrap_or("");
            after
                .lines()
                .map(str::trim_start)
                .find(|l| !l.starts_with('#') && !l.is_empty())
                .is_some_and(|l| l.starts_with('-'))
        };
        if !empty || indent == 0 || (bare.ends_with(':') && next_is_list()) {
            out.push_str(line);
            continue;
        }
        let lead = " ".repeat(indent);
        if add.is_empty() {
            out.push_str(&format!("{lead}specs: []\n"));
            continue;
        }
        out.push_str(&format!("{lead}specs:\n"));
        for spec in add {
            out.push_str(&format!("{lead}- {}\n", scalar(spec)));
        }
    }
    out
}

/// A spec as a YAML scalar, in quotes only where it must be.
fn scalar(spec: &str) -> String {
    let same = serde_saphyr::from_str::<Value>(spec).is_ok_and(|value| value.as_str() == Some(spec));
    if same { spec.to_owned() } else { format!("'{}'", spec.replace('\'', "''")) }
}

pub(in crate::spack) fn edit(
    text: &str,
    change: impl FnOnce(&Mapping) -> Option<()>,
    spell: impl FnOnce(String) -> String,
    meant: impl FnOnce(&mut serde_json::Map<String, Value>),
) -> Option<String> {
    let mut expected: Value = serde_saphyr::from_str(text).ok()?;
    meant(expected.get_mut("spack")?.as_object_mut()?);
    let document = Document::from_str(text).ok()?;
    change(&document.as_mapping()?.get_mapping("spack")?)?;
    let mut changed = document.to_string();
    if !changed.ends_with('\n') {
        changed.push('\n');
    }
    let changed = spell(changed);
    let read: Value = serde_saphyr::from_str(&changed).ok()?;
    (plain(&read) == plain(&expected)).then_some(changed)
}

/// An empty list and none are the same to Spack.
fn plain(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(specs) = value.get_mut("spack").and_then(|s| s.get_mut("specs"))
        && specs.is_null()
    {
        *specs = Value::Array(Vec::new());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFESTS: &[&str] = &[
        "spack:\n  # what users asked for\n  specs:\n  - zlib   # small\n  - \"hdf5@1.14 +mpi\"\n  view: true\n",
        "spack:\n  specs: [zlib, \"hdf5@1.14 +mpi\"]\n  view:\n    default:\n      root: /v\n      link: roots\n",
        "# top\nspack:\n  concretizer:\n    unify: true\n  specs:\n    - zlib\n    - hdf5@1.14 +mpi\n    - matrix:\n      - [a, b]\n      - ['%gcc']\n  packages:\n    all:\n      require: '%gcc'\n",
    ];

    #[test]
    fn specs_are_added_and_dropped_and_all_else_stays() {
        for text in MANIFESTS {
            let added = with_specs(text, &["fftw@3:".to_owned(), "py-numpy ^openblas".to_owned()], |_| false);
            let added = added.unwrap_or_else(|| panic!("{text}"));
            let read: Value = serde_saphyr::from_str(&added).unwrap();
            let specs = read["spack"]["specs"].as_array().unwrap();
            assert_eq!(specs[specs.len() - 1], "py-numpy ^openblas");
            assert_eq!(added.matches('#').count(), text.matches('#').count(), "{added}");
            let dropped = with_specs(&added, &[], |s| s.starts_with("hdf5")).unwrap();
            assert!(!dropped.contains("hdf5"), "{dropped}");
            assert!(dropped.contains("zlib"));
        }
    }

    #[test]
    fn an_empty_list_may_be_written_in_any_way() {
        for specs in ["[]", "", "null"] {
            let text = format!("spack:\n  specs: {specs}\n  view: true\n");
            let added = with_specs(&text, &["zlib".to_owned()], |_| false);
            assert!(added.is_some_and(|t| t.contains("zlib")), "{text}");
        }
        assert!(with_specs("spack:\n  view: true\n", &["zlib".to_owned()], |_| false).is_some());
        let last = with_specs("spack:\n  specs:\n  - zlib\n  view: true\n", &[], |_| true).unwrap();
        let read: Value = serde_saphyr::from_str(&last).unwrap();
        assert!(plain(&read)["spack"]["specs"].as_array().unwrap().is_empty(), "{last}");
    }

    #[test]
    fn a_view_of_any_form_is_turned_off() {
        for text in MANIFESTS {
            let off = without_view(text).unwrap_or_else(|| panic!("{text}"));
            let read: Value = serde_saphyr::from_str(&off).unwrap();
            assert_eq!(read["spack"]["view"], false, "{off}");
        }
    }
}
