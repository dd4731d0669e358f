//! Bundles that are renewed in place, in memory and in their store.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use icn_identity::backend::{AgeKeyStore, NewKey};
use icn_identity::bundle::{Renewal, RenewalError};
use icn_identity::config::{AgeConfig, Config};
use icn_identity::error::KeystoreError;
use icn_identity::keystore::{Credentials, IdentityStore, Pinned};
use icn_identity::{DidKey, Error, ErrorKind, IdentityBundle, Key, Passphrase, Software};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn fast() -> AgeConfig {
    Config::parse("[identity.age]\nwork_factor = 10\n").unwrap().identity.age
}

fn credentials() -> Credentials {
    Credentials::passphrase(Passphrase::new("correct horse"))
}

struct Home {
    _dir: tempfile::TempDir,
    store: IdentityStore,
    backend: AgeKeyStore,
}

impl Home {
    /// With an identity of its own.
    fn new() -> Self {
        let home = Self::empty();
        drop(home.store.create(&home.backend, &NewKey::default(), &credentials()).unwrap());
        home
    }

    fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("icn");
        let backend = AgeKeyStore::with_config(path.clone(), &fast());
        let store = IdentityStore::new(path).with_age_config(fast());
        Self { _dir: dir, store, backend }
    }

    fn open(&self) -> IdentityBundle<DidKey> {
        self.store
            .open_without_renewal(&self.backend, Pinned::Nobody, &credentials())
            .unwrap()
            .bundle
    }

    fn file(&self, name: &str) -> PathBuf {
        self.store.home().join(name)
    }

    fn files(&self) -> [Vec<u8>; 2] {
        ["identity.json", "identity.age"].map(|name| fs::read(self.file(name)).unwrap())
    }

    fn put(&self, files: &[Vec<u8>; 2]) {
        for (name, bytes) in ["identity.json", "identity.age"].iter().zip(files) {
            fs::write(self.file(name), bytes).unwrap();
        }
    }

    /// The next process finds what this bundle uses.
    #[track_caller]
    fn assert_holds(&self, bundle: &IdentityBundle<DidKey>, generation: u64) {
        let header = self.store.header().unwrap();
        assert_eq!(header.binding(), Some(bundle.binding()));
        assert_eq!(header.generation(), generation);
        let again = self.open();
        assert_eq!(again.binding(), bundle.binding());
        assert_eq!(
            *again.companions().tls_private_key_der(),
            *bundle.companions().tls_private_key_der()
        );
    }
}

fn is_resealed(refused: &RenewalError) -> bool {
    matches!(refused, RenewalError::Keystore(KeystoreError::Resealed { .. }))
}

#[test]
fn what_was_opened_is_renewed_where_it_is_kept_without_its_credential() {
    let home = Home::new();
    let made = home.open();
    let bundle = home.open();
    let now = SystemTime::now();
    assert_eq!(bundle.renew_if_due(now).unwrap(), Renewal::NotDue);
    home.assert_holds(&bundle, 1);
    let old = bundle.companions();
    bundle.renew().unwrap();
    home.assert_holds(&bundle, 2);
    let new = bundle.companions();
    assert!(new.binding().number() > old.binding().number());
    assert_eq!(new.binding().instance(), old.binding().instance());
    assert_ne!(new.certificate_der(), old.certificate_der());
    assert_eq!(new.x25519_public_key(), old.x25519_public_key());
    assert_eq!(new.did_document(), old.did_document());
    // What was asked for before is still a whole.
    assert_eq!(old.binding(), &made.binding());
    assert_eq!(old.certificate_der(), made.certificate_der());

    // When it is due, and then it is not; as long as the present one.
    let due = bundle.renewal_due_at();
    assert!(due > now + 4 * DAY && due < now + 5 * DAY);
    assert_eq!(bundle.renew_if_due(due - Duration::from_secs(1)).unwrap(), Renewal::NotDue);
    assert_eq!(bundle.renew_if_due(due).unwrap(), Renewal::Renewed);
    assert!(!bundle.wants_renewal(due + 4 * DAY) && bundle.wants_renewal(due + 5 * DAY));
    home.assert_holds(&bundle, 3);
    assert_eq!(bundle.renew_if_due(due).unwrap(), Renewal::NotDue);
    bundle.renew_at(due, DAY).unwrap();
    home.assert_holds(&bundle, 4);
    bundle.renew_at(now, 3 * DAY).unwrap();
    let binding = bundle.binding();
    assert_eq!(binding.not_after() - binding.not_before(), 3 * 24 * 3600 + 300);
    bundle.renew().unwrap();
    let next = bundle.binding();
    assert_eq!(next.not_after() - next.not_before(), 3 * 24 * 3600 + 300);
    home.assert_holds(&bundle, 6);

    // Also by another name for its type, and the epoch.
    let bundle = bundle.into_static::<Software>().unwrap();
    bundle.renew_all_instances().unwrap();
    let epoch = bundle.binding().epoch();
    assert!(epoch > 0);
    assert_eq!(home.open().binding(), bundle.binding());
    bundle.join_epoch(epoch + 5).unwrap();
    assert_eq!(home.open().binding().epoch(), epoch + 5);
    assert_eq!(home.store.header().unwrap().generation(), 8);
    // In what was just made as well, and what was renewed with its credential.
    let home = Home::empty();
    let made = home.store.create(&home.backend, &NewKey::default(), &credentials()).unwrap();
    made.renew().unwrap();
    home.assert_holds(&made, 2);
    let renewed = home.store.renew(&home.backend, Pinned::Nobody, &credentials()).unwrap();
    renewed.renew().unwrap();
    home.assert_holds(&renewed, 4);
}

