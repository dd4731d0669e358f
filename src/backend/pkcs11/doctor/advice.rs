//! What fits what is there instead of the identity's key.

use crate::backend::doctor::{Outcome, Remedy, Verdict, verdict};
use crate::error::{DeviceError, Error, Pkcs11Error, in_full};

pub(super) const IDENTITYS_KEY: &str = "the identity's key";
pub(super) const IDENTITYS_STORAGE: &str = "the identity's storage key";
pub(super) const NAMED_KEY: &str = "the key that is there";

pub(super) fn unseen(requirement: &'static str) -> Verdict {
    verdict(
        requirement,
        Outcome::Warning,
        "the token does not show it without a login, so it was not seen",
        "a probe opens it",
    )
}

pub(super) fn failed(requirement: &'static str, error: &Error) -> Verdict {
    let failed = verdict(requirement, Outcome::Fail, in_full(error), &advice(error, requirement));
    match remedy(error, requirement) {
        Some(remedy) => failed.remedied_by(remedy),
        None => failed,
    }
}

fn of_token(error: &Error) -> Option<&Pkcs11Error> {
    match error.device()? {
        DeviceError::Pkcs11(error) => Some(error),
        _ => None,
    }
}

/// What does as the advice says, which then names nothing that does it.
pub(super) fn remedy(error: &Error, requirement: &str) -> Option<Remedy> {
    match of_token(error)? {
        Pkcs11Error::NotConfiguredToken { .. }
        | Pkcs11Error::NotConfiguredKey { .. }
        | Pkcs11Error::NoToken { renamed: Some(_), .. }
        | Pkcs11Error::OtherSerial { .. } => Some(Remedy::Relocate),
        Pkcs11Error::NoPublicKey { .. } | Pkcs11Error::KeyNotShown { .. }
            if requirement == IDENTITYS_KEY =>
        {
            Some(Remedy::WritePublicKey)
        }
        _ => None,
    }
}

/// What fits what is there instead of the key.
pub(super) fn advice(error: &Error, requirement: &str) -> String {
    let is_identitys = requirement == IDENTITYS_KEY;
    let advice = match of_token(error) {
        Some(Pkcs11Error::OtherKind { .. } | Pkcs11Error::PublicKey { .. }) if is_identitys => {
            "something else has the id of the key: find the token that has the key, or restore it"
        }
        Some(Pkcs11Error::NoKey { .. }) if is_identitys => {
            "the key is gone from this token: find the token that has it, or restore it from the \
             token's own backup"
        }
        Some(Pkcs11Error::NoPrivateKey { .. }) if is_identitys => {
            "the private key is gone, and only its public key is left: restore it from the token's \
             own backup, or find the token that has it"
        }
        Some(Pkcs11Error::NoPrivateKey { .. }) => {
            "name another key: of this one the token has the public half alone"
        }
        Some(Pkcs11Error::OtherPrivateKey { .. }) if is_identitys => {
            "another private key is under its name: find out who put it there, and restore the \
             identity's from the token's own backup, or find the token that has it"
        }
        Some(Pkcs11Error::OtherPrivateKey { .. }) => {
            "name another key: the private key there is not that of the public key beside it"
        }
        Some(Pkcs11Error::NoPublicKey { .. }) if is_identitys => {
            "write the public key back, which the header knows"
        }
        Some(
            Pkcs11Error::NoToken { renamed: Some(label), .. }
            | Pkcs11Error::NotConfiguredToken { renamed: Some(label), .. },
        ) => {
            return format!(
                "leave the token as it is: it is labelled {label:?} now. Record where the key is"
            );
        }
        Some(Pkcs11Error::OtherSerial { .. }) => {
            "the token of that label has another serial number than the identity's: if it was \
             initialised anew, its keys are gone, so put the token's own backup back; else bring \
             the token that has the key. If the key is on another token now, record where it is"
        }
        Some(Pkcs11Error::NotConfiguredToken { .. } | Pkcs11Error::NotConfiguredKey { .. }) => {
            "correct `token`, `serial` or `key` under [identity.pkcs11]; if the key has moved, \
             record where it is"
        }
        Some(Pkcs11Error::KeyNotShown { .. }) => {
            "find out whether it is another token with the same label and serial number; if it is \
             yours, put back what is gone: the private key from the token's own backup; the public \
             key alone can be written"
        }
        _ => {
            return error.help().unwrap_or_else(|| "see whether it is the right token".into());
        }
    };
    advice.to_owned()
}
