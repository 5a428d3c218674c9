//! The services that `tests/lab/services` starts for other tests: each does what it is for, two folders do not know
//! of each other, and after `down` no process is left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;

type Test = fn() -> Result<(), Failed>;

pub fn trials() -> Vec<Trial> {
    let tests: [(&str, &str, Test); 5] = [
        ("slurm", "slurm", slurm),
        ("slurm_accounting", "slurm-accounting", accounting),
        ("oci", "oci", oci),
        ("s3", "s3", s3),
        ("http", "http", http),
    ];
    tests
        .into_iter()
        .map(|(name, what, test)| {
            let missing = missing(what);
            Trial::test(format!("services::{name}"), test)
                .with_ignored_flag(missing.is_some())
                .with_kind(missing.unwrap_or_default())
        })
        .collect()
}

/// Why a service cannot be started here.
pub fn missing(what: &str) -> Option<String> {
    let Ok(output) = tool(&["have", what]).output() else { return Some("no python3".to_owned()) };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match (output.status.success(), text(&output.stdout)) {
        (true, _) => None,
        (false, reason) if reason.is_empty() => Some(text(&output.stderr)),
        (false, reason) => Some(reason),
    }
}

fn tool(words: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/services")).args(words);
    command.stdin(Stdio::null());
    command
}

/// Services in a folder of their own; they end with it.
pub struct Services {
    folder: TempDir,
    env: BTreeMap<String, String>,
    down: bool,
}

impl Services {
    pub fn up(whats: &[&str]) -> Result<Services, Failed> {
        let folder = tempfile::tempdir()?;
        let mut services = Services { folder, env: BTreeMap::new(), down: false };
        let place = services.place();
        said(tool(&["up", &place]).args(whats))?;
        services.env = std::fs::read_to_string(services.folder.path().join("services.env"))?
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(services)
    }

    fn place(&self) -> String {
        self.folder.path().display().to_string()
    }

    pub fn get(&self, name: &str) -> &str {
        self.env.get(name).unwrap_or_else(|| panic!("services.env has no {name}"))
    }

    /// A program that finds them.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["SLURM", "SBATCH", "SQUEUE", "SACCT", "AWS_", "LAB_"].iter().any(|p| text.starts_with(p)) {
                command.env_remove(&name);
            }
        }
        command.envs(&self.env).stdin(Stdio::null());
        command
    }

    fn curl(&self, words: &[&str]) -> Result<Output, Failed> {
        Ok(self.command("curl").args(["-sS", "--max-time", "20"]).args(words).output()?)
    }

    /// Ends them, and looks by other means than the tool for what is left.
    pub fn down(mut self) -> Result<(), Failed> {
        let place = self.place();
        self.down = true;
        said(&mut tool(&["down", &place]))?;
        let left = left_of(&place);
        if !left.is_empty() {
            return Err(format!("left after down: {left:?}").into());
        }
        Ok(())
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if !self.down {
            let _ = tool(&["down", &self.place()]).output();
        }
    }
}

/// Command lines of the processes that name a folder, there or in their environment.
fn left_of(folder: &str) -> Vec<String> {
    let names = |bytes: &[u8]| bytes.windows(folder.len()).any(|window| window == folder.as_bytes());
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| {
            let read = |file: &str| std::fs::read(process.path().join(file)).unwrap_or_default();
            let line = read("cmdline");
            (names(&line) || names(&read("environ")))
                .then(|| String::from_utf8_lossy(&line).replace('\0', " "))
        })
        .collect()
}

