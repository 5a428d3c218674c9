//! Which checks run, on what limits: the options of a call over the site file. Names that no check has are
//! refused, whether the check is built in or defined by a script.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::checks::ALL;
use super::thresholds::{Thresholds, span};
use crate::base::{Kind, Result, Trouble, words};
use crate::site::Cx;

/// What a caller asks for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub only: Vec<String>,
    pub skip: Vec<String>,
    pub thresholds: BTreeMap<String, Value>,
    pub timeout: Option<Value>,
    /// Names of checks that scripts have defined.
    pub defined: Vec<String>,
}

/// What will run.
#[derive(Debug, Clone)]
pub struct Selection {
    /// In the order of the documentation, defined ones last.
    pub names: Vec<String>,
    /// Asked for by name, but the site file skips them.
    pub refused: Vec<String>,
    pub thresholds: Thresholds,
    /// For every check, in place of its own.
    pub timeout: Option<Duration>,
}

impl Selection {
    pub fn of(cx: &Cx, wanted: &Wanted) -> Result<Selection> {
        let site = &cx.site.loaded.config.check;
        let all: Vec<&str> =
            ALL.iter().map(|c| c.name).chain(wanted.defined.iter().map(String::as_str)).collect();
        for name in wanted.only.iter().chain(&wanted.skip) {
            if !all.contains(&name.as_str()) {
                return Err(Trouble::unknown("check", name, all.iter().copied()));
            }
        }
        if let Some(name) = site.skip.iter().find(|name| !all.contains(&name.as_str())) {
            return Err(misspelt(cx, name, &all));
        }
        let asked = |name: &str| wanted.only.is_empty() || wanted.only.iter().any(|n| n == name);
        let skipped = |name: &str| wanted.skip.iter().any(|n| n == name);
        let barred = |name: &str| site.skip.iter().any(|n| n == name);
        let chosen: Vec<&str> = all.into_iter().filter(|n| asked(n) && !skipped(n)).collect();
        if chosen.is_empty() {
            return Err(Trouble::usage("no check is left to run").hint("--only and --skip exclude them all"));
        }
        let named = |name: &&str| wanted.only.iter().any(|n| n == name);
        Ok(Selection {
            names: chosen.iter().filter(|n| !barred(n)).map(|n| (*n).to_owned()).collect(),
            refused: chosen.iter().filter(|n| barred(n) && named(n)).map(|n| (*n).to_owned()).collect(),
            thresholds: Thresholds::read(&site.thresholds, &wanted.thresholds)?,
            timeout: timeout(cx, wanted)?,
        })
    }
}

/// A check that the site file skips and that nothing has: a typing error, by which the check would run after all.
fn misspelt(cx: &Cx, name: &str, known: &[&str]) -> Trouble {
    let unknown = Trouble::unknown("check", name, known.iter().copied());
    let file = cx.site.loaded.origins.get("check.skip").map_or("site file", String::as_str);
    let place = Trouble::new(Kind::Configuration, format!("{file}: check.skip: {}", unknown.message()));
    unknown.hints().iter().fold(place, Trouble::hint)
}

fn timeout(cx: &Cx, wanted: &Wanted) -> Result<Option<Duration>> {
    let given = wanted.timeout.as_ref().map(|value| span(value).map_err(|t| t.about("timeout")));
    let from_site = || {
        let text = cx.site.loaded.config.check.timeout.as_deref()?;
        let configuration =
            |t: Trouble| Trouble::new(Kind::Configuration, format!("check.timeout: {}", t.message()));
        Some(words::parse_span(text).map_err(configuration))
    };
    match given.or_else(from_site).transpose()? {
        Some(limit) if limit.is_zero() => Err(Trouble::usage("timeout: a check needs more time than none")),
        limit => Ok(limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::sweep::tests::context;
    use serde_json::json;

    fn wanted(only: &[&str], skip: &[&str]) -> Wanted {
        let list = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        Wanted { only: list(only), skip: list(skip), defined: vec!["mine".into()], ..Wanted::default() }
    }

    #[test]
    fn names_are_chosen_and_unknown_ones_refused() {
        let cx = context("");
        let names = |w: &Wanted| Selection::of(&cx, w).map(|s| s.names);
        assert_eq!(names(&wanted(&["mine", "git"], &[])).unwrap(), ["git", "mine"]);
        assert_eq!(names(&wanted(&["mine", "git"], &["git"])).unwrap(), ["mine"]);
        assert_eq!(names(&wanted(&[], &[])).unwrap().len(), ALL.len() + 1);
        for bad in [wanted(&["gitt"], &[]), wanted(&[], &["gitt"])] {
            let error = names(&bad).unwrap_err();
            assert_eq!(
                (error.kind(), error.hints()),
                (Kind::UnknownName, &["did you mean 'git'?".to_owned()][..])
            );
        }
        assert_eq!(names(&wanted(&["git"], &["git"])).unwrap_err().kind(), Kind::Usage);
    }

    #[test]
    fn a_misspelt_check_in_the_site_file_is_refused() {
        let error = Selection::of(&context("[check]\nskip = ['dsik']\n"), &wanted(&[], &[])).unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(error.message().contains("check.skip: check 'dsik'"), "{error}");
        assert_eq!(error.hints(), ["did you mean 'disk'?"]);
    }

    #[test]
    fn the_site_file_bars_a_check_and_an_option_beats_its_limit() {
        let cx = context("[check]\nskip = ['git']\ntimeout = '7s'\n");
        let selection = Selection::of(&cx, &wanted(&["git", "gpu"], &[])).unwrap();
        assert_eq!((selection.names, selection.refused), (vec!["gpu".to_owned()], vec!["git".to_owned()]));
        assert_eq!(selection.timeout, Some(Duration::from_secs(7)));
        assert!(Selection::of(&cx, &wanted(&[], &[])).unwrap().refused.is_empty());
        let own = context("[check]\nskip = ['mine']\n");
        assert!(Selection::of(&own, &wanted(&[], &[])).is_ok(), "a defined check may be skipped");
        let mut own = wanted(&[], &[]);
        own.timeout = Some(json!("2s"));
        assert_eq!(Selection::of(&cx, &own).unwrap().timeout, Some(Duration::from_secs(2)));
        own.timeout = Some(json!("0s"));
        assert_eq!(Selection::of(&cx, &own).unwrap_err().kind(), Kind::Usage);
    }
}
