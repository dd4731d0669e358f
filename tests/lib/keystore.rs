//! Files of an identity, through the library.

use std::path::Path;
use std::time::{Duration, SystemTime};

use icn_identity::backend::{AgeKeyStore, BackendConfig, BackendKind, NewKey};
use icn_identity::bundle::{BundleError, Renewal, RenewalError};
use icn_identity::config::Config;
use icn_identity::error::{KeystoreError, OpenError};
use icn_identity::keystore::backup::BackupRequest;
use icn_identity::keystore::{Credentials, IdentityStore, Located, Needs, Pinned};
use icn_identity::rotation::{RotationReason, RotationTerms};
use icn_identity::{
    DidKey, DidMethod, Error, IdentityBundle, Key, Passphrase, RotationChain, RotationStatement,
    Software, Unlocked,
};

const FAST: &str = "[identity.age]\nwork_factor = 10\n";

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse")
}

fn store(home: &Path) -> AgeKeyStore {
    let config = Config::parse(FAST).unwrap();
    AgeKeyStore::with_config(home.join("icn"), &config.identity.age)
}

fn open(store: &AgeKeyStore) -> Result<IdentityBundle<DidKey>, Error> {
    let config = Config::parse(FAST).unwrap();
    let identities = IdentityStore::new(store.home()).with_age_config(config.identity.age.clone());
    let credentials = Credentials::passphrase(passphrase());
    let opened = identities.open(store, Pinned::Nobody, &credentials)?;
    assert!(opened.renewal_failed.is_none());
    Ok(opened.bundle)
}

#[test]
fn a_created_identity_opens_as_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let made = store.create_identity(DidMethod::Icn, &passphrase()).unwrap();
    let opened = open(&store).unwrap();
    assert_eq!(made.did(), opened.did());
    assert_eq!(made.certificate_der(), opened.certificate_der());
    assert_eq!(made.x25519_public_key(), opened.x25519_public_key());
    assert_eq!(made.binding(), opened.binding());
    let tls_key = made.companions().tls_private_key_der();
    assert_eq!(*tls_key, *opened.companions().tls_private_key_der());
    opened.verify_binding(SystemTime::now()).unwrap();
    assert_eq!(opened.binding().not_after() - opened.binding().not_before(), 7 * 24 * 3600 + 300);
}

#[test]
fn the_locked_key_unlocks_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let made = store.create_identity(DidMethod::Key, &passphrase()).unwrap();
    let locked = store.open().unwrap();
    let refused = locked.unlock(&Passphrase::new("wrong")).unwrap_err();
    assert!(matches!(refused.reason(), OpenError::WrongPassphrase));
    let key: Key<Software, Unlocked> = refused.into_key().unlock(&passphrase()).unwrap();
    assert_eq!(key.did(), made.did());
    assert_eq!(key.expose_secret(), made.signer().expose_secret());
}

#[test]
fn a_work_factor_above_the_limit_is_refused_before_any_work() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let _made = store.create_identity(DidMethod::Icn, &passphrase()).unwrap();
    let path = store.home().join("identity.age");
    let file = std::fs::read(&path).unwrap();
    let text = String::from_utf8_lossy(&file[..200]).into_owned();
    let line = text.lines().nth(1).unwrap();
    assert!(line.starts_with("-> scrypt ") && line.ends_with(" 10"), "{line}");
    let bomb = line.replace(" 10", " 40");
    let file = [b"age-encryption.org/v1\n", bomb.as_bytes(), &file[22 + line.len()..]].concat();
    std::fs::write(&path, file).unwrap();
    let reason = store.open().unwrap().unlock(&passphrase()).unwrap_err().into_parts().1;
    assert_eq!(
        reason.to_string(),
        "the key file asks for scrypt work 2^40, more than the limit 2^20"
    );
    assert!(reason.help().unwrap().contains("max_work_factor"));
}

#[test]
fn an_older_header_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let _made = store.create_identity(DidMethod::Icn, &passphrase()).unwrap();
    let header = store.home().join("identity.json");
    let text = std::fs::read_to_string(&header).unwrap();
    std::fs::write(&header, text.replace("\"generation\": 1", "\"generation\": 0")).unwrap();
    let error = open(&store).unwrap_err();
    assert!(matches!(error, Error::Keystore(KeystoreError::HeaderMismatch { .. })), "{error}");
}