fn runs(pid: &str) -> bool {
    // A process that is over and not yet fetched by its parent has an empty command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// What a command printed, which must have gone well.
fn said(command: &mut Command) -> Result<String, Failed> {
    let output = command.output()?;
    if !output.status.success() {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, error) = (text(&output.stdout), text(&output.stderr));
        return Err(format!("{command:?}: {}\n{out}{error}", output.status).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Asks until there is an answer.
fn soon<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>, Failed>) -> Result<T, Failed> {
    let begin = Instant::now();
    loop {
        match ask()? {
            Some(answer) => return Ok(answer),
            None if begin.elapsed() > Duration::from_mins(1) => {
                return Err(format!("not within a minute: {what}").into());
            }
            None => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

/// One of the two clusters, as a user of it.
struct Cluster<'a> {
    services: &'a Services,
    conf: String,
}

impl<'a> Cluster<'a> {
    fn new(services: &'a Services, conf: &str) -> Cluster<'a> {
        Cluster { services, conf: services.get(conf).to_owned() }
    }

    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = self.services.command(program);
        command.args(words).env("SLURM_CONF", &self.conf);
        command
    }

    /// Submits a script to a node; the job's id and where its output goes.
    fn submit(&self, node: &str, script: &str, more: &[&str]) -> Result<(String, PathBuf), Failed> {
        let place = self.services.folder.path();
        let file = tempfile::Builder::new().suffix(".sh").tempfile_in(place)?.into_temp_path().keep()?;
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n"))?;
        let out = file.with_extension("out");
        let mut command =
            self.command("sbatch", &["--parsable", "--no-requeue", "--mem=10", "-w", node, "-o"]);
        let id = said(command.arg(&out).args(more).arg("-D").arg(place).arg(&file))?;
        Ok((id, out))
    }

    fn state(&self, id: &str) -> Result<String, Failed> {
        said(&mut self.command("squeue", &["-h", "-t", "all", "-o", "%T", "-j", id]))
    }

    fn until(&self, id: &str, state: &str) -> Result<(), Failed> {
        soon(&format!("job {id} is {state}"), || Ok((self.state(id)? == state).then_some(())))
    }
}

/// A job of each node has run there, and its output is there.
fn both_nodes(cluster: &Cluster, nodes: [&str; 2]) -> Result<[String; 2], Failed> {
    let mut ids = [String::new(), String::new()];
    for (node, id) in nodes.iter().zip(&mut ids) {
        let (number, out) = cluster.submit(node, "echo \"on $SLURMD_NODENAME\"", &[])?;
        cluster.until(&number, "COMPLETED")?;
        let printed = soon("the output", || Ok(std::fs::read_to_string(&out).ok()))?;
        assert_eq!(printed.trim(), format!("on {node}"));
        *id = number;
    }
    Ok(ids)
}

fn slurm() -> Result<(), Failed> {
    let (one, other) = (Services::up(&["slurm"])?, Services::up(&["slurm"])?);
    let first = Cluster::new(&one, "SLURM_CONF");
    let second = Cluster::new(&other, "SLURM_CONF");
    both_nodes(&first, ["n1", "n2"])?;
    let [_, last] = both_nodes(&second, ["n1", "n2"])?;
    let refused = first.submit("n1", "true", &["-p", "nowhere"]).unwrap_err();
    let message = refused.message().unwrap_or_default();
    assert!(message.contains("invalid partition specified: nowhere"), "{message}");

    // A job that is still at it, with a child that nothing in its own process tells where it came from.
    let (id, out) =
        first.submit("n1", "(env -i setsid sleep 7777 & echo $!) </dev/null 2>&1\ncd /\nsleep 8888", &[])?;
    let lost = soon("the child", || {
        let text = std::fs::read_to_string(&out).unwrap_or_default();
        Ok(text.trim().parse::<u32>().ok().map(|pid| pid.to_string()))
    })?;
    first.until(&id, "RUNNING")?;

    // A controller that was killed and started again by hand is one of the folder's as well.
    let place = one.folder.path().join("slurm");
    let controller = std::fs::read_to_string(place.join("slurmctld.pid"))?;
    said(Command::new("kill").args(["-KILL", controller.trim()]))?;
    soon("the end of the controller", || Ok((!runs(controller.trim())).then_some(())))?;
    said(&mut first.command("slurmctld", &[]))?;
    soon("the new controller", || {
        Ok(first.command("scontrol", &["ping"]).output()?.status.success().then_some(()))
    })?;
    let again = std::fs::read_to_string(place.join("slurmctld.pid"))?;
    assert!(again != controller && runs(again.trim()) && runs(&lost), "{controller}{again}{lost}");

    one.down()?;
    assert!(!runs(&lost) && !runs(again.trim()), "a job's child or the controller is left");
    // The neighbour has noticed nothing.
    assert_eq!(second.state(&last)?, "COMPLETED");
    other.down()
}

fn accounting() -> Result<(), Failed> {
    let services = Services::up(&["slurm-accounting"])?;
    let cluster = Cluster::new(&services, "LAB_SLURM_ACCOUNTING_CONF");
    let mut ids = both_nodes(&cluster, ["m1", "m2"])?.to_vec();
    let (failing, _) = cluster.submit("m1", "exit 7", &["-A", "build"])?;
    ids.push(failing);
    for (id, expected) in
        ids.iter().zip(["COMPLETED|0:0|m1|build", "COMPLETED|0:0|m2|build", "FAILED|7:0|m1|build"])
    {
        soon(&format!("sacct says {expected} of {id}"), || {
            let words = ["-X", "-n", "-P", "-o", "State,ExitCode,NodeList,Account", "-j", id];
            Ok((said(&mut cluster.command("sacct", &words))? == expected).then_some(()))
        })?;
    }
    let refused = cluster.submit("m1", "true", &["-A", "nobodys"]).unwrap_err();
    let message = refused.message().unwrap_or_default();
    assert!(message.contains("Invalid account or account/partition combination"), "{message}");
    services.down()
}

fn oci() -> Result<(), Failed> {
    let services = Services::up(&["oci"])?;
    let blob = services.folder.path().join("blob");
    let content = "what a layer is\n".repeat(1000);
    std::fs::write(&blob, &content)?;
    let sum = said(Command::new("sha256sum").arg(&blob))?;
    let digest = format!("sha256:{}", &sum[..64]);
    let authority = ["--cacert", services.get("LAB_OCI_CA")];
    let user = format!("{}:{}", services.get("LAB_OCI_USER"), services.get("LAB_OCI_PASSWORD"));
    let known = [&authority[..], &["-u", &user, "-f"]].concat();
    let (tls, plain) = (services.get("LAB_OCI"), services.get("LAB_OCI_PLAIN"));
    for (base, with) in [(format!("https://{tls}"), known), (format!("http://{plain}"), vec!["-f"])] {
        let curl = |words: &[&str]| {
            said(services.command("curl").args(["-sS", "--max-time", "20"]).args(&with).args(words))
        };
        let head =
            curl(&["-X", "POST", "-o", "/dev/null", "-D", "-", &format!("{base}/v2/lab/blobs/uploads/")])?;
        let place = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
        });
        let place = place.ok_or("no place to upload to")?;
        let mark = if place.contains('?') { '&' } else { '?' };
        let data = format!("@{}", blob.display());
        let octets = "Content-Type: application/octet-stream";
        curl(&["-X", "PUT", "-H", octets, "--data-binary", &data, &format!("{place}{mark}digest={digest}")])?;
        assert_eq!(curl(&[&format!("{base}/v2/lab/blobs/{digest}")])?, content.trim());
    }
    let address = format!("https://{tls}/v2/lab/blobs/{digest}");
    // 60: the certificate cannot be verified.
    assert_eq!(services.curl(&["-u", &user, &address])?.status.code(), Some(60));
    for words in [&[][..], &["-u", "lab:wrong"]] {
        let asked =
            [&authority[..], &["-o", "/dev/null", "-w", "%{http_code}"], words, &[address.as_str()]].concat();
        assert_eq!(String::from_utf8_lossy(&services.curl(&asked)?.stdout), "401");
    }
    services.down()
}

fn s3() -> Result<(), Failed> {
    let services = Services::up(&["s3"])?;
    let file = services.folder.path().join("object");
    std::fs::write(&file, "an object\n")?;
    let user = format!("{}:{}", services.get("AWS_ACCESS_KEY_ID"), services.get("AWS_SECRET_ACCESS_KEY"));
    let region = format!("aws:amz:{}:s3", services.get("AWS_DEFAULT_REGION"));
    let address = format!("{}/lab/some/key", services.get("LAB_S3_ENDPOINT"));
    let signed = ["-f", "--aws-sigv4", &region, "-u", &user];
    let curl = |words: &[&str]| {
        said(services.command("curl").args(["-sS", "--max-time", "20"]).args(signed).args(words))
    };
    curl(&["-T", &file.display().to_string(), &address])?;
    assert_eq!(curl(&[&address])?, "an object");
    let listed = curl(&[&format!("{}/lab?list-type=2", services.get("LAB_S3_ENDPOINT"))])?;
    assert!(listed.contains("<Key>some/key</Key>"), "{listed}");
    services.down()
}

fn http() -> Result<(), Failed> {
    let services = Services::up(&["http"])?;
    std::fs::write(Path::new(services.get("LAB_WWW")).join("file"), "a file\n")?;
    let address = format!("{}/file", services.get("LAB_HTTP"));
    assert_eq!(services.curl(&["-f", &address])?.stdout, b"a file\n");
    // A second `up` is refused, and does no harm to the first.
    let place = services.place();
    let again = tool(&["up", &place, "http"]).output()?;
    let message = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(again.status.code() == Some(1) && message.contains("is up already"), "{message}");
    assert_eq!(services.curl(&["-f", &address])?.stdout, b"a file\n");
    services.down()?;
    // 7: nobody is there.
    let gone = Command::new("curl").args(["-sS", "--max-time", "20", &address]).output()?;
    assert_eq!(gone.status.code(), Some(7));
    Ok(())
}
