//! Manifests by chance: lists that are defined, extended and used in each other, matrices with exclusions, conditions.

use crate::common::dice::Dice;

const PACKAGES: &[&str] = &[
    "lab-zlib",
    "lab-zlib@1.2.13",
    "lab-hdf5",
    "lab-hdf5@1.12.3 ^lab-zlib@1.2.13",
    "lab-hdf5@1.12:1.14 ^lab-zlib@1.2.11:",
    "lab-netcdf@4.9.2 ^lab-hdf5@1.14.3 ^lab-zlib",
    "lab-hwloc",
    "lab-big kib=8",
    "lab-hwloc@2.9 target=x86_64",
];
const PARTS: &[&str] = &[
    "+mpi",
    "~mpi",
    "@1.12.3",
    "@1.3:",
    "target=x86_64",
    "os=debian12",
    "^lab-zlib@1.2.13",
    "^lab-hwloc",
    "cflags=-O2",
    "target=x86_64:",
    "platform=linux",
    "@:1.14 target=x86_64",
];
const EXCLUSIONS: &[&str] = &[
    "lab-zlib",
    "lab-hdf5~mpi",
    "~mpi",
    "@1.12.3",
    "lab-hdf5@1.12: ^lab-zlib@1.2.13",
    "target=x86_64",
    "lab-hwloc +mpi",
    "^lab-hwloc",
    "lab-netcdf os=debian12",
    "cflags=-O2",
    "target=x86_64:",
];
const CONDITIONS: &[&str] = &[
    "platform == 'linux'",
    "platform != 'linux' or os == 'nosuch'",
    "'NOSUCH' in env and env['NOSUCH'] == 'yes'",
    "env.get('NOSUCH', 'no') == 'no'",
    "arch.satisfies('target=x86_64:')",
    "arch.satisfies('target=aarch64:')",
    "not (platform in ('darwin', 'windows'))",
    "re.search(r'^nosuch\\d+$', hostname)",
    "target == 'a64fx'",
];

/// The text of a manifest.
pub fn manifest(dice: &mut Dice) -> String {
    let mut out = String::from("spack:\n  view: false # none\n");
    let names = ["one", "two", "three"];
    let defined = 1 + dice.index(3);
    let mut known: Vec<&str> = Vec::new();
    out.push_str("  definitions:\n");
    for at in 0..defined + dice.index(2) {
        let name = names[at % defined];
        let list = elements(dice, &known.clone(), name);
        out.push_str(&format!("  - {name}: {list}   # {name}\n"));
        if dice.below(3) == 0 && known.contains(&name) {
            out.push_str(&format!("    when: {}\n", serde_json::Value::from(dice.one_of(CONDITIONS))));
        }
        if !known.contains(&name) {
            known.push(name);
        }
    }
    out.push_str("  specs:\n");
    for _ in 0..=dice.index(3) {
        match dice.below(3) {
            0 => out.push_str(&format!("  - {} # plain\n", quoted(dice.one_of(PACKAGES)))),
            1 => out.push_str(&matrix(dice, &known)),
            _ => {
                let name = known[dice.index(known.len())];
                out.push_str(&format!("  - ${name}\n"));
            }
        }
    }
    out
}

/// Packages, and lists that were defined before; never the own name, which would be a circle.
fn elements(dice: &mut Dice, known: &[&str], own: &str) -> String {
    let mut all: Vec<String> = (0..=dice.index(3)).map(|_| quoted(dice.one_of(PACKAGES))).collect();
    let others: Vec<&&str> = known.iter().filter(|name| **name < own && **name != own).collect();
    if dice.below(3) == 0 && !others.is_empty() {
        all.push(format!("${}", others[dice.index(others.len())]));
    }
    format!("[{}]", all.join(", "))
}

fn matrix(dice: &mut Dice, known: &[&str]) -> String {
    let first = if dice.below(2) == 0 {
        format!("[${}]", known[dice.index(known.len())])
    } else {
        elements(dice, &[], "")
    };
    let mut out = format!("  - matrix:\n    - {first}\n");
    for _ in 0..=dice.index(2) {
        let row: Vec<String> = (0..=dice.index(2)).map(|_| quoted(dice.one_of(PARTS))).collect();
        out.push_str(&format!("    - [{}]\n", row.join(", ")));
    }
    if dice.below(2) == 0 {
        let all: Vec<String> = (0..=dice.index(2)).map(|_| quoted(dice.one_of(EXCLUSIONS))).collect();
        out.push_str(&format!("    exclude: [{}]\n", all.join(", ")));
    }
    out
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}
