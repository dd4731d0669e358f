//! `icnctl` where `icnd` has the key open: it asks `icnd`, and goes past it only where it is told
//! to.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};
use support::home::{Ran, run, write_private};
use support::softhsm::{PIN, SoftHsm};

use crate::node::{Node, client, own_uid};

const CONTEXT: &str = "payments@coop.example";
const ALL: &str = "may = [\"sign\", \"sign-raw\", \"decrypt\", \"admin\"]\n\
                   contexts = [\"payments@coop.example\"]";

/// Without the passphrase or PIN that the others of the home's commands have.
fn bare(node: &Node, args: &[&str], stdin: &[u8]) -> Ran {
    let mut command = node.home.command(args);
    run(command.env_remove("ICN_PASSPHRASE").env_remove("ICN_PIN"), stdin)
}

#[track_caller]
fn ok(node: &Node, args: &[&str], stdin: &[u8]) -> String {
    let ran = bare(node, args, stdin);
    assert_eq!(ran.code, 0, "icnctl {args:?}: {}", ran.err);
    assert_eq!(ran.err, "", "icnctl {args:?}");
    ran.out
}

/// With each of these on standard error, and nothing on standard output.
#[track_caller]
fn fails(ran: &Ran, code: i32, texts: &[&str]) {
    assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{}", ran.err);
    for text in texts {
        assert!(ran.err.contains(text), "wanted {text:?} in:\n{}", ran.err);
    }
}

/// The events of lines by this program, with the client whose they are.
fn lines(node: &Node) -> Vec<(String, Option<String>)> {
    let word = |line: &Value, name: &str| line[name].as_str().map(str::to_owned);
    let ours =
        |line: &Value| line["exe"].as_str().is_some_and(|program| program.ends_with("/icnctl"));
    let of = |line: &Value| {
        let result = word(line, "result").unwrap();
        (format!("{} {result}", word(line, "event").unwrap()), word(line, "client"))
    };
    node.audit().iter().filter(|line| ours(line)).map(of).collect()
}

/// What was done here, past the daemon.
fn done_here(node: &Node) -> Vec<String> {
    let lines = lines(node).into_iter();
    let here = lines.filter(|(event, client)| client.is_none() && !event.starts_with("connect"));
    here.map(|(event, _)| event).collect()
}

fn encrypted(node: &Node, message: &[u8], options: &[&str]) -> String {
    let recipient = node.home.show()["encryption"]["age_recipient"].as_str().unwrap().to_owned();
    let file = node.home.beside("for-the-node.age").to_str().unwrap().to_owned();
    let mut age = Command::new("age");
    assert_eq!(run(age.args(["-r", &recipient, "-o", &file]).args(options), message).code, 0);
    file
}

/// With whatever has the key: nobody is asked for a credential.
fn goes_through(node: &Node) {
    node.allow(ALL);
    let daemon = node.start();
    let did = node.did();
    let signature = node.home.beside("signature").to_str().unwrap().to_owned();
    for length in [0, 10, 32 * 1024, 32 * 1024 + 1, 1_000_000] {
        let message = vec![b'x'; length];
        for context in [Some(CONTEXT), None].into_iter().take(if length > 40_000 { 1 } else { 2 }) {
            let named: Vec<&str> =
                context.into_iter().flat_map(|name| ["--context", name]).collect();
            let given = ["-"];
            fs::write(&signature, ok(node, &[&["sign"], &named[..], &given].concat(), &message))
                .unwrap();
            let verify = ["verify", "--did", did.as_str(), "--signature-file", &signature];
            ok(node, &[&verify, &named[..], &given].concat(), &message);
        }
    }
    for options in [&[][..], &["--armor"]] {
        let file = encrypted(node, &[7; 100_000], options);
        assert_eq!(ok(node, &["decrypt", &file], b"").into_bytes(), [7; 100_000]);
        let output = node.home.beside("plain").to_str().unwrap().to_owned();
        ok(node, &["decrypt", "--force", "-o", &output, &file], b"");
        assert_eq!(fs::read(output).unwrap(), [7; 100_000]);
    }
    let json: Value = serde_json::from_str(&ok(node, &["--format", "json", "sign"], b"x")).unwrap();
    let algorithm = did.verifying_key().algorithm().to_string();
    assert_eq!((&json["did"], &json["algorithm"]), (&json!(did.as_str()), &json!(algorithm)));
    assert!(json["signature"].is_string());

    let socket = format!("note: icnd uses the key, at {}\n", node.socket().display());
    let said = bare(node, &["-v", "sign"], b"x");
    assert_eq!((said.code, said.err), (0, socket));

    let lines = lines(node);
    assert!(lines.iter().all(|(_, client)| client.as_deref() == Some("tests")), "{lines:?}");
    let count = |event: &str| lines.iter().filter(|(found, _)| found == event).count();
    assert_eq!((count("sign allowed"), count("sign-raw allowed")), (5, 6), "{lines:?}");
    assert_eq!((count("decrypt allowed"), lines.len()), (4, 2 * (5 + 6 + 4)), "{lines:?}");
    assert!(!daemon.log().contains("refused"), "{}", daemon.log());
}

