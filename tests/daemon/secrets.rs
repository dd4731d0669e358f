//! Where a secret is not: in no log, in no core, in no environment but the operator's, and in
//! no memory of a daemon that is locked.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use std::path::Path;
use std::process::Command;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustix::process::Signal;
use serde_json::{Value, json};
use support::home::{Home, PASSPHRASE, write_private};
use support::softhsm::{PIN, SoftHsm};
use support::swtpm::Swtpm;

use crate::node::{Daemon, Node, client, own_uid};
use crate::scan::{Find, Place, scan};
use crate::secret::{Form, Pattern, forms, key};

const ALL: &str = "may = [\"sign\", \"admin\"]\ncontexts = [\"a\"]";

/// How often any 16 bytes in a row of a secret are in the memory of a process, at the first of
/// each eight bytes of the secret.
pub(crate) fn found(daemon: &Daemon, secret: &[u8]) -> usize {
    let maps = fs::read_to_string(format!("/proc/{}/maps", daemon.pid())).unwrap();
    let memory = File::open(format!("/proc/{}/mem", daemon.pid())).unwrap();
    let pieces: Vec<&[u8]> = secret.windows(16).step_by(4).collect();
    let mut count = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (begin, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [begin, end] = [begin, end].map(|at| u64::from_str_radix(at, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - begin).unwrap()];
        // Not everything that is mapped can be read.
        if memory.read_exact_at(&mut bytes, begin).is_err() {
            continue;
        }
        for piece in &pieces {
            count += bytes.windows(16).filter(|window| window == piece).count();
        }
    }
    count
}

#[test]
fn of_what_a_client_has_sent_to_unlock_nothing_is_left_when_it_is_locked() {
    let node = Node::age();
    node.configure(&format!("start_locked = true\n{}", client("tests", own_uid(), ALL)));
    let mut command = node.command();
    let daemon = node.start_by(command.env_remove("ICN_PASSPHRASE"));
    // What is not there cannot be left.
    assert_eq!(found(&daemon, PASSPHRASE.as_bytes()), 0);
    daemon.post("/v1/unlock", &json!({ "credential": PASSPHRASE })).ok();
    assert!(found(&daemon, PASSPHRASE.as_bytes()) > 0, "while it is open, it is there once");
    daemon.post("/v1/sign", &json!({ "context": "a", "message": "" })).ok();
    daemon.post("/v1/lock", &json!({})).ok();
    assert_eq!(found(&daemon, PASSPHRASE.as_bytes()), 0);
    // Nor of one that was refused.
    let wrong = "another horse and another staple";
    daemon.post("/v1/unlock", &json!({ "credential": wrong })).problem(403, "credential-refused");
    assert_eq!(found(&daemon, wrong.as_bytes()), 0);
}

#[test]
fn no_credential_is_in_a_log_however_much_is_logged() {
    for format in ["text", "json"] {
        let node = Node::age();
        node.allow(ALL);
        let mut command = node.command();
        command.args(["--log-level", "trace", "--log-format", format]);
        let daemon = node.start_by(&mut command);
        let wrong = "another horse and another staple";
        daemon.post("/v1/lock", &json!({})).ok();
        let refused = daemon.post("/v1/unlock", &json!({ "credential": wrong }));
        refused.problem(403, "credential-refused");
        daemon.post("/v1/unlock", &json!({ "credential": PASSPHRASE })).ok();
        daemon.post_text("/v1/unlock", "{\"credential\":\"a third horse").problem(400, "malformed");
        let all = daemon.log() + &node.home.read("audit.log");
        assert!(all.contains("serves"), "{all}");
        for secret in [wrong, PASSPHRASE, "a third horse"] {
            assert!(!all.contains(secret), "{all}");
        }
    }
}

fn text_of(name: &str, secret: &str) -> Pattern {
    let bytes = secret.as_bytes()[..secret.len() / 4 * 4].to_vec();
    Pattern { secret: name.to_owned(), form: Form::Plain, bytes }
}

