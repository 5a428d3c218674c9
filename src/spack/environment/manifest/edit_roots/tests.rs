use super::*;

fn replace(root: &str, by: &str) -> Change {
    Change::Replace { root: root.to_owned(), by: by.to_owned() }
}

fn gone(root: &str) -> Change {
    Change::Drop { root: root.to_owned() }
}

fn add(spec: &str) -> Change {
    Change::Add { spec: spec.to_owned() }
}

/// What the edit makes of the text, by both dialects.
fn edit(text: &str, changes: &[Change]) -> Result<String> {
    let old = edited(text, &Lists::of_text(text, "0.23.1", &["a", "b"]), changes);
    let new = edited(text, &Lists::of_text(text, "1.2.0", &["a", "b"]), changes);
    assert_eq!(old.as_ref().ok(), new.as_ref().ok(), "{text}");
    new
}

const PAWSEY: &str = "\
spack:
  # what users get
  definitions:
  - packages: [a@1.2, b]   # ours
  specs:
  - matrix:
    - [$packages]
    - [target=x86_64]
  view: false
";

#[test]
fn a_root_is_changed_where_it_is_written() {
    let cases: &[(&str, &[Change], &str)] = &[
        (PAWSEY, &[replace("a@1.2 target=x86_64", "a@1.3")], "[a@1.3, b]   # ours"),
        (PAWSEY, &[replace("a@1.2 target=x86_64", "a@1.3 target=x86_64")], "[a@1.3, b]   # ours"),
        (PAWSEY, &[gone("b target=x86_64")], "[a@1.2]   # ours"),
        (PAWSEY, &[gone("b target=x86_64"), add("c@2")], "    - [target=x86_64]\n  - c@2\n  view"),
        (
            "spack:\n  specs:\n  - a@1  # one\n  - b\n",
            &[replace("a@1", "a@2 +x")],
            "  - a@2 +x  # one\n  - b\n",
        ),
        // What a row says of the version is changed there.
        (
            "spack:\n  specs:\n  - matrix:\n    - [a, b]\n    - [+x]\n  - matrix: [[a], ['@1', '@2'], [~x]]\n",
            &[replace("a@2 ~x", "a@3~x")],
            "[[a], ['@1', '@3'], [~x]]",
        ),
        // Two roots of one element are changed together.
        (
            "spack:\n  specs:\n  - matrix: [[a@1, b], [+x, ~x]]\n",
            &[replace("a@1 +x", "a@2"), replace("a@1 ~x", "a@2")],
            "[[a@2, b], [+x, ~x]]",
        ),
        (
            "spack:\n  specs:\n  - matrix: [[a, b], [+x, ~x]]\n",
            &[gone("a +x"), gone("a ~x")],
            "[[b], [+x, ~x]]",
        ),
        ("spack:\n  specs:\n  - matrix: [[a], [+x, ~x]]\n", &[gone("a +x")], "[[a], [~x]]"),
        (
            "spack:\n  specs:\n  - b\n  - matrix:\n    - [a]\n    - [+x, ~x]\n  view: true\n",
            &[gone("a +x"), gone("a ~x")],
            "specs:\n  - b\n  view",
        ),
        (
            "spack:\n  specs:\n  - a@1\n  - a@2\n",
            &[replace("a@1", "a@3"), replace("a@2", "a@3")],
            "specs:\n  - a@3\n",
        ),
        ("spack:\n  specs:\n  - a@1\n  - a@2\n", &[replace("a@1", "a@2")], "specs:\n  - a@2\n"),
        (
            "spack: {specs: [a@1, b], view: false}\n",
            &[replace("a@1", "a@2")],
            "spack: {specs: [a@2, b], view: false}",
        ),
        // A matrix that excludes goes on doing so.
        (
            "spack:\n  specs:\n  - matrix: [[a@1, b], [+x, ~x]]\n    exclude: [b +x]\n",
            &[replace("a@1 +x", "a@2"), replace("a@1 ~x", "a@2")],
            "[[a@2, b], [+x, ~x]]\n    exclude: [b +x]",
        ),
        (
            "spack:\n  definitions:\n  - p: [a@1]\n  - q: [$p]\n  - p: [b]\n  specs: [$q]\n",
            &[replace("a@1", "a@2")],
            "- p: [a@2]\n",
        ),
        (
            "spack:\n  specs:\n  - matrix: [[a], [+x], [^b]]\n",
            &[replace("a +x ^b", "a ~x")],
            "[[a], [~x], [^b]]",
        ),
        ("spack:\n  specs: [a]\n", &[add("a"), add("b")], "specs: [a, b]"),
    ];
    for (text, changes, expected) in cases {
        let out = edit(text, changes).unwrap_or_else(|trouble| panic!("{text}{changes:?}{trouble}"));
        assert!(out.contains(expected), "{changes:?}\n{out}");
        assert_eq!(out.matches('#').count(), text.matches('#').count(), "{out}");
    }
}

