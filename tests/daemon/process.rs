//! Starting, reloading and ending.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with};
use rustix::process::Signal;
use serde_json::json;
use support::child::inherits_nothing;
use support::softhsm::SoftHsm;

use crate::node::{Answer, Daemon, Node, PATIENCE, client, own_uid, posted, program};

const SIGN: &str = "may = [\"sign\"]\ncontexts = [\"a\"]";

fn request() -> serde_json::Value {
    json!({ "context": "a", "message": "" })
}

#[test]
fn a_second_instance_is_refused_with_the_number_of_the_first() {
    let node = Node::age();
    node.allow(SIGN);
    let daemon = node.start();
    let (code, said) = node.fails();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&format!("icnd (process {})", daemon.pid())), "{said}");
    assert!(said.contains("  try: "), "{said}");
    // Nothing of the first one is gone.
    daemon.post("/v1/sign", &request()).ok();
}

#[test]
fn a_socket_of_a_dead_instance_is_replaced_and_what_is_alive_or_no_socket_is_not() {
    let node = Node::age();
    node.allow(SIGN);
    let mut daemon = node.start();
    let found = fs::metadata(node.socket()).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o666);
    daemon.signal(Signal::KILL);
    daemon.ends();
    assert!(node.socket().exists(), "it could remove nothing");
    let daemon = node.start();
    daemon.post("/v1/sign", &request()).ok();
    drop(daemon);
    fs::remove_file(node.socket()).unwrap();

    let other = UnixListener::bind(node.socket()).unwrap();
    let (code, said) = node.fails();
    assert!(code == 1 && said.contains("listens on") && said.contains("  try: "), "{said}");
    drop(other);
    fs::remove_file(node.socket()).unwrap();
    fs::write(node.socket(), "somebody's file").unwrap();
    let (code, said) = node.fails();
    assert!(code == 1 && said.contains("is no socket"), "{said}");
    assert_eq!(fs::read_to_string(node.socket()).unwrap(), "somebody's file");
}

/// The link in the home leads to a socket elsewhere; the next one has its socket in the home.
#[test]
fn a_link_that_a_killed_one_has_left_in_the_home_is_replaced_and_what_it_leads_to_is_left_alone() {
    let node = Node::age();
    let text = node.home.read("icn.toml");
    node.allow(SIGN);
    let in_home = node.home.path("icnd.sock");
    let mut daemon = node.start();
    daemon.signal(Signal::KILL);
    daemon.ends();
    let clients = client("tests", own_uid(), SIGN);
    node.home.write("icn.toml", &format!("{text}[daemon]\n{clients}"));
    let is_link = || fs::symlink_metadata(&in_home).unwrap().file_type().is_symlink();
    // One that is dead, and one that is gone.
    for is_there in [true, false] {
        assert!(is_link() && node.socket().exists());
        if !is_there {
            fs::remove_file(node.socket()).unwrap();
        }
        let mut daemon = node.start_by(&mut node.command());
        assert!(fs::symlink_metadata(&in_home).unwrap().file_type().is_socket());
        assert_eq!(node.socket().exists(), is_there, "it is not ours to remove");
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.log());
        std::os::unix::fs::symlink(node.socket(), &in_home).unwrap();
    }
    // Somebody listens there; or it is somebody's file.
    let other = UnixListener::bind(node.socket()).unwrap();
    let (code, said) = node.fails();
    assert!(code == 1 && said.contains("listens on") && is_link(), "{said}");
    drop(other);
    fs::remove_file(node.socket()).unwrap();
    fs::write(node.socket(), "somebody's file").unwrap();
    let (code, said) = node.fails();
    assert!(code == 1 && said.contains("is no socket") && is_link(), "{said}");
    assert_eq!(fs::read_to_string(node.socket()).unwrap(), "somebody's file");
}