/// The passphrase, and what it opens: the seed, the TLS key, the X25519 key.
fn of_a_file(node: &Node) -> Vec<Pattern> {
    let file = fs::read(node.home.path("identity.age")).unwrap();
    let identity = age::scrypt::Identity::new(PASSPHRASE.to_owned().into());
    let json: Value = serde_json::from_slice(&age::decrypt(&identity, &file).unwrap()).unwrap();
    let secret = |pointer| -> [u8; 32] {
        let text = json.pointer(pointer).unwrap().as_str().unwrap();
        STANDARD.decode(text).unwrap().try_into().unwrap()
    };
    let mut patterns = vec![text_of("passphrase", PASSPHRASE)];
    patterns.extend(key("seed", &secret("/seed")));
    patterns.extend(key("tls", &secret("/tls/private_key")));
    patterns.extend(forms("x25519", &secret("/x25519_secret")));
    patterns
}

/// With a credential from a file, which it has read, and not from its environment.
fn by_file(node: &Node, option: &str, credential: &str) -> Command {
    let file = node.home.beside("credential");
    let _ = fs::remove_file(&file);
    write_private(&file, credential);
    let mut command = node.command();
    for name in ["ICN_PASSPHRASE", "ICN_PIN", "PKCS11_FAULT_PIN"] {
        command.env_remove(name);
    }
    command.arg(option).arg(file);
    command
}

fn signs(daemon: &Daemon) {
    daemon.post("/v1/sign", &json!({ "context": "a", "message": "" })).ok();
}

/// Its threads end when they have had nothing to do for some seconds, which a scan can take: so
/// it is stopped for that.
fn finds(daemon: &Daemon, patterns: &[Pattern]) -> Vec<Find> {
    let _stopped = Stopped::new(daemon);
    scan(daemon.pid(), patterns).finds
}

struct Stopped<'d>(&'d Daemon);

impl<'d> Stopped<'d> {
    fn new(daemon: &'d Daemon) -> Self {
        let stopped = Self(daemon);
        daemon.signal(Signal::STOP);
        let threads = || fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap().flatten();
        let stands = |stat: String| stat.rsplit_once(") ").unwrap().1.starts_with('T');
        while !threads()
            .all(|thread| fs::read_to_string(thread.path().join("stat")).map_or(true, stands))
        {
            std::thread::yield_now();
        }
        stopped
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.signal(Signal::CONT);
    }
}

/// While it is open, the secrets that it holds are in memory that is locked and in no core;
/// locked, by whatever way it was opened, they are nowhere.
fn keeps_its_secrets(node: &Node, option: &str, credential: &str, held: &[Pattern]) {
    let credential_alone = [text_of("credential", credential)];
    let patterns = if held.is_empty() { &credential_alone } else { held };
    node.allow(ALL);
    let daemon = node.start_by(&mut by_file(node, option, credential));
    for _ in 0..2 {
        signs(&daemon);
        let open = finds(&daemon, patterns);
        assert_eq!(open.is_empty(), held.is_empty(), "{open:?}");
        let other: Vec<_> = open.iter().filter(|find| find.place != Place::Locked).collect();
        assert!(other.is_empty(), "{other:?}");
        assert_eq!(daemon.post("/v1/lock", &json!({})).ok()["state"], "locked");
        let locked = finds(&daemon, patterns);
        assert!(locked.is_empty(), "{locked:?}");
        daemon.post("/v1/unlock", &json!({ "credential": credential })).ok();
    }
    // Of the system, everybody who may look at the process.
    for file in ["environ", "cmdline"] {
        let text = fs::read(Path::new("/proc").join(daemon.pid().to_string()).join(file)).unwrap();
        assert!(!text.is_empty());
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(credential), "{file}: {text}");
    }
}

