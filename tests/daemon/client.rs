//! The library's client, served by `icnd`.

use std::process::Command;

use icn_identity::client::{ClientError, RemoteIdentity, RemoteOptions};
use icn_identity::daemon::ProblemCode;
use icn_identity::secret::LockedText;
use icn_identity::{Custody, DidSigner as _, DidSignerExt as _, ErrorKind};
use support::home::{PASSPHRASE, run};
use support::ssh_keygen;

use crate::node::{Node, own_uid};

const CONTEXT: &str = "payments@coop.example";
const ALL: &str = "may = [\"sign\", \"sign-raw\", \"decrypt\", \"admin\"]\n\
                   contexts = [\"payments@coop.example\"]";

fn code(error: &ClientError) -> Option<ProblemCode> {
    error.problem().and_then(|problem| problem.code)
}

/// The header of a file that `age` has encrypted to the identity.
fn header(node: &Node) -> String {
    let recipient = node.home.show()["encryption"]["age_recipient"].as_str().unwrap().to_owned();
    let file = node.home.beside("for-the-node.age");
    let path = file.to_str().unwrap();
    let ran = run(Command::new("age").args(["-r", &recipient, "-o", path]), b"hello");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let file = std::fs::read(file).unwrap();
    let mac = file.windows(4).position(|bytes| bytes == b"\n---").unwrap() + 1;
    let length = file[mac..].iter().position(|byte| *byte == b'\n').unwrap();
    String::from_utf8(file[..=mac + length].to_vec()).unwrap()
}

#[test]
fn the_client_of_the_library_is_served_by_the_daemon() {
    let node = Node::age();
    node.allow(ALL);
    let daemon = node.start();
    let identity = RemoteIdentity::connect(&daemon.socket, node.did()).unwrap();
    let signer = identity.signer();
    assert_eq!(signer.custody(), Custody::Reported);
    let key = *signer.verifying_key();
    let signature = signer.sign_for(CONTEXT, b"100 to Ada").unwrap();
    assert!(ssh_keygen::verifies(
        &key.to_openssh(),
        CONTEXT,
        b"100 to Ada",
        &signature.to_string()
    ));
    let long = vec![b'x'; 1_000_000];
    key.verify_for(CONTEXT, &long, &signer.sign_for(CONTEXT, &long).unwrap()).unwrap();
    key.verify(b"hello", &signer.sign(b"hello").unwrap()).unwrap();

    let refused = identity.sign_for("login", b"x").unwrap_err();
    assert_eq!(code(&refused), Some(ProblemCode::ContextNotAllowed));
    assert!(refused.problem().unwrap().request.is_some() && refused.help().is_some());
    for reserved in [[b' '; 64], [7; 64]] {
        let refused = identity.sign_raw(&reserved).unwrap_err();
        assert_eq!(code(&refused), Some(ProblemCode::ReservedMessage));
    }
    let refused = icn_identity::Error::from(signer.sign(&[7; 32]).unwrap_err());
    assert!(refused.help().unwrap().contains("sign the message itself"), "{refused:?}");

    let status = identity.status().unwrap();
    assert!(!status.is_locked && status.client == "tests", "{status:?}");
    assert_eq!(status.contexts, [CONTEXT]);
    assert_eq!(identity.did_document().unwrap().did(), &node.did());
    assert!(identity.rotation_chain().unwrap().is_none());

    let header = header(&node);
    assert_eq!(identity.file_key(&header).unwrap().retired(), None);
    let (start, mac) = header.rsplit_once("--- ").unwrap();
    let first = if mac.starts_with('A') { "B" } else { "A" };
    let changed = format!("{start}--- {first}{}", &mac[1..]);
    let error = identity.file_key(&changed).unwrap_err();
    assert_eq!(code(&error), Some(ProblemCode::NotARecipient), "{error}");

    // Another DID than is pinned.
    let other = Node::age().did();
    let error = RemoteIdentity::connect(&daemon.socket, other).unwrap_err();
    assert!(matches!(error, ClientError::OtherDid { .. }), "{error:?}");
    // Each use is written down.
    let signed = node
        .uses()
        .into_iter()
        .filter(|(event, result, _)| event.as_str() == "sign" && result.as_str() == "allowed");
    assert_eq!(signed.count(), 2);
}

#[test]
fn the_client_of_the_library_locks_and_unlocks_the_daemon() {
    let node = Node::age();
    node.allow(ALL);
    let daemon = node.start();
    let identity = RemoteIdentity::connect(&daemon.socket, node.did()).unwrap();
    identity.lock().unwrap();
    assert!(identity.status().unwrap().is_locked);
    let error = identity.sign_for(CONTEXT, b"x").unwrap_err();
    assert_eq!(
        (code(&error), error.kind()),
        (Some(ProblemCode::Locked), ErrorKind::CredentialMissing)
    );
    let wrong = identity.unlock(&LockedText::from("not the passphrase"), None).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::WrongCredential, "{wrong}");
    identity.unlock(&LockedText::from(PASSPHRASE), None).unwrap();
    identity.sign_for(CONTEXT, b"x").unwrap();
    assert!(!daemon.log().contains(PASSPHRASE));
}

/// Who is none of its clients is told so, and a daemon that has ended is not there.
#[test]
fn the_client_of_the_library_is_told_when_it_is_no_client_and_when_nobody_is_there() {
    let node = Node::age();
    node.configure(&crate::node::client("payments", own_uid() + 1, ALL));
    let mut daemon = node.start();
    let error = RemoteIdentity::connect(&daemon.socket, node.did()).unwrap_err();
    assert_eq!(code(&error), Some(ProblemCode::NotAClient));
    let options = RemoteOptions::new(&daemon.socket, node.did());
    daemon.signal(rustix::process::Signal::TERM);
    daemon.ends();
    assert_eq!(options.connect().unwrap_err().kind(), ErrorKind::DeviceAbsent);
}
