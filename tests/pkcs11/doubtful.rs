//! Keys that are not what they should be.

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::Attribute;
use cryptoki::session::{Session, UserType};
use icn_identity::backend::Pkcs11Locator;
use icn_identity::{Did, DidMethod, Hardware, Key, Pin, Sealed, Software};
use support::softhsm::{PIN, alone, module};

use crate::{TOKEN, assert_shows, backend, did_at, find};

/// Other software in this process, logged in. It may be the first to use the
/// module, or not.
fn foreign_session() -> Session {
    let context = Pkcs11::new(module()).unwrap();
    let _ = context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    let slot = context.get_slots_with_initialized_token().unwrap()[0];
    let session = context.open_rw_session(slot).unwrap();
    session.login(UserType::User, Some(&PIN.into())).unwrap();
    session
}

for_both_algorithms! {

/// A pair made by other software, with this in the private template.
fn foreign_pair(label: &str, id: &[u8], private: &[Attribute]) {
    let session = foreign_session();
    let named =
        [Attribute::Token(true), Attribute::Id(id.to_vec()), Attribute::Label(label.into())];
    let public = [&named[..], &[Attribute::EcParams(OID.into())]].concat();
    let sign = [Attribute::Private(true), Attribute::Sign(true)];
    let private = [&named[..], &sign, private].concat();
    session.generate_key_pair(&GENERATION, &public, &private).unwrap();
    session.logout().unwrap();
}

#[test]
fn a_key_that_the_token_would_hand_out_is_refused() {
    alone(|hsm| {
        hsm.token(TOKEN);
        foreign_pair("out", b"1", &[Attribute::Sensitive(true), Attribute::Extractable(true)]);
        foreign_pair("bare", b"2", &[Attribute::Sensitive(false), Attribute::Extractable(false)]);
        let backend = backend();
        for (label, why) in [("out", "CKA_EXTRACTABLE is true"), ("bare", "CKA_SENSITIVE is false")]
        {
            let locator = backend.find_by_label(label).unwrap();
            let did = did_at(&backend, &locator);
            let refused = find(&backend, &locator, &did).unwrap().unseal(&Pin::new(PIN));
            assert_shows(
                refused.unwrap_err(),
                &["the key is not confined to its device", why, "generate a new key"],
            );
        }
    });
}

#[test]
fn a_key_that_was_once_readable_is_not_hardware() {
    alone(|hsm| {
        hsm.token(TOKEN);
        foreign_pair("was", b"1", &[Attribute::Sensitive(true), Attribute::Extractable(true)]);
        let session = foreign_session();
        let private = [Attribute::Label(b"was".to_vec()), Attribute::Sign(true)];
        let private = session.find_objects(&private).unwrap()[0];
        session.update_attributes(private, &[Attribute::Extractable(false)]).unwrap();
        session.logout().unwrap();

        let backend = backend();
        let locator = backend.find_by_label("was").unwrap();
        let did = did_at(&backend, &locator);
        let found = find(&backend, &locator, &did).unwrap();
        let refused = Key::<Hardware, Sealed, Alg>::try_from(found).unwrap();
        assert_shows(
            refused.unseal(&Pin::new(PIN)).unwrap_err(),
            &["the evidence shows device-held"],
        );
    });
}

#[test]
fn two_keys_with_one_id_are_refused_before_a_pin() {
    alone(|hsm| {
        hsm.token(TOKEN);
        foreign_pair("first", b"\xab", &[Attribute::Sensitive(true)]);
        let backend = backend();
        let locator = backend.find_by_label("first").unwrap();
        let did = did_at(&backend, &locator);
        foreign_pair("second", b"\xab", &[Attribute::Sensitive(true)]);
        assert_shows(
            find(&backend, &locator, &did).unwrap_err(),
            &["token node-1 has 2 keys with id ab, and one is needed", "remove or relabel"],
        );
    });
}

#[test]
fn two_keys_with_one_label_are_not_adopted() {
    alone(|hsm| {
        hsm.token(TOKEN);
        import(hsm, "twin", "aa01");
        import(hsm, "twin", "aa02");
        assert_shows(
            backend().find_by_label("twin").unwrap_err(),
            &["token node-1 has 2 keys labelled \"twin\", and one is needed"],
        );
        assert_shows(
            backend().find_by_label("none").unwrap_err(),
            &["token node-1 has no key labelled \"none\"", "--list-objects"],
        );
    });
}

#[test]
fn a_key_replaced_under_its_id_is_named_before_a_pin() {
    alone(|hsm| {
        hsm.token(TOKEN);
        import(hsm, "other", "aa01");
        let backend = backend();
        let locator = backend.find_by_label("other").unwrap();
        let found = did_at(&backend, &locator);
        let expected = Key::<Software, _>::generate().unwrap().did().clone();
        assert_shows(
            find(&backend, &locator, &expected).unwrap_err(),
            &[
                "the key \"other\" (id aa01) on token node-1 is that of",
                found.as_str(),
                expected.as_str(),
                "no PIN was sent",
            ],
        );
    });
}

#[test]
fn a_key_replaced_under_its_label_is_named_before_a_pin() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = backend();
        let (key, locator) = generate(&backend);
        let expected = key.did().clone();
        let sealed = key.seal();
        hsm.pkcs11_tool_on(
            TOKEN,
            &["--delete-object", "--type", "privkey", "--label", &locator.label],
        );
        hsm.pkcs11_tool_on(
            TOKEN,
            &["--delete-object", "--type", "pubkey", "--label", &locator.label],
        );
        import(hsm, &locator.label, "bb02");
        let found = did_at(&backend, &backend.find_by_label(&locator.label).unwrap());

        // Whether it is looked for again, or was found before it was replaced.
        let refused = sealed.unseal(&Pin::new(crate::pins::WRONG)).unwrap_err();
        let said = ["the key \"icn-identity\" (id bb02)", found.as_str(), expected.as_str()];
        assert_shows(refused, &said);
        assert_shows(find(&backend, &locator, &expected).unwrap_err(), &said);
    });
}

