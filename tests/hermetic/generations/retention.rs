//! What keeps a generation, and what removes it.

use serde_json::Value;

use crate::common::runs_bed::Bed;

fn error(bed: &Bed, args: &[&str]) -> (i32, String) {
    let output = bed.run(args);
    assert!(!output.status.success(), "{args:?}: {output:?}");
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn numbers(rows: &Value) -> Vec<u64> {
    rows.as_array().unwrap().iter().map(|row| row["number"].as_u64().unwrap()).collect()
}

/// Four generations: the third is broken, users are on the fourth.
fn four() -> Bed {
    let bed = Bed::practice();
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]);
    assert_eq!(
        bed.run(&["-q", "run", "upgrade-with-snapshot", "science", "practice-upgrade@2.0"]).status.code(),
        Some(2)
    );
    // The next upgrade would take away what came to nothing.
    bed.ok(&["generation", "pin", "science", "3"]);
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "openblas"]);
    bed.ok(&["generation", "unpin", "science", "3"]);
    bed
}

#[test]
fn a_pinned_generation_stays() {
    let bed = four();
    assert_eq!(bed.json(&["generation", "pin", "science", "3"])["pinned"], true);
    let list = bed.json(&["generation", "list", "science"]);
    assert_eq!((numbers(&list), list[2]["pinned"].as_bool()), (vec![1, 2, 3, 4], Some(true)));
    let (code, told) = error(&bed, &["generation", "remove", "science", "3", "--force"]);
    assert!(code == 4 && told.contains("it is pinned"), "{told}");
    let pruned = bed.json(&["generation", "prune", "science", "--keep", "1"]);
    assert!(numbers(&pruned["removed"]).is_empty(), "{pruned}");
    // Without a number, what users are on.
    assert_eq!(bed.json(&["generation", "pin", "science"])["number"], 4);
    assert_eq!(bed.json(&["generation", "unpin", "science"])["pinned"], false);
    assert_eq!(bed.json(&["generation", "unpin", "science", "3"])["pinned"], false);
    bed.ok(&["generation", "remove", "science", "3"]);
    for (args, words) in [
        (["generation", "pin", "science", "3"], "there are 1, 2, 4"),
        (["generation", "pin", "sciense", "1"], "did you mean 'science'"),
        (["generation", "unpin", "next", "1"], "no generations of 'next'"),
    ] {
        let (code, told) = error(&bed, &args);
        assert!(code == 2 && told.contains(words), "{args:?}: {told}");
    }
}

#[test]
fn what_users_were_on_stays_for_a_while() {
    let bed = four();
    let list = bed.json(&["generation", "list", "science"]);
    assert!(list[0]["left"].is_string() && list[2]["left"].is_null() && list[3]["left"].is_null(), "{list}");
    for extra in [&[][..], &["--dry-run"]] {
        let mut args = vec!["generation", "remove", "science", "1"];
        args.extend(extra);
        let (code, told) = error(&bed, &args);
        assert!(
            code == 4 && told.contains("programs may still run from it") && told.contains("force"),
            "{told}"
        );
    }
    let site = bed.root.join("site.toml");
    std::fs::write(&site, "[generations]\ngrace = 'soon'\n").unwrap();
    let (code, told) = error(&bed, &["--site", "site.toml", "generation", "list"]);
    assert!(code == 3 && told.contains("generations.grace"), "{told}");
    std::fs::write(&site, "[generations]\ngrase = '1d'\n").unwrap();
    assert!(error(&bed, &["--site", "site.toml", "generation", "list"]).1.contains("did you mean 'grace'"));

    std::fs::write(&site, "[generations]\ngrace = '1s'\n").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    bed.ok(&["--site", "site.toml", "generation", "remove", "science", "1"]);
    // Within the period, who knows that nothing runs may say so; what users are on does not go even then.
    bed.ok(&["generation", "remove", "science", "2", "--force"]);
    let (code, told) = error(&bed, &["generation", "remove", "science", "4", "--force"]);
    assert!(code == 4 && told.contains("users are on it"), "{told}");
}

#[test]
fn prune_removes_what_nothing_keeps() {
    let bed = four();
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "zlib@1.3"]);
    let tree = bed.tree();
    let prune = |policy: &str, words: &[&str]| -> Value {
        std::fs::write(bed.root.join("site.toml"), format!("{policy}[generations]\ngrace = '1s'\n")).unwrap();
        let mut args = vec!["--site", "site.toml", "generation", "prune", "science"];
        args.extend(words);
        bed.json(&args)
    };
    let why = |pruned: &Value| -> Vec<String> {
        let rows = pruned["kept"].as_array().unwrap().iter();
        rows.map(|row| format!("{}: {}", row["number"], row["why"].as_str().unwrap())).collect()
    };
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let said = prune("", &["--keep", "1", "--dry-run"]);
    assert_eq!(numbers(&said["removed"]), [1, 2]);
    let kept = why(&said);
    assert!(kept[0].contains("rollback would go to it") && kept[1].contains("newest 1"), "{kept:?}");
    assert_eq!(bed.tree(), tree, "a dry run changed something");
    assert!(numbers(&prune("", &["--keep", "5", "--dry-run"])["removed"]).is_empty());
    assert_eq!(numbers(&prune("[policy]\nkeep = 'name == \"other\"'\n", &["--dry-run"])["removed"]), [0; 0]);
    let policy = "[policy]\nkeep = 'kind != \"generation\" || rank < 3'\n";
    assert_eq!(numbers(&prune(policy, &["--keep", "1", "--dry-run"])["removed"]), [1]);
    // Of the default grace period nothing is over.
    let young = bed.json(&["generation", "prune", "science", "--keep", "1", "--dry-run"]);
    assert!(why(&young)[0].contains("programs may still run"), "{young}");

    bed.ok(&["generation", "pin", "science", "2"]);
    let gone = prune("[policy]\nkeep = 'false'\n", &["--keep", "1"]);
    assert_eq!(numbers(&gone["removed"]), [1], "{gone}");
    assert_eq!(numbers(&bed.json(&["generation", "list", "science"])), [2, 4, 5]);
    for (number, there) in [(1, false), (2, true), (3, false), (4, true)] {
        assert_eq!(bed.state().join(format!("generations/science/{number}")).exists(), there, "{number}");
    }
    bed.used().unwrap();
    bed.ok(&["-q", "generation", "rollback", "science"]);
    bed.used().unwrap();
    assert_eq!(error(&bed, &["generation", "prune", "sciense"]).0, 2);
}

#[test]
fn an_upgrade_prunes_as_it_is_told() {
    let bed = four();
    bed.ok(&["-q", "run", "upgrade-with-snapshot", "science", "zlib@1.3", "--keep-generations", "2"]);
    assert_eq!(numbers(&bed.json(&["generation", "list", "science"])), [1, 2, 4, 5]);
}
