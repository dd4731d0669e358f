//! Which instance and which epoch an identity's bindings have, wherever they come from.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use icn_identity::backend::{AgeKeyStore, NewKey};
use icn_identity::bundle::{BundleError, Instance, RenewalError};
use icn_identity::config::{AgeConfig, Config};
use icn_identity::keystore::backup::{Backup, BackupRequest, RecoveryKeys};
use icn_identity::keystore::{Credentials, IdentityStore, Pinned};
use icn_identity::{DidKey, DidSigner, Error, IdentityBundle, Key, Passphrase, Software, Unlocked};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn fast() -> AgeConfig {
    Config::parse("[identity.age]\nwork_factor = 10\n").unwrap().identity.age
}

fn credentials() -> Credentials {
    Credentials::passphrase(Passphrase::new("correct horse"))
}

/// One home, and whatever is there.
struct Home {
    store: IdentityStore,
    backend: AgeKeyStore,
}

impl Home {
    fn at(path: PathBuf) -> Self {
        let backend = AgeKeyStore::with_config(path.clone(), &fast());
        Self { store: IdentityStore::new(path).with_age_config(fast()), backend }
    }

    fn create(&self) -> IdentityBundle<DidKey> {
        self.store.create(&self.backend, &NewKey::default(), &credentials()).unwrap()
    }

    fn open_at(&self, at: SystemTime) -> IdentityBundle<DidKey> {
        let opened = self.store.open_at(&self.backend, Pinned::Nobody, &credentials(), at).unwrap();
        assert!(opened.renewal_failed.is_none());
        opened.bundle
    }

    fn open(&self) -> IdentityBundle<DidKey> {
        self.open_at(SystemTime::now())
    }

    fn raise(&self) -> IdentityBundle<DidKey> {
        self.store.renew_all_instances(&self.backend, Pinned::Nobody, &credentials()).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.store.home().join(name)
    }
}

#[track_caller]
fn instance<S: DidSigner>(bundle: &IdentityBundle<S>) -> Instance {
    *bundle.binding().instance().unwrap()
}

#[test]
fn the_store_keeps_its_instance_and_memory_gets_one_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("icn"));
    let made = home.create();
    let own = instance(&made);
    let now = SystemTime::now();
    // Whatever the store does: due, demanded, in another epoch.
    assert_eq!(instance(&home.open()), own);
    assert_eq!(instance(&home.open_at(now + WEEK)), own);
    let renewed = home.store.renew(&home.backend, Pinned::Nobody, &credentials()).unwrap();
    assert_eq!(instance(&renewed), own);
    assert_eq!(instance(&home.raise()), own);
    // Two that were opened and renew in memory are two more, each the same from then on.
    let opened = home.open();
    assert_eq!(instance(&opened), own);
    let mut memory = Vec::new();
    for bundle in [&made, &opened] {
        bundle.renew_as_own_instance().unwrap();
        memory.push(instance(bundle));
        bundle.renew_at(now + 2 * WEEK, WEEK).unwrap();
        assert_eq!(memory.last(), Some(&instance(bundle)));
    }
    assert_ne!(memory[0], memory[1]);
    assert!(!memory.contains(&own));
    // Also by another name for its type.
    let typed = made.into_static::<Software>().unwrap();
    typed.renew_at(now + 3 * WEEK, WEEK).unwrap();
    assert_eq!(instance(&typed), memory[0]);
    let typed = home.open().into_static::<Software>().unwrap();
    typed.renew_at(now + 3 * WEEK, WEEK).unwrap();
    assert_eq!(instance(&typed), own);
    let before = home.open_at(now + 3 * WEEK).binding();
    assert_eq!(before, typed.binding());
    typed.renew_as_own_instance().unwrap();
    assert_ne!(instance(&typed), own);
    typed.renew().unwrap();
    assert_eq!(home.open_at(now + 3 * WEEK).binding(), before);
    // Nothing of that is in the store.
    assert_eq!(instance(&home.open()), own);
    // Without a store, memory is the home from the beginning.
    let issue = || IdentityBundle::issue(Key::<Software, Unlocked>::from_seed(&[7; 32])).unwrap();
    let (one, other) = (issue(), issue());
    assert_eq!((one.did(), one.binding().epoch()), (other.did(), 0));
    assert_ne!(instance(&one), instance(&other));
    let first = instance(&one);
    one.renew_at(now, WEEK).unwrap();
    assert_eq!(instance(&one), first);
}

