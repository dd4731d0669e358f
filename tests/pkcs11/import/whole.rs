//! Identities of age files, made anew on a token.

use std::fs;
use std::path::Path;

use icn_identity::IdentityBundle;
use icn_identity::Passphrase;
use icn_identity::backend::{BackendKind, NewKey};
use icn_identity::config::{AgeConfig, Config};
use icn_identity::error::KeystoreError;
use icn_identity::home::{CredentialSource, Home, HomeOptions, Made, Ready};
use icn_identity::keystore::backup::{Backup, BackupRequest, RecoveryKeys};
use icn_identity::keystore::{IdentityStore, LegacyIdentity, LegacyOptions, Pinned};
use icn_identity::rotation::{RotationReason, RotationTerms};
use support::softhsm::PIN;

use super::*;
use crate::pins::WRONG;

const PASSPHRASE: &str = "correct horse battery staple";

fn age_config() -> Config {
    let mut config = Config::default();
    config.identity.age.work_factor = 10;
    config
}

fn open(directory: &Path, config: Config) -> Home {
    HomeOptions::new().with_config(config).open(directory).unwrap()
}

/// A software identity.
fn aged(hsm: &SoftHsm, name: &str) -> Home {
    let mut home = open(&hsm.path(name), age_config());
    drop(home.create(&NewKey::default(), given(PASSPHRASE)).unwrap());
    home
}

/// The home that is to be on the token.
fn vacant(hsm: &SoftHsm, name: &str) -> Home {
    let mut config = age_config();
    config.identity.backend = BackendKind::Pkcs11;
    config.identity.pkcs11 = Some(crate::faulty_config(hsm));
    open(&hsm.path(name), config)
}

fn given(secret: &str) -> CredentialSource<'static> {
    CredentialSource::given(secret.to_owned())
}

fn ready(old: &Home) -> Ready<'_> {
    old.locate().unwrap().ask(given(PASSPHRASE)).unwrap()
}

fn moved(old: &Home, new: &mut Home, passphrase: &str, pin: &str) -> Result<Made, Error> {
    let ready = old.locate()?.ask(given(passphrase))?;
    new.create_imported(ready, None, given(pin))
}

fn names(home: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(home) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.retain(|name| !name.ends_with(".lock"));
    names
}

fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

fn unlocked(home: &Home) -> IdentityBundle<DidKey> {
    home.unlock(given(PIN)).unwrap().bundle
}

#[test]
fn an_identity_keeps_its_did_and_decryption_key_and_says_for_ever_that_it_was_in_a_file() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (old, mut new) = (aged(hsm, "old"), vacant(hsm, "new"));
        let before = old.unlock(given(PASSPHRASE)).unwrap().bundle;
        let from = now();
        let made = moved(&old, &mut new, PASSPHRASE, PIN).unwrap();
        let until = made.header.in_file_until().unwrap();
        assert!((from..=now()).contains(&until), "{until}");
        assert_eq!(made.bundle.did(), before.did());
        assert!(matches!(made.bundle.signer(), DidKey::DeviceHeld(_)));
        assert_eq!(made.bundle.x25519_public_key(), before.x25519_public_key());
        assert_eq!(made.bundle.did_document(), before.did_document());
        assert_ne!(made.bundle.certificate_der(), before.certificate_der());
        assert_eq!(made.bundle.binding().epoch(), before.binding().epoch());
        assert_ne!(made.bundle.binding().instance(), before.binding().instance());
        // Pinned, and noted nowhere as begun.
        assert_eq!(names(new.directory()), ["icn.toml", "identity.age", "identity.json"]);
        let at = |name: &str| fs::read(new.directory().join(name)).unwrap();
        let (header, config) = (at("identity.json"), at("icn.toml"));
        let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header["in_file_until"], until);
        assert!(String::from_utf8(config).unwrap().contains(before.did().as_str()));
        // Three objects: the pair, and what keeps the storage key.
        drop(made);
        assert_eq!(objects(hsm), 3);

        // The old one is as it was, and nothing there knows of it.
        let still = old.unlock(given(PASSPHRASE)).unwrap().bundle;
        assert_eq!(still.certificate_der(), before.certificate_der());
        assert!(old.header().unwrap().in_file_until().is_none());

        // Opened, renewed, moved: it stays.
        let home = Home::open(new.directory()).unwrap();
        let opened = unlocked(&home);
        assert!(matches!(opened.signer(), DidKey::DeviceHeld(_)));
        drop(opened);
        drop(home.locate().unwrap().ask(given(PIN)).unwrap().renew().unwrap());
        assert_eq!(home.header().unwrap().in_file_until(), Some(until));
        drop(home.locate().unwrap().ask(given(PIN)).unwrap().renew_all_instances().unwrap());
        assert_eq!(home.header().unwrap().in_file_until(), Some(until));
    });
}