/// A write was cut off after the header: the previous header is found again.
#[test]
fn an_interrupted_renewal_is_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let made = store.create_identity(DidMethod::Icn, &passphrase()).unwrap();
    let header = store.home().join("identity.json");
    let text = std::fs::read_to_string(&header).unwrap();
    std::fs::copy(&header, store.home().join("identity.json.prev")).unwrap();
    std::fs::copy(store.home().join("identity.age"), store.home().join("identity.age.prev"))
        .unwrap();
    std::fs::write(&header, text.replace("\"generation\": 1", "\"generation\": 2")).unwrap();
    assert_eq!(open(&store).unwrap().did(), made.did());
    assert_eq!(std::fs::read_to_string(&header).unwrap(), text);
    assert!(!store.home().join("identity.json.prev").exists());
    assert!(!store.home().join("identity.age.prev").exists());
}

/// What a crash can leave of a renewal, at every step of it.
#[test]
fn whatever_a_crash_leaves_of_a_renewal_opens() {
    for (header, payload) in [("old", "old"), ("new", "old"), ("new", "new")] {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let made = store.create_identity(DidMethod::Icn, &passphrase()).unwrap();
        let home = store.home();
        let keep = |from: &str, to: &str| std::fs::copy(home.join(from), home.join(to)).unwrap();
        keep("identity.json", "identity.json.prev");
        keep("identity.age", "identity.age.prev");
        // A new pair of the same key, as a renewal makes it, and its parts.
        let new = tempfile::tempdir().unwrap();
        let copy = self::store(new.path());
        std::fs::create_dir(copy.home()).unwrap();
        for name in ["identity.json", "identity.age"] {
            std::fs::copy(home.join(name), copy.home().join(name)).unwrap();
        }
        set_mode(copy.home());
        let first = made.binding().sequence();
        let renewed = renew(&copy);
        assert!(renewed > first);
        if header == "new" {
            std::fs::copy(copy.home().join("identity.json"), home.join("identity.json")).unwrap();
        }
        if payload == "new" {
            std::fs::copy(copy.home().join("identity.age"), home.join("identity.age")).unwrap();
        }
        let credentials = Credentials::passphrase(passphrase());
        let opened = identities(&store)
            .open_without_renewal(&store, Pinned::Nobody, &credentials)
            .unwrap()
            .bundle;
        assert_eq!(opened.did(), made.did());
        let sequence = if payload == "new" { renewed } else { first };
        assert_eq!(opened.binding().sequence(), sequence, "{header} {payload}");
    }
}

fn set_mode(home: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(home, std::fs::Permissions::from_mode(0o700)).unwrap();
}

/// Opens at a time when the companions are due; gives their number.
fn renew(store: &AgeKeyStore) -> u64 {
    open_at(store, SystemTime::now() + 5 * DAY).binding().sequence()
}

const DAY: Duration = Duration::from_secs(24 * 3600);

fn identities(store: &AgeKeyStore) -> IdentityStore {
    let config = Config::parse(FAST).unwrap();
    IdentityStore::new(store.home()).with_age_config(config.identity.age)
}

fn open_at(store: &AgeKeyStore, at: SystemTime) -> IdentityBundle<DidKey> {
    let credentials = Credentials::passphrase(passphrase());
    let opened = identities(store).open_at(store, Pinned::Nobody, &credentials, at).unwrap();
    assert!(opened.renewal_failed.is_none());
    opened.bundle
}

/// Peers have seen what was renewed in memory. What the store renews after a
/// restart counts on from there.
#[test]
fn after_renewals_in_memory_a_restart_counts_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let daemon = store.create_identity(DidMethod::Icn, &passphrase()).unwrap();
    daemon.renew_as_own_instance().unwrap();
    let mut now = SystemTime::now();
    for _ in 0..4 {
        now += 5 * DAY;
        let before = daemon.binding().sequence();
        assert!(daemon.wants_renewal(now));
        daemon.renew_at(now, 7 * DAY).unwrap();
        assert!(daemon.binding().sequence() > before);
    }
    let restarted = open_at(&store, now);
    assert!(restarted.binding().sequence() >= daemon.binding().sequence());
}

#[test]
fn a_renewal_that_is_demanded_is_written_although_none_is_due() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let made = store.create_identity(DidMethod::Icn, &passphrase()).unwrap();
    let credentials = Credentials::passphrase(passphrase());
    let renewed = identities(&store).renew(&store, Pinned::To(made.did()), &credentials).unwrap();
    assert!(renewed.binding().sequence() > made.binding().sequence());
    let tls_key = made.companions().tls_private_key_der();
    assert_ne!(*renewed.companions().tls_private_key_der(), *tls_key);
    assert_eq!(renewed.x25519_public_key(), made.x25519_public_key());
    // It is what the next process opens, and what others can see.
    assert_eq!(open(&store).unwrap().binding(), renewed.binding());
    assert_eq!(identities(&store).header().unwrap().certificate(), renewed.certificate_der());
    let wrong = Credentials::passphrase(Passphrase::new("wrong"));
    let error = identities(&store).renew(&store, Pinned::Nobody, &wrong).unwrap_err();
    assert!(matches!(error, Error::Open(OpenError::WrongPassphrase)), "{error}");
}

