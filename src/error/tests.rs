mod kinds;

use super::*;
use crate::key::{Key, Software, Unlocked};
use crate::rotation::RotationRole;

/// Every error that a refused PIN can arrive in.
fn wrapped(make: impl Fn() -> DeviceError) -> Vec<Error> {
    let open = || OpenError::Device(make());
    let sign = || SignError::Device(make());
    let challenge = || OpenError::Challenge(sign());
    let reopened = |source: OpenError| {
        DeviceError::from(Pkcs11Error::NotReopened {
            token: "node-1".into(),
            source: source.into(),
        })
    };
    let role = RotationRole::Old;
    let did = Key::<Software, Unlocked>::generate().unwrap().did().clone();
    vec![
        make().into(),
        open().into(),
        sign().into(),
        challenge().into(),
        BundleError::Challenge(open()).into(),
        BundleError::Challenge(challenge()).into(),
        BundleError::Sign(sign()).into(),
        RotationError::Sign { role, source: sign() }.into(),
        SignError::Device(reopened(open())).into(),
        SignError::Device(reopened(challenge())).into(),
        BundleError::Sign(SignError::Device(reopened(open()))).into(),
        reopened(OpenError::Device(reopened(challenge()))).into(),
        KeystoreError::NotOpened { path: "identity.age".into(), source: open().into() }.into(),
        BackupError::KeyNotThere {
            did,
            place: "token node-1".into(),
            source: Box::new(BundleError::Sign(sign()).into()),
        }
        .into(),
    ]
}

#[test]
fn a_refused_pin_is_one_however_deep_it_is() {
    let token = || "node-1".to_owned();
    let wrong: [&dyn Fn() -> DeviceError; 4] = [
        &|| {
            Pkcs11Error::WrongPin {
                token: token(),
                final_try: false,
                count_low: true,
                lockout: None,
            }
            .into()
        },
        &|| Pkcs11Error::PinKnownWrong { token: token() }.into(),
        &|| Pkcs11Error::PinLocked { token: token(), of_tpm: false }.into(),
        &|| TpmError::PinKnownWrong.into(),
    ];
    for make in wrong {
        for error in wrapped(make) {
            assert!(error.is_wrong_pin(), "{error:?}");
            assert!(error.is_wrong_credential(), "{error:?}");
            assert!(error.help().is_some(), "{error:?}");
        }
    }
    for error in wrapped(|| Pkcs11Error::Forked.into()) {
        assert!(!error.is_wrong_pin() && !error.is_wrong_credential(), "{error:?}");
        assert!(matches!(error.device(), Some(DeviceError::Pkcs11(Pkcs11Error::Forked))));
    }
    for error in wrapped(|| Pkcs11Error::FinalTry { token: token() }.into()) {
        assert!(!error.is_wrong_pin() && error.is_wrong_credential(), "{error:?}");
    }
    for allowed in [0, 1] {
        for error in wrapped(|| TpmError::NoSpareTry { allowed }.into()) {
            assert_eq!(error.kind(), ErrorKind::LockedOut, "{error:?}");
            assert!(error.is_wrong_credential(), "waiting changes nothing: {error:?}");
        }
    }
    // A supervisor that would not start the program again would leave it down for good.
    let passing: [&dyn Fn() -> DeviceError; 3] = [
        &|| TpmError::FinalTry.into(),
        &|| TpmError::LockedOut { recovery_seconds: None, source: None }.into(),
        &|| Pkcs11Error::PinLocked { token: token(), of_tpm: true }.into(),
    ];
    for make in passing {
        for error in wrapped(make) {
            assert_eq!(error.kind(), ErrorKind::LockedOut, "{error:?}");
            assert!(!error.is_wrong_credential(), "{error:?}");
        }
    }
}
