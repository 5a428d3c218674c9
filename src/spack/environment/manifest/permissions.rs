//! A manifest that tells Spack whom the packages that it installs belong to, and which is otherwise the same.

use serde_json::{Map, Value};

use super::setting::{get, with_setting};

/// Where Spack looks for them.
const PATH: [&str; 3] = ["packages", "all", "permissions"];

/// The manifest with these keys in `packages:all:permissions`. None if the text cannot be changed so that it says
/// exactly that.
pub fn with_permissions(text: &str, keys: &Map<String, Value>) -> Option<String> {
    let whole: Value = serde_saphyr::from_str(text).ok()?;
    let mut all = get(&whole, &PATH).and_then(Value::as_object).cloned().unwrap_or_default();
    all.extend(keys.clone());
    with_setting(text, &PATH, Some(&Value::Object(all)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
