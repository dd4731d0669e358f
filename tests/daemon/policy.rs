//! Who has done what: refused, written down, and nothing signed.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use support::child::inherits_nothing;

use crate::curl::{OTHER, STRANGER, curl_as};
use crate::node::{Daemon, Node, client, own_uid};

const SIGN: &str = "may = [\"sign\"]\ncontexts = [\"payments@coop.example\", \"receipts-*\"]";

fn body(context: &str) -> Value {
    json!({ "context": context, "message": STANDARD.encode(b"100 to Ada") })
}

fn raw(message: &[u8]) -> Value {
    json!({ "message": STANDARD.encode(message) })
}

/// The reasons of all lines that say that something was refused; nothing else was done.
fn refusals(node: &Node) -> Vec<String> {
    let uses = node.uses();
    assert!(uses.iter().all(|(_, result, _)| result == "refused"), "{uses:?}");
    uses.into_iter().map(|(_, _, reason)| reason).collect()
}

fn sign_as(uid: u32, gid: u32, daemon: &Daemon, context: &str) -> (u16, Value) {
    let data = body(context).to_string();
    curl_as(uid, gid, daemon, &["--data", &data, "http://icnd/v1/sign"])
}

/// The tests run as root where they change their user: it is no client unless it is listed.
#[test]
fn whoever_is_not_listed_is_refused_and_written_down_root_too() {
    let node = Node::age();
    node.configure(&client("payments", OTHER, SIGN));
    let daemon = node.start();
    daemon.post("/v1/sign", &body("payments@coop.example")).problem(403, "not-a-client");
    daemon.get("/v1/status").problem(403, "not-a-client");
    daemon.get("/no/such/call").problem(403, "not-a-client");
    let (status, answer) = sign_as(STRANGER, OTHER, &daemon, "payments@coop.example");
    assert_eq!((status, &answer["code"]), (403, &json!("not-a-client")), "{answer}");
    let audit = node.audit();
    let last = audit.last().unwrap();
    assert_eq!((&last["event"], &last["result"]), (&json!("connect"), &json!("refused")), "{last}");
    assert_eq!((&last["uid"], &last["gid"]), (&json!(STRANGER), &json!(OTHER)));
    assert!(last["exe"].as_str().unwrap().ends_with("/curl"), "{last}");
    assert_eq!(last["request"], answer["request"]);
    assert_eq!(audit[audit.len() - 2]["uid"], own_uid());
    assert_eq!(refusals(&node), ["not-a-client"; 4]);

    let (status, answer) = sign_as(OTHER, OTHER, &daemon, "payments@coop.example");
    assert_eq!(status, 200, "{answer}");
    let last = node.audit().pop().unwrap();
    assert_eq!((&last["client"], &last["result"]), (&json!("payments"), &json!("allowed")));
    assert_eq!((&last["context"], &last["length"]), (&json!("payments@coop.example"), &json!(10)));
}

#[test]
fn a_client_of_a_group_is_known_by_it() {
    let node = Node::age();
    node.configure(&format!("[[daemon.client]]\nname = \"shop\"\ngid = {OTHER}\n{SIGN}\n"));
    let daemon = node.start();
    let (status, answer) = sign_as(STRANGER, OTHER, &daemon, "payments@coop.example");
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = sign_as(STRANGER, STRANGER, &daemon, "payments@coop.example");
    assert_eq!((status, &answer["code"]), (403, &json!("not-a-client")), "{answer}");
}

