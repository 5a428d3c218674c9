//! What is printed: nothing from anywhere reaches a terminal as a command, and no secret as itself.

use serde_json::Value;

use crate::common::runs_bed::Bed;

/// Colours that we never use, a cleared screen, a title, the same in one character, and text that is turned around.
const EVIL: &str = "x\u{1b}[35;7mE\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}2J\u{7f}\u{202e}y";

/// A script in which every way to say something says it; Lua's form of the text stands for `EVIL`.
const SCRIPT: &str = r#"
log.info("info EVIL", { field = "EVIL" })
log.warn("warn EVIL")
print("EVIL")
pcall(process.run, { "sh", "-c", "printf 'EVIL\n' >&2; exit 3" })
run.step("step EVIL", {}, function() fs.write("OUT/EVIL", "EVIL") return { note = "EVIL" } end)
local _, e = pcall(fs.read, "OUT/none EVIL")
fail("not_done", "message EVIL " .. e.message, { fact = "EVIL", hint = "EVIL" })
"#;

fn commanding(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t' || matches!(c, '\u{202a}'..='\u{202e}')
}

/// Our own colours out of a text.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('m') {
            Some((code, rest)) if code.bytes().all(|b| b.is_ascii_digit() || b == b';') && code != "35;7" => {
                out.push_str(rest);
            }
            _ => out.push_str(&format!("\u{1b}[{part}")),
        }
    }
    out
}

#[test]
fn no_name_or_message_reaches_a_terminal_as_a_command() {
    let bed = Bed::practice();
    let environment = bed.root.join("site/environments").join(EVIL);
    std::fs::create_dir(&environment).unwrap();
    std::fs::write(environment.join("spack.yaml"), format!("spack:\n  specs: [\"{EVIL}\"]\n"))
        .unwrap_or_default();
    let lua = EVIL.replace('\u{1b}', "\\27").replace('\u{7}', "\\7");
    let text = SCRIPT.replace("EVIL", &lua).replace("OUT", &bed.out().display().to_string());
    let script = bed.script("evil.lua", &text);
    let typed = format!("no {EVIL}");
    let print = format!("print('{lua}', {{ name = '{lua}' }})");
    let value = format!("return {{ {{ name = '{lua}', at = {{ ['{lua}'] = '{lua}' }} }} }}");
    let lists = format!("return fs.list('{}')", bed.out().display());
    let commands: [&[&str]; 16] = [
        &["-v", "run", &script],
        &["runs"],
        &["runs", "show", "1"],
        &["runs", "log", "1"],
        &["plan", &script],
        &["-v", "plan", &script],
        &["eval", &print],
        &["eval", &value],
        &["eval", &lists],
        &["env", "list"],
        &["env", "status", EVIL],
        &["run", &typed],
        &["find", &typed],
        &["snapshot", "show", &typed],
        &[&typed],
        &["check", "--only", "environments"],
    ];
    let mut shown = 0;
    for words in commands {
        for modes in [&[][..], &["--color=always"], &["--json"], &["--events"]] {
            let all: Vec<&str> = modes.iter().chain(words).copied().collect();
            let output = bed.run(&all);
            for bytes in [&output.stdout, &output.stderr] {
                let text = String::from_utf8(bytes.clone()).unwrap();
                let left = if modes == ["--color=always"] { without_colours(&text) } else { text.clone() };
                assert!(!left.contains(commanding), "{all:?}\n{left:?}");
                shown += usize::from(left.contains("E\\x1b[2J") || left.contains("E\\u001b[2J"));
                if modes == ["--json"] {
                    for line in bytes.split(|b| *b == b'\n').filter(|line| line.starts_with(b"{")) {
                        serde_json::from_slice::<Value>(line).unwrap();
                    }
                }
            }
        }
    }
    assert!(shown > 30, "the text has to be seen for this to say anything: {shown}");
}

#[test]
fn secrets_are_in_nothing_that_is_printed_or_kept() {
    let bed = Bed::practice();
    let mirrors = "mirrors::
  one:
    fetch: { url: 's3://bucket/x?sig=HUSH01&X-Amz-Credential=HUSH02', access_pair: [id, HUSH03] }
    push: { url: 'https://u:p@HUSH04/z@127.0.0.1:9/q', access_pair: { id: me, secret: HUSH05 } }
  two: { url: 'https://acct.blob.core.windows.net/c?sv=2022&sig=HUSH06%3D&se=2030', access_token: HUSH07 }
";
    std::fs::write(bed.root.join("site/config/mirrors.yaml"), mirrors).unwrap();
    let script = r#"
pcall(process.run, { "true", "-pHUSH10", "--db-pass", "HUSH11", "Authorization: Bearer HUSH12", "-u", "me:HUSH13",
  "https://u:p@HUSH14/x@host/y" })
pcall(process.run, { "sh", "-c", "echo passphrase: HUSH15 >&2; exit 3" })
run.step("s", {}, function() return { token = "HUSH16", note = "Bearer HUSH17" } end)
log.info("Bearer HUSH18", { pass = "HUSH19" })
fail("not_done", "cannot log in with pw=HUSH20 and AccountKey=HUSH21==")
"#;
    let script = bed.script("secrets.lua", script);
    let mut said = String::new();
    for words in [
        &["-v", "run", &script][..],
        &["runs", "show", "1"],
        &["runs", "log", "1"],
        &["call", "spack.config", r#"{"path":"mirrors"}"#],
        &["call", "spack.config", r#"{"path":"mirrors:two:access_token"}"#],
        &["--json", "call", "spack.config", r#"{"path":"mirrors"}"#],
        &["call", "spack.mirrors", "{}"],
        &["plan", &script],
    ] {
        let output = bed.run(words);
        said.push_str(&format!("{words:?}\n"));
        said.push_str(&String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    }
    for entry in walkdir::WalkDir::new(bed.state()).into_iter().flatten() {
        // A resumed run gets what it had; that is for its user alone to read.
        if entry.path().starts_with(bed.state().join("private")) {
            let mode = std::os::unix::fs::MetadataExt::mode(&entry.metadata().unwrap());
            assert_eq!(mode & 0o077, 0, "{}", entry.path().display());
        } else if entry.file_type().is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            said.push_str(&format!("{}\n{}", entry.path().display(), String::from_utf8_lossy(&bytes)));
        }
    }
    let found: Vec<&str> = said.lines().filter(|line| line.contains("HUSH")).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(said.contains("https://***@127.0.0.1:9/q") && said.contains("sig=***"), "{said}");
}
