//! Two admins of one group, somebody of neither, and root, on one machine: what one of them puts in the way of another
//! is refused with its path, and nothing of theirs is changed. Users and group are made by the test, and go with it.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use libtest_mimic::Trial;
use nix::unistd::{User, geteuid};

use crate::common::runs_bed::Bed;
use crate::common::trial::{program, trial};

pub fn trials() -> Vec<Trial> {
    let root = (!geteuid().is_root()).then(|| "needs root, to make two users and a group".to_owned());
    let tools = ["useradd", "groupadd", "runuser"].iter().find_map(|name| program(name));
    let lack = root.or(tools);
    let tests: [(&str, fn()); 5] = [
        ("what_a_member_puts_in_the_way_of_records_is_refused", records),
        ("an_outsider_reads_no_journal_and_holds_no_lock", outsider),
        ("a_link_leads_others_to_what_its_maker_has_and_no_further", links),
        ("a_file_that_is_replaced_stays_its_owners", owners),
        ("whoever_acts_is_who_the_kernel_says", acting),
    ];
    tests.into_iter().map(|(name, run)| trial(format!("hostile::{name}"), lack.clone(), run)).collect()
}

/// Users and a group of this test, gone when dropped.
struct People {
    group: String,
    /// Two members, and somebody who is none.
    alice: String,
    bob: String,
    mallory: String,
}

impl People {
    fn new(tag: &str) -> People {
        let name = |who: &str| format!("ms{tag}{who}{}", std::process::id() % 100_000);
        let people = People { group: name("g"), alice: name("a"), bob: name("b"), mallory: name("m") };
        tool("groupadd", &[&people.group]);
        for (user, group) in [
            (&people.alice, &people.group),
            (&people.bob, &people.group),
            (&people.mallory, &"nogroup".to_owned()),
        ] {
            tool("useradd", &["-M", "-N", "-g", group, "-s", "/bin/sh", user]);
        }
        people
    }
}

impl Drop for People {
    fn drop(&mut self) {
        for user in [&self.alice, &self.bob, &self.mallory] {
            let _ = Command::new("userdel").arg(user).output();
        }
        let _ = Command::new("groupdel").arg(&self.group).output();
    }
}

fn tool(name: &str, args: &[&str]) {
    // Two at a time would wait for one another's lock, and give up.
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONE.lock();
    let output = Command::new(name).args(args).output().unwrap();
    assert!(output.status.success(), "{name} {args:?}: {output:?}");
}

/// A shared practice site, on which users are on the second of two generations, and files of root's alone.
struct Site {
    bed: Bed,
    people: People,
    executable: PathBuf,
}

