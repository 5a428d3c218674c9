//! Libraries that a package may do without where it was installed: those of drivers and kernels, and what its recipe
//! or `packages:NAME:package_attributes` says in `unresolved_libraries`, as Spack's own check of libraries reads it.

use std::path::Path;

use super::system::fits;
use crate::base::Result;
use crate::spack::config::Config;
use crate::spack::store::recipes::recipe_of;
use crate::world::Eyes;

const ATTRIBUTE: &str = "unresolved_libraries";

/// They come with the machine that a program runs on, which need not be the one that it was installed from.
const OF_THE_MACHINE: &[&str] = &[
    "libcuda.so.*",
    "libnvidia-*.so.*",
    "libur_loader.so.*",
    "libudev.so.*",
    "libcxi.so.*",
    "libxpmem.so.*",
];

/// Build systems whose packages carry libraries that look for each other only in the vendor's environment.
const BUILD_SYSTEMS: &[&str] = &["IntelOneApi"];

/// Patterns of names.
#[derive(Debug, Default, PartialEq)]
pub struct Allowed(Vec<String>);

impl Allowed {
    /// Of what is installed in a prefix: the recipe is the one that Spack has kept there.
    pub fn of(eyes: &dyn Eyes, config: &Config, package: &str, prefix: &Path) -> Result<Allowed> {
        let mut patterns: Vec<String> = OF_THE_MACHINE.iter().map(|name| (*name).to_owned()).collect();
        let set = config.get(&format!("packages:{package}:package_attributes:{ATTRIBUTE}"))?;
        match set {
            Some(own) => patterns.extend(own.texts()),
            None => patterns.extend(recipe(eyes, package, prefix).iter().flat_map(|text| written(text))),
        }
        Ok(Allowed(patterns))
    }

    pub fn has(&self, library: &str) -> bool {
        self.0.iter().any(|pattern| fits(pattern, library))
    }
}

fn recipe(eyes: &dyn Eyes, package: &str, prefix: &Path) -> Option<String> {
    let kept = prefix.join(".spack/repos");
    [kept.clone(), kept.join("spack_repo")].iter().find_map(|folder| {
        let names = eyes.list(folder).ok()?;
        let found = names.iter().find_map(|name| recipe_of(eyes, &folder.join(name), package))?;
        eyes.read_text(&found).ok()
    })
}

/// The names in the text of a recipe. Where it decides while it runs, all that it could decide for but "anything".
fn written(text: &str) -> Vec<String> {
    let mut lines = text.lines();
    let mut out = Vec::new();
    while let Some(line) = lines.next() {
        let code = line.trim_start();
        if code.starts_with("class ") && BUILD_SYSTEMS.iter().any(|name| code.contains(&format!("({name}"))) {
            out.push("*".to_owned());
        }
        let indent = line.len() - code.len();
        if code.strip_prefix("def ").is_some_and(|rest| rest.starts_with(ATTRIBUTE)) {
            let mut names = Vec::new();
            for line in
                lines.clone().take_while(|l| l.trim().is_empty() || l.len() - l.trim_start().len() > indent)
            {
                if line.trim_start().starts_with("return") {
                    names.extend(literals(line));
                }
            }
            let some = names.iter().any(|name| name != "*");
            out.extend(names.into_iter().filter(|name| !(some && name == "*")));
        } else if let Some(rest) = code.strip_prefix(ATTRIBUTE).filter(|rest| rest.contains('=')) {
            out.extend(literals(rest));
            if rest.contains('[') && !rest.contains(']') {
                for line in lines.by_ref() {
                    out.extend(literals(line));
                    if line.contains(']') {
                        break;
                    }
                }
            }
        }
    }
    out
}

/// The plain strings of a line, up to its comment.
fn literals(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(['"', '\'', '#']) {
        let (quote, tail) = rest.split_at(at).1.split_at(1);
        let Some((value, tail)) = tail.split_once(quote).filter(|_| quote != "#") else { break };
        out.push(value.to_owned());
        rest = tail;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_recipes() {
        let cases: &[(&str, &[&str])] = &[
            ("class A(Package):\n    unresolved_libraries = [\"*\"]\n", &["*"]),
            (
                "    unresolved_libraries = [\n        'liba.so',  # 'no'\n        \"libb.so.*\",\n    ]\n    x = ['c']\n",
                &["liba.so", "libb.so.*"],
            ),
            ("    unresolved_libraries: List[str] = [\"liba.so\"]\n", &["liba.so"]),
            (
                "    @property\n    def unresolved_libraries(self):\n        if self.spec.satisfies(\"@:14\"):\n            \
                 return [\"*\"]\n\n        return [\"liba.so.*\", \"libb.so*\"]\n\n    def f(self):\n        return [\"no\"]\n",
                &["liba.so.*", "libb.so*"],
            ),
            ("class Mkl(IntelOneApiLibraryPackage):\n", &["*"]),
            ("class A(Package):\n    depends_on(\"b\")\n", &[]),
            ("    unresolved_libraries = [\"open\n", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(written(text), *expected, "{text}");
        }
    }
}