#[test]
fn a_backup_has_it_and_so_has_what_is_restored_or_adopted() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (old, mut new) = (aged(hsm, "old"), vacant(hsm, "new"));
        let made = moved(&old, &mut new, PASSPHRASE, PIN).unwrap();
        let (until, did) = (made.header.in_file_until(), made.header.did().clone());
        let locator = Locator::Pkcs11(made.header.locator().unwrap().clone());
        drop(made);
        let file = hsm.path("recovery.key");
        let made = hsm.run("age-keygen", &["-o", file.to_str().unwrap()]);
        assert_eq!(made.code, 0, "{}", made.err);
        let recipient = made.err.split_whitespace().last().unwrap();
        let request = BackupRequest::new(vec![recipient.parse().unwrap()]).unwrap();
        let home = Home::open(new.directory()).unwrap();
        let made = home.locate().unwrap().ask(given(PIN)).unwrap().backup(&request).unwrap();
        // No word of that the key is on the token alone.
        let words = made.does_not_contain.join("\n");
        assert!(words.contains("copies of it may exist"), "{words}");
        assert!(words.contains("it was in a file until "), "{words}");
        assert!(!words.contains("only there"), "{words}");
        let keys = RecoveryKeys::read(&file).unwrap();
        let backup = Backup::open(&made.file, &keys).unwrap();
        assert_eq!(backup.header().in_file_until(), until);

        let mut restored = vacant(hsm, "restored");
        let again = restored.restore(backup, &did, None, given(PIN)).unwrap();
        assert_eq!(again.header.in_file_until(), until);
        drop(again);
        // What is left of a header is enough for an adoption to know it.
        fs::remove_file(restored.directory().join("identity.age")).unwrap();
        let store = IdentityStore::new(restored.directory());
        let backend = faulty(hsm);
        drop(store.adopt(&backend, &locator, &did, &pin()).unwrap());
        assert_eq!(store.header().unwrap().in_file_until(), until);
    });
}

/// An identity is made around the key anew, in a home that has nothing of the first one: the key
/// itself tells, also where its module has begun to lie, or hides what it knows.
#[test]
fn a_key_tells_by_its_own_id_that_it_was_in_a_file_wherever_an_identity_is_made_around_it() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (old, mut new) = (aged(hsm, "old"), vacant(hsm, "new"));
        let made = moved(&old, &mut new, PASSPHRASE, PIN).unwrap();
        let (until, did) = (made.header.in_file_until(), made.header.did().clone());
        let locator = Locator::Pkcs11(made.header.locator().unwrap().clone());
        drop(made);
        assert!(until.is_some());
        for (name, script) in [
            ("as-it-is", ""),
            (
                "lying",
                "say CKA_LOCAL true\nsay CKA_ALWAYS_SENSITIVE true\n\
                 say CKA_NEVER_EXTRACTABLE true\n",
            ),
            ("silent", "hide CKA_LOCAL\n"),
        ] {
            hsm.script(script);
            let mut again = vacant(hsm, name);
            let made = again.adopt(&locator, &did, given(PIN)).unwrap();
            assert!(matches!(made.bundle.signer(), DidKey::DeviceHeld(_)), "{name}");
            assert_eq!(made.header.in_file_until(), until, "{name}");
            drop(made);
            let home = Home::open(again.directory()).unwrap();
            drop(home.locate().unwrap().ask(given(PIN)).unwrap().renew().unwrap());
            assert_eq!(home.header().unwrap().in_file_until(), until, "{name}");
            // Without a keystore, too.
            let key = opened(&faulty(hsm), &locator, &did);
            assert!(matches!(key, DidKey::DeviceHeld(_)), "{name}: {key:?}");
        }
        hsm.script("");
    });
}

/// The day after, the module says that all its keys are its own.
#[test]
fn a_module_that_begins_to_lie_later_makes_no_hardware_key_of_it() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (old, mut new) = (aged(hsm, "old"), vacant(hsm, "new"));
        let made = moved(&old, &mut new, PASSPHRASE, PIN).unwrap();
        let id = made.header.locator().unwrap().to_string();
        drop(made);
        hsm.script(
            "say CKA_LOCAL true\nsay CKA_ALWAYS_SENSITIVE true\n\
             say CKA_NEVER_EXTRACTABLE true\n",
        );
        let home = Home::open(new.directory()).unwrap();
        let opened = unlocked(&home);
        assert!(matches!(opened.signer(), DidKey::DeviceHeld(_)), "{id}: {opened:?}");
        assert!(!opened.signer().is_hardware_backed());
        assert!(Requirement::any().never_exposed().check(opened.signer()).is_err());
        let facts = opened.signer().evidence().unwrap().facts();
        let local = facts.into_iter().find(|shown| shown.name == "local").unwrap();
        // As it was said when it was written in.
        assert_eq!(local.fact, Fact::False);
        drop(opened);
        drop(home.locate().unwrap().ask(given(PIN)).unwrap().renew().unwrap());
        let summary = home.header().unwrap().claimed_evidence().provenance();
        assert_eq!(summary, icn_identity::ProvenanceKind::DeviceHeld);
    });
}