#[test]
fn a_clock_that_was_ahead_once_does_not_lock_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let made = store.create_identity(DidMethod::Icn, &passphrase()).unwrap();
    let now = SystemTime::now();
    let ahead = open_at(&store, now + 365 * DAY);
    assert!(ahead.verify_binding(now).is_err() && ahead.wants_renewal(now));
    let right = open_at(&store, now);
    right.verify_binding(now).unwrap();
    assert!(!right.wants_renewal(now));
    // Peers that were ahead as well have seen the other.
    assert!(right.binding().sequence() > ahead.binding().sequence());
    assert!(ahead.binding().sequence() > made.binding().sequence());
    // As far ahead as peers' clocks may differ is nothing to act on.
    let (seconds, begin) = (Duration::from_secs, right.binding().not_before());
    let begin = std::time::UNIX_EPOCH + seconds(begin);
    assert!(!right.wants_renewal(begin - seconds(300)));
    assert!(right.wants_renewal(begin - seconds(301)));
}

#[test]
fn a_clock_that_was_never_set_renews_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let made = store.create_identity(DidMethod::Icn, &passphrase()).unwrap();
    let floor = std::time::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    for at in [std::time::UNIX_EPOCH, floor - Duration::from_secs(1)] {
        assert!(!made.wants_renewal(at));
        assert_eq!(open_at(&store, at).binding(), made.binding());
    }
    assert!(made.wants_renewal(floor));
    let bundle = open(&store).unwrap();
    for at in [std::time::UNIX_EPOCH, floor - Duration::from_secs(1)] {
        assert_eq!(bundle.renew_if_due(at).unwrap(), Renewal::NotDue);
    }
    let refused = bundle.renew_at(std::time::UNIX_EPOCH, 7 * DAY).unwrap_err();
    let not_set = RenewalError::Bundle(BundleError::ClockNotSet { now: 0 });
    assert_eq!(refused.to_string(), not_set.to_string());
    assert!(refused.help().unwrap().contains("set the clock"));
    assert_eq!(bundle.binding(), made.binding());
}

#[test]
fn past_two_thirds_a_bundle_wants_renewal() {
    let key = Key::<Software, Unlocked>::generate().unwrap();
    let now = SystemTime::now();
    let bundle = IdentityBundle::issue(key).unwrap();
    let day = Duration::from_secs(24 * 3600);
    assert!(!bundle.wants_renewal(now + 4 * day));
    assert!(bundle.wants_renewal(now + 5 * day));
    assert!(bundle.verify_binding(now + 6 * day).is_ok());
    let late = bundle.verify_binding(now + 8 * day).unwrap_err();
    assert!(matches!(late, BundleError::Expired { .. }), "{late}");
    let early = bundle.verify_binding(now - day).unwrap_err();
    assert!(matches!(early, BundleError::NotYetValid { .. }), "{early}");
    let before = (bundle.certificate_der(), bundle.x25519_public_key());
    // The first number is the time, so that identities made anew count on.
    let first = bundle.binding().sequence();
    assert!(first >= now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs());
    bundle.renew_at(now + 8 * day, 7 * day).unwrap();
    assert!(bundle.verify_binding(now + 8 * day).is_ok());
    assert_ne!(bundle.certificate_der(), before.0);
    assert_eq!(bundle.x25519_public_key(), before.1);
    let time = (now + 8 * day).duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(bundle.binding().sequence(), time);
    // Never the same or a lower one, whatever the clock does.
    bundle.renew_at(now, 7 * day).unwrap();
    assert_eq!(bundle.binding().sequence(), time + 1);
}

#[test]
fn the_factory_opens_what_is_configured() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::parse("").unwrap().backend(dir.path()).unwrap();
    assert!(matches!(config, BackendConfig::Age { .. }));
    let backend = config.open().unwrap();
    assert_eq!(backend.kind(), BackendKind::Age);
    assert_eq!(backend.describe().location, dir.path());
    let error = Config::parse("[identity]\nbackend = \"pkcs11\"\n").unwrap();
    let error = error.backend(dir.path()).unwrap_err();
    assert!(error.to_string().contains("no [identity.pkcs11]"), "{error}");
}

