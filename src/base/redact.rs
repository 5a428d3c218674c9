//! Secrets out of URLs, argument vectors and logs, and a text that shows itself to nobody.

use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

/// A name whose value is secret.
const TELLING: &str = concat!(
    r"(?:[a-z0-9_-]*(?:password|passwd|passphrase|secret|token|credential|signature|(?:api|access|account|private)[_-]?key)[a-z0-9_-]*",
    r"|(?:[a-z0-9]+[_-])*(?:pass|pwd|pw)\b)"
);
/// A value in quotes goes as a whole, also when the quotes are escaped as in a script that JSON carries.
const VALUE: &str = r#""(?:[^"\\]|\\.)*"|\\"(?:[^"\\]|\\[^"])*\\"|'[^']*'|\[[^\]]*\]|[^\s&,;{\[][^\s&,;]*"#;

static URL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<user>[^\s"'<>\\]*)@(?P<host>[^\s"'<>\\@]*)"#).ok()
});
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r#"(?i)(?P<before>^|[^a-z0-9_-])(?P<name>{TELLING})(?P<sep>(?:\\?["'])?\s*[=:]\s*)(?P<value>{VALUE})"#
    ))
    .ok()
});
/// A name that is telling by itself, as an option or a key.
static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!("(?i)^-*{TELLING}$")).ok());
/// What a server is shown, in its header or bare.
static BEARER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"(?i)(?P<head>\b(?:proxy-)?authorization(?:\\?["'])?\s*[=:]\s*)(?:\\?["'])?[^\r\n"'\\,;}]+"#,
        r"|(?P<bare>\bbearer\s+)(?P<key>[a-z0-9._~+/=-]{6,})"
    ))
    .ok()
});
/// The signature of an address that lets in whoever has it.
static SIGNED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?i)(?P<name>[?&](?:amp;)?(?:sig|x-amz-credential)=)[^&\s"'\\]+"#).ok());
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
        && let Some(re) = URL.as_ref()
    {
        out = re.replace_all(&out, without_user).into_owned();
    }
    if (out.contains("http://") || out.contains("https://"))
        && let Some(re) = WEBHOOK.as_ref()
    {
        out = re.replace_all(&out, "${shown}/***").into_owned();
    }
    if out.contains('?') || out.contains('&') {
        out = replaced(SIGNED.as_ref(), out, |c| format!("{}***", &c["name"]));
    }
    // Most texts have neither sign, and need no search.
    if out.contains('=') || out.contains(':') {
        out = replaced(NAMED.as_ref(), out, without_value);
    }
    if ["uthorization", "earer", "UTHORIZATION", "EARER"].iter().any(|sign| out.contains(sign)) {
        out = replaced(BEARER.as_ref(), out, without_key);
    }
    out
}

fn replaced(re: Option<&Regex>, text: String, with: impl Fn(&Captures<'_>) -> String) -> String {
    match re {
        Some(re) => re.replace_all(&text, |c: &Captures<'_>| with(c)).into_owned(),
        None => text,
    }
}

/// Of a URL only what names a user goes. That may hold an `@` or a `/` as well, and a path may hold an `@`.
fn without_user(c: &Captures<'_>) -> String {
    let (scheme, user, host) = (&c["scheme"], &c["user"], &c["host"]);
    let first = user.split('/').next().unwrap_or_default();
    let hidden = || format!("{scheme}***@{host}");
    if !user.contains('/') || first.contains('@') {
        return hidden();
    }
    match first.split_once(':') {
        // A number after the colon is a port, where a host is before it.
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            let is_host = name.contains('.') || name == "localhost" || host.starts_with("sha256:");
            if is_host { c[0].to_owned() } else { hidden() }
        }
        Some(_) => hidden(),
        None => c[0].to_owned(),
    }
}

fn without_value(c: &Captures<'_>) -> String {
    let (before, name, sep, value) = (&c["before"], &c["name"], &c["sep"], &c["value"]);
    let low = name.to_ascii_lowercase();
    // `access_pair: {id_variable: NAME}` names a variable, which is no secret; a folder and a count are none either.
    let open = low.ends_with("_variable")
        || is_null(value)
        || low == "pwd" && value.starts_with('/')
        || low == "pass"
            && value.trim_matches(['"', '\'']).bytes().all(|b| b.is_ascii_digit() || b"}])".contains(&b));
    if open {
        return c[0].to_owned();
    }
    // JSON stays JSON.
    if sep.starts_with('"') {
        let closing = value.trim_start_matches(|c: char| c != '}' && c != ']');
        let closing = if value.starts_with(['"', '[']) { "" } else { closing };
        return format!("{before}{name}{sep}\"***\"{closing}");
    }
    format!("{before}{name}{sep}***")
}

fn without_key(c: &Captures<'_>) -> String {
    if let Some(head) = c.name("head") {
        let quote =
            c[0].get(head.end() - head.start()..).filter(|rest| rest.starts_with('"')).map_or("", |_| "\"");
        return format!("{}{quote}***", head.as_str());
    }
    // A word of a sentence is none.
    let key = c.name("key").map_or("", |key| key.as_str());
    if key.len() < 20 && !key.bytes().any(|b| b.is_ascii_digit()) {
        return c[0].to_owned();
    }
    format!("{}***", c.name("bare").map_or("", |bare| bare.as_str()))
}

fn is_telling(name: &str) -> bool {
    let low = name.to_ascii_lowercase();
    let variable = low.ends_with("_variable") || low.ends_with("-variable");
    !variable && NAME.as_ref().is_some_and(|re| re.is_match(name))
}

/// A value without secrets: those under telling names, pairs of keys, and what stands in texts.
pub fn value(name: Option<&str>, value: &Value) -> Value {
    let hidden = name.is_some_and(|name| is_telling(name) || name.eq_ignore_ascii_case("access_pair"));
    match value {
        Value::String(text) if hidden && !is_null(text) => "***".into(),
        Value::Number(_) if hidden => "***".into(),
        Value::String(text) => redact(text).into(),
        Value::Array(items) => {
            items.iter().map(|item| self::value(name.filter(|_| hidden), item)).collect::<Vec<_>>().into()
        }
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, item)| (key.clone(), self::value(Some(key), item))).collect())
        }
        other => other.clone(),
    }
}

