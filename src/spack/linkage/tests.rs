//! Held to the system's own loader, and to programs and libraries that are made for it.

use std::collections::BTreeSet;
use std::process::Command;

use super::*;
use crate::world::fs::eyes::LiveEyes;

/// What a file lacks when it is started as it is.
fn started(search: &mut Search<'_>, path: &Path) -> Option<Vec<Lack>> {
    match search.open(path) {
        Opened::Object(object) => Some(resolve::lacks(search, path, &object, Role::Started)),
        _ => None,
    }
}

fn search() -> Search<'static> {
    Search::new(&LiveEyes, System::read(&LiveEyes))
}

/// Libraries that are found nowhere, or not in the version that is needed, as `ldd` says.
fn told_by_ldd(path: &Path) -> Option<BTreeSet<String>> {
    let output = Command::new("ldd").arg(path).env_remove("LD_LIBRARY_PATH").output().ok()?;
    let both = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&both).into_owned();
    // It does not follow what is for another kind of machine.
    if text.contains("not a dynamic executable") {
        return None;
    }
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if let Some((name, _)) = line.split_once(" => not found") {
            found.insert(name.trim().to_owned());
        } else if let Some((_, rest)) = line.split_once("version `") {
            found.insert(rest.split('\'').next().unwrap_or_default().to_owned());
        }
    }
    Some(found)
}

#[test]
fn the_loader_says_the_same_of_this_machine() {
    let wanted = std::env::var("MOONSTACK_LINKAGE").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    if Command::new("ldd").arg("--version").output().is_err() {
        return;
    }
    let mut files = Vec::new();
    for root in ["/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec"] {
        for entry in walkdir::WalkDir::new(root).sort_by_file_name().into_iter().flatten() {
            if entry.file_type().is_file() && !is_plain(entry.path()) {
                files.push(entry.into_path());
            }
        }
    }
    let mut search = search();
    let objects: Vec<_> =
        files.into_iter().filter(|path| matches!(search.open(path), Opened::Object(_))).collect();
    let step = (objects.len() / wanted).max(1);
    let (mut compared, mut missing) = (0, 0);
    for path in objects.iter().step_by(step) {
        let Some(lacks) = started(&mut search, path) else { continue };
        let ours: BTreeSet<String> = lacks
            .into_iter()
            .filter_map(|lack| match lack.how {
                How::Version(_, version) => Some(version),
                _ => lack.needs,
            })
            .collect();
        let Some(theirs) = told_by_ldd(path) else { continue };
        missing += theirs.len();
        compared += 1;
        assert_eq!(ours, theirs, "{}", path.display());
    }
    println!("{compared} of {} files as ldd says, {missing} libraries missing", objects.len());
    assert!(compared > 100 || objects.len() <= 100, "{compared}");
}

fn is_plain(path: &Path) -> bool {
    path.extension()
        .is_some_and(|e| ["py", "pyc", "h", "a", "txt", "gz", "pm", "pl"].iter().any(|plain| e == *plain))
}

/// A folder with a compiler; nothing on a machine without one.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Option<Bench> {
        let cc = Command::new("cc").arg("--version").output();
        cc.is_ok_and(|o| o.status.success()).then(|| Bench { folder: tempfile::tempdir().unwrap() })
    }

    fn at(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// `{}` stands for the folder.
    fn cc(&self, out: &str, code: &str, options: &str) -> PathBuf {
        let (path, source) = (self.at(out), self.at("source.c"));
        std::fs::write(&source, code).unwrap();
        let options = options.replace("{}", &self.folder.path().display().to_string());
        let mut command = Command::new("cc");
        command.arg("-o").arg(&path).arg(&source).args(options.split_whitespace());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{out}: {}", String::from_utf8_lossy(&output.stderr));
        path
    }

    /// A leaf, a library that needs it and has no path of its own, and what is common to the programs.
    fn libraries(&self) {
        self.cc(
            "leaf/lib/libleaf.so.1",
            "int leaf(void) { return 0; }",
            "-shared -fPIC -Wl,-soname,libleaf.so.1",
        );
        let leaf = "{}/leaf/lib/libleaf.so.1 -Wl,--allow-shlib-undefined";
        let code = "int leaf(void); int mid(void) { return leaf(); }";
        self.cc("mid/lib/libmid.so", code, &format!("-shared -fPIC -Wl,-soname,libmid.so {leaf}"));
    }

    fn program(&self, options: &str) -> PathBuf {
        let code = "int mid(void); int main(void) { return mid(); }";
        let plain = "{}/mid/lib/libmid.so -Wl,--allow-shlib-undefined -Wl,--unresolved-symbols=ignore-all";
        self.cc("mid/bin/program", code, &format!("{plain} {options}"))
    }
}

