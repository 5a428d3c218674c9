//! A site that several admins keep: whatever their umask, the next admin can go on with the state, users can read what
//! is theirs, and nothing is given to a group that there is not. As root all of it is tried as another user.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use libtest_mimic::Trial;
use nix::unistd::{Gid, Group, User, getegid, geteuid, getgroups};

use crate::common::runs_bed::Bed;
use crate::common::trial::{Lack, trial};

pub fn trials() -> Vec<Trial> {
    let group = another_group().is_none().then(|| "needs a second group".to_owned());
    let others =
        group.clone().or_else(|| nobody().is_none().then(|| "needs root and a user nobody".to_owned()));
    let tests: [(&str, &Lack, fn()); 7] = [
        ("what_an_admin_makes_is_the_groups_whatever_the_umask", &group, of_the_group),
        ("another_admin_goes_on_and_users_read", &others, another_admin),
        ("what_users_cannot_read_is_observed_and_mended", &None, mended),
        ("only_the_group_is_let_in_where_the_site_says_so", &group, group_only),
        ("members_read_and_others_do_not_where_the_site_says_so", &others, members),
        ("a_group_that_there_is_not_is_refused_before_anything_is_written", &None, no_group),
        ("what_spack_is_told_already_is_left_with_a_warning", &None, told_already),
    ];
    tests.into_iter().map(|(name, lack, run)| trial(format!("shared::{name}"), lack.clone(), run)).collect()
}

/// A group that is not the one that files get anyway. None if this user has no other.
fn another_group() -> Option<Group> {
    let own = getegid();
    let given = if geteuid().is_root() {
        ["daemon", "users", "nogroup"]
            .iter()
            .filter_map(|name| Group::from_name(name).ok()?)
            .map(|g| g.gid)
            .collect()
    } else {
        getgroups().unwrap_or_default()
    };
    given.into_iter().filter(|gid: &Gid| *gid != own).find_map(|gid| Group::from_gid(gid).ok()?)
}

/// A site whose group is another than that of its admin.
fn grouped(read: &str, write: &str) -> (Bed, Group) {
    let group = another_group().expect("a second group");
    let text = format!("[shared]\ngroup = '{}'\nread = '{read}'\nwrite = '{write}'\n", group.name);
    (shared(&text), group)
}

