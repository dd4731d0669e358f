//! A program that renews what it has open, and another process on the same files.

use std::thread;
use std::time::SystemTime;

use icn_identity::backend::AgeKeyStore;
use icn_identity::bundle::{Renewal, RenewalError};
use icn_identity::config::Config;
use icn_identity::error::KeystoreError;
use icn_identity::keystore::{Credentials, IdentityStore, Pinned};
use icn_identity::{DidKey, IdentityBundle, Passphrase};
use support::home::{FAST, Home, PASSPHRASE, write_private};

struct Service {
    home: Home,
    store: IdentityStore,
    bundle: IdentityBundle<DidKey>,
}

impl Service {
    /// Its credential is gone once it has started.
    fn start() -> Self {
        let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
        home.ok(&["id", "init"], b"");
        let config = Config::parse(FAST).unwrap().identity.age;
        let backend = AgeKeyStore::with_config(home.path(""), &config);
        let store = IdentityStore::new(home.path("")).with_age_config(config);
        let credentials = Credentials::passphrase(Passphrase::new(PASSPHRASE));
        let bundle = store.open(&backend, Pinned::Nobody, &credentials).unwrap().bundle;
        Self { home, store, bundle }
    }

    fn told(&self, args: &[&str]) -> serde_json::Value {
        let json = self.home.ok(&[&["--format", "json"], args].concat(), b"");
        serde_json::from_str(&json).unwrap()
    }
}

/// None is lost, none is written over another, and no number is given twice.
#[test]
fn a_service_and_other_processes_renew_one_identity_at_the_same_time() {
    let service = Service::start();
    let (bundle, before) = (&service.bundle, service.bundle.binding());
    let mut numbers: Vec<u64> = thread::scope(|scope| {
        let own = scope.spawn(|| {
            let renew = |_| {
                bundle.renew().unwrap();
                bundle.binding().sequence()
            };
            (0..5).map(renew).collect::<Vec<_>>()
        });
        let others = [(); 2].map(|()| {
            scope.spawn(|| {
                let renew = |_| service.told(&["id", "renew"])["tls"]["sequence"].as_u64().unwrap();
                (0..3).map(renew).collect::<Vec<_>>()
            })
        });
        let all = std::iter::once(own).chain(others);
        all.flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(numbers.len(), 11);
    numbers.sort_unstable();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert!(numbers[0] > before.sequence());
    let header = service.store.header().unwrap();
    assert_eq!(header.generation(), 1 + 11);
    bundle.renew_if_due(SystemTime::now()).unwrap();
    assert_eq!(header.binding(), Some(bundle.binding()));
    assert_eq!(bundle.binding().sequence(), numbers[10]);
    assert_eq!(bundle.binding().instance(), before.instance());
}

#[test]
fn a_service_takes_over_what_another_process_has_renewed_and_its_epoch() {
    let service = Service::start();
    let bundle = &service.bundle;
    let now = SystemTime::now();
    assert_eq!(bundle.renew_if_due(now).unwrap(), Renewal::NotDue);
    let told = service.told(&["id", "renew", "--all-instances"]);
    assert_eq!(bundle.renew_if_due(now).unwrap(), Renewal::TakenOver);
    assert_eq!(told["tls"]["epoch"], bundle.binding().epoch());
    assert_eq!(told["tls"]["sequence"], bundle.binding().sequence());
    bundle.renew().unwrap();
    assert_eq!(told["tls"]["epoch"], bundle.binding().epoch());
    // And the other way round.
    let shown = service.told(&["id", "show"]);
    assert_eq!(shown["tls"]["sequence"], bundle.binding().sequence());
    service.home.ok(&["sign"], b"hello");

    let (new, present) = (service.home.beside("new"), bundle.binding());
    write_private(&new, "another passphrase");
    let change = ["id", "change-passphrase", "--new-passphrase-file", new.to_str().unwrap()];
    service.home.ok(&change, b"");
    let refused = bundle.renew().unwrap_err();
    assert!(matches!(refused, RenewalError::Keystore(KeystoreError::Resealed { .. })), "{refused}");
    assert_eq!(bundle.binding(), present);
}