/// In the directory of the service manager, or else in the home; with the mode that is
/// configured.
#[test]
fn the_socket_is_where_the_service_manager_or_the_home_is() {
    let node = Node::age();
    let text = node.home.read("icn.toml");
    let clients = client("tests", own_uid(), SIGN);
    node.home.write("icn.toml", &format!("{text}[daemon]\nsocket_mode = \"0600\"\n{clients}"));
    let start = |command: &mut std::process::Command| node.start_by(command);
    let mut daemon = start(&mut node.command());
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(node.home.path("icnd.sock")), 0o600);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().code(), Some(0));
    assert!(!node.home.path("icnd.sock").exists());
    let runtime = node.public("run");
    fs::create_dir(&runtime).unwrap();
    let _daemon = start(node.command().env("RUNTIME_DIRECTORY", &runtime));
    assert_eq!(mode(runtime.join("icnd.sock")), 0o600);
    // In the home there is a link to it, for those who do not know that directory.
    assert_eq!(fs::read_link(node.home.path("icnd.sock")).unwrap(), runtime.join("icnd.sock"));
}

#[test]
fn at_the_end_what_is_under_way_is_finished_and_nothing_new_is_begun() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.allow(SIGN);
    let mut daemon = node.start();
    // One that is idle, one that is at work with the key, and one whose request is coming.
    let idle = daemon.connect();
    let mut coming = daemon.connect();
    let whole = posted("/v1/sign", &request().to_string(), "");
    coming.write_all(&whole.as_bytes()[..whole.len() - 5]).unwrap();
    // And one whose head is: what it asks for is refused.
    let mut late = daemon.connect();
    late.write_all(&whole.as_bytes()[..9]).unwrap();
    hsm.script("on C_Sign all sleep 1500");
    let mut at_work = daemon.connect();
    at_work.write_all(whole.as_bytes()).unwrap();
    let start = Instant::now();
    while !node.uses().iter().any(|(event, ..)| event == "sign") {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(10));
    }
    daemon.signal(Signal::TERM);
    daemon.wait_for("STOPPING=1");
    late.write_all(&whole.as_bytes()[9..]).unwrap();
    let mut answer = String::new();
    late.read_to_string(&mut answer).unwrap();
    Answer::parse(&answer).problem(503, "stopping");
    let mut answer = String::new();
    at_work.read_to_string(&mut answer).unwrap();
    Answer::parse(&answer).ok();
    coming.write_all(&whole.as_bytes()[whole.len() - 5..]).unwrap();
    let mut answer = String::new();
    coming.read_to_string(&mut answer).unwrap();
    Answer::parse(&answer).ok();
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.log());
    assert!(!node.socket().exists());
    // Whoever reads a number there ends no other process.
    assert_eq!(node.home.read("icnd.lock"), "");
    drop(idle);
    assert_eq!(node.audit().last().unwrap()["event"], "stop");
    let refused = node.uses().into_iter().filter(|(_, result, _)| result == "refused");
    let line = ["sign", "refused", "stopping"].map(str::to_owned);
    assert_eq!(refused.map(|(a, b, c)| [a, b, c]).collect::<Vec<_>>(), [line]);
}

/// No lower limit of open files is taken.
const FEWEST_FILES: usize = 256;

