//! Keys that `icnd` has, for which it signs through its door.

use std::sync::{Mutex, OnceLock};

use icn_identity::client::{RemoteIdentity, RemoteSigner};
use icn_identity::{AlgorithmId, Custody, Did, DidSigner as _, Error, Signature};
use support::alone::alone_as;
use support::home::{Home, PASSPHRASE};
use support::softhsm::PIN;
use support::swtpm::Swtpm;

use super::fixture::Shows;
use super::properties::remote::Remote;
use super::{CONTEXT, Fixture, MESSAGE, conformance};
use crate::signers::daemon::Daemon;

conformance! {
    remote ed25519: Icnd<OfFile>;
    remote p256: Icnd<OfTpm>;
}

/// What the daemon has its key in.
trait KeepsIt: Default + Sync {
    const ALGORITHM: AlgorithmId;
    fn home(&self) -> Home;
}

#[derive(Default)]
struct OfFile;

impl KeepsIt for OfFile {
    const ALGORITHM: AlgorithmId = AlgorithmId::Ed25519;

    fn home(&self) -> Home {
        let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
        home.ok(&["id", "init"], b"");
        home
    }
}

/// One for each: an open key takes room.
#[derive(Default)]
struct OfTpm(Mutex<Vec<Swtpm>>);

impl KeepsIt for OfTpm {
    const ALGORITHM: AlgorithmId = AlgorithmId::P256;

    fn home(&self) -> Home {
        let home = Home::new().with("ICN_PIN", PIN);
        let tpm = Swtpm::start();
        let tcti = tpm.tcti();
        self.0.lock().unwrap().push(tpm);
        home.write(
            "icn.toml",
            &format!("[identity.tpm]\ndevice_path = {tcti:?}\npin_work_factor = 10\n"),
        );
        let init = ["id", "init", "--backend", "tpm", "--no-platform-binding"];
        home.ok(&[&init[..], &["--algorithm", "p256"]].concat(), b"");
        home
    }
}

struct Icnd<K> {
    one: OnceLock<Daemon>,
    other: OnceLock<Daemon>,
    /// Dropped last: the daemons use it.
    keeps: K,
}

impl<K: KeepsIt> Icnd<K> {
    fn daemon(&self, name: &str) -> &Daemon {
        let daemon = if name == "one" { &self.one } else { &self.other };
        daemon.get_or_init(|| Daemon::serve(self.keeps.home(), CONTEXT))
    }
}

impl<K: KeepsIt> Fixture for Icnd<K> {
    type Key = RemoteSigner;
    type Erased = RemoteSigner;
    const ALGORITHM: AlgorithmId = K::ALGORITHM;
    const CUSTODY: Shows = Shows::Nothing(Custody::Reported);

    fn alone<B: FnOnce(&Self)>(body: B) {
        alone_as::<B>(|| {
            let (one, other, keeps) = (OnceLock::new(), OnceLock::new(), K::default());
            body(&Self { one, other, keeps });
        });
    }

    fn key(&self, name: &str) -> RemoteSigner {
        let signer = self.daemon(name).identity().signer();
        assert_eq!(signer.verifying_key().algorithm(), K::ALGORITHM);
        signer
    }

    fn erase(key: RemoteSigner) -> RemoteSigner {
        key
    }

    fn exchanged(&self) -> Vec<(&'static str, Result<Signature, Error>)> {
        let sign = |identity: RemoteIdentity| Ok(identity.signer().sign(MESSAGE)?);
        let one = self.daemon("one").identity();
        let did: Did = one.did().clone();
        let socket = self.daemon("other").identity().socket().to_owned();
        let connected = RemoteIdentity::connect(&socket, did).map_err(Error::from).and_then(sign);
        // The socket of a daemon that was met already becomes another's.
        one.signer().sign(MESSAGE).unwrap();
        self.daemon("one").kill();
        std::fs::rename(&socket, one.socket()).unwrap();
        vec![("another daemon", connected), ("another daemon's socket later", sign(one))]
    }
}

impl<K: KeepsIt> Remote for Icnd<K> {
    fn identity(&self) -> RemoteIdentity {
        self.daemon("one").identity()
    }
}
