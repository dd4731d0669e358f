//! Processes of another user that stand where the daemon should: they are found out before they
//! are told anything.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use icn_identity::ErrorKind;
use icn_identity::client::{ClientError, RemoteIdentity, RemoteOptions};
use support::child::inherits_nothing;

use crate::curl::STRANGER;
use crate::node::{Daemon, Node, client, own_uid};

const ALL: &str = "may = [\"sign\", \"sign-raw\", \"decrypt\", \"admin\"]\n\
                   contexts = [\"payments@coop.example\"]";

/// Hands each connection at the first socket on to the second one. `late` is the user that it
/// becomes once the socket is there.
const RELAY: &str = r#"
use Socket;
my ($here, $there, $late) = @ARGV;
socket(my $listening, PF_UNIX, SOCK_STREAM, 0) or die;
bind($listening, sockaddr_un($here)) or die "bind: $!";
chmod 0666, $here;
if ($late) { $( = $) = $late; ($<, $>) = ($late, $late); $> == $late or die; }
listen($listening, 16) or die;
while (accept(my $client, $listening)) {
    next if fork;
    socket(my $daemon, PF_UNIX, SOCK_STREAM, 0) or die;
    connect($daemon, sockaddr_un($there)) or die "connect: $!";
    my %to = (fileno($client) => $daemon, fileno($daemon) => $client);
    while (1) {
        my $wanted = '';
        vec($wanted, $_, 1) = 1 for keys %to;
        select(my $ready = $wanted, undef, undef, undef);
        for my $from ($client, $daemon) {
            next unless vec($ready, fileno($from), 1);
            sysread($from, my $bytes, 65536) or exit;
            syswrite($to{fileno($from)}, $bytes);
        }
    }
}
"#;

/// Killed, with whom it has forked, when it is dropped.
struct Relay(Child);

impl Relay {
    fn start(command: &mut Command, at: &Path) -> Self {
        use std::os::unix::process::CommandExt as _;
        let child = command.process_group(0).stdin(Stdio::null()).spawn().unwrap();
        let mut relay = Self(child);
        // It has to listen, and not only to be there.
        while std::os::unix::net::UnixStream::connect(at).is_err() {
            assert!(relay.0.try_wait().unwrap().is_none(), "it has ended");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        relay
    }

    /// A process of another user, at a socket of that user's.
    fn of_stranger(at: &Path, to: &Path) -> Self {
        let user = STRANGER.to_string();
        let mut command = inherits_nothing("setpriv");
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "perl", "-e", RELAY]);
        Self::start(command.arg(at).arg(to), at)
    }

    /// A process of another user, at a socket of ours.
    fn behind_our_socket(at: &Path, to: &Path) -> Self {
        let mut command = inherits_nothing("perl");
        command.args(["-e", RELAY]).arg(at).arg(to).arg(STRANGER.to_string());
        Self::start(&mut command, at)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.0.wait();
    }
}

/// The tests are a client, and so is the stranger: the daemon serves either.
fn served() -> (Node, Daemon) {
    let node = Node::age();
    node.configure(&format!(
        "{}{}",
        client("tests", own_uid(), ALL),
        client("stranger", STRANGER, ALL)
    ));
    let daemon = node.start();
    fs::create_dir(node.public("open")).unwrap();
    fs::set_permissions(node.public("open"), Permissions::from_mode(0o777)).unwrap();
    (node, daemon)
}

/// What icnctl says with the socket there.
fn icnctl_at(node: &Node, socket: &Path, args: &[&str]) -> support::home::Ran {
    let config = node.home.read("icn.toml");
    let (before, after) = config.split_once("\nsocket = ").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    let config = format!("{before}\nsocket = {socket:?}\n{after}");
    node.home.write("icn.toml", &config);
    node.home.icnctl(args, b"x")
}

#[test]
fn a_socket_of_another_user_is_told_nothing() {
    let (node, daemon) = served();
    let at = node.public("open/icnd.sock");
    let _relay = Relay::of_stranger(&at, &daemon.socket);
    assert_eq!(fs::metadata(&at).unwrap().uid(), STRANGER);
    let error = RemoteIdentity::connect(&at, node.did()).unwrap_err();
    assert!(
        matches!(error, ClientError::Owner { what: "the socket", found: STRANGER, .. }),
        "{error:?}"
    );
    let before = node.uses().len();
    for args in [&["sign"][..], &["status"], &["lock"], &["unlock"]] {
        let ran = icnctl_at(&node, &at, args);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{args:?}: {}", ran.err);
        for text in ["is not used: it may be somebody else", "user 65533", "find out who listens"] {
            assert!(ran.err.contains(text), "{text}: {}", ran.err);
        }
        assert_eq!(ran.err.contains(": --direct"), args == ["sign"], "{}", ran.err);
    }
    assert_eq!(node.uses().len(), before, "nothing was handed on");
    assert_eq!(icnctl_at(&node, &at, &["--direct", "sign"]).code, 0);
}

/// The socket's owner has made it, and somebody else listens there.
#[test]
fn a_process_of_another_user_behind_our_socket_is_told_nothing() {
    let (node, daemon) = served();
    let at = node.public("open/icnd.sock");
    let _relay = Relay::behind_our_socket(&at, &daemon.socket);
    assert_eq!(fs::metadata(&at).unwrap().uid(), own_uid());
    let error = RemoteIdentity::connect(&at, node.did()).unwrap_err();
    assert!(
        matches!(error, ClientError::Owner { what: "the process behind", found: STRANGER, .. }),
        "{error:?}"
    );
    for args in [&["sign"][..], &["unlock"]] {
        let ran = icnctl_at(&node, &at, args);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.err);
        assert!(ran.err.contains("the process behind"), "{}", ran.err);
    }
}

/// Also where the daemon may be of that user: what it shows, it shows to the user that asks it.
#[test]
fn a_relay_of_another_user_is_found_out_by_the_daemons_own_proof() {
    let (node, daemon) = served();
    let at = node.public("open/icnd.sock");
    let _relay = Relay::of_stranger(&at, &daemon.socket);
    let remote = RemoteOptions::new(&at, node.did()).owned_by(STRANGER);
    let error = remote.clone().connect().unwrap_err();
    assert!(
        matches!(error, ClientError::OtherUser { seen, own } if seen == u64::from(STRANGER) && own == own_uid()),
        "{error:?}"
    );
    assert_eq!(error.kind(), ErrorKind::Untrusted);
    let remote = remote.unconnected();
    assert!(remote.sign_for("payments@coop.example", b"100 to Ada").is_err());
    assert!(remote.file_key("age-encryption.org/v1\n").is_err());
    // It was asked to show itself, and nothing was signed for the stranger.
    let uses = node.uses();
    assert!(!uses.is_empty() && uses.iter().all(|(event, ..)| event == "challenge"), "{uses:?}");
    // The daemon itself is of us, and serves.
    RemoteIdentity::connect(&daemon.socket, node.did()).unwrap();
}