/// What YAML writes where there is nothing.
pub fn is_null(value: &str) -> bool {
    matches!(value.trim(), "null" | "Null" | "NULL" | "~")
}

/// Short options that begin as `-pPASSWORD` does, and are known not to be one.
const NO_PASSWORD: &[&str] =
    &["-pthread", "-pipe", "-pie", "-pedantic", "-pg", "-pv", "-print", "-path", "-perm", "-prune"];

/// An argument vector fit for a log. The value after an option with a telling name goes too.
pub fn argv(args: &[String]) -> Vec<String> {
    let (mut hide_next, mut user_next) = (false, false);
    args.iter()
        .map(|arg| {
            if std::mem::take(&mut hide_next) {
                return "***".to_owned();
            }
            if std::mem::take(&mut user_next)
                && let Some((user, _)) = arg.split_once(':')
            {
                return format!("{user}:***");
            }
            hide_next = arg.starts_with("--") && is_telling(arg);
            user_next = arg == "-u" || arg == "--user";
            let short = arg.starts_with("-p") && arg.len() > 2;
            if short && !NO_PASSWORD.iter().any(|known| arg.starts_with(known)) {
                return "-p***".to_owned();
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
        assert_eq!(redact(r#"{"password":"a b","to":"x"}"#), r#"{"password":"***","to":"x"}"#);
        assert_eq!(redact("{ password = 'a b', port = 25 }"), "{ password = ***, port = 25 }");
        let script = serde_json::json!("f{ password = \"a b\", port = 25 }").to_string();
        assert_eq!(redact(&script), "\"f{ password = ***, port = 25 }\"");
    }

    #[test]
    fn json_stays_json() {
        let tree = serde_json::json!({
            "password": "a b", "secret_variable": "NAME", "token": null, "api_key": 7,
            "text": "token: \"a, b\"\nrest", "list": ["https://me:pw@host/x", { "secret": ["x"] }],
        });
        let wanted = serde_json::json!({
            "password": "***", "secret_variable": "NAME", "token": null, "api_key": "***",
            "text": "token: ***\nrest", "list": ["https://***@host/x", { "secret": ["***"] }],
        });
        assert_eq!(value(None, &tree), wanted);
    }

    #[test]
    fn secrets_in_every_form() {
        for (text, shown) in [
            ("https://u:p@ss/w@127.0.0.1:9/q", "https://***@127.0.0.1:9/q"),
            ("https://me:12/34@host/x", "https://***@host/x"),
            ("https://token@host", "https://***@host"),
            (
                "https://site.org:8080/pkg@1.2 https://host/pkg@1.2",
                "https://site.org:8080/pkg@1.2 https://host/pkg@1.2",
            ),
            ("oci://registry:5000/img@sha256:ab", "oci://registry:5000/img@sha256:ab"),
            (
                "https://a.blob.core.windows.net/c?sv=2022&sig=x%3D&se=2030",
                "https://a.blob.core.windows.net/c?sv=2022&sig=***&se=2030",
            ),
            ("s3://b/x?sig=abc&X-Amz-Credential=id", "s3://b/x?sig=***&X-Amz-Credential=***"),
            ("Authorization: Bearer abc def", "Authorization: ***"),
            (r#"{"Authorization":"Basic abc=","x":1}"#, r#"{"Authorization":"***","x":1}"#),
            ("note Bearer abc4567 end", "note Bearer *** end"),
            ("the bearer returns later", "the bearer returns later"),
            (
                "passphrase: x\npwd: y\npw=z AccountKey=a==",
                "passphrase: ***\npwd: ***\npw=*** AccountKey=***",
            ),
            ("PWD=/home/me db_pass=x pass=3", "PWD=/home/me db_pass=*** pass=3"),
            (r#"{"pass":3,"tokens":["a","b"],"token":12}"#, r#"{"pass":3,"tokens":"***","token":"***"}"#),
            (r#"{"secrets":{"env":"NAME"}}"#, r#"{"secrets":{"env":"NAME"}}"#),
            ("bypass: x, compass=y", "bypass: x, compass=y"),
        ] {
            assert_eq!(redact(text), shown, "{text}");
        }
    }

    #[test]
    fn values_keep_their_shape() {
        let tree = serde_json::json!({
            "a": { "url": "https://u:p@h/x", "access_pair": ["id", "key"], "access_token": "t" },
            "b": { "access_pair": { "id": "me", "secret": "s", "secret_variable": "NAME" }, "access_token": null },
        });
        let shown = serde_json::json!({
            "a": { "url": "https://***@h/x", "access_pair": ["***", "***"], "access_token": "***" },
            "b": { "access_pair": { "id": "me", "secret": "***", "secret_variable": "NAME" }, "access_token": null },
        });
        assert_eq!(value(Some("mirrors"), &tree), shown);
        assert_eq!(value(Some("access_token"), &"t".into()), "***");
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
        let args =
            ["db", "-phush", "--db-pass", "hush", "-u", "me:hush", "--secret-variable", "NAME", "-pthread"];
        let shown =
            ["db", "-p***", "--db-pass", "***", "-u", "me:***", "--secret-variable", "NAME", "-pthread"];
        assert_eq!(argv(&args.map(String::from)), shown);
    }
}