#[test]
fn icnctl_goes_through_the_daemon_with_a_key_in_a_file() {
    goes_through(&Node::age());
}

#[test]
fn icnctl_goes_through_the_daemon_with_a_key_in_a_token() {
    let hsm = SoftHsm::with_token("node");
    goes_through(&Node::of(hsm.identity("node")));
}

/// What a variable has is for whoever opens the key, and that is the daemon.
#[test]
fn the_key_is_used_past_the_daemon_where_the_command_line_says_so() {
    let node = Node::age();
    node.allow(ALL);
    let _daemon = node.start();
    let wrong = node.home.beside("wrong").to_str().unwrap().to_owned();
    write_private(Path::new(&wrong), "not the passphrase");
    let mut command = node.home.command(&["sign"]);
    assert_eq!(run(command.env("ICN_PASSPHRASE", "not the passphrase"), b"x").code, 0);
    assert!(done_here(&node).is_empty());

    fails(&bare(&node, &["--direct", "sign"], b"x"), 1, &["no passphrase was given"]);
    fails(&bare(&node, &["--passphrase-file", &wrong, "sign"], b"x"), 77, &["passphrase"]);
    assert_eq!(done_here(&node), ["unlock failed", "unlock refused"]);
    for (args, option) in [
        (vec!["-v", "--direct", "sign"], "--direct"),
        (vec!["-v", "--passphrase-file", "-", "sign", "icn.toml"], "--passphrase-file"),
    ] {
        let mut command = node.home.command(&args);
        let ran =
            run(command.current_dir(node.home.path("")), support::home::PASSPHRASE.as_bytes());
        assert_eq!(ran.code, 0, "{}", ran.err);
        let said = format!("note: the key is used here, since {option} is given\n");
        assert_eq!(ran.err, said);
    }
    let file = encrypted(&node, b"inside", &[]);
    assert_eq!(node.home.ok(&["--direct", "decrypt", &file], b""), "inside");
    assert_eq!(
        done_here(&node),
        [
            "unlock failed",
            "unlock refused",
            "sign-raw allowed",
            "sign-raw allowed",
            "decrypt allowed"
        ]
    );
    // Both write the same of a file: its header's tag and length.
    ok(&node, &["decrypt", &file], b"");
    let decrypted: Vec<Value> =
        node.audit().into_iter().filter(|line| line["event"] == "decrypt").collect();
    let [here, there] = &decrypted[..] else { panic!("{decrypted:?}") };
    assert!(here["message"].is_string() && here["length"].as_u64() > Some(100), "{here}");
    assert_eq!((&here["message"], &here["length"]), (&there["message"], &there["length"]));
}

/// Although the passphrase is at hand.
#[test]
fn what_the_daemon_refuses_is_not_done_past_it() {
    let node = Node::age();
    node.allow("may = [\"sign\"]\ncontexts = [\"payments@coop.example\"]");
    let daemon = node.start();
    let socket = node.socket();
    let refusal = format!("error: icnd at {} was asked, and has refused", socket.display());
    let file = encrypted(&node, b"inside", &[]);
    for (args, code) in [
        (&["sign", "--context", "login"][..], "context-not-allowed"),
        (&["sign"], "not-permitted"),
        (&["decrypt", &file], "not-permitted"),
    ] {
        let ran = node.home.icnctl(args, b"x");
        let wanted = [&refusal, code, "  try: add the ", "[[daemon.client]]", ": --direct"];
        fails(
            &ran,
            1,
            &wanted.map(|text| if text == "[[daemon.client]]" { "icn.toml" } else { text }),
        );
    }
    drop(daemon);
    node.configure(&client("payments", own_uid() + 1, ALL));
    let daemon = node.start();
    let ran = node.home.icnctl(&["sign", "--context", CONTEXT], b"x");
    fails(&ran, 1, &[&refusal, "not-a-client", "add a [[daemon.client]]", ": --direct"]);
    drop(daemon);
    node.allow(&format!("{ALL}\nrate = \"2/h\""));
    let daemon = node.start();
    let sign = ["sign", "--context", CONTEXT];
    assert_eq!(node.home.icnctl(&sign, b"x").code, 0);
    let ran = (0..3).map(|_| node.home.icnctl(&sign, b"x")).find(|ran| ran.code != 0).unwrap();
    fails(&ran, 1, &[&refusal, "(rate)", ": --direct"]);
    drop(daemon);

    node.allow(ALL);
    let daemon = node.start();
    let tls = [&[b' '; 64][..], b"TLS 1.3, client CertificateVerify\0", &[7; 32]].concat();
    let ran = node.home.icnctl(&["sign"], &tls);
    fails(&ran, 1, &[&refusal, "reserved-message", "--context NAME"]);
    assert!(!ran.err.contains("--direct"), "{}", ran.err);
    fails(&node.home.icnctl(&["sign"], b"icn-identity/open/v1"), 1, &["begins with", "--context"]);
    fails(&node.home.icnctl(&["sign", "--context", ""], b"x"), 1, &["context"]);
    let ran = node.home.icnctl(&["sign"], &[b'x'; 60_000]);
    fails(&ran, 1, &["takes no request that is so long", "--context NAME", ": --direct"]);
    ok(&node, &["lock"], b"");
    for args in [&["sign"][..], &["decrypt", &file]] {
        let ran = node.home.icnctl(args, b"x");
        fails(&ran, 1, &[&refusal, "(locked)", "try: unlock it: icnctl unlock", ": --direct"]);
    }
    drop(daemon);
    let _daemon = node.start();
    // No line can be written, here neither.
    fs::rename(node.home.path("audit.log"), node.home.path("moved.log")).unwrap();
    fs::create_dir(node.home.path("audit.log")).unwrap();
    let ran = node.home.icnctl(&["sign"], b"x");
    fails(&ran, 1, &[&refusal, "audit-unwritable", "make room"]);
    assert!(!ran.err.contains("--direct"), "{}", ran.err);
    fs::remove_dir(node.home.path("audit.log")).unwrap();
    fs::rename(node.home.path("moved.log"), node.home.path("audit.log")).unwrap();
    assert!(done_here(&node).is_empty(), "{:?}", done_here(&node));
}

