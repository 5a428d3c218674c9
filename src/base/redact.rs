//! Secrets out of URLs, argument vectors and logs, and a text that shows itself to nobody.

use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

static USER_INFO: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)[^/@\s]+@").ok());
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // A value in quotes goes as a whole, also when the quotes are escaped as in a script that JSON carries.
    Regex::new(concat!(
        r"(?i)(?P<name>[a-z0-9_-]*(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|signature)[a-z0-9_-]*)",
        r#"(?P<sep>(?:\\?["'])?\s*[=:]\s*)"#,
        r#"(?P<value>"(?:[^"\\]|\\.)*"|\\"(?:[^"\\]|\\[^"])*\\"|'[^']*'|[^\s&,;]+)"#
    ))
    .ok()
});
static WEBHOOK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // The path is the secret: of the well-known services, and of whatever a script gives to `notify.webhook`.
    Regex::new(concat!(
        r"(?P<shown>https?://(?:hooks\.slack\.com|[a-z0-9.-]+\.webhook\.office\.com|[a-z0-9.-]+\.logic\.azure\.com(?::\d+)?|",
        r"[a-z0-9.-]+\.api\.powerplatform\.com(?::\d+)?|discord\.com/api/webhooks|[^/\s]+/hooks)",
        r#"|notify\.webhook[^:]{0,30}https?://[^/\s"'\\]+)/[^\s"'\\]*"#
    ))
    .ok()
});

/// A password or an address that is one. It can be used, but neither printed nor serialized by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The text with user information of URLs and values of telling names replaced by `***`.
pub fn redact(text: &str) -> String {
    let mut out = text.to_owned();
    if out.contains("://")
        && out.contains('@')
        && let Some(re) = USER_INFO.as_ref()
    {
        out = re.replace_all(&out, "${scheme}***@").into_owned();
    }
    if (out.contains("http://") || out.contains("https://"))
        && let Some(re) = WEBHOOK.as_ref()
    {
        out = re.replace_all(&out, "${shown}/***").into_owned();
    }
    // Most texts have neither sign, and need no search.
    if (out.contains('=') || out.contains(':'))
        && let Some(re) = NAMED.as_ref()
    {
        out = re
            .replace_all(&out, |c: &Captures<'_>| {
                // `access_pair: {id_variable: NAME}` names a variable, which is no secret.
                if c["name"].to_ascii_lowercase().ends_with("_variable") || is_null(&c["value"]) {
                    c[0].to_owned()
                } else {
                    format!("{}{}***", &c["name"], &c["sep"])
                }
            })
            .into_owned();
    }
    out
}

/// The same for each text of a JSON value, which stays JSON: names that tell hide what stands under them.
pub fn json(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(redact(text)),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), field(name, value))).collect()
        }
        other => other.clone(),
    }
}

fn field(name: &str, value: &Value) -> Value {
    match value {
        Value::String(text) if is_telling(name, text) => Value::String(String::from("***")),
        Value::Number(number) if is_telling(name, &number.to_string()) => Value::String(String::from("***")),
        other => json(other),
    }
}

fn is_telling(name: &str, value: &str) -> bool {
    let is_whole = |found: Captures<'_>| &found["name"] == name;
    !name.to_ascii_lowercase().ends_with("_variable")
        && !is_null(value)
        && NAMED.as_ref().and_then(|re| re.captures(&format!("{name}=x")).map(is_whole)).unwrap_or_default()
}

/// What YAML writes where there is nothing.
pub fn is_null(value: &str) -> bool {
    matches!(value.trim(), "null" | "Null" | "NULL" | "~")
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
        assert_eq!(redact("access_token: null\nsecret: ~"), "access_token: null\nsecret: ~");
        assert_eq!(redact(r#"{"password":"a b","to":"x"}"#), r#"{"password":***,"to":"x"}"#);
        assert_eq!(redact("{ password = 'a b', port = 25 }"), "{ password = ***, port = 25 }");
        let script = serde_json::json!("f{ password = \"a b\", port = 25 }").to_string();
        assert_eq!(redact(&script), "\"f{ password = ***, port = 25 }\"");
    }

    #[test]
    fn json_stays_json() {
        let value = serde_json::json!({
            "password": "a b", "secret_variable": "NAME", "token": null, "api_key": 7,
            "text": "token: \"a, b\"\nrest", "list": ["https://me:pw@host/x", { "secret": ["x"] }],
        });
        let wanted = serde_json::json!({
            "password": "***", "secret_variable": "NAME", "token": null, "api_key": "***",
            "text": "token: ***\nrest", "list": ["https://***@host/x", { "secret": ["x"] }],
        });
        assert_eq!(json(&value), wanted);
    }

    #[test]
    fn addresses_of_webhooks_keep_their_host_only() {
        for (text, shown) in [
            ("https://hooks.slack.com/services/T0/B0/x end", "https://hooks.slack.com/*** end"),
            ("'https://chat.site.org/hooks/abc'", "'https://chat.site.org/hooks/***'"),
            ("https://a.webhook.office.com/x?y=z", "https://a.webhook.office.com/***"),
            ("notify.webhook('http://h:1/x/y', 'done')", "notify.webhook('http://h:1/***', 'done')"),
            (r#"notify.webhook{ url = \"http://h/x\" }"#, r#"notify.webhook{ url = \"http://h/***\" }"#),
            ("https://mirror.site.org/build_cache/x", "https://mirror.site.org/build_cache/x"),
        ] {
            assert_eq!(redact(text), shown);
        }
        assert_eq!(format!("{:?}", Secret::new("hush")), "***");
    }

    #[test]
    fn argument_after_a_telling_option() {
        let args: Vec<String> = ["--s3-access-key-secret", "hush", "mirror"].map(String::from).to_vec();
        assert_eq!(argv(&args), ["--s3-access-key-secret", "***", "mirror"]);
    }
}
