//! A plan is what the run does: the same actions, found out without touching anything.

use serde_json::Value;

use crate::common::runs_bed::{Bed, WORKFLOWS, identities};

fn words(bed: &Bed, name: &str) -> Vec<String> {
    bed.words(name)
}

fn with<'a>(first: &[&'a str], rest: &'a [String]) -> Vec<&'a str> {
    first.iter().copied().chain(rest.iter().map(String::as_str)).collect()
}

#[test]
fn every_workflow_does_what_its_plan_says_and_planning_touches_nothing() {
    let bed = Bed::practice();
    for (name, _) in WORKFLOWS {
        bed.renew();
        let before = (bed.tree(), moonstack::base::digest::tree(&bed.root).unwrap());
        let plan = bed.json(&with(&["plan"], &words(&bed, name)));
        let after = (bed.tree(), moonstack::base::digest::tree(&bed.root).unwrap());
        assert!(before == after, "{name}: planning changed something");
        bed.ok(&with(&["run"], &words(&bed, name)));
        let run = bed.last_run();
        assert_eq!(run["state"], "ok", "{name}");
        assert_eq!(identities(&plan["actions"]), identities(&run["journal"]), "{name}");
        assert!(run["journal"].as_array().unwrap().iter().all(|a| a["outcome"].is_string()), "{name}");
        assert!(!plan["actions"].as_array().unwrap().is_empty(), "{name}");
        // What the workflow wrote in a plan is predicted to the letter.
        assert_ne!(bed.tree(), before.0, "{name}: the run changed nothing");
    }
}

#[test]
fn every_changing_primitive_does_what_its_plan_says() {
    let bed = Bed::practice();
    let registry = moonstack::api::registry();
    let mut tried = 0;
    for primitive in registry.iter().filter(|p| p.effect == moonstack::world::Effect::Changes) {
        bed.renew();
        let expression = format!("local _ = {}", primitive.example);
        let several = [") fs.", ") snapshot.", ") generation.", ") print("];
        let statements = several.iter().any(|then| primitive.example.contains(then));
        let text = if primitive.example.starts_with("local") || statements {
            primitive.example
        } else {
            &expression
        };
        let script = bed.script("example.lua", text);
        let before = (bed.tree(), moonstack::base::digest::tree(&bed.root).unwrap());
        let plan = bed.json(&["plan", &script]);
        assert!(
            before == (bed.tree(), moonstack::base::digest::tree(&bed.root).unwrap()),
            "{}: planning changed something",
            primitive.path
        );
        let output = bed.run(&["run", &script]);
        assert!(output.status.success(), "{}: {output:?}", primitive.path);
        let run = bed.last_run();
        assert_eq!(identities(&plan["actions"]), identities(&run["journal"]), "{}", primitive.path);
        // An example that changes nothing shows nothing; those that only look are said to by their options.
        let looks = ["reads = true", "dry_run = true", "\"find\"", "pcall(notify.send"]
            .iter()
            .any(|o| primitive.example.contains(o));
        let is_empty = plan["actions"].as_array().unwrap().is_empty();
        let keeps = ["check.record"].contains(&primitive.path);
        assert!(is_empty == (looks || keeps), "{}: {plan}", primitive.path);
        tried += 1;
    }
    assert!(tried >= 15, "{tried}");
}

#[test]
fn a_stored_plan_is_applied_as_it_is_and_who_did_is_on_record() {
    let bed = Bed::practice();
    let name = "j_dated";
    let plan = bed.root.join("j.plan").display().to_string();
    bed.ok(&with(&["plan", "-o", &plan], &words(&bed, name)));
    let stored: Value = serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    bed.ok(&["apply", &plan]);
    let run = bed.last_run();
    assert_eq!((run["kind"].as_str(), run["state"].as_str()), (Some("apply"), Some("ok")));
    assert_eq!(identities(&stored["actions"]), identities(&run["journal"]));
    assert_eq!(run["plan"]["digest"], stored["digest"]);
    assert_eq!(run["plan"]["planned_by"], stored["planned"]["user"]);
    assert!(run["user"].is_string() && run["host"].is_string() && run["spack"].is_string());
    let twice = bed.run(&["apply", &plan]);
    assert_eq!(twice.status.code(), Some(4), "{twice:?}");
}

type Change<'a> = Box<dyn Fn() + 'a>;

