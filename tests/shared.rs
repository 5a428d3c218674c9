//! A site that several admins keep: whatever their umask, the next admin can go on with the state, users can read what
//! is theirs, and nothing is given to a group that there is not. As root all of it is tried as another user.

mod runs_bed;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};

use nix::unistd::{Gid, Group, User, getegid, geteuid, getgroups};
use runs_bed::Bed;

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
    let group =
        given.into_iter().filter(|gid: &Gid| *gid != own).find_map(|gid| Group::from_gid(gid).ok()?);
    if group.is_none() {
        println!("skipped: this user has no second group");
    }
    group
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

/// Somebody else, with one group.
fn nobody(gid: u32, program: &str) -> Option<Command> {
    let nobody = User::from_name("nobody").ok()??;
    if !geteuid().is_root() {
        println!("skipped: only root can become another user");
        return None;
    }
    let mut command = Command::new(program);
    command.uid(nobody.uid.as_raw()).gid(gid).env("HOME", "/");
    Some(command)
}

#[test]
fn another_admin_goes_on_and_users_read() {
    let Some(group) = another_group() else { return };
    let text = format!("[shared]\ngroup = '{}'\nread = 'world'\nwrite = 'group'\n", group.name);
    let bed = shared(&text);
    ok(&closed(&bed, &["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]));
    let state = bed.state();
    let generation = state.join("generations/science/2");
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

    // A user of no group, on the way that users take.
    let link = state.join("current/science");
    if let Some(mut program) = nobody(65_533, "sh") {
        let script = "set -e; cat spack.yaml > /dev/null; view/bin/h5dump --version; \
                      find -L view modules -type f -exec cat {} + > /dev/null; find -L view modules | wc -l";
        let output = program.args(["-c", script]).current_dir(&link).output().unwrap();
        assert!(ok(&output).contains("1.12"));
    }
    // The next admin, who is in the group and as closed as the first.
    if let Some(mut second) = nobody(group.gid.as_raw(), "sh") {
        let me = env!("CARGO_BIN_EXE_moonstack");
        let script = "umask 077; set -e; m() { \"$@\" -q runs list && \"$@\" -q generation rollback science --to 1 && \
                      \"$@\" -q generation prove science --number 1 && \"$@\" -q snapshot create science; }; m \"$@\"";
        let output =
            second.args(["-c", script, "sh", me]).args(&bed.site).current_dir(&bed.root).output().unwrap();
        ok(&output);
        // The first goes on after the second.
        ok(&closed(&bed, &["-q", "generation", "rollback", "science", "--to", "2"]));
        ok(&closed(&bed, &["-q", "snapshot", "tag", "science", "--add", "after"]));
    }
}

#[test]
fn what_users_cannot_read_is_observed_and_mended() {
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

#[test]
fn only_the_group_reads_where_the_site_says_so() {
    let Some(group) = another_group() else { return };
    let bed = shared(&format!("[shared]\ngroup = '{}'\nread = 'group'\n", group.name));
    ok(&closed(&bed, &["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"]));
    let folder = bed.state().join("generations/science/2");
    assert_eq!(mode(&folder), 0o2750);
    assert_eq!(mode(&folder.join("spack.yaml")), 0o640);
    let look = |gid: u32| Some(nobody(gid, "cat")?.arg(folder.join("spack.yaml")).output().unwrap());
    if let (Some(member), Some(other)) = (look(group.gid.as_raw()), look(65_533)) {
        ok(&member);
        assert!(!other.status.success());
    }
    let file = folder.join("spack.yaml");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let proof = bed.run(&["--json", "generation", "prove", "science", "--number", "2"]);
    let said = String::from_utf8_lossy(&proof.stdout).into_owned();
    assert!(said.contains(&format!("users of group {} cannot read", group.name)), "{said}");
}

#[test]
fn a_group_that_there_is_not_is_refused_before_anything_is_written() {
    let bed = shared("[shared]\ngroup = 'no-such-group-here'\nwrite = 'group'\n");
    let before = bed.tree();
    for args in [
        &["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"][..],
        &["-q", "snapshot", "create", "science"],
        &["-q", "generation", "adopt", "science"],
        &["-q", "plan", "upgrade-with-snapshot", "science", "hdf5@1.12"],
    ] {
        let output = bed.run(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{args:?}");
        assert!(said.contains("there is no group 'no-such-group-here'") && said.contains("hint"), "{said}");
    }
    assert_eq!(bed.tree(), before);
    assert!(!bed.state().exists());
    // Who only looks needs no group.
    bed.ok(&["-q", "find"]);
}

#[test]
fn what_spack_is_told_already_is_left_with_a_warning() {
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
