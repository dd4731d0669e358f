//! Modules that do not keep a written key as they were asked to, or say what is not so.

use super::*;

#[test]
fn a_module_that_says_to_have_made_a_written_key_is_refused_by_name() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (backend, key) = (faulty(hsm), new_key());
        // However much else it says, and whatever it calls itself.
        for lie in [
            "say CKA_LOCAL true\n",
            "say CKA_LOCAL true\nsay CKA_ALWAYS_SENSITIVE true\nsay CKA_NEVER_EXTRACTABLE true\n",
            "hardware\nsay CKA_LOCAL true\n",
            "takes-no-key CKR_FUNCTION_NOT_SUPPORTED\nunwraps-wrapped\nsay CKA_LOCAL true\n",
        ] {
            hsm.script(lie);
            let refused = import(&backend, &key).unwrap_err();
            assert!(
                matches!(
                    refused,
                    Error::Device(DeviceError::Pkcs11(Pkcs11Error::ClaimsBirth { .. }))
                ),
                "{lie}: {refused}"
            );
            assert_eq!(refused.kind(), ErrorKind::Untrusted);
            assert_shows(refused, &["CKA_LOCAL is true", "tells lies", "was removed"]);
            assert_eq!(objects(hsm), 0, "{lie}");
        }
    });
}

/// An operator who does not believe what a module says of a key's history has one that lies
/// all the same.
#[test]
fn it_is_refused_also_where_its_word_on_history_counts_for_nothing() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let mut config = crate::faulty_config(hsm);
        config.trust_key_history = false;
        let backend = Pkcs11Backend::open(&config).unwrap();
        hsm.script("say CKA_LOCAL true\n");
        let refused = import(&backend, &new_key()).unwrap_err();
        assert_shows(refused, &["CKA_LOCAL is true"]);
        assert_eq!(objects(hsm), 0);
    });
}

/// As OpenSC and its like, which answer without asking their device: nobody has claimed
/// anything.
#[test]
fn what_is_nobodys_word_is_no_lie_and_gives_no_more_than_device_held() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script(
            "library CardContact\nsay CKA_LOCAL true\nsay CKA_ALWAYS_SENSITIVE true\n\
             say CKA_NEVER_EXTRACTABLE true\nmanufacturer Acme\n",
        );
        let (backend, key) = (faulty(hsm), new_key());
        let locator = check(import(&backend, &key).unwrap(), &key);
        let again = opened(&backend, &locator, key.did());
        assert!(matches!(again, DidKey::DeviceHeld(_)), "{again:?}");
    });
}

/// A YubiHSM 2 and NSS have constants where the standard has another value; others have
/// nothing.
#[test]
fn what_claims_no_birth_is_no_lie_and_gives_no_more_than_device_held() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        for (index, told) in [
            "say CKA_ALWAYS_SENSITIVE true\nsay CKA_NEVER_EXTRACTABLE true\n",
            "hide CKA_LOCAL\nhide CKA_ALWAYS_SENSITIVE\nhide CKA_NEVER_EXTRACTABLE\n",
        ]
        .into_iter()
        .enumerate()
        {
            hsm.script(told);
            let (key, label) = (new_key(), index.to_string());
            let made = backend.import(&key, Some(&label), &pin());
            let made = made.unwrap_or_else(|error| panic!("{told}: {}", shown(error)));
            let locator = check(made, &key);
            let again = opened(&backend, &locator, key.did());
            assert!(matches!(again, DidKey::DeviceHeld(_)), "{told}: {again:?}");
        }
    });
}

#[test]
fn a_token_that_would_show_the_key_or_hand_it_out_or_let_anybody_use_it_loses_it_again() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (backend, key) = (faulty(hsm), new_key());
        for (told, words) in [
            ("say CKA_EXTRACTABLE true\n", "CKA_EXTRACTABLE is true"),
            ("say CKA_SENSITIVE false\n", "CKA_SENSITIVE is false"),
            ("say CKA_PRIVATE false\n", "CKA_PRIVATE is false"),
        ] {
            hsm.script(told);
            let refused = import(&backend, &key).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Requirement, "{refused}");
            assert_shows(refused, &[words]);
            assert_eq!(objects(hsm), 0, "{told}");
        }
    });
}

#[test]
fn a_token_that_signs_wrongly_or_shows_another_key_or_id_loses_it_again() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        for wrong in [
            "on C_Sign all flip\n",
            "on C_Sign all zero\n",
            "on C_Sign all length 63\n",
            "on C_Sign all return CKR_FUNCTION_FAILED\n",
            "short-id\n",
            "lasting-objects pass\n",
            "lasting-objects CKR_TEMPLATE_INCONSISTENT\n",
        ] {
            hsm.script(wrong);
            let refused = import(&backend, &new_key()).unwrap_err();
            let text = shown(refused);
            assert!(!text.contains("still on token"), "{wrong}: {text}");
            assert_eq!(objects(hsm), 0, "{wrong}: {text}");
        }
        // One that does not let go of it names it.
        hsm.script("on C_Sign all flip\non C_DestroyObject all return CKR_DEVICE_ERROR\n");
        let left = import(&backend, &new_key()).unwrap_err();
        let Error::Device(DeviceError::Pkcs11(Pkcs11Error::LeftBehind { id, by_their_id, .. })) =
            left
        else {
            panic!("{left}")
        };
        assert!(by_their_id && hsm.objects(TOKEN).contains(&id));
        assert_eq!(objects(hsm), 2);
    });
}
