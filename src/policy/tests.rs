use serde_json::{Value, json};

use super::slots::{Alarm, Alert, Delay, Keep, Retry, Standing};
use super::{Expression, Flaw, Policies, Question, SLOTS, slot};
use crate::base::Kind;

fn check(name: &str, text: &str) -> Result<Expression, Flaw> {
    Expression::check(slot(name).unwrap(), text)
}

/// What it says of the sample, with some facts replaced.
fn decide(name: &str, text: &str, facts: &Value) -> Value {
    let slot = slot(name).unwrap();
    let facts = slot.with_sample(facts.as_object().unwrap()).unwrap();
    slot.read(&check(name, text).unwrap().evaluate(&facts).unwrap()).unwrap()
}

#[test]
fn every_slot_is_complete() {
    for slot in SLOTS {
        for text in [slot.default, slot.example] {
            if let Err(flaw) = Expression::check(slot, text) {
                panic!("{}: {text}: {flaw:?}", slot.name);
            }
        }
        let facts = slot.facts();
        let sample = slot.sample().unwrap();
        assert!(facts.iter().all(|f| f.doc.ends_with('.')), "{}: {facts:?}", slot.name);
        assert!(slot.doc().starts_with("Asked"), "{}", slot.name);
        let names: Vec<&String> = sample.as_object().unwrap().keys().collect();
        assert_eq!(facts.iter().map(|f| &f.name).collect::<Vec<_>>(), names);
    }
    assert_eq!(slot("kep").err().unwrap().hints(), ["did you mean 'keep'?"]);
}

#[test]
fn defaults_decide_as_documented() {
    let retry = |facts: Value| decide("retry", Retry::DEFAULT, &facts);
    assert_eq!(retry(json!({})), json!(2.0));
    assert_eq!(retry(json!({ "attempt": 90, "max": 100 })), json!(300.0));
    assert_eq!(retry(json!({ "attempt": 3 })), json!(false));
    assert_eq!(retry(json!({ "kind": "build" })), json!(false));
    let keep = |facts: Value| decide("keep", Keep::DEFAULT, &facts);
    let old = json!({ "age_days": 90.5, "rank": 20 });
    assert_eq!(keep(old.clone()), json!(false));
    for (name, value) in
        [("age_days", json!(89.9)), ("rank", json!(19)), ("pinned", json!(true)), ("last_good", json!(true))]
    {
        let mut kept = old.clone();
        kept[name] = value;
        assert_eq!(keep(kept), json!(true), "{name}");
    }
    let alert = |previous: &str, status: &str| {
        decide("alert", Alert::DEFAULT, &json!({ "previous": previous, "status": status }))
    };
    let turns = [
        ("", "pass", "none"),
        ("", "warn", "note"),
        ("", "fail", "page"),
        ("pass", "pass", "none"),
        ("pass", "warn", "note"),
        ("pass", "fail", "page"),
        ("warn", "fail", "page"),
        ("warn", "warn", "none"),
        ("fail", "fail", "none"),
        ("fail", "warn", "note"),
        ("fail", "pass", "note"),
        ("warn", "pass", "note"),
        ("skipped", "pass", "none"),
        ("pass", "skipped", "none"),
    ];
    for (previous, status, expected) in turns {
        assert_eq!(alert(previous, status), json!(expected), "{previous} → {status}");
    }
}

#[test]
fn what_expressions_can_say() {
    let cases = [
        ("age_days < 30 || pinned", json!({ "age_days": 3 }), true),
        ("age_days < 30 || pinned", json!({ "age_days": 30 }), false),
        ("name.starts_with(\"health\") && name.len() > 3", json!({}), true),
        ("name.len == 12", json!({}), true),
        ("name in [\"a\", \"health-sweep\"] && !(name in [\"b\"])", json!({}), true),
        ("bytes > 9_000_000_000", json!({ "bytes": 9_000_000_001u64 }), true),
        ("switch kind { \"run\" => age_days < 1, _ => true }", json!({ "kind": "snapshot" }), true),
        ("if ok { rank < 5 } else { rank < 50 }", json!({ "ok": false }), true),
        ("sqrt(rank) < 6 && round(3) == 3 && max(rank, 2.5) > 3", json!({}), true),
        ("`${name}-${exit}` == \"health-sweep-0\"", json!({}), true),
        ("name.to_upper().contains(\"SWEEP\")", json!({}), true),
    ];
    for (text, facts, expected) in cases {
        assert_eq!(decide("keep", text, &facts), json!(expected), "{text}");
    }
    assert_eq!(decide("retry", "attempt * 30", &json!({ "attempt": 2 })), json!(60.0));
}

