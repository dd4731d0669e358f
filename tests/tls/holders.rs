//! One DID, several holders: processes, machines.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use icn_identity::backend::{AgeKeyStore, Credentials};
use icn_identity::bundle::{BundleError, Instance};
use icn_identity::config::Config;
use icn_identity::keystore::backup::{Backup, BackupRequest, RecoveryKeys};
use icn_identity::keystore::{IdentityStore, Pinned};
use icn_identity::peer::PeerBook;
use icn_identity::tls::{DidVerifier, MemorySequences, SequenceStore, Server, TlsIdentity};
use icn_identity::{Did, DidKey, Error, IdentityBundle, Passphrase};
use support::home::{FAST, Home, PASSPHRASE};

use crate::craft::variant;
use crate::wire::{Ended, handshake};
use crate::{anybody, bundle};

/// The files of one machine.
struct Machine {
    home: Home,
    backend: AgeKeyStore,
    store: IdentityStore,
}

impl Machine {
    fn new() -> Self {
        let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
        let config = Config::parse(FAST).unwrap().identity.age;
        let backend = AgeKeyStore::with_config(home.path(""), &config);
        let store = IdentityStore::new(home.path("")).with_age_config(config);
        Self { home, backend, store }
    }

    fn open(&self) -> IdentityBundle<DidKey> {
        let opened = self.store.open(&self.backend, Pinned::Nobody, &credentials()).unwrap();
        assert!(opened.renewal_failed.is_none());
        opened.bundle
    }

    fn renew(&self) -> IdentityBundle<DidKey> {
        self.store.renew(&self.backend, Pinned::Nobody, &credentials()).unwrap()
    }

    /// In a process of its own.
    fn icnctl(&self, args: &[&str]) -> serde_json::Value {
        let json = self.home.ok(&[&["--format", "json"], args].concat(), b"");
        serde_json::from_str(&json).unwrap()
    }

    /// The same DID on another machine.
    fn restored(&self) -> Self {
        let key = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
        let recipient = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
        self.home.write("recovery.key", key);
        let keys = RecoveryKeys::read(&self.home.path("recovery.key")).unwrap();
        let request = BackupRequest::new(vec![recipient.parse().unwrap()]).unwrap();
        let made =
            self.store.backup(&self.backend, Pinned::Nobody, &credentials(), &request).unwrap();
        let (other, backup) = (Self::new(), Backup::open(&made.file, &keys).unwrap());
        drop(other.store.restore(&other.backend, backup, &made.did, &credentials()).unwrap());
        other
    }
}

fn credentials() -> Credentials {
    Credentials::passphrase(Passphrase::new(PASSPHRASE))
}

fn instance(bundle: &IdentityBundle<DidKey>) -> Instance {
    *bundle.binding().instance().unwrap()
}

/// A peer that expects one DID, with one of those who hold it at the other end.
struct Peer {
    server: Server,
}

impl Peer {
    fn of(did: &Did, sequences: Arc<dyn SequenceStore>) -> Self {
        let verifier = Arc::new(DidVerifier::pinned(did.clone()).with_sequences(sequences));
        let server = bundle().tls_server(&verifier).unwrap();
        Self { server }
    }

    /// One that expects who is in a book.
    fn with(book: &PeerBook) -> Self {
        Self { server: bundle().tls_server(&book.verifier()).unwrap() }
    }

