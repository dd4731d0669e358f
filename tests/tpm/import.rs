//! Seeds that were in a file, sealed to a TPM.

use std::fs;

use icn_identity::backend::{BackendKind, Imported, ImportedKey, SeedImport as _};
use icn_identity::config::Config;
use icn_identity::error::ErrorKind;
use icn_identity::home::{CredentialSource, Home, HomeOptions, Made, NewPin};
use icn_identity::keystore::IdentityStore;
use icn_identity::{DidSignerExt as _, Key, Requirement, Software, Unlocked};

use super::*;

const PASSPHRASE: &str = "correct horse battery staple";

fn given(secret: Option<&str>) -> CredentialSource<'static> {
    secret
        .map_or_else(CredentialSource::nothing, |secret| CredentialSource::given(secret.to_owned()))
}

fn pin(given: Option<&str>) -> Credentials {
    given.map_or_else(Credentials::default, |pin| Credentials::pin(Pin::new(pin)))
}

fn import(backend: &TpmBackend, key: &Key<Software, Unlocked>, given: Option<&str>) -> Imported {
    backend.import(key, None, &pin(given)).unwrap()
}

fn sealed(backend: &TpmBackend, imported: Imported, key: &Key<Software, Unlocked>) -> SealedKey {
    let ImportedKey::TpmSealed(open) = imported.key else { panic!("{:?}", imported.key) };
    assert_eq!(open.did(), key.did());
    assert_eq!(open.sign(b"message").unwrap(), key.sign(b"message").unwrap());
    let found = backend.find(&imported.locator, key.did()).unwrap();
    let KeyAtRest::Device(key) = found else { panic!("{found:?}") };
    key
}

#[test]
fn a_seed_of_a_file_is_sealed_under_the_configured_policy_and_is_tpm_sealed() {
    for pin in [None, Some(PIN)] {
        let mut node = Node::new();
        let mut config = node.config();
        config.pin = pin.is_some();
        let key = Key::<Software, Unlocked>::generate().unwrap();
        let backend = node.open(&config);
        backend.check_import(None).unwrap();
        let found = sealed(&backend, import(&backend, &key, pin), &key);
        node.assert_tidy();
        let open = found.unseal(&pin.map_or_else(Pin::none, Pin::new)).unwrap();
        assert!(matches!(open, DidKey::TpmSealed(_)), "{open:?}");
        assert!(Requirement::any().confined().check(&open).is_err());
        assert!(Requirement::any().never_exposed().check(&open).is_err());
        assert!(!open.is_hardware_backed());
        drop(open);
        // The policy is the TPM's to hold to.
        let again = sealed(&backend, import(&backend, &key, pin), &key);
        if pin.is_some() {
            let refused = again.unseal(&Pin::new(WRONG)).unwrap_err();
            assert_eq!(Error::from(refused).kind(), ErrorKind::WrongCredential);
            assert_eq!(node.tpm.lockout_counter(), 1);
        } else {
            node.tpm.extend_pcr(16);
            again.unseal(&Pin::none()).unwrap_err();
        }
        node.assert_tidy();
        node.tpm.restart();
    }
}

#[test]
fn what_the_policy_cannot_be_is_refused_and_nothing_is_sealed() {
    let node = Node::new();
    let key = Key::<Software, Unlocked>::generate().unwrap();
    let without = node.open(&node.config()).import(&key, None, &pin(Some(PIN))).unwrap_err();
    assert_shows(without, &["a PIN was given"]);
    let with = node.open(&node.with_pin()).import(&key, None, &pin(None)).unwrap_err();
    assert_eq!(with.kind(), ErrorKind::CredentialMissing, "{with}");
    node.assert_tidy();
}

struct Moved {
    node: Node,
    old: Home,
    dir: tempfile::TempDir,
    config: Config,
}

impl Moved {
    /// An identity of an age file, beside a TPM.
    fn new(pin: bool) -> Self {
        let (node, dir) = (Node::new(), tempfile::tempdir().unwrap());
        let mut config = Config::default();
        config.identity.age.work_factor = 10;
        let mut old =
            HomeOptions::new().with_config(config.clone()).open(dir.path().join("old")).unwrap();
        drop(old.create(&NewKey::default(), given(Some(PASSPHRASE))).unwrap());
        config.identity.backend = BackendKind::Tpm;
        config.identity.tpm = Some(if pin { node.with_pin() } else { node.config() });
        Self { node, old, dir, config }
    }

    fn import(&self, name: &str, pin: Option<&str>) -> Result<Made, Error> {
        let options = HomeOptions::new().with_config(self.config.clone());
        let mut home = options.open(self.dir.path().join(name))?;
        let old = self.old.locate()?.ask(given(Some(PASSPHRASE)))?;
        home.create_imported(old, None, given(pin))
    }

    fn home(&self, name: &str) -> Home {
        Home::open(self.dir.path().join(name)).unwrap()
    }
}

#[test]
fn an_identity_is_moved_into_a_tpm_and_says_for_ever_that_it_was_in_a_file() {
    for with_pin in [None, Some(PIN)] {
        let moved = Moved::new(with_pin.is_some());
        let before = moved.old.unlock(given(Some(PASSPHRASE))).unwrap().bundle;
        let made = moved.import("new", with_pin).unwrap();
        assert_eq!(made.bundle.did(), before.did());
        assert_eq!(made.bundle.x25519_public_key(), before.x25519_public_key());
        assert_ne!(made.bundle.certificate_der(), before.certificate_der());
        assert!(matches!(made.bundle.signer(), DidKey::TpmSealed(_)));
        let until = made.header.in_file_until();
        assert!(until.is_some());
        drop(made);
        moved.node.assert_tidy();
        let home = moved.home("new");
        drop(home.unlock(given(with_pin)).unwrap());
        drop(home.locate().unwrap().ask(given(with_pin)).unwrap().renew().unwrap());
        assert_eq!(home.header().unwrap().in_file_until(), until);
        let resealed = home.locate().unwrap().ask(given(with_pin)).unwrap();
        assert_eq!(resealed.reseal(&NewPin::AsConfigured, None).unwrap().in_file_until(), until);
        // It opens after the seal was made anew, and the old one as before.
        let opened = moved.home("new").unlock(given(with_pin)).unwrap().bundle;
        assert_eq!(opened.did(), before.did());
        assert_eq!(moved.home("new").header().unwrap().in_file_until(), until);
        drop(moved.old.unlock(given(Some(PASSPHRASE))).unwrap());
    }
}

#[test]
fn a_seal_that_fails_leaves_no_identity_and_the_old_one_as_it_was() {
    let moved = Moved::new(true);
    let before = fs::read(moved.old.directory().join("identity.age")).unwrap();
    // The TPM is locked by wrong PINs of something else; it is away; the passphrase is wrong.
    let options = HomeOptions::new().with_config(moved.config.clone());
    let mut home = options.open(moved.dir.path().join("new")).unwrap();
    let old = moved.old.locate().unwrap().ask(given(Some("wrong"))).unwrap();
    let refused = home.create_imported(old, None, given(Some(PIN))).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::WrongCredential, "{refused}");
    assert!(IdentityStore::new(home.directory()).check_vacant().is_ok());
    assert_eq!(fs::read(moved.old.directory().join("identity.age")).unwrap(), before);
    drop(moved.import("new", Some(PIN)).unwrap());
    assert_eq!(moved.node.tpm.lockout_counter(), 0);
}
