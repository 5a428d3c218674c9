//! Which processor this machine has, as archspec within Spack names it: told from `/proc/cpuinfo` and the table of
//! processors that the Spack at hand brings along.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::world::Eyes;

/// Where the releases keep the table.
const TABLES: [&str; 2] = [
    "lib/spack/spack/vendor/archspec/json/cpu/microarchitectures.json",
    "lib/spack/external/archspec/json/cpu/microarchitectures.json",
];

#[derive(Deserialize)]
struct Table {
    microarchitectures: BTreeMap<String, Processor>,
    #[serde(default)]
    conversions: Conversions,
}

#[derive(Deserialize)]
struct Processor {
    from: Vec<String>,
    vendor: String,
    features: BTreeSet<String>,
    #[serde(default)]
    generation: u32,
    #[serde(default)]
    cpupart: String,
}

#[derive(Deserialize, Default)]
struct Conversions {
    #[serde(default)]
    arm_vendors: BTreeMap<String, String>,
}

/// The name of this machine's processor; none where the files do not tell.
pub fn detect(eyes: &dyn Eyes, spack: &Path, family: &str) -> Option<String> {
    let text = TABLES.iter().find_map(|path| eyes.read_text(&spack.join(path)).ok())?;
    let info = eyes.read_text(Path::new("/proc/cpuinfo")).ok()?;
    named(&serde_json::from_str(&text).ok()?, &info, family)
}

fn named(table: &Table, info: &str, family: &str) -> Option<String> {
    let facts = facts(info);
    let fact = |key: &str| facts.get(key).copied();
    let (flags, vendor) = match family {
        "x86_64" => (fact("flags"), fact("vendor_id")),
        "aarch64" => {
            let code = fact("CPU implementer");
            let known = code.and_then(|code| table.conversions.arm_vendors.get(code));
            (fact("Features"), known.map(String::as_str).or(code))
        }
        _ => (None, None),
    };
    let features: BTreeSet<&str> = flags.unwrap_or_default().split_whitespace().collect();
    let generation = fact("cpu").and_then(|cpu| {
        let digits = cpu.split_once("POWER")?.1;
        digits.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok()
    });
    let vendor = vendor.unwrap_or("generic");
    let fits = |name: &str, processor: &Processor| {
        let descends = name == family || table.ancestors(name).contains(family);
        let ours = processor.vendor == "generic" || processor.vendor == vendor;
        let able = || processor.features.iter().all(|feature| features.contains(feature.as_str()));
        descends
            && match family {
                "x86_64" => ours && able(),
                "aarch64" => ours && able() && (processor.vendor != "generic" || name == family),
                "ppc64" | "ppc64le" => processor.generation <= generation.unwrap_or(0),
                "riscv64" => {
                    fact("uarch").is_some_and(|uarch| uarch == name) || processor.vendor == "generic"
                }
                _ => name == family,
            }
    };
    let part = fact("CPU part").filter(|_| family == "aarch64");
    table.best(&fits, part)
}

/// The first processor's lines.
fn facts(info: &str) -> BTreeMap<&str, &str> {
    let lines = info.lines().map_while(|line| line.split_once(':'));
    lines.map(|(key, value)| (key.trim(), value.trim())).collect()
}

impl Table {
    fn ancestors(&self, name: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut queue: Vec<&str> = self.parents(name).collect();
        while let Some(next) = queue.pop() {
            if found.insert(next) {
                queue.extend(self.parents(next));
            }
        }
        found
    }

    fn parents(&self, name: &str) -> impl Iterator<Item = &str> {
        self.microarchitectures.get(name).into_iter().flat_map(|p| p.from.iter().map(String::as_str))
    }

    /// The newest of those that fit and are better than the best generic one.
    fn best(&self, fits: &dyn Fn(&str, &Processor) -> bool, part: Option<&str>) -> Option<String> {
        let all = self.microarchitectures.iter().map(|(name, processor)| (name.as_str(), processor));
        let mut candidates: Vec<(&str, &Processor)> = all.filter(|(n, p)| fits(n, p)).collect();
        // Spack takes the first of equals, in the order of its table.
        let rank = |(name, p): &(&str, &Processor)| (self.ancestors(name).len(), p.features.len());
        let generic = candidates.iter().filter(|(_, p)| p.vendor == "generic").max_by_key(|c| rank(c))?.0;
        if let Some(part) = part.filter(|part| candidates.iter().any(|(_, p)| p.cpupart == **part)) {
            candidates.retain(|(_, p)| p.cpupart == part);
        }
        candidates.retain(|(name, _)| self.ancestors(name).contains(generic));
        let newest = candidates.iter().max_by_key(|c| rank(c)).map_or(generic, |(name, _)| name);
        Some(newest.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_processor_whose_features_are_there_is_told() {
        let table = r#"{"microarchitectures": {
            "x86_64": {"from": [], "vendor": "generic", "features": []},
            "x86_64_v2": {"from": ["x86_64"], "vendor": "generic", "features": ["sse4_2"]},
            "x86_64_v3": {"from": ["x86_64_v2"], "vendor": "generic", "features": ["sse4_2", "avx2"]},
            "zen": {"from": ["x86_64_v3"], "vendor": "AuthenticAMD", "features": ["sse4_2", "avx2", "clzero"]},
            "haswell": {"from": ["x86_64_v3"], "vendor": "GenuineIntel", "features": ["sse4_2", "avx2"]},
            "k10": {"from": ["x86_64"], "vendor": "AuthenticAMD", "features": []},
            "aarch64": {"from": [], "vendor": "generic", "features": []}
        }}"#;
        let table: Table = serde_json::from_str(table).unwrap();
        let cpu =
            |vendor: &str, flags: &str| format!("vendor_id\t: {vendor}\nflags\t: {flags}\n\nvendor_id : x\n");
        for (vendor, flags, expected) in [
            ("AuthenticAMD", "sse4_2 avx2 clzero", "zen"),
            ("AuthenticAMD", "sse4_2 avx2", "x86_64_v3"),
            ("GenuineIntel", "sse4_2 avx2 clzero", "haswell"),
            ("AuthenticAMD", "sse4_2", "x86_64_v2"),
            ("AuthenticAMD", "", "k10"),
            ("other", "", "x86_64"),
        ] {
            assert_eq!(
                named(&table, &cpu(vendor, flags), "x86_64").as_deref(),
                Some(expected),
                "{vendor} {flags}"
            );
        }
        assert_eq!(named(&table, "", "s390x"), None);
    }
}
