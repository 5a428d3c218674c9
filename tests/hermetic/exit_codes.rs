//! Every exit code, by every way that leads to it: monitors and cron jobs rely on nothing else.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::runs_bed::Bed;

/// A way to an exit code: what is done before, and the command line.
struct Way {
    name: &'static str,
    code: i32,
    /// Scripts by name.
    scripts: &'static [(&'static str, &'static str)],
    /// Commands that have to end well before.
    before: &'static [&'static [&'static str]],
    args: &'static [&'static str],
    faults: &'static str,
}

const PLAIN: Way = Way { name: "", code: 0, scripts: &[], before: &[], args: &[], faults: "" };
const FAILS: &str = "[package.openblas]\nfail = \"build\"\n";
const STEPS: &str = "return workflow{ name = 'w', doc = 'd', options = {}, on_fail = MODE, run = function()\n\
    run.step('a', function() fail('not_done', 'broken') end) run.step('b', function() end) end }";

const WAYS: &[Way] = &[
    Way {
        name: "a script that does something",
        scripts: &[("s.lua", "fs.mkdir('x')")],
        args: &["run", "./s.lua"],
        ..PLAIN
    },
    Way {
        name: "a script that returns 0",
        scripts: &[("s.lua", "return 0")],
        args: &["run", "./s.lua"],
        ..PLAIN
    },
    Way { name: "a workflow", args: &["run", "install-list", "openblas"], ..PLAIN },
    Way { name: "help of a workflow", args: &["run", "install-list", "--help"], ..PLAIN },
    Way { name: "a plan, also of many changes", args: &["plan", "install-list", "openblas"], ..PLAIN },
    Way {
        name: "an empty plan that is checked",
        args: &["plan", "--check", "install-list", "fftw"],
        ..PLAIN
    },
    Way {
        name: "a plan that is applied",
        before: &[&["plan", "-o", "p", "install-list", "openblas"]],
        args: &["apply", "p"],
        ..PLAIN
    },
    Way { name: "the list of runs where there is none", args: &["runs"], ..PLAIN },
    Way {
        name: "a lock that is waited for",
        args: &["--wait", "1s", "run", "install-list", "openblas"],
        ..PLAIN
    },
    Way {
        name: "a script that returns 1",
        code: 1,
        scripts: &[("s.lua", "return 1")],
        args: &["run", "./s.lua"],
        ..PLAIN
    },
    Way {
        name: "an environment that is not whole",
        code: 1,
        before: &[&["env", "create", "n", "openblas"]],
        args: &["env", "status", "n"],
        ..PLAIN
    },
    Way { name: "what is not installed", code: 1, args: &["find", "openblas"], ..PLAIN },
    Way { name: "the same for programs", code: 1, args: &["--json", "find", "openblas"], ..PLAIN },
    Way {
        name: "a script that raises",
        code: 2,
        scripts: &[("s.lua", "error('no')")],
        args: &["run", "./s.lua"],
        ..PLAIN
    },
    Way {
        name: "a script that returns 2",
        code: 2,
        scripts: &[("s.lua", "return 2")],
        args: &["run", "./s.lua"],
        ..PLAIN
    },
    Way {
        name: "a package that does not build",
        code: 2,
        args: &["run", "install-list", "openblas"],
        faults: FAILS,
        ..PLAIN
    },
    Way {
        name: "a package that nobody knows",
        code: 2,
        args: &["run", "install-list", "nosuchpackage"],
        ..PLAIN
    },
    Way {
        name: "a step that fails while others go on",
        code: 2,
        scripts: &[("s.lua", STEPS)],
        args: &["run", "./s.lua"],
        ..PLAIN
    },
    Way {
        name: "a program that fails",
        code: 2,
        scripts: &[("s.lua", "process.run{ 'false' }")],
        args: &["run", "./s.lua"],
        ..PLAIN
    },
    Way {
        name: "a time limit",
        code: 2,
        scripts: &[("s.lua", "time.sleep('20s')")],
        args: &["--timeout", "300ms", "run", "./s.lua"],
        ..PLAIN
    },
    Way { name: "a run that is not there", code: 2, args: &["runs", "show", "77"], ..PLAIN },
    Way { name: "a plan file that is not there", code: 2, args: &["apply", "nowhere"], ..PLAIN },
    Way {
        name: "a plan of which something is left out",
        code: 2,
        scripts: &[("s.lua", "fs.mkdir('a') if not fs.exists('skip') then fs.mkdir('b') end")],
        before: &[&["plan", "-o", "p", "./s.lua"], &["eval", "fs.write('skip', '')"]],
        args: &["apply", "p"],
        ..PLAIN
    },
    Way { name: "a word that clap does not know", code: 3, args: &["runn"], ..PLAIN },
    Way {
        name: "an option that a workflow does not have",
        code: 3,
        args: &["run", "install-list", "--jbos", "2"],
        ..PLAIN
    },
    Way { name: "a workflow that nobody knows", code: 3, args: &["run", "instal-list"], ..PLAIN },
    Way { name: "a workflow without what it needs", code: 3, args: &["run", "install-list"], ..PLAIN },
    Way {
        name: "a script that does not parse",
        code: 2,
        scripts: &[("s.lua", "if")],
        args: &["run", "./s.lua"],
        ..PLAIN
    },
    Way {
        name: "a name that nobody knows",
        code: 3,
        scripts: &[("s.lua", "spack.instal('x')")],
        args: &["run", "./s.lua"],
        ..PLAIN
    },
    Way {
        name: "a step that is declared twice",
        code: 3,
        scripts: &[("s.lua", "for _ = 1, 2 do run.step('a', function() end) end")],
        args: &["run", "./s.lua"],
        ..PLAIN
    },
    Way {
        name: "a site file with an unknown key",
        code: 3,
        scripts: &[("site.toml", "nonsense = 1")],
        args: &["--site", "site.toml", "runs"],
        ..PLAIN
    },
    Way {
        name: "a policy that does not compile",
        code: 3,
        scripts: &[("site.toml", "[policy]\nkeep = 'agee < 3'")],
        args: &["--site", "site.toml", "runs"],
        ..PLAIN
    },
    Way { name: "a file that is no plan", code: 3, scripts: &[("p", "{}")], args: &["apply", "p"], ..PLAIN },
    Way {
        name: "a plan of a later format",
        code: 3,
        scripts: &[("p", "{\"format\": 99}")],
        args: &["apply", "p"],
        ..PLAIN
    },
    Way {
        name: "a guard",
        code: 4,
        before: &[&["env", "create", "n"]],
        args: &["env", "create", "n"],
        ..PLAIN
    },
    Way {
        name: "a script whose guard refuses",
        code: 4,
        scripts: &[("s.lua", "fail('refused', 'not today')")],
        args: &["run", "./s.lua"],
        ..PLAIN
    },
    Way {
        name: "a plan that is out of date",
        code: 4,
        before: &[&["plan", "-o", "p", "install-list", "openblas"], &["run", "install-list", "openblas"]],
        args: &["apply", "p"],
        ..PLAIN
    },
    Way {
        name: "a run that departs from its plan",
        code: 4,
        scripts: &[("s.lua", "fs.mkdir(fs.exists('other') and 'b' or 'a')")],
        before: &[&["plan", "-o", "p", "./s.lua"], &["eval", "fs.write('other', '')"]],
        args: &["apply", "p"],
        ..PLAIN
    },
    Way {
        name: "a run that has ended well",
        code: 4,
        before: &[&["run", "install-list", "openblas"]],
        args: &["runs", "resume", "1"],
        ..PLAIN
    },
    Way {
        name: "a plan that is not empty",
        code: 6,
        args: &["plan", "--check", "install-list", "openblas"],
        ..PLAIN
    },
    Way {
        name: "the same, asked for after the name",
        code: 6,
        args: &["plan", "install-list", "openblas", "--check"],
        ..PLAIN
    },
];

