//! Where it hurts, through the built executable: damaged, foreign, missing and locked databases, a Spack that
//! misbehaves, scripts with mistakes. Each gives the right exit code, one clear message, and never a partial answer.

mod bed;

use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::Duration;

use bed::{Bed, said, spread};
use moonstack::world::fs::lock::{self, Mode, Range};
use serde_json::Value;

use crate::common::dice::Dice;

/// Seed of everything that is chosen at random here.
const SEED: u64 = 20_260_101;

/// Beds that work at the same time; the sites are made once a test.
fn beds() -> Vec<Bed> {
    (0..2).map(|_| Bed::new()).collect()
}

/// Fails unless the offset that an error names lies within the file.
fn offset_within(error: &Value, length: usize, case: &str) {
    let offset = error["facts"]["offset"].as_u64().unwrap_or_else(|| panic!("{case}: no offset: {error}"));
    assert!(offset as usize <= length, "{case}: {error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(&format!("at byte {offset}")), "{case}: {error}");
}

#[test]
fn a_cut_off_database_is_an_error_at_every_length() {
    let beds = beds();
    let length = std::fs::read(beds[0].index()).unwrap().len();
    let mut dice = Dice::seeded(SEED);
    let mut cuts: Vec<usize> = (0..47).map(|_| dice.index(length)).collect();
    cuts.extend([0, 1, length - 1]);
    spread(&beds, &cuts, |bed, cut| {
        let whole = std::fs::read(bed.index()).unwrap();
        std::fs::write(bed.index(), &whole[..*cut]).unwrap();
        let case = format!("cut at {cut} of {}", whole.len());
        let error = bed.records().error(&case);
        std::fs::write(bed.index(), &whole).unwrap();
        assert_eq!(error["kind"], "corrupt", "{case}: {error}");
        offset_within(&error, *cut, &case);
    });
}

/// The values that differ, by their place in the rows.
fn differences(place: &str, a: &Value, b: &Value, found: &mut Vec<String>) {
    match (a, b) {
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            for (i, (x, y)) in x.iter().zip(y).enumerate() {
                differences(&format!("{place}[{i}]"), x, y, found);
            }
        }
        (Value::Object(x), Value::Object(y)) => {
            let keys: std::collections::BTreeSet<&String> = x.keys().chain(y.keys()).collect();
            for key in keys {
                let none = Value::Null;
                let (x, y) = (x.get(key).unwrap_or(&none), y.get(key).unwrap_or(&none));
                differences(&format!("{place}.{key}"), x, y, found);
            }
        }
        _ if a != b => found.push(place.to_owned()),
        _ => {}
    }
}

/// Where the records of externals are.
fn externals(index: &[u8]) -> Vec<std::ops::Range<usize>> {
    let text = String::from_utf8_lossy(index);
    let starts: Vec<usize> = text.match_indices("\":{\"spec\":{").map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let records = starts.iter().copied().zip(ends).map(|(from, to)| from..to);
    records.filter(|range| text[range.clone()].contains("\"external\":{")).collect()
}

