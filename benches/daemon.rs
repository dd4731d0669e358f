//! Signatures through the socket of `icnd`, against the same key in process; how long one
//! takes; and its start, against a bare unlock. By the time that processors were used: where all
//! are busy the ratio of rates is the same, and what others do meanwhile is not in it.
//!
//! The audit log is in memory, and then once more on the disk: how long that syncs is its own
//! affair.
#![allow(missing_docs, clippy::print_stdout, clippy::indexing_slicing, clippy::unwrap_used)]
#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use icn_identity::home::{CredentialSource, Home};
use icn_identity::secret::LockedText;
use support::medians;
use support::ratios::Report;
use support::softhsm::{PIN, module};

const CLIENTS: usize = 8;
const CONTEXT: &str = "a";
const PASSPHRASE: &str = "correct horse battery staple";

fn main() -> ExitCode {
    if let Some(ended) = medians::in_a_token_of_our_own() {
        return ended;
    }
    let mut report = Report::of("daemon");
    let dir = PathBuf::from(std::env::var_os("ICN_BENCH_CHILD").unwrap());
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let on_token = Place::new(&dir.join("on-token"), "ICN_PIN", PIN);
    let init = ["id", "init", "--backend", "pkcs11", "--token", "bench", "--module"];
    on_token.icnctl(&[&init[..], &[module()]].concat());
    let in_file = Place::new(&dir.join("in-file"), "ICN_PASSPHRASE", PASSPHRASE);
    in_file.icnctl(&["id", "init"]);

    // Each in turn, five times, and the best of each: others use the machine too.
    for (place, credential, key, limited) in [
        (&on_token, PIN, "a key in SoftHSM2", true),
        (&in_file, PASSPHRASE, "a key in a file", false),
    ] {
        let home = Home::open(&place.home).unwrap();
        let opened = home.unlock(CredentialSource::given(LockedText::from(credential))).unwrap();
        for (log, where_it_is) in [
            (place.home.join("audit.log"), "in memory"),
            (disk.path().join(format!("{}.log", place.name())), "on disk"),
        ] {
            let daemon = place.start(&log);
            let sign = || drop(opened.bundle.sign_for(CONTEXT, b"hello").unwrap());
            let (mut served, mut alike, mut fastest) = (0.0_f64, 0.0_f64, 0.0_f64);
            let mut costs = [const { Vec::new() }; 2];
            for _ in 0..5 {
                let theirs = || medians::used_by(daemon.child.id());
                let (a_second, cost) = rate(CLIENTS, theirs, daemon.sign());
                served = served.max(a_second);
                costs[0].push(cost);
                let (a_second, cost) = rate(CLIENTS, || Duration::ZERO, sign);
                alike = alike.max(a_second);
                costs[1].push(cost);
                // SoftHSM is slower for eight threads than for as many as there are cores.
                fastest = fastest.max(rate(2, || Duration::ZERO, sign).0);
            }
            let what = format!("8 clients of `icnd`, {key}, audit log {where_it_is}");
            let [by_icnd, in_process] = costs.map(medians::median);
            if limited && where_it_is == "in memory" {
                report.time("icnd-sign", by_icnd, in_process);
            }
            for (base, threads) in [(alike, "8"), (fastest.max(alike), "2")] {
                let what = format!("{what}, over {threads} threads in process");
                let value = format!("{:.2}; {served:.0} over {base:.0} a second", served / base);
                report.figure(&what, &value);
            }
            let what = format!("one signature through the socket, {key}, audit log {where_it_is}");
            report.figure(&what, &daemon.latency());
        }
    }
    drop(on_token);

    let log = in_file.home.join("start.log");
    let [mut ready, mut bare] = [const { Vec::new() }; 2];
    for _ in 0..10 {
        let daemon = in_file.start(&log);
        ready.push(medians::used_by(daemon.child.id()));
        drop(daemon);
        let before = medians::used_here();
        let home = Home::open(&in_file.home).unwrap();
        drop(home.unlock(CredentialSource::given(LockedText::from(PASSPHRASE))).unwrap());
        bare.push(medians::used_here() - before);
    }
    let [ready, bare] = [ready, bare].map(medians::median);
    report.time("icnd-start", ready, bare);
    report.end()
}

