//! What `icnctl` makes and notes, a program finds by `Home`, and the other way round.

use icn_identity::Error;
use icn_identity::error::{ErrorKind, KeystoreError};
use icn_identity::home::{CredentialSource, Home as Opened};
use support::home::{PASSPHRASE, write_private};

use crate::age::identity;
use crate::tpm::node::{BOTH, Node, PIN, WRONG};

#[test]
fn an_identity_that_icnctl_made_is_opened_by_a_program() {
    let home = identity();
    let opened = Opened::open(home.path("")).unwrap();
    let opened = opened.unlock(CredentialSource::given(PASSPHRASE.to_owned())).unwrap();
    assert_eq!(home.show()["did"], opened.bundle.did().as_str());
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &[]);
        let home = Opened::open(node.home.path("")).unwrap();
        let opened = home.unlock(CredentialSource::given(PIN.to_owned())).unwrap();
        let signature = opened.bundle.sign_for("greetings@coop.example", b"hello").unwrap();
        let file = node.home.beside("signature");
        std::fs::write(&file, signature.to_string()).unwrap();
        let (context, did) = ("greetings@coop.example", opened.bundle.did().to_string());
        let what = ["--did", &did, "--context", context, "--signature-file"];
        node.home.ok(&[&["verify"], &what[..], &[file.to_str().unwrap()]].concat(), b"hello");
    }
}

#[test]
fn a_pin_that_icnctl_had_refused_is_not_sent_by_a_program_nor_the_other_way_round() {
    let node = Node::with_identity("ed25519", &[]);
    let file = node.home.beside("pin");
    let path = file.to_str().unwrap();
    let unlock = || {
        let home = Opened::open(node.home.path("")).unwrap();
        home.unlock(CredentialSource::file(&file)).unwrap_err()
    };
    write_private(&file, WRONG);
    node.ends(77, 1, &["--pin-file", path, "sign"], &["refused the PIN"]);
    let error = node.spends(0, unlock);
    assert!(matches!(error, Error::Keystore(KeystoreError::RefusedBefore { .. })), "{error}");

    node.tpm.clear_lockout();
    write_private(&file, &format!("{WRONG}-too"));
    assert_eq!(node.spends(1, unlock).kind(), ErrorKind::WrongCredential);
    node.ends(77, 0, &["--pin-file", path, "sign"], &["was not sent again"]);
}
