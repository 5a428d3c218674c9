//! A job as a service and a timer of systemd's system manager, run as the user that it is printed for.

use std::time::Duration;

use super::job::Job;
use crate::base::Result;

/// A file and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    pub file: String,
    pub text: String,
}

/// The service and the timer; `note` stands above the times.
pub fn units(job: &Job, splay: Option<Duration>, note: Option<&str>) -> Result<[Unit; 2]> {
    job.check()?;
    let name = job.unit();
    Ok([
        Unit { file: format!("{name}.service"), text: service(job) },
        Unit { file: format!("{name}.timer"), text: timer(job, splay, note) },
    ])
}

/// Both in one text, each below its name.
pub fn together(units: &[Unit]) -> String {
    let parts: Vec<String> = units.iter().map(|unit| format!("# {}\n{}", unit.file, unit.text)).collect();
    parts.join("\n")
}

fn service(job: &Job) -> String {
    let words: Vec<String> = job.argv.iter().map(|word| quoted(word, true)).collect();
    let mut environment = vec![format!("PATH={}", job.path)];
    if !job.home.is_empty() {
        environment.push(format!("HOME={}", job.home));
    }
    environment.extend(job.variables.iter().map(|(name, value)| format!("{name}={value}")));
    let environment: Vec<String> = environment.iter().map(|variable| quoted(variable, false)).collect();
    let environment = lines("Environment", &environment);
    // No NoNewPrivileges, and nothing that implies it: sendmail, sudo and container programs of a site need theirs.
    // No PrivateTmp and no ProtectSystem: Spack stages below /tmp, and stores stand anywhere.
    format!(
        "[Unit]
Description=moonstack: {title}
Wants=network-online.target
After=network-online.target remote-fs.target

[Service]
Type=oneshot
User={user}
{environment}ExecStart={command}
# Done, but something needs attention: the run itself tells of it.
SuccessExitStatus=1
# Only moonstack is asked to end; it ends what it has started, in order.
KillMode=mixed
TimeoutStopSec=3min
# A compiler that runs out of memory fails its package, not the whole run.
OOMPolicy=continue
Nice=10
IOSchedulingClass=best-effort
IOSchedulingPriority=7
ProtectControlGroups=yes
ReadOnlyPaths=-/boot -/efi
",
        title = percent(&job.title()),
        user = percent(&job.user),
        command = words.join(" "),
    )
}

fn timer(job: &Job, splay: Option<Duration>, note: Option<&str>) -> String {
    let note = note.map(|note| format!("# {note}\n")).unwrap_or_default();
    let times = lines("OnCalendar", &job.schedule.calendar());
    let splay = splay.map(|s| format!("RandomizedDelaySec={}\n", seconds(s))).unwrap_or_default();
    format!(
        "[Unit]
Description=moonstack: {title}

[Timer]
{note}{times}AccuracySec=1s
{splay}# What was due while the machine was down is made up for.
Persistent=true

[Install]
WantedBy=timers.target
",
        title = percent(&job.title()),
    )
}

/// The same key once for each value.
fn lines(key: &str, values: &[String]) -> String {
    let lines: Vec<String> = values.iter().map(|value| format!("{key}={value}\n")).collect();
    lines.concat()
}

fn seconds(span: Duration) -> String {
    format!("{}s", span.as_secs().max(1))
}

/// systemd replaces what follows a percent sign.
fn percent(text: &str) -> String {
    text.replace('%', "%%")
}

/// A word that systemd hands on as it is. In a command it also replaces variables.
fn quoted(word: &str, command: bool) -> String {
    let word = percent(word);
    let word = if command { word.replace('$', "$$") } else { word };
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '=' | ',' | '+' | '%' | '$')
    };
    if !word.is_empty() && word.chars().all(plain) {
        return word;
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_systemd() {
        for (word, quoted_word) in [
            ("--json", "--json"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("100%", "100%%"),
            ("$HOME", "$$HOME"),
            ("say \"hi\" \\ it's", "\"say \\\"hi\\\" \\\\ it's\""),
            (";", "\";\""),
        ] {
            assert_eq!(quoted(word, true), quoted_word);
        }
        assert_eq!(quoted("A=$HOME", false), "A=$HOME");
    }
}