    fn meets(&self, holder: &TlsIdentity) -> Result<(), String> {
        let client = Arc::new(holder.client_config(&anybody()).unwrap());
        match handshake(&self.server, &client) {
            Ok((connection, _)) => {
                let met = connection.peer().unwrap();
                assert_eq!(met.did(), holder.did());
                assert_eq!(Some(*met.instance()), holder.instance());
                assert_eq!((met.epoch(), met.sequence()), (holder.epoch(), holder.sequence()));
                Ok(())
            }
            Err(Ended::ByServer(error)) => Err(variant(&error)),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn refuses(&self, holders: &[TlsIdentity], reason: &str) {
        for holder in holders {
            assert_eq!(self.meets(holder), Err(reason.into()), "{holder:?}");
        }
    }
}

/// As it is now, whatever comes of the bundle.
fn now(bundle: &IdentityBundle<DidKey>) -> TlsIdentity {
    TlsIdentity::fixed(bundle)
}

#[test]
fn holders_of_one_did_that_renew_in_turn_are_all_let_in_until_an_epoch_ends_them() {
    // Processes of one machine: `icnctl` writes the files, a daemon renews in its
    // memory. A third holder is another machine with the same DID.
    let machine = Machine::new();
    machine.home.ok(&["id", "init"], b"");
    let third = machine.restored();
    let daemon = machine.open();
    let did = daemon.did().clone();
    assert_eq!(third.open().did(), &did);
    let dir = tempfile::tempdir().unwrap();
    // As each process opens it: nothing is shared but the files.
    let book = || PeerBook::open(dir.path().join("peers")).unwrap();
    book().allow(&did, "three machines").unwrap();
    let peer = Peer::with(&book());
    let forgetful = Peer::of(&did, Arc::new(MemorySequences::new()));

    let mut replaced = Vec::new();
    let mut holders = [now(&machine.open()), now(&daemon), now(&third.open())];
    for round in 0..3 {
        for holder in &holders {
            peer.meets(holder).unwrap();
            forgetful.meets(holder).unwrap();
        }
        // Until its first renewal the daemon shows what is in the files.
        replaced.extend_from_slice(&holders[usize::from(round == 0)..]);
        let told = machine.icnctl(&["id", "renew"]);
        let first = machine.open();
        assert_eq!(told["tls"]["instance"], instance(&first).to_string());
        assert_eq!(told["tls"]["sequence"], first.binding().sequence());
        holders[0] = now(&first);
        peer.meets(&holders[0]).unwrap();
        if round == 0 {
            daemon.renew_as_own_instance().unwrap();
        } else {
            daemon.renew().unwrap();
        }
        holders[1] = now(&daemon);
        peer.meets(&holders[1]).unwrap();
        holders[2] = now(&third.renew());
        peer.meets(&holders[2]).unwrap();
        // Each of them is somebody, and who it was before.
        let instances: Vec<_> = holders.iter().map(|holder| holder.instance().unwrap()).collect();
        assert!(instances[0] != instances[1] && instances[1] != instances[2]);
        assert_ne!(instances[0], instances[2]);
        let before: Vec<_> = replaced.iter().map(|old| old.instance().unwrap()).collect();
        assert!(instances.iter().filter(|instance| before.contains(instance)).count() >= 2);
        for holder in holders.iter().rev() {
            peer.meets(holder).unwrap();
            forgetful.meets(holder).unwrap();
        }
        // A TLS key that was replaced is of no use, to anybody.
        peer.refuses(&replaced, "Superseded");
        forgetful.refuses(&replaced, "Superseded");
    }
    assert_eq!(replaced.len(), 8);

    // All at once: one of them was stolen, and nobody knows which.
    let told = machine.icnctl(&["id", "renew", "--all-instances"]);
    let epoch = told["tls"]["epoch"].as_u64().unwrap();
    let renewed = now(&machine.open());
    assert_eq!((renewed.epoch(), renewed.instance()), (epoch, holders[0].instance()));
    // As long as it was not seen, the others are let in.
    for holder in &holders {
        peer.meets(holder).unwrap();
    }
    peer.meets(&renewed).unwrap();
    let older = [&replaced[..], &holders].concat();
    let refused = |peer: &Peer| {
        peer.refuses(&older, "EarlierEpoch");
        peer.meets(&renewed).unwrap();
    };
    refused(&peer);
    // After a restart of the peer, and by another one with the same book.
    let another = Peer::with(&book());
    drop(peer);
    refused(&another);
    let restarted = Peer::with(&book());
    refused(&restarted);
    refused(&another);
    // Who has not seen it, and shares no book, does not know.
    forgetful.meets(&holders[2]).unwrap();

    // The others join: the daemon by what it finds in the files beside it, the other
    // machine by the number that its owner brings there.
    let found = machine.store.header().unwrap().binding().unwrap();
    assert_eq!((found.did(), found.epoch()), (&did, epoch));
    let before = daemon.binding();
    daemon.renew().unwrap();
    restarted.refuses(&[now(&daemon)], "EarlierEpoch");
    daemon.join_epoch(found.epoch()).unwrap();
    assert_eq!(daemon.binding().instance(), before.instance());
    let number = epoch.to_string();
    let told = third.icnctl(&["id", "renew", "--epoch", &number]);
    assert_eq!(told["tls"]["epoch"], epoch);
    let joined = [renewed.clone(), now(&daemon), now(&third.open())];
    for holder in joined.iter().chain(&joined) {
        restarted.meets(holder).unwrap();
    }
    refused(&restarted);

    // Nobody goes back.
    let earlier = (epoch - 1).to_string();
    let told = ["is earlier than the present one", "icnctl id renew --all-instances"];
    third.home.fails(&["id", "renew", "--epoch", &earlier], b"", &told);
    let refused =
        third.store.join_epoch(&third.backend, Pinned::Nobody, &credentials(), 0).unwrap_err();
    let expected = BundleError::EarlierEpoch { present: epoch, asked: 0 };
    assert!(
        matches!(&refused, Error::Bundle(error) if error.to_string() == expected.to_string()),
        "{refused}"
    );
    assert_eq!(now(&third.open()).sequence(), joined[2].sequence());
}

/// A copy that does not know how far the others are ends them all the same, and an
/// identity that is put back is in the epoch that it knows of.
#[test]
fn an_epoch_grows_on_a_copy_that_does_not_know_the_last_one() {
    let machine = Machine::new();
    machine.home.ok(&["id", "init"], b"");
    let copy = machine.restored();
    let peer = Peer::of(machine.open().did(), Arc::new(MemorySequences::new()));
    let raise = |machine: &Machine| {
        let raised =
            machine.store.renew_all_instances(&machine.backend, Pinned::Nobody, &credentials());
        raised.unwrap()
    };
    let first = raise(&machine);
    peer.meets(&now(&first)).unwrap();
    peer.refuses(&[now(&copy.open())], "EarlierEpoch");
    // In one second with the other it may be the same; the next one is not.
    let (mut second, start) = (raise(&copy), SystemTime::now());
    while second.binding().epoch() <= first.binding().epoch() {
        assert!(start.elapsed().unwrap() < Duration::from_secs(60));
        second = raise(&copy);
    }
    peer.meets(&now(&second)).unwrap();
    peer.refuses(&[now(&first)], "EarlierEpoch");
    let restored = copy.restored().open();
    assert_eq!(restored.binding().epoch(), second.binding().epoch());
    assert_ne!(instance(&restored), instance(&second));
    peer.meets(&now(&restored)).unwrap();
    peer.meets(&now(&second)).unwrap();
}

/// A DID's key makes instances without end; each that is shown is let in, and takes
/// its room from the DID's own.
#[test]
fn a_did_that_makes_instances_without_end_gets_in_and_fills_nothing() {
    let key = || icn_identity::Key::<icn_identity::Software, _>::from_seed(&[7; 32]);
    let issue = || IdentityBundle::issue(DidKey::from(key())).unwrap();
    let first = issue();
    let stolen = now(&first);
    let peer = Peer::of(first.did(), Arc::new(MemorySequences::new()));
    peer.meets(&stolen).unwrap();
    first.renew().unwrap();
    peer.meets(&now(&first)).unwrap();
    // 64 in all. As long as one is let in now and then, it is not the one to go.
    for _ in 0..2 {
        peer.meets(&now(&first)).unwrap();
        for _ in 0..63 {
            peer.meets(&now(&issue())).unwrap();
        }
    }
    peer.refuses(std::slice::from_ref(&stolen), "Superseded");
    // What docs/tls.md says of one that is forgotten; an epoch is not.
    peer.meets(&now(&issue())).unwrap();
    peer.meets(&stolen).unwrap();
    let raised = issue();
    raised.renew_all_instances().unwrap();
    peer.meets(&now(&raised)).unwrap();
    for _ in 0..65 {
        let joined = issue();
        joined.join_epoch(raised.binding().epoch()).unwrap();
        peer.meets(&now(&joined)).unwrap();
    }
    peer.refuses(&[stolen], "EarlierEpoch");
}
