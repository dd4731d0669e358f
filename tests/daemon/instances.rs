//! Several processes of one DID, and what ends all that they had.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use icn_identity::client::RemoteIdentity;
use icn_identity::peer::{PeerBook, VerifiedPeer};
use icn_identity::tls::{Client, DidVerifier, TlsIdentity};
use serde_json::Value;

use crate::node::{Node, PATIENCE};
use crate::peers::serving;
use crate::wire::{asks, bundle, meets};

/// Until the daemon shows what is asked for; nobody is refused meanwhile.
#[track_caller]
fn until(
    mut asked: impl FnMut() -> VerifiedPeer,
    is_so: impl Fn(&VerifiedPeer) -> bool,
) -> VerifiedPeer {
    let start = Instant::now();
    loop {
        let met = asked();
        if is_so(&met) {
            return met;
        }
        assert!(start.elapsed() < PATIENCE, "{met:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn processes_of_one_did_renew_beside_each_other_until_an_epoch_ends_them_all() {
    let node = Node::age();
    node.shorten();
    // What the files had before the daemon renewed them.
    let of_files = TlsIdentity::fixed(&node.open());
    let (mut daemon, address, _) = serving(&node, "");
    let did = node.did();
    let directory = tempfile::tempdir().unwrap();
    // As each process opens it: nothing is shared but the files.
    let book = || PeerBook::open(directory.path().join("peers")).unwrap();
    book().allow(&did, "three holders").unwrap();
    let (verifier, another) = (book().verifier(), book().verifier());
    let me = bundle();

    // This process is the second one that has the key; and a program that has none.
    let second = node.open();
    second.renew_as_own_instance().unwrap();
    let program = RemoteIdentity::connect(&daemon.socket, did.clone()).unwrap().tls().unwrap();
    let daemons = |verifier: &Arc<DidVerifier>| {
        let client: Client = me.tls_client(verifier).unwrap();
        asks(address, &client, &did, "GET /health").map(|got| {
            assert_eq!(got.status, 200);
            got.peer
        })
    };
    let own = |tls: &TlsIdentity| (*tls.instance().as_ref().unwrap(), tls.epoch(), tls.sequence());
    let seen = |peer: &VerifiedPeer| (*peer.instance(), peer.epoch(), peer.sequence());
    let mut replaced = Vec::new();
    let mut shown = daemons(&verifier).unwrap();
    for round in 0..3 {
        let before = shown.sequence();
        shown = until(|| daemons(&verifier).unwrap(), |met| met.sequence() > before);
        replaced.push(TlsIdentity::fixed(&second));
        second.renew().unwrap();
        let old = program.binding();
        if round == 0 {
            program.renew().unwrap();
        } else {
            // As a program does it that asks each minute.
            assert!(program.renew_if_due(program.renewal_due_at()).unwrap());
        }
        assert!(program.binding().sequence() > old.sequence());
        for verifier in [&verifier, &another] {
            for tls in [second.tls_identity(), program.tls_identity()] {
                assert_eq!(seen(&meets(verifier, &tls).unwrap()), own(&tls), "{round}");
            }
            let met = daemons(verifier).unwrap();
            assert!(met.sequence() >= shown.sequence() && met.instance() == shown.instance());
        }
        // A key that was replaced is of no use, to anybody.
        for old in &replaced {
            assert_eq!(meets(&verifier, old).unwrap_err(), "Superseded");
        }
    }
    let all = [*shown.instance(), *second.binding().instance().unwrap(), *program.instance()];
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
    assert_eq!(meets(&verifier, &of_files).unwrap_err(), "Superseded");

    // One of them was stolen, and nobody knows which.
    let text = node.home.ok(&["--format", "json", "id", "renew", "--all-instances"], b"");
    let epoch = serde_json::from_str::<Value>(&text).unwrap()["tls"]["epoch"].as_u64().unwrap();
    // The daemon takes over what is in its files.
    let met = until(|| daemons(&verifier).unwrap(), |met| met.epoch() == epoch);
    assert_eq!(met.instance(), shown.instance());
    let mut older = replaced.clone();
    older.extend([of_files, TlsIdentity::fixed(&second), program.tls_identity()]);
    let refused = |verifier: &Arc<DidVerifier>| {
        for old in &older {
            assert_eq!(meets(verifier, old).unwrap_err(), "EarlierEpoch");
        }
        assert_eq!(daemons(verifier).unwrap().epoch(), epoch);
    };
    let ended = TlsIdentity::fixed(&second);
    // Both verifiers, and one that starts after it.
    refused(&verifier);
    refused(&another);
    drop((verifier, another));
    let [verifier, another] = [(); 2].map(|()| book().verifier());
    refused(&verifier);
    refused(&another);

    // The others join: the program by what the daemon says, the other process by the number.
    assert!(program.renew_if_due(SystemTime::now()).unwrap());
    assert!(!program.renew_if_due(SystemTime::now()).unwrap());
    second.join_epoch(epoch).unwrap();
    for verifier in [&verifier, &another] {
        for tls in [second.tls_identity(), program.tls_identity()] {
            assert_eq!(seen(&meets(verifier, &tls).unwrap()), own(&tls));
        }
        assert_eq!(meets(verifier, &ended).unwrap_err(), "EarlierEpoch");
    }
    // A daemon that starts again goes on in it.
    daemon.signal(rustix::process::Signal::TERM);
    assert_eq!(daemon.ends().code(), Some(0));
    let again = node.start();
    let program = RemoteIdentity::connect(&again.socket, did.clone()).unwrap().tls().unwrap();
    assert_eq!(meets(&verifier, &program.tls_identity()).unwrap().epoch(), epoch);
}