/// What nobody has told to end ends with an error, so that it is started again.
#[test]
fn one_that_cannot_accept_connections_is_never_ready_and_ends_with_1() {
    let node = Node::age();
    node.allow(SIGN);
    let log = node.home.beside("few");
    // It needs some files before it accepts, and not as many everywhere.
    let mut met = 0;
    for files in (6..40).rev() {
        // With a lower limit it does not begin at all: it has as many files fewer as are open already.
        let open = format!(
            "for _ in $(seq {}); do exec {{it}}</dev/null; done; exec \"$0\"",
            FEWEST_FILES - files
        );
        let mut command = inherits_nothing("prlimit");
        command.arg(format!("--nofile={FEWEST_FILES}:{FEWEST_FILES}"));
        command.args(["bash", "-c", &open]).arg(program());
        let as_ever = node.command();
        let variables = as_ever.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.env_clear().envs(variables).env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let said = || fs::read_to_string(&log).unwrap();
        let start = Instant::now();
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if said().contains("serves did:") {
                break None;
            }
            assert!(start.elapsed() < PATIENCE, "{}", said());
            std::thread::sleep(Duration::from_millis(10));
        };
        let Some(status) = ended else {
            child.kill().unwrap();
            child.wait().unwrap();
            continue;
        };
        assert_eq!(status.code(), Some(1), "{files}: {}", said());
        assert!(said().contains("  try: "), "{files}: {}", said());
        met += usize::from(said().contains("cannot accept connections"));
        if met > 0 {
            return;
        }
    }
    panic!("it has always accepted");
}

/// Another icnd's, or a proxy's.
#[test]
fn a_link_in_the_home_that_was_made_by_hand_and_leads_to_somebody_is_left_alone() {
    let node = Node::age();
    node.allow(SIGN);
    let (in_home, theirs) = (node.home.path("icnd.sock"), node.public("theirs.sock"));
    let other = UnixListener::bind(&theirs).unwrap();
    std::os::unix::fs::symlink(&theirs, &in_home).unwrap();
    let ends = |mut daemon: Daemon| {
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.log());
    };
    let daemon = node.start();
    assert!(daemon.log().contains("is left as it is"), "{}", daemon.log());
    assert_eq!(fs::read_link(&in_home).unwrap(), theirs);
    ends(daemon);
    assert_eq!(fs::read_link(&in_home).unwrap(), theirs);
    // It is dead now.
    drop(other);
    let daemon = node.start();
    assert_eq!(fs::read_link(&in_home).unwrap(), node.socket());
    ends(daemon);
    assert!(fs::symlink_metadata(&in_home).is_err());
}

#[test]
fn a_hang_up_brings_clients_and_the_file_of_the_log_anew() {
    let node = Node::age();
    node.allow(SIGN);
    let mut daemon = node.start();
    daemon.post("/v1/sign", &request()).ok();
    fs::rename(node.home.path("audit.log"), node.home.path("audit.log.1")).unwrap();
    node.configure(&client("other", own_uid(), "may = [\"sign\"]\ncontexts = [\"b\"]"));
    let inode = fs::metadata(node.socket()).unwrap().ino();
    daemon.signal(Signal::HUP);
    daemon.wait_for("READY=1");
    daemon.post("/v1/sign", &request()).problem(403, "context-not-allowed");
    daemon.post("/v1/sign", &json!({ "context": "b", "message": "" })).ok();
    assert_eq!(fs::metadata(node.socket()).unwrap().ino(), inode);
    let files = ["audit.log.1", "audit.log"].map(|name| node.home.path(name));
    icn_identity::audit::verify(&files, None).unwrap();
    // What is not valid changes nothing.
    node.configure("[[daemon.client]]\nname = \"x\"\n");
    daemon.signal(Signal::HUP);
    daemon.wait_for("READY=1");
    assert!(daemon.log().contains("was not read anew"), "{}", daemon.log());
    daemon.post("/v1/sign", &json!({ "context": "b", "message": "" })).ok();
}