#[test]
fn an_epoch_is_the_time_grows_and_is_kept_by_renewals() {
    let key = Key::<Software, Unlocked>::from_seed(&[7; 32]);
    let bundle = IdentityBundle::issue(key).unwrap();
    let now = SystemTime::now();
    let unix = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let epoch = || bundle.binding().epoch();
    let mut before = bundle.binding().number();
    let mut later = |expected| {
        assert_eq!(epoch(), expected);
        bundle.verify_binding(now).unwrap();
        assert!(bundle.binding().number() > before);
        assert!(bundle.binding().sequence() > before.sequence);
        before = bundle.binding().number();
    };
    bundle.renew_at(now, WEEK).unwrap();
    later(0);
    bundle.renew_all_instances().unwrap();
    assert!(epoch() >= unix(now) && epoch() <= unix(SystemTime::now()));
    later(epoch());
    // Others' clocks may be ahead.
    let ahead = unix(now) + 1000;
    bundle.join_epoch(ahead).unwrap();
    later(ahead);
    bundle.renew_at(now, WEEK).unwrap();
    later(ahead);
    bundle.join_epoch(ahead).unwrap();
    later(ahead);
    bundle.renew_all_instances().unwrap();
    later(ahead + 1);

    let kept = bundle.binding();
    let refused = bundle.join_epoch(ahead).unwrap_err();
    let earlier =
        RenewalError::Bundle(BundleError::EarlierEpoch { present: ahead + 1, asked: ahead });
    assert_eq!(refused.to_string(), earlier.to_string());
    assert!(refused.help().unwrap().contains("join the latest epoch"));
    // What nobody could go beyond is no epoch.
    for late in [253_402_300_800, u64::MAX] {
        let refused = bundle.join_epoch(late).unwrap_err();
        assert!(is_too_late(&refused), "{refused}");
        assert!(refused.help().is_some());
    }
    let refused = bundle.renew_at(UNIX_EPOCH, WEEK).unwrap_err();
    let not_set = matches!(&refused, RenewalError::Bundle(BundleError::ClockNotSet { .. }));
    assert!(not_set, "{refused}");
    assert_eq!(bundle.binding(), kept);
    bundle.join_epoch(253_402_300_799).unwrap();
    bundle.renew_at(now, WEEK).unwrap();
    let refused = bundle.renew_all_instances().unwrap_err();
    assert!(is_too_late(&refused), "{refused}");
}

fn is_too_late(refused: &RenewalError) -> bool {
    matches!(refused, RenewalError::Bundle(BundleError::EpochTooLate { .. }))
}

