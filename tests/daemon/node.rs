//! `icnd` on a home of one test, and requests to it.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use icn_identity::home::CredentialSource;
use icn_identity::{Did, DidKey, IdentityBundle};
use serde_json::Value;
use support::child::inherits_nothing;
use support::home::Home;
use support::softhsm::PIN;
use support::swtpm::Swtpm;
use tempfile::TempDir;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What the tests run as.
pub(crate) fn own_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// A home, and a directory that everybody can look into, where the socket is.
pub(crate) struct Node {
    pub(crate) home: Home,
    open: TempDir,
    variables: Vec<(String, String)>,
}

impl Node {
    /// With an identity in a file.
    pub(crate) fn age() -> Self {
        let home = Home::new().with("ICN_PASSPHRASE", support::home::PASSPHRASE);
        home.ok(&["id", "init"], b"");
        Self::of(home)
    }

    /// With an identity whose Ed25519 key is sealed to a TPM.
    pub(crate) fn sealed_to(tpm: &Swtpm) -> Self {
        Self::on_a_tpm(tpm, "ed25519")
    }

    /// By the one algorithm it is sealed to the TPM, by the other one it never leaves it.
    pub(crate) fn on_a_tpm(tpm: &Swtpm, algorithm: &str) -> Self {
        let home = Home::new().with("ICN_PIN", PIN);
        let tcti = tpm.tcti();
        let device = format!("[identity.tpm]\ndevice_path = {tcti:?}\npin_work_factor = 10\n");
        home.write("icn.toml", &device);
        let init = ["id", "init", "--backend", "tpm", "--no-platform-binding", "--algorithm"];
        home.ok(&[&init[..], &[algorithm]].concat(), b"");
        Self::of(home)
    }