#[test]
fn what_would_change_another_root_is_refused_with_its_line() {
    let cases: &[(&str, Change, &str, &str)] = &[
        (
            "spack:\n  specs:\n  - b\n  - matrix: [[a@1, b], [+x, ~x]]\n",
            replace("a@1 +x", "a@2 +x"),
            "spack.yaml:4: 'a@1 +x' cannot be replaced: its line makes 1 other root",
            "write `exclude: ['a@1 +x']` into the matrix at spack.yaml:4, and add 'a@2 +x' to `specs`",
        ),
        (
            "spack:\n  specs:\n  - matrix: [[a, b], [+x, ~x]]\n",
            gone("a +x"),
            "spack.yaml:3: 'a +x' cannot be removed",
            "write `exclude: ['a +x']`",
        ),
        (
            "spack:\n  definitions:\n  - p: [a@1]\n  - c: [+x, ~x]\n  specs:\n  - matrix: [[$p], [$c]]\n  - matrix: [[$p], ['%gcc']]\n",
            replace("a@1 %gcc", "a@2"),
            "spack.yaml:3: 'a@1 %gcc' cannot be replaced: its line makes 2 other roots",
            "exclude",
        ),
        // What a row says is not gone by the wish for another.
        (
            "spack:\n  specs:\n  - matrix: [[a@1], [+x], [^b]]\n",
            replace("a@1 +x ^b", "a@2 ~x"),
            "no single element there can be changed",
            "add 'a@2 ~x' to `specs`",
        ),
        (
            "spack:\n  definitions:\n  - p: [a@1]\n  - q: [$p]\n    when: who knows\n  specs: [$p, b]\n",
            replace("a@1", "a@2"),
            "only Spack can tell what else its line makes",
            "write 'a@2' in the place of 'a@1' at spack.yaml:3",
        ),
        (
            "spack:\n  specs:\n  - matrix: [[a@1], [x=1, x=2]]\n    exclude: [mpi]\n  - b\n",
            gone("a@1"),
            "does not ask for 'a@1'",
            "",
        ),
    ];
    for (text, change, message, hint) in cases {
        let trouble = edit(text, std::slice::from_ref(change)).expect_err(text);
        assert!(trouble.message().contains(message), "{trouble}");
        assert!(
            hint.is_empty() || trouble.hints().iter().any(|known| known.contains(hint)),
            "{:?}",
            trouble.hints()
        );
    }
    let trouble = edit("spack:\n  specs: [a]\n", &[gone("b")]).unwrap_err();
    assert_eq!(trouble.kind(), Kind::NotFound);
}

#[test]
fn a_root_that_cannot_be_read_may_be_the_one_that_is_meant() {
    let text = "spack:\n  specs: ['a@1 +', b]\n";
    let roots = Lists::of_text(text, "1.2.0", &["a", "b"]).roots().unwrap();
    assert!(is_certain(&roots, "a", Dialect::Direct).is_err());
    assert!(is_certain(&roots, "b", Dialect::Direct).is_ok());
}
