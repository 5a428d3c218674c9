//! Archives that somebody made to do harm, or that lost something on the way: each is refused by name, and nothing of
//! it is written.

use std::io::{Read as _, Write as _};
use std::path::Path;

use serde_json::{Value, json};
use tar::EntryType;

use super::bed::{create, error, kept};
use crate::common::dice::Dice;
use crate::common::runs_bed::Bed;

/// An entry as it stands in the file, whatever it claims.
#[derive(Clone)]
struct Entry {
    name: String,
    kind: EntryType,
    link: Option<&'static str>,
    bytes: Vec<u8>,
    /// Another size than it has.
    claims: Option<u64>,
}

fn plain(name: &str, bytes: &[u8]) -> Entry {
    Entry { name: name.to_owned(), kind: EntryType::Regular, link: None, bytes: bytes.to_vec(), claims: None }
}

fn entries(file: &Path) -> Vec<Entry> {
    let tar = zstd::decode_all(std::fs::File::open(file).unwrap()).unwrap();
    let mut archive = tar::Archive::new(tar.as_slice());
    let read = |mut entry: tar::Entry<'_, &[u8]>| {
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        plain(std::str::from_utf8(&entry.path_bytes()).unwrap(), &bytes)
    };
    archive.entries().unwrap().map(|entry| read(entry.unwrap())).collect()
}