#[test]
fn every_way_leads_to_its_code() {
    let bed = Bed::practice();
    let mut wrong = Vec::new();
    for way in WAYS {
        bed.renew();
        for file in ["s.lua", "site.toml", "p", "x", "a", "b", "skip", "other"] {
            let path = bed.root.join(file);
            let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
        }
        for (name, text) in way.scripts {
            bed.script(name, &text.replace("MODE", "'keep_going'"));
        }
        for before in way.before {
            bed.ok(before);
        }
        let mut command = bed.command(way.args);
        if !way.faults.is_empty() {
            command.env("MOONSTACK_PRACTICE_FAULTS", way.faults);
        }
        let output = command.output().unwrap();
        if output.status.code() != Some(way.code) {
            wrong.push(format!("{}: {:?}, not {}: {output:?}", way.name, output.status.code(), way.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let codes: std::collections::BTreeSet<i32> = WAYS.iter().map(|w| w.code).collect();
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 6], "5 and 130 are below");
}

#[test]
fn a_second_instance_is_5_and_a_signal_is_130() {
    let bed = Bed::practice();
    let script = bed.script("s.lua", "fs.mkdir('begun') time.sleep('30s')");
    for signal in ["-TERM", "-INT", "-HUP"] {
        // Where the tests run under nohup, so does what they start.
        if signal == "-HUP" && moonstack::world::who::ignores(1) {
            continue;
        }
        let _ = std::fs::remove_dir_all(bed.root.join("begun"));
        let mut child = bed.command(&["run", &script]).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while !bed.root.join("begun").exists() {
            assert!(Instant::now() < deadline, "{signal}: the run does not begin");
            std::thread::sleep(Duration::from_millis(5));
        }
        for args in [&["run", script.as_str()][..], &["--json", "run", script.as_str()]] {
            assert_eq!(bed.run(args).status.code(), Some(5), "{args:?}");
        }
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal}");
    }
}

#[test]
fn a_reader_that_goes_away_stops_the_output_and_nothing_else() {
    let bed = Bed::practice();
    let whole = bed.script("whole.lua", "print('a line') print('another') fs.mkdir('late')");
    let failing = bed.script("failing.lua", "fs.mkdir('begun') print('a line') fail('build', 'it broke')");
    let refused = bed.script("refused.lua", "print(('x'):rep(1e6)) fail('refused', 'not today')");
    for (args, code) in [
        (&["run", "upgrade-with-snapshot", "science", "hdf5@1.12"][..], 0),
        (&["run", &whole], 0),
        (&["run", &failing, "--summary"], 2),
        (&["run", &refused], 4),
        (&["eval", "print(1) fail('lock', 'x')"], 2),
        (&["call", "env.show", "{\"name\": \"nowhere\"}"], 2),
        (&["find"], 0),
        (&["find", "nosuch"], 1),
        (&["--json", "find", "nosuch"], 1),
        (&["find", "nosuch", "--env", "nowhere"], 2),
        (&["run", "health-sweep", "--nonsense"], 3),
        (&["nonsense"], 3),
        (&["snapshot", "show", "nowhere"], 2),
    ] {
        let mut child = bed.command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{args:?}");
    }
    assert!(bed.root.join("begun").exists() && bed.root.join("late").exists());
    let runs = bed.json(&["runs"]);
    let of = |script: &str| runs.as_array().unwrap().iter().find(|row| row["script"] == script);
    assert_eq!(of("upgrade-with-snapshot").unwrap()["state"], "ok", "{runs}");
    assert_eq!(bed.used().unwrap().1, 2, "users are on what was built");
}

#[test]
fn without_a_spack_it_is_3() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_moonstack"))
        .args(["eval", "spack.info()"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}
