use super::*;
use proptest::prelude::*;

fn eval(text: &str) -> Result<bool> {
    let s = crate::spack::config::paths::tests::sample();
    let vars = [("SITE", "north"), ("EMPTY", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    holds(text, &s.host, &vars)
}

#[test]
fn the_forms_that_sites_write() {
    let cases = [
        ("platform == 'linux'", true),
        ("os != \"rocky8\"", false),
        ("re.search(r'^login\\d+$', hostname)", true),
        ("re.match('ogin', hostname)", false),
        ("env['SITE'] == 'north'", true),
        ("env.get('NOSUCH') == 'x'", false),
        ("env.get('NOSUCH', 'x') == 'x'", true),
        ("'SITE' in env and 'NOSUCH' not in env", true),
        ("\"SPACK_DISABLE_LOCAL_CONFIG\" not in env", true),
        ("not (platform == 'darwin' or os == 'rocky8')", false),
        ("hostname.startswith('login') and not False", true),
        ("env.get('EMPTY')", false),
        ("'or' in env['SITE']", true),
        ("True", true),
        ("arch.satisfies('target=x86_64:')", true),
        ("arch.satisfies('target=aarch64:')", false),
        ("arch.satisfies('platform=linux target=x86_64:')", true),
        ("arch.satisfies('platform=darwin')", false),
        ("arch.satisfies(\"target=aarch64:,x86_64:\") and arch.platform == 'linux'", true),
        ("target == 'aarch64' or target in ('power9le', 'a64fx')", false),
        ("platform in ['linux', 'darwin'] and os not in ('rocky9',)", true),
        ("hostname not in ['x', 'y',]", true),
        ("'NOSUCH' in env and env['NOSUCH'] == 'x'", false),
        ("platform == 'linux' or env['NOSUCH'] == 'x'", true),
    ];
    for (text, expected) in cases {
        assert_eq!(eval(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn the_rest_is_refused() {
    for text in [
        "arch.satisfies('target=zen2:')",
        "arch.satisfies('%gcc')",
        "arch_str == 'x'",
        "target.startswith('zen')",
        "'zen' in target",
        "not target == 'zen3'",
        "env['NOSUCH'] == 'x' and False",
        "target == 'zen3'",
        "__import__('os').system('x')",
        "1 < 2",
        "env['NOSUCH'] == 'x'",
        "platform ==",
        "platform == 'linux' extra",
        "'open",
        "",
    ] {
        assert_eq!(eval(text).unwrap_err().kind(), Kind::Unsupported, "{text}");
    }
    assert!(eval(&"(".repeat(10_000)).is_err());
}

proptest! {
    #[test]
    fn never_panics(text in "(?s).{0,80}") {
        let _ = eval(&text);
    }
}
