//! A job as lines of a user's crontab. cron reads a line in its own way before a shell does: a percent sign ends it,
//! and long lines are cut.

use super::job::Job;
use crate::base::{Kind, Result, Trouble};

/// The longest command, and the longest variable, that the cron of Debian and Red Hat takes.
const LONGEST: usize = 990;

/// The lines, as they can be handed to `crontab -`.
pub fn lines(job: &Job) -> Result<String> {
    job.check()?;
    let mut out = format!("# moonstack: {}\nSHELL=/bin/sh\n", job.title());
    let given = [("PATH", &job.path), ("HOME", &job.home), ("MAILTO", &job.user)];
    let variables = given.into_iter().chain(job.variables.iter().map(|(name, value)| (name.as_str(), value)));
    for (name, value) in variables.filter(|(_, value)| !value.is_empty()) {
        let line = format!("{name}={}", quoted(value)?);
        bounded(&line, name)?;
        out.push_str(&line);
        out.push('\n');
    }
    let words: Vec<String> = job.argv.iter().map(|word| shell(word)).collect();
    let command = words.join(" ").replace('%', "\\%");
    bounded(&command, "the command")?;
    out.push_str(&format!("{} {command}\n", job.schedule.cron()));
    Ok(out)
}

fn bounded(text: &str, what: &str) -> Result<()> {
    if text.len() <= LONGEST {
        return Ok(());
    }
    Err(Trouble::new(Kind::Usage, format!("{what} is too long for a crontab: {} characters", text.len()))
        .hint("cron cuts lines after 1000; put the options into a script of the site, or use --for systemd"))
}

/// A value of a variable: cron takes blanks and quotes at its ends away, unless it is in quotes.
fn quoted(value: &str) -> Result<String> {
    let bare = |c: char| !c.is_whitespace() && !matches!(c, '"' | '\'' | '#');
    if value.chars().all(bare) {
        return Ok(value.to_owned());
    }
    let quote = ['"', '\''].into_iter().find(|q| !value.contains(*q));
    quote.map(|q| format!("{q}{value}{q}")).ok_or_else(|| {
        Trouble::usage(format!("{value} has both kinds of quotes in it, which a crontab cannot hold"))
    })
}

/// A word that a shell hands on as it is.
fn shell(word: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '=' | ',' | '+' | '@')
    };
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Schedule;

    fn job(argv: &[&str]) -> Job {
        Job {
            name: "nightly".into(),
            workflow: "nightly".into(),
            schedule: Schedule::parse("daily 02:00").unwrap(),
            argv: argv.iter().map(|a| (*a).to_owned()).collect(),
            variables: [("MOONSTACK_STATE".to_owned(), "/my state".to_owned())].into(),
            user: "spack".into(),
            home: "/home/spack".into(),
            path: "/usr/bin:/bin".into(),
        }
    }

    #[test]
    fn a_line_survives_cron_and_the_shell() {
        let lines = lines(&job(&["/opt/m", "run", "a b", "it's 100%", "--x=1", "", "$HOME"])).unwrap();
        assert_eq!(
            lines,
            "# moonstack: nightly, daily 02:00\nSHELL=/bin/sh\nPATH=/usr/bin:/bin\nHOME=/home/spack\nMAILTO=spack\n\
             MOONSTACK_STATE=\"/my state\"\n0 2 * * * /opt/m run 'a b' 'it'\\''s 100\\%' --x=1 '' '$HOME'\n"
        );
    }

    #[test]
    fn what_a_crontab_cannot_hold_is_refused() {
        assert!(lines(&job(&["/opt/m", "two\nlines"])).unwrap_err().message().contains("'\\n'"));
        assert!(lines(&job(&["/opt/m", &"x".repeat(1000)])).unwrap_err().message().contains("too long"));
        let both = Job { home: "/a\"b'c".into(), ..job(&["/opt/m"]) };
        assert!(lines(&both).unwrap_err().message().contains("both kinds of quotes"));
        let name = Job { name: "../x".into(), ..job(&["/opt/m"]) };
        assert!(lines(&name).unwrap_err().message().contains("cannot be the name"));
    }
}
