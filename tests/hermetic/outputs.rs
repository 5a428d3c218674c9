//! What is written where somebody wants it: devices and FIFOs stay what they are, links stay links, and a file that
//! moonstack did not make is not overwritten by an export.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::mkfifo;

use crate::common::runs_bed::Bed;

/// The words of a command that writes to a path.
type Writes = fn(&str) -> Vec<String>;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

const WRITERS: [(&str, Writes); 7] = [
    ("report", |path| words(&["--report", path, "run", "health-sweep", "--only", "disk"])),
    ("metrics", |path| words(&["--metrics", path, "run", "health-sweep", "--only", "disk"])),
    ("plan", |path| words(&["plan", "-o", path, "install-list", "openblas"])),
    ("export", |path| words(&["snapshot", "export", "science@1", path])),
    ("description", |path| words(&["snapshot", "export", "science@1", path, "--yaml"])),
    ("page", |path| words(&["snapshot", "diff", "science@1", "science@2", "--html", path])),
    ("script", |path| vec!["eval".to_owned(), format!("fs.write('{path}', 'x')")]),
];

/// With two snapshots.
fn bed() -> Bed {
    let bed = Bed::practice();
    bed.ok(&["-q", "snapshot", "create", "science"]);
    bed.ok(&["-q", "snapshot", "create", "science"]);
    bed
}

fn run(bed: &Bed, words: &[String]) -> (i32, String) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = bed.run(&words);
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Every kind of special file that a test can make here.
fn special(folder: &Path) -> Vec<PathBuf> {
    let (fifo, device) = (folder.join("fifo"), folder.join("null"));
    mkfifo(&fifo, Mode::from_bits_truncate(0o600)).unwrap();
    let mut all = vec![fifo];
    // Only root makes devices, and not everywhere.
    if mknod(&device, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(1, 3)).is_ok() {
        all.push(device);
    }
    all
}

#[test]
fn a_device_and_a_fifo_stay_what_they_are_and_get_what_is_written() {
    let bed = bed();
    for path in special(&bed.root) {
        let before = std::fs::symlink_metadata(&path).unwrap();
        for (name, writes) in WRITERS {
            let reader = before.file_type().is_fifo().then(|| {
                let path = path.clone();
                std::thread::spawn(move || std::fs::read(path).unwrap().len())
            });
            let (code, said) = run(&bed, &writes(&path.display().to_string()));
            assert!(code < 2, "{name}: {code}: {said}");
            if let Some(reader) = reader {
                assert!(reader.join().unwrap() > 0, "{name} wrote nothing into the FIFO");
            }
            let now = std::fs::symlink_metadata(&path).unwrap();
            assert_eq!((now.ino(), now.file_type()), (before.ino(), before.file_type()), "{name}");
        }
    }
}

#[test]
fn a_fifo_that_nobody_reads_is_not_waited_for() {
    let bed = bed();
    let fifo = bed.root.join("fifo");
    mkfifo(&fifo, Mode::from_bits_truncate(0o600)).unwrap();
    let (code, said) = run(&bed, &words(&["snapshot", "export", "science@1", fifo.to_str().unwrap()]));
    assert!(code == 2 && said.contains("nobody reads it"), "{code}: {said}");
}

#[test]
fn standard_output_is_a_place_to_write_to() {
    let bed = bed();
    // As `/dev/stdout` is one; that itself is not put at risk.
    let stdout = bed.root.join("stdout");
    symlink("/proc/self/fd/1", &stdout).unwrap();
    let export = bed.ok(&["snapshot", "export", "science@1", stdout.to_str().unwrap(), "--yaml"]);
    assert!(export.contains("A snapshot of a Spack environment"), "{export}");
    // A shell that sends it into a file has that file open: it is not replaced below the shell.
    let file = bed.root.join("said");
    let write = format!("fs.write('{}', 'whole\\n')", stdout.display());
    let mut command = bed.command(&["-q", "eval", &write]);
    let out = std::fs::File::options().create(true).append(true).open(&file).unwrap();
    let ino = out.metadata().unwrap().ino();
    assert!(command.stdout(out).status().unwrap().success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "whole\n");
    assert_eq!(std::fs::metadata(&file).unwrap().ino(), ino);
}

#[test]
fn a_link_stays_a_link_and_its_target_keeps_what_it_has() {
    let bed = bed();
    let (target, link) = (bed.root.join("target"), bed.root.join("link"));
    symlink("target", &link).unwrap();
    for (name, writes) in WRITERS {
        std::fs::write(&target, "").unwrap();
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o604)).unwrap();
        let (code, said) = run(&bed, &writes(&link.display().to_string()));
        assert!(code < 2, "{name}: {code}: {said}");
        assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("target"), "{name}");
        let meta = std::fs::metadata(&target).unwrap();
        assert!(meta.len() > 0 && meta.mode() & 0o777 == 0o604, "{name}: {:o}", meta.mode());
    }
}

#[test]
fn the_files_of_an_environment_may_be_links_into_a_checkout() {
    let bed = bed();
    let environment = bed.root.join("site/environments/science");
    let git = bed.root.join("git");
    std::fs::create_dir(&git).unwrap();
    for name in ["spack.yaml", "spack.lock"] {
        std::fs::rename(environment.join(name), git.join(name)).unwrap();
        symlink(git.join(name), environment.join(name)).unwrap();
    }
    let edited = std::fs::read_to_string(git.join("spack.yaml")).unwrap() + "# edited\n";
    std::fs::write(git.join("spack.yaml"), edited).unwrap();
    bed.ok(&["-q", "snapshot", "restore", "science@1"]);
    for name in ["spack.yaml", "spack.lock"] {
        assert_eq!(std::fs::read_link(environment.join(name)).unwrap(), git.join(name));
    }
    assert!(!std::fs::read_to_string(git.join("spack.yaml")).unwrap().contains("# edited"));
}

#[test]
fn what_moonstack_did_not_make_is_not_overwritten() {
    let bed = bed();
    let file = bed.root.join("precious");
    let archive = zstd::encode_all(&b"a thesis, and no tar at all"[..], 3).unwrap();
    let page = b"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n".to_vec();
    for (name, writes) in WRITERS {
        if !["plan", "export", "description", "page"].contains(&name) {
            continue;
        }
        for precious in [&archive, &page, &b"# A snapshot\n".to_vec(), &b"{\"format\": 1}".to_vec()] {
            std::fs::write(&file, precious).unwrap();
            let (code, said) = run(&bed, &writes(&file.display().to_string()));
            assert!(
                code == 2 && said.contains("is there") && said.contains("hint"),
                "{name}: {code}: {said}"
            );
            assert_eq!(&std::fs::read(&file).unwrap(), precious, "{name}");
        }
        // What it made itself it makes anew.
        std::fs::remove_file(&file).unwrap();
        for _ in 0..2 {
            let (code, said) = run(&bed, &writes(&file.display().to_string()));
            assert!(code < 2, "{name}: {code}: {said}");
        }
    }
}

#[test]
fn without_a_home_there_is_no_state_in_a_folder_for_temporary_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_moonstack"));
    command.args(["env", "list"]).env_clear().env("TMPDIR", folder.path()).env("PATH", "/usr/bin:/bin");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("HOME is not set") && said.contains("MOONSTACK_STATE"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
