//! On real Spacks: a library that is damaged after it was installed is found before users meet it, and they stay
//! where they are. The packages are compiled, so that the loader has something to load.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::common::lab::{self, LabSite};

pub fn trials() -> Vec<Trial> {
    let compiler = compiler().is_none().then(|| "no C compiler".to_owned());
    lab::for_each_release("linkage", &compiler, damage)
}

struct Bed {
    site: LabSite,
    _folder: tempfile::TempDir,
}

impl Bed {
    fn prefix(&self, name: &str, version: &str) -> Result<PathBuf, Failed> {
        let found = self.site.json(&["find", &format!("{name}@{version}")])?;
        let prefix = found[0]["prefix"].as_str().ok_or_else(|| format!("no {name}@{version}: {found}"))?;
        Ok(PathBuf::from(prefix))
    }

    /// What a proof says of a generation; that it ends with 1 where it finds something is looked at here.
    fn proof(&self, number: &str) -> Result<serde_json::Value, Failed> {
        let words = ["--json", "generation", "prove", "tools", "--number", number];
        let output = self.site.moonstack(&words).output()?;
        let proof: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let code = if proof["ok"] == true { Some(0) } else { Some(1) };
        expect("the exit code of a proof", &format!("{:?}", output.status.code()), &format!("{code:?}"))?;
        Ok(proof)
    }