#[test]
fn one_that_starts_locked_waits_for_a_client_that_unlocks_it() {
    let node = Node::age();
    let all = "may = [\"sign\", \"admin\"]\ncontexts = [\"a\"]";
    node.configure(&format!("start_locked = true\n{}", client("tests", own_uid(), all)));
    let mut command = node.command();
    let daemon = node.start_by(command.env_remove("ICN_PASSPHRASE"));
    assert_eq!(daemon.get("/v1/status").ok()["state"], "locked");
    daemon.post("/v1/sign", &request()).problem(503, "locked");
    let wrong = json!({ "credential": "not the right one" });
    daemon.post("/v1/unlock", &wrong).problem(403, "credential-refused");
    assert_eq!(daemon.get("/v1/status").ok()["state"], "locked");
    let right = json!({ "credential": support::home::PASSPHRASE });
    let unlocked = daemon.post("/v1/unlock", &right);
    assert!(unlocked.headers.contains("connection: close"), "{unlocked:?}");
    unlocked.ok();
    daemon.post("/v1/sign", &request()).ok();
    // Once more: nothing is sent anywhere.
    daemon.post("/v1/unlock", &wrong).ok();
    let uses: Vec<String> =
        node.audit().iter().map(|line| format!("{} {}", line["event"], line["result"])).collect();
    let failed = uses.iter().filter(|line| *line == "\"unlock\" \"failed\"").count();
    assert_eq!(failed, 1, "{uses:?}");
    assert!(!daemon.log().contains("not the right one"), "{}", daemon.log());
}

/// Of a process that an unprivileged user runs: nobody reads its memory.
#[test]
fn no_core_is_dumped_and_no_debugger_is_let_in() {
    let node = Node::age();
    node.allow(SIGN);
    let daemon = node.start();
    let process = std::path::PathBuf::from(format!("/proc/{}", daemon.pid()));
    let limits = fs::read_to_string(process.join("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    // The files of a process that is not dumpable are root's.
    assert_eq!(fs::metadata(process.join("mem")).unwrap().uid(), 0);
    let threads = fs::read_dir(process.join("task")).unwrap().filter(|task| {
        let name = task.as_ref().unwrap().path().join("comm");
        fs::read_to_string(name).unwrap().trim() == "icnd"
    });
    assert!(threads.count() >= 2);
}

/// One that nobody listens on yet is listened on: nobody is told that it serves who cannot
/// connect.
#[test]
fn a_socket_of_the_service_manager_is_listened_on() {
    let node = Node::age();
    node.allow(SIGN);
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap();
    bind(&socket, &SocketAddrUnix::new(node.socket()).unwrap()).unwrap();
    let command = node.command();
    let started = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\"";
    let mut by_manager = inherits_nothing("bash");
    by_manager.args(["-c", started]).arg(command.get_program()).env_clear();
    by_manager.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    by_manager.stdin(Stdio::from(socket)).stdout(Stdio::null());
    let daemon = node.start_by(&mut by_manager);
    daemon.post("/v1/sign", &request()).ok();
}

/// The socket of a service manager is taken over, and not removed at the end.
#[test]
fn the_socket_of_the_service_manager_is_taken_over_and_left() {
    let node = Node::age();
    node.allow(SIGN);
    let manager = UnixListener::bind(node.socket()).unwrap();
    let inode = fs::metadata(node.socket()).unwrap().ino();
    // Its first socket has the number 3, for the process that is named.
    let mut command = node.command();
    let started = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\"";
    let mut by_manager = inherits_nothing("bash");
    by_manager.args(["-c", started]).arg(command.get_program()).env_clear();
    by_manager.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let socket = std::os::fd::OwnedFd::from(manager.try_clone().unwrap());
    by_manager.stdin(Stdio::from(socket)).stdout(Stdio::null());
    let mut daemon = node.start_by(&mut by_manager);
    daemon.post("/v1/sign", &request()).ok();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().code(), Some(0));
    assert_eq!(fs::metadata(node.socket()).unwrap().ino(), inode);
    // Another one has the name by now: it is not the daemon's to remove.
    drop(manager);
    fs::remove_file(node.socket()).unwrap();
    let mut daemon = node.start_by(command.stdin(Stdio::null()));
    fs::remove_file(node.socket()).unwrap();
    fs::write(node.socket(), "somebody's file").unwrap();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().code(), Some(0));
    assert_eq!(fs::read_to_string(node.socket()).unwrap(), "somebody's file");
}
