//! The fuzz targets' bounded run: recorded files and specs, damaged in a few thousand ways that are the same in every
//! run. `tests/fuzz/run SECONDS` looks further, where cargo-fuzz is at hand.

#![allow(clippy::unwrap_used)]

#[path = "../fuzz/readers.rs"]
mod readers;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::dice::{Dice, share};
use crate::effort::{assert_in_proportion, effort};

const SEED: u64 = 20_260_101;
/// Damaged inputs for each reader; `MOONSTACK_MUTATIONS=100000` looks longer, without another build.
const CASES: usize = 2_500;

fn cases() -> usize {
    share("MOONSTACK_MUTATIONS", CASES)
}

/// No input of a few kilobytes may be more work, without optimisation.
const LIMIT: Duration = Duration::from_secs(4);

/// What formats are made of, so that damage is not only noise.
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    ":",
    ",",
    "null",
    "true",
    "-1",
    "1e999",
    "18446744073709551616",
    "0.5",
    "\\u0000",
    "\\ud800",
    "é",
    "\u{feff}",
    "\0",
    "\n",
    "\r\n",
    "\t",
    " ",
    "  ",
    "- ",
    "? ",
    "&a ",
    "*a",
    "<<: ",
    "|\n",
    ">-\n",
    "---\n",
    "...",
    "!!str ",
    "%",
    "^",
    "@",
    "@=",
    "@:",
    "+",
    "~",
    "~~",
    "==",
    ":=",
    "/abc",
    "%[",
    "when=",
    "virtuals=",
    "^[deptypes=",
    "git.",
    "=develop",
    "\"hash\":\"",
    "\"installs\"",
    "\"version\":\"8\"",
    "\"spec\":{",
    "\"dependencies\":[",
    "\"external\":",
    "\"build_spec\":",
];

fn range(dice: &mut Dice, length: usize) -> std::ops::Range<usize> {
    let start = dice.index(length + 1);
    let longest = if dice.below(3) == 0 { length - start } else { (length - start).min(40) };
    start..start + dice.index(longest + 1)
}

/// One to five wounds.
fn damage(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[dice.index(seeds.len())].clone();
    for _ in 0..=dice.below(5) {
        let at = dice.index(bytes.len() + 1);
        match dice.below(8) {
            0 => bytes.truncate(at),
            1 | 2 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            3 => drop(bytes.drain(range(dice, bytes.len()))),
            4 => {
                let copy = bytes[range(dice, bytes.len())].to_vec();
                bytes.splice(at..at, copy);
            }
            5 => {
                let other = &seeds[dice.index(seeds.len())];
                let piece = other[range(dice, other.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            6 => {
                let word = WORDS[dice.index(WORDS.len())].repeat(1 + dice.index(3));
                bytes.splice(at..at, word.into_bytes());
            }
            _ => {
                // The same word many times over: depth, and lengths that double.
                let word = WORDS[dice.index(WORDS.len())].repeat(1 << dice.below(11));
                bytes.splice(at..at, word.into_bytes());
            }
        }
        bytes.truncate(64 * 1024);
    }
    bytes
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn recorded(prefix: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(root().join("fixtures"))
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix))
        .collect();
    files.sort();
    assert!(files.len() > 4, "{files:?}");
    files.iter().map(|f| std::fs::read(f).unwrap()).collect()
}

fn survive(seeds: &[Vec<u8>], read: impl Fn(&[u8])) {
    let mut dice = Dice::seeded(SEED);
    for seed in seeds {
        read(seed);
    }
    for case in 0..cases() {
        let bytes = damage(&mut dice, seeds);
        let survived = || std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(&bytes)));
        let (result, work) = effort(survived);
        let shown = || String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]).into_owned();
        assert!(result.is_ok(), "case {case} ({} bytes) panics:\n{}", bytes.len(), shown());
        assert!(work < LIMIT, "case {case} is work of {work:?}:\n{}", shown());
    }
}

fn as_text(read: impl Fn(&str)) -> impl Fn(&[u8]) {
    move |bytes| read(&String::from_utf8_lossy(bytes))
}

#[test]
fn damaged_databases_are_survived() {
    survive(&recorded("index"), readers::database);
}

#[test]
fn damaged_lock_files_are_survived() {
    survive(&recorded("spack.lock"), readers::lockfile);
}

#[test]
fn damaged_yaml_is_survived() {
    let seeds = ["spack.yaml", "config.yaml"]
        .map(|name| std::fs::read(root().join("fuzz/seeds").join(name)).unwrap());
    for seed in &seeds {
        let text = std::str::from_utf8(seed).unwrap();
        moonstack::spack::text::yaml::parse(text, Path::new("seed.yaml")).expect("a seed that is sound");
    }
    survive(&seeds, as_text(readers::yaml));
}

#[test]
fn damaged_specs_are_survived() {
    let text = std::fs::read_to_string(root().join("fuzz/seeds/specs.txt")).unwrap();
    let seeds: Vec<Vec<u8>> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
    survive(&seeds, as_text(readers::spec));
}

/// Depth and length that a person would not write: no stack may be exhausted, and the work must stay in proportion.
#[test]
fn monstrous_inputs_are_survived() {
    for word in WORDS.iter().chain(&[
        "[[",
        "{\"a\":",
        "{a: ",
        "- - ",
        "a: &a [*a, ",
        " ^a",
        " %a",
        " +a",
        "@1,",
        "a=b ",
        "^[when='",
    ]) {
        for before in ["", "a", "{\"database\":{\"version\":\"8\",\"installs\":"] {
            assert_in_proportion(&format!("{before}, then {word:?}"), 30_000, |size| {
                let whole = format!("{before}{}", word.repeat(size / word.len()));
                readers::database(whole.as_bytes());
                readers::lockfile(whole.as_bytes());
                readers::yaml(&whole);
                readers::spec(&whole);
            });
        }
    }
}
