//! From a PIN to what the TPM is given and what the secret is encrypted with.
//!
//! SHA-256, scrypt once, then HKDF-SHA256 for each use. So a PIN of any length and with
//! any bytes will do (a TPM cuts trailing zeros and takes 32 bytes at most),
//! the TPM never has the PIN itself, and who has broken the TPM open still has
//! to guess PINs at scrypt's price. It does not make a short PIN long: against
//! such an attacker a PIN of six digits is a million guesses.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::agefile;
use crate::backend::PinStretching;
use crate::error::{ErrorKind, TpmError};
use crate::secret::{LockedBox, Pin};

/// What a sealed object is for. Each has its own derived keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The seed of the DID key, or the P-256 key itself.
    Key,
    /// The storage key.
    Storage,
}

impl Purpose {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Storage => "storage",
        }
    }

    /// For messages.
    pub(super) const fn object(self) -> &'static str {
        match self {
            Self::Key => "key object",
            Self::Storage => "storage key's object",
        }
    }
}

/// Bytes of an XChaCha20 nonce.
const NONCE: usize = 24;

/// Least work that a header may ask for.
const MIN_LOG_N: u8 = 10;
/// Most work that a header may ask for.
const MAX_LOG_N: u8 = 20;

impl PinStretching {
    /// A new salt.
    pub(super) fn generate(log_n: u8) -> Result<Self, TpmError> {
        let mut salt = [0; 16];
        crate::secret::fill_random(&mut salt).map_err(|error| {
            let kind = error.kind();
            TpmError::Command { doing: "make a salt", kind, source: Box::new(error) }
        })?;
        Ok(Self { salt, log_n })
    }
}

/// A PIN after scrypt, in locked memory.
pub(super) struct Stretched(LockedBox<[u8; 32]>);