#[test]
fn a_flipped_byte_never_passes_unseen() {
    let beds = beds();
    let length = std::fs::read(beds[0].index()).unwrap().len();
    let mut dice = Dice::seeded(SEED);
    let flips: Vec<(usize, u8)> = (0..200).map(|_| (dice.index(length), 1 << dice.below(8))).collect();
    let counts = std::sync::Mutex::new((0, 0, 0));
    spread(&beds, &flips, |bed, (at, bit)| {
        let whole = std::fs::read(bed.index()).unwrap();
        let before = bed.sound();
        let mut flipped = whole.clone();
        flipped[*at] ^= bit;
        let case = format!(
            "bit {bit} of byte {at}: …{}…",
            String::from_utf8_lossy(&flipped[at.saturating_sub(30)..flipped.len().min(at + 30)])
        );
        std::fs::write(bed.index(), &flipped).unwrap();
        let answer = bed.records();
        let checked = (answer.code == 0)
            .then(|| bed.run(&["--json", "call", "check.builtin", r#"{"only":["database"]}"#]).json());
        std::fs::write(bed.index(), &whole).unwrap();
        let Some(findings) = checked else {
            let error = answer.error(&case);
            if error["kind"] == "unknown_format" {
                assert!(error["facts"]["version"].is_string(), "{case}: {error}");
            } else {
                assert_eq!(error["kind"], "corrupt", "{case}: {error}");
                offset_within(&error, whole.len(), &case);
            }
            counts.lock().unwrap().0 += 1;
            return;
        };
        let seen = findings.as_array().unwrap().iter().any(|f| f["status"] != "pass");
        let after = answer.json();
        assert_eq!(
            before.as_array().unwrap().len(),
            after.as_array().unwrap().len(),
            "{case}: a partial answer"
        );
        let mut differ = Vec::new();
        differences("", before, &after, &mut differ);
        let mut counts = counts.lock().unwrap();
        if seen {
            counts.1 += 1;
        } else {
            // Nothing is built of an external, and its hash says nothing of what is there.
            let is_external = externals(&whole).iter().any(|range| range.contains(at));
            assert!(is_external || differ.len() <= 1, "{case}: {differ:?} and no check saw it");
            counts.2 += 1;
        }
    });
    let (refused, exposed, alone) = *counts.lock().unwrap();
    println!(
        "of 200 flips: {refused} refused, {exposed} exposed by the check, {alone} in a value that nothing covers"
    );
    assert!(refused > 20 && exposed > 50, "the flips miss what they are for: {refused} {exposed} {alone}");
}

/// A record's fault is not the fault of who asks: it names the file and the record, not only the text.
#[test]
fn an_impossible_version_in_a_record_is_damage() {
    let bed = Bed::new();
    let whole = std::fs::read_to_string(bed.index()).unwrap();
    for (what, query) in [("", "{}"), ("asked for", r#"{"query":"zlib@1.2:"}"#)] {
        let bad = whole.replacen(r#""version":"1.2.13""#, r#""version":"1.2/13""#, 1);
        assert_ne!(bad, whole);
        std::fs::write(bed.index(), &bad).unwrap();
        let error = bed.run(&["--json", "call", "spack.find", query]).error(what);
        assert_eq!(error["kind"], "corrupt", "{what}: {error}");
        assert!(error["message"].as_str().unwrap().contains("the record of"), "{what}: {error}");
        offset_within(&error, bad.len(), what);
    }
}

#[test]
fn a_future_version_is_refused_by_name() {
    let bed = Bed::new();
    let whole = std::fs::read_to_string(bed.index()).unwrap();
    for (version, rest) in [("9", ""), ("99", ""), ("10", r#","annexes":{}"#)] {
        let future = whole.replacen(r#""version":"8""#, &format!(r#""version":"{version}"{rest}"#), 1);
        assert_ne!(future, whole);
        std::fs::write(bed.index(), future).unwrap();
        let trouble = bed.run(&["find"]);
        let trouble = trouble.trouble(3);
        assert!(
            trouble.contains(&format!("version {version}")) && trouble.contains("known versions"),
            "{trouble}"
        );
        assert!(trouble.contains("index.json"), "{trouble}");
    }
}

#[test]
fn a_damaged_lock_file_is_an_error() {
    let bed = Bed::new();
    let file = bed.path("site/environments/science/spack.lock");
    let whole = std::fs::read_to_string(&file).unwrap();
    let mut dice = Dice::seeded(SEED);
    let status = ["--json", "env", "status", "science"];
    assert_eq!(bed.run(&status).code, 0);
    for cut in (0..12).map(|_| dice.index(whole.trim_end().len())) {
        std::fs::write(&file, &whole[..cut]).unwrap();
        let case = format!("cut at {cut} of {}", whole.len());
        let error = bed.run(&status).error(&case);
        assert_eq!(error["kind"], "corrupt", "{case}: {error}");
        offset_within(&error, cut, &case);
    }
    let future = whole.replacen(r#""lockfile-version": 6"#, r#""lockfile-version": 60"#, 1);
    let future = future.replacen(r#""lockfile-version":6"#, r#""lockfile-version":60"#, 1);
    assert_ne!(future, whole);
    std::fs::write(&file, future).unwrap();
    let error = bed.run(&status).error("a future version");
    assert_eq!(
        (&error["kind"], error["message"].to_string().contains("60")),
        (&"unknown_format".into(), true)
    );
}

#[test]
fn a_damaged_configuration_is_an_error_with_its_line() {
    let bed = Bed::new();
    let file = bed.path("site/config/config.yaml");
    let whole = std::fs::read_to_string(&file).unwrap();
    for (text, words) in [
        (format!("{whole}  build_stage: [\n"), "config.yaml:"),
        (format!("{whole}config: twice\n"), "config.yaml:"),
        ("config:\n  install_tree: [a, b]\n".to_owned(), "config.yaml:2"),
        ("config: \0\n".to_owned(), "config.yaml:"),
    ] {
        std::fs::write(&file, text).unwrap();
        let result = bed.run(&["find"]);
        assert!(result.trouble(3).contains(words), "{result:?}");
    }
    std::fs::write(&file, b"config: \xff\xfe\n").unwrap();
    let result = bed.run(&["find"]);
    assert!(result.trouble(3).contains("config.yaml"), "{result:?}");
}

#[test]
fn a_lost_database_is_not_an_empty_one() {
    let bed = Bed::new();
    std::fs::remove_file(bed.index()).unwrap();
    let found = bed.run(&["find"]);
    let trouble = found.trouble(3);
    assert!(trouble.contains("index.json is missing") && trouble.contains("spack reindex"), "{trouble}");
    std::fs::remove_dir_all(bed.path("site/store")).unwrap();
    let empty = bed.run(&["--json", "find"]);
    assert_eq!((empty.code, empty.out.trim()), (0, "[]"), "a store without packages: {empty:?}");
}

#[test]
fn an_unreadable_database_is_an_error() {
    let bed = Bed::new();
    std::fs::set_permissions(bed.index(), std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    if nix::unistd::geteuid().is_root() {
        // Root may read everything: as nobody, who must be able to come this far.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(bed.path(""), open).unwrap();
        let mut command = bed.command(&["find"]);
        let result = said(command.uid(65_534).gid(65_534));
        let trouble = result.trouble(2);
        assert!(trouble.contains("cannot read") && trouble.contains("index.json"), "{trouble}");
    } else {
        let result = bed.run(&["find"]);
        assert!(result.trouble(2).contains("cannot read"), "{result:?}");
    }
    std::fs::remove_file(bed.index()).unwrap();
    std::fs::create_dir(bed.index()).unwrap();
    let result = bed.run(&["find"]);
    assert!(result.trouble(2).contains("index.json"), "{result:?}");
}

#[test]
fn a_lock_that_is_held_is_waited_for_and_its_holder_named() {
    let bed = Bed::new();
    let site = bed.file("own.toml", "[limits]\nlock = '300ms'\n");
    let lock_file = bed.path("site/store/.spack-db/lock");
    // As Spack takes it: a POSIX record lock, whose holder the kernel knows.
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&lock_file).unwrap();
    let mut whole = libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETLK(&whole)).unwrap();
    let held = bed.run(&["--site", &site, "find"]);
    let trouble = held.trouble(2);
    assert!(trouble.contains("is locked by another process"), "{trouble}");
    assert!(trouble.contains(&format!("process {}", std::process::id())), "the holder is named: {trouble}");
    // Somebody with more patience gets the answer when the lock is given back.
    let site_of_the_patient = bed.file("patient.toml", "[limits]\nlock = '1m'\n");
    let patient = bed.command(&["--site", &site_of_the_patient, "find"]).stdout(Stdio::null()).spawn();
    let mut patient = patient.unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(patient.try_wait().unwrap(), None, "it does not wait");
    whole.l_type = libc::F_UNLCK as i16;
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETLK(&whole)).unwrap();
    assert!(patient.wait().unwrap().success());
    let _reader = lock::try_lock(&lock_file, Mode::Read, Range::WHOLE).unwrap();
    assert_eq!(bed.run(&["--site", &site, "find"]).code, 0, "readers do not stand in each other's way");
}

/// A script that starts the site's Spack, and what the environment asks that Spack to do wrong.
fn with_fault(bed: &Bed, fault: &str, script: &str) -> bed::Said {
    let mut command = bed.command(&["--quiet", "eval", script]);
    said(command.env("MOONSTACK_PRACTICE_FAULTS", fault))
}

/// Processes that were started from this bed's site and still run.
fn left_running(bed: &Bed) -> Vec<String> {
    let root = bed.path("site/spack").display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = processes.filter_map(|p| std::fs::read(p.path().join("cmdline")).ok());
    lines.map(|l| String::from_utf8_lossy(&l).replace('\0', " ")).filter(|l| l.contains(&root)).collect()
}

const SPACK: &str = r#"local spack = spack.info().root .. "/bin/spack" "#;

#[test]
fn a_spack_that_hangs_is_ended_with_its_group() {
    let bed = Bed::new();
    let hang = "[verb.find]\nhang = true\n";
    let script = format!(r#"{SPACK} return process.run({{ spack, "find" }}, {{ timeout = "400ms" }})"#);
    let hung = with_fault(&bed, hang, &script);
    assert!(hung.trouble(2).contains("was not done within 400ms"), "{hung:?}");
    assert_eq!(left_running(&bed), Vec::<String>::new());
    let script = format!(r#"{SPACK} return process.run({{ spack, "find" }}, {{ silence = "300ms" }})"#);
    assert!(with_fault(&bed, hang, &script).trouble(2).contains("printed nothing for 300ms"));
    // The limit of the whole command reaches the program as well.
    let script = format!(r#"{SPACK} return process.run({{ spack, "find" }})"#);
    let mut command = bed.command(&["--timeout", "500ms", "eval", &script]);
    let limited = said(command.env("MOONSTACK_PRACTICE_FAULTS", hang));
    assert!(limited.trouble(2).contains("time limit"), "{limited:?}");
    assert_eq!(left_running(&bed), Vec::<String>::new());
}

#[test]
fn a_spack_that_prints_garbage_or_floods_is_survived() {
    let bed = Bed::new();
    let script = format!(r#"{SPACK} return json.decode(process.run({{ spack, "find", "--json" }}).stdout)"#);
    let garbage = with_fault(&bed, "[verb.find]\ngarbage = true\n", &script);
    let trouble = garbage.trouble(3);
    assert!(trouble.contains("not JSON") && trouble.contains("line 1"), "{trouble}");
    assert!(!trouble.contains("__mlua"), "no insides of ours: {trouble}");
    let script = format!(
        r#"{SPACK} local r = process.run({{ spack, "find" }}, {{ tail = "4 KiB" }})
        return r.truncated, #r.stdout <= 4096, r.stdout:match("flood (%d+)[^\n]*\n[^\n]*$")"#
    );
    let flood = with_fault(&bed, "[verb.find]\nflood = 300000\ncode = 0\n", &script);
    assert_eq!(
        (flood.code, flood.out.split_whitespace().collect::<Vec<_>>()),
        (0, vec!["yes", "yes", "299999"])
    );
    let script = format!(r#"{SPACK} return process.run({{ spack, "find" }})"#);
    let failing = with_fault(&bed, "[verb.find]\ncode = 7\nmessage = \"no luck today\"\n", &script);
    let trouble = failing.trouble(2);
    assert!(trouble.contains("exit code 7") && trouble.contains("no luck today"), "{trouble}");
}

/// Success is what is observed afterwards: a Spack that says nothing useful, or nothing at all, is found out.
#[test]
fn a_spack_that_misbehaves_while_it_changes_the_site_is_found_out() {
    let bed = Bed::new();
    let before = bed.sound().as_array().unwrap().clone();
    let cases = [
        ("[verb.install]\ngarbage = true", "spack.install('osu-micro-benchmarks')", "not_done"),
        (
            "[verb.install]\nhang = true",
            "spack.install('osu-micro-benchmarks', { timeout = '400ms' })",
            "timeout",
        ),
        ("[verb.install]\ncode = 1\nmessage = 'no luck'", "spack.install('osu-micro-benchmarks')", "program"),
        ("[verb.uninstall]\ngarbage = true", "spack.uninstall('zlib', { force = true })", "not_done"),
        ("[verb.spec]\ngarbage = true", "spack.spec('hdf5')", "program"),
        ("[package.gromacs]\nkill = true", "spack.install('gromacs')", "signal"),
        ("[package.gromacs]\nfail = 'build'", "spack.install('gromacs')", "build"),
        ("[package.gromacs]\nfail = 'fetch'", "spack.install('gromacs')", "fetch"),
        ("[verb.concretize]\ngarbage = true", "env.add('next', 'fftw'); env.concretize('next')", "not_done"),
    ];
    for (fault, script, kind) in cases {
        let mut command = bed.command(&["--json", "--quiet", "eval", script]);
        let result = said(command.env("MOONSTACK_PRACTICE_FAULTS", fault));
        let case = format!("{fault}: {script}");
        let error = result.error(&case);
        assert_eq!(error["kind"], kind, "{case}: {error}");
    }
    assert_eq!(left_running(&bed), Vec::<String>::new());
    let after = bed.records().json();
    let after: Vec<&Value> = after.as_array().unwrap().iter().map(|row| &row["hash"]).collect();
    assert!(before.iter().all(|row| after.contains(&&row["hash"])), "nothing that was there is lost");
}

#[test]
fn mistakes_in_scripts_are_told_once_with_their_line() {
    let bed = Bed::new();
    let script = |text: &str| bed.file("mistake.lua", text);
    let cases: &[(&str, i32, &[&str])] = &[
        ("local x = = 1\n", 2, &["mistake.lua", "unexpected symbol"]),
        ("-- one\nlocal x = 'open\n", 2, &["mistake.lua:2", "unfinished string"]),
        ("spack.fnid()\n", 3, &["mistake.lua:1", "did you mean 'find'?"]),
        ("spack.find('zlib', { explicti = true })\n", 3, &["mistake.lua:1", "did you mean 'explicit'?"]),
        ("spack.find('zlib', { explicit = 'yes' })\n", 3, &["mistake.lua:1", "explicit"]),
        ("\n\nprnt('x')\n", 3, &["mistake.lua:3", "did you mean 'print'?"]),
        ("count = 1\n", 3, &["mistake.lua:1", "local count"]),
        ("require('reprot')\n", 3, &["mistake.lua:1", "did you mean 'report'?"]),
        ("error({ message = 'plain' })\n", 2, &["mistake.lua:1", "plain"]),
        ("local t = nil\nreturn t.x\n", 2, &["mistake.lua:2", "nil value"]),
    ];
    for (text, code, words) in cases {
        let result = bed.run(&["run", &script(text)]);
        let trouble = result.trouble(*code);
        let place = words.first().and_then(|w| w.split_once(':'));
        for word in *words {
            // The excerpt says `mistake.lua:2:9` or marks the line; both name file and line.
            let named = trouble.contains(word)
                || place.is_some_and(|(f, l)| {
                    *word == words[0] && trouble.contains(f) && trouble.contains(&format!("{l} |"))
                });
            assert!(named, "{text}: '{word}' is not said:\n{trouble}");
        }
    }
    let result = bed.run(&["run", &bed.path("no-such.lua").display().to_string()]);
    assert!(result.trouble(2).contains("no-such.lua"), "{result:?}");
    let result = bed.run(&["run", "health-sweep", "--onyl", "spack"]);
    assert!(result.trouble(3).contains("--only"), "{result:?}");
}

#[test]
fn an_endless_script_ends_with_its_limit() {
    let bed = Bed::new();
    for text in ["while true do end\n", "while true do pcall(error, 'x') end\n", "time.sleep('1h')\n"] {
        let result = bed.run(&["--timeout", "300ms", "run", &bed.file("endless.lua", text)]);
        assert!(result.trouble(2).contains("time limit"), "{text}: {result:?}");
    }
}

#[test]
fn a_site_file_with_a_mistake_is_refused() {
    let bed = Bed::new();
    for (text, words) in [
        ("spakc = '/x'\n", "did you mean 'spack'?"),
        ("[check]\nskip = ['dsik']\n", "did you mean 'disk'?"),
        ("[check.thresholds]\ndisk_wran = '5%'\n", "did you mean 'disk_warn'?"),
        ("[limits]\nlock = 'soon'\n", "limits.lock"),
        ("spack = \n", "own.toml:1"),
    ] {
        let site = bed.file("own.toml", text);
        let result = bed.run(&["--site", &site, "check", "--only", "spack"]);
        assert!(result.trouble(3).contains(words), "{text}: {result:?}");
    }
}