/// What must not be possible; each is refused before it is ever asked, or ends within the limits.
#[test]
fn nothing_leaves_the_sandbox() {
    let deep = format!("{}true{}", "(".repeat(60), ")".repeat(60));
    let nots = format!("{}true", "!".repeat(3000));
    let huge = format!("name == \"{}\"", "x".repeat(5000));
    let grown = format!("name{} == \"\"", format!(" + \"{}\"", "x".repeat(500)).repeat(9));
    let doubling = format!("len({}) > 0", "[name,".repeat(40) + &*"]".repeat(40));
    let texts: &[&str] = &[
        "eval(\"true\")",
        "\"true\".eval()",
        "Fn(\"eval\").call(\"true\")",
        "call(\"eval\", \"true\")",
        "curry(\"eval\")",
        "print(\"x\") == ()",
        "debug(\"x\") == ()",
        "sleep(1) == ()",
        "exit(true)",
        "parse_json(\"true\")",
        "timestamp() == 0",
        "while true { }",
        "loop { }",
        "for x in 0..9 { }",
        "do { } while true",
        "{ loop { } }",
        "if true { loop { } } else { true }",
        "if true { while true { } } else { true }",
        "fn f() { f() } f()",
        "f()",
        "private fn f() { true }",
        "import \"x\" as x; true",
        "export name",
        "x::y()",
        "|x| x",
        "|| true",
        "[1].map(|x| x).len() == 1",
        "[1].all(|x| true)",
        "[1].all(\"eval\")",
        "let x = true; x",
        "const X = 1; true",
        "true; false",
        "{ true }",
        "pinned = true",
        "pinned == true; pinned",
        "if (pinned = true) { true } else { true }",
        "if true { pinned = true; true } else { true }",
        "return true",
        "throw 1",
        "try { true } catch { true }",
        "this.x",
        "name.push(\"x\") == ()",
        "name.clear() == ()",
        "\"x\".pad(4000000, \"x\") == \"\"",
        "[].pad(4000000, 1) == []",
        "type_of(name) == \"string\"",
        "is_def_var(\"name\")",
        "[name].sort() == ()",
        // In every corner of an expression.
        "`${eval(\"true\")}` == \"true\"",
        "`${sleep(1)}` == \"\"",
        "switch kind { \"run\" => true, _ => sleep(1) == () }",
        "switch kind { \"run\" => true, \"snapshot\" if sleep(1) == () => true, _ => true }",
        "switch rank { 0..50 => true, 50..60 => sleep(1) == (), _ => true }",
        "switch sleep(1) { _ => true }",
        "[true][sleep(1)]",
        "#{ a: sleep(1) }.a == ()",
        "() ?? sleep(1) == ()",
        "ok || sleep(1) == ()",
        "name.to_upper().push(\"x\").len() > 1",
        "name?.push(\"x\") == ()",
        "if ok { true } else { sleep(1) == () }",
        "if ok { false; true } else { true }",
        "if ok { let x = 1; true } else { true }",
        "switch kind { _ => { pinned = true; true } }",
        &deep,
        &nots,
        &huge,
        &grown,
        &doubling,
    ];
    for text in texts {
        let shown: String = text.chars().take(60).collect();
        let flaw = check("keep", text).err().unwrap_or_else(|| panic!("accepted: {shown}"));
        // Not for what it gave: it must not have been evaluated to its end.
        let refused = !flaw.message.starts_with("it gives") && flaw.message.len() < 200;
        assert!(refused, "{shown}: {flaw:?}");
    }
}

