//! The example `service`, as a program: on each backend by its `icn.toml` alone, with peers
//! that come and go, and a renewal while it runs.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use icn_identity::Did;
use icn_identity::peer::VerifiedPeer;
use icn_identity::tls::{Client, DidVerifier, TlsError, connect};
use support::cargo::cargo;
use support::child::inherits_nothing;
use support::home::{Home, PASSPHRASE, write_private};
use support::softhsm::{PIN, SoftHsm};
use support::swtpm::Swtpm;

use crate::{Bundle, bundle};

const PATIENCE: Duration = Duration::from_secs(60);
const WRONG: &str = "not the right one";

/// The program, as it is now: the tests may have been built without it.
fn program() -> PathBuf {
    let built = cargo()
        .args(["build", "--quiet", "--locked", "--offline", "--all-features"])
        .args(["--package", "icn-identity", "--example", "service"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(built.unwrap().success());
    let ours = std::env::current_exe().unwrap();
    ours.ancestors().nth(2).unwrap().join("examples/service")
}

/// A node: its home, and what systemd would give to its service.
struct Node {
    home: Home,
    program: PathBuf,
}

impl Node {
    fn new(home: Home) -> Self {
        fs::create_dir(home.beside("credentials")).unwrap();
        Self { home, program: program() }
    }

    fn with(self, credential: &str) -> Self {
        write_private(&self.home.beside("credentials").join("credential"), credential);
        self
    }

    /// As the operator does it: a credential of systemd is a new file at each start, so that
    /// it does not show whether it was changed. Who opens the identity has it tried again.
    fn corrected(self) -> Self {
        self.home.ok(&["id", "renew"], b"");
        self.with(PIN)
    }

    fn command(&self) -> Command {
        let mut command = inherits_nothing(self.program.to_str().unwrap());
        // What `icnctl` gets, but for the credentials.
        let variables = self.home.command(&[]);
        let variables = variables.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command
            .args([self.home.path("").to_str().unwrap(), "127.0.0.1:0"])
            .env_clear()
            .envs(variables)
            .env_remove("ICN_PASSPHRASE")
            .env_remove("ICN_PIN")
            .env("CREDENTIALS_DIRECTORY", self.home.beside("credentials"))
            .stdin(Stdio::null());
        command
    }

    fn start(&self) -> Service {
        let log = self.home.beside("log");
        let mut child = self
            .command()
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let service = |did: Did, address| Service { child, did, address, log: log.clone() };
        let (did, address) = line
            .trim_end()
            .split_once(" listens on ")
            .unwrap_or_else(|| panic!("{line}{}", fs::read_to_string(&log).unwrap()));
        service(Did::parse(did).unwrap(), address.parse().unwrap())
    }

    /// It ends by itself; gives the exit code and what it said.
    fn fails(&self) -> (i32, String) {
        let mut child =
            self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let start = Instant::now();
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if start.elapsed() > PATIENCE => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    panic!("it does not end");
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status.code().unwrap(), said)
    }

    fn allow(&self, peer: &Bundle, name: &str) {
        self.home.ok(&["peer", "allow", peer.did().as_str(), "--name", name], b"");
    }
}

/// Killed when it is dropped.
struct Service {
    child: Child,
    did: Did,
    address: SocketAddr,
    log: PathBuf,
}

impl Service {
    fn asks(&self, client: &Client, request: &str) -> Result<(String, VerifiedPeer), TlsError> {
        let socket = TcpStream::connect(self.address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut stream = connect(socket, client, &self.did)?;
        stream.write_all(format!("{request}\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok((answer.trim_end().to_owned(), stream.peer().clone()))
    }

    #[track_caller]
    fn refuses(&self, client: &Client) {
        let refusals = || said(&self.log).matches("is not expected here").count();
        let before = refusals();
        let error = self.asks(client, "who am i").unwrap_err();
        assert!(error.refusal().is_none(), "{error}");
        // Said by the side that refuses: to its operator, with what to do.
        let start = Instant::now();
        // Seen while it is being written, its last line may be missing.
        while refusals() == before || !said(&self.log).trim_end().lines().any(is_advice) {
            assert!(start.elapsed() < PATIENCE, "{}", said(&self.log));
            std::thread::sleep(Duration::from_millis(10));
        }
        let said = said(&self.log);
        assert!(said.contains("a caller was not served") && said.contains("  try: "), "{said}");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_advice(line: &str) -> bool {
    line.starts_with("  try: ")
}

fn said(log: &Path) -> String {
    fs::read_to_string(log).unwrap()
}

/// What every backend has to do alike.
fn serves(node: &Node, when_it_was_killed: impl FnOnce()) {
    let (operator, user, stranger) = (bundle(), bundle(), bundle());
    // As one peer is: it remembers what it has seen.
    let named = Arc::new(DidVerifier::named());
    let [operators, users, strangers] =
        [&operator, &user, &stranger].map(|bundle| bundle.tls_client(&named).unwrap());
    node.allow(&operator, "operator");
    let service = node.start();
    assert_eq!(service.did.as_str(), node.home.show()["did"]);
    let (answer, before) = service.asks(&operators, "who am i").unwrap();
    assert_eq!(answer, format!("{} operator", operator.did()));
    service.refuses(&users);
    service.refuses(&strangers);
    node.allow(&user, "user");
    let (answer, _) = service.asks(&users, "who am i").unwrap();
    assert_eq!(answer, format!("{} user", user.did()));
    assert_eq!(service.asks(&users, "renew").unwrap().0, "refused");

    // The key that is open signs: the credential is gone from where it was.
    fs::rename(node.home.beside("credentials"), node.home.beside("gone")).unwrap();
    let renewed = || -> u64 {
        let (answer, _) = service.asks(&operators, "renew").unwrap();
        let number = answer.strip_prefix("renewed ").unwrap_or_else(|| panic!("{answer}"));
        number.parse().unwrap()
    };
    let number = renewed();
    assert!(number > before.sequence());
    let (_, after) = service.asks(&users, "who am i").unwrap();
    assert_eq!((after.sequence(), after.instance()), (number, before.instance()));
    let last = renewed();
    assert!(last > number);
    fs::rename(node.home.beside("gone"), node.home.beside("credentials")).unwrap();

    node.home.ok(&["peer", "remove", user.did().as_str()], b"");
    service.refuses(&users);
    drop(service);
    when_it_was_killed();
    // What it renewed while it ran is in its files.
    let service = node.start();
    let (_, again) = service.asks(&operators, "who am i").unwrap();
    assert_eq!((again.sequence(), again.instance()), (last, before.instance()));
    service.refuses(&users);
}

#[test]
fn the_service_serves_and_renews_with_a_key_in_a_file() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let node = Node::new(home).with(WRONG);
    for _ in 0..2 {
        let (code, said) = node.fails();
        assert_eq!(code, 77, "{said}");
        assert!(said.starts_with("stopped: ") && said.contains("  try: "), "{said}");
        assert!(!said.contains(WRONG), "{said}");
    }
    serves(&node.with(PASSPHRASE), || ());
}

#[test]
fn the_service_serves_and_renews_with_a_key_in_a_token() {
    let hsm = SoftHsm::with_token("node-1");
    let node = Node::new(hsm.identity("node-1")).with("0000");
    let (code, said) = node.fails();
    assert_eq!(code, 77, "{said}");
    // A service that is started again does not send it again.
    let (code, said) = node.fails();
    assert_eq!(code, 77, "{said}");
    assert!(said.contains("was not sent again") && said.contains("  try: "), "{said}");
    serves(&node.corrected(), || ());
}

/// With a PIN; the sealed seed is in memory while it is open.
#[test]
fn the_service_serves_and_renews_with_a_key_sealed_to_a_tpm() {
    on_a_tpm("ed25519");
}

/// The key never leaves the TPM, which has room for it once.
#[test]
fn the_service_serves_and_renews_with_a_p256_key_in_a_tpm() {
    on_a_tpm("p256");
}

fn on_a_tpm(algorithm: &str) {
    let tpm = Swtpm::start();
    let home = Home::new().with("ICN_PIN", PIN);
    home.write(
        "icn.toml",
        &format!("[identity.tpm]\ndevice_path = \"{}\"\npin_work_factor = 10\n", tpm.tcti()),
    );
    let init =
        ["id", "init", "--backend", "tpm", "--algorithm", algorithm, "--no-platform-binding"];
    home.ok(&init, b"");
    let node = Node::new(home).with("0000");
    let counted = tpm.lockout_counter();
    for _ in 0..2 {
        let (code, said) = node.fails();
        assert_eq!(code, 77, "{said}");
        assert!(said.contains("  try: "), "{said}");
    }
    assert_eq!(tpm.lockout_counter(), counted + 1);
    // As the kernel's resource manager does it for a process that is gone.
    let flush = || drop(tpm.tool("tpm2_flushcontext", &["--transient-object"]));
    serves(&node.corrected(), flush);
}

#[test]
fn the_service_says_what_is_missing_and_how_to_go_on() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    let node = Node::new(home);
    let (code, said) = node.fails();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("there is no identity") && said.contains("  try: "), "{said}");
    node.home.ok(&["id", "init"], b"");
    // No credential is there: nothing was refused.
    let (code, said) = node.fails();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("  try: ") || said.contains("  because: "), "{said}");
}
