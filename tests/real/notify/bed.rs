//! Real receivers for `notify.rs`: a server that takes JSON, one that takes mail, and a site that tells them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;

/// What no output and no file of state may have in it.
pub const SECRET: &str = "T0SECRETpath";
pub const PASSWORD: &str = "open sesame 42";

/// How the server answers one request.
#[derive(Clone, Copy)]
pub enum Answer {
    /// Status, further headers, body.
    Say(u16, &'static str, &'static str),
    /// Answers with the address that was asked for, as careless proxies do.
    Echo(u16),
    Hang,
    /// Ends the connection without an answer.
    Close,
}

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub head: String,
    pub body: String,
    pub at: Instant,
}

impl Request {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Answers each request with the next answer, and with the last one ever after.
pub struct Web {
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Web {
    pub fn new(answers: &'static [Answer]) -> Web {
        Web::start(answers, |stream| Some(Box::new(stream)))
    }

    /// Encrypted, with the site's certificate.
    pub fn tls(site: &Site, answers: &'static [Answer]) -> Web {
        let (cert, key) = site.certificate();
        let chain = CertificateDer::pem_file_iter(cert).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let config = Arc::new(config);
        Web::start(answers, move |stream| {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).ok()?;
            Some(Box::new(rustls::StreamOwned::new(connection, stream)))
        })
    }

    fn start(
        answers: &'static [Answer],
        wrap: impl Fn(TcpStream) -> Option<Box<dyn Both>> + Send + 'static,
    ) -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let Some(stream) = wrap(stream) else { continue };
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || serve(stream, answers, &seen));
            }
        });
        Web { port, requests }
    }

    /// Its address, which is a secret.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/services/{SECRET}", self.port)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// A connection, encrypted or not.
trait Both: std::io::Read + std::io::Write + Send {}

impl<T: std::io::Read + std::io::Write + Send> Both for T {}

fn serve(stream: Box<dyn Both>, answers: &[Answer], seen: &Mutex<Vec<Request>>) {
    let at = Instant::now();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let length = head
        .lines()
        .find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ").map(|n| n.parse().unwrap()))
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(Request { head, body: String::from_utf8(body).unwrap(), at });
        seen.len() - 1
    };
    let (status, headers, body) = match answers[number.min(answers.len() - 1)] {
        Answer::Say(status, headers, body) => (status, headers, body.to_owned()),
        Answer::Echo(status) => (status, "", format!("no such hook: {path}")),
        Answer::Close => return,
        Answer::Hang => return std::thread::sleep(Duration::from_mins(1)),
    };
    let text = format!(
        "HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = reader.get_mut().write_all(text.as_bytes());
    let _ = reader.get_mut().flush();
}

/// A mail server and what it took.
pub struct Mail {
    pub port: u16,
    child: Child,
    said: Arc<Mutex<Vec<Value>>>,
}

impl Mail {
    /// `tls` is `none`, `starttls` or `tls`; `later` mails are put off first.
    pub fn new(site: &Site, tls: &str, login: &str, later: u32) -> Mail {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/notify/smtpd.py");
        let (cert, key) = site.certificate();
        let mut child = Command::new("python3")
            .arg(script)
            .arg(tls)
            .args([cert, key])
            .args([login, &later.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It complains of a client that does not trust it.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let said: Arc<Mutex<Vec<Value>>> = Arc::default();
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                heard.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Mail { port: u16::try_from(first["port"].as_u64().unwrap()).unwrap(), child, said }
    }

    /// Those that were put off.
    pub fn put_off(&self) -> Vec<String> {
        let said = self.said.lock().unwrap();
        said.iter().filter_map(|v| v["later"].as_str()).map(str::to_owned).collect()
    }

    /// The mails that were taken, at least so many unless they do not come.
    pub fn mails(&self, wanted: usize) -> Vec<Value> {
        let end = Instant::now() + Duration::from_secs(if wanted == 0 { 0 } else { 5 });
        loop {
            let mails: Vec<Value> =
                self.said.lock().unwrap().iter().filter(|v| v.get("mail").is_some()).cloned().collect();
            if mails.len() >= wanted || Instant::now() > end {
                return mails;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Mail {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A site in a folder of its own.
pub struct Site {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Site {
    pub fn new(channels: &str) -> Site {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("site.toml"), channels).unwrap();
        Site { folder, variables: Vec::new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn variable(mut self, name: &str, value: &str) -> Site {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file with those permissions.
    pub fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    pub fn moonstack(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moonstack"));
        command
            .env("HOME", self.folder.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("MOONSTACK_STATE", self.path("state"))
            .envs(self.variables.iter().cloned())
            .arg("--site")
            .arg(self.path("site.toml"))
            .args(args);
        for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(name);
        }
        let output = command.output().unwrap();
        self.no_secrets(&output);
        output
    }

    /// Evaluates, with the exit code 0, and gives the result and what was said beside it.
    pub fn eval(&self, code: &str) -> (Value, String) {
        let output = self.moonstack(&["--json", "eval", code]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{code}\n{said}");
        (serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {code}\n{said}")), said)
    }

    /// Evaluates what must be refused, and gives the exit code and the error.
    pub fn refused(&self, code: &str) -> (i32, String) {
        let output = self.moonstack(&["eval", code]);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// Neither in the output nor in any file of the state folder.
    fn no_secrets(&self, output: &Output) {
        let has = |bytes: &[u8]| {
            [SECRET, PASSWORD].iter().any(|s| bytes.windows(s.len()).any(|w| w == s.as_bytes()))
        };
        assert!(!has(&output.stdout), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(!has(&output.stderr), "{}", String::from_utf8_lossy(&output.stderr));
        for entry in walkdir::WalkDir::new(self.path("state")).into_iter().flatten() {
            if entry.file_type().is_file() {
                assert!(!has(&std::fs::read(entry.path()).unwrap()), "{}", entry.path().display());
            }
        }
    }

    /// Detail and outcome of each delivery in the journal.
    pub fn journal(&self) -> Vec<(String, String)> {
        let database = rusqlite::Connection::open(self.path("state/state.db")).unwrap();
        let mut statement = database
            .prepare("SELECT detail, outcome FROM actions WHERE name = 'notify' ORDER BY id")
            .unwrap();
        let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// A certificate that signs itself, and its key.
    pub fn certificate(&self) -> (PathBuf, PathBuf) {
        let (cert, key) = (self.path("cert.pem"), self.path("key.pem"));
        if !cert.exists() {
            let made = Command::new("openssl")
                .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
                .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
                .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
                .args(["-addext", "basicConstraints=critical,CA:FALSE"])
                .arg("-out")
                .arg(&cert)
                .arg("-keyout")
                .arg(&key)
                .output()
                .unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        (cert, key)
    }
}