impl Stretched {
    pub(super) fn new(pin: &Pin, how: &PinStretching) -> Result<Self, TpmError> {
        let text = match pin.text() {
            Some("") => return Err(TpmError::PinUnusable { reason: "it is empty" }),
            Some(text) => text,
            None if pin.is_none() => return Err(TpmError::PinMissing),
            None => return Err(TpmError::PinUnusable { reason: "a TPM has no PIN pad" }),
        };
        let damaged = || TpmError::Damaged { what: "work factor of the PIN", source: None };
        if !(MIN_LOG_N..=MAX_LOG_N).contains(&how.log_n) {
            return Err(damaged());
        }
        let params = scrypt::Params::new(how.log_n, 8, 1, 32).map_err(|_| damaged())?;
        // HMAC, inside scrypt, takes a PIN and the same one with zeros after it
        // for one; hashes of them are two.
        let hashed = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(text.as_bytes())));
        LockedBox::try_new([0; 32], |out| {
            agefile::costing_scrypt(Some(how.log_n), || {
                scrypt::scrypt(hashed.as_slice(), &how.salt, &params, out).map_err(|_| damaged())
            })
            .unwrap_or_else(|agefile::NoMemory(log_n)| Err(TpmError::NoMemory { log_n }))
        })
        .map(Self)
    }

    fn derive(&self, purpose: Purpose, usage: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        let info =
            [b"icn-identity/tpm-pin/v1\0", purpose.as_str().as_bytes(), b"/", usage.as_bytes()];
        // 32 bytes are within what HKDF gives.
        let _ = Hkdf::<Sha256>::new(None, self.0.as_slice())
            .expand_multi_info(&info, key.as_mut_slice());
        key
    }

    /// The authValue of both objects: 32 bytes, the last of which is not zero.
    /// (With one for each, objects that somebody swapped would cost a try.)
    pub(super) fn auth_value(&self) -> Zeroizing<[u8; 32]> {
        let mut auth = self.derive(Purpose::Key, "auth");
        if let Some(last) = auth.last_mut() {
            *last |= 1;
        }
        auth
    }

    /// Tells a PIN that was refused from others: that of one identity, for both of its
    /// objects. Guessing it costs scrypt.
    pub(super) fn mark(&self) -> [u8; 32] {
        Sha256::digest(self.auth_value().as_slice()).into()
    }

    fn cipher(&self, purpose: Purpose) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.derive(purpose, "seal").as_slice().into())
    }

    /// The second encryption, inside the TPM's own: a random nonce, then
    /// ciphertext and tag. 40 bytes longer than the secret.
    pub(super) fn encrypt(
        &self,
        purpose: Purpose,
        did: &str,
        secret: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, TpmError> {
        let kind = ErrorKind::Internal;
        let failed = |source| TpmError::Command { doing: "encrypt a key", kind, source };
        let mut nonce = [0; NONCE];
        crate::secret::fill_random(&mut nonce).map_err(|error| failed(Box::new(error)))?;
        let payload = Payload { msg: secret, aad: did.as_bytes() };
        let sealed = self.cipher(purpose).encrypt(XNonce::from_slice(&nonce), payload);
        let sealed = sealed.map_err(|error| failed(error.to_string().into()))?;
        Ok(Zeroizing::new([nonce.as_slice(), &sealed].concat()))
    }

    /// Takes [`Self::encrypt`] off again.
    pub(super) fn decrypt(
        &self,
        purpose: Purpose,
        did: &str,
        sealed: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
        let payload = Payload { msg: sealed, aad: did.as_bytes() };
        let secret = self.cipher(purpose).decrypt(XNonce::from_slice(nonce), payload);
        secret.ok().map(Zeroizing::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn how() -> PinStretching {
        PinStretching { salt: [7; 16], log_n: 10 }
    }

    fn stretched(pin: &str) -> Stretched {
        Stretched::new(&Pin::new(pin), &how()).unwrap()
    }

    #[test]
    fn pins_that_a_tpm_would_take_for_one_are_several() {
        let long = "x".repeat(64);
        let longer = format!("{long}y");
        let pins = ["1234", "1234\0", "1234\0\0", long.as_str(), longer.as_str(), "ä", "Ä"];
        for (index, pin) in pins.iter().enumerate() {
            for other in &pins[index + 1..] {
                let auths = [pin, other].map(|pin| stretched(pin).auth_value());
                assert_ne!(*auths[0], *auths[1], "{pin:?} {other:?}");
            }
        }
    }

    #[test]
    fn an_auth_value_never_ends_in_zero_and_each_purpose_has_its_own_key() {
        for pin in 0..300 {
            let stretched = Stretched(LockedBox::new([0; 32], |b| {
                b[..4].copy_from_slice(&i32::to_be_bytes(pin));
            }));
            assert_ne!(stretched.auth_value()[31], 0);
            assert_ne!(
                *stretched.derive(Purpose::Key, "seal"),
                *stretched.derive(Purpose::Storage, "seal")
            );
        }
    }

    #[test]
    fn what_is_sealed_is_encrypted_again_for_one_did_purpose_and_pin() {
        let (one, other) = (stretched("1234"), stretched("1235"));
        let sealed = one.encrypt(Purpose::Key, "did:a", &[9; 32]).unwrap();
        assert_eq!(sealed.len(), 32 + 40);
        assert!(!sealed.windows(4).any(|part| part == [9; 4]));
        let again = one.encrypt(Purpose::Key, "did:a", &[9; 32]).unwrap();
        assert_ne!(again[24..], sealed[24..]);
        assert_eq!(*one.decrypt(Purpose::Key, "did:a", &sealed).unwrap(), [9; 32]);
        assert!(one.decrypt(Purpose::Storage, "did:a", &sealed).is_none());
        assert!(one.decrypt(Purpose::Key, "did:b", &sealed).is_none());
        assert!(other.decrypt(Purpose::Key, "did:a", &sealed).is_none());
    }

    #[test]
    fn no_pin_an_empty_one_and_a_bomb_are_refused() {
        let refused = |pin: &Pin, how: &PinStretching| Stretched::new(pin, how).err().unwrap();
        assert!(matches!(refused(&Pin::none(), &how()), TpmError::PinMissing));
        assert!(matches!(refused(&Pin::new(""), &how()), TpmError::PinUnusable { .. }));
        assert!(matches!(refused(&Pin::at_pin_pad(), &how()), TpmError::PinUnusable { .. }));
        for log_n in [0, 9, 21, 40, 255] {
            let bomb = PinStretching { log_n, ..how() };
            assert!(matches!(refused(&Pin::new("1"), &bomb), TpmError::Damaged { .. }));
        }
    }
}