    /// What users get when they start the program.
    fn users(&self) -> Result<String, Failed> {
        let program = self.site.state().join("current/tools/view/bin/lab-tool");
        let output = Command::new(&program).output().map_err(|e| format!("{}: {e}", program.display()))?;
        lab::done("lab-tool", &output)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

const LIBRARY: &str = r#"
    version("2.1")
    version("2.0")
    version("1.0")

    def install(self, spec, prefix):
        import subprocess
        mkdirp(prefix.lib)
        with open("shared.c", "w") as f:
            f.write('const char *shared(void) { return "%s"; }\n' % spec.version)
        lib = prefix.lib.join("libshared.so.1")
        subprocess.check_call(["@CC@", "-shared", "-fPIC", "-Wl,-soname,libshared.so.1", "-o", lib, "shared.c"])
        symlink("libshared.so.1", prefix.lib.join("libshared.so"))
        if spec.satisfies("@2.1"):
            os.truncate(lib, 300)
"#;

const PROGRAM: &str = r#"
    version("2.1")
    version("2.0")
    version("1.0")
    for _version in ("1.0", "2.0", "2.1"):
        depends_on("lab-shared@" + _version, when="@" + _version)

    def install(self, spec, prefix):
        import subprocess
        mkdirp(prefix.bin)
        with open("tool.c", "w") as f:
            f.write('#include <stdio.h>\nconst char *shared(void);\nint main(void) { puts(shared()); return 0; }\n')
        folder = spec["lab-shared"].prefix.lib
        subprocess.check_call(["@CC@", "-o", prefix.bin.join("lab-tool"), "tool.c", "-Wl,-rpath," + folder,
                               "-Wl,--unresolved-symbols=ignore-all", "-Wl,--no-as-needed", "@NEEDED@"])
"#;

/// Two packages beside those of the lab.
fn add_packages(site: &LabSite, cc: &str) -> Result<(), Failed> {
    let packages = walkdir::WalkDir::new(site.folder.join("repo")).into_iter().flatten();
    let known = packages
        .map(walkdir::DirEntry::into_path)
        .find(|path| path.ends_with("lab-zlib/package.py") || path.ends_with("lab_zlib/package.py"))
        .ok_or("the lab has no lab-zlib")?;
    let text = std::fs::read_to_string(&known)?;
    let imports = text.split("\nclass ").next().unwrap_or_default();
    let modern = known.ends_with("lab_zlib/package.py");
    let folder = known.ancestors().nth(2).ok_or("no folder of packages")?;
    // A whole library to link with, whatever becomes of the one that is installed.
    let needed = site.folder.join("libshared.so.1");
    let source = site.folder.join("shared.c");
    std::fs::write(&source, "const char *shared(void) { return \"\"; }\n")?;
    let made = Command::new(cc)
        .args(["-shared", "-fPIC", "-Wl,-soname,libshared.so.1", "-o"])
        .args([&needed, &source])
        .output()?;
    lab::done("cc", &made)?;
    for (name, class, body) in [("lab-shared", "LabShared", LIBRARY), ("lab-tool", "LabTool", PROGRAM)] {
        let body = body.replace("@CC@", cc).replace("@NEEDED@", &needed.display().to_string());
        let own = folder.join(if modern { name.replace('-', "_") } else { name.to_owned() });
        std::fs::create_dir_all(&own)?;
        let text = format!("{imports}\nimport os\n\n\nclass {class}(Package):\n    has_code = False\n{body}");
        std::fs::write(own.join("package.py"), text)?;
    }
    Ok(())
}

fn compiler() -> Option<String> {
    let found = Command::new("sh").args(["-c", "command -v cc"]).output().ok()?;
    let cc = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    (!cc.is_empty()).then_some(cc)
}

fn damage(release: &'static str, root: &Path) -> Result<(), Failed> {
    let cc = compiler().ok_or("no C compiler")?;
    let folder = tempfile::tempdir()?;
    let site = LabSite::make(root, &folder.path().join("site"), false)?;
    add_packages(&site, &cc)?;
    let bed = Bed { site, _folder: folder };
    bed.site.json(&["env", "create", "tools", "lab-tool@1.0"])?;
    bed.site.json(&["env", "install", "tools"])?;
    let upgrade =
        |spec: &str| bed.site.moonstack(&["-q", "run", "upgrade-with-snapshot", "tools", spec]).output();
    lab::done("the upgrade that goes well", &upgrade("lab-tool@2.0")?)?;
    expect("users are on the new one", &bed.users()?, "2.0")?;
    let proof = bed.proof("2")?;
    if proof["ok"] != true || proof["files"].as_u64() < Some(2) {
        return Err(format!("Spack {release}: {proof}").into());
    }

    // A build that leaves a damaged library never gets to users.
    let output = upgrade("lab-tool@2.1")?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() != Some(2) || !told.contains("lib/libshared.so.1 is damaged: it is cut short") {
        return Err(format!("Spack {release}: {:?} {told}", output.status).into());
    }
    expect("users stay", &bed.users()?, "2.0")?;

    // One that is damaged or gone later is found by the next proof, and nobody is sent there.
    let library = bed.prefix("lab-shared", "1.0")?.join("lib/libshared.so.1");
    let whole = std::fs::read(&library)?;
    let gone = format!(
        "bin/lab-tool needs libshared.so.1, which is found nowhere (it was in {})",
        library.parent().unwrap_or(&library).display()
    );
    let cases: [(Option<&[u8]>, &str); 4] = [
        (Some(&whole[..whole.len() / 2]), "lib/libshared.so.1 is damaged: it is cut short"),
        (Some(&[]), "lib/libshared.so.1 is damaged: it is empty"),
        (Some(&[0; 5000]), "lib/libshared.so.1 is damaged: it is empty"),
        (None, &gone),
    ];
    for (bytes, expected) in cases {
        match bytes {
            Some(bytes) => std::fs::write(&library, bytes)?,
            None => std::fs::remove_file(&library)?,
        }
        let proof = bed.proof("1")?;
        // Program and library are told in one line, the view's links are another matter.
        let problems = proof["problems"].as_array().into_iter().flatten();
        let problems = problems.filter(|problem| !problem.to_string().contains("leads nowhere")).count();
        let told = proof["problems"][0].to_string();
        // A file that is gone is one of the package's, too.
        let lines = if bytes.is_none() { 2 } else { 1 };
        let both = bytes.is_none() || told.contains("; another file needs it");
        if proof["ok"] != false || problems != lines || !told.contains(expected) || !both {
            return Err(format!("Spack {release}: {expected}: {proof}").into());
        }
        let refused =
            bed.site.moonstack(&["-q", "generation", "publish", "tools", "--number", "1"]).output()?;
        expect("the refusal", &format!("{:?}", refused.status.code()), "Some(4)")?;
        expect("users stay", &bed.users()?, "2.0")?;
    }
    std::fs::write(&library, &whole)?;
    let proof = bed.proof("1")?;
    expect("mended", &proof["ok"].to_string(), "true")
}

fn expect(what: &str, found: &str, expected: &str) -> Result<(), Failed> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found} instead of {expected}").into()) }
}