#[test]
fn what_a_client_may_not_have_done_is_refused_and_written_down() {
    let node = Node::age();
    node.allow(SIGN);
    let daemon = node.start();
    for context in ["login", "git", "payments@coop.example2", "icn-identity/binding", "receipts"] {
        daemon.post("/v1/sign", &body(context)).problem(403, "context-not-allowed");
    }
    daemon.post("/v1/sign-raw", &raw(b"hello")).problem(403, "not-permitted");
    let header = json!({ "header": "age-encryption.org/v1\n" });
    daemon.post("/v1/decrypt", &header).problem(403, "not-permitted");
    daemon.post("/v1/lock", &json!({})).problem(403, "not-permitted");
    let unlock = json!({ "credential": "98765432" });
    daemon.post("/v1/unlock", &unlock).problem(403, "not-permitted");
    let mut expected = vec!["context-not-allowed"; 5];
    expected.extend(["not-permitted"; 4]);
    assert_eq!(refusals(&node), expected);
    let contexts: Vec<Value> =
        node.audit().iter().filter_map(|line| line.get("context").cloned()).collect();
    assert_eq!(contexts[0], "login");
    assert!(!node.home.read("audit.log").contains("98765432"));
    // It is as open as it was.
    daemon.post("/v1/sign", &body("receipts-7")).ok();
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn ssh_login() -> Vec<u8> {
    let key = [string(b"ssh-ed25519"), string(&[1; 32])].concat();
    let mut message = string(&[9; 32]);
    message.push(50);
    message.extend([string(b"ada"), string(b"ssh-connection"), string(b"publickey")].concat());
    message.push(1);
    message.extend([string(b"ssh-ed25519"), string(&key)].concat());
    message
}

#[test]
fn a_raw_message_of_each_reserved_form_is_refused_and_written_down() {
    let node = Node::age();
    node.allow("may = [\"sign-raw\"]");
    let daemon = node.start();
    let tls = [&[b' '; 64][..], b"TLS 1.3, client CertificateVerify\0", &[7; 32]].concat();
    let sshsig = [&b"SSHSIG"[..], &string(b"git"), &string(b""), &string(b"sha512")].concat();
    let forms = [b"icn-identity/binding/v1\0and so on".to_vec(), sshsig, tls, ssh_login()];
    for message in &forms {
        daemon.post("/v1/sign-raw", &raw(message)).problem(403, "reserved-message");
    }
    // A digest of a certificate is what older versions of ICN have signed for it; those of the
    // two parts of a DID document are what its proof is made of.
    for digest in [&[7; 32][..], &[7; 64]] {
        let refused = daemon.post("/v1/sign-raw", &raw(digest));
        refused.problem(403, "reserved-message");
        assert!(refused.body["detail"].as_str().unwrap().contains("digest"), "{refused:?}");
    }
    assert_eq!(refusals(&node), ["reserved-message"; 6]);
    // One byte more, and no server would take it for a login.
    daemon.post("/v1/sign-raw", &raw(&[&ssh_login()[..], b"\0"].concat())).ok();
    daemon.post("/v1/sign-raw", &raw(b"hello")).ok();
}

#[test]
fn a_client_asks_as_often_as_it_may() {
    let node = Node::age();
    node.allow(&format!("{SIGN}\nrate = \"3/h\""));
    let daemon = node.start();
    for _ in 0..3 {
        daemon.post("/v1/sign", &body("payments@coop.example")).ok();
    }
    let refused = daemon.post("/v1/sign", &body("payments@coop.example"));
    refused.problem(429, "rate");
    let wait = refused.body["retry_after"].as_u64().unwrap();
    assert!((1..=1200).contains(&wait), "{refused:?}");
    assert!(refused.headers.contains(&format!("retry-after: {wait}")), "{refused:?}");
}

#[test]
fn what_is_refused_a_thousand_times_does_not_fill_the_disk() {
    let node = Node::age();
    node.configure("");
    let daemon = node.start();
    for _ in 0..300 {
        daemon.get("/v1/status").problem(403, "not-a-client");
    }
    let written = refusals(&node).len();
    assert!((100..300).contains(&written), "{written}");
    assert!(daemon.log().contains("has no line in the audit log"), "{}", daemon.log());
}

/// A client that tries around leaves a line for each try, as everybody does who is refused.
#[test]
fn what_is_no_call_is_written_down_with_who_has_sent_it() {
    let node = Node::age();
    node.allow(SIGN);
    let daemon = node.start();
    let slow = "POST /v1/decrypt HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{";
    let mut connection = daemon.connect();
    connection.write_all(slow.as_bytes()).unwrap();
    daemon.post_text("/v1/sign", "{").problem(400, "malformed");
    daemon.get("/v1/none").problem(404, "not-found");
    daemon.get("/v1/tls").problem(405, "method-not-allowed");
    daemon.post_text("/v1/sign-raw", &"x".repeat(70_000)).problem(413, "too-large");
    assert_eq!(daemon.send("no HTTP\r\n\r\n").status, 400);
    let mut late = String::new();
    connection.read_to_string(&mut late).unwrap();
    assert!(late.starts_with("HTTP/1.1 408"), "{late}");
    let wanted = [
        ("sign", "malformed"),
        ("connect", "not-found"),
        ("tls", "method-not-allowed"),
        ("sign-raw", "too-large"),
        ("connect", "malformed"),
        ("decrypt", "deadline"),
    ];
    let wanted = wanted.map(|(event, reason)| [event, "refused", reason].map(str::to_owned));
    let uses: Vec<_> = node.uses().into_iter().map(|(a, b, c)| [a, b, c]).collect();
    assert_eq!(uses, wanted);
    for line in node.audit().iter().filter(|line| line["result"] == "refused") {
        assert_eq!((&line["client"], &line["uid"]), (&json!("tests"), &json!(own_uid())), "{line}");
    }
    // And not one for each, however many come.
    for _ in 0..400 {
        daemon.get("/v1/none").problem(404, "not-found");
    }
    let written = refusals(&node).len();
    assert!((100..300).contains(&written), "{written}");
}

#[test]
fn what_needs_no_key_is_written_down_where_that_is_configured() {
    let node = Node::age();
    node.allow("");
    let daemon = node.start();
    daemon.get("/v1/status").ok();
    assert!(node.uses().is_empty());
    drop(daemon);
    node.configure(&format!(
        "{}[audit]\nlog_all_operations = true\n",
        client("tests", own_uid(), "")
    ));
    let daemon = node.start();
    daemon.get("/v1/status").ok();
    daemon.get("/v1/did-document").ok();
    let uses: Vec<String> = node.uses().into_iter().map(|(event, ..)| event).collect();
    assert_eq!(uses, ["read", "read"]);
}

/// Where no line can be written, nothing is signed.
#[test]
fn without_an_audit_log_nothing_is_done() {
    let node = Node::age();
    node.allow(SIGN);
    let daemon = node.start();
    daemon.post("/v1/sign", &body("payments@coop.example")).ok();
    // No file can be made or written there, by root neither.
    let log = node.home.path("audit.log");
    std::fs::rename(&log, node.home.path("moved.log")).unwrap();
    std::fs::create_dir(&log).unwrap();
    std::fs::set_permissions(&log, std::fs::Permissions::from_mode(0o700)).unwrap();
    for _ in 0..2 {
        let refused = daemon.post("/v1/sign", &body("payments@coop.example"));
        refused.problem(503, "audit-unwritable");
        assert!(refused.body.get("signature").is_none());
    }
    // A refusal that cannot be written down is one all the same.
    daemon.post("/v1/sign", &body("login")).problem(503, "audit-unwritable");
    std::fs::remove_dir(&log).unwrap();
    std::fs::rename(node.home.path("moved.log"), &log).unwrap();
    daemon.post("/v1/sign", &body("payments@coop.example")).ok();
    assert_eq!(node.uses().len(), 2);
}

/// What was safe when the log was opened is looked at again before each line.
#[test]
fn where_others_can_change_what_is_beside_the_log_or_have_done_so_nothing_is_signed() {
    let node = Node::age();
    let lines = client("tests", own_uid(), SIGN);
    let logs = node.home.path("logs");
    std::fs::create_dir(&logs).unwrap();
    node.configure(&format!("{lines}[audit]\npath = \"logs/audit.log\"\n"));
    let mut daemon = node.start();
    let sign = |daemon: &Daemon| daemon.post("/v1/sign", &body("payments@coop.example"));
    let signs =
        || std::fs::read_to_string(logs.join("audit.log")).unwrap().matches("\"sign\"").count();
    sign(&daemon).ok();
    let mode = |mode: u32| {
        std::fs::set_permissions(&logs, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o777);
    for _ in 0..2 {
        let refused = sign(&daemon);
        refused.problem(503, "audit-unwritable");
        assert!(refused.body.get("signature").is_none());
    }
    assert!(daemon.log().contains("so nothing was done"), "{}", daemon.log());
    assert!(daemon.log().contains(logs.to_str().unwrap()), "{}", daemon.log());
    assert!(daemon.log().contains("chmod o-w"), "{}", daemon.log());
    mode(0o700);
    sign(&daemon).ok();
    let head = logs.join("audit.log.head");
    std::fs::rename(&head, logs.join("before")).unwrap();
    std::fs::copy(logs.join("before"), &head).unwrap();
    for _ in 0..2 {
        sign(&daemon).problem(503, "audit-unwritable");
    }
    let said = format!("{} was exchanged since the audit log was opened", head.display());
    assert!(daemon.log().contains(&said), "{}", daemon.log());
    assert!(daemon.log().contains("kill -HUP"), "{}", daemon.log());
    assert_eq!(signs(), 2);
    // The operator has looked, and has it opened anew.
    daemon.signal(rustix::process::Signal::HUP);
    daemon.wait_for("STATUS=serves");
    sign(&daemon).ok();
    drop(daemon);
    icn_identity::audit::verify(&[logs.join("audit.log")], None).unwrap();
    assert_eq!(signs(), 3);
}

/// A disk that is really full, in the namespace of the daemon alone.
#[test]
fn on_a_full_disk_nothing_is_signed_and_with_room_it_goes_on() {
    let node = Node::age();
    let disk = node.home.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let clients = client("tests", own_uid(), SIGN);
    node.configure(&format!("{clients}[audit]\npath = \"disk/audit.log\"\n"));
    let command = node.command();
    let mut mounted = inherits_nothing("unshare");
    let script = "mount -t tmpfs -o size=64k,mode=0700 small \"$1\" && exec \"$0\"";
    mounted.args(["-m", "sh", "-c", script]).arg(command.get_program()).arg(&disk).env_clear();
    mounted.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut daemon = node.start_by(mounted.stdin(Stdio::null()).stdout(Stdio::null()));
    let seen = format!("/proc/{}/root{}", daemon.pid(), disk.display());
    let (log, fill) = (Path::new(&seen).join("audit.log"), Path::new(&seen).join("fill"));
    // Whole ones: of the last one, which found no room, a part may be there.
    let lines = || {
        let text = std::fs::read_to_string(&log).unwrap();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with("}\n"));
        whole.filter(|line| line.contains("\"event\":\"sign\"")).count()
    };
    daemon.post("/v1/sign", &body("payments@coop.example")).ok();
    let full = std::fs::write(&fill, vec![0; 128 * 1024]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    // What is left of its last block is written still.
    let mut signed = 1;
    let refused = loop {
        let answer = daemon.post("/v1/sign", &body("payments@coop.example"));
        if answer.status != 200 {
            break answer;
        }
        signed += 1;
        assert!(signed < 40, "it signs on a full disk");
    };
    refused.problem(503, "audit-unwritable");
    // With the step, for who may know where the log is.
    let step = format!("df -h {}", disk.display());
    assert!(refused.body["help"].as_str().unwrap().contains(&step), "{refused:?}");
    for _ in 0..20 {
        let refused = daemon.post("/v1/sign", &body("payments@coop.example"));
        refused.problem(503, "audit-unwritable");
        assert!(refused.headers.contains("retry-after: 5"), "{refused:?}");
        // A refusal that cannot be written down is one all the same.
        daemon.post("/v1/sign", &body("login")).problem(503, "audit-unwritable");
    }
    assert_eq!(lines(), signed);
    assert!(daemon.log().contains("so nothing was done: "), "{}", daemon.log());
    assert!(daemon.log().contains("No space left on device"), "{}", daemon.log());
    // Nor does a reload lead away from there; and it says what does.
    node.configure(&format!("{clients}[audit]\npath = \"other.log\"\n"));
    daemon.signal(rustix::process::Signal::HUP);
    daemon.wait_for_line(|line| line.starts_with("STATUS=") && line.contains("was not read"));
    let said = daemon.log();
    let said = said.lines().find(|line| line.contains("was not read anew")).unwrap();
    assert!(said.contains(&step) && said.contains("or restart icnd"), "{said}");
    std::fs::remove_file(&fill).unwrap();
    daemon.post("/v1/sign", &body("payments@coop.example")).ok();
    let copy = node.home.path("audit.log");
    std::fs::copy(&log, &copy).unwrap();
    icn_identity::audit::verify(&[copy], None).unwrap();
    // And perhaps that one, if it lacked its end of line alone.
    assert!([signed + 1, signed + 2].contains(&lines()), "{}, {signed}", lines());
    // Those refusals that have no line are counted.
    let last = format!("/proc/{}/fd", daemon.pid());
    let log = std::fs::read_dir(last).unwrap().flatten().map(|entry| entry.path());
    let log = log.filter_map(|path| std::fs::read_link(&path).ok().map(|to| (path, to)));
    let mut log = log.filter(|(_, to)| to.ends_with("audit.log"));
    let held = std::fs::File::open(log.next().unwrap().0).unwrap();
    daemon.signal(rustix::process::Signal::TERM);
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.log());
    let text = std::io::read_to_string(held).unwrap();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let counts = lines.filter(|line| line["reason"] == "not-recorded" && line["client"] == "tests");
    assert_eq!(counts.map(|line| line["count"].as_u64().unwrap()).sum::<u64>(), 20, "{text}");
}
