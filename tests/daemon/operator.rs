//! `icnctl lock`, `unlock` and `status`, and commands that wait until `icnd` has ended.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;
use serde_json::{Value, json};
use support::home::write_private;
use support::softhsm::{PIN, SoftHsm};
use support::swtpm::Swtpm;

use crate::node::{Node, client, own_uid};
use crate::through::{ALL, bare, fails, ok};

#[test]
fn icnctl_locks_unlocks_and_shows_the_daemon() {
    let node = Node::age();
    node.allow(ALL);
    let daemon = node.start();
    let status = |field: &str| {
        let text = ok(&node, &["--format", "json", "status"], b"");
        serde_json::from_str::<Value>(&text).unwrap()[field].clone()
    };
    assert_eq!((status("state"), status("client")), (json!("unlocked"), json!("tests")));
    assert_eq!(status("socket"), node.socket().to_str().unwrap());
    assert_eq!((status("backend"), status("provenance")), (json!("age"), json!("software")));
    let socket = node.socket().display().to_string();
    let said = ok(&node, &["lock"], b"");
    assert_eq!(said, format!("icnd at {socket} is locked: it has dropped its keys.\n"));
    assert_eq!((status("state"), status("provenance")), (json!("locked"), Value::Null));
    let shown = ok(&node, &["status"], b"");
    for line in ["State       locked\n", "Client      tests\n", "Key         age\n"] {
        assert!(shown.contains(line), "{shown}");
    }

    let wrong = node.home.beside("wrong").to_str().unwrap().to_owned();
    write_private(Path::new(&wrong), "not the passphrase");
    let ran = bare(&node, &["--passphrase-file", &wrong, "unlock"], b"");
    fails(
        &ran,
        77,
        &["was asked, and has refused", "(credential-refused)", "check the passphrase"],
    );
    assert!(!ran.err.contains("not the passphrase"), "{}", ran.err);
    let unlocks = || {
        let lines = node.audit().into_iter();
        let clients = lines.filter(|line| line["event"] == "unlock" && line["client"] == "tests");
        clients.map(|line| line["result"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(unlocks(), ["allowed", "failed"], "sent once");
    fails(&bare(&node, &["unlock"], b""), 1, &["no passphrase was given", "--passphrase-file"]);
    // A person, who is told whose it is and where it goes.
    let mut asked = node.home.command(&["unlock"]);
    asked.env_remove("ICN_PASSPHRASE");
    let passphrase = format!("{}\n", support::home::PASSPHRASE);
    let ran = support::home::on_a_terminal(&asked, &passphrase);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let prompt = format!("Passphrase of {}, for icnd at {socket}: ", node.did());
    assert!(ran.out.contains(&prompt) && ran.out.contains("is unlocked"), "{}", ran.out);
    assert_eq!(status("state"), "unlocked");
    let ran = bare(&node, &["--passphrase-file", &wrong, "unlock"], b"");
    assert!(ran.code == 0 && ran.out.contains("already; it was sent nothing"), "{}", ran.err);
    assert_eq!(unlocks(), ["allowed", "failed", "allowed"]);
    // By a variable and by a file.
    ok(&node, &["lock"], b"");
    assert!(node.home.ok(&["unlock"], b"").contains("is unlocked"));
    assert!(!daemon.log().contains("not the passphrase"));
    drop(daemon);
    for command in ["lock", "unlock", "status"] {
        fails(&bare(&node, &[command], b""), 1, &["cannot be reached", "start icnd", "`socket`"]);
    }
}

#[test]
fn a_client_that_may_not_unlock_is_asked_for_nothing() {
    let node = Node::age();
    node.allow(&format!("{}\n", "may = [\"sign\"]\ncontexts = [\"a\"]"));
    node.configure(&format!("start_locked = true\n{}", client("tests", own_uid(), "may = []")));
    let _daemon = node.start();
    let wanted = ["does not let its client tests unlock it", "\"admin\"", "reload"];
    fails(&node.home.icnctl(&["unlock"], b""), 1, &wanted);
    let ran = node.home.icnctl(&["lock"], b"");
    fails(&ran, 1, &["(not-permitted)", "`may`"]);
    assert!(!ran.err.contains("--direct"), "{}", ran.err);
    assert!(!node.home.read("audit.log").contains("\"event\":\"unlock\""));
}

/// It may have been tried, and counted: nobody is told to send it again.
#[test]
fn whoever_is_not_told_whether_it_was_opened_is_told_to_look_first() {
    let node = Node::age();
    node.allow(ALL);
    let unsaid = "was asked, and has not said whether the credential was used";
    let internal = r#"{"code":"internal","detail":"x","help":"try again"}"#;
    for (status, body, said) in [
        (0, "", "was asked, and has not answered"),
        (500, internal, unsaid),
        (502, "<html>", unsaid),
        (504, "{}", unsaid),
        (504, r#"{"code":"deadline"}"#, unsaid),
    ] {
        not_told(&node, status, body, said);
    }
}

/// What comes of an unlocking that is answered so: 0 stands for no answer.
fn not_told(node: &Node, status: u16, body: &str, said: &str) {
    let (did, socket) = (node.did(), node.socket());
    let unlocked = match status {
        0 => String::new(),
        _ => format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
    };
    let listening = UnixListener::bind(&socket).unwrap();
    let stands_in = std::thread::spawn(move || {
        let body = json!({
            "state": "locked", "did": did, "algorithm": "ed25519", "backend": "age",
            "client": "tests", "may": ["admin"],
        });
        let body = body.to_string();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let sent = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            // One to ask how it is, and one on which it is sent.
            for _ in 0..2 {
                let mut stream = listening.accept().unwrap().0;
                let (sent, answer, unlocked) = (&sent, &answer, &unlocked);
                scope.spawn(move || {
                    let mut head = [0; 4096];
                    while let Ok(length @ 1..) = stream.read(&mut head) {
                        if head[..length].starts_with(b"POST /v1/unlock") {
                            sent.fetch_add(1, Ordering::Relaxed);
                            let _ = stream.write_all(unlocked.as_bytes());
                            return;
                        }
                        let _ = stream.write_all(answer.as_bytes());
                    }
                });
            }
        });
        sent.into_inner()
    });
    let ran = node.home.icnctl(&["unlock"], b"");
    fails(&ran, 1, &[said, "icnctl status"]);
    assert!(!ran.err.contains("try again"), "{}", ran.err);
    assert_eq!(stands_in.join().unwrap(), 1);
    fs::remove_file(node.socket()).unwrap();
}

#[test]
fn a_pin_is_sent_to_unlock_once() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.allow(ALL);
    let _daemon = node.start();
    ok(&node, &["lock"], b"");
    let file = |name: &str, text: &str| {
        let path = node.home.beside(name);
        write_private(&path, text);
        path.to_str().unwrap().to_owned()
    };
    let (wrong, right) = (file("wrong", "98765432"), file("right", PIN));
    let before = hsm.count("C_Login");
    let ran = bare(&node, &["--pin-file", &wrong, "unlock"], b"");
    fails(&ran, 77, &["(credential-refused)"]);
    assert_eq!(hsm.count("C_Login"), before + 1);
    // The daemon knows it, and sends it no more.
    fails(&bare(&node, &["--pin-file", &wrong, "unlock"], b""), 77, &["(credential-refused)"]);
    assert_eq!(hsm.count("C_Login"), before + 1);
    ok(&node, &["--pin-file", &right, "unlock"], b"");
    ok(&node, &["lock"], b"");
    let mut asked = node.home.command(&["unlock"]);
    asked.env_remove("ICN_PIN");
    let ran = support::home::on_a_terminal(&asked, &format!("{PIN}\n"));
    let prompt = format!("PIN of token node of {}, for icnd at ", node.did());
    assert!(ran.code == 0 && ran.out.contains(&prompt), "{}", ran.out);
}

/// It would go on with what the identity was.
#[test]
fn a_command_that_changes_the_identity_waits_until_the_daemon_has_ended() {
    let node = Node::age();
    node.allow(ALL);
    let mut daemon = node.start();
    let next = node.home.beside("next").to_str().unwrap().to_owned();
    let new = node.home.beside("new").to_str().unwrap().to_owned();
    write_private(Path::new(&new), "another passphrase");
    let change = ["id", "change-passphrase", "--new-passphrase-file", &new];
    let rotate =
        ["id", "rotation", "create", "--successor", &next, "--reason", "scheduled", "-o", "/none"];
    let migrate = ["id", "migrate", "--to", "pkcs11", "--module", "/none.so", "--no-backup"];
    let remove = ["id", "decryption-key", "remove", node.did().as_str()].map(str::to_owned);
    let remove = remove.each_ref().map(String::as_str);
    let holder = format!("icnd (process {}) has the identity in", daemon.pid());
    let end = format!("stop it (kill {})", daemon.pid());
    let before = node.home.read("identity.json");
    for args in [&change[..], &rotate, &migrate, &remove] {
        fails(&node.home.icnctl(args, b""), 1, &[&holder, &end, "start icnd"]);
    }
    assert_eq!(node.home.read("identity.json"), before);
    // What is added to it, the daemon takes over; and what only looks is in nobody's way.
    node.home.ok(&["id", "renew"], b"");
    node.home.ok(&["id", "migrate", "--status"], b"");
    ok(&node, &["sign"], b"x");
    daemon.signal(Signal::TERM);
    daemon.ends();
    node.home.ok(&change, b"");
    assert_eq!(node.home.icnctl(&["sign"], b"x").code, 77);
}

/// The lock is one for both: no daemon is started while the identity is changed.
#[test]
fn no_daemon_is_started_while_the_identity_is_changed() {
    let node = Node::age();
    node.allow(ALL);
    let mut command = node.home.command(&["id", "change-passphrase", "--new-passphrase-file", "-"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let mut changing = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let held = format!("icnctl {}\n", changing.id());
    while fs::read_to_string(node.home.path("icnd.lock")).ok().as_ref() != Some(&held) {
        assert!(changing.try_wait().unwrap().is_none());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let (code, said) = node.fails();
    let wanted = format!("icnctl (process {}) has this identity already", changing.id());
    assert!(code == 1 && said.contains(&wanted) && said.contains("  try: "), "{said}");
    std::io::Write::write_all(&mut changing.stdin.take().unwrap(), b"another passphrase").unwrap();
    assert!(changing.wait().unwrap().success());
    let node = node.with("ICN_PASSPHRASE", "another passphrase");
    node.start();
}

/// Nothing was sent, which has not to be called a refused PIN or a device that is away.
#[test]
fn a_device_that_takes_no_pin_is_called_so_with_the_step_that_a_start_names() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.configure(&format!("monitor = \"127.0.0.1:0\"\n{}", client("tests", own_uid(), ALL)));
    let daemon = node.start();
    ok(&node, &["lock"], b"");
    let file = node.home.beside("pin");
    write_private(&file, PIN);
    let file = file.to_str().unwrap();
    let before = hsm.count("C_Login");
    for (script, step) in [("pin-locked", "--init-pin"), ("final-try", "allow_final_try = true")] {
        hsm.script(&format!("flag {script}"));
        let ran = bare(&node, &["--pin-file", file, "unlock"], b"");
        fails(&ran, 77, &["(locked-out)", step]);
        for wrong in ["was refused", "the same one"] {
            assert!(!ran.err.contains(wrong), "{}", ran.err);
        }
        let answer = daemon.post("/v1/unlock", &json!({ "credential": PIN }));
        answer.problem(403, "locked-out");
        assert!(answer.body["retry_after"].is_null(), "{answer:?}");
        assert!(!answer.body["title"].as_str().unwrap().contains("refused"), "{answer:?}");
    }
    assert_eq!(hsm.count("C_Login"), before, "nothing was sent");
    assert_eq!(node.audit().last().unwrap()["reason"], "locked-out");
    let log = daemon.log();
    let (_, address) = log.split_once("is monitored on ").unwrap();
    let address = address.lines().next().unwrap();
    let metrics = std::process::Command::new("curl")
        .args(["--silent", &format!("http://{address}/metrics")])
        .output()
        .unwrap();
    let metrics = String::from_utf8(metrics.stdout).unwrap();
    for (code, count) in [("locked-out", 4), ("credential-refused", 0), ("device-away", 0)] {
        let line = format!("icnd_key_errors_total{{code=\"{code}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
}

/// It frees itself with time: a start ends with 1 then, and so does this.
#[test]
fn a_tpm_with_one_try_left_is_called_so_with_the_step_that_a_start_names() {
    let tpm = Swtpm::start();
    let node = Node::on_a_tpm(&tpm, "ed25519");
    node.configure(&format!("start_locked = true\n{}", client("tests", own_uid(), ALL)));
    let daemon = node.start();
    tpm.set_dictionary_attack(2, 777, 1000);
    tpm.other_program()();
    let file = node.home.beside("pin");
    write_private(&file, PIN);
    let ran = bare(&node, &["--pin-file", file.to_str().unwrap(), "unlock"], b"");
    let step = ["(locked-out)", "allow_final_try", "tpm2_dictionarylockout -c", "icnctl tpm check"];
    fails(&ran, 1, &step);
    let answer = daemon.post("/v1/unlock", &json!({ "credential": PIN }));
    answer.problem(403, "locked-out");
    assert!(answer.body["retry_after"].as_u64().unwrap() > 0, "{answer:?}");
    tpm.clear_lockout();
    tpm.set_dictionary_attack(10, 600, 86400);
    ok(&node, &["--pin-file", file.to_str().unwrap(), "unlock"], b"");
}