/// Without a store: in memory, and nowhere else.
#[test]
fn a_bundle_in_memory_is_renewed_in_place_and_knows_when() {
    let bundle = IdentityBundle::issue_for(Key::<Software, _>::generate().unwrap(), 3 * DAY);
    let bundle = bundle.unwrap();
    let now = SystemTime::now();
    let (first, due) = (bundle.binding(), bundle.renewal_due_at());
    assert!(due > now + DAY && due < now + 2 * DAY);
    assert_eq!(first.renewal_due_at(), due);
    assert_eq!(bundle.renew_if_due(now).unwrap(), Renewal::NotDue);
    assert_eq!(bundle.binding(), first);
    assert_eq!(bundle.renew_if_due(due).unwrap(), Renewal::Renewed);
    let second = bundle.binding();
    assert!(second.number() > first.number());
    assert_eq!(second.not_after() - second.not_before(), 3 * 24 * 3600 + 300);
    // That begins later than now by the system's clock, and peers refuse it.
    bundle.renew_at(now + 30 * DAY, DAY).unwrap();
    assert_eq!(bundle.renewal_due_at(), UNIX_EPOCH);
    assert_eq!(bundle.renew_if_due(now).unwrap(), Renewal::Renewed);
    assert!(bundle.renewal_due_at() > now);
}

/// Each reader sees one whole, and each renewal is one: numbers, files, generations.
#[test]
fn threads_that_renew_and_read_one_bundle_see_wholes_and_lose_nothing() {
    const RENEWALS: u64 = 6;
    let home = Home::new();
    let memory = IdentityBundle::issue(DidKey::from(Key::<Software, _>::generate().unwrap()));
    for (bundle, is_kept) in [(home.open(), true), (memory.unwrap(), false)] {
        let before = bundle.binding();
        let (done, seen) = (AtomicBool::new(false), Mutex::new(BTreeSet::new()));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut last = before.number();
                    while !done.load(Ordering::Relaxed) {
                        // All that belongs together, from one moment.
                        bundle.verify_binding(SystemTime::now()).unwrap();
                        let now = bundle.companions().binding().number();
                        assert!(now >= last);
                        last = now;
                    }
                });
            }
            let renewers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..RENEWALS {
                            bundle.renew().unwrap();
                            seen.lock().unwrap().insert(bundle.binding().number());
                        }
                    })
                })
                .collect();
            let ended =
                renewers.into_iter().map(thread::ScopedJoinHandle::join).all(|it| it.is_ok());
            done.store(true, Ordering::Relaxed);
            assert!(ended);
        });
        let after = bundle.binding();
        assert!(after.sequence() >= before.sequence() + 3 * RENEWALS);
        assert_eq!(after.instance(), before.instance());
        assert_eq!(seen.lock().unwrap().last(), Some(&after.number()));
        if is_kept {
            home.assert_holds(&bundle, 1 + 3 * RENEWALS);
        }
    }
}

/// Two that were opened apart, as two processes are.
#[test]
fn what_another_has_written_is_gone_on_from_and_taken_over() {
    let home = Home::new();
    let (one, other) = (home.open(), home.open());
    let now = SystemTime::now();
    one.renew().unwrap();
    assert_ne!(one.binding(), other.binding());
    // Nothing is signed: it is there.
    assert_eq!(other.renew_if_due(now).unwrap(), Renewal::TakenOver);
    home.assert_holds(&other, 2);
    assert_eq!(other.binding(), one.binding());
    // One does what is due, the other has it from there, at the same moment.
    let due = one.renewal_due_at();
    assert_eq!(one.renew_if_due(due).unwrap(), Renewal::Renewed);
    assert_eq!(other.renew_if_due(due).unwrap(), Renewal::TakenOver);
    assert_eq!(other.binding(), one.binding());
    home.assert_holds(&one, 3);
    // An epoch that the other has begun is not left again.
    one.renew_all_instances().unwrap();
    let epoch = one.binding().epoch();
    other.renew().unwrap();
    assert_eq!(other.binding().epoch(), epoch);
    assert!(other.binding().number() > one.binding().number());
    home.assert_holds(&other, 5);
    let refused = one.join_epoch(epoch - 1).unwrap_err();
    assert!(refused.to_string().contains("is earlier than the present one"), "{refused}");
    // Threads on both: every renewal is there, one after the other.
    thread::scope(|scope| {
        for bundle in [&one, &other, &one, &other] {
            scope.spawn(|| {
                for _ in 0..3 {
                    bundle.renew().unwrap();
                }
            });
        }
    });
    assert_eq!(home.store.header().unwrap().generation(), 5 + 12);
    for bundle in [&one, &other] {
        bundle.renew_if_due(now).unwrap();
        home.assert_holds(bundle, 5 + 12);
    }
}

