//! Identities made anew around a key that is there.

use icn_identity::backend::{Locator, NewKey};
use icn_identity::keystore::{IdentityStore, Pinned};
use support::softhsm::alone;

use crate::{TOKEN, backend, pin};

/// Its files are another home than those before, and nobody's bindings of an epoch
/// that was ended come back: the header that is left shows it, signed by the key.
#[test]
fn an_adopted_key_is_another_instance_and_in_no_earlier_epoch() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (backend, dir) = (backend(), tempfile::tempdir().unwrap());
        let store = |name: &str| IdentityStore::new(dir.path().join(name));
        let home = store("home");
        let made = home.create(&backend, &NewKey::default(), &pin()).unwrap();
        let raised = home.renew_all_instances(&backend, Pinned::To(made.did()), &pin()).unwrap();
        assert_eq!(raised.binding().instance(), made.binding().instance());
        let epoch = raised.binding().epoch();
        assert!(epoch > 0);
        let locator = Locator::Pkcs11(home.header().unwrap().locator().unwrap().clone());

        std::fs::remove_file(home.home().join("identity.age")).unwrap();
        let again = home.adopt(&backend, &locator, made.did(), &pin()).unwrap();
        assert_eq!((again.did(), again.binding().epoch()), (made.did(), epoch));
        assert_ne!(again.binding().instance(), made.binding().instance());
        // On another machine nothing is known of it: it has to join.
        let elsewhere = store("elsewhere");
        let other = elsewhere.adopt(&backend, &locator, made.did(), &pin()).unwrap();
        assert_eq!(other.binding().epoch(), 0);
        assert_ne!(other.binding().instance(), again.binding().instance());
        let joined = elsewhere.join_epoch(&backend, Pinned::Nobody, &pin(), epoch).unwrap();
        assert_eq!(joined.binding().epoch(), epoch);
        assert_eq!(joined.binding().instance(), other.binding().instance());
    });
}
