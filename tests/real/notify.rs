//! Telling somebody, with real receivers: a web server on loopback, a mail server (the Python package aiosmtpd),
//! programs. Everything goes through the built executable but the end of a run. In each case the secrets are looked
//! for in what was printed and in all of the state folder.

mod bed;

use std::process::Command;
use std::time::Duration;

use bed::Answer::{Close, Echo, Hang, Say};
use bed::{Mail, PASSWORD, SECRET, Site, Web};
use libtest_mimic::Trial;
use moonstack::notify::change::{self, RunEnd};
use moonstack::site::Cx;
use moonstack::site::config::Loaded;
use moonstack::world::fs::eyes::LiveEyes;
use moonstack::world::scope::cancel::Cancel;

use crate::common;
use crate::common::trial::{Lack, trial};

pub fn trials() -> Vec<Trial> {
    let works = |program: &str, args: &[&str]| {
        Command::new(program).args(args).output().is_ok_and(|o| o.status.success())
    };
    let tls = (!works("openssl", &["version"])).then(|| "no openssl".to_owned());
    let mail = tls.clone().or_else(|| {
        (!works("python3", &["-c", "import aiosmtpd"])).then(|| "no aiosmtpd, a mail server".to_owned())
    });
    let tests: [(&str, &Lack, fn()); 22] = [
        ("web_is_tried_again_until_it_takes_it", &None, web_again),
        ("web_that_refuses_is_not_asked_again", &None, web_refuses),
        ("web_says_how_long_to_wait", &None, web_waits),
        ("web_that_hangs_or_breaks_off_is_left_in_time", &None, web_hangs),
        ("web_that_is_dead_does_not_fail_the_script", &None, web_dead),
        ("tls_web_is_trusted_by_its_certificate", &tls, web_tls),
        ("a_journal_that_cannot_be_written_keeps_nobody_in_the_dark", &None, no_journal),
        ("a_cancel_ends_a_delivery_in_order", &None, web_cancelled),
        ("web_is_not_followed_elsewhere", &None, web_elsewhere),
        ("web_shapes_arrive", &None, web_shapes),
        ("secrets_come_from_where_the_site_says", &None, secrets),
        ("what_is_wrong_is_refused", &None, wrong),
        ("the_configuration_shows_places_only", &None, configuration),
        ("sendmail_gets_a_whole_mail", &None, sendmail),
        ("a_program_gets_json_and_may_ask_for_more_time", &None, program),
        ("the_end_of_a_run_is_told_on_change", &None, ends),
        ("mail_starttls_with_login", &mail, mail_starttls),
        ("mail_tls_and_in_the_clear", &mail, mail_ways),
        ("mail_without_protection_is_not_sent", &mail, mail_protected),
        ("mail_is_put_off_and_keeps_its_number", &mail, mail_later),
        ("mail_refused_is_not_sent_again", &mail, mail_refused),
        ("mail_headers_cannot_be_added", &mail, mail_injection),
    ];
    tests.into_iter().map(|(name, lack, run)| trial(format!("notify::{name}"), lack.clone(), run)).collect()
}

/// A site with one channel `ops` for this server.
fn hooked(web: &Web, more: &str) -> Site {
    Site::new(&format!("[notify.ops]\nkind = 'webhook'\nurl = {{ env = 'OPS_HOOK' }}\n{more}\n"))
        .variable("OPS_HOOK", &web.url())
}

