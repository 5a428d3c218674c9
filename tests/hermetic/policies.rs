//! Policies for any text: no expression makes the program panic or run away, and what a site gives is asked.

use std::sync::Arc;

use moonstack::policy::slots::{Alarm, Alert, Keep, Standing};
use moonstack::policy::{Expression, Question, SLOTS, Slot};
use moonstack::site::Cx;
use moonstack::site::config::Loaded;
use moonstack::world::Event;
use moonstack::world::fs::eyes::LiveEyes;
use proptest::prelude::*;

use crate::common::{Ears, context};
use crate::effort::effort;

const TOKENS: &[&str] = &[
    "age_days",
    "name",
    "rank",
    "ok",
    "kind",
    "attempt",
    "status",
    "pined",
    "true",
    "1",
    "-1",
    "0.5",
    "1e308",
    "9223372036854775807",
    "\"run\"",
    "\"é\"",
    "'c'",
    "`a${name}b`",
    "`${",
    "()",
    "(",
    ")",
    "[",
    "]",
    "#{",
    "{",
    "}",
    ":",
    ",",
    ";",
    ".",
    "?.",
    "?[",
    "..",
    "..=",
    "=",
    "==",
    "!=",
    "<",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "**",
    "<<",
    ">>",
    "&",
    "|",
    "^",
    "&&",
    "||",
    "??",
    "!",
    "in",
    "!in",
    "if",
    "else",
    "switch",
    "=>",
    "_",
    "while",
    "let",
    "fn",
    "eval",
    "Fn",
    "this",
    "len",
    ".len()",
    ".get(1)",
    "name[0]",
    "name[-9]",
    ".sub_string(1, 2)",
    ".split()",
    "max",
    "min(",
    "\n",
    "//",
    "/*",
    "\"",
    "'",
    "\\",
    "0x",
    "\u{0}",
    "\u{feff}",
    "::",
    "+=",
    "$",
    "@",
    "\t",
];

fn soup() -> impl Strategy<Value = String> {
    prop::collection::vec((prop::sample::select(TOKENS), prop::bool::ANY), 0..24).prop_map(|tokens| {
        tokens
            .iter()
            .map(|(token, spaced)| if *spaced { format!("{token} ") } else { (*token).to_owned() })
            .collect()
    })
}

/// Compiles, lints, probes and, where that is fine, evaluates.
fn survive(text: &str) {
    for slot in SLOTS {
        match Expression::check(slot, text) {
            Ok(expression) => drop(expression.evaluate(&slot.sample().unwrap())),
            Err(flaw) => {
                assert!(!flaw.message.trim().is_empty(), "{text:?}");
                if let Some(at) = flaw.offset {
                    assert!(text.is_char_boundary(at), "{at} in {text:?}");
                }
                flaw.into_trouble(slot.name, text);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_soup_of_tokens_panics(text in soup()) {
        survive(&text);
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        survive(&text);
    }
}

/// What would be work without an end is refused, each by the limit that is for it; the worst of the rest is allowed.
#[test]
fn greedy_expressions_end() {
    const DEEP: Option<&str> = Some("too many levels within each other");
    let long = "x".repeat(4000);
    let cases = [
        (format!("\"{long}\".contains(\"y\")"), None),
        (format!("\"{long}{long}\".contains(\"y\")"), Some("has at most 4096 bytes")),
        (format!("{}ok", "(".repeat(2000)), DEEP),
        (format!("{}ok", "!".repeat(4000)), DEEP),
        (format!("[{}].len() > 0", "[name,name],".repeat(300)), Some("makes a value that is too large")),
        (format!("{}ok", "ok || ".repeat(600)), DEEP),
        (format!("{}1 > 0", "1 + ".repeat(1000)), DEEP),
        (format!("{}1 > 0", "2 ** ".repeat(600)), DEEP),
        ("name.split(\"\").len() > 3".to_owned(), None),
        (format!("{} true", "if ok {true} else ".repeat(200)), DEEP),
        ("2 ** 9223372036854775807 > 1".to_owned(), Some("exponential overflow")),
        ("(-9223372036854775807 - 1) / -1 > 0".to_owned(), Some("division overflow")),
        ("(-9223372036854775807 - 1).abs() > 0".to_owned(), Some("negation overflow")),
        ("name.sub_string(-9223372036854775807, 9223372036854775807) == name".to_owned(), None),
        ("1 << 9223372036854775807 > 0".to_owned(), None),
    ];
    let keep = slot("keep");
    for (text, refused) in &cases {
        survive(text);
        let shown: String = text.chars().take(50).collect();
        match (Expression::check(keep, text), refused) {
            (Ok(expression), None) => {
                assert!(expression.evaluate(&keep.sample().unwrap()).is_ok(), "{shown}");
            }
            (Err(flaw), Some(why)) => assert!(flaw.message.contains(why), "{shown}: {}", flaw.message),
            (Ok(_), Some(why)) => panic!("{shown}: it was taken, not refused by '{why}'"),
            (Err(flaw), None) => panic!("{shown}: {}", flaw.message),
        }
    }
}

fn slot(name: &str) -> &'static Slot {
    SLOTS.iter().find(|slot| slot.name == name).unwrap()
}

fn site(text: &str) -> (Cx, Arc<Ears>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    std::fs::write(&file, text).unwrap();
    let ears = Arc::new(Ears::default());
    let mut cx = context(folder.path(), Arc::clone(&ears));
    Arc::get_mut(&mut cx.site).unwrap().loaded = Loaded::read(&LiveEyes, Some(&file), None).unwrap();
    (cx, ears, folder)
}

#[test]
fn a_sites_policy_decides_and_its_failure_is_told_once() {
    let (cx, ears, _folder) = site(
        "[policy]\nkeep = 'rank < 100 / (exit + 1)'\nalert = '''if hour < 8 { \"none\" } else { \"note\" }'''\n",
    );
    let keep = |rank, exit| cx.ask(&Keep { rank, exit, age_days: 400.0, ..Keep::sample() }).unwrap();
    assert!(keep(99, 0) && !keep(100, 0) && !keep(50, 1));
    // Divides by zero: the default decides.
    assert!(keep(19, -1) && !keep(20, -1) && !keep(21, -1));
    let told: Vec<String> = ears
        .0
        .lock()
        .unwrap()
        .iter()
        .filter_map(|e| if let Event::Message { text, .. } = e { Some(text.clone()) } else { None })
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("own.toml: policy keep: division by zero"), "{told:?}");
    let alert = |hour| cx.ask(&Alert { hour, status: Standing::Fail, ..Alert::sample() }).unwrap();
    assert_eq!((alert(7), alert(8)), (Alarm::None, Alarm::Note));
}

/// An expression is compiled once, however often it is asked: 1000 answers are less work than 500 times compiling.
#[test]
fn asking_is_quick() {
    const TEXT: &str = "age_days < 30 || pinned";
    let (cx, _, _folder) = site(&format!("[policy]\nkeep = '{TEXT}'\n"));
    let facts = Keep::sample();
    cx.ask(&facts).unwrap();
    let compiling = effort(|| (0..500).for_each(|_| drop(Expression::check(slot("keep"), TEXT).unwrap()))).1;
    let asking = effort(|| (0..1000).filter(|_| cx.ask(&facts).unwrap()).count()).1;
    assert!(asking < compiling, "{asking:?}, and {compiling:?} to compile it");
}
