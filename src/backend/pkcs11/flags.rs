//! Whether a PIN may be sent, by what the token says of itself.

use super::info::TokenInfo;
use super::refusal::locked;
use super::token::Token;
use crate::error::{PinProblem, Pkcs11Error};
use crate::secret::Pin;

/// Longest PIN that is taken, in bytes. Tokens allow at most 255.
const MAX_PIN: usize = 255;

/// That the flags of a token allow a PIN to be sent, and its form too.
pub(super) fn may_send(
    token: &Token,
    info: &TokenInfo,
    pin: &Pin,
    allow_final_try: bool,
) -> Result<(), Pkcs11Error> {
    let unusable = |problem| Err(Pkcs11Error::PinUnusable { token: token.name(), problem });
    // Another may be in the slot by now: it gets no PIN that is not its own.
    token.must_be(info)?;
    let state = info.pin();
    if state.locked {
        return Err(locked(token));
    }
    if !state.initialized {
        return unusable(PinProblem::NotSet);
    }
    if state.to_be_changed {
        return unusable(PinProblem::ToBeChanged);
    }
    match (pin.text(), state.pin_pad) {
        (Some(_), true) => return unusable(PinProblem::HasPinPad),
        (None, false) => return unusable(PinProblem::NoPinPad),
        (Some(""), false) => return unusable(PinProblem::Empty),
        (Some(text), false) if text.len() > MAX_PIN => {
            return unusable(PinProblem::TooLong);
        }
        (Some(text), false) if info.is_yubihsm() && !is_pin_of_yubihsm(text) => {
            return unusable(PinProblem::NotOfYubiHsm);
        }
        _ => {}
    }
    if state.final_try && !allow_final_try {
        return Err(Pkcs11Error::FinalTry { token: token.name() });
    }
    Ok(())
}

/// `NNNNpassword`; with `@` before it for an asymmetric key, or with `#label#` for
/// one in a YubiKey (`C_Login` of yubihsm_pkcs11 2.8). It answers others by
/// `CKR_ARGUMENTS_BAD`, which says nothing.
fn is_pin_of_yubihsm(text: &str) -> bool {
    let rest = match text.strip_prefix('#') {
        Some(labelled) => labelled.split_once('#').map_or("", |(_, rest)| rest),
        None => text.strip_prefix('@').unwrap_or(text),
    };
    let (id, password) = (rest.as_bytes().get(..4), rest.as_bytes().get(4..));
    id.is_some_and(|id| id.iter().all(u8::is_ascii_hexdigit))
        && password.is_some_and(|password| (8..=64).contains(&password.len()))
}

#[cfg(test)]
mod tests {
    use super::is_pin_of_yubihsm;

    #[test]
    fn a_pin_of_a_yubihsm_is_an_id_and_a_password() {
        for (pin, is_one) in [
            ("0001password", true),
            ("00ffPassw0rd", true),
            ("@0001password", true),
            ("#label#0001password", true),
            ("password", false),
            ("0001passwor", false),
            ("001password", false),
            ("#label0001password", false),
            ("0001", false),
            ("", false),
            ("é001password", false),
        ] {
            assert_eq!(is_pin_of_yubihsm(pin), is_one, "{pin:?}");
        }
        assert!(!is_pin_of_yubihsm(&format!("0001{}", "x".repeat(65))));
    }
}