impl Site {
    fn new(tag: &str) -> Site {
        let people = People::new(tag);
        let mut bed = Bed::practice();
        std::fs::set_permissions(&bed.root, std::fs::Permissions::from_mode(0o755)).unwrap();
        bed.use_site_file(&format!(
            "[shared]\ngroup = '{}'\nread = 'world'\nwrite = 'group'\n",
            people.group
        ));
        let executable = bed.root.join("moonstack");
        std::fs::copy(env!("CARGO_BIN_EXE_moonstack"), &executable).unwrap();
        let private = bed.root.join("private");
        std::fs::create_dir_all(private.join("5")).unwrap();
        std::fs::write(private.join("file"), "root's").unwrap();
        std::fs::write(private.join("5/spack.yaml"), "root's").unwrap();
        std::fs::set_permissions(&private, std::fs::Permissions::from_mode(0o700)).unwrap();
        let site = Site { bed, people, executable };
        Site::well(&site.root(&["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]));
        site
    }

    fn root(&self, words: &[&str]) -> Output {
        // Nothing here may wait for ever.
        let mut command = Command::new("timeout");
        command.args(["-k", "1", "60"]).arg(&self.executable).args(&self.bed.site).args(words);
        command.current_dir(&self.bed.root).stdin(Stdio::null()).output().unwrap()
    }

    fn user(&self, user: &str, words: &[&str]) -> Output {
        let mut command = Command::new("runuser");
        command
            .args(["-u", user, "--", "env", "HOME=/"])
            .arg(&self.executable)
            .args(&self.bed.site)
            .args(words);
        command.current_dir(&self.bed.root).stdin(Stdio::null()).output().unwrap()
    }

    /// A shell of a user's in the state folder.
    fn shell(&self, user: &str, script: &str) -> Output {
        let mut command = Command::new("runuser");
        command.args(["-u", user, "--", "sh", "-c", script]).current_dir(self.bed.state());
        command.env("P", self.private()).stdin(Stdio::null()).output().unwrap()
    }

    fn shell_at(user: &str, script: &str) -> Output {
        let mut command = Command::new("runuser");
        command
            .args(["-u", user, "--", "sh", "-c", script])
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn private(&self) -> PathBuf {
        self.bed.root.join("private")
    }

    fn well(output: &Output) {
        assert!(output.status.success(), "{}", said(output));
    }

    /// All that is root's alone: paths, modes, groups, contents.
    fn of_root(&self) -> String {
        let mut all = String::new();
        for entry in walkdir::WalkDir::new(self.private()).sort_by_file_name() {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            all.push_str(&format!(
                "{} {:o} {} {} {text}\n",
                entry.path().display(),
                meta.mode(),
                meta.uid(),
                meta.gid()
            ));
        }
        all
    }

    /// Somebody does something, root's commands are refused because of it, and it is undone.
    fn refused(&self, attack: &str, undo: &str, named: &str, commands: &[&[&str]]) {
        let (before, used) = (self.of_root(), self.bed.used().unwrap());
        Site::well(&self.shell(&self.people.alice, attack));
        for words in commands {
            let output = self.root(words);
            let text = said(&output);
            assert_eq!(output.status.code(), Some(4), "{attack}\n{words:?}\n{text}");
            assert!(text.contains(named) && text.contains("hint"), "{attack}\n{words:?}\n{text}");
        }
        assert_eq!(self.of_root(), before, "{attack}");
        Site::well(&self.shell(&self.people.alice, undo));
        assert_eq!(self.bed.used().unwrap(), used, "{attack}");
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

const ROLLBACK: &[&str] = &["-q", "generation", "rollback", "science", "--to", "1"];
const SNAPSHOT: &[&str] = &["-q", "snapshot", "create", "science"];
const SWEEP: &[&str] = &["-q", "run", "health-sweep", "--only", "disk"];

fn records() {
    let site = Site::new("r");
    let locks = "for f in *.lock; do mv $f ${f%.lock}.kept; ";
    let back = "cd locks && for f in *.kept; do rm -f ${f%.kept}.lock; mv $f ${f%.kept}.lock; done";
    for made in ["ln -s $P/file $f", "ln -s $P/new $f", "mkfifo $f", "ln -s /dev/zero $f"] {
        site.refused(&format!("cd locks && {locks} {made}; done"), back, "locks/", &[ROLLBACK]);
    }
    for made in ["ln -s $P/file", "mkfifo"] {
        let attack =
            format!("cd logs && for i in $(seq 1 60); do [ -e run-$i.log ] || {made} run-$i.log; done");
        site.refused(
            &attack,
            "find logs -name 'run-*' '(' -type l -o -type p ')' -delete",
            "logs/run-",
            &[SWEEP],
        );
    }
    let folder =
        |name: &str| (format!("mv {name} kept && ln -s $P {name}"), format!("rm {name} && mv kept {name}"));
    for (name, commands) in [
        ("snapshots", &[SNAPSHOT][..]),
        ("logs", &[SWEEP]),
        ("locks", &[ROLLBACK]),
        ("state.db", &[SWEEP, &["runs"]]),
        (
            "generations/science",
            &[ROLLBACK, &["-q", "generation", "list"], &["-q", "generation", "adopt", "science"]],
        ),
    ] {
        let (attack, undo) = folder(name);
        site.refused(&attack, &undo, name, commands);
    }
    let ledger = "generations/science/generations.json";
    for made in ["mkfifo", "ln -s /dev/zero", "ln -s $P/file"] {
        let attack = format!("mv {ledger} kept && {made} {ledger}");
        let undo = format!("rm {ledger} && mv kept {ledger}");
        site.refused(&attack, &undo, "generations.json", &[ROLLBACK, &["-q", "generation", "list"]]);
    }
    // A generation that leads out of the stack is not built into, and not removed.
    site.refused(
        "mv generations/science/1 kept && ln -s $P/5 generations/science/1",
        "rm generations/science/1 && mv kept generations/science/1",
        "science/1",
        &[&["-q", "generation", "build", "science", "--number", "1"]],
    );
    // A file of a stranger's is none of ours, whoever let it in.
    let ledger = site.bed.state().join(ledger);
    let stranger = User::from_name(&site.people.mallory).unwrap().unwrap().uid.as_raw();
    std::os::unix::fs::chown(&ledger, Some(stranger), None).unwrap();
    let output = site.root(ROLLBACK);
    assert!(
        output.status.code() == Some(4) && said(&output).contains(&site.people.mallory),
        "{}",
        said(&output)
    );
    // A member's is.
    let member = User::from_name(&site.people.bob).unwrap().unwrap().uid.as_raw();
    std::os::unix::fs::chown(&ledger, Some(member), None).unwrap();
    Site::well(&site.root(ROLLBACK));
    // A lock of a machine that is gone, and from the future.
    let attack = r#"cd locks && umask 007 && for f in *.lock; do rm $f
        echo '{"pid":1,"host":"gone","what":"x","since":1.0,"pulse":0.1}' > $f; touch -d 2099-01-01 $f; done"#;
    Site::well(&site.shell(&site.people.alice, attack));
    Site::well(&site.root(&["-q", "generation", "rollback", "science", "--to", "2"]));
}

fn outsider() {
    let site = Site::new("o");
    let state = site.bed.state();
    for (look, path) in [("cat", "state.db"), ("ls", "logs"), ("ls", "locks"), ("ls", "snapshots")] {
        let path = state.join(path);
        let output = Site::shell_at(&site.people.mallory, &format!("{look} '{}'", path.display()));
        assert!(!output.status.success(), "{} can be read: {}", path.display(), said(&output));
    }
    for entry in std::fs::read_dir(state.join("locks")).unwrap().flatten() {
        let hold = format!("flock -n '{}' true", entry.path().display());
        assert!(!Site::shell_at(&site.people.mallory, &hold).status.success(), "{}", entry.path().display());
        // As a release before has left it, where one can get to it.
        std::fs::set_permissions(entry.path(), std::fs::Permissions::from_mode(0o664)).unwrap();
    }
    std::fs::set_permissions(state.join("locks"), std::fs::Permissions::from_mode(0o775)).unwrap();
    Site::well(&site.root(ROLLBACK));
    assert_eq!(std::fs::metadata(state.join("locks")).unwrap().mode() & 0o007, 0);
}

fn links() {
    let site = Site::new("l");
    Site::well(&site.root(SNAPSHOT));
    let environment = site.bed.root.join("site/environments/science");
    let (manifest, own) = (environment.join("spack.yaml"), site.bed.root.join("checkout"));
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::create_dir(&own).unwrap();
    let alice = User::from_name(&site.people.alice).unwrap().unwrap();
    let give = |path: &Path| {
        std::os::unix::fs::lchown(path, Some(alice.uid.as_raw()), Some(alice.gid.as_raw())).unwrap();
    };
    let point = |to: &Path| {
        let _ = std::fs::remove_file(&manifest);
        std::os::unix::fs::symlink(to, &manifest).unwrap();
        give(&manifest);
    };
    let victim = site.private().join("spack.yaml");
    std::fs::write(&victim, text.clone() + "# root's\n").unwrap();
    let before = site.of_root();
    point(&victim);
    let output = site.root(&["-q", "snapshot", "restore", "science@1"]);
    assert!(
        output.status.code() == Some(4) && said(&output).contains("is a link of user"),
        "{}",
        said(&output)
    );
    let write = format!("fs.write('{}', 'x')", manifest.display());
    for words in [
        &["-q", "eval", &write][..],
        &["-q", "plan", "-o", manifest.to_str().unwrap(), "install-list", "zlib"],
    ] {
        let output = site.root(words);
        assert!(!output.status.success(), "{words:?}: {}", said(&output));
    }
    assert_eq!(site.of_root(), before);
    // What is her own she may have anywhere.
    let mine = own.join("spack.yaml");
    std::fs::write(&mine, text + "# alice's\n").unwrap();
    std::fs::set_permissions(&mine, std::fs::Permissions::from_mode(0o640)).unwrap();
    give(&mine);
    point(&mine);
    Site::well(&site.root(&["-q", "snapshot", "restore", "science@1"]));
    let meta = std::fs::metadata(&mine).unwrap();
    assert_eq!(
        (meta.uid(), meta.gid(), meta.mode() & 0o777),
        (alice.uid.as_raw(), alice.gid.as_raw(), 0o640)
    );
    assert!(std::fs::symlink_metadata(&manifest).unwrap().file_type().is_symlink());
    assert!(!std::fs::read_to_string(&mine).unwrap().contains("alice's"));
}

fn owners() {
    let site = Site::new("f");
    let folder = site.bed.root.join("shared");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let make = "umask 007; echo old > alices; mkfifo fifo; echo old > private; chmod 600 private; \
                setfacl -m u:0:r alices 2>/dev/null; true";
    Site::well(&site.shell(&site.people.alice, &format!("cd '{}' && {make}", folder.display())));
    let of = |name: &str| {
        let meta = std::fs::symlink_metadata(folder.join(name)).unwrap();
        (meta.uid(), meta.gid(), meta.mode())
    };
    let (before, private) = (of("alices"), of("private"));
    let write = |name: &str, text: &str| format!("fs.write('{}', '{text}')", folder.join(name).display());
    Site::well(&site.root(&["-q", "eval", &write("alices", "by root")]));
    assert_eq!(of("alices"), before);
    Site::well(&site.user(&site.people.bob, &["-q", "eval", &write("alices", "by bob")]));
    assert_eq!(of("alices"), before);
    assert_eq!(std::fs::read_to_string(folder.join("alices")).unwrap(), "by bob");
    // What he may not write to he may not replace either, although the folder would let him.
    let output = site.user(&site.people.bob, &["-q", "eval", &write("private", "by bob")]);
    assert!(!output.status.success() && said(&output).contains(&site.people.alice), "{}", said(&output));
    assert_eq!(
        (of("private"), std::fs::read_to_string(folder.join("private")).unwrap()),
        (private, "old\n".into())
    );
    assert!(std::fs::symlink_metadata(folder.join("fifo")).unwrap().file_type().is_fifo());
}

fn acting() {
    let site = Site::new("w");
    let script = site.bed.script("acts.lua", "log.info('x')\n");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut command = Command::new("runuser");
    command.args(["-u", &site.people.alice, "--", "env", "HOME=/", "SUDO_USER=root"]).arg(&site.executable);
    let output =
        command.args(&site.bed.site).args(["-q", "run", &script]).current_dir(&site.bed.root).output();
    Site::well(&output.unwrap());
    assert_eq!(site.bed.last_run()["user"], site.people.alice.as_str());
    let mut command = Command::new(&site.executable);
    command.env("SUDO_USER", &site.people.bob).args(&site.bed.site).args(["-q", "run", &script]);
    Site::well(&command.current_dir(&site.bed.root).output().unwrap());
    assert_eq!(site.bed.last_run()["user"], site.people.bob.as_str());
}
