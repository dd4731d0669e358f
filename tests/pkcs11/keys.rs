//! Keys that are made, opened, closed and adopted.

use icn_identity::backend::{Backend as _, Created, Credentials, KeyAtRest, Locator};
use icn_identity::{
    Assurance, DeviceHeld, DidSigner as _, DidSignerExt as _, Hardware, Key, Passphrase, Pin,
    ProvenanceKind, Requirement, Sealed,
};
use support::softhsm::{PIN, alone};

use crate::{TOKEN, assert_shows, backend, did_at, find, pin};

for_both_algorithms! {

#[test]
fn a_generated_key_is_hardware_on_a_soft_token() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (key, locator) = generate(&backend());
        let signature = key.sign(b"hello").unwrap();
        key.verifying_key().verify(b"hello", &signature).unwrap();
        key.verifying_key().verify(b"", &key.sign(b"").unwrap()).unwrap();

        let evidence = key.evidence().unwrap();
        assert_eq!(evidence.assurance(), Assurance::SoftToken);
        assert!(!key.is_hardware_backed());
        assert!(Requirement::any().never_exposed().check(&key).is_ok());
        assert!(Requirement::any().at_least(Assurance::Claimed).check(&key).is_err());
        let facts: Vec<_> = evidence.facts().map(|shown| (shown.name, shown.fact.as_str())).collect();
        assert_eq!(
            facts,
            [
                ("local", "true"),
                ("sensitive", "true"),
                ("always_sensitive", "true"),
                ("extractable", "false"),
                ("never_extractable", "true"),
            ]
        );
        assert_eq!(locator.token, TOKEN);
        assert_eq!(locator.label, "icn-identity");
        assert_eq!(locator.id.len(), 16);
    });
}

#[test]
fn the_token_shows_a_key_that_can_only_sign() {
    alone(|hsm| {
        hsm.token(TOKEN);
        generate(&backend());
        let objects = hsm.objects(TOKEN);
        let private = objects.split("Private Key Object").nth(1).unwrap();
        let private = private.split("Public Key Object").next().unwrap();
        let line = |name: &str| {
            let found = private.lines().find(|line| line.trim_start().starts_with(name));
            found.unwrap_or_else(|| panic!("{objects}")).split_once(':').unwrap().1.trim()
        };
        assert_eq!(line("Usage:"), "sign");
        assert_eq!(line("Access:"), "sensitive, always sensitive, never extractable, local");
        assert_eq!(objects.matches("Usage:      verify").count(), 1, "{objects}");
    });
}

#[test]
fn an_imported_key_is_held_but_not_hardware() {
    alone(|hsm| {
        hsm.token(TOKEN);
        import(hsm, "imported", "aa01");
        let backend = backend();
        let locator = backend.find_by_label("imported").unwrap();
        assert_eq!(locator.id, [0xaa, 0x01]);
        let did = did_at(&backend, &locator);

        let found = find(&backend, &locator, &did).unwrap();
        let demanded = Key::<Hardware, Sealed, Alg>::try_from(found).unwrap();
        let refused = demanded.unseal(&Pin::new(PIN)).unwrap_err();
        assert_shows(
            refused,
            &["a hardware key was demanded, the evidence shows device-held", "generate a new key"],
        );

        let found = find(&backend, &locator, &did).unwrap();
        let key = Key::<DeviceHeld, Sealed, Alg>::try_from(found).unwrap();
        let key = key.unseal(&Pin::new(PIN)).unwrap();
        key.verifying_key().verify(b"hello", &key.sign(b"hello").unwrap()).unwrap();
        assert_eq!(key.provenance(), ProvenanceKind::DeviceHeld);
    });
}

#[test]
fn a_taken_label_is_refused_and_nothing_is_made() {
    alone(|hsm| {
        hsm.token(TOKEN);
        import(hsm, "taken", "aa01");
        let backend = backend();
        let before = hsm.objects(TOKEN);
        let request = new_key().with_label(Some("taken".into()));
        let error = backend.create(&request, &pin()).unwrap_err();
        assert_shows(
            error,
            &["token node-1 already has a key labelled \"taken\"", "choose another label"],
        );
        assert_eq!(hsm.objects(TOKEN), before);
    });
}

#[test]
fn discarding_leaves_nothing_behind() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = backend();
        let before = hsm.objects(TOKEN);
        let plan = backend.plan(None).unwrap();
        let Created { key, locator, .. } =
            backend.create_as(&plan, &new_key(), &pin()).unwrap();
        let did = key.did().clone();
        let secret = "storage".to_owned().into();
        backend.vault().unwrap().wrap_as(&plan, &did, &secret, &pin()).unwrap().unwrap();
        drop(key);
        assert_ne!(hsm.objects(TOKEN), before);
        backend.discard(&plan, &pin()).unwrap();
        assert_eq!(hsm.objects(TOKEN), before);
        // Nothing of it is there any more, which is no error.
        backend.discard(&plan, &pin()).unwrap();
        let Locator::Pkcs11(locator) = locator else { panic!("{locator:?}") };
        let key = find(&backend, &locator, &did).unwrap().unseal(&Pin::new(PIN));
        assert_shows(key.unwrap_err(), &["token node-1 has no key with id "]);
    });
}

#[test]
fn wrong_kinds_of_credentials_and_locators_are_named() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = backend();
        let passphrase = Credentials::passphrase(Passphrase::new("words"));
        let error = backend.create(&new_key(), &passphrase).unwrap_err();
        assert_shows(error, &["the pkcs11 backend wants a PIN"]);
        let (key, _) = generate(&backend);
        let error: Result<KeyAtRest, _> = backend.find(&Locator::AgeFile("/x".into()), key.did());
        assert_shows(error.unwrap_err(), &["the locator is not one of the pkcs11 backend"]);
    });
}

}
