//! Where the socket is: nobody else has a hand in it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use support::child::inherits_nothing;
use support::user::by_user;

use crate::curl::STRANGER;
use crate::node::{Node, client, own_uid};

const SIGN: &str = "may = [\"sign\"]\ncontexts = [\"a\"]";

/// A user who can look into a directory can lock it.
#[test]
fn nobody_else_keeps_it_from_starting() {
    let node = Node::age();
    node.allow(SIGN);
    let directory = node.public("");
    let _held = by_user(STRANGER, STRANGER, || {
        let directory = File::open(&directory).unwrap();
        directory.lock().unwrap();
        directory
    });
    let daemon = node.start();
    daemon.post("/v1/sign", &json!({ "context": "a", "message": "" })).ok();
    let lock = fs::metadata(node.public("icnd.sock.lock")).unwrap();
    assert_eq!(lock.permissions().mode() & 0o777, 0o600);
}

/// Whoever can change what is in the directory could put another file in the socket's place.
#[test]
fn a_directory_that_somebody_else_writes_to_has_no_socket() {
    let node = Node::age();
    let place = node.public("run");
    fs::create_dir(&place).unwrap();
    let before = node.home.read("icn.toml");
    let path = place.join("s");
    let daemon = format!("[daemon]\nsocket = {path:?}\n{}", client("tests", own_uid(), SIGN));
    node.home.write("icn.toml", &format!("{before}{daemon}"));
    let refuse = |said: &str| {
        let (code, error) = node.fails();
        assert!(code == 1 && error.contains(said) && error.contains("  try: "), "{error}");
        assert!(!path.exists());
    };
    fs::set_permissions(&place, fs::Permissions::from_mode(0o777)).unwrap();
    refuse("its mode is 0777");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(&place, Some(STRANGER), None).unwrap();
    refuse(&format!("it belongs to user {STRANGER}"));
    std::os::unix::fs::chown(&place, Some(own_uid()), None).unwrap();
    // A link to a file that is not to be touched, in the place of its lock.
    let victim = node.public("victim");
    fs::write(&victim, "").unwrap();
    std::os::unix::fs::symlink(&victim, place.join("s.lock")).unwrap();
    refuse("it is a symbolic link");
    fs::remove_file(place.join("s.lock")).unwrap();
    assert_eq!(fs::metadata(&victim).unwrap().permissions().mode() & 0o777, 0o644);
    // Shared, but sticky: nobody can exchange what is there.
    fs::set_permissions(&place, fs::Permissions::from_mode(0o1777)).unwrap();
    let _daemon = node.start();
    assert!(path.exists());
}

/// The mode is given when the socket is made, to nothing that has a name.
#[test]
fn no_mode_is_changed_by_a_name() {
    let node = Node::age();
    node.allow(SIGN);
    let trace = node.home.beside("trace");
    let command = node.command();
    let mut traced = inherits_nothing("strace");
    traced.args(["-f", "-e", "trace=chmod,fchmodat,bind,umask", "-o"]).arg(&trace);
    traced.arg(command.get_program()).env_clear();
    traced.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut daemon = node.start_by(&mut traced);
    assert_eq!(fs::metadata(node.socket()).unwrap().permissions().mode() & 0o777, 0o666);
    // strace is the child; its own child is the daemon, and ends first.
    let number = node.home.read("icnd.lock").trim().parse().unwrap();
    kill_process(Pid::from_raw(number).unwrap(), Signal::TERM).unwrap();
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.log());
    let trace = fs::read_to_string(trace).unwrap();
    assert!(trace.contains("bind(") && trace.contains("icnd.sock"), "{trace}");
    assert!(!trace.contains("chmod"), "{trace}");
}

/// While it does something else, those who connect are not refused.
#[test]
fn as_many_wait_to_be_accepted_as_the_system_allows() {
    let node = Node::age();
    node.allow(SIGN);
    let daemon = node.start();
    let most = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let count = most.trim().parse::<usize>().unwrap().min(400);
    daemon.signal(Signal::STOP);
    let address = SocketAddrUnix::new(&daemon.socket).unwrap();
    let held: Vec<_> = (0..count)
        .map(|_| {
            let flags = SocketFlags::CLOEXEC;
            let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
            set_socket_timeout(&socket, Timeout::Send, Some(Duration::from_secs(5))).unwrap();
            connect(&socket, &address).map(|()| socket)
        })
        .collect();
    daemon.signal(Signal::CONT);
    let refused = held.iter().filter(|one| one.is_err()).count();
    assert_eq!(refused, 0, "of {count}");
}