/// What is wrong with a program, in words that are the same on every machine; held to what `ldd` finds missing.
fn said(path: &Path) -> String {
    let lacks = started(&mut search(), path).expect("a program");
    let ours: BTreeSet<String> = lacks
        .iter()
        .filter_map(|lack| match &lack.how {
            How::Nowhere(_) => lack.needs.clone(),
            How::Version(_, version) => Some(version.clone()),
            _ => None,
        })
        .collect();
    let damaged = lacks.iter().any(|lack| matches!(lack.how, How::Damaged(..) | How::NoLoader));
    if let Some(theirs) = told_by_ldd(path).filter(|_| !damaged) {
        assert_eq!(ours, theirs, "{}", path.display());
    }
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let words = lacks.iter().map(|lack| {
        let needs = lack.needs.as_deref().unwrap_or("itself");
        let how = match &lack.how {
            How::Nowhere(None) => "nowhere".to_owned(),
            How::Nowhere(Some((_, why))) => (*why).to_owned(),
            How::Damaged(_, why) => why.split(" (").next().unwrap().to_owned(),
            How::Version(_, version) => format!("lacks {version}"),
            How::NoLoader => "no loader".to_owned(),
        };
        format!("{} {needs}: {how}", name(&lack.file))
    });
    words.collect::<Vec<_>>().join("; ")
}

#[test]
fn paths_are_searched_as_the_loader_does() {
    let Some(bench) = Bench::new() else { return };
    bench.libraries();
    let lost = "libmid.so libleaf.so.1: nowhere";
    let cases = [
        ("-Wl,--disable-new-dtags,-rpath,{}/mid/lib:{}/leaf/lib", ""),
        ("-Wl,--enable-new-dtags,-rpath,{}/mid/lib:{}/leaf/lib", lost),
        ("-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib:${ORIGIN}/../../leaf/lib", ""),
        ("-Wl,--disable-new-dtags,-rpath,{}/mid/lib", lost),
        ("-Wl,--enable-new-dtags,-rpath,{}/mid/lib {}/leaf/lib/libleaf.so.1 -Wl,--no-as-needed", lost),
        ("-Wl,--disable-new-dtags,-rpath,relative:{}/none", "program libmid.so: nowhere"),
        ("-Wl,--disable-new-dtags,-rpath,{}/mid/$LIB:{}/leaf/$LIB", "program libmid.so: nowhere"),
        ("", "program libmid.so: nowhere"),
    ];
    for (options, expected) in cases {
        let path = bench.program(options);
        // `lib` is what `$LIB` stands for on some systems only.
        if options.contains("$LIB") {
            started(&mut search(), &path).expect("a program");
            continue;
        }
        assert_eq!(said(&path), expected, "{options}");
    }
    let slash = bench.cc("plain/libplain.so", "int mid(void) { return 0; }", "-shared -fPIC");
    let code = "int mid(void); int main(void) { return mid(); }";
    let path = bench.cc("bin/slash", code, "{}/plain/libplain.so");
    assert_eq!(said(&path), "");
    std::fs::remove_file(&slash).unwrap();
    assert_eq!(said(&path), format!("slash {}: nowhere", slash.display()));
    let path = bench.cc("bin/none", "int main(void) { return 0; }", "-Wl,-z,nodefaultlib");
    assert_eq!(said(&path), "none libc.so.6: nowhere");
    let path = bench.cc("bin/loader", "int main(void) { return 0; }", "-Wl,--dynamic-linker=/none/ld.so");
    assert_eq!(said(&path), "loader /none/ld.so: no loader");
}