#[test]
fn a_file_for_others_is_not_decrypted_by_the_daemon() {
    let node = Node::age();
    node.allow(ALL);
    let _daemon = node.start();
    let other = Node::age();
    let file = encrypted(&other, b"for the other", &[]);
    let ran = node.home.icnctl(&["decrypt", &file], b"");
    fails(&ran, 1, &["not encrypted to this identity", "(not-a-recipient)", "  try: "]);
    assert!(!ran.err.contains("--direct"), "{}", ran.err);
    fails(&node.home.icnctl(&["decrypt"], b"no age file"), 1, &["this is not an age file"]);
}

#[test]
fn where_nobody_listens_the_key_is_used_here() {
    let node = Node::age();
    node.allow(ALL);
    let said = format!(
        "note: the key is used here, since no icnd listens at {}\n",
        node.socket().display()
    );
    let signs_here = || {
        let ran = node.home.icnctl(&["-v", "sign"], b"x");
        assert_eq!((ran.code, ran.err.as_str()), (0, said.as_str()));
        assert_eq!(node.home.icnctl(&["sign"], b"x").err, "");
    };
    signs_here();
    let mut daemon = node.start();
    daemon.signal(Signal::KILL);
    daemon.ends();
    assert!(node.socket().exists());
    signs_here();
    assert_eq!(done_here(&node).len(), 2);
}

/// Nor is the key used here, as if nobody was there.
#[test]
fn what_listens_and_is_not_this_identitys_daemon_is_not_used() {
    let (node, other) = (Node::age(), Node::age());
    other.allow(ALL);
    let _daemon = other.start();
    let config = node.home.read("icn.toml");
    let listens_at = |path: &Path| {
        node.home.write("icn.toml", &format!("{config}[daemon]\nsocket = {path:?}\n"));
    };
    listens_at(&other.socket());
    let wanted = ["is not used: it may be somebody else", "of another DID", "`socket`", "--direct"];
    fails(&node.home.icnctl(&["sign"], b"x"), 1, &wanted);
    for command in ["lock", "unlock", "status"] {
        let ran = node.home.icnctl(&[command], b"");
        fails(&ran, 1, &["of another DID"]);
        assert!(!ran.err.contains("--direct"), "{command}: {}", ran.err);
    }
    assert_eq!(node.home.icnctl(&["--direct", "sign"], b"x").code, 0);

    listens_at(&node.home.path("icn.toml"));
    fails(&node.home.icnctl(&["sign"], b"x"), 1, &["is not a socket", "`socket`", ": --direct"]);
    // The other one was asked who it is, and nothing else was.
    let events: Vec<String> = lines(&other).into_iter().map(|(event, _)| event).collect();
    assert_eq!(events, ["challenge allowed"]);
}

/// In the home, where nothing is configured; and in the directory of the service.
#[test]
fn the_socket_is_found_where_the_daemon_makes_it() {
    let node = Node::age();
    let config = node.home.read("icn.toml");
    node.home.write("icn.toml", &format!("{config}{}", client("tests", own_uid(), ALL)));
    let daemon = node.start();
    let said = |socket: &Path| format!("note: icnd uses the key, at {}\n", socket.display());
    assert_eq!(bare(&node, &["-v", "sign"], b"x").err, said(&node.home.path("icnd.sock")));
    // Of another service.
    let mut command = node.home.command(&["-v", "sign"]);
    let ran = run(command.env("RUNTIME_DIRECTORY", node.public("none")), b"x");
    assert_eq!(ran.err, said(&node.home.path("icnd.sock")));
    drop(daemon);
    let runtime = node.public("");
    let node = node.with("RUNTIME_DIRECTORY", runtime.to_str().unwrap());
    let _daemon = node.start();
    let mut command = node.home.command(&["-v", "sign"]);
    let ran = run(command.env("RUNTIME_DIRECTORY", &runtime), b"x");
    assert_eq!((ran.code, ran.err), (0, said(&node.public("icnd.sock"))));
}

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
        &["was asked, and has refused", "(credential-refused)", "do not send the same"],
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