#[test]
fn of_a_key_in_a_file_no_secret_is_in_a_core_or_anywhere_when_it_is_locked() {
    let node = Node::age();
    let patterns = of_a_file(&node);
    keeps_its_secrets(&node, "--passphrase-file", PASSPHRASE, &patterns);
}

#[test]
fn of_a_key_in_a_token_no_pin_is_in_a_core_or_anywhere_when_it_is_locked() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.identity("node"));
    keeps_its_secrets(&node, "--pin-file", PIN, &[text_of("pin", PIN)]);
}

#[test]
fn of_a_key_sealed_to_a_tpm_no_pin_is_in_a_core_or_anywhere_when_it_is_locked() {
    let tpm = Swtpm::start();
    let node = Node::sealed_to(&tpm);
    // It is not held once the key is open.
    keeps_its_secrets(&node, "--pin-file", PIN, &[]);
    // Where the operator has put it into the environment, it is found.
    let daemon = node.start();
    assert!(!finds(&daemon, &[text_of("pin", PIN)]).is_empty());
}

/// A seed that the TPM gives out again is known where it came from a file.
#[test]
fn of_a_seed_that_is_sealed_to_a_tpm_nothing_is_in_a_core_or_anywhere_when_it_is_locked() {
    let tpm = Swtpm::start();
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE).with("ICN_PIN", PIN);
    home.write("icn.toml", "[identity.tpm]\npin_work_factor = 10\n");
    home.ok(&["id", "init"], b"");
    let node = Node::of(home);
    // The TLS key is another one from then on; the passphrase opens nothing any more.
    let mut patterns = of_a_file(&node);
    patterns.retain(|pattern| !["tls", "pass"].iter().any(|it| pattern.secret.starts_with(it)));
    assert!(patterns.iter().any(|pattern| pattern.secret.starts_with("seed")));
    let did = node.did();
    let to = ["--to", "tpm", "--device", &tpm.tcti(), "--no-platform-binding", "--no-backup"];
    node.home.ok(&[&["id", "migrate", "--mode", "import"][..], &to].concat(), b"");
    node.home.ok(&["id", "migrate", "--finish", "--yes"], b"");
    assert_eq!(node.did(), did, "it is the same key");
    keeps_its_secrets(&node, "--pin-file", PIN, &patterns);
    // What is looked for is what there is.
    let daemon = node.start();
    signs(&daemon);
    for part in ["seed", "x25519"] {
        let is_there = |find: &Find| find.secret.starts_with(part);
        assert!(finds(&daemon, &patterns).iter().any(is_there), "{part}");
    }
}

/// Nor is a PIN, or what a file has beside the passphrase.
#[test]
fn no_pin_and_no_key_is_in_a_log_however_much_is_logged() {
    let (hsm, tpm) = (SoftHsm::with_token("node"), Swtpm::start());
    let file = Node::age();
    let seeds = of_a_file(&file);
    let nodes =
        [(file, PASSPHRASE), (Node::of(hsm.identity("node")), PIN), (Node::sealed_to(&tpm), PIN)];
    for (node, credential) in nodes {
        node.allow(ALL);
        let daemon = node.start_by(node.command().args(["--log-level", "trace"]));
        signs(&daemon);
        daemon.post("/v1/lock", &json!({})).ok();
        let wrong = "not the right one at all";
        let refused = daemon.post("/v1/unlock", &json!({ "credential": wrong }));
        refused.problem(403, "credential-refused");
        daemon.post("/v1/unlock", &json!({ "credential": credential })).ok();
        signs(&daemon);
        let all = daemon.log() + &node.home.read("audit.log");
        assert!(all.contains("serves"), "{all}");
        let known = [text_of("credential", credential), text_of("wrong", wrong)];
        for pattern in seeds.iter().chain(&known) {
            let is_there = all
                .as_bytes()
                .windows(16)
                .any(|window| pattern.bytes.windows(16).any(|part| part == window));
            assert!(!is_there, "{} {:?}: {all}", pattern.secret, pattern.form);
        }
    }
}