#[test]
fn what_stands_where_a_need_leads_must_be_it() {
    let Some(bench) = Bench::new() else { return };
    bench.libraries();
    let program = bench.program("-Wl,--disable-new-dtags,-rpath,{}/other/lib:{}/mid/lib:{}/leaf/lib");
    let leaf = bench.at("leaf/lib/libleaf.so.1");
    let whole = std::fs::read(&leaf).unwrap();
    let mut foreign = whole.clone();
    foreign[18] ^= 0x55;
    let narrow = [&whole[..4], &[3 - whole[4]], &whole[5..]].concat();
    let other = bench.at("other/lib/libleaf.so.1");
    std::fs::write(&other, &foreign).unwrap();
    assert_eq!(said(&program), "", "another machine's is passed over");
    let half = whole[..whole.len() / 2].to_vec();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "it is empty, or overwritten with zeros"),
        (vec![0; whole.len()], "it is empty, or overwritten with zeros"),
        (half, "it is cut short"),
        (whole[..whole.len() - 1].to_vec(), "it is cut short"),
        (whole[..20].to_vec(), "its header is not whole"),
        (b"INPUT(-lleaf)".to_vec(), "it is no library"),
        (foreign, "it is for another kind of machine"),
        (narrow, "nothing of it would be loaded"),
        (hollow(&whole), "its dynamic section is not whole"),
    ];
    for (bytes, expected) in cases {
        std::fs::write(&leaf, bytes).unwrap();
        let found = said(&program);
        assert!(found.starts_with(&format!("libmid.so libleaf.so.1: {expected}")), "{expected}: {found}");
    }
    std::fs::remove_file(&leaf).unwrap();
    std::os::unix::fs::symlink("libleaf.so.1", &leaf).unwrap();
    assert!(said(&program).contains("it is for another kind of machine"), "a link to itself is no file");
}

/// With zeros for the dynamic section of a 64-bit file, as a disk leaves a block that it has lost.
fn hollow(whole: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let number = |at: usize| u64::from_ne_bytes(whole[at..at + 8].try_into().unwrap()) as usize;
    let headers = (0..whole[56] as usize).map(|i| number(32) + i * 56);
    let dynamic = headers.into_iter().find(|at| whole[*at..*at + 4] == 2u32.to_ne_bytes()).unwrap();
    bytes[number(dynamic + 8)..][..number(dynamic + 32)].fill(0);
    bytes
}

#[test]
fn versions_must_be_defined_where_the_need_leads() {
    let Some(bench) = Bench::new() else { return };
    let build = |script: &str| {
        std::fs::write(bench.at("script"), script).unwrap();
        let code = "int one(void) { return 1; } int two(void) { return 2; }";
        bench.cc("lib/libv.so", code, "-shared -fPIC -Wl,-soname,libv.so -Wl,--version-script={}/script");
    };
    build("V_1 { global: one; local: *; }; V_2 { global: two; } V_1;");
    let code = "int one(void); int two(void); int main(void) { return one() + two(); }";
    let program = bench.cc("bin/p", code, "{}/lib/libv.so -Wl,-rpath,{}/lib");
    assert_eq!(said(&program), "");
    build("V_1 { global: one; two; local: *; };");
    assert_eq!(said(&program), "p libv.so: lacks V_2");
    bench.cc("lib/libv.so", "int one(void) { return 1; } int two(void) { return 2; }", "-shared -fPIC");
    assert_eq!(said(&program), "", "one that defines none answers for all");
}