    pub(crate) fn of(home: Home) -> Self {
        let open = tempfile::tempdir().unwrap();
        fs::set_permissions(open.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { home, open, variables: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// A file in the directory that everybody can look into.
    pub(crate) fn public(&self, name: &str) -> PathBuf {
        self.open.path().join(name)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.public("icnd.sock")
    }

    pub(crate) fn did(&self) -> Did {
        Did::parse(self.home.show()["did"].as_str().unwrap()).unwrap()
    }

    /// As another process that has its passphrase.
    pub(crate) fn open(&self) -> IdentityBundle<DidKey> {
        let home = icn_identity::home::Home::open(self.home.path("")).unwrap();
        home.unlock(CredentialSource::given(support::home::PASSPHRASE)).unwrap().bundle
    }

    /// Its certificate, and those that come after it, are due four seconds after they are
    /// made.
    pub(crate) fn shorten(&self) {
        // They begin 300 seconds before that.
        self.open().renew_at(SystemTime::now(), Duration::from_secs(156)).unwrap();
    }

    /// Writes `[daemon]` with these lines and tables, in the place of what was there.
    pub(crate) fn configure(&self, text: &str) {
        let before = self.home.read("icn.toml");
        let before = before.split("[daemon]").next().unwrap();
        let socket = self.socket();
        let socket = socket.to_str().unwrap();
        let text = format!("{before}[daemon]\nsocket = {socket:?}\n{text}");
        // Whoever reads it meanwhile finds one or the other.
        self.home.write("icn.toml.new", &text);
        fs::rename(self.home.path("icn.toml.new"), self.home.path("icn.toml")).unwrap();
    }

    /// The tests themselves are a client that may all this.
    pub(crate) fn allow(&self, may: &str) {
        self.configure(&client("tests", own_uid(), may));
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = inherits_nothing(program().to_str().unwrap());
        let variables = self.home.command(&[]);
        let variables = variables.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.env_clear().envs(variables).envs(self.variables.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Started, and READY by its own word.
    pub(crate) fn start(&self) -> Daemon {
        self.start_by(&mut self.command())
    }

    pub(crate) fn start_by(&self, command: &mut Command) -> Daemon {
        let mut daemon = self.begin(command);
        daemon.wait_for("READY=1");
        daemon
    }

    /// Not ready yet: it is sent a signal when such a line is in its audit log.
    pub(crate) fn start_signalled(
        &self,
        when: impl Fn(&Value) -> bool,
        signal: rustix::process::Signal,
    ) -> Daemon {
        let daemon = self.begin(&mut self.command());
        let start = Instant::now();
        let is_there = || self.home.path("audit.log").exists() && self.audit().iter().any(&when);
        while !is_there() {
            assert!(start.elapsed() < PATIENCE, "{}", daemon.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        daemon.signal(signal);
        daemon
    }

    fn begin(&self, command: &mut Command) -> Daemon {
        let told = tempfile::tempdir().unwrap();
        let notify = UnixDatagram::bind(told.path().join("notify")).unwrap();
        notify.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let log = self.home.beside("log");
        command.env("NOTIFY_SOCKET", told.path().join("notify"));
        let child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        Daemon { child, socket: self.socket(), log, notify, _told: told }
    }

    /// It ends by itself; gives its exit code and what it said.
    pub(crate) fn fails(&self) -> (i32, String) {
        let log = self.home.beside("failed");
        let child = self.command().stderr(File::create(&log).unwrap()).spawn().unwrap();
        let status = ends(child);
        (status.code().unwrap_or(-1), fs::read_to_string(log).unwrap())
    }

    /// The lines of the audit log, which is verified.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let text = self.home.read("audit.log");
        icn_identity::audit::verify(&[self.home.path("audit.log")], None).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The lines of several files of it, in their order.
    pub(crate) fn audit_of(&self, files: &[PathBuf]) -> Vec<Value> {
        icn_identity::audit::verify(files, None).unwrap();
        let text: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Event, result and reason of the lines of requests by clients and by strangers.
    pub(crate) fn uses(&self) -> Vec<(String, String, String)> {
        let text = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
        // What it does by itself is no client's.
        let of_others = |line: &Value| line["event"] == "connect" || line["client"].is_string();
        let lines = self.audit().into_iter().filter(of_others);
        lines
            .map(|line| (text(&line, "event"), text(&line, "result"), text(&line, "reason")))
            .collect()
    }
}

pub(crate) fn client(name: &str, uid: u32, may: &str) -> String {
    format!("[[daemon.client]]\nname = {name:?}\nuid = {uid}\n{may}\n")
}

/// What cargo has built for the tests of this process.
pub(crate) fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_icnd").into()
}

pub(crate) fn ends(mut child: Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Killed when it is dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) socket: PathBuf,
    log: PathBuf,
    notify: UnixDatagram,
    _told: TempDir,
}

impl Daemon {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// What it tells its service manager.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, state: &str) {
        self.wait_for_line(|line| line == state);
    }

    /// The same, of a line that is known by part of it.
    #[track_caller]
    pub(crate) fn wait_for_line(&mut self, is_it: impl Fn(&str) -> bool) {
        let start = Instant::now();
        let mut told = [0; 1024];
        loop {
            if let Ok(length) = self.notify.recv(&mut told)
                && String::from_utf8_lossy(&told[..length]).lines().any(&is_it)
            {
                return;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", self.log());
            assert!(start.elapsed() < PATIENCE, "not told: {}", self.log());
        }
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// It ends by itself.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: icnd\r\nConnection: close\r\n\r\n"))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, &body.to_string())
    }

    pub(crate) fn post_text(&self, path: &str, body: &str) -> Answer {
        self.send(&posted(path, body, "Connection: close\r\n"))
    }

    /// On a connection of its own.
    pub(crate) fn send(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        // A daemon that has refused may not read all.
        let _ = stream.write_all(request.as_bytes());
        let mut text = Vec::new();
        // What came before a connection was reset is there.
        let _ = stream.read_to_end(&mut text);
        Answer::parse(&String::from_utf8(text).unwrap())
    }
}

pub(crate) fn posted(path: &str, body: &str, headers: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: icnd\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = serde_json::from_str(body).unwrap_or_default();
        Self { status, headers: head.to_lowercase(), body }
    }

    /// That it was done.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        assert!(self.headers.contains("icn-request: "), "{self:?}");
        self.body
    }

    /// That it is a problem of this status and code, with all that such a one has.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{self:?}");
        assert!(self.headers.contains("content-type: application/problem+json"), "{self:?}");
        assert_eq!(self.body["type"], format!("urn:icn-identity:problem:{code}"));
        assert_eq!(self.body["status"], status);
        let request = self.body["request"].as_str().unwrap();
        assert!(self.headers.contains(&format!("icn-request: {request}")), "{self:?}");
        for field in ["title", "detail"] {
            assert!(!self.body[field].as_str().unwrap().is_empty(), "{self:?}");
        }
    }
}

/// Whether another user can get there at all.
pub(crate) fn is_reachable(path: &Path) -> bool {
    path.ancestors().skip(1).all(|directory| {
        fs::metadata(directory).is_ok_and(|found| found.permissions().mode() & 0o001 != 0)
    })
}
