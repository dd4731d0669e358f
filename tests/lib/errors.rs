//! Messages that need a device we cannot have here: what happened, then what
//! to try. (Errors that SoftHSM2 can be brought to give are tested with it.)

use icn_identity::error::{
    DeviceError, FormatError, OpenError, PinProblem, Pkcs11Error, SignError,
};
use icn_identity::evidence::Lockout;
use icn_identity::{Error, ErrorKind};

fn token() -> String {
    "node-1".into()
}

#[test]
fn every_pin_state_has_its_own_words() {
    let wrong = |final_try, count_low, lockout| Pkcs11Error::WrongPin {
        token: token(),
        final_try,
        count_low,
        lockout,
    };
    for (error, message, help) in [
        (
            wrong(false, false, None),
            "token node-1 refused the PIN; it was tried once",
            "never retried",
        ),
        (
            wrong(false, true, None),
            "token node-1 refused the PIN; it was tried once, and the token counts wrong PINs",
            "never retried",
        ),
        (
            wrong(false, true, Some(Lockout::Never)),
            "token node-1 refused the PIN; it was tried once; wrong PINs do not lock this token",
            "never retried",
        ),
        (
            wrong(false, false, Some(Lockout::Tpm)),
            "token node-1 refused the PIN; it was tried once, and the TPM behind the token counts \
             wrong PINs",
            "inLockout",
        ),
        (
            wrong(true, true, Some(Lockout::Token)),
            "token node-1 refused the PIN; it was tried once, and one try is left",
            "do not guess",
        ),
        (
            Pkcs11Error::FinalTry { token: token() },
            "token node-1 has one PIN try left; the PIN was not sent",
            "allow_final_try",
        ),
        (
            Pkcs11Error::PinLocked { token: token(), of_tpm: false },
            "the user PIN of token node-1 is locked",
            "security officer",
        ),
        (
            Pkcs11Error::PinLocked { token: token(), of_tpm: true },
            "the TPM behind token node-1 is locked after wrong PINs, and takes none now",
            "tpm2_dictionarylockout -c",
        ),
        (
            Pkcs11Error::PinNotTaken { token: token(), problem: PinProblem::Expired },
            "token node-1 was sent the PIN once and does not log in with it: the PIN has expired",
            "--change-pin",
        ),
        (
            Pkcs11Error::PinKnownWrong { token: token() },
            "this PIN was refused by token node-1 before and was not tried again",
            "another PIN",
        ),
    ] {
        assert_eq!(error.to_string(), message);
        let help_text = Error::from(error).help().unwrap_or_default();
        assert!(help_text.contains(help), "{message}: {help_text}");
    }
}

#[test]
fn a_wrong_credential_is_told_apart_from_everything_else() {
    let (final_try, count_low, lockout) = (false, false, None);
    let wrong = Pkcs11Error::WrongPin { token: token(), final_try, count_low, lockout };
    assert!(Error::from(OpenError::from(wrong)).is_wrong_credential());
    assert!(Error::from(OpenError::WrongPassphrase).is_wrong_credential());
    let locked = Pkcs11Error::PinLocked { token: token(), of_tpm: false };
    assert!(Error::from(OpenError::from(locked)).is_wrong_credential());
    let last = Pkcs11Error::FinalTry { token: token() };
    assert!(Error::from(last).is_wrong_credential());
    let closed = Pkcs11Error::NotOpen { token: token() };
    assert!(!Error::from(OpenError::from(closed)).is_wrong_credential());
}

#[test]
fn a_layer_prints_itself_and_its_cause_is_its_source() {
    use std::error::Error as _;
    let error = SignError::Device(DeviceError::Pkcs11(Pkcs11Error::Call {
        call: "C_Sign",
        token: token(),
        kind: ErrorKind::DeviceAbsent,
        of_tpm: false,
        source: "CKR_DEVICE_REMOVED".into(),
    }));
    let first = error.source().map(ToString::to_string);
    assert_eq!(error.to_string(), "the device could not sign");
    assert_eq!(first.as_deref(), Some("C_Sign failed on token node-1"));
    let second = error.source().and_then(|error| error.source()).map(ToString::to_string);
    assert_eq!(second.as_deref(), Some("CKR_DEVICE_REMOVED"));
}

#[test]
fn a_newer_header_says_so() {
    let error = FormatError::Newer { what: "identity.json", found: 2, known: 1 };
    assert_eq!(
        error.to_string(),
        "identity.json has version 2; this program reads up to version 1"
    );
    assert_eq!(error.help().as_deref(), Some("update this program"));
}
