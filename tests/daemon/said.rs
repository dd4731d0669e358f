//! What the daemon says to its operator: on standard error, in the audit log, and to who asks how
//! it is.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use support::home::{Home, PASSPHRASE, run};

use crate::node::{Answer, Daemon, Node, PATIENCE, client, own_uid};
use crate::through::{bare, fails};

const ALL: &str = "may = [\"sign\", \"admin\"]\ncontexts = [\"a\"]";

#[track_caller]
fn wait_for_log(daemon: &Daemon, part: &str) {
    let start = Instant::now();
    while !daemon.log().contains(part) {
        assert!(start.elapsed() < PATIENCE, "no {part:?} in:\n{}", daemon.log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Key, address, file and line, and a step.
#[test]
fn an_address_that_cannot_be_listened_on_is_named_with_its_line_and_a_step() {
    let node = Node::age();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = node.home.path("icn.toml").display().to_string();
    let socket = node.socket().display().to_string();
    for (line, parts) in [
        (
            format!("tls = {address:?}"),
            ["`tls` in [daemon]", &address, "stop the program that", "`tls` under [daemon]"],
        ),
        (
            format!("monitor = {address:?}"),
            ["`monitor` in [daemon]", &address, "(ss -ltnp", "to another port"],
        ),
        (
            "tls = \"192.0.2.1:7443\"".into(),
            ["`tls`", "192.0.2.1:7443", "an address that this machine has", "0.0.0.0"],
        ),
    ] {
        node.configure(&format!("max_queued = 9\n{line}\n"));
        let (code, said) = node.fails();
        let place = node.home.read("icn.toml").lines().position(|it| *it == line).unwrap() + 1;
        assert!(code == 1 && said.contains(&format!("{config}, line {place})")), "{said}");
        for part in parts {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    fs::write(node.socket(), "somebody's file").unwrap();
    node.configure("");
    let (code, said) = node.fails();
    assert!(code == 1 && said.contains(&socket) && said.contains("`socket` in [daemon]"), "{said}");
    assert!(said.contains(", line ") && said.contains("name another path"), "{said}");
    fs::remove_file(node.socket()).unwrap();
    // A directory that is not there.
    let before = node.home.read("icn.toml");
    let wrong = before.replace(&socket, "/nowhere/icnd.sock");
    node.home.write("icn.toml", &wrong);
    let (code, said) = node.fails();
    assert!(
        code == 1 && said.contains("/nowhere") && said.contains("`socket` in [daemon]"),
        "{said}"
    );
    assert!(said.contains("  try: ") && said.contains("name another path"), "{said}");
    // What the configuration itself refuses.
    node.home.write("icn.toml", &before.replace(&format!("{socket:?}"), "\"icnd.sock\""));
    let (code, said) = node.fails();
    assert!(code == 1 && said.contains("in line ") && said.contains("`socket`"), "{said}");
}

#[test]
fn an_operator_is_told_commands_and_no_api() {
    let node = Node::of(Home::new());
    let (code, said) = node.fails();
    assert!(code == 1 && said.contains("icnctl id init") && !said.contains("::"), "{said}");
}

#[test]
fn one_that_starts_locked_says_so_and_who_unlocks_it() {
    let node = Node::age();
    node.configure(&format!("start_locked = true\n{}", client("tests", own_uid(), ALL)));
    let daemon = node.start();
    wait_for_log(
        &daemon,
        "is locked: it waits for a client with \"admin\" to unlock it (icnctl unlock)",
    );
    daemon.post("/v1/unlock", &json!({ "credential": PASSPHRASE })).ok();
    let who = format!("by the client tests (user {})", own_uid());
    wait_for_log(&daemon, &format!("is unlocked, {who}"));
    daemon.post("/v1/lock", &json!({})).ok();
    wait_for_log(&daemon, &format!("is locked, {who}"));
    assert!(daemon.log().lines().filter(|line| line.contains(&who)).all(|it| it.contains("INFO")));
}

/// No PIN is spoken of where there is none, and nothing is said to be locked that was not.
#[test]
fn a_credential_that_is_wrong_or_missing_is_called_so() {
    let node = Node::age();
    node.allow(ALL);
    let daemon = node.start();
    daemon.post("/v1/lock", &json!({})).ok();
    let refused = daemon.post("/v1/unlock", &json!({ "credential": "not the passphrase" }));
    refused.problem(403, "credential-refused");
    let help = refused.body["help"].as_str().unwrap();
    assert!(help.contains("check the passphrase") && !help.contains("PIN"), "{help}");
    drop(daemon);
    let mut command = node.command();
    command.env_remove("ICN_PASSPHRASE");
    let ran = run(&mut command, b"");
    assert_eq!(ran.code, 1, "{}", ran.err);
    let audit = node.audit();
    let last = audit.iter().rfind(|line| line["event"] == "unlock").unwrap();
    assert_eq!(
        (&last["result"], &last["reason"]),
        (&json!("failed"), &json!("credential-missing"))
    );
}

#[test]
fn the_log_says_why_the_audit_log_cannot_be_written() {
    let node = Node::age();
    node.configure(&format!(
        "{}[audit]\npath = \"log/audit.log\"\n",
        client("tests", own_uid(), ALL)
    ));
    fs::create_dir(node.home.path("log")).unwrap();
    node.home.chmod("log", 0o700);
    let daemon = node.start();
    fs::rename(node.home.path("log"), node.home.path("away")).unwrap();
    let body = json!({ "context": "a", "message": "" });
    daemon.post("/v1/sign", &body).problem(503, "audit-unwritable");
    wait_for_log(&daemon, "was not written, so nothing was done: ");
    assert!(daemon.log().contains("No such file or directory"), "{}", daemon.log());
}

/// What is read at the start alone waits for one, and that is said.
#[test]
fn a_reload_names_what_waits_for_the_next_start() {
    let node = Node::age();
    node.allow(ALL);
    let mut daemon = node.start();
    daemon.signal(Signal::HUP);
    daemon.wait_for("STATUS=serves");
    assert!(!daemon.log().contains("next start"), "{}", daemon.log());
    let clients = client("tests", own_uid(), ALL);
    node.configure(&format!(
        "monitor = \"127.0.0.1:9\"\nsocket_mode = \"0660\"\nowner = \"root\"\n{clients}"
    ));
    let config = node.home.read("icn.toml").replace("icnd.sock", "other.sock");
    node.home.write("icn.toml", &config);
    daemon.signal(Signal::HUP);
    daemon.wait_for("STATUS=serves");
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("next start")).unwrap();
    assert!(line.contains("WARN") && line.contains("restart icnd"), "{line}");
    assert!(line.contains(": `monitor`, `socket`, `socket_mode`;"), "{line}");
    // The one that runs is found all the same, by the link in the home.
    let shown = bare(&node, &["status"], b"");
    let at = format!("Socket      {}\n", node.socket().display());
    assert!(shown.code == 0 && shown.out.contains(&at), "{} {}", shown.out, shown.err);
    let signed = bare(&node, &["-v", "sign", "--context", "a"], b"x");
    assert!(signed.code == 0 && signed.err.contains("icnd uses the key"), "{}", signed.err);
    daemon.signal(Signal::TERM);
    daemon.ends();
    assert!(node.home.path("icnd.sock").symlink_metadata().is_err(), "it removes its link");
}

/// The key is not used here behind the back of the one that has it.
#[test]
fn a_daemon_that_is_not_found_is_not_passed_by() {
    let node = Node::age();
    node.allow(ALL);
    let daemon = node.start();
    let link = node.home.path("icnd.sock");
    assert_eq!(fs::read_link(&link).unwrap(), node.socket());
    fs::remove_file(&link).unwrap();
    let config = node.home.read("icn.toml");
    node.home.write("icn.toml", &config.replace("icnd.sock", "other.sock"));
    let sign = ["sign", "--context", "a"];
    let held = format!("icnd (process {}) has the identity open", daemon.pid());
    fails(&node.home.icnctl(&sign, b"x"), 1, &[&held, "other.sock", "restart icnd", "--direct"]);
    assert!(!node.home.read("audit.log").contains("icnctl"), "it was not used");
    assert_eq!(node.home.icnctl(&["--direct", "sign", "--context", "a"], b"x").code, 0);
    drop(daemon);
    // Killed, it has left its number, and holds nothing.
    assert_eq!(node.home.icnctl(&sign, b"x").code, 0);
}

/// In the directory of the service manager, of which icnctl knows nothing.
#[test]
fn a_socket_in_the_runtime_directory_is_found_without_it() {
    let node = Node::age();
    let runtime = node.public("run");
    fs::create_dir(&runtime).unwrap();
    let node = node.with("RUNTIME_DIRECTORY", runtime.to_str().unwrap());
    node.allow(ALL);
    let config = node.home.read("icn.toml");
    let config: Vec<&str> = config.lines().filter(|line| !line.starts_with("socket = ")).collect();
    node.home.write("icn.toml", &config.join("\n"));
    let _daemon = node.start();
    assert!(runtime.join("icnd.sock").exists());
    let signed = bare(&node, &["-v", "sign", "--context", "a"], b"x");
    assert!(signed.code == 0 && signed.err.contains("icnd uses the key"), "{}", signed.err);
}

/// With a file that cannot be read, whoever asks is told what is in force.
#[test]
fn after_a_reload_that_failed_the_status_says_that_an_older_configuration_is_in_force() {
    let node = Node::age();
    node.allow(ALL);
    let mut daemon = node.start();
    let status = || -> Value { daemon.get("/v1/status").ok() };
    assert_eq!(status()["reload_failed_at"], Value::Null);
    let good = node.home.read("icn.toml");
    node.home.write("icn.toml", &format!("{good}\n[daemon]\ntls = \"0.0.0.0:1\"\n"));
    daemon.signal(Signal::HUP);
    daemon.wait_for_line(|line| line.starts_with("STATUS=") && line.contains("was not read"));
    assert!(daemon.log().contains("[daemon] is there already, in line"), "{}", daemon.log());
    assert!(daemon.get("/v1/status").ok()["reload_failed_at"].is_string());
    let shown = bare(&node, &["status"], b"");
    assert_eq!(shown.code, 0, "{}", shown.err);
    for part in ["State       unlocked\n", "Config      an older one is in force: the reload at "] {
        assert!(shown.out.contains(part), "{}", shown.out);
    }
    assert!(shown.err.contains("warning: ") && shown.err.contains("line "), "{}", shown.err);
    let locked = bare(&node, &["lock"], b"");
    assert_eq!(locked.code, 0, "{}", locked.err);
    node.home.write("icn.toml", &good);
    daemon.signal(Signal::HUP);
    daemon.wait_for("STATUS=serves");
    let shown = bare(&node, &["status"], b"");
    assert!(shown.err.is_empty() && shown.out.contains("Config      in force\n"), "{}", shown.out);
}

#[test]
fn the_tail_of_the_audit_log_says_for_how_many_a_line_stands() {
    use icn_identity::audit::{AuditLog, Entry, Event};
    let node = Node::age();
    let log = AuditLog::open(node.home.path("audit.log"), &node.did()).unwrap();
    log.append(Entry::refused(Event::Connect, "not-recorded").with_count(50)).unwrap();
    let shown = node.home.ok(&["audit", "tail"], b"");
    assert!(shown.contains("connect  refused  not-recorded  count 50\n"), "{shown}");
    let shown: Value =
        serde_json::from_str(&node.home.ok(&["--format", "json", "audit", "tail"], b"")).unwrap();
    assert_eq!(shown.as_array().unwrap().last().unwrap()["count"], 50);
}

/// As docs/operations.md does it: the number of one that was killed is nobody's.
#[test]
fn who_is_told_by_the_lock_is_told_only_while_it_is_held() {
    let node = Node::age();
    node.allow(ALL);
    let mut daemon = node.start();
    let lock = node.home.path("icnd.lock");
    let reload = format!(
        "flock -n {lock:?} true || kill -HUP \"$(cat {lock:?})\"",
        lock = lock.to_str().unwrap()
    );
    let told = || run(Command::new("bash").args(["-c", &reload]), b"");
    let ran = told();
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    daemon.wait_for("STATUS=serves");
    daemon.signal(Signal::KILL);
    daemon.ends();
    // Somebody has its number now, and is not told.
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    fs::write(&lock, format!("{}\n", other.id())).unwrap();
    let ran = told();
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(other.try_wait().unwrap().is_none());
    other.kill().unwrap();
    other.wait().unwrap();
}

/// Whoever is taken out is out, also while a key in a file is opened anew.
#[test]
fn clients_change_at_once_while_the_identity_is_still_read_anew() {
    // With as much work of scrypt as takes its time.
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.write("icn.toml", "[identity.age]\nwork_factor = 18\n");
    home.ok(&["id", "init"], b"");
    let node = Node::of(home);
    node.allow(ALL);
    let mut daemon = node.start();
    let body = json!({ "context": "a", "message": "" });
    daemon.post("/v1/sign", &body).ok();
    assert_eq!(daemon.get("/v1/status").ok()["taking_over"], false);
    let has_taken_over = "uses the certificate that another process has made";
    node.home.ok(&["id", "renew", "--all-instances"], b"");
    daemon.signal(Signal::HUP);
    daemon.wait_for("STATUS=serves");
    let start = Instant::now();
    while daemon.get("/v1/status").ok()["taking_over"] != true {
        assert!(start.elapsed() < PATIENCE, "{}", daemon.log());
    }
    let shown = bare(&node, &["status"], b"");
    assert!(shown.out.contains("in force; the identity is still read anew"), "{}", shown.out);
    node.configure(&client("tests", own_uid(), "may = []"));
    daemon.signal(Signal::HUP);
    daemon.wait_for("STATUS=serves");
    daemon.post("/v1/sign", &body).problem(403, "not-permitted");
    assert!(!daemon.log().contains(has_taken_over), "{}", daemon.log());
    wait_for_log(&daemon, has_taken_over);
    while daemon.get("/v1/status").ok()["taking_over"] != false {
        assert!(start.elapsed() < PATIENCE, "{}", daemon.log());
    }
}

#[test]
fn what_is_not_done_is_told_with_what_is_missing_and_a_step() {
    let node = Node::age();
    node.allow("may = [\"sign\"]\ncontexts = [\"a\"]\nrate = \"4/h\"");
    let daemon = node.start();
    let help = |answer: &Answer| answer.body["help"].as_str().unwrap_or_default().to_owned();
    let raw = daemon.post("/v1/sign-raw", &json!({ "message": "" }));
    raw.problem(403, "not-permitted");
    assert!(help(&raw).contains("add \"sign-raw\" to `may`"), "{raw:?}");
    let other = daemon.get("/v1/sign");
    other.problem(405, "method-not-allowed");
    assert_eq!(help(&other), "make this call by POST", "{other:?}");
    let nothing = daemon.get("/v1/nothing");
    nothing.problem(404, "not-found");
    assert!(help(&nothing).contains("docs/operations.md"), "{nothing:?}");
    let body = json!({ "context": "a", "message": "" });
    let often = (0..5).map(|_| daemon.post("/v1/sign", &body)).find(|it| it.status != 200);
    let often = often.unwrap();
    often.problem(429, "rate");
    let seconds = often.body["retry_after"].as_u64().unwrap();
    assert!(seconds > 1 && help(&often).contains(&seconds.to_string()), "{often:?}");
}

/// The audit log names the cause, which nobody has to look for in the program.
#[test]
fn a_file_with_the_passphrase_that_is_not_there_is_called_so_in_the_audit_log() {
    let node = Node::age();
    node.allow(ALL);
    let mut command = node.command();
    command.env_remove("ICN_PASSPHRASE");
    command.args(["--passphrase-file", node.public("nothing").to_str().unwrap()]);
    let ran = run(&mut command, b"");
    assert_eq!(ran.code, 1, "{}", ran.err);
    let audit = node.audit();
    let last = audit.iter().rfind(|line| line["event"] == "unlock").unwrap();
    assert_eq!(last["reason"], "not-found", "{last}");
}

/// It is alive, and is not to be started.
#[test]
fn a_daemon_that_is_not_found_is_not_said_to_be_started() {
    let node = Node::age();
    node.allow(ALL);
    let daemon = node.start();
    fs::remove_file(node.home.path("icnd.sock")).unwrap();
    let config = node.home.read("icn.toml");
    node.home.write("icn.toml", &config.replace("icnd.sock", "other.sock"));
    let held = format!("icnd (process {}) has the identity open", daemon.pid());
    for command in ["status", "lock", "unlock"] {
        let ran = bare(&node, &[command], b"");
        fails(&ran, 1, &[&held, "other.sock", "restart icnd"]);
        assert!(!ran.err.contains("--direct") && !ran.err.contains("start icnd;"), "{}", ran.err);
    }
}

/// What is with icnd is not to be made or restored.
#[test]
fn a_home_of_a_client_is_called_so() {
    let node = Node::age();
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    let daemon = "[daemon]\nsocket = \"/run/icnd/icnd.sock\"\nowner = \"root\"\n";
    home.write("icn.toml", &format!("[identity]\ndid = \"{}\"\n{daemon}", node.did()));
    let checked = home.icnctl(&["config", "check"], b"");
    let text = format!("{}{}", checked.out, checked.err);
    let whose = "this home is of a client of icnd";
    assert!(checked.code == 0 && text.contains(whose) && !text.contains("restore"), "{text}");
    for command in [&["id", "show"][..], &["--direct", "sign", "--context", "a"]] {
        let ran = home.icnctl(command, b"x");
        fails(&ran, 1, &[whose, "/run/icnd/icnd.sock", "have icnd use the key"]);
        assert!(!ran.err.contains("restore") && !ran.err.contains("id init"), "{}", ran.err);
    }
    home.write("icn.toml", daemon);
    let ran = home.icnctl(&["sign", "--context", "a"], b"x");
    fails(&ran, 1, &[whose, "set `did` under [identity]"]);
}
