//! Spec text, for any text: the parser never panics, and what it prints parses to the same spec.

use moonstack::spack::spec::{Dialect, Spec};
use proptest::prelude::*;

use crate::common::runs_bed::Bed;
use crate::effort::assert_in_proportion;

fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9-]{0,6}[a-z0-9]".prop_map(|v| format!(" +{v}")),
        "[a-z][a-z0-9]{0,6}".prop_map(|v| format!(" ~~{v}")),
        ("[a-y]{3,6}z", "[A-Za-z0-9_.,/-]{1,8}").prop_map(|(n, v)| format!(" {n}={v}")),
        ("[a-y]{3,6}q", "[A-Za-z0-9 +=%:-]{0,8}[a-z]").prop_map(|(n, v)| format!(" {n}='{v}'")),
        "[a-z]{3}".prop_map(|v| format!(" cflags='-O3 -I {v}'")),
        Just(" target=x86_64_v3:".to_owned()),
        Just(" namespace=lab".to_owned()),
        "[a-z2-7]{1,8}".prop_map(|h| format!("/{h}")),
    ]
}

fn version() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "@[0-9]{1,2}\\.[0-9]{1,3}",
        "@=[0-9]{1,2}\\.[0-9]{1,3}rc[0-9]",
        "@:[0-9]{1,2}\\.[0-9]",
        "@1\\.[0-9]{1,2},2:3\\.[0-9],=5\\.1",
        "@git\\.[a-z]{2,6}=[0-9]\\.[0-9]",
        Just("@develop:".to_owned()),
    ]
}

fn node() -> impl Strategy<Value = String> {
    ("[a-z][a-z0-9-]{0,8}[a-z0-9]", version(), prop::collection::vec(part(), 0..4))
        .prop_map(|(name, version, parts)| format!("{name}{version}{}", parts.concat()))
}

fn spec() -> impl Strategy<Value = String> {
    let edge =
        prop_oneof![Just(" ^"), Just(" %"), Just(" ^[virtuals=mpi] "), Just(" %[deptypes=build,link] ")];
    (node(), prop::collection::vec((edge, node()), 0..4)).prop_map(|(root, edges)| {
        edges.into_iter().fold(root, |spec, (sign, node)| spec + sign + node.as_str())
    })
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,60}") {
        for dialect in [Dialect::Compiler, Dialect::Direct] {
            let _ = Spec::parse_all(&text, dialect);
        }
    }

    #[test]
    fn no_spec_like_text_panics(text in "[a-z1. @:=,%^~+/'\"\\[\\]*\\\\-]{0,60}") {
        for dialect in [Dialect::Compiler, Dialect::Direct] {
            let _ = Spec::parse_all(&text, dialect);
        }
    }

    #[test]
    fn what_is_printed_parses_to_the_same(text in spec()) {
        for dialect in [Dialect::Compiler, Dialect::Direct] {
            if let Ok(spec) = Spec::parse(&text, dialect) {
                let printed = spec.to_string();
                let again = Spec::parse(&printed, dialect);
                prop_assert_eq!(again.as_ref().ok(), Some(&spec), "{} → {}", text, printed);
            }
        }
    }
}

/// Found by damaging specs: what asks for nothing, what begins like a git version, and what is read again from each of its tokens.
#[test]
fn odd_versions_and_long_words_are_read_once() {
    for text in
        ["foo@ git.main:1=2", "foo@\n0123456789abcdef0123456789abcdef01234567:1=2", "foo@git.main=1.2"]
    {
        let spec = Spec::parse(text, Dialect::Direct).unwrap();
        assert_eq!(Spec::parse(&spec.to_string(), Dialect::Direct).unwrap(), spec, "{text}");
    }
    assert_in_proportion("hashes in one word", 20_000, |words| {
        assert!(Spec::parse_all(&"/abc".repeat(words), Dialect::Direct).is_ok());
    });
}

#[test]
fn errors_say_where_and_what_is_refused_is_named() {
    for (text, kind, column, word) in [
        ("hdf5@1.2@1.3", "usage", 9, "one '@'"),
        ("hdf5 +", "usage", 6, "unexpected '+'"),
        ("hdf5 %", "usage", 7, "missing"),
        ("hdf5 %[when='+x +x'] gcc", "usage", 8, "given twice"),
        ("hdf5+debug+debug", "usage", 11, "given twice"),
        ("hdf5 x=a x=a", "usage", 10, "given twice"),
        ("hdf5 platform=linux platform=linux", "usage", 21, "given twice"),
        ("hdf5 arch=linux-debian12-zen2 os=debian12", "usage", 31, "given twice"),
        ("hdf5 commit==x", "usage", 6, "'=' only"),
        ("hdf5 os==x", "usage", 6, "'=' only"),
        ("hdf5 ^[deptypes=all] a", "usage", 8, "type of dependency"),
        ("hdf5 ^[deptypes=build] a ^[deptypes=build,link] a", "usage", 49, "needed twice"),
        ("./spec.json", "unsupported", 1, "a spec file cannot be read here"),
        ("hdf5 target=frontend", "unsupported", 6, "frontend"),
        ("hdf5@3:1", "usage", 5, "empty"),
        ("hdf5 ^[virtuals=c,=d] gcc", "usage", 8, "virtual package"),
        ("hdf5 ^[virtuals==c] gcc", "usage", 8, "name=value"),
        ("hdf5 ^a@1 ^a@2", "usage", 13, "contradicts"),
    ] {
        let error = Spec::parse(text, Dialect::Direct).unwrap_err();
        assert_eq!(error.kind().name(), kind, "{text}: {error}");
        assert_eq!(error.facts()["column"], column, "{text}: {error}");
        assert!(error.message().contains(word), "{text}: {error}");
    }
}