fn web_again() {
    let web = Web::new(&[Say(500, "", "later"), Say(503, "", ""), Say(200, "", "ok")]);
    let site = hooked(&web, "");
    let (told, said) = site.eval(
        "notify.send('ops', 'stack built', 'zlib@1.3~mpi\\n', { facts = { specs = 12, token = 'x' }, link = 'https://site.org/7' })",
    );
    assert_eq!((told["delivered"].as_bool(), told["attempts"].as_u64()), (Some(true), Some(3)), "{told}");
    assert_eq!((told["channel"].as_str(), told.get("error")), (Some("ops"), None));
    let requests = web.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|r| r.body == requests[0].body));
    let head = requests[0].head.to_ascii_lowercase();
    assert!(requests[0].head.starts_with(&format!("POST /services/{SECRET} HTTP/1.1\r\n")), "{head}");
    assert!(head.contains("content-type: application/json\r\n") && head.contains("user-agent: moonstack/"));
    let json = requests[0].json();
    assert_eq!((&json["title"], &json["text"]), (&"stack built".into(), &"zlib@1.3~mpi".into()));
    assert_eq!((&json["facts"]["specs"], &json["status"]), (&12.into(), &"ok".into()));
    assert_eq!(json["link"], "https://site.org/7");
    assert!(json["host"].as_str().is_some_and(|h| !h.is_empty()) && json["time"].is_string());
    // Growing pauses, and a line for each attempt that failed. Nothing that delays a request makes them shorter.
    assert!(requests[1].at - requests[0].at >= Duration::from_secs(1));
    assert!(requests[2].at - requests[1].at >= Duration::from_secs(3));
    assert!(said.contains("attempt 1 of 3 failed") && said.contains("answered 503"), "{said}");
    let origin = format!("webhook http://127.0.0.1:{}", web.port);
    assert_eq!(site.journal(), [(format!("{origin}: stack built"), "delivered at attempt 3".to_owned())]);
}

fn web_refuses() {
    let web = Web::new(&[Echo(404), Say(400, "", "invalid_payload")]);
    let site = hooked(&web, "");
    let (told, said) = site.eval("notify.send('ops', 'stack built')");
    assert_eq!((told["delivered"].as_bool(), told["attempts"].as_u64()), (Some(false), Some(1)));
    // The server repeats the address; its words are left out then.
    assert_eq!(told["error"], "the server answered 404 (Not Found)");
    assert!(said.contains("\"level\":\"warn\"") && said.contains("404"), "{said}");
    let (told, _) = site.eval("notify.send('ops', 'stack built')");
    assert_eq!(told["error"], "the server answered 400 (Bad Request): invalid_payload");
    assert_eq!(web.requests().len(), 2);
    assert!(site.journal()[0].1.starts_with("not delivered (1 attempt): the server answered 404"));
}

fn web_waits() {
    let web = Web::new(&[Say(429, "Retry-After: 2\r\n", ""), Say(200, "", "")]);
    let (told, _) = hooked(&web, "").eval("notify.send('ops', 'stack built')");
    assert_eq!((told["delivered"].as_bool(), told["attempts"].as_u64()), (Some(true), Some(2)));
    assert!(web.requests()[1].at - web.requests()[0].at >= Duration::from_secs(2));
    // Longer than it is worth: given up at once.
    let web = Web::new(&[Say(429, "Retry-After: 3600\r\n", "")]);
    let (told, _) = hooked(&web, "").eval("notify.send('ops', 'stack built')");
    assert_eq!(told["attempts"], 1);
    assert!(told["error"].as_str().unwrap().contains("asks to wait 1h 0m"), "{told}");
}

fn web_hangs() {
    let web = Web::new(&[Hang]);
    let (told, _) =
        hooked(&web, "timeout = '300ms'").eval("notify.send('ops', 'stack built', { attempts = 2 })");
    assert_eq!((told["delivered"].as_bool(), told["attempts"].as_u64()), (Some(false), Some(2)));
    assert!(told["error"].as_str().unwrap().contains("no answer within 300ms"), "{told}");
    assert_eq!(web.requests().len(), 2);
    let web = Web::new(&[Close, Say(204, "", "")]);
    let (told, _) = hooked(&web, "").eval("notify.send('ops', 'stack built')");
    assert_eq!((told["delivered"].as_bool(), told["attempts"].as_u64()), (Some(true), Some(2)), "{told}");
}

