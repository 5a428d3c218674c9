//! Schedules: what is printed is read by systemd and cron themselves and run in an empty environment, and both come
//! at the same times as the schedule says.

use std::process::Command;
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use libtest_mimic::Trial;
use moonstack::schedule::Schedule;

use crate::common::dice::Dice;
use crate::common::trial::{program, trial};
use crate::common::unattended::{Site, ask, taken};

pub fn trials() -> Vec<Trial> {
    let systemd = program("systemd-analyze");
    vec![
        trial("schedule::systemd_takes_the_units", systemd.clone(), units),
        trial("schedule::systemd_comes_at_the_same_times", systemd, same_times),
        trial("schedule::cron_takes_the_lines", program("crontab"), lines),
        trial("schedule::the_printed_command_works_in_an_empty_environment", None, printed),
        trial("schedule::the_printed_service_works_in_an_empty_environment", None, service),
        trial("schedule::what_cannot_work_is_refused", None, refused),
        trial("schedule::the_list_says_what_is_overdue", None, list),
    ]
}

/// What is hard to quote.
const WORDS: &[&str] = &["it's 100% of $HOME", "a \"b\" \\ c", "", "--x=%H", ";", "ünïcode"];

fn script(site: &Site) -> String {
    site.word("scripts/say it's 100%.lua")
}

fn print(site: &Site, target: &str, more: &[&str]) -> String {
    let script = script(site);
    let name = [&["schedule", "print", "odd", "--for", target], more].concat();
    let options: Vec<String> = WORDS.iter().map(|w| format!("'''{w}'''")).collect();
    let text = format!(
        "scripts = ['scripts']\n[schedule.odd]\nworkflow = '''{script}'''\non = 'weekdays 02:30'\noptions = [{}]\n",
        options.join(", ")
    );
    site.write("site.toml", &text);
    site.fine(&name)
}

fn units() {
    let site = Site::new("");
    std::fs::create_dir(site.path("units")).unwrap();
    let (dir, bad) = (site.word("units"), site.word("units/bad.timer"));
    let more = ["--dir", &dir, "--splay", "10m"];
    let files = print(&site, "systemd", &more);
    let files: Vec<&str> = files.lines().collect();
    assert_eq!(files, [format!("{dir}/moonstack-odd.service"), format!("{dir}/moonstack-odd.timer")]);
    for with in [&["--on", "daily 02:00"], &["--on", "0 4 1,15 * mon"], &["--on", "every 15m"]] {
        print(&site, "systemd", &[&more[..], with].concat());
        let (code, said) = ask("systemd-analyze", &[&["verify"], &files[..]].concat(), None);
        assert_eq!((code, said.contains("moonstack-odd")), (0, false), "{said}");
    }
    let timer = std::fs::read_to_string(files[1]).unwrap();
    assert!(timer.contains("RandomizedDelaySec=600s\n") && timer.contains("Persistent=true\n"), "{timer}");
    let both = print(&site, "systemd", &[]);
    assert!(both.starts_with("# moonstack-odd.service\n") && both.contains("\n\n# moonstack-odd.timer\n"));
    // That it would complain.
    std::fs::write(&bad, timer.replace("OnCalendar=", "OnCalendar=x")).unwrap();
    assert_ne!(ask("systemd-analyze", &["verify", &bad], None).0, 0);
}

/// The next times of a calendar expression, as systemd has them.
fn systemds(calendar: &str, zone: &str, from: &Zoned, count: usize) -> Vec<Timestamp> {
    let base = from.strftime("--base-time=%F %T").to_string();
    let output = Command::new("systemd-analyze")
        .env("TZ", zone)
        .env("LC_ALL", "C")
        .args(["calendar", &base, &format!("--iterations={count}"), calendar])
        .output()
        .unwrap();
    let (code, out, err) = taken(&output);
    assert_eq!(code, 0, "{calendar}: {err}");
    let utc = |line: &str| {
        let line = line.trim().strip_prefix("(in UTC): ")?;
        let time: Vec<&str> = line.split_whitespace().collect();
        Some(format!("{}T{}Z", time[1], time[2]).parse().unwrap())
    };
    out.lines().filter_map(utc).collect()
}