/// The files of another program: what an older version of this one has written.
#[test]
fn an_identity_of_an_older_version_opens_and_is_renewed_once() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("icn"));
    fs::create_dir(home.store.home()).unwrap();
    set_mode(home.store.home(), 0o700);
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/older-binding");
    for name in ["identity.json", "identity.age"] {
        fs::copy(fixture.join(name), home.file(name)).unwrap();
        set_mode(&home.file(name), 0o600);
    }
    let header = home.store.header().unwrap();
    assert!(header.binding().is_none());
    let older = home
        .store
        .open_without_renewal(&home.backend, Pinned::Nobody, &credentials())
        .unwrap()
        .bundle;
    assert_eq!((older.binding().instance(), older.binding().epoch()), (None, 0));
    older.binding().verify().unwrap();
    let made = UNIX_EPOCH + Duration::from_secs(older.binding().sequence());
    older.verify_binding(made).unwrap();
    assert!(older.wants_renewal(made));
    // In memory it is renewed as well, if that is asked for.
    let memory = home
        .store
        .open_without_renewal(&home.backend, Pinned::Nobody, &credentials())
        .unwrap()
        .bundle;
    assert_eq!(memory.renewal_due_at(), UNIX_EPOCH);
    memory.renew_as_own_instance().unwrap();

    let renewed = home.open_at(made);
    assert_eq!(renewed.did(), older.did());
    assert_eq!(renewed.x25519_public_key(), older.x25519_public_key());
    assert_eq!(renewed.did_document(), older.did_document());
    assert!(renewed.binding().sequence() > older.binding().sequence());
    assert!(!renewed.wants_renewal(made));
    assert_ne!(instance(&renewed), instance(&memory));
    let header = home.store.header().unwrap();
    assert_eq!(header.binding(), Some(renewed.binding()));
    assert_eq!(header.generation(), 2);
    assert_eq!(home.open_at(made).binding(), renewed.binding());
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// `identity.age` is lost, and the backup is older than what peers have seen.
#[test]
fn what_is_put_back_is_another_instance_and_in_no_earlier_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("icn"));
    let made = home.create();
    let backup = backed_up(&home, dir.path());
    let raised = home.raise();
    assert!(raised.binding().epoch() > made.binding().epoch());

    // Elsewhere nothing else is known than what is in the backup.
    let other = Home::at(dir.path().join("other"));
    let restored = other.store.restore(&other.backend, backup(), made.did(), &credentials());
    let restored = restored.unwrap();
    assert_eq!(restored.binding().epoch(), made.binding().epoch());
    assert_ne!(instance(&restored), instance(&made));
    // It is the store's from then on.
    assert_eq!(other.open().binding(), restored.binding());
    let renewed = other.store.renew(&other.backend, Pinned::Nobody, &credentials()).unwrap();
    assert_eq!(instance(&renewed), instance(&restored));
    let epoch = raised.binding().epoch();
    let joined =
        other.store.join_epoch(&other.backend, Pinned::Nobody, &credentials(), epoch).unwrap();
    assert_eq!((joined.binding().epoch(), instance(&joined)), (epoch, instance(&restored)));
    let refused = other.store.join_epoch(&other.backend, Pinned::Nobody, &credentials(), epoch - 1);
    let refused = refused.unwrap_err();
    assert!(matches!(refused, Error::Bundle(BundleError::EarlierEpoch { .. })), "{refused}");
    assert_eq!(other.open().binding(), joined.binding());

    // Here the header that is left says more.
    fs::remove_file(home.file("identity.age")).unwrap();
    let restored = home.store.restore(&home.backend, backup(), made.did(), &credentials());
    let restored = restored.unwrap();
    assert_eq!(restored.binding().epoch(), epoch);
    assert!(![&made, &raised].iter().any(|old| instance(old) == instance(&restored)));
}

/// Whoever can write the header raises no epoch: the DID's key has signed it.
#[test]
fn a_header_whose_certificate_was_changed_shows_no_binding() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("icn"));
    let made = home.create();
    let backup = backed_up(&home, dir.path());
    let other = Home::at(dir.path().join("other"));
    let _ = (other.create(), other.raise());
    let text = fs::read_to_string(home.file("identity.json")).unwrap();
    let certificate = |home: &Home| {
        let text = fs::read_to_string(home.file("identity.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["certificate"].as_str().unwrap().to_owned()
    };
    let own = certificate(&home);
    let mut flipped = own.clone().into_bytes();
    let middle = flipped.len() / 2;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    assert_eq!(home.store.header().unwrap().binding(), Some(made.binding()));
    for forged in [certificate(&other), flipped] {
        fs::write(home.file("identity.json"), text.replace(&own, &forged)).unwrap();
        assert_eq!(home.store.header().unwrap().binding(), None);
    }
    // Another DID's later epoch, in a header that is left: not taken over.
    let forged = text.replace(&own, &certificate(&other));
    fs::write(home.file("identity.json"), forged).unwrap();
    fs::remove_file(home.file("identity.age")).unwrap();
    let restored = home.store.restore(&home.backend, backup(), made.did(), &credentials());
    assert_eq!(restored.unwrap().binding().epoch(), 0);
}

/// A backup as it is now, to be opened as often as one likes.
fn backed_up(home: &Home, dir: &Path) -> impl Fn() -> Backup + use<> {
    let key = dir.join("recovery.key");
    let secret = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    let recipient = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    fs::write(&key, secret).unwrap();
    set_mode(&key, 0o600);
    let request = BackupRequest::new(vec![recipient.parse().unwrap()]).unwrap();
    let file =
        home.store.backup(&home.backend, Pinned::Nobody, &credentials(), &request).unwrap().file;
    let keys = RecoveryKeys::read(&key).unwrap();
    move || Backup::open(&file, &keys).unwrap()
}
