//! Changes to the text of a manifest that touch nothing else: comments, order and spelling stay. The result is read
//! again and must say exactly what was meant, or there is none.

use std::str::FromStr as _;

use serde_json::Value;
use yaml_edit::{Document, Mapping};

/// What `spack env create` writes, to the letter: a plan has to know the file that comes of it.
pub const MANIFEST: &str = "# This is a Spack Environment file.\n#\n# It describes a set of packages to be installed, along with\n# configuration settings.\nspack:\n  # add package specs to the `specs` list\n  specs: []\n  view: true\n  concretizer:\n    unify: true\n";

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
    (read == expected).then_some(changed)
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
    fn a_view_of_any_form_is_turned_off() {
        for text in MANIFESTS {
            let off = without_view(text).unwrap_or_else(|| panic!("{text}"));
            let read: Value = serde_saphyr::from_str(&off).unwrap();
            assert_eq!(read["spack"]["view"], false, "{off}");
        }
    }
}
