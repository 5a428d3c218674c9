//! Reading a database: what passes over JSON accepts what a parser accepts; a store whose index is lost or cannot
//! be read is never an empty one; rows say the same whether they own their text or not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use moonstack::base::Kind;
use moonstack::spack::store::database::DatabaseText;
use moonstack::spack::store::row::{Row, SpecRow};
use moonstack::spack::store::stores::Stores;
use moonstack::spack::text::json_scan::Skim;
use moonstack::world::fs::eyes::LiveEyes;
use proptest::prelude::*;

fn skims(text: &str) -> bool {
    let mut skim = Skim::new(text);
    skim.value().and_then(|_| skim.end()).is_ok()
}

fn parses(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

const SAMPLE: &str =
    r#" {"a":[1,-0.5e+3,"x\u00e9\"",{"b" : null}, true,false ,[],{}],"é\\":"longer than eight"} "#;

proptest! {
    #[test]
    fn what_is_passed_over_is_what_parses(text in "[\\[\\]{}:,\"\\\\ a-fu0-9.eE+nrtl\n-]{0,24}") {
        prop_assert_eq!(skims(&text), parses(&text), "{}", text);
    }

    #[test]
    fn a_changed_byte_is_seen_where_a_parser_sees_it(at in 0..SAMPLE.len(), byte in 0_u8..128, cut in any::<bool>()) {
        let mut bytes = SAMPLE.as_bytes().to_vec();
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = byte;
        }
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert_eq!(skims(&text), parses(&text), "{}", text);
        }
    }
}

#[test]
fn deep_text_is_refused_and_the_same_text_is_taken_once_more() {
    assert!(skims(SAMPLE) && !skims(&"[".repeat(1 << 20)));
    let mut skim = Skim::new("[1][1][2]");
    let seen = skim.value().unwrap();
    assert!(skim.same(seen) && !skim.same(seen) && !skim.same(""));
    assert_eq!(skim.at(), 6);
}

fn read(root: &Path) -> Result<usize, (Kind, String)> {
    let patience = Duration::from_secs(1);
    let text = DatabaseText::read(&LiveEyes, root, patience).map_err(|t| (t.kind(), t.to_string()))?;
    let unlocked = DatabaseText::read_unlocked(&LiveEyes, root).unwrap();
    assert_eq!(unlocked.parse().unwrap().records().len(), text.parse().unwrap().records().len());
    Ok(text.parse().unwrap().records().len())
}

#[test]
fn a_store_that_cannot_be_read_is_not_empty() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    let index = root.join(".spack-db/index.json");
    assert_eq!(read(&root), Ok(0), "no store yet");
    std::fs::create_dir_all(index.parent().unwrap()).unwrap();
    assert_eq!(read(&root), Ok(0), "nothing installed yet");
    std::fs::create_dir_all(root.join("linux/zlib-1/.spack")).unwrap();
    assert_eq!(read(&root), Ok(0), "an installation has begun");
    std::fs::write(root.join("linux/zlib-1/.spack/spec.json"), "{}").unwrap();

    let fails = |kind: Kind, word: &str| {
        let (found, message) = read(&root).unwrap_err();
        assert_eq!(found, kind, "{message}");
        assert!(message.contains(word) && message.contains("index.json"), "{message}");
    };
    fails(Kind::Corrupt, "zlib-1");
    std::fs::create_dir(&index).unwrap();
    fails(Kind::Io, "cannot read");
    std::fs::write(root.join(".spack-db/lock"), "").unwrap();
    fails(Kind::Io, "cannot read");
    std::fs::remove_dir(&index).unwrap();
    fails(Kind::Corrupt, "zlib-1");
    std::os::unix::fs::symlink("gone", &index).unwrap();
    fails(Kind::NotFound, "cannot read");
    std::fs::remove_file(&index).unwrap();
    std::fs::write(&index, r#"{"database":{"version":"8","installs":{}}}"#).unwrap();
    assert_eq!(read(&root), Ok(0));
}

#[test]
fn a_row_says_the_same_borrowed_and_owned() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/spack-1.1.0");
    let mut files = std::fs::read_dir(file).unwrap().map(|entry| entry.unwrap().path());
    let file =
        files.find(|f| f.file_name().is_some_and(|n| n.to_string_lossy().starts_with("index"))).unwrap();
    let text = DatabaseText::from_bytes(&file, std::fs::read(&file).unwrap()).unwrap();
    let stores = Stores::new(text.parse().unwrap(), Vec::new());
    for entry in stores.entries() {
        let owned = SpecRow::of_entry(&stores, entry).unwrap();
        let node = entry.read_node().unwrap();
        let borrowed = Row::of_installed(&stores, entry, &node);
        assert_eq!(serde_json::to_string(&owned).unwrap(), serde_json::to_string(&borrowed).unwrap());
    }
}
