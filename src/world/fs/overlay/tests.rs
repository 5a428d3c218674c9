use super::*;
use crate::base::Kind;

#[test]
fn later_looks_see_what_was_pretended_and_the_disk_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    std::fs::create_dir_all(root.join("a/b")).unwrap();
    std::fs::write(root.join("a/b/one"), "1").unwrap();
    std::fs::write(root.join("a/two"), "2").unwrap();
    let before = digest::tree(root).unwrap();
    let overlay = Arc::new(Overlay::default());
    let eyes = LayeredEyes(Arc::clone(&overlay));
    assert_eq!(eyes.tree_digest(root).unwrap(), before);

    overlay.write(&root.join("a/new"), b"n".to_vec(), Some(0o600));
    overlay.remove(&root.join("a/two"));
    overlay.make_folder(&root.join("x/y"));
    overlay.write(&root.join("x/y/z"), b"z".to_vec(), None);
    overlay.rename(&root.join("a"), &root.join("moved"));
    assert_eq!(eyes.list(root).unwrap(), ["moved", "x"]);
    assert_eq!(eyes.list(&root.join("moved")).unwrap(), ["b", "new"]);
    assert_eq!(eyes.read(&root.join("moved/b/one")).unwrap(), b"1");
    assert_eq!(eyes.read(&root.join("moved/../x/./y/z")).unwrap(), b"z");
    assert_eq!(eyes.stat(&root.join("moved/new")).unwrap().mode, 0o600);
    assert_eq!(eyes.read(&root.join("a/two")).unwrap_err().kind(), Kind::NotFound);
    assert!(!eyes.exists(&root.join("moved/two")).unwrap() && !eyes.exists(&root.join("a")).unwrap());
    overlay.remove(&root.join("x"));
    assert!(!eyes.exists(&root.join("x/y/z")).unwrap());
    overlay.make_folder(&root.join("x"));
    assert!(eyes.list(&root.join("x")).unwrap().is_empty());
    overlay.point(&root.join("x/link"), Path::new("../moved"));
    assert_eq!(eyes.read_link(&root.join("x/link")).unwrap(), Path::new("../moved"));
    assert_eq!(eyes.lstat(&root.join("x/link")).unwrap().kind, FileKind::Link);
    let kinds = [("b".to_owned(), FileKind::Folder), ("new".to_owned(), FileKind::File)];
    assert_eq!(eyes.entries(&root.join("x/link")).unwrap(), kinds);
    let outer: Vec<FileKind> = eyes.entries(root).unwrap().into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(outer, [FileKind::Folder, FileKind::Folder]);
    assert_eq!(eyes.entries(&root.join("x")).unwrap(), [("link".to_owned(), FileKind::Link)]);
    assert_eq!(eyes.read(&root.join("x/link/b/one")).unwrap(), b"1");
    overlay.write(&root.join("x/link/late"), b"l".to_vec(), None);
    assert_eq!(eyes.list(&root.join("moved")).unwrap(), ["b", "late", "new"]);
    assert_eq!(eyes.list(&root.join("x/link")).unwrap(), ["b", "late", "new"]);
    overlay.point(&root.join("x/link"), Path::new("link"));
    assert!(eyes.read(&root.join("x/link/b/one")).is_err() && eyes.stat(&root.join("x/link")).is_err());
    assert_eq!(digest::tree(root).unwrap(), before);
}

#[test]
fn a_pretended_tree_has_the_digest_that_the_real_one_would_have() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    std::fs::create_dir(root.join("sub")).unwrap();
    std::fs::write(root.join("sub/file"), "old").unwrap();
    std::os::unix::fs::symlink("sub/file", root.join("link")).unwrap();
    let overlay = Arc::new(Overlay::default());
    overlay.write(&root.join("sub/file"), b"new".to_vec(), None);
    overlay.write(&root.join("sub/tool"), b"#!".to_vec(), Some(0o755));
    overlay.write(&root.join("sub.x"), b"dot sorts beside".to_vec(), None);
    let pretended = LayeredEyes(overlay).tree_digest(root).unwrap();
    std::fs::write(root.join("sub/file"), "new").unwrap();
    std::fs::write(root.join("sub.x"), "dot sorts beside").unwrap();
    std::fs::write(root.join("sub/tool"), "#!").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(root.join("sub/tool"), mode).unwrap();
    assert_eq!(pretended, digest::tree(root).unwrap());
}