/// Users are on the second generation, made by an admin whose umask lets nobody else read.
fn upgraded(bed: &Bed) -> PathBuf {
    ok(&closed(bed, &["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]));
    bed.state().join("generations/science/2")
}

/// A practice site that everybody can get to, and a site file that shares it.
fn shared(text: &str) -> Bed {
    let mut bed = Bed::practice();
    std::fs::set_permissions(&bed.root, std::fs::Permissions::from_mode(0o755)).unwrap();
    bed.use_site_file(text);
    bed.make_modules();
    bed
}

/// An admin whose umask lets nobody else read.
fn closed(bed: &Bed, args: &[&str]) -> Output {
    let plain = bed.command(args);
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(&bed.root).output().unwrap()
}

fn ok(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).mode() & 0o7777
}

/// A user whom only root can become.
fn nobody() -> Option<User> {
    User::from_name("nobody").ok()?.filter(|_| geteuid().is_root())
}

/// A program of somebody else's, with one group.
fn as_nobody(gid: u32, program: &str) -> Command {
    let mut command = Command::new(program);
    let uid = nobody().expect("root, and a user nobody").uid;
    command.uid(uid.as_raw()).gid(gid).env("HOME", "/");
    command
}

fn of_the_group() {
    let (bed, group) = grouped("world", "group");
    let generation = upgraded(&bed);
    let state = bed.state();
    for entry in walkdir::WalkDir::new(&generation) {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        if meta.is_symlink() {
            continue;
        }
        let wanted = if meta.is_dir() { 0o2775 } else { 0o664 };
        assert_eq!(meta.gid(), group.gid.as_raw(), "{}", entry.path().display());
        assert_eq!(meta.mode() & wanted, wanted, "{}: {:o}", entry.path().display(), meta.mode());
    }
    for name in ["state.db", "locks", "logs", "snapshots/objects", "generations/science/generations.json"] {
        let meta = std::fs::metadata(state.join(name)).unwrap();
        assert_eq!(meta.gid(), group.gid.as_raw(), "{name}");
        assert_eq!(meta.mode() & 0o060, 0o060, "{name}: {:o}", meta.mode());
    }
    for name in ["locks", "logs", "snapshots", "state.db"] {
        assert_eq!(mode(&state.join(name)) & 0o007, 0, "{name} is the admins' alone");
    }
    let manifest = std::fs::read_to_string(generation.join("spack.yaml")).unwrap();
    assert!(manifest.contains(&format!("group: \"{}\"", group.name)), "{manifest}");
}

fn another_admin() {
    let (bed, group) = grouped("world", "group");
    upgraded(&bed);
    // A user of no group, on the way that users take.
    let script = "set -e; cat spack.yaml > /dev/null; view/bin/h5dump --version; \
                  find -L view modules -type f -exec cat {} + > /dev/null; find -L view modules | wc -l";
    let link = bed.state().join("current/science");
    let output = as_nobody(65_533, "sh").args(["-c", script]).current_dir(&link).output().unwrap();
    assert!(ok(&output).contains("1.12"));
    // The next admin, who is in the group and as closed as the first.
    let me = env!("CARGO_BIN_EXE_moonstack");
    let script = "umask 077; set -e; m() { \"$@\" -q runs list && \"$@\" -q generation rollback science --to 1 && \
                  \"$@\" -q generation prove science --number 1 && \"$@\" -q snapshot create science; }; m \"$@\"";
    let mut second = as_nobody(group.gid.as_raw(), "sh");
    ok(&second.args(["-c", script, "sh", me]).args(&bed.site).current_dir(&bed.root).output().unwrap());
    // The first goes on after the second.
    ok(&closed(&bed, &["-q", "generation", "rollback", "science", "--to", "2"]));
    ok(&closed(&bed, &["-q", "snapshot", "tag", "science", "--add", "after"]));
}

fn mended() {
    let bed = shared("[shared]\nread = 'world'\n");
    ok(&closed(&bed, &["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]));
    let folder = bed.state().join("generations/science/2");
    let module = walkdir::WalkDir::new(folder.join("modules"))
        .into_iter()
        .flatten()
        .find(|entry| entry.file_type().is_file())
        .unwrap();
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let bin = std::fs::canonicalize(folder.join("view/bin")).unwrap();
    let outside = bed.root.join("site");
    for (path, wrong, word) in
        [(module.path(), 0o600, "read"), (bin.as_path(), 0o700, "enter"), (outside.as_path(), 0o700, "enter")]
    {
        let right = mode(path);
        set(path, wrong);
        let output = bed.run(&["--json", "generation", "prove", "science", "--number", "2"]);
        let proof: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let wanted = format!("users cannot {word} {}", path.display());
        assert_eq!(proof["ok"], false);
        assert!(
            proof["problems"].as_array().unwrap().iter().any(|p| p == wanted.as_str()),
            "{wanted}: {proof}"
        );
        if path == outside {
            set(path, right);
        } else {
            ok(&closed(&bed, &["-q", "generation", "build", "science", "--number", "2"]));
            assert_eq!(mode(path) & 0o055, right & 0o055);
        }
        bed.ok(&["-q", "generation", "prove", "science", "--number", "2"]);
    }
}

fn group_only() {
    let (bed, group) = grouped("group", "user");
    let folder = upgraded(&bed);
    assert_eq!(mode(&folder), 0o2750);
    assert_eq!(mode(&folder.join("spack.yaml")), 0o640);
    let file = folder.join("spack.yaml");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let proof = bed.run(&["--json", "generation", "prove", "science", "--number", "2"]);
    let said = String::from_utf8_lossy(&proof.stdout).into_owned();
    assert!(said.contains(&format!("users of group {} cannot read", group.name)), "{said}");
}

fn members() {
    let (bed, group) = grouped("group", "user");
    let file = upgraded(&bed).join("spack.yaml");
    let look = |gid: u32| as_nobody(gid, "cat").arg(&file).output().unwrap();
    ok(&look(group.gid.as_raw()));
    assert!(!look(65_533).status.success());
}

fn no_group() {
    let bed = shared("[shared]\ngroup = 'no-such-group-here'\nwrite = 'group'\n");
    let before = bed.tree();
    for args in [
        &["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"][..],
        &["-q", "snapshot", "create", "science"],
        &["-q", "generation", "adopt", "science"],
        &["-q", "plan", "upgrade-with-snapshot", "science", "hdf5@1.12"],
    ] {
        let output = bed.run(args);
        // Of a plan it is a part of what is planned.
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success(), "{args:?}");
        assert!(said.contains("there is no group 'no-such-group-here'") && said.contains("hint"), "{said}");
    }
    assert_eq!(bed.tree(), before);
    assert!(!bed.state().exists());
    // Who only looks needs no group.
    bed.ok(&["-q", "find"]);
}

fn told_already() {
    let bed = shared("[shared]\nread = 'world'\n");
    let file = bed.root.join("site/config/packages.yaml");
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(!text.contains("\n  all:"), "{text}");
    let head = if text.contains("packages:") { text } else { format!("{text}packages:\n") };
    std::fs::write(
        &file,
        head.replacen("packages:\n", "packages:\n  all:\n    permissions:\n      read: group\n", 1),
    )
    .unwrap();
    let said = ok(&bed.run(&["generation", "adopt", "science"]));
    assert!(said.contains("read: group") && said.contains("Spack's are left"), "{said}");
    let manifest = std::fs::read_to_string(bed.state().join("generations/science/1/spack.yaml")).unwrap();
    assert!(!manifest.contains("permissions"), "{manifest}");
}
