//! Checkpoints that the daemon signs, and what is told of the PIN.

use std::fs;
use std::process::Command;
use std::time::Instant;

use icn_identity::audit::{AuditError, Checkpoint, Fault, SignedCheckpoint, verify};
use rustix::process::Signal;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use support::home::{PASSPHRASE, run, write_private};

use crate::node::{Daemon, Node, PATIENCE, client, own_uid};
use crate::page::block_with;

const ALL: &str = "may = [\"sign\", \"admin\"]\ncontexts = [\"a\"]";
const NAME: &str = "audit.log.checkpoint";

fn signs(daemon: &Daemon) {
    daemon.post("/v1/sign", &json!({ "context": "a", "message": "" })).ok();
}

/// What the file says, which the DID has signed.
fn checkpoint(node: &Node) -> Checkpoint {
    let signed: SignedCheckpoint = node.home.read(NAME).parse().unwrap();
    signed.verify(&node.did()).unwrap()
}

fn wait(what: &str, daemon: &Daemon, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "not {what}: {}", daemon.log());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

fn ends(mut daemon: Daemon) {
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.log());
}

/// Which finds an end that was cut off, also by who has made the note beside the log fit.
#[test]
fn at_its_end_the_daemon_signs_a_checkpoint_that_finds_an_end_that_is_cut_off() {
    let node = Node::age();
    node.allow(ALL);
    let daemon = node.start();
    (0..3).for_each(|_| signs(&daemon));
    assert!(!node.home.path(NAME).exists());
    ends(daemon);
    let audit = node.audit();
    let [signed, stopped] = &audit[audit.len() - 2..] else { panic!("{audit:?}") };
    assert_eq!((&signed["event"], &stopped["event"]), (&json!("checkpoint"), &json!("stop")));
    let known = checkpoint(&node);
    assert_eq!(json!(known.seq()), signed["seq"]);
    node.home.ok(&["audit", "verify", "--checkpoint", path(&node).as_str()], b"");

    let text = node.home.read("audit.log");
    let lines: Vec<&str> = text.lines().collect();
    let cut = lines[..lines.len() - 4].join("\n") + "\n";
    fs::write(node.home.path("audit.log"), cut).unwrap();
    fs::remove_file(node.home.path("audit.log.head")).unwrap();
    let found = node.home.icnctl(&["audit", "verify"], b"");
    assert_eq!(found.code, 0, "nothing else tells: {}{}", found.out, found.err);
    let found = node.home.icnctl(&["audit", "verify", "--checkpoint", path(&node).as_str()], b"");
    assert!(found.code == 1 && found.out.contains("its end was cut off"), "{}", found.out);

    // The next one vouches for nothing that the one before does not fit, and leaves that as it is.
    let before = node.home.read(NAME);
    let daemon = node.start();
    signs(&daemon);
    let pid = daemon.pid();
    daemon.signal(Signal::HUP);
    wait("refused", &daemon, || daemon.log().contains("no checkpoint of the audit log"));
    assert!(daemon.log().contains(NAME), "{pid}: {}", daemon.log());
    ends(daemon);
    assert_eq!(node.home.read(NAME), before);
    let error = verify(&[node.home.path("audit.log")], Some(&known)).unwrap_err();
    let is_told =
        matches!(error, AuditError::Broken { fault: Fault::NotThatOfCheckpoint { .. }, .. })
            || matches!(error, AuditError::Broken { fault: Fault::EndsEarly { .. }, .. });
    assert!(is_told, "{error}");
}

