//! What is only practised stands apart from the site that the machine's site files are of, and what is told of runs
//! compares like with like.

use std::path::Path;

use crate::common::unattended::Site;

/// A user whose site file names a stack, a state and a channel of a real site.
fn user_file(site: &Site) -> String {
    let real = site.path("real");
    let tell = format!("cat >> '{0}'; echo >> '{0}'", site.path("told").display());
    format!(
        "stack = '{0}/stack'\nstate = '{0}/state'\nenvironments = ['{0}/env']\nscripts = ['scripts']\n[limits]\nspack = '7h'\n\
         [check]\nskip = ['git']\n[variables]\nREAL_SITE = 'x'\n\
         [notify.ops]\nkind = 'exec'\nargv = ['sh', '-c', \"{tell}\"]\n[policy]\nkeep = 'rank < 3'\n",
        real.display()
    )
}

fn is_untouched(site: &Site, what: &str) {
    assert!(!site.path("real").exists(), "{what}: the real site was changed");
    assert_eq!(site.told(), [""; 0], "{what}: somebody of the real site was told");
}

#[test]
fn practice_takes_of_the_users_site_file_only_what_it_says_of_any_site() {
    let site = Site::new("");
    let home = site.path("home/.config/moonstack");
    site.write("home/.config/moonstack/site.toml", &user_file(&site));
    site.write(
        "home/.config/moonstack/scripts/mine.lua",
        "return workflow{ name = 'mine', doc = 'd', options = {}, run = function()\n\
        print(json.encode(site.info())) pcall(notify.send, 'ops', 'a message') fail('build', 'no') end }\n",
    );
    assert!(home.is_dir());
    let without_file = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_moonstack"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", site.path("home"));
        command.arg(format!("--practice={}", site.path("practice").display())).args(args);
        crate::common::unattended::taken(&command.output().unwrap())
    };
    let (code, _, err) = without_file(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]);
    assert_eq!(code, 0, "{err}");
    assert!(site.path("practice/state/current/science").exists());
    is_untouched(&site, "an upgrade");
    // Its scripts are there.
    let (code, out, err) = without_file(&["--summary", "run", "mine"]);
    assert_eq!(code, 2, "{out}{err}");
    is_untouched(&site, "a failing run");
    let (_, out, _) = without_file(&["config"]);
    for (text, there) in
        [("7h", true), ("rank < 3", true), ("git", true), ("REAL_SITE", false), ("ops", false)]
    {
        assert_eq!(out.contains(text), there, "{text}: {out}");
    }
}

#[test]
fn tests_of_scripts_reach_nothing_of_a_site_file_that_is_named_either() {
    let site = Site::new("");
    site.write("named.toml", &user_file(&site));
    site.write("scripts/helper.lua", "return { word = 'from the scripts of the site' }\n");
    site.write(
        "tests/upgrade_test.lua",
        "local testing = require('testing')\nassert(require('helper').word)\n\
         testing.case('publishes', function()\n  generation.adopt('science') generation.prove('science') generation.publish('science')\n\
         pcall(notify.send, 'ops', 'published') end)\n",
    );
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_moonstack"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", site.path("home"))
        .args(["--site", &site.word("named.toml"), "test", &site.word("tests")])
        .output()
        .unwrap();
    let (code, out, err) = crate::common::unattended::taken(&output);
    assert!(code == 0 || !Path::new(&site.path("real")).exists(), "{out}{err}");
    is_untouched(&site, "a test");
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
fn a_run_with_other_options_is_no_recovery_and_messages_of_practice_are_marked() {
    let site = Site::telling("");
    let run = |mode: &str| site.run(&["run", "nightly", "--mode", mode]).0;
    assert_eq!((run("fail"), run("calm")), (2, 0));
    assert_eq!(site.told(), ["nightly failed"], "what did not fail has not recovered");
    assert_eq!(run("fail"), 2);
    assert_eq!(site.told(), ["nightly failed"], "it still fails");
    let told: serde_json::Value = serde_json::from_str(site.read("told").lines().next().unwrap()).unwrap();
    assert_eq!(told["practice"], true, "{told}");
}

#[test]
fn who_sits_at_a_terminal_is_told_there_and_the_channels_only_when_asked() {
    for (more, told) in [(&[][..], 0), (&["--notify"], 1)] {
        let site = Site::telling("");
        let mut command = site.command(more);
        command.args(["run", "nightly", "--mode", "fail"]);
        let mut terminal = rexpect::session::spawn_command(command, Some(30_000)).unwrap();
        terminal.exp_eof().unwrap();
        assert_eq!(site.told().len(), told, "{more:?}");
    }
}
