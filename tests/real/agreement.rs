//! The same set of hashes as Spack, for generated queries on real sites; see `for_each_site` in `tests/common/lab.rs`.

#![allow(clippy::unwrap_used)] // A test: what is not there must stop it.

mod queries;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;
use moonstack::spack::spec::{Dialect, Spec};
use moonstack::spack::store::database::DatabaseText;
use moonstack::spack::store::query::Query;
use moonstack::spack::store::recipes::RepositoryRecipes;
use moonstack::spack::store::stores::Stores;
use moonstack::world::fs::eyes::LiveEyes;
use queries::{Asked, Generator};

use crate::common::dice::share;
use crate::common::lab;

const QUERIES: usize = 600;

fn spack(site: &Path, arguments: &[&str]) -> std::process::Output {
    Command::new("sh")
        .args(["-c", ". \"$0/env.sh\" && exec spack \"$@\""])
        .arg(site)
        .args(arguments)
        .env_remove("SPACK_ENV")
        .output()
        .expect("sh runs")
}

fn ours(
    asked: &Asked,
    dialect: Dialect,
    stores: &Stores<'_>,
    recipes: &RepositoryRecipes<'_>,
) -> Result<BTreeSet<String>, String> {
    let specs = Spec::parse_all(&asked.text, dialect).map_err(|e| e.to_string())?;
    let mut query = Query::new(specs, dialect);
    query.explicit = asked.explicit;
    query.states = asked.states();
    query.hashes = asked.hashes.as_ref().map(|h| h.iter().cloned().collect());
    let found = query.run(stores, Some(recipes)).map_err(|e| e.to_string())?;
    Ok(found.iter().map(|entry| entry.record.hash.to_owned()).collect())
}

fn compare(site: &Path) -> Vec<String> {
    let seed = share("MOONSTACK_SEED", 20_261_121) as u64;
    let store = site.join("store");
    let text = DatabaseText::read(&LiveEyes, &store, Duration::from_mins(1)).unwrap();
    let stores = Stores::new(text.parse().unwrap(), Vec::new());
    let old = stores.databases()[0].version() < "8";
    let dialect = if old { Dialect::Compiler } else { Dialect::Direct };
    let asked = Generator::new(seed, &stores, dialect).queries(QUERIES);

    let file = tempfile::NamedTempFile::new().unwrap();
    serde_json::to_writer(&file, &asked).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/agreement/ask.py");
    let output = spack(site, &["python", script.to_str().unwrap(), file.path().to_str().unwrap()]);
    let printed = String::from_utf8_lossy(&output.stdout);
    let json = printed.lines().find_map(|line| line.strip_prefix("AGREEMENT"));
    let json = json.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(&output.stderr)));
    let answer: serde_json::Value = serde_json::from_str(json).unwrap();
    let repos = answer["repos"].as_array().unwrap().iter().map(|r| PathBuf::from(r.as_str().unwrap()));
    let recipes = RepositoryRecipes::new(&LiveEyes, repos.collect(), dialect);

    let (mut differ, mut agree, mut refused, mut nonempty) = (Vec::new(), 0, 0, 0);
    for (asked, theirs) in asked.iter().zip(answer["results"].as_array().unwrap()) {
        let ours = ours(asked, dialect, &stores, &recipes);
        match (theirs.as_array(), &ours) {
            (Some(theirs), Ok(ours)) => {
                let theirs: BTreeSet<String> =
                    theirs.iter().map(|h| h.as_str().unwrap().to_owned()).collect();
                if theirs == *ours {
                    agree += 1;
                    nonempty += usize::from(!ours.is_empty());
                } else {
                    differ.push(format!("{asked:?}: {} theirs, {} ours", theirs.len(), ours.len()));
                }
            }
            (None, Err(_)) => refused += 1,
            _ => differ.push(format!("{asked:?}: theirs {theirs}, ours {ours:?}")),
        }
    }
    let commands = whole_commands(site, &asked, dialect, &stores, &recipes, &mut differ);
    eprintln!(
        "{}: {} records; {} queries: {agree} agree ({nonempty} not empty), {refused} refused by both, {} differ; {commands} whole commands",
        site.display(),
        stores.databases()[0].records().len(),
        asked.len(),
        differ.len(),
    );
    differ
}

/// Some queries through the whole of `spack find --json`.
fn whole_commands(
    site: &Path,
    asked: &[Asked],
    dialect: Dialect,
    stores: &Stores<'_>,
    recipes: &RepositoryRecipes<'_>,
    differ: &mut Vec<String>,
) -> usize {
    let plain = asked.iter().filter(|a| a.hashes.is_none() && a.default_states() && !a.text.contains('\''));
    let mut compared = 0;
    for asked in plain.step_by(37).take(share("MOONSTACK_WHOLE_COMMANDS", 6)) {
        let mut arguments = vec!["find", "--json"];
        match asked.explicit {
            Some(true) => arguments.push("--explicit"),
            Some(false) => arguments.push("--implicit"),
            None => {}
        }
        arguments.extend(asked.text.split(' '));
        let output = spack(site, &arguments);
        let theirs: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let theirs: BTreeSet<String> =
            theirs.iter().map(|s| s["hash"].as_str().unwrap().to_owned()).collect();
        let ours = ours(asked, dialect, stores, recipes).unwrap_or_default();
        compared += 1;
        if theirs != ours {
            differ.push(format!(
                "spack find --json: {asked:?}: {} theirs, {} ours",
                theirs.len(),
                ours.len()
            ));
        }
    }
    compared
}

fn the_same_hashes_as_spack(site: &Path) {
    let differ = compare(site);
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}

pub fn trials() -> Vec<Trial> {
    lab::for_each_site("agreement", the_same_hashes_as_spack)
}
