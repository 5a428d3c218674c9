//! Secrets out of URLs, argument vectors and logs.

use std::sync::LazyLock;

use regex::{Captures, Regex};

static USER_INFO: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)[^/@\s]+@").ok());
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?P<name>[a-z0-9_-]*(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|signature)[a-z0-9_-]*)(?P<sep>\s*[=:]\s*)(?P<value>[^\s&,;]+)").ok()
});

/// The text with user information of URLs and values of telling names replaced by `***`.
pub fn redact(text: &str) -> String {
    let mut out = text.to_owned();
    if out.contains("://")
        && out.contains('@')
        && let Some(re) = USER_INFO.as_ref()
    {
        out = re.replace_all(&out, "${scheme}***@").into_owned();
    }
    if let Some(re) = NAMED.as_ref() {
        out = re
            .replace_all(&out, |c: &Captures<'_>| {
                // `access_pair: {id_variable: NAME}` names a variable, which is no secret.
                if c["name"].to_ascii_lowercase().ends_with("_variable") {
                    c[0].to_owned()
                } else {
                    format!("{}{}***", &c["name"], &c["sep"])
                }
            })
            .into_owned();
    }
    out
}

/// An argument vector fit for a log. The value after an option with a telling name goes too.
pub fn argv(args: &[String]) -> Vec<String> {
    let mut hide_next = false;
    args.iter()
        .map(|arg| {
            if std::mem::take(&mut hide_next) {
                return "***".to_owned();
            }
            let low = arg.to_ascii_lowercase();
            if low.starts_with("--")
                && !arg.contains('=')
                && ["password", "secret", "token"].iter().any(|w| low.contains(w))
                && !low.ends_with("-variable")
            {
                hide_next = true;
            }
            redact(arg)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_named_values() {
        assert_eq!(redact("https://me:pw@host/x"), "https://***@host/x");
        assert_eq!(redact("s3://bucket/x"), "s3://bucket/x");
        assert_eq!(redact("TOKEN=abc rest"), "TOKEN=*** rest");
        assert_eq!(redact("secret_variable: NAME"), "secret_variable: NAME");
    }

    #[test]
    fn argument_after_a_telling_option() {
        let args: Vec<String> = ["--s3-access-key-secret", "hush", "mirror"].map(String::from).to_vec();
        assert_eq!(argv(&args), ["--s3-access-key-secret", "***", "mirror"]);
    }
}