/// A field of a crontab's line.
fn field(dice: &mut Dice, min: u64, max: u64) -> String {
    let mut one = || min + dice.below(max - min + 1);
    let (a, b, c) = (one(), one(), one());
    match dice.below(5) {
        0 | 1 => String::from("*"),
        2 => a.to_string(),
        3 => format!("{}-{}/{}", a.min(b), a.max(b), 1 + dice.below(4)),
        _ => format!("{a},{b},{c}"),
    }
}

fn same_times() {
    let mut dice = Dice::seeded(7);
    let mut all: Vec<String> = [
        "hourly",
        "daily 02:00",
        "weekdays 06:00",
        "weekends 23:59",
        "weekly sun 03:30",
        "monthly 1 04:00",
        "monthly 31 04:00",
        "every 15m",
        "every 6h",
        "every 1m",
        "0 4 29 2 *",
        "0 4 13 * fri",
        "30 3 1,15 */3 1",
        "7 8 */10 * *",
        "0 4 31 2 mon",
        "0 12 * 1-3,12 sat-sun",
        "5-59/15 9-17/2 * * *",
    ]
    .iter()
    .map(|s| (*s).to_owned())
    .collect();
    for _ in 0..60 {
        let fields =
            [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)].map(|(min, max)| field(&mut dice, min, max));
        all.push(fields.join(" "));
    }
    let mut compared = 0;
    for (zone, from) in [("Europe/Berlin", "2026-06-01T00:00"), ("Asia/Kolkata", "2027-12-30T23:50")] {
        let from: Zoned = format!("{from}[{zone}]").parse().unwrap();
        let tz = TimeZone::get(zone).unwrap();
        for text in &all {
            let Ok(schedule) = Schedule::parse(text) else { continue };
            let calendars = schedule.calendar();
            let mut wanted: Vec<Timestamp> =
                calendars.iter().flat_map(|c| systemds(c, zone, &from, 12)).collect();
            wanted.sort_unstable();
            wanted.dedup();
            // Of two lists of twelve only the first twelve are known to be all.
            wanted.truncate(12);
            // An hour that is skipped is made up for by cron only; `schedule print` says so.
            let skipped = |t: &Timestamp| {
                let now = t.to_zoned(tz.clone());
                now.hour() == 3
                    && now.offset()
                        != (*t - jiff::SignedDuration::from_hours(1)).to_zoned(tz.clone()).offset()
            };
            let mut now = from.clone();
            let mut mine = Vec::new();
            while mine.len() < wanted.len() {
                now = schedule.next(&now).unwrap();
                if !skipped(&now.timestamp()) {
                    mine.push(now.timestamp());
                }
            }
            let wanted: Vec<Timestamp> = wanted.into_iter().filter(|t| !skipped(t)).collect();
            mine.truncate(wanted.len());
            assert_eq!(mine, wanted, "{text} = {calendars:?} in {zone}");
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared} schedules were compared");
}

/// The name of the option for a dry run differs: Debian's cron has -n, cronie -T.
fn takes(file: &std::path::Path) -> (i32, String) {
    let file = file.display().to_string();
    let (code, said) = ask("crontab", &["-n", &file], None);
    if said.contains("invalid option") { ask("crontab", &["-T", &file], None) } else { (code, said) }
}

fn lines() {
    let site = Site::new("");
    for on in ["daily 02:00", "every 15m", "0 4 1,15 * mon", "weekly mon,thu 03:30"] {
        site.write("crontab", &print(&site, "cron", &["--on", on]));
        let (code, said) = takes(&site.path("crontab"));
        assert_eq!(code, 0, "{on}: {said}");
    }
    // That it would complain.
    site.write("crontab", &print(&site, "cron", &[]).replace("30 2 * *", "30 2 * * * *"));
    site.write("crontab", &site.read("crontab").replace("30 2", "61 2"));
    assert_ne!(takes(&site.path("crontab")).0, 0);
}