/// A line as a writer makes it; gives its hash.
fn forged(seq: u64, chain: &str, prev: &str, rest: &str) -> (String, String) {
    let at = "2026-11-28T18:00:00.000Z";
    let text = format!(r#"{{"seq":{seq},"at":"{at}","chain":"{chain}","prev":"{prev}",{rest}"#);
    let hash: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    (format!("{text},\"hash\":\"{hash}\"}}\n"), hash)
}

fn signs_none(daemon: &Daemon, wanted: &str) {
    signs(daemon);
    daemon.signal(Signal::HUP);
    wait("refused", daemon, || daemon.log().contains(wanted));
}

/// As if the lines before had been rotated away: no checkpoint is signed over the one that
/// shows that it was not so.
#[test]
fn a_log_that_was_written_anew_behind_the_checkpoint_gets_no_new_one() {
    let node = Node::age();
    node.allow(ALL);
    let daemon = node.start();
    signs(&daemon);
    ends(daemon);
    let (before, known) = (node.home.read(NAME), checkpoint(&node));
    let last = node.audit().pop().unwrap();
    let (chain, did) = (last["chain"].as_str().unwrap(), node.did());
    let seq = last["seq"].as_u64().unwrap() + 1;
    assert!(known.seq() + 1 < seq);
    let begins = format!(r#""event":"continue","did":"{did}""#);
    let (first, hash) = forged(seq, chain, &"ab".repeat(32), &begins);
    let signed = format!(
        r#""event":"sign","result":"allowed","client":"tests","context":"forged","did":"{did}""#
    );
    let (second, _) = forged(seq + 1, chain, &hash, &signed);
    fs::remove_file(node.home.path("audit.log.head")).unwrap();
    // The real file may be there, and may be gone.
    let real = node.home.path("audit.log.1");
    fs::rename(node.home.path("audit.log"), &real).unwrap();
    node.home.write("audit.log", &(first + &second));
    for is_there in [true, false] {
        if !is_there {
            fs::remove_file(&real).unwrap();
        }
        let daemon = node.start();
        signs_none(&daemon, "nothing beside it leads back there");
        ends(daemon);
        assert_eq!(node.home.read(NAME), before);
        let found = node.home.icnctl(&["audit", "verify", "--checkpoint", &path(&node)], b"");
        assert!(found.code == 1 && found.out.contains("begin after"), "{}", found.out);
    }
}

/// As logrotate does it, which removes old files, compresses them, or moves them away.
#[test]
fn a_log_that_is_rotated_has_its_checkpoints_as_long_as_it_leads_back_to_the_last_one() {
    let node = Node::age();
    node.allow(ALL);
    let elsewhere = node.home.beside("archive");
    let to = |daemon: &Daemon, name: &std::path::Path| {
        let before = checkpoint(&node).seq();
        signs(daemon);
        fs::rename(node.home.path("audit.log"), name).unwrap();
        daemon.signal(Signal::HUP);
        wait("anew", daemon, || checkpoint(&node).seq() > before);
    };
    let daemon = node.start();
    signs(&daemon);
    daemon.signal(Signal::HUP);
    wait("there", &daemon, || node.home.path(NAME).exists());
    // While it runs, wherever the file is moved to, and over what is removed in between.
    to(&daemon, &elsewhere);
    to(&daemon, &elsewhere);
    fs::remove_file(&elsewhere).unwrap();
    to(&daemon, &node.home.path("audit-20261128.log"));
    ends(daemon);
    // Rotated twice while nobody ran; the checkpoint is for a line of the earlier file.
    let rotate = |name: &str| {
        fs::rename(node.home.path("audit.log"), node.home.path(name)).unwrap();
        node.home.ok(&["--direct", "sign", "--context", "a"], b"");
    };
    node.home.write(
        "icn.toml",
        &format!("[audit]\npath = \"audit.log\"\n{}", node.home.read("icn.toml")),
    );
    rotate("audit.log.2");
    rotate("audit.log.1");
    let (before, known) = (node.home.read(NAME), checkpoint(&node).seq());
    let (between, away) = (node.home.path("audit.log.1"), node.home.beside("away"));
    fs::rename(&between, &away).unwrap();
    let daemon = node.start();
    signs_none(&daemon, "nothing beside it leads back there");
    assert_eq!(node.home.read(NAME), before);
    let log = daemon.log();
    assert!(log.contains("not compressed") && log.contains("move it away"), "{log}");
    // Put back, it leads there; also beside copies of its end, by whatever name.
    fs::rename(&away, &between).unwrap();
    let text = node.home.read("audit.log.1");
    let end: String = text.lines().skip(1).map(|line| format!("{line}\n")).collect();
    assert!(!end.is_empty() && end != text);
    for name in ["audit-end.log", "audit.log.0", "audit.log.end", "audit.log.1.copy"] {
        node.home.write(name, &end);
    }
    // Nor is one tried alone that begins earlier and was changed between.
    let both = node.home.read("audit.log.2") + &text;
    let damaged = both.replacen("\"result\":\"allowed\"", "\"result\":\"refused\"", 1);
    assert_ne!(damaged, both);
    node.home.write("audit.log.damaged", &damaged);
    daemon.signal(Signal::HUP);
    wait("anew", &daemon, || checkpoint(&node).seq() > known);
    assert!(daemon.log().contains("audit.log.damaged, line "), "{}", daemon.log());
    ends(daemon);
    // Or the operator says that it is gone.
    rotate("audit.log.3");
    fs::remove_file(node.home.path("audit.log.3")).unwrap();
    let (before, known) = (node.home.read(NAME), checkpoint(&node).seq());
    let daemon = node.start();
    signs_none(&daemon, "nothing beside it leads back there");
    assert_eq!(node.home.read(NAME), before);
    fs::rename(node.home.path(NAME), node.home.beside("gone")).unwrap();
    daemon.signal(Signal::HUP);
    wait("anew", &daemon, || node.home.path(NAME).exists());
    assert!(checkpoint(&node).seq() > known);
}

fn path(node: &Node) -> String {
    node.home.path(NAME).to_str().unwrap().to_owned()
}

#[test]
fn the_daemon_signs_a_checkpoint_from_time_to_time_and_when_the_log_is_rotated() {
    let node = Node::age();
    let clients = client("tests", own_uid(), ALL);
    node.configure(&format!("checkpoint_interval = 1\n{clients}"));
    let daemon = node.start();
    wait("there", &daemon, || node.home.path(NAME).exists());
    let first = checkpoint(&node).seq();
    // While nothing happens, there is no new one.
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert_eq!(checkpoint(&node).seq(), first);
    signs(&daemon);
    wait("anew", &daemon, || checkpoint(&node).seq() > first);
    node.configure(&clients);
    ends(daemon);

    let daemon = node.start();
    let before = checkpoint(&node).seq();
    signs(&daemon);
    fs::rename(node.home.path("audit.log"), node.home.path("audit.log.1")).unwrap();
    daemon.signal(Signal::HUP);
    wait("anew", &daemon, || checkpoint(&node).seq() > before);
    let files = ["audit.log.1", "audit.log"].map(|name| node.home.path(name));
    verify(&files, Some(&checkpoint(&node))).unwrap();
    // It is in the file that is written now, which alone is enough then.
    verify(&files[1..], Some(&checkpoint(&node))).unwrap();
    // By one who reads it while it is replaced, it is the one or the other.
    let number = checkpoint(&node).seq();
    signs(&daemon);
    daemon.signal(Signal::HUP);
    wait("anew", &daemon, || checkpoint(&node).seq() > number);
    assert!(node.audit_of(&files).iter().any(|line| line["event"] == "checkpoint"));
}

/// There is no key that could sign, and it ends as always.
#[test]
fn one_that_is_locked_signs_no_checkpoint() {
    let node = Node::age();
    node.allow(ALL);
    let daemon = node.start();
    daemon.post("/v1/lock", &json!({})).ok();
    ends(daemon);
    assert!(!node.home.path(NAME).exists());
    let daemon = node.start();
    daemon.post("/v1/lock", &json!({})).ok();
    daemon.post("/v1/unlock", &json!({ "credential": PASSPHRASE })).ok();
    ends(daemon);
    assert!(checkpoint(&node).seq() > 5);
}

/// What somebody else has put there is not replaced.
#[test]
fn what_is_no_checkpoint_of_this_log_stays_and_is_told() {
    let node = Node::age();
    node.allow(ALL);
    node.home.write(NAME, "somebody's file\n");
    ends_with_error(&node);
    assert_eq!(node.home.read(NAME), "somebody's file\n");
    // Nor one of another log.
    let other = Node::age();
    other.allow(ALL);
    ends(other.start());
    let theirs = other.home.read(NAME);
    node.home.write(NAME, &theirs);
    ends_with_error(&node);
    assert_eq!(node.home.read(NAME), theirs);
    fs::remove_file(node.home.path(NAME)).unwrap();
    // Nor one that nobody writes to: it is not waited for.
    assert_eq!(run(Command::new("mkfifo").arg(node.home.path(NAME)), b"").code, 0);
    ends_with_error(&node);
    fs::remove_file(node.home.path(NAME)).unwrap();
    ends(node.start());
    checkpoint(&node);
}

fn ends_with_error(node: &Node) {
    let mut daemon = node.start();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().code(), Some(0));
    assert!(daemon.log().contains("move it away"), "{}", daemon.log());
}

/// With what it compresses, keeps and runs; but for the path, and for whom the signal is.
#[test]
fn logrotate_rotates_the_log_as_the_page_says() {
    let node = Node::age();
    node.allow(ALL);
    let daemon = node.start();
    let log = node.home.path("audit.log").display().to_string();
    let page = block_with("postrotate");
    let (path, reload) = ("/var/lib/icnd/audit.log", "systemctl reload icnd.service");
    assert!(page.contains(path) && page.contains(reload), "{page}");
    let hang_up = format!("kill -HUP {}", daemon.pid());
    let (rule, state) = (node.home.beside("rule"), node.home.beside("state"));
    write_private(&rule, &page.replace(path, &log).replace(reload, &hang_up));
    for round in 0..3 {
        signs(&daemon);
        let before = (round > 0).then(|| checkpoint(&node).seq());
        let mut command = Command::new("logrotate");
        let ran = run(command.args(["--force", "--state"]).args([&state, &rule]), b"");
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "apt-get install logrotate");
        let is_new = || node.home.path(NAME).exists() && Some(checkpoint(&node).seq()) > before;
        wait("anew", &daemon, is_new);
    }
    signs(&daemon);
    assert!(!daemon.log().contains("no checkpoint"), "{}", daemon.log());
    ends(daemon);
    let files = ["audit.log.3", "audit.log.2", "audit.log.1", "audit.log"];
    for old in &files[..2] {
        let packed = node.home.path(&format!("{old}.gz"));
        assert_eq!(run(Command::new("gunzip").arg(&packed), b"").code, 0, "{old}");
    }
    let files = files.map(|name| node.home.path(name));
    let verified = verify(&files, Some(&checkpoint(&node))).unwrap();
    assert!(verified.is_whole && verified.torn.is_empty());
    assert_eq!(node.audit_of(&files).iter().filter(|line| line["event"] == "sign").count(), 4);
}