/// Every command that opens or changes an identity, on one.
#[test]
fn every_command_sweeps_what_a_killed_writer_left() {
    let dir = tempfile::tempdir().unwrap();
    let backend = store(dir.path());
    let made = backend.create_identity(DidMethod::Icn, &passphrase()).unwrap();
    let successor = store(&dir.path().join("next"));
    let next = successor.create_identity(DidMethod::Icn, &passphrase()).unwrap();
    let config = Config::parse(FAST).unwrap().identity.age;
    let given = Credentials::passphrase(passphrase());
    let key = "age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq";
    let statement = |next: &IdentityBundle<DidKey>| {
        let terms = RotationTerms::new(RotationReason::Manual);
        let signed = RotationStatement::sign_unguarded(made.signer(), next.signer(), None, &terms)?;
        Ok(RotationChain::verify([signed])?)
    };
    type Deed<'a> = (&'static str, Box<dyn Fn(Located<'_>) -> Result<(), Error> + 'a>);
    let deeds: [Deed<'_>; 6] = [
        ("open", Box::new(|it| it.open(&given).map(drop))),
        ("open without renewal", Box::new(|it| it.open_without_renewal(&given).map(drop))),
        ("renew", Box::new(|it| it.renew(&given).map(drop))),
        ("rotation", Box::new(|it| it.record_rotation_unguarded(&given, statement).map(drop))),
        (
            "backup",
            Box::new(|it| {
                let request = BackupRequest::new(vec![key.parse().unwrap()]).unwrap();
                it.backup(&given, &request).map(drop)
            }),
        ),
        ("passphrase", Box::new(|it| it.change_passphrase(&given, &passphrase()))),
    ];
    let identities = IdentityStore::new(successor.home()).with_age_config(config);
    for (name, deed) in deeds {
        let left = successor.home().join(".identity.json.prev.0123456789abcdef01234567");
        std::fs::write(&left, "half of something").unwrap();
        let located = identities.locate(&successor, Pinned::To(next.did())).unwrap();
        assert_eq!(located.needs(), Needs::Passphrase);
        assert!(left.exists(), "{name}");
        deed(located).unwrap();
        assert!(!left.exists(), "{name}");
    }
}

/// The lock is not held while a person looks for the passphrase.
#[test]
fn what_changes_after_an_identity_was_located_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let backend = store(dir.path());
    let made = backend.create_identity(DidMethod::Icn, &passphrase()).unwrap();
    let config = Config::parse(FAST).unwrap().identity.age;
    let identities = IdentityStore::new(backend.home()).with_age_config(config);
    let located = identities.locate(&backend, Pinned::To(made.did())).unwrap();
    let new = Passphrase::new("another passphrase");
    let given = Credentials::passphrase(passphrase());
    identities.change_passphrase(&backend, Pinned::Nobody, &given, &new).unwrap();
    let error = located.open(&given).unwrap_err();
    assert!(matches!(error, Error::Open(OpenError::WrongPassphrase)), "{error}");
    let located = identities.locate(&backend, Pinned::To(made.did())).unwrap();
    let renewed =
        identities.renew(&backend, Pinned::Nobody, &Credentials::passphrase(new.clone())).unwrap();
    let opened = located.open(&Credentials::passphrase(new)).unwrap();
    assert_eq!(opened.bundle.binding(), renewed.binding());
    // Another identity in its place is refused, although it was located before.
    let other = store(&dir.path().join("other"));
    let _other = other.create_identity(DidMethod::Icn, &passphrase()).unwrap();
    let located = identities.locate(&backend, Pinned::To(made.did())).unwrap();
    for name in ["identity.json", "identity.age"] {
        std::fs::copy(other.home().join(name), backend.home().join(name)).unwrap();
    }
    let error = located.open(&given).unwrap_err();
    assert!(matches!(error, Error::Keystore(KeystoreError::NotPinned { .. })), "{error}");
}

#[test]
fn a_software_draft_that_is_dropped_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let backend = store(dir.path());
    let config = Config::parse(FAST).unwrap().identity.age;
    let identities = IdentityStore::new(backend.home()).with_age_config(config);
    let given = Credentials::passphrase(passphrase());
    let file = dir.path().join("icn.toml");
    let mut draft = identities.draft(&backend, &NewKey::default(), &given).unwrap();
    draft.write_config(&file, |_| Ok("pinned".into())).unwrap();
    assert!(backend.home().join("unfinished.json").exists());
    drop(draft);
    assert!(!file.exists() && !backend.home().join("unfinished.json").exists());
    let made = identities.draft(&backend, &NewKey::default(), &given).unwrap().write().unwrap();
    assert_eq!(open(&backend).unwrap().did(), made.did());
}
