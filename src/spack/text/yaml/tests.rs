use super::*;
use proptest::prelude::*;

fn read(text: &str) -> Result<Yaml> {
    parse(text, Path::new("/x.yaml"))
}

#[test]
fn order_lines_and_marks_are_kept() {
    let tree = read("b: 1\na::\n  - x\n  - 'no'\n\"gcc@4:\": no\n").unwrap();
    let keys: Vec<_> = tree.entries().iter().map(|(k, v)| (k.name.as_str(), k.mode, v.mark.line)).collect();
    assert_eq!(keys, [("b", Mode::Merge, 1), ("a", Mode::Override, 3), ("gcc@4:", Mode::Merge, 5)]);
    assert_eq!(tree.get("a").unwrap().texts(), ["x", "no"]);
    assert_eq!(tree.get("gcc@4:").unwrap().text(), Some("no"));
}

#[test]
fn aliases_and_merge_keys() {
    let tree = read("base: &b {x: 1, y: 2}\nderived:\n  <<: *b\n  y: 3\n").unwrap();
    assert_eq!(tree.get("derived").unwrap().to_json(), serde_json::json!({"y": 3, "x": 1}));
}

#[test]
fn errors_name_file_and_line() {
    let cases = [
        ("a: 1\nb: [1, 2\n", "not valid YAML"),
        ("a: 1\na: 2\n", "/x.yaml:2: the key 'a' was given already on line 1"),
        ("a: 1\n---\nb: 2\n", "/x.yaml:2: one YAML document"),
        ("a: &x\n  b: *x\n", "/x.yaml:2: this alias"),
        ("? [1]\n: 2\n", "/x.yaml:1: a mapping or list"),
    ];
    for (text, expected) in cases {
        let trouble = read(text).unwrap_err();
        assert_eq!(trouble.kind(), Kind::Configuration, "{text}");
        assert!(trouble.message().contains(expected), "{text}: {}", trouble.message());
        assert!(trouble.place().is_some());
    }
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let before = format!("*a{}", n - 1);
        text.push_str(&format!("a{n}: &a{n} [{}]\n", vec![before; 10].join(", ")));
    }
    assert!(read(&text).unwrap_err().message().contains("too large"));
    let mut deep = String::from("a0: &a0 [x]\n");
    for n in 1..500 {
        deep.push_str(&format!("a{n}: &a{n} [*a{}]\n", n - 1));
    }
    assert!(read(&deep).unwrap_err().message().contains("levels deep"));
    assert!(read(&"[".repeat(5000)).is_err());
}

proptest! {
    #[test]
    fn never_panics(text in "(?s)[ -~\n\t\u{e9}]{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn never_panics_on_yaml_like_text(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("a: "), Just("- "), Just("\n"), Just("  "), Just("&x "), Just("*x"), Just("<<: "),
                Just("["), Just("]"), Just("{"), Just("}"), Just(": "), Just("::"), Just("'"), Just("\""),
                Just("1.10"), Just("!!int "), Just("|\n"), Just("? "), Just("---\n"), Just("0x"), Just("#"),
            ], 0..60)
    ) {
        let _ = read(&parts.concat());
    }
}
