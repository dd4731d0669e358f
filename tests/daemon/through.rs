//! `icnctl` where `icnd` has the key open: it asks `icnd`, and goes past it only where it is told
//! to.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept, bind, connect, listen,
    socket_with,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use support::home::{Ran, run, write_private};
use support::softhsm::SoftHsm;

use crate::node::{Node, PATIENCE, client, own_uid};

const CONTEXT: &str = "payments@coop.example";
pub(crate) const ALL: &str = "may = [\"sign\", \"sign-raw\", \"decrypt\", \"admin\"]\n\
                   contexts = [\"payments@coop.example\"]";

/// Without the passphrase or PIN that the others of the home's commands have.
pub(crate) fn bare(node: &Node, args: &[&str], stdin: &[u8]) -> Ran {
    let mut command = node.home.command(args);
    run(command.env_remove("ICN_PASSPHRASE").env_remove("ICN_PIN"), stdin)
}

#[track_caller]
pub(crate) fn ok(node: &Node, args: &[&str], stdin: &[u8]) -> String {
    let ran = bare(node, args, stdin);
    assert_eq!(ran.code, 0, "icnctl {args:?}: {}", ran.err);
    assert_eq!(ran.err, "", "icnctl {args:?}");
    ran.out
}

/// With each of these on standard error, and nothing on standard output.
#[track_caller]
pub(crate) fn fails(ran: &Ran, code: i32, texts: &[&str]) {
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
        let wanted = [&refusal, code, "  try: add ", "[[daemon.client]]", ": --direct"];
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
    fails(&ran, 1, &[&refusal, "audit-unwritable", "namei -l "]);
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
    // Made by hand: it leads on from where it is, whoever asks from wherever.
    let link = node.home.path("icnd.sock");
    fs::remove_file(&link).unwrap();
    symlink(&runtime, node.home.path("run")).unwrap();
    symlink("run/icnd.sock", &link).unwrap();
    let mut command = node.home.command(&["-v", "sign"]);
    command.env("RUNTIME_DIRECTORY", node.public("none")).current_dir("/");
    let ran = run(&mut command, b"x");
    assert_eq!((ran.code, ran.err), (0, said(&node.home.path("run/icnd.sock"))));
    fs::remove_file(&link).unwrap();
    let mut command = node.home.command(&["-v", "sign"]);
    let ran = run(command.env("RUNTIME_DIRECTORY", &runtime), b"x");
    assert_eq!((ran.code, ran.err), (0, said(&node.public("icnd.sock"))));
}

/// The system does not go on with it by itself: that is no daemon that cannot be reached.
#[test]
fn who_is_stopped_while_it_connects_goes_on_with_it() {
    let node = Node::age();
    node.allow(ALL);
    let socket = |flags| {
        let flags = flags | SocketFlags::CLOEXEC;
        socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap()
    };
    let (listening, at) = (socket(SocketFlags::NONBLOCK), SocketAddrUnix::new(node.socket()));
    let at = at.unwrap();
    bind(&listening, &at).unwrap();
    listen(&listening, 0).unwrap();
    let connects = |_: &usize| connect(socket(SocketFlags::NONBLOCK), &at).is_ok();
    let others = (0..1000).take_while(connects).count();
    assert!((1..1000).contains(&others), "{others}");
    let log = node.home.beside("stopped");
    let mut command = node.home.command(&["status"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    let mut child = command.spawn().unwrap();
    let pid = Pid::from_child(&child);
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(100));
        for signal in [Signal::STOP, Signal::CONT] {
            kill_process(pid, signal).unwrap();
        }
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "{ended:?}: {}", fs::read_to_string(&log).unwrap());
    }
    // It waits in the queue, behind the others.
    let start = Instant::now();
    let mut accepted = 0;
    while accepted <= others {
        accepted += usize::from(accept(&listening).is_ok());
        assert!(start.elapsed() < PATIENCE, "{}", fs::read_to_string(&log).unwrap());
    }
    drop(listening);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let said = fs::read_to_string(&log).unwrap();
    assert!(!said.contains("Interrupted"), "{said}");
}
