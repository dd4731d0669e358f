//! The chain in an identity's payload.

use std::fs;
use std::path::Path;

use icn_identity::backend::AgeKeyStore;
use icn_identity::config::{AgeConfig, Config};
use icn_identity::keystore::{Credentials, IdentityStore, Opened, Pinned};
use icn_identity::{DidKey, Error, IdentityBundle, Passphrase};

use super::*;

pub(super) struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    /// With an identity of its own.
    pub(super) fn new() -> Self {
        let home = Self { dir: tempfile::tempdir().unwrap() };
        let _made = home.backend().create_identity(Default::default(), &passphrase()).unwrap();
        home
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("icn")
    }

    pub(super) fn backend(&self) -> AgeKeyStore {
        AgeKeyStore::with_config(self.path(), &fast())
    }

    pub(super) fn store(&self) -> IdentityStore {
        IdentityStore::new(self.path()).with_age_config(fast())
    }

    fn open_at(&self, now: SystemTime) -> Opened {
        let credentials = Credentials::passphrase(passphrase());
        let opened =
            self.store().open_at(&self.backend(), Pinned::Nobody, &credentials, now).unwrap();
        assert!(opened.renewal_failed.is_none());
        opened
    }

    pub(super) fn open(&self) -> Opened {
        self.open_at(SystemTime::now())
    }

    fn record(
        &self,
        make: impl FnOnce(&IdentityBundle<DidKey>) -> Result<RotationChain, Error>,
    ) -> Result<RotationChain, Error> {
        let credentials = Credentials::passphrase(passphrase());
        let recorded = self.store().record_rotation_unguarded(
            &self.backend(),
            Pinned::Nobody,
            &credentials,
            make,
        );
        recorded.map(|(_, chain)| chain)
    }

    /// Takes over from a key.
    fn succeed(&self, old: &dyn DidSigner) -> RotationChain {
        self.record(|bundle| Ok(first(old, bundle.signer()))).unwrap()
    }

    pub(super) fn files(&self) -> [Vec<u8>; 2] {
        ["identity.json", "identity.age"].map(|name| fs::read(self.path().join(name)).unwrap())
    }

    fn tidy(&self) -> bool {
        let left = |name: &str| Path::new(&self.path()).join(name).exists();
        !left("identity.json.prev") && !left("identity.age.prev")
    }
}

pub(super) fn passphrase() -> Passphrase {
    Passphrase::new("correct horse")
}

fn fast() -> AgeConfig {
    Config::parse("[identity.age]\nwork_factor = 10\n").unwrap().identity.age
}

#[test]
fn a_chain_is_stored_and_read_back_and_a_new_identity_has_none() {
    let (home, old) = (Home::new(), software());
    assert_eq!(home.open().rotation_chain().unwrap(), None);
    let generation = home.store().header().unwrap().generation();
    let chain = home.succeed(&old);
    assert!(home.tidy());
    assert_eq!(home.store().header().unwrap().generation(), generation + 1);
    let opened = home.open();
    assert_eq!(opened.rotation_chain().unwrap().unwrap(), chain);
    assert_eq!(chain.follow(old.did()).unwrap(), opened.bundle.did());
}

#[test]
fn a_renewal_keeps_the_chain() {
    let home = Home::new();
    let chain = home.succeed(&software());
    let first = home.open().bundle.binding().sequence();
    let five_days = Duration::from_secs(5 * 24 * 3600);
    let later = SystemTime::now() + five_days;
    let renewed = home.open_at(later);
    assert!(renewed.bundle.binding().sequence() > first);
    assert_eq!(renewed.rotation_chain().unwrap().unwrap(), chain);
    let again = home.open_at(later);
    assert_eq!(again.bundle.binding(), renewed.bundle.binding());
    assert_eq!(again.rotation_chain().unwrap().unwrap(), chain);
}

#[test]
fn a_chain_goes_on_from_one_home_to_the_next() {
    let (one, two, old) = (Home::new(), Home::new(), software());
    one.succeed(&old);
    let opened = one.open();
    let before = opened.rotation_chain().unwrap().unwrap();
    let files = one.files();
    let chain = two
        .record(|bundle| Ok(next(&before, opened.bundle.signer(), bundle.signer(), &terms())?))
        .unwrap();
    assert_eq!(chain.follow(old.did()).unwrap(), two.open().bundle.did());
    assert_eq!(two.open().rotation_chain().unwrap().unwrap(), chain);
    assert_eq!(one.files(), files);
}

#[test]
fn a_chain_that_ends_elsewhere_is_not_stored() {
    let home = Home::new();
    let files = home.files();
    let [a, b] = software_keys();
    let error = home.record(|_| Ok(first(&a, &b))).unwrap_err();
    let rotation = matches!(&error, Error::Rotation(RotationError::NotThisIdentity { .. }));
    assert!(rotation, "{error}");
    // Whatever else goes wrong.
    let error = home.record(|bundle| Ok(first(bundle.signer(), &b))).unwrap_err();
    assert!(error.to_string().starts_with("the chain ends in "), "{error}");
    home.record(|_| Err(RotationError::Empty.into())).unwrap_err();
    assert_eq!(home.files(), files);
    assert!(home.tidy());
}

#[test]
fn a_key_takes_over_once_and_a_second_statement_is_not_even_signed() {
    let home = Home::new();
    home.succeed(&software());
    let files = home.files();
    let error = home.record(|_| panic!("asked to sign")).unwrap_err();
    let rotation = matches!(&error, Error::Rotation(RotationError::AlreadyStored { .. }));
    assert!(rotation, "{error}");
    assert!(error.help().unwrap().contains("Opened::rotation_chain"));
    assert_eq!(home.files(), files);
}

/// What a crash can leave of it, at every step.
#[test]
fn whatever_a_crash_leaves_of_a_recording_opens() {
    for (new_header, new_payload) in [(false, false), (true, false), (true, true)] {
        let home = Home::new();
        let old = home.files();
        let chain = home.succeed(&software());
        let new = home.files();
        let put = |name: &str, bytes: &[u8]| {
            use std::os::unix::fs::PermissionsExt as _;
            let path = home.path().join(name);
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        put("identity.json.prev", &old[0]);
        put("identity.age.prev", &old[1]);
        put("identity.json", if new_header { &new[0] } else { &old[0] });
        put("identity.age", if new_payload { &new[1] } else { &old[1] });
        let stored = home.open().rotation_chain().unwrap();
        assert_eq!(stored, new_payload.then_some(chain), "{new_header} {new_payload}");
    }
}