/// Runs a crontab's line as cron does: its variables and nothing else, percent signs as cron reads them.
fn as_cron(text: &str) -> (i32, String, String) {
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut last = "";
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        match line.split_once('=') {
            Some((name, value)) if name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') => {
                variables.push((name.to_owned(), value.trim_matches('"').to_owned()));
            }
            _ => last = line,
        }
    }
    let command = last.splitn(6, ' ').nth(5).unwrap();
    let bare = command.replace("\\%", "");
    assert!(!bare.contains('%'), "a percent sign ends the command: {command}");
    let output = Command::new("/bin/sh")
        .env_clear()
        .envs(variables)
        .current_dir("/")
        .args(["-c", &command.replace("\\%", "%")])
        .output()
        .unwrap();
    taken(&output)
}

fn said() -> String {
    WORDS.iter().map(|word| format!("<{word}>\n")).collect::<Vec<_>>().concat()
}

fn printed() {
    let site = Site::new("");
    let text = print(&site, "cron", &[]);
    assert!(text.lines().last().unwrap().starts_with("30 2 * * 1-5 /"), "{text}");
    let (code, out, err) = as_cron(&text);
    assert_eq!((code, out), (0, said()), "{err}");
    let runs = site.json(&["runs"]);
    assert_eq!((&runs[0]["state"], &runs[0]["script"]), (&"ok".into(), &script(&site).into()), "{runs}");
    // A workflow with changes says one line, and the files that were asked for are there.
    let (report, file) = (site.word("report.json"), site.word("written"));
    let text = site.fine(&[
        "--report", &report, "schedule", "print", "nightly", "--on", "hourly", "--for", "cron", "--",
        "--mode", "work", "--file", &file,
    ]);
    let (code, out, err) = as_cron(&text);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("nightly: ok, 1 action, 1 step in ") && out.lines().count() == 1, "{out}");
    assert!(site.path("report.json").is_file() && site.path("written").is_file());
    // Shells complete a workflow whose options have defaults.
    assert!(site.fine(&["completions", "bash"]).contains("nightly"));
}

/// Takes a line of systemd apart, as `systemd.service(5)` and `systemd.syntax(7)` say.
fn words_of(line: &str) -> Vec<String> {
    let (mut words, mut word, mut inside, mut any) = (Vec::new(), String::new(), false, false);
    let mut letters = line.chars();
    while let Some(c) = letters.next() {
        match c {
            '"' => (inside, any) = (!inside, true),
            '\\' => word.extend(letters.next()),
            ' ' if !inside => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            '%' | '$' => {
                assert_eq!(letters.next(), Some(c), "{line}");
                word.push(c);
            }
            c => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    words
}

fn service() {
    let site = Site::new("");
    let text = print(&site, "systemd", &[]);
    let values = |key: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|l| l.strip_prefix(key)?.strip_prefix('='));
        lines.flat_map(words_of).collect()
    };
    let command = values("ExecStart");
    let variables = values("Environment");
    let output = Command::new(&command[0])
        .args(&command[1..])
        .env_clear()
        .envs(variables.iter().map(|v| v.split_once('=').unwrap()))
        .current_dir("/")
        .output()
        .unwrap();
    let (code, out, err) = taken(&output);
    assert_eq!((code, out), (0, said()), "{err}");
}