#[test]
fn what_cannot_be_imported_is_refused_before_a_credential_is_used() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (old, mut new) = (aged(hsm, "old"), vacant(hsm, "new"));
        // To an age file.
        let mut software = open(&hsm.path("software"), age_config());
        let refused = moved(&old, &mut software, PASSPHRASE, PASSPHRASE).unwrap_err();
        let error = DeviceError::NoSeedImport { backend: BackendKind::Age };
        assert_eq!(refused.to_string(), error.to_string());
        // A wrong passphrase: the PIN is not sent, and not lost for the next time.
        let before = hsm.count("C_Login");
        let refused = moved(&old, &mut new, "wrong", PIN).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::WrongCredential);
        assert_eq!((hsm.count("C_Login"), objects(hsm)), (before, 0));
        // A wrong PIN is sent once; the old identity is untouched.
        for _ in 0..2 {
            let refused = moved(&old, &mut new, PASSPHRASE, WRONG).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::WrongCredential, "{refused}");
        }
        assert_eq!((hsm.count("C_Login"), objects(hsm)), (before + 1, 0));
        assert!(names(new.directory()).iter().all(|name| name == "refused.json"));
        drop(old.unlock(given(PASSPHRASE)).unwrap());
        // Onto the place of another.
        drop(moved(&old, &mut new, PASSPHRASE, PIN).unwrap());
        let exists = moved(&old, &mut new, PASSPHRASE, PIN).unwrap_err();
        assert_eq!(exists.kind(), ErrorKind::AlreadyExists, "{exists}");
        // Out of a device.
        let home = Home::open(new.directory()).unwrap();
        let ready = home.locate().unwrap().ask(given(PIN)).unwrap();
        let mut third = vacant(hsm, "third");
        let (refused, calls) =
            hsm.calls(|| third.create_imported(ready, Some("third"), given(PIN)).unwrap_err());
        assert!(
            matches!(
                refused,
                Error::Keystore(KeystoreError::NoSeed { backend: BackendKind::Pkcs11 })
            ),
            "{refused}"
        );
        assert_eq!(count(&calls, "C_Login"), 0);
        assert_shows(refused, &["its token does not give it out", "rotate"]);
    });
}

/// What a killed attempt leaves: a note, objects, a pin.
#[test]
fn an_attempt_that_was_cut_off_is_gone_on_with() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (old, mut new) = (aged(hsm, "old"), vacant(hsm, "new"));
        hsm.script("on C_Sign all return CKR_DEVICE_ERROR\non C_DestroyObject all return CKR_DEVICE_ERROR\n");
        let left = moved(&old, &mut new, PASSPHRASE, PIN).unwrap_err();
        let Error::Device(DeviceError::Pkcs11(Pkcs11Error::LeftBehind { id, .. })) = left else {
            panic!("{left}")
        };
        let note = new.store().unfinished().unwrap().unwrap();
        assert!(note.objects().unwrap().contains(&id));
        assert_eq!(objects(hsm), 2);
        hsm.script("");
        // The pin of a process that was killed after it.
        let did = old.header().unwrap().did().clone();
        let mut config = new.config().clone();
        config.identity.did = Some(did.clone());
        let mut new = open(new.directory(), config);
        let made = moved(&old, &mut new, PASSPHRASE, PIN).unwrap();
        assert_eq!(made.bundle.did(), &did);
        drop(made);
        assert_eq!(objects(hsm), 3);
        assert!(!hsm.objects(TOKEN).contains(&id));
        assert_eq!(names(new.directory()), ["icn.toml", "identity.age", "identity.json"]);
    });
}

/// It states that once.
#[test]
fn an_identity_that_has_handed_over_has_done_so_on_the_token_too() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (old, mut new) = (aged(hsm, "old"), vacant(hsm, "new"));
        let successor = aged(hsm, "successor");
        let terms = RotationTerms::new(RotationReason::Scheduled);
        let chain = ready(&old).hand_over(ready(&successor), &terms).unwrap().chain;
        drop(moved(&old, &mut new, PASSPHRASE, PIN).unwrap());
        let did = old.header().unwrap().did().clone();
        assert_eq!(new.store().handed_over(&did).unwrap(), Some(chain));
    });
}

#[test]
fn an_older_file_becomes_an_identity_on_a_token_in_one_go() {
    alone(|hsm| {
        hsm.token(TOKEN);
        for version in ["v1", "v4"] {
            let file =
                format!("{}/tests/fixtures/legacy/{version}.age", env!("CARGO_MANIFEST_DIR"));
            let passphrase = Passphrase::new("an old passphrase");
            let options = LegacyOptions::new(&AgeConfig::default());
            let old = LegacyIdentity::read(Path::new(&file), &passphrase, &options).unwrap();
            let (did, decrypts) = (old.did().clone(), old.has_x25519());
            let mut new = vacant(hsm, version);
            let made = new.create_imported(old, Some(version), given(PIN)).unwrap();
            assert_eq!(made.bundle.did(), &did);
            assert!(made.header.in_file_until().is_some());
            assert!(matches!(made.bundle.signer(), DidKey::DeviceHeld(_)));
            assert_eq!(decrypts, version == "v4");
            drop(made);
            let store = IdentityStore::new(new.directory());
            let opened = store.open(&faulty(hsm), Pinned::To(&did), &pin()).unwrap();
            drop(opened);
        }
    });
}