/// Files that were put back from an older copy take nobody back.
#[test]
fn an_older_copy_of_the_files_takes_no_number_or_epoch_back() {
    let home = Home::new();
    let old = home.files();
    let bundle = home.open();
    bundle.renew_all_instances().unwrap();
    let present = bundle.binding();
    home.put(&old);
    assert_eq!(bundle.renew_if_due(SystemTime::now()).unwrap(), Renewal::NotDue);
    assert_eq!(bundle.binding(), present);
    assert_eq!(home.files(), old);
    bundle.renew().unwrap();
    assert_eq!(bundle.binding().epoch(), present.epoch());
    assert!(bundle.binding().sequence() > present.sequence());
    home.assert_holds(&bundle, 2);
}

#[test]
fn under_another_passphrase_nothing_is_written_and_the_old_certificate_stays() {
    let home = Home::new();
    let bundle = home.open();
    let before = bundle.binding();
    let new = Passphrase::new("another horse");
    home.store.change_passphrase(&home.backend, Pinned::Nobody, &credentials(), &new).unwrap();
    let files = home.files();
    // The certificate is the same: nothing to do.
    assert_eq!(bundle.renew_if_due(SystemTime::now()).unwrap(), Renewal::NotDue);
    for refused in [
        bundle.renew().unwrap_err(),
        bundle.renew_all_instances().unwrap_err(),
        bundle.renew_if_due(bundle.renewal_due_at()).unwrap_err(),
    ] {
        assert!(is_resealed(&refused), "{refused}");
        assert!(refused.help().unwrap().contains("open the identity again"));
        let error = Error::from(refused);
        assert!(matches!(error, Error::Keystore(KeystoreError::Resealed { .. })), "{error:?}");
    }
    assert_eq!(home.files(), files);
    assert_eq!(bundle.binding(), before);
    bundle.verify_binding(SystemTime::now()).unwrap();
    let again = Credentials::passphrase(new);
    let again = home.store.open(&home.backend, Pinned::Nobody, &again).unwrap().bundle;
    again.renew().unwrap();
}

#[test]
fn another_identity_in_its_place_is_not_written_to() {
    let (home, other) = (Home::new(), Home::new());
    let bundle = home.open();
    let before = bundle.binding();
    // Under the same passphrase, so that it would open.
    home.put(&other.files());
    for refused in
        [bundle.renew().unwrap_err(), bundle.renew_if_due(SystemTime::now()).unwrap_err()]
    {
        let expected = KeystoreError::Replaced { home: home.store.home().into(), what: "DID" };
        assert_eq!(refused.to_string(), expected.to_string());
        assert_eq!(refused.kind(), ErrorKind::OtherIdentity);
    }
    // Also where the header says what it does not say.
    let text = fs::read_to_string(home.file("identity.json")).unwrap();
    let forged = text.replace(other.open().did().as_str(), bundle.did().as_str());
    fs::write(home.file("identity.json"), forged).unwrap();
    bundle.renew().unwrap_err();
    assert_eq!(fs::read(home.file("identity.age")).unwrap(), other.files()[1]);
    assert_eq!(bundle.binding(), before);
    // Gone altogether.
    fs::remove_file(home.file("identity.json")).unwrap();
    fs::remove_file(home.file("identity.age")).unwrap();
    let refused = bundle.renew().unwrap_err();
    assert!(
        matches!(refused, RenewalError::Keystore(KeystoreError::NoIdentity { .. })),
        "{refused}"
    );
    assert!(!home.file("identity.json").exists());
}

#[test]
fn a_renewal_that_cannot_be_written_leaves_the_old_certificate_in_use() {
    let home = Home::new();
    let bundle = home.open();
    let (before, files) = (bundle.binding(), home.files());
    // What a write that was cut off has left, and cannot be removed.
    fs::create_dir_all(home.file("identity.age.prev").join("in the way")).unwrap();
    let refused = bundle.renew().unwrap_err();
    let unrepaired =
        RenewalError::Keystore(KeystoreError::Unrepaired { path: home.file("identity.age.prev") });
    assert_eq!(refused.to_string(), unrepaired.to_string());
    assert_eq!((bundle.binding(), home.files()), (before, files));
    fs::remove_dir_all(home.file("identity.age.prev")).unwrap();
    bundle.renew().unwrap();
    home.assert_holds(&bundle, 2);
}