#[test]
fn specs_are_the_same_whatever_their_order_of_dependencies() {
    let parse = |text: &str, dialect| Spec::parse(text, dialect).unwrap();
    let same = |a: &str, b: &str, dialect| parse(a, dialect).same_as(&parse(b, dialect), dialect);
    for (a, b, expected) in [
        ("mpileaks ^mpich ^libelf@0.8.12", "mpileaks ^libelf@0.8.12 ^mpich", true),
        ("a %cxx=llvm %c=gcc", "a %c=gcc %cxx=llvm", true),
        ("a ^b ^b@1:", "a ^b@1:", true),
        ("a ^[virtuals=c] b", "a ^b", false),
        ("a %[when=+x] b", "a %b", false),
        ("a@1_2", "a@1-2", true),
        ("a x:=b,c", "a x:=c,b", true),
        ("a x:=b,c", "a x=b,c", false),
        ("a cflags='-O2 -g'", "a cflags='-g -O2'", false),
        ("a@git.main=1.2", "a@git.main=1.2", true),
        ("n.a", "a", false),
        ("a target=''", "a", false),
    ] {
        assert_eq!(same(a, b, Dialect::Direct), expected, "{a} and {b}");
    }
    assert!(same("a ^[virtuals=c] b", "a ^b", Dialect::Compiler));
    // A namespace is lost where Spack writes a spec down, and a hash becomes a part of the value before it.
    let written = |text: &str| parse(text, Dialect::Direct).as_written(Dialect::Direct).to_string();
    assert_eq!(written("n.a ^n.b"), "a ^b");
    assert_eq!(written("a os=x /abc"), "a os=x/abc");
    assert_eq!(written("a x='b c' /abc"), "a x='b c' /abc");
}

#[test]
fn what_follows_a_dependency_that_was_named_before_belongs_to_nothing() {
    let spec = Spec::parse("a ^b@1: ^b@:2 %gcc ^c %clang", Dialect::Direct).unwrap();
    assert_eq!(spec.to_string(), "a ^b@1:2 ^c %llvm");
}

#[test]
fn nightly_is_a_version_above_numbers_from_1_0_on() {
    for (dialect, fits) in [(Dialect::Compiler, false), (Dialect::Direct, true)] {
        let wanted = Spec::parse("a@1.0:", dialect).unwrap().versions;
        let version = moonstack::spack::spec::version::VersionList::concrete("nightly", dialect).unwrap();
        assert_eq!(version.satisfies(&wanted), fits, "{dialect:?}");
    }
}

#[test]
fn the_dialects_read_percent_differently() {
    let old = Spec::parse("hdf5 %gcc@12 +mpi", Dialect::Compiler).unwrap();
    assert!(old.variants.contains_key("mpi") && old.compiler.is_some() && old.dependencies.is_empty());
    let new = Spec::parse("hdf5 %gcc@12 +mpi", Dialect::Direct).unwrap();
    assert!(new.variants.is_empty() && new.dependencies[0].spec.variants.contains_key("mpi"));
}

#[test]
fn a_spec_file_stands_for_the_hash_in_it() {
    let bed = Bed::practice();
    let found = bed.json(&["find", "hdf5"])[0].clone();
    let file = format!("{}/.spack/spec.json", found["prefix"].as_str().unwrap());
    assert_eq!(bed.json(&["find", &file])[0]["hash"], found["hash"]);
    let below = bed.json(&["find", &format!("netcdf-c ^{file}")]);
    assert_eq!(below[0]["name"], "netcdf-c");
    let folder = bed.root.join("specs");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("abstract.yaml"), "spec:\n  nodes:\n  - name: hdf5\n").unwrap();
    let said = |word: &str| {
        let output = bed.command(&["find", word]).current_dir(&folder).output().unwrap();
        (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
    };
    let (text, code) = said("./abstract.yaml");
    assert!(text.contains("holds no concrete spec") && code != Some(0), "{text}");
    let (text, code) = said("./none.json");
    assert!(text.contains("there is no such file") && code != Some(0), "{text}");
}