fn refused() {
    let site = Site::new("[schedule.night]\nworkflow = 'nightly'\non = 'dayly 02:00'\n");
    for (args, why, hint) in [
        (&["print", "nightly", "--on", "0 0 31 2 *", "--for", "cron"] as &[&str], "never comes", "last day"),
        (&["print", "nightly", "--on", "dayly", "--for", "cron"], "'dayly' does not exist", "'daily'"),
        (&["print", "nightly", "--on", "every 7m", "--for", "cron"], "not come evenly", "12, 15, 20"),
        (&["print", "nightly", "--for", "cron"], "when is 'nightly' to run", "--on \"daily 02:00\""),
        (&["print", "nihgt", "--for", "cron"], "when is 'nihgt' to run", "did you mean 'night'"),
        (&["print", "night", "--for", "systemd"], "schedule.night.on: schedule 'dayly'", "'daily'"),
        (&["print", "nightli", "--on", "hourly", "--for", "cron"], "'nightli' does not exist", "'nightly'"),
        (&["print", "nightly", "--on", "hourly", "--for", "cron", "--", "--mod", "x"], "'--mod'", "'--mode'"),
        (
            &["print", "nightly", "--on", "hourly", "--for", "cron", "--splay", "5m"],
            "for systemd",
            "crontab -",
        ),
        (&["print", "nightly", "--on", "hourly", "--for", "cron", "--", "--mode", "a\nb"], "'\\n'", ""),
        (&["list"], "schedule.night.on: schedule 'dayly'", "'daily'"),
    ] {
        let (code, out, err) = site.run(&[&["schedule"], args].concat());
        assert_eq!((code, out.as_str()), (3, ""), "{args:?}\n{err}");
        assert!(err.contains(why) && err.contains(hint), "{args:?}\n{err}");
    }
    let lost = ["--practice", "schedule", "print", "health-sweep", "--on", "hourly", "--for", "cron"];
    let output = Command::new(env!("CARGO_BIN_EXE_moonstack")).args(lost).output().unwrap();
    assert!(taken(&output).2.contains("--practice=DIR"), "{output:?}");
    site.write("site.toml", "[schedule.night]\nworkflow = 'nightly'\nwhen = 'daily'\n");
    let (code, _, err) = site.run(&["schedule", "list"]);
    assert!(code == 3 && err.contains("unknown field `when`") && err.contains("site.toml:3"), "{err}");
}

fn list() {
    let site = Site::new(
        "[schedule.night]\nworkflow = 'nightly'\non = 'daily 02:00'\noptions = ['--mode', 'told', '--file', 'MODE']\n\
         [schedule.other]\nworkflow = 'nightly'\non = '0 4 1 * *'\n",
    );
    site.write("site.toml", &site.read("site.toml").replace("MODE", &site.word("mode")));
    site.write("mode", "fine");
    let (mode, list) = (site.word("mode"), ["schedule", "list"]);
    let nightly = ["run", "nightly", "--mode", "told", "--file", &mode];
    // A schedule that is new is not overdue.
    let all = site.json(&list);
    assert_eq!(
        (&all[0]["name"], &all[0]["overdue"], all[0].get("last")),
        (&"night".into(), &false.into(), None)
    );
    let next: Timestamp = all[0]["next"].as_str().unwrap().parse().unwrap();
    let wait = next.as_second() - Timestamp::now().as_second();
    assert!((-5..=90_000).contains(&wait) && all[0]["next"].as_str().unwrap().contains("T02:00:00"), "{all}");
    assert_eq!(all[1]["cron"], "0 4 1 * *");
    assert_eq!(site.run(&list).0, 0);
    // One that has stood there for long is.
    let old = SystemTime::now() - Duration::from_hours(24 * 90);
    let file = std::fs::File::options().append(true).open(site.path("site.toml")).unwrap();
    file.set_modified(old).unwrap();
    let (code, out, _) = site.run(&list);
    assert_eq!((code, out.matches("no run has begun since").count()), (1, 2), "{out}");
    // A run of it makes it good, whatever else was asked for; one with other options does not.
    site.fine(&["run", "nightly", "--mode", "calm"]);
    assert_eq!(site.json(&list)[0]["overdue"], true);
    site.fine(&[&nightly[..], &["--summary"]].concat());
    site.fine(&["run", "nightly"]);
    let all = site.json(&list);
    assert_eq!((&all[0]["overdue"], &all[1]["overdue"]), (&false.into(), &false.into()), "{all}");
    assert_eq!((&all[0]["last"]["state"], &all[0]["last"]["run"]), (&"ok".into(), &2.into()), "{all}");
    assert!(site.fine(&list).contains("ok, "));
    // One that ended badly is to be looked after at once.
    site.write("mode", "fail");
    assert_eq!(site.run(&nightly).0, 2);
    let (code, out, _) = site.run(&list);
    assert_eq!((code, out.contains("run 4 failed: hdf5 failed to build")), (1, true), "{out}");
    // Its own time, in the zone of the machine.
    let output = site.command(&["--json", "schedule", "list"]).env("TZ", "Asia/Kolkata").output().unwrap();
    assert!(taken(&output).1.contains("T02:00:00+05:30"), "{output:?}");
}
