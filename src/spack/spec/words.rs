//! Words as a shell hands them over, as one text of specs: the shell has taken the quotes away, so Spack puts them
//! around everything behind `name=` again.

use super::dialect::Dialect;

/// The text that Spack reads when it is given these words.
pub fn join<T: AsRef<str>>(words: &[T], dialect: Dialect) -> String {
    words.iter().map(|word| quoted(word.as_ref(), dialect)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str, dialect: Dialect) -> String {
    let Some((key, value)) = split(word, dialect).filter(|(_, value)| !value.contains('\n')) else {
        return word.to_owned();
    };
    let modern = |c: char| dialect == Dialect::Direct && matches!(c, '[' | ']');
    let plain = |c: char| c.is_ascii_alphanumeric() || ",/_.-".contains(c) || modern(c);
    if !value.is_empty() && value.chars().all(plain) {
        word.to_owned()
    } else if value.contains('\'') {
        format!("{key}{}", in_json(value))
    } else {
        format!("{key}'{value}'")
    }
}

/// `name=`, or `name==`, `name:=` and `name:==`, and what follows.
fn split(word: &str, dialect: Dialect) -> Option<(&str, &str)> {
    let name = word.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))?;
    if name == 0 || word.starts_with(['-', '.']) {
        return None;
    }
    let rest = word.get(name..)?;
    let exact = usize::from(dialect == Dialect::Direct && rest.starts_with(':'));
    let equals = rest.get(exact..)?.chars().take(2).take_while(|c| *c == '=').count();
    (equals > 0).then(|| word.split_at_checked(name + exact + equals)).flatten()
}

/// In double quotes, with everything beyond ASCII escaped, as Python writes JSON.
fn in_json(value: &str) -> String {
    let mut out = String::new();
    for c in serde_json::Value::from(value).to_string().chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_shell_took_apart_is_put_together_as_spack_does() {
        for (words, expected) in [
            (vec!["mpich", "cflags=-O3 -g"], "mpich cflags='-O3 -g'"),
            (vec!["mpich", "cflags==-O3 -g"], "mpich cflags=='-O3 -g'"),
            (vec!["a", "ldflags="], "a ldflags=''"),
            (vec!["a", "cflags=a;b"], "a cflags='a;b'"),
            (vec!["a", "os=debian6 platform=test"], "a os='debian6 platform=test'"),
            (vec!["a", "x=it's"], "a x=\"it's\""),
            (vec!["a", "foo:=bar,baz"], "a foo:=bar,baz"),
            (vec!["a cflags='-O2 -g'"], "a cflags='-O2 -g'"),
            (vec!["a", "x='ä'"], "a x=\"'\\u00e4'\""),
            (vec!["%c,cxx=gcc", "@10:"], "%c,cxx=gcc @10:"),
        ] {
            assert_eq!(join(&words, Dialect::Direct), expected);
        }
        assert_eq!(join(&["a", "foo:=bar baz"], Dialect::Compiler), "a foo:=bar baz");
    }
}