#[test]
fn faults_are_named_with_their_place_and_a_way_out() {
    let cases = [
        ("age_days < 30 || pined", Some(17), "'pined' is no fact", "did you mean 'pinned'?"),
        ("age_days < 30 and pinned", Some(14), "unexpected 'and'", "write '&&'"),
        ("not pinned", Some(0), "'not' is no fact", "write '!'"),
        ("age_days = 30", Some(9), "unexpected '='", "'==' compares"),
        ("kind == 'run'", Some(8), "single quotes hold one character", "texts stand in double quotes"),
        (
            "name.start_with(\"a\")",
            Some(5),
            "there is no function 'start_with'",
            "did you mean 'starts_with'?",
        ),
        ("pinned()", Some(0), "there is no function 'pinned'", "without brackets"),
        ("name.size > 3", Some(5), "a text has no property 'size'", ""),
        ("name.to_upper == \"A\"", Some(5), "'to_upper' is a function", "write 'to_upper()'"),
        ("rank.count > 3", Some(5), "a number has no property 'count'", ""),
        (
            "age_days < \"30\"",
            Some(9),
            "a number is compared with a text, which is always false",
            "write 30 without",
        ),
        ("name != 3", Some(5), "a text is compared with a number, which is always true", ""),
        ("pinned == \"true\"", Some(7), "compared with a text", "write true without"),
        ("name.len() == \"3\"", Some(11), "a number is compared with a text", "write 3 without"),
        ("kind == \"runs\"", Some(8), "it is never \"runs\", so this is always false", "did you mean 'run'?"),
        (
            "kind in [\"run\", \"snapshots\"]",
            Some(16),
            "it is never \"snapshots\"",
            "did you mean 'snapshot'?",
        ),
        ("pinned || rank", Some(10), "'||' joins what is true or false, and this is a number", ""),
        ("age_days <", Some(10), "the expression ends too early", ""),
        ("  ", None, "the expression is empty", "leave it out"),
        ("age_days", None, "it gives the number 45.5, but must give true or false", ""),
        ("\"page\"", None, "it gives the text \"page\"", ""),
        ("while true {}", Some(0), "unexpected 'while'", "one expression"),
        ("10 / (rank - 30) > 1", Some(3), "division by zero", ""),
        ("true\n  || pined", Some(10), "'pined' is no fact", "did you mean 'pinned'?"),
        ("\"é\" == name && pined", Some(16), "'pined' is no fact", ""),
    ];
    for (text, offset, message, hint) in cases {
        let flaw = check("keep", text).err().unwrap_or_else(|| panic!("accepted: {text}"));
        assert!(flaw.message.to_lowercase().contains(&message.to_lowercase()), "{text}: {flaw:?}");
        assert_eq!(flaw.offset, offset, "{text}: {flaw:?}");
        assert!(hint.is_empty() || flaw.hints.iter().any(|h| h.contains(hint)), "{text}: {flaw:?}");
    }
}

#[test]
fn answers_are_of_the_slots_type() {
    for (name, text) in [
        ("retry", "true"),
        ("retry", "-1"),
        ("retry", "1.0 / 0.0"),
        ("retry", "\"10\""),
        ("retry", "if attempt > 9 { 3 }"),
        ("keep", "1"),
        ("alert", "\"shout\""),
        ("alert", "true"),
    ] {
        let flaw = check(name, text).err().unwrap_or_else(|| panic!("accepted: {text}"));
        assert!(flaw.message.contains("but must give"), "{text}: {flaw:?}");
    }
}

#[test]
fn given_facts_are_checked() {
    let retry = slot("retry").unwrap();
    let with = |facts: Value| retry.with_sample(facts.as_object().unwrap());
    let unknown = with(json!({ "atempt": 3 })).unwrap_err();
    assert_eq!(
        (unknown.kind(), unknown.hints()),
        (Kind::UnknownName, &["did you mean 'attempt'?".to_owned()][..])
    );
    assert!(with(json!({ "attempt": "3" })).unwrap_err().message().contains("fact attempt: invalid type"));
    assert!(
        with(json!({ "kind": "nonsense" })).unwrap_err().message().contains("no kind of error 'nonsense'")
    );
}