#[test]
fn a_mismatched_pair_signs_nothing_but_the_challenge() {
    alone(|hsm| {
        hsm.token(TOKEN);
        import(hsm, "a", "aa");
        import(hsm, "b", "bb");
        // The public half of one key, the private half of the other.
        let delete = |class, label| {
            hsm.pkcs11_tool_on(TOKEN, &["--delete-object", "--type", class, "--label", label]);
        };
        delete("pubkey", "a");
        delete("privkey", "b");
        let set_id = ["--type", "pubkey", "--label", "b", "--set-id", "aa", "--id", "bb"];
        hsm.pkcs11_tool_on(TOKEN, &set_id);
        let backend = backend();
        let locator = backend.find_by_label("b").unwrap();
        assert_eq!(locator.id, [0xaa]);
        let did = did_at(&backend, &locator);
        let refused = find(&backend, &locator, &did).unwrap().unseal(&Pin::new(PIN)).unwrap_err();
        let said = ["private key with id aa on token node-1", "is not that of", did.as_str()];
        assert_shows(refused, &said);
    });
}

#[test]
fn a_key_that_is_not_there_is_said_so_after_the_pin() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = backend();
        let (key, locator) = generate(&backend);
        let mut elsewhere = Pkcs11Locator::new(locator.token, locator.serial, vec![1, 2, 3]);
        let did = Did::from_key(DidMethod::Key, key.verifying_key()).unwrap();
        drop(key);
        let sealed = find(&backend, &elsewhere, &did).unwrap();
        let refused = sealed.unseal(&Pin::new(PIN)).unwrap_err();
        assert_shows(refused, &["token node-1 has no key with id 010203"]);
        // With the label, it is seen that the key has another id now.
        elsewhere.label = "icn-identity".into();
        let error = find(&backend, &elsewhere, &did).unwrap_err();
        assert_shows(error, &["has no key with id 010203, but has it as \"icn-identity\" (id "]);
    });
}

}
