//! Requests of other users, by curl.

use std::process::Command;

use serde_json::Value;
use support::home::run;

use crate::node::{Daemon, is_reachable};

/// Nobody's, which tests take for a user that is not listed.
pub(crate) const STRANGER: u32 = 65_533;
pub(crate) const OTHER: u32 = 65_532;

/// As somebody would do it by hand, with what is after the socket's name.
pub(crate) fn curl(daemon: &Daemon, arguments: &[&str]) -> (u16, String) {
    finish(Command::new("curl"), daemon, arguments)
}

/// The same, by another user and group, with no other groups.
pub(crate) fn curl_as(uid: u32, gid: u32, daemon: &Daemon, arguments: &[&str]) -> (u16, Value) {
    assert!(is_reachable(&daemon.socket), "{}", daemon.socket.display());
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &uid.to_string(), "--regid", &gid.to_string()]);
    command.args(["--clear-groups", "curl"]);
    let (status, body) = finish(command, daemon, arguments);
    (status, serde_json::from_str(&body).unwrap())
}

fn finish(mut command: Command, daemon: &Daemon, arguments: &[&str]) -> (u16, String) {
    command.args(["--silent", "--show-error", "--write-out", "\n%{http_code}"]);
    command.args(["--unix-socket", daemon.socket.to_str().unwrap()]).args(arguments);
    let ran = run(&mut command, b"");
    assert_eq!(ran.code, 0, "{command:?}: {}", ran.err);
    let (body, status) = ran.out.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}