#[test]
fn the_default_decides_where_a_policy_fails_and_it_is_said_once() {
    let mut policies = Policies::default();
    let slot = slot("retry").unwrap();
    let text = "if attempt < 3 { 5 } else { 10 / (attempt - 3) }";
    policies.set(slot, check("retry", text).unwrap(), String::from("site.toml"));
    let asked = |attempt| {
        let facts = Retry { attempt, max: 9, ..Retry::sample() };
        let ruling = policies.ask(&facts).unwrap();
        (ruling.answer.0.map(|wait| wait.as_secs()), ruling.failed)
    };
    assert!(matches!(asked(1), (Some(5), None)));
    let (answer, failed) = asked(3);
    let failed = failed.unwrap();
    assert_eq!(answer, Some(8));
    assert!(failed.message().starts_with("policy retry: division by zero"), "{failed}");
    assert_eq!(failed.facts()["facts"]["attempt"], 3);
    assert!(matches!(asked(3), (Some(8), None)));
    let alert = policies.ask(&Alert { previous: Standing::Fail, ..Alert::sample() }).unwrap();
    assert!(alert.answer == Alarm::None && alert.failed.is_none());
    assert_eq!(
        Policies::default().ask(&Retry { attempt: 9, ..Retry::sample() }).unwrap().answer,
        Delay(None)
    );
}

/// Facts may be tables of facts, as those of a job and its queue will be.
#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Order {
    job: Job,
    waiting: u32,
}

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Job {
    priority: i32,
    tags: Vec<String>,
    asked: Asked,
}

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Asked {
    cores: u32,
}

impl super::Answer for f64 {
    const WORDS: &'static str = "a number";
    fn read(value: &rhai::Dynamic) -> Option<f64> {
        value.as_float().or_else(|_| value.as_int().map(|n| n as f64)).ok()
    }
}

impl Question for Order {
    type Answer = f64;
    const SLOT: &'static str = "order";
    const DEFAULT: &'static str = "job.priority";
    const EXAMPLE: &'static str = "job.priority * 10 - waiting";
    fn sample() -> Order {
        let job = Job { priority: 3, tags: vec![String::from("gpu")], asked: Asked { cores: 8 } };
        Order { job, waiting: 2 }
    }
}

#[test]
fn facts_may_be_tables() {
    let slot = super::Slot::of::<Order>();
    let order = |text: &str| {
        let facts = slot.sample().unwrap();
        Expression::check(&slot, text).and_then(|e| slot.read(&e.evaluate(&facts)?))
    };
    for (text, expected) in [
        (slot.default, 3.0),
        (slot.example, 28.0),
        ("job.asked.cores + job.tags.len", 9.0),
        ("if \"gpu\" in job.tags { 1 } else { 0 }", 1.0),
        ("job.tags[0].len() * 1.5", 4.5),
    ] {
        assert_eq!(order(text).unwrap(), json!(expected), "{text}");
    }
    for (text, message, hint) in [
        ("job.prioity", "'prioity' does not exist there", "did you mean 'priority'?"),
        ("if true { 1 } else { job.asked.core }", "'core' does not exist there", "did you mean 'cores'?"),
        ("(job.asked).core", "'core' does not exist there", "did you mean 'cores'?"),
        ("job.asked.cores.more", "a number has no property 'more'", ""),
        ("if job.priority == \"high\" { 1 } else { 0 }", "a number is compared with a text", ""),
        ("if job == 3 { 1 } else { 0 }", "a table is compared with a number", ""),
        ("job", "it gives a table, but must give a number", ""),
    ] {
        let flaw = order(text).unwrap_err();
        assert!(flaw.message.contains(message), "{text}: {flaw:?}");
        assert!(hint.is_empty() || flaw.hints.iter().any(|h| h == hint), "{text}: {flaw:?}");
    }
}
