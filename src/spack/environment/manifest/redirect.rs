//! A manifest whose views and module files go to another place, and which is otherwise the same.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::blocks::in_blocks;
use super::edit::edit;

/// A copy of the manifest with its views below `place/view` and the roots of these module sets below `place/modules`.
/// One that is not written in lines gets them. None if the text cannot be changed so that it says exactly that.
pub fn redirected(text: &str, place: &Path, sets: &[(String, String)]) -> Option<String> {
    in_lines(text, place, sets).or_else(|| in_lines(&in_blocks(text)?, place, sets))
}

fn in_lines(text: &str, place: &Path, sets: &[(String, String)]) -> Option<String> {
    let whole: Value = serde_saphyr::from_str(text).ok()?;
    let spack = whole.get("spack")?;
    let view = views(spack.get("view"), place);
    let modules = (!sets.is_empty()).then(|| modules(spack.get("modules"), place, sets));
    edit(
        text,
        |spack| {
            spack.remove("view");
            if modules.is_some() {
                spack.remove("modules");
            }
            Some(())
        },
        |text| inserted(&text, &view, modules.as_ref()),
        |meaning| {
            meaning.insert(String::from("view"), view.clone());
            if let Some(modules) = &modules {
                meaning.insert(String::from("modules"), modules.clone());
            }
        },
    )
}

/// Every view of the manifest in a folder of its own; the default one is `view`.
fn views(now: Option<&Value>, place: &Path) -> Value {
    let at = |name: &str| match name {
        "default" => place.join("view").display().to_string(),
        other => place.join("views").join(other).display().to_string(),
    };
    match now {
        Some(Value::Bool(false)) => Value::Bool(false),
        Some(Value::Object(named)) => named
            .iter()
            .map(|(name, view)| {
                let mut view = view.as_object().cloned().unwrap_or_default();
                view.insert(String::from("root"), at(name).into());
                (name.clone(), Value::Object(view))
            })
            .collect::<Map<_, _>>()
            .into(),
        _ => json!({ "default": { "root": at("default") } }),
    }
}

fn modules(now: Option<&Value>, place: &Path, sets: &[(String, String)]) -> Value {
    let mut modules = now.and_then(Value::as_object).cloned().unwrap_or_default();
    for (set, kind) in sets {
        let folder = match set.as_str() {
            "default" => place.join("modules"),
            other => place.join("module-sets").join(other),
        };
        let set = modules.entry(set.clone()).or_insert_with(|| json!({}));
        if !set.is_object() {
            *set = json!({});
        }
        if set.get("roots").is_none_or(|roots| !roots.is_object()) {
            set["roots"] = json!({});
        }
        set["roots"][kind] = folder.join(kind).display().to_string().into();
    }
    Value::Object(modules)
}

/// Puts the two in front of the other keys, in their indentation.
fn inserted(text: &str, view: &Value, modules: Option<&Value>) -> String {
    let mut lines = text.split_inclusive('\n');
    let mut out = String::with_capacity(text.len() + 256);
    for line in lines.by_ref() {
        out.push_str(line);
        if line.trim_end() == "spack:" {
            break;
        }
    }
    let rest: String = lines.collect();
    let is_key = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let first = rest.lines().find(is_key).unwrap_or("  ");
    let indent = (first.len() - first.trim_start().len()).max(1);
    for (key, value) in [("view", Some(view)), ("modules", modules)] {
        if let Some(value) = value {
            block(&mut out, key, value, indent);
        }
    }
    out + rest.as_str()
}

fn block(out: &mut String, key: &str, value: &Value, indent: usize) {
    let lead = " ".repeat(indent);
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    let key = if plain { key.to_owned() } else { Value::from(key).to_string() };
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push_str(&format!("{lead}{key}:\n"));
            for (name, value) in map {
                block(out, name, value, indent + 2);
            }
        }
        // JSON is YAML, so what is left needs no spelling of its own.
        other => out.push_str(&format!("{lead}{key}: {other}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_and_modules_go_elsewhere_and_all_else_stays() {
        let sets = [("default".to_owned(), "tcl".to_owned()), ("other".to_owned(), "lmod".to_owned())];
        let cases = [
            "spack:\n  # asked for\n  specs: [zlib]   # small\n  view: true\n",
            "spack:\n    view:\n        default:\n            root: /old\n            link: run\n        extra: {root: /x, projections: {all: '{name}'}}\n    specs:\n    - zlib\n",
            "spack:\n  specs:\n  - zlib\n  modules:\n    default:\n      enable: [tcl]\n      tcl:\n        hash_length: 0\n    prefix_inspections:\n      bin: [PATH]\n  view: /old/view\n",
            "spack:\n  specs: []\n",
        ];
        for text in cases {
            let out = redirected(text, Path::new("/g/science/3"), &sets).unwrap_or_else(|| panic!("{text}"));
            let (old, new): (Value, Value) =
                (serde_saphyr::from_str(text).unwrap(), serde_saphyr::from_str(&out).unwrap());
            assert_eq!(new["spack"]["view"]["default"]["root"], "/g/science/3/view", "{out}");
            assert_eq!(new["spack"]["modules"]["default"]["roots"]["tcl"], "/g/science/3/modules/tcl");
            assert_eq!(
                new["spack"]["modules"]["other"]["roots"]["lmod"],
                "/g/science/3/module-sets/other/lmod"
            );
            assert_eq!(new["spack"]["specs"], old["spack"]["specs"]);
            assert_eq!(new["spack"]["view"]["default"]["link"], old["spack"]["view"]["default"]["link"]);
            assert_eq!(new["spack"]["modules"]["default"]["tcl"], old["spack"]["modules"]["default"]["tcl"]);
            assert_eq!(out.matches('#').count(), text.matches('#').count(), "{out}");
        }
        let none = redirected("spack:\n  view: false\n  specs: []\n", Path::new("/g"), &[]).unwrap();
        let none: Value = serde_saphyr::from_str(&none).unwrap();
        assert_eq!(none["spack"]["view"], false);
        // What is written in one line is written anew.
        let text = "spack: {specs: [zlib], view: true, packages: {all: {target: [zen2]}}}\n";
        let out = redirected(text, Path::new("/g"), &sets).unwrap();
        let out: Value = serde_saphyr::from_str(&out).unwrap();
        assert_eq!(out["spack"]["view"]["default"]["root"], "/g/view");
        assert_eq!(out["spack"]["packages"]["all"]["target"][0], "zen2");
    }
}