/// Names go in as they are: the crate's own way would refuse the bad ones.
fn tar_of(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        let mut header = tar::Header::new_ustar();
        let name = entry.name.as_bytes();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(entry.kind);
        header.set_mode(0o644);
        if let Some(link) = entry.link {
            header.set_link_name(link).unwrap();
        }
        header.set_size(entry.claims.unwrap_or(entry.bytes.len() as u64));
        header.set_cksum();
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(&entry.bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

fn pack(tar: &[u8]) -> Vec<u8> {
    zstd::encode_all(tar, 3).unwrap()
}

/// The manifest changed by hand.
fn manifest(entries: &mut [Entry], change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&entries[0].bytes).unwrap();
    change(&mut value);
    entries[0].bytes = serde_json::to_vec(&value).unwrap();
}

fn member(name: &str, bytes: &[u8]) -> Value {
    json!({ "name": name, "size": bytes.len(), "sha256": moonstack::base::digest::bytes(bytes) })
}

/// Puts in another content everywhere that says what it is, so that only the content itself is wrong.
fn exchange(entries: &mut [Entry], part: &str, change: impl FnOnce(&mut Value)) {
    let mut document: Value = serde_json::from_slice(&entries[1].bytes).unwrap();
    if part.is_empty() {
        change(&mut document);
    } else {
        let old = document[part].as_str().unwrap().to_owned();
        let at = entries.iter().position(|e| e.name.ends_with(&old)).unwrap();
        let mut value: Value = serde_json::from_slice(&entries[at].bytes).unwrap();
        change(&mut value);
        let bytes = serde_json::to_vec(&value).unwrap();
        let id = moonstack::base::digest::bytes(&bytes);
        document[part] = id.clone().into();
        entries[at] = plain(&format!("objects/{id}"), &bytes);
    }
    entries[1].bytes = serde_json::to_vec(&document).unwrap();
    let id = moonstack::base::digest::bytes(&entries[1].bytes);
    let members: Vec<Value> = entries[1..].iter().map(|e| member(&e.name, &e.bytes)).collect();
    manifest(entries, |m| {
        m["id"] = id.into();
        m["members"] = members.into();
    });
}

/// Name, file, kind of the error, and a word of it.
type Case = (&'static str, Vec<u8>, &'static str, &'static str);

fn extra(good: &[Entry], entry: Entry) -> Vec<u8> {
    let mut all = good.to_vec();
    all.push(entry);
    pack(&tar_of(&all))
}

fn entry_cases(good: &[Entry]) -> Vec<Case> {
    let named = |name: &str| extra(good, plain(name, b"x"));
    let odd = |kind, link| extra(good, Entry { kind, link, ..plain("objects/odd", b"") });
    let replaced = |kind, link| {
        let mut all = good.to_vec();
        all[2] = Entry { kind, link, bytes: Vec::new(), ..all[2].clone() };
        pack(&tar_of(&all))
    };
    let mut first = good.to_vec();
    first.swap(0, 1);
    vec![
        ("a step upwards", named("../../escape"), "refused", "../../escape"),
        ("a step upwards within", named("objects/../../escape"), "refused", "objects/../../escape"),
        ("an absolute path", named("/tmp/escape"), "refused", "/tmp/escape"),
        ("a name with a line end", named("a\nb"), "refused", "a\\nb"),
        ("one more", named("more"), "refused", "the manifest does not name it"),
        ("another spelling", named("./document.json"), "refused", "./document.json"),
        ("one twice", extra(good, good[1].clone()), "refused", "there twice"),
        ("the manifest twice", extra(good, good[0].clone()), "refused", "there twice"),
        ("a link", odd(EntryType::Symlink, Some("/etc/passwd")), "refused", "no plain file"),
        ("a hard link", odd(EntryType::Link, Some("/etc/passwd")), "refused", "no plain file"),
        ("a device", odd(EntryType::Char, None), "refused", "no plain file"),
        ("a pipe", odd(EntryType::Fifo, None), "refused", "no plain file"),
        ("a folder", odd(EntryType::Directory, None), "refused", "no plain file"),
        (
            "a long name",
            extra(good, Entry { kind: EntryType::GNULongName, ..plain("x", b"../y\0") }),
            "refused",
            "no plain file",
        ),
        (
            "an extension",
            extra(good, Entry { kind: EntryType::XHeader, ..plain("x", b"12 path=../y\n") }),
            "refused",
            "no plain file",
        ),
        ("a sparse file", odd(EntryType::GNUSparse, None), "refused", "no plain file"),
        (
            "a member that is a link",
            replaced(EntryType::Symlink, Some("/etc/passwd")),
            "refused",
            "no plain file",
        ),
        ("no manifest", pack(&tar_of(&good[1..])), "refused", "manifest.json comes first"),
        ("the manifest later", pack(&tar_of(&first)), "refused", "manifest.json comes first"),
        ("one missing", pack(&tar_of(&good[..good.len() - 1])), "corrupt", "is missing"),
        ("nothing", pack(&tar_of(&[])), "corrupt", "empty"),
    ]
}

fn content_cases(good: &[Entry]) -> Vec<Case> {
    let with = |change: &dyn Fn(&mut Vec<Entry>)| {
        let mut all = good.to_vec();
        change(&mut all);
        pack(&tar_of(&all))
    };
    vec![
        (
            "a later format",
            with(&|all| manifest(all, |m| m["format"] = 2.into())),
            "unknown_format",
            "up to 1",
        ),
        ("format 0", with(&|all| manifest(all, |m| m["format"] = 0.into())), "unknown_format", "up to 1"),
        ("no format", with(&|all| all[0].bytes = b"{}".to_vec()), "corrupt", "manifest.json"),
        (
            "another id",
            with(&|all| manifest(all, |m| m["id"] = "0".repeat(64).into())),
            "corrupt",
            "document.json",
        ),
        (
            "a later document",
            with(&|all| exchange(all, "", |d| d["format"] = 99.into())),
            "unknown_format",
            "format 99",
        ),
        (
            "a document that is none",
            with(&|all| exchange(all, "", |d| d["lock"] = 1.into())),
            "corrupt",
            "document.json",
        ),
        (
            "an object unnamed",
            with(&|all| exchange(all, "", |d| d["state"] = d["configuration"].clone())),
            "refused",
            "does not need it",
        ),
        (
            "an object not there",
            with(&|all| exchange(all, "", |d| d["state"] = "0".repeat(64).into())),
            "corrupt",
            "missing",
        ),
        ("a state that is none", with(&|all| exchange(all, "state", |s| *s = json!({}))), "corrupt", "state"),
        (
            "an environment upwards",
            with(&|all| exchange(all, "", |d| d["env"]["path"] = "/a/../etc".into())),
            "refused",
            "no environment",
        ),
        (
            "an environment nowhere",
            with(&|all| exchange(all, "", |d| d["env"]["path"] = "etc".into())),
            "refused",
            "no environment",
        ),
        (
            "a start file as configuration",
            with(&|all| exchange(all, "configuration", |c| c[0]["path"] = "/root/.bashrc".into())),
            "refused",
            ".bashrc",
        ),
        (
            "configuration upwards",
            with(&|all| exchange(all, "configuration", |c| c[0]["path"] = "/a/../b.yaml".into())),
            "refused",
            "b.yaml",
        ),
        (
            "a flipped byte in a member",
            with(&|all| all[2].bytes[10] ^= 1),
            "corrupt",
            "not what the manifest says",
        ),
        (
            "a size too small",
            with(&|all| manifest(all, |m| m["members"][0]["size"] = 1.into())),
            "refused",
            "the manifest says 1",
        ),
        (
            "a huge size",
            with(&|all| manifest(all, |m| m["members"][0]["size"] = u64::MAX.into())),
            "refused",
            "larger than any",
        ),
        (
            "an odd member",
            with(&|all| manifest(all, |m| m["members"][0]["name"] = "../x".into())),
            "refused",
            "../x",
        ),
    ]
}

fn bombs(good: &[Entry]) -> Vec<Case> {
    let gigabyte = |head: Vec<u8>| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.write_all(&head).unwrap();
        let zeros = vec![0; 1 << 20];
        for _ in 0..1024 {
            encoder.write_all(&zeros).unwrap();
        }
        encoder.finish().unwrap()
    };
    let until = |claims: u64| {
        let mut all = good[..2].to_vec();
        all[1].claims = Some(claims);
        let mut head = tar_of(&all);
        head.truncate(head.len() - 1024);
        head
    };
    let mut large = good[..1].to_vec();
    large[0].claims = Some(1 << 30);
    let mut claimed = good.to_vec();
    manifest(&mut claimed, |m| m["members"][0]["size"] = (1_u64 << 30).into());
    vec![
        ("a member of zeros", gigabyte(until(1 << 30)), "refused", "the manifest says"),
        ("zeros behind the end", gigabyte(tar_of(good)), "corrupt", "more after its end"),
        ("a manifest of zeros", gigabyte(tar_of(&large)), "refused", "too large"),
        ("zeros as the manifest says", gigabyte(tar_of(&claimed[..1])), "refused", "larger than any"),
    ]
}

#[test]
fn hostile_and_damaged_archives_are_refused_and_nothing_is_written() {
    let bed = Bed::practice();
    create(&bed);
    bed.ok(&["snapshot", "export", "science@1", "good.tar.zst"]);
    bed.ok(&["snapshot", "delete", "science@1"]);
    let file = bed.root.join("good.tar.zst");
    let whole = std::fs::read(&file).unwrap();
    let whole_tar = zstd::decode_all(whole.as_slice()).unwrap();
    let good = entries(&file);
    assert!(good.len() >= 5);
    let mut cases = entry_cases(&good);
    cases.extend(content_cases(&good));
    cases.extend(bombs(&good));
    let joined = |more: &[u8]| [whole.as_slice(), more].concat();
    cases.extend([
        ("something behind it", joined(b"more"), "corrupt", "more after its end"),
        ("another archive behind it", joined(&whole), "corrupt", "more after its end"),
        ("no archive at all", b"not an archive".to_vec(), "corrupt", "not a whole export"),
        ("an empty file", Vec::new(), "corrupt", "not a whole export"),
    ]);
    let mut dice = Dice::seeded(1);
    for _ in 0..40 {
        let at = dice.index(whole.len());
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << dice.below(8);
        // A few bits of a frame's header mean nothing: what comes out is the same to the last byte.
        let same = zstd::decode_all(flipped.as_slice()).is_ok_and(|tar| tar == whole_tar);
        if !same {
            cases.push(("a flipped bit", flipped, "", ""));
        }
        cases.push(("cut off", whole[..at].to_vec(), "corrupt", ""));
    }
    let bad = bed.root.join("bad.tar.zst");
    for (case, bytes, kind, words) in cases {
        std::fs::write(&bad, &bytes).unwrap();
        let before = (bed.tree(), kept(&bed), files_beside(&bed));
        let (code, error) = error(&bed, &["snapshot", "import", "bad.tar.zst"]);
        let got = error["kind"].as_str().unwrap();
        assert!(got == kind || (kind.is_empty() && ["corrupt", "refused"].contains(&got)), "{case}: {error}");
        assert_eq!(code, if got == "refused" { 4 } else { 3 }, "{case}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words) && message.contains("bad.tar.zst"), "{case}: {words}: {message}");
        assert!(before == (bed.tree(), kept(&bed), files_beside(&bed)), "{case}: something was written");
    }
    // What none of them brought in still comes in.
    std::fs::write(&bad, pack(&tar_of(&good))).unwrap();
    assert_eq!(bed.json(&["snapshot", "import", "bad.tar.zst"])["snapshot"], "science@2");
    assert_eq!(bed.run(&["snapshot", "verify"]).status.code(), Some(0));
}

/// Names around the site, where a path upwards would lead.
fn files_beside(bed: &Bed) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> =
        std::fs::read_dir(&bed.root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}