/// How many in a second, and the time that all processors were used for one of them: by this
/// process, and by what `others` tells.
fn rate(threads: usize, others: impl Fn() -> Duration, sign: impl Fn() + Sync) -> (f64, Duration) {
    let (ended, count, start) = (AtomicBool::new(false), AtomicU64::new(0), Instant::now());
    let used = || medians::used_here() + others();
    let before = used();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    sign();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(Duration::from_secs(1));
        ended.store(true, Ordering::Relaxed);
    });
    let (time, used) = (start.elapsed(), used() - before);
    let count = u32::try_from(count.into_inner()).unwrap();
    (f64::from(count) / time.as_secs_f64(), used / count)
}

/// A home, and what its credential is called in the environment.
struct Place {
    home: PathBuf,
    variable: &'static str,
    credential: &'static str,
}

impl Place {
    fn new(home: &Path, variable: &'static str, credential: &'static str) -> Self {
        fs::create_dir(home).unwrap();
        fs::set_permissions(home, fs::Permissions::from_mode(0o700)).unwrap();
        Self { home: home.to_owned(), variable, credential }
    }

    fn name(&self) -> &str {
        self.home.file_name().unwrap().to_str().unwrap()
    }

    fn icnctl(&self, arguments: &[&str]) {
        let mut icnctl = Command::new(env!("CARGO_BIN_EXE_icnctl"));
        icnctl.env("ICN_HOME", &self.home).env(self.variable, self.credential).args(arguments);
        let ran = icnctl.output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    fn start(&self, log: &Path) -> Daemon {
        let config = self.home.join("icn.toml");
        let text = fs::read_to_string(&config).unwrap();
        let text = text.split("[audit]").next().unwrap();
        let (uid, socket) = (rustix::process::getuid().as_raw(), self.home.join("s"));
        let text = format!(
            "{text}[audit]\npath = {log:?}\n[daemon]\nsocket = {socket:?}\n[[daemon.client]]\n\
             name = \"a\"\nuid = {uid}\nmay = [\"sign\"]\ncontexts = [{CONTEXT:?}]\n"
        );
        fs::write(&config, text).unwrap();
        let notify = self.home.join("notify");
        let _ = fs::remove_file(&notify);
        let told = UnixDatagram::bind(&notify).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_icnd"))
            .env("ICN_HOME", &self.home)
            .env(self.variable, self.credential)
            .env("NOTIFY_SOCKET", &notify)
            .args(["--log-level", "warn"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut state = [0; 256];
        let length = told.recv(&mut state).unwrap();
        assert!(String::from_utf8_lossy(&state[..length]).contains("READY=1"));
        Daemon { child, socket }
    }
}

struct Daemon {
    child: Child,
    socket: PathBuf,
}

impl Daemon {
    fn client(&self) -> Client {
        let body = r#"{"context":"a","message":"aGVsbG8="}"#;
        let length = body.len();
        let request = format!(
            "POST /v1/sign HTTP/1.1\r\nHost: icnd\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Client { stream: UnixStream::connect(&self.socket).unwrap(), request }
    }

    /// Each thread on a connection that it keeps.
    fn sign(&self) -> impl Fn() + Sync {
        thread_local! {
            static CLIENT: std::cell::RefCell<Option<Client>> = const { std::cell::RefCell::new(None) };
        }
        || CLIENT.with_borrow_mut(|client| client.get_or_insert_with(|| self.client()).sign())
    }

    fn latency(&self) -> String {
        let mut client = self.client();
        let mut times: Vec<Duration> = (0..2200)
            .map(|_| {
                let start = Instant::now();
                client.sign();
                start.elapsed()
            })
            .skip(200)
            .collect();
        times.sort();
        format!("p50 {:.2?}, p99 {:.2?}", times[1000], times[1980])
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.socket);
    }
}

struct Client {
    stream: UnixStream,
    request: String,
}

impl Client {
    fn sign(&mut self) {
        self.stream.write_all(self.request.as_bytes()).unwrap();
        let (mut answer, mut length) = ([0; 4096], 0);
        while !answer[..length].ends_with(b"\"}") {
            let read = self.stream.read(&mut answer[length..]).unwrap();
            assert!(read > 0, "it was closed");
            length += read;
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    }
}