fn web_cancelled() {
    let web = Web::new(&[Hang]);
    let site = hooked(&web, "");
    let late = site.path("late");
    let program = format!("notify.exec({{ 'sh', '-c', 'sleep 60; touch {}' }}, 'x')", late.display());
    for (n, code) in [
        // During an attempt, and during the pause after one.
        "pcall(task.timeout, '500ms', function() notify.send('ops', 'x') end)".to_owned(),
        "pcall(task.timeout, '800ms', function() notify.send('ops', 'x', { timeout = '100ms' }) end)"
            .to_owned(),
        format!("pcall(task.timeout, '500ms', function() {program} end)"),
    ]
    .iter()
    .enumerate()
    {
        let output = site.moonstack(&["eval", code]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(site.journal()[n].1, "not delivered (1 attempt): cancelled", "{code}");
    }
    assert!(!late.exists(), "the program was waited for");
}

fn web_dead() {
    let site = Site::new("");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // The address stands in the script: neither the journal nor an excerpt of the script may show it.
    let script = format!(
        "local told = notify.webhook('http://127.0.0.1:{port}/x/{SECRET}', 'stack built', {{ attempts = 2 }})\n\
         assert(not told.delivered and told.attempts == 2)\nprint('went on')\n"
    );
    let path = site.file("tell.lua", &script, 0o600);
    let output = site.moonstack(&["run", path.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(0), b"went on\n".as_slice()),
        "{said}"
    );
    let warning =
        format!("warning: webhook http://127.0.0.1:{port}: not delivered (2 attempts): cannot reach");
    assert!(said.contains(&warning), "{said}");
    let call = format!("{{\"url\":\"http://127.0.0.1:{port}/x/{SECRET}\",\"title\":\"t\",\"attempts\":1}}");
    assert_eq!(site.moonstack(&["call", "notify.webhook", &call]).status.code(), Some(1));
    let code = format!("notify.webhook('http://127.0.0.1:{port}/x/{SECRET}', 't', {{ atempts = 1 }})");
    let (exit, said) = site.refused(&code);
    assert!(exit == 3 && said.contains("did you mean 'attempts'?"), "{exit}: {said}");
    let typo = site.file("typo.lua", &format!("\n{code}\n"), 0o600);
    let output = site.moonstack(&["run", typo.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("typo.lua:2"));
}

fn web_elsewhere() {
    let other = Web::new(&[Say(200, "", "")]);
    let location: &'static str = Box::leak(format!("Location: {}\r\n", other.url()).into_boxed_str());
    let web = Web::new(Box::leak(Box::new([Say(307, location, "")])));
    let (told, _) = hooked(&web, "").eval("notify.send('ops', 'stack built')");
    assert_eq!((told["delivered"].as_bool(), told["attempts"].as_u64()), (Some(false), Some(1)));
    assert!(other.requests().is_empty() && web.requests().len() == 1);
}

fn web_tls() {
    let site = Site::new("");
    let web = Web::tls(&site, &[Say(200, "", "")]);
    let url = format!("https://localhost:{}/services/{SECRET}", web.port);
    let site = site.variable("OPS_HOOK", &url);
    let (told, _) = site.eval("notify.webhook({ env = 'OPS_HOOK' }, 'x')");
    assert_eq!((told["delivered"].as_bool(), told["attempts"].as_u64()), (Some(false), Some(1)), "{told}");
    assert!(told["error"].as_str().unwrap().contains("certificate"), "{told}");
    assert!(web.requests().is_empty());
    let ca = site.path("cert.pem").display().to_string();
    let (told, _) = site.eval(&format!("notify.webhook({{ env = 'OPS_HOOK' }}, 'x', {{ ca = '{ca}' }})"));
    assert_eq!((told["delivered"].as_bool(), web.requests().len()), (Some(true), 1), "{told}");
    assert_eq!(told["channel"], format!("webhook https://localhost:{}", web.port));
    let (told, _) = site.eval("notify.webhook({ env = 'OPS_HOOK' }, 'x', { ca = '/nowhere.pem' })");
    assert!(
        told["error"].as_str().unwrap().contains("cannot use the certificates in /nowhere.pem"),
        "{told}"
    );
}

fn no_journal() {
    let web = Web::new(&[Say(200, "", "")]);
    let site = hooked(&web, "");
    site.file("state", "not a folder", 0o600);
    let output = site.moonstack(&["--json", "eval", "notify.send('ops', 'disk full')"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((told["delivered"].as_bool(), web.requests().len()), (Some(true), 1), "{told}");
    // It was told; that nothing is on record needs attention.
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("journal: "), "{said}");
}

fn web_shapes() {
    let web = Web::new(&[Say(200, "", "ok")]);
    let site = hooked(&web, "shape = 'slack'");
    let call = |shape: &str| {
        let code = format!(
            "notify.webhook('ops', 'a <b> & c', '@all *x*', {{ status = 'failed', facts = {{ spec = 'hdf5~mpi' }}{shape} }})"
        );
        assert_eq!(site.eval(&code).0["delivered"], true);
        web.requests().last().unwrap().json()
    };
    let slack = call("");
    assert!(slack["text"].as_str().unwrap().ends_with(": failed: a &lt;b&gt; &amp; c"), "{slack}");
    assert_eq!(slack["attachments"][0]["blocks"][0]["text"]["type"], "plain_text");
    let mattermost = call(", shape = 'mattermost'");
    assert_eq!(mattermost["attachments"][0]["fields"][0]["value"], "`hdf5~mpi`");
    let teams = call(", shape = 'teams'");
    assert_eq!(teams["attachments"][0]["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(teams["attachments"][0]["content"]["body"][1]["inlines"][0]["text"], "@all *x*");
    assert_eq!(call(", shape = 'json'")["status"], "failed");
}

fn secrets() {
    let web = Web::new(&[Say(200, "", "")]);
    let url = web.url();
    let site = Site::new(&format!(
        "[notify.file]\nkind = 'webhook'\nurl = {{ file = 'hook' }}\n\
         [notify.open]\nkind = 'webhook'\nurl = {{ file = 'open' }}\n\
         [notify.program]\nkind = 'webhook'\nurl = {{ command = ['cat', '{0}/hook'] }}\n\
         [notify.broken]\nkind = 'webhook'\nurl = {{ command = ['sh', '-c', 'cat {0}/hook >&2; exit 3'] }}\n\
         [notify.unset]\nkind = 'webhook'\nurl = {{ env = 'NOT_SET' }}\n\
         [notify.junk]\nkind = 'webhook'\nurl = {{ env = 'JUNK' }}\n",
        "SITE"
    ));
    let text = std::fs::read_to_string(site.path("site.toml")).unwrap();
    let folder = site.path("").display().to_string();
    std::fs::write(site.path("site.toml"), text.replace("SITE", folder.trim_end_matches('/'))).unwrap();
    let site = site.variable("JUNK", SECRET);
    site.file("hook", &format!("{url}\n"), 0o600);
    site.file("open", &format!("{url}\n"), 0o644);
    for channel in ["file", "program"] {
        assert_eq!(site.eval(&format!("notify.send('{channel}', 'x')")).0["delivered"], true, "{channel}");
    }
    assert_eq!(web.requests().len(), 2);
    for (channel, wanted, hint) in [
        ("open", "others may read or change", "chmod o= "),
        ("broken", "'sh', which prints a secret, ended with exit code 3", ""),
        ("unset", "the environment variable NOT_SET is not set", "cron and systemd"),
        ("junk", "the address of the webhook is not a URL", "https://server/path"),
    ] {
        let (told, said) = site.eval(&format!("notify.send('{channel}', 'x')"));
        assert_eq!(
            (told["delivered"].as_bool(), told["attempts"].as_u64()),
            (Some(false), Some(0)),
            "{told}"
        );
        assert!(told["error"].as_str().unwrap().contains(wanted), "{told}");
        assert!(said.contains("\"level\":\"warn\"") && said.contains(hint), "{said}");
    }
    assert_eq!(web.requests().len(), 2);
    let given = format!("notify.webhook({{ file = '{folder}/hook' }}, 'x').delivered");
    assert_eq!(site.eval(&given).0, true);
    let named = format!("notify.webhook{{ url = {{ file = '{folder}/hook' }}, title = 'x' }}.delivered");
    assert_eq!(site.eval(&named).0, true);
}

fn wrong() {
    let web = Web::new(&[Say(200, "", "")]);
    let site = hooked(&web, "");
    for (code, wanted) in [
        ("notify.send('osp', 'x')".to_owned(), "did you mean 'ops'?"),
        ("notify.send('ops', '')".to_owned(), "'title' is empty"),
        ("notify.send('ops', 'x', { status = 'faild' })".to_owned(), "unknown variant `faild`"),
        ("notify.send('ops', 'x', { link = 'javascript:x' })".to_owned(), "'link' must be an address"),
        ("notify.send('ops', 'x', { facts = 'y' })".to_owned(), "'facts' must be a table"),
        ("notify.send('ops', 'x', { attempts = 99 })".to_owned(), "between 1 and 10"),
        (format!("notify.webhook('hooks.org/{SECRET}', 'x')"), "the address of the webhook"),
        (format!("notify.webhook('ftp://h/{SECRET}', 'x')"), "must begin with http"),
        (
            "notify.mail('a@b.c\\r\\nBcc: d@e.f', 'x', { sendmail = { 'cat' } })".to_owned(),
            "is not an address",
        ),
        ("notify.mail('a@b.c, d@e.f', 'x', { sendmail = { 'cat' } })".to_owned(), "one address a text"),
        ("notify.mail({}, 'x', { sendmail = { 'cat' } })".to_owned(), "expected a text or a list of texts"),
        ("notify.mail('a@b.c', 'x', { from = 'me' })".to_owned(), "is not an address"),
        ("notify.mail('a@b.c', 'x', { port = 25 })".to_owned(), "without 'server'"),
        ("notify.mail('a@b.c', 'x', { server = 'm', user = 'me' })".to_owned(), "needed together"),
        (
            format!(
                "notify.mail('a@b.c', 'x', {{ server = 'm', tls = 'none', user = 'me', password = '{PASSWORD}' }})"
            ),
            "a password is not sent over a connection that is not encrypted",
        ),
        ("notify.exec({}, 'x')".to_owned(), "argument list of the program is empty"),
    ] {
        let (exit, said) = site.refused(&code);
        assert!(exit == 3 && said.contains(wanted), "{code}: {exit}\n{said}");
    }
    assert!(web.requests().is_empty());
}

fn configuration() {
    let web = Web::new(&[Say(200, "", "")]);
    let site = hooked(&web, "").variable("NOTIFY_UNUSED", PASSWORD);
    let output = site.moonstack(&["--json", "config"]);
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["notify.ops.url.env"]["value"], "OPS_HOOK");
    assert!(shown["notify.ops.url.env"]["origin"].as_str().unwrap().ends_with("site.toml"), "{shown}");
    // The address itself in the file: refused, and not repeated.
    let site = Site::new(&format!("[notify.ops]\nkind = 'webhook'\nurl = '{}'\n", web.url()));
    let output = site.moonstack(&["config"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("site.toml:3") && said.contains("a secret is not written"), "{said}");
    // Nor is what stands after a key that is spelt wrongly.
    for text in ["pasword = 'SECRET'", "password = { evn = 'SECRET' }", "[notify.b]\nkind = 'SECRET'\n"] {
        let text = text.replace("SECRET", if text.contains("kind") { "x" } else { SECRET });
        let site = Site::new(&format!("[notify.ops]\nkind = 'mail'\nto = 'a@b.c'\n{text}\n"));
        let output = site.moonstack(&["config"]);
        assert_eq!(output.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&output.stderr).contains("site.toml:"));
    }
}

fn sendmail() {
    let site = Site::new("");
    let out = site.path("mail");
    let code = format!(
        "notify.mail({{ 'Ops <ops@site.org>', 'a@b.c' }}, 'done\\nBcc: x@y.z', 'grün\\n.\\n', \
         {{ from = 'm@site.org', status = 'warning', sendmail = {{ 'sh', '-c', 'cat > {}' }} }})",
        out.display()
    );
    assert_eq!(site.eval(&code).0["delivered"], true);
    let mail = std::fs::read_to_string(out).unwrap();
    let (head, body) = mail.split_once("\n\n").unwrap();
    assert!(!mail.contains('\r') && !head.lines().any(|l| l.starts_with("Bcc")), "{mail}");
    assert!(head.contains("To: Ops <ops@site.org>, a@b.c") && head.contains("From: m@site.org"), "{mail}");
    assert!(head.contains("Auto-Submitted: auto-generated") && !head.contains("Importance"), "{mail}");
    assert!(body.contains("gr=C3=BCn") && body.contains("status: warning"), "{mail}");
}

fn program() {
    let site = Site::new("[notify.tell]\nkind = 'exec'\nargv = ['sh', 'tell.sh']\n");
    let text = std::fs::read_to_string(site.path("site.toml")).unwrap();
    let tell = site.path("tell.sh");
    std::fs::write(site.path("site.toml"), text.replace("tell.sh", tell.to_str().unwrap())).unwrap();
    let out = site.path("out");
    site.file("tell.sh", &format!("cat >> {0}; test $(wc -l < {0}) -ge 2 || exit 75", out.display()), 0o600);
    let (told, _) =
        site.eval("notify.send('tell', 'one\\ttwo', { facts = { spec = 'zlib' }, urgent = true })");
    assert_eq!((told["delivered"].as_bool(), told["attempts"].as_u64()), (Some(true), Some(2)), "{told}");
    let text = std::fs::read_to_string(&out).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["title"], &lines[0]["urgent"]), (&"one two".into(), &true.into()));
    assert_eq!(lines[0]["facts"]["spec"], "zlib");
    let (told, _) = site.eval("notify.exec({ 'sh', '-c', 'echo no token=abc >&2; exit 4' }, 'x')");
    assert_eq!((told["attempts"].as_u64(), told["delivered"].as_bool()), (Some(1), Some(false)));
    assert_eq!(told["error"], "'sh' ended with exit code 4: no token=***");
    let (told, _) = site.eval("notify.exec({ '/nowhere/tell' }, 'x')");
    assert!(told["error"].as_str().unwrap().contains("cannot start '/nowhere/tell'"), "{told}");
    let late = site.path("late");
    let (told, _) = site.eval(&format!(
        "notify.exec({{ 'sh', '-c', '(sleep 60; touch {0}) & sleep 60; touch {0}' }}, 'x', \
         {{ timeout = '300ms', attempts = 1 }})",
        late.display()
    ));
    assert!(told["error"].as_str().unwrap().contains("not done within 300ms"), "{told}");
    assert!(!late.exists(), "it was waited for");
}

/// The context of a run on this site, as the command line makes one.
fn context(site: &Site, variables: &[(&str, String)]) -> Cx {
    let loaded = Loaded::read(&LiveEyes, Some(&site.path("site.toml")), None).unwrap();
    let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    common::context_of(loaded, site.path("state"), std::sync::Arc::default(), None, variables, None)
}

fn ends() {
    let channels = ["change", "always", "failure"];
    let webs = channels.map(|_| Web::new(&[Say(200, "", "")]));
    let table =
        |on: &str| format!("[notify.{on}]\nkind = 'webhook'\nurl = {{ env = '{on}' }}\non = '{on}'\n");
    let site = Site::new(&channels.map(table).concat());
    let variables: Vec<_> = channels.iter().zip(&webs).map(|(on, web)| (*on, web.url())).collect();
    let cx = context(&site, &variables);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut counts = Vec::new();
    let mut previous = None;
    for exit in [0, 2, 2, 5, 0, 0] {
        let end = RunEnd {
            name: "nightly".into(),
            run: Some(7),
            exit,
            previous,
            message: Some("zlib failed to build; token=abc".into()),
            seconds: 61.0,
            digest: vec!["installed cmake@3.27".into()],
            ..RunEnd::default()
        };
        // The scope of the run was cancelled; that it ended is told all the same.
        let scope = Cancel::root(None);
        scope.cancel();
        let told = runtime.block_on(scope.enter(change::tell(&cx, &end, change::severity(&end))));
        assert!(told.iter().all(|d| d.delivered), "{told:?}");
        counts.push(webs.each_ref().map(|w| w.requests().len()));
        if exit != 5 {
            previous = Some(exit);
        }
    }
    assert_eq!(counts, [[0, 1, 0], [1, 2, 1], [1, 3, 2], [1, 3, 2], [2, 4, 2], [2, 5, 2]]);
    let told: Vec<_> = webs[0].requests().iter().map(bed::Request::json).collect();
    assert_eq!((&told[0]["title"], &told[0]["urgent"]), (&"nightly failed".into(), &true.into()));
    assert_eq!((&told[0]["status"], &told[0]["run"]), (&"failed".into(), &7.into()));
    assert_eq!(told[0]["text"], "zlib failed to build; token=***\n\ninstalled cmake@3.27");
    assert_eq!(told[0]["facts"]["took"], "1m 1s");
    assert_eq!((&told[1]["title"], &told[1]["status"]), (&"nightly recovered".into(), &"recovered".into()));
}

/// The header of that name, unfolded.
fn header(mail: &str, name: &str) -> Vec<String> {
    let head = mail.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
    let prefix = format!("{name}: ");
    head.split("\r\n").filter_map(|l| l.strip_prefix(&prefix)).map(str::to_owned).collect()
}

fn mail_starttls() {
    let site = Site::new("").variable("MAIL_PASSWORD", PASSWORD);
    let server = Mail::new(&site, "starttls", &format!("moon:{PASSWORD}"), 0);
    let channel = format!(
        "[notify.ops]\nkind = 'mail'\nto = ['ops@site.org', 'Boss <boss@site.org>']\nfrom = 'Moonstack <m@site.org>'\n\
         server = '127.0.0.1'\nport = {}\nca = 'cert.pem'\nuser = 'moon'\npassword = {{ env = 'MAIL_PASSWORD' }}\n",
        server.port
    );
    std::fs::write(site.path("site.toml"), channel).unwrap();
    let (told, _) = site.eval(
        "notify.send('ops', 'nightly failed', 'one\\n.\\n..two\\nFrom here\\n', { status = 'failed', urgent = true })",
    );
    assert_eq!((told["delivered"].as_bool(), told["attempts"].as_u64()), (Some(true), Some(1)), "{told}");
    let mails = server.mails(1);
    let [got] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!((&got["tls"], &got["user"]), (&true.into(), &"moon".into()));
    assert_eq!(got["sender"], "m@site.org");
    assert_eq!(got["recipients"], serde_json::json!(["ops@site.org", "boss@site.org"]));
    let mail = got["mail"].as_str().unwrap();
    let host = told_host();
    assert_eq!(header(mail, "Subject"), [format!("[moonstack] {host}: nightly failed")]);
    assert_eq!(header(mail, "From"), ["Moonstack <m@site.org>"]);
    assert_eq!(header(mail, "To"), ["ops@site.org, Boss <boss@site.org>"]);
    assert_eq!(header(mail, "Auto-Submitted"), ["auto-generated"]);
    assert_eq!(header(mail, "Importance"), ["high"]);
    assert_eq!(header(mail, "Content-Type"), ["text/plain; charset=utf-8"]);
    assert!(
        header(mail, "Message-ID")[0].contains('@') && header(mail, "Date")[0].ends_with("+0000"),
        "{mail}"
    );
    let body = mail.split_once("\r\n\r\n").unwrap().1;
    assert!(body.contains("one\r\n.\r\n..two\r\nFrom here\r\n"), "{body}");
    assert!(body.contains("status: failed\r\n") && !mail.replace("\r\n", "").contains('\n'), "{mail}");
    let by = format!("mail by 127.0.0.1:{} to ops@site.org, Boss <boss@site.org>: ", server.port);
    assert!(site.journal()[0].0.starts_with(&by), "{:?}", site.journal());
}

fn told_host() -> String {
    moonstack::notify::message::host()
}

fn mail_ways() {
    let site = Site::new("");
    for tls in ["tls", "none"] {
        let server = Mail::new(&site, tls, "-", 0);
        let ca = if tls == "tls" {
            format!("ca = '{}', ", site.path("cert.pem").display())
        } else {
            String::new()
        };
        let code = format!(
            "notify.mail('ops@site.org', 'grün', 'grüße', {{ from = 'm@site.org', server = '127.0.0.1', port = {}, {ca}tls = '{tls}' }})",
            server.port
        );
        let (told, _) = site.eval(&code);
        assert_eq!(told["delivered"], true, "{told}");
        let mails = server.mails(1);
        assert_eq!((mails.len(), &mails[0]["tls"]), (1, &(tls == "tls").into()));
        let mail = mails[0]["mail"].as_str().unwrap();
        assert!(header(mail, "Subject")[0].contains("=?utf-8?"), "{mail}");
        assert!(mail.contains("gr=C3=BC=C3=9Fe"), "{mail}");
    }
}

fn mail_protected() {
    let site = Site::new("").variable("MAIL_PASSWORD", PASSWORD);
    let code = |port: u16, more: &str| {
        format!(
            "notify.mail('ops@site.org', 'x', {{ server = '127.0.0.1', port = {port}, from = 'm@site.org', user = 'moon', \
             password = {{ env = 'MAIL_PASSWORD' }}{more} }})"
        )
    };
    let ca = format!(", ca = '{}'", site.path("cert.pem").display());
    // A server, or somebody on the way, that offers no encryption gets neither password nor mail.
    let server = Mail::new(&site, "none", "-", 0);
    let (told, _) = site.eval(&code(server.port, &format!("{ca}, attempts = 1")));
    assert_eq!((told["delivered"].as_bool(), server.mails(0).len()), (Some(false), 0), "{told}");
    // Nor does one whose certificate nobody vouches for, and it is not asked again.
    let server = Mail::new(&site, "starttls", &format!("moon:{PASSWORD}"), 0);
    let (told, _) = site.eval(&code(server.port, ""));
    assert_eq!((told["delivered"].as_bool(), told["attempts"].as_u64()), (Some(false), Some(1)), "{told}");
    assert!(told["error"].as_str().unwrap().contains("certificate"), "{told}");
    assert!(server.mails(0).is_empty());
}

fn mail_later() {
    let site = Site::new("");
    let server = Mail::new(&site, "none", "-", 2);
    let code = format!(
        "notify.mail('ops@site.org', 'x', {{ server = '127.0.0.1', port = {}, tls = 'none', from = 'm@site.org' }})",
        server.port
    );
    let (told, said) = site.eval(&code);
    assert_eq!((told["delivered"].as_bool(), told["attempts"].as_u64()), (Some(true), Some(3)), "{told}");
    assert!(said.contains("answered 451: try again later"), "{said}");
    let mails = server.mails(1);
    let numbers: Vec<_> = server.put_off().iter().flat_map(|m| header(m, "Message-ID")).collect();
    let number = &header(mails[0]["mail"].as_str().unwrap(), "Message-ID")[0];
    assert_eq!((mails.len(), numbers), (1, vec![number.clone(), number.clone()]));
}

fn mail_refused() {
    let site = Site::new("").variable("MAIL_PASSWORD", PASSWORD);
    let server = Mail::new(&site, "none", "-", 0);
    let code = format!(
        "notify.mail('nobody@site.org', 'x', {{ server = '127.0.0.1', port = {}, tls = 'none', from = 'm@site.org' }})",
        server.port
    );
    let (told, _) = site.eval(&code);
    assert_eq!((told["delivered"].as_bool(), told["attempts"].as_u64()), (Some(false), Some(1)), "{told}");
    assert!(told["error"].as_str().unwrap().contains("550: no such user here"), "{told}");
    // A wrong password locks accounts when it is tried again and again.
    let server = Mail::new(&site, "starttls", "moon:another", 0);
    let code = format!(
        "notify.mail('ops@site.org', 'x', {{ server = '127.0.0.1', port = {}, ca = '{}', from = 'm@site.org', user = 'moon', \
         password = '{PASSWORD}' }})",
        server.port,
        site.path("cert.pem").display()
    );
    let (told, _) = site.eval(&code);
    assert_eq!((told["delivered"].as_bool(), told["attempts"].as_u64()), (Some(false), Some(1)), "{told}");
    assert!(told["error"].as_str().unwrap().contains("535"), "{told}");
    assert!(server.mails(0).is_empty());
}

fn mail_injection() {
    let site = Site::new("");
    let server = Mail::new(&site, "none", "-", 0);
    let code = format!(
        "notify.mail('ops@site.org', 'x\\r\\nBcc: evil@x.org\\r\\n\\r\\nbody', 'text', {{ server = '127.0.0.1', port = {}, \
         tls = 'none', from = 'm@site.org' }})",
        server.port
    );
    assert_eq!(site.eval(&code).0["delivered"], true);
    let mails = server.mails(1);
    assert_eq!(mails[0]["recipients"], serde_json::json!(["ops@site.org"]));
    let mail = mails[0]["mail"].as_str().unwrap();
    assert!(header(mail, "Bcc").is_empty(), "{mail}");
    assert_eq!(header(mail, "Subject"), [format!("[moonstack] {}: x Bcc: evil@x.org body", told_host())]);
}