#[test]
fn a_prefix_is_looked_at_file_by_file() {
    let Some(bench) = Bench::new() else { return };
    bench.libraries();
    bench.program("-Wl,--disable-new-dtags,-rpath,{}/mid/lib:{}/leaf/lib");
    // A library that is loaded by one who has found its folder finds what is beside it.
    let beside = bench.at("mid/lib/libleaf.so.1");
    std::fs::copy(bench.at("leaf/lib/libleaf.so.1"), &beside).unwrap();
    bench.cc("mid/lib/part", "int x;", "-c");
    std::fs::write(bench.at("mid/bin/script"), "#!/bin/sh\n").unwrap();
    std::fs::write(bench.at("mid/lib/libscript.so"), "INPUT(-lmid)").unwrap();
    std::os::unix::fs::symlink("../lib", bench.at("mid/lib/again")).unwrap();
    std::os::unix::fs::symlink("round", bench.at("mid/lib/round")).unwrap();
    std::fs::hard_link(bench.at("mid/bin/program"), bench.at("mid/bin/twin")).unwrap();
    std::fs::copy(bench.at("mid/bin/program"), bench.at("mid/share/hidden")).unwrap();
    std::os::unix::fs::symlink("../share/hidden", bench.at("mid/bin/shown")).unwrap();
    let debug = Command::new("objcopy")
        .arg("--only-keep-debug")
        .args([bench.at("mid/lib/libmid.so"), bench.at("mid/lib/libmid.so.debug")])
        .status();
    assert!(debug.unwrap().success());
    bench.cc("mid/libexec/static", "void _start(void) { for (;;); }", "-static -nostdlib -nostartfiles");
    let look = || {
        let mut linkage = Linkage::new(&LiveEyes);
        let found = linkage.look(&bench.at("mid"));
        assert!(found.troubles.is_empty());
        (linkage.followed, found.lacks)
    };
    assert_eq!(look(), (5, Vec::new()), "two programs, the one in share, two libraries");
    std::fs::write(bench.at("mid/lib/libmid.so"), "").unwrap();
    let (_, lacks) = look();
    let files: Vec<_> = lacks
        .iter()
        .map(|lack| (lack.file.file_name().unwrap().to_str().unwrap(), lack.needs.as_deref()))
        .collect();
    assert_eq!(files, [("program", Some("libmid.so")), ("hidden", Some("libmid.so")), ("libmid.so", None)]);
}

/// What it costs, for the long proof: a system's own tree as one prefix.
#[test]
fn a_large_prefix_takes_seconds() {
    if std::env::var_os("MOONSTACK_LINKAGE").is_none() {
        return;
    }
    for turn in ["first", "second"] {
        let begin = std::time::Instant::now();
        let mut linkage = Linkage::new(&LiveEyes);
        let found = linkage.look(Path::new("/usr"));
        let (seconds, lacks) = (begin.elapsed().as_secs_f64(), found.lacks.len());
        println!("{turn}: {} programs and libraries in {seconds:.2} s, {lacks} lacks", linkage.followed);
        found.lacks.iter().take(30).for_each(|lack| println!("  {lack:?}"));
        assert!(seconds < 60.0, "{seconds}");
    }
}

#[test]
fn no_damage_is_more_than_damage() {
    let file = ["/bin/true", "/usr/bin/env"].map(Path::new).into_iter().find(|path| path.is_file());
    let Some(file) = file else { return };
    let whole = std::fs::read(file).unwrap();
    let target = tempfile::NamedTempFile::new().unwrap();
    let try_one = |bytes: &[u8]| {
        std::fs::write(target.path(), bytes).unwrap();
        drop(started(&mut search_without_system(), target.path()));
    };
    for length in (0..whole.len()).step_by(whole.len() / 150 + 1).chain(0..70) {
        try_one(&whole[..length.min(whole.len())]);
    }
    let mut seed: u64 = 20_261_122;
    for _ in 0..3000 {
        let mut bytes = whole.clone();
        for _ in 0..3 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Headers, the dynamic section and the tables that it names are what is read.
            let limit = if seed & 1 == 0 { 1024.min(bytes.len()) } else { bytes.len() };
            let at = (seed >> 33) as usize % limit;
            bytes[at] = [0, 0xff, 0x7f, 1, (seed >> 20) as u8][(seed >> 8) as usize % 5];
        }
        try_one(&bytes);
    }
}

fn search_without_system() -> Search<'static> {
    Search::new(&LiveEyes, System::default())
}