/// Each kind of input, how it is changed between plan and apply, and what the refusal names.
#[test]
fn a_changed_input_refuses_the_plan_and_is_named() {
    let bed = Bed::practice();
    let site = |path: &str| bed.root.join("site").join(path);
    let append = |path: &std::path::Path, text: &str| {
        use std::io::Write as _;
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let cases: Vec<(&str, Change<'_>, &str)> = vec![
        ("script", Box::new(|| append(&bed.root.join("w.lua"), "-- more\n")), "the script"),
        ("module", Box::new(|| append(&bed.root.join("helper.lua"), "-- more\n")), "the module"),
        ("site file", Box::new(|| append(&bed.root.join("site.toml"), "# more\n")), "the site file"),
        (
            "manifest",
            Box::new(|| append(&site("environments/science/spack.yaml"), "# more\n")),
            "the manifest",
        ),
        ("lock", Box::new(|| append(&site("environments/science/spack.lock"), "\n")), "the lock file"),
        (
            "configuration",
            Box::new(|| append(&site("config/config.yaml"), "\n# more\n")),
            "the configuration",
        ),
        ("file", Box::new(|| append(&bed.root.join("list.txt"), "more\n")), "the file"),
        ("store", Box::new(|| drop(bed.ok(&["eval", "spack.install('openblas')"]))), "the store"),
        (
            "spack",
            Box::new(|| {
                let git = site("spack/.git");
                std::fs::create_dir_all(&git).unwrap();
                std::fs::write(git.join("HEAD"), "0123456789012345678901234567890123456789\n").unwrap();
            }),
            "Spack ",
        ),
        (
            "repository",
            Box::new(|| {
                let git = site("repo/.git");
                std::fs::create_dir_all(&git).unwrap();
                std::fs::write(git.join("HEAD"), "0123456789012345678901234567890123456789\n").unwrap();
            }),
            "the package repository",
        ),
    ];
    for (what, change, named) in cases {
        bed.renew();
        std::fs::write(bed.root.join("helper.lua"), "return { specs = { 'openblas' } }\n").unwrap();
        std::fs::write(bed.root.join("list.txt"), "one\n").unwrap();
        std::fs::write(bed.root.join("site.toml"), "[limits]\nspack = '2h'\n").unwrap();
        let script = bed.script(
            "w.lua",
            "local helper = require('helper')\nreturn workflow{ name = 'w', doc = 'd', options = { { name = 'x', type = 'string', doc = 'x' } },\n\
             run = function() fs.read('list.txt') env.add('science', helper.specs) env.concretize('science') env.install('science') end }\n",
        );
        let plan = bed.root.join("w.plan").display().to_string();
        bed.ok(&["--site", "site.toml", "plan", "-o", &plan, &script]);
        change();
        let before = bed.tree();
        let output = bed.run(&["--json", "apply", &plan]);
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(4), "{what}: {text}");
        assert!(text.contains(named), "{what}: {text}");
        assert_eq!(before, bed.tree(), "{what}: a refused plan changed something");
    }
    // Options are part of the stored plan, which says itself whether it was changed.
    let plan = bed.root.join("w.plan");
    let mut stored: Value = serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    stored["command"]["words"].as_array_mut().unwrap().extend(["--x".into(), "other".into()]);
    std::fs::write(&plan, stored.to_string()).unwrap();
    let output = bed.run(&["apply", &plan.display().to_string()]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("was changed after it was made"), "{output:?}");
}

#[test]
fn a_run_that_departs_from_its_plan_stops_before_the_action() {
    let bed = Bed::practice();
    let out = bed.out().display().to_string();
    let cases = [
        ("os.getenv('OTHER') or 'planned'", "departs"),
        ("'planned', fs.write(DIR .. '/more', os.getenv('OTHER') or 'm')", "another content"),
    ];
    for (name, expected) in cases {
        let script = bed.script(
            "d.lua",
            &format!(
                "local DIR = '{out}'\nfs.write(DIR .. '/first', '1')\nlocal name = {name}\nfs.write(DIR .. '/' .. name, 'x')\nfs.write(DIR .. '/last', 'x')\n"
            ),
        );
        let plan = bed.root.join("d.plan").display().to_string();
        bed.ok(&["plan", "-o", &plan, &script]);
        let output = bed.command(&["apply", &plan]).env("OTHER", "elsewhere").output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(expected), "{output:?}");
        assert!(bed.out().join("first").exists() && !bed.out().join("last").exists());
        assert!(!bed.out().join("elsewhere").exists());
        bed.renew();
    }
}

#[test]
fn check_tells_by_the_exit_code_and_a_quiet_plan_is_empty() {
    let bed = Bed::practice();
    let quiet = bed.script("quiet.lua", "local n = #spack.find()\n");
    let output = bed.run(&["plan", "--check", &quiet]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("nothing to do"), "{output:?}");
    let busy = bed.script("busy.lua", "fs.mkdir('here')\n");
    assert_eq!(bed.run(&["plan", "--check", &busy]).status.code(), Some(6));
    assert_eq!(bed.run(&["plan", &busy]).status.code(), Some(0));
}

#[test]
fn a_plan_says_where_specs_come_from_and_what_they_cost() {
    let bed = Bed::practice();
    let script = bed.script("w.lua", "env.create('w', { 'gromacs' }) env.concretize('w') env.install('w')\n");
    let plan = bed.json(&["plan", &script]);
    let specs = plan["specs"]["specs"].as_array().unwrap();
    let of =
        |name: &str| specs.iter().find(|s| s["name"] == name).unwrap_or_else(|| panic!("{name}: {plan:#}"));
    assert_eq!(
        (of("gromacs")["effect"].as_str(), of("gromacs")["installs"].as_bool()),
        (Some("added"), Some(true))
    );
    assert!(["source", "mirror"].contains(&of("gromacs")["from"].as_str().unwrap()));
    assert_eq!(of("fftw")["effect"], "reused");
    assert_eq!(plan["specs"]["environments"][0]["name"], "w");
    let text = bed.ok(&["plan", &script]);
    assert!(text.contains("+ gromacs@") && text.contains("touches w: created, manifest, lock"), "{text}");
}
