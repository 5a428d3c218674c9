//! What can be typed, and what the help says of it.

use crate::common::runs_bed::Bed;

const SLEEPS: &str = "return workflow{ name = 'w', doc = 'd', options = OPTIONS, run = function(o)
    print(o.timeout) time.sleep(o.timeout and 0 or '30s') end }";

#[test]
fn options_of_every_command_may_stand_behind_the_workflow() {
    let bed = Bed::practice();
    let script = bed.script(
        "s.lua",
        &SLEEPS.replace("OPTIONS", "{ { name = 'pause', type = 'string' } }").replace("o.timeout", "o.pause"),
    );
    let output = bed.run(&["run", &script, "--timeout", "200ms"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("time limit"), "{output:?}");
    let output = bed.run(&["run", &script, "--timeout=200ms", "--json", "-v"]);
    let told: serde_json::Value =
        serde_json::from_str(String::from_utf8_lossy(&output.stderr).lines().last().unwrap()).unwrap();
    assert_eq!(told["error"]["kind"], "timeout", "{output:?}");
    // A mistake is told as if it stood in front.
    assert_eq!(bed.run(&["run", &script, "--timeout", "soon"]).status.code(), Some(3));
    assert_eq!(bed.run(&["run", &script, "--spack"]).status.code(), Some(3));
    let output = bed.run(&["--json", "plan", "install-list", "openblas", "-q"]);
    assert!(serde_json::from_slice::<serde_json::Value>(&output.stdout).is_ok(), "{output:?}");
    assert_eq!(bed.run(&["check", "--only", "database", "-v"]).status.code(), Some(0));
}

#[test]
fn what_a_workflow_or_script_has_of_that_name_is_its_own() {
    let bed = Bed::practice();
    let script = bed.script("s.lua", &SLEEPS.replace("OPTIONS", "{ { name = 'timeout', type = 'string' } }"));
    let output = bed.run(&["run", &script, "--timeout", "mine"]);
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"mine\n"[..]), "{output:?}");
    let plain = bed.script("p.lua", "print(...)");
    let output = bed.run(&["run", &plain, "--timeout", "1s", "-v", "--", "--json"]);
    assert_eq!(&*output.stdout, b"--timeout\t1s\t-v\t--\t--json\n", "{output:?}");
}

#[test]
fn the_help_of_a_plan_is_its_own() {
    let bed = Bed::practice();
    for (args, usage) in [
        (&["plan", "--help"][..], "Usage: moonstack plan "),
        (&["run", "--help"], "Usage: moonstack run "),
        (&["plan", "install-list", "--help"], "Usage: moonstack plan install-list "),
        (&["run", "install-list", "--help"], "Usage: moonstack run install-list "),
    ] {
        let text = bed.ok(args);
        assert!(text.contains(usage), "{args:?}: {text}");
        assert_eq!(text.contains("--check"), args[0] == "plan", "{args:?}: {text}");
    }
}

#[test]
fn own_options_come_first_and_sentences_are_whole() {
    let bed = Bed::practice();
    for module in ["snapshot", "generation", "env", "runs", "schedule"] {
        let text = bed.ok(&[module, "--help"]);
        let commands = text.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
        let verbs: Vec<&str> = commands
            .lines()
            .filter(|l| !l.starts_with("   "))
            .filter_map(|l| l.split_whitespace().next())
            .collect();
        assert!(verbs.len() > 2, "{text}");
        if matches!(module, "snapshot" | "generation") {
            let about = commands.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(!about.contains(" or a import") && !about.contains("of those of"), "{about}");
        }
        for verb in verbs.into_iter().filter(|verb| *verb != "help") {
            let text = bed.ok(&[module, verb, "--help"]);
            let own = text.find("--help").unwrap_or_else(|| panic!("{text}"));
            let every = text.find("Options of every command:").unwrap_or_else(|| panic!("{text}"));
            assert!(own < every && text.find("--spack").unwrap() > every, "{module} {verb}: {text}");
        }
    }
    let text = bed.ok(&["generation", "--help"]);
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        joined.contains("every hash of its lock is installed")
            && !joined.contains("its programs and publish"),
        "{text}"
    );
}

#[test]
fn what_is_required_is_asked_for_and_choices_are_shown() {
    let bed = Bed::practice();
    for args in [
        &["generation", "rollback"][..],
        &["generation", "publish"],
        &["generation", "remove", "science"],
        &["snapshot", "restore"],
        &["snapshot", "tag"],
        &["snapshot", "restore", "science@1", "--only", "nonsense"],
    ] {
        let output = bed.run(args);
        assert_eq!(output.status.code(), Some(3), "{args:?}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("--help"), "{args:?}: {output:?}");
    }
    let text = bed.ok(&["snapshot", "restore", "--help"]);
    assert!(text.contains("possible values: lock, configuration"), "{text}");
}
