//! P-256 public keys.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature as Ecdsa, VerifyingKey};

use super::{BadSignature, InvalidVerifyingKey};
use crate::encoding::hex;

/// A P-256 public key: a point of the curve, and not the one at infinity.
#[derive(Clone, Copy)]
pub struct P256VerifyingKey {
    point: VerifyingKey,
    /// The compressed form: what DIDs hold and keys are compared by.
    compressed: [u8; 33],
}

impl P256VerifyingKey {
    /// Reads the compressed form: 33 bytes, `02` or `03` and x (SEC 1, section
    /// 2.3.4).
    ///
    /// # Errors
    ///
    /// [`InvalidVerifyingKey`] says which check failed.
    pub fn from_bytes(bytes: &[u8; 33]) -> Result<Self, InvalidVerifyingKey> {
        if !matches!(bytes.first(), Some(2 | 3)) {
            return Err(InvalidVerifyingKey::NotCanonical);
        }
        Self::parse(bytes)
    }

    /// Reads the uncompressed form: 65 bytes, `04`, x and y (SEC 1, section
    /// 2.3.4), as devices give it.
    ///
    /// # Errors
    ///
    /// [`InvalidVerifyingKey`] says which check failed.
    pub fn from_uncompressed(bytes: &[u8; 65]) -> Result<Self, InvalidVerifyingKey> {
        if bytes.first() != Some(&4) {
            return Err(InvalidVerifyingKey::NotCanonical);
        }
        Self::parse(bytes)
    }

    /// The compressed form, 33 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 33] {
        &self.compressed
    }

    /// The uncompressed form, 65 bytes.
    #[must_use]
    pub fn to_uncompressed(&self) -> [u8; 65] {
        let mut bytes = [0; 65];
        copy(&mut bytes, self.point.to_sec1_point(false).as_bytes());
        bytes
    }

    /// For an agreement of keys.
    #[cfg(feature = "attestation")]
    pub(crate) fn as_affine(&self) -> &p256::AffinePoint {
        self.point.as_affine()
    }

    fn parse(bytes: &[u8]) -> Result<Self, InvalidVerifyingKey> {
        let point =
            VerifyingKey::from_sec1_bytes(bytes).map_err(|_| InvalidVerifyingKey::NotOnCurve)?;
        let mut compressed = [0; 33];
        copy(&mut compressed, point.to_sec1_point(true).as_bytes());
        Ok(Self { point, compressed })
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), BadSignature> {
        let signature = Ecdsa::from_slice(signature).map_err(|_| BadSignature(()))?;
        self.point.verify(message, &signature).map_err(|_| BadSignature(()))
    }

    pub(super) fn verify_sha256(
        &self,
        digest: &[u8; 32],
        signature: &[u8; 64],
    ) -> Result<(), BadSignature> {
        let signature = Ecdsa::from_slice(signature).map_err(|_| BadSignature(()))?;
        self.point.verify_prehash(digest, &signature).map_err(|_| BadSignature(()))
    }
}

fn copy(to: &mut [u8], from: &[u8]) {
    for (place, byte) in to.iter_mut().zip(from) {
        *place = *byte;
    }
}

impl PartialEq for P256VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.compressed == other.compressed
    }
}
impl Eq for P256VerifyingKey {}
impl Hash for P256VerifyingKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.compressed.hash(state);
    }
}

/// By [`Self::as_bytes`].
impl Ord for P256VerifyingKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compressed.cmp(&other.compressed)
    }
}
impl PartialOrd for P256VerifyingKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for P256VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P256VerifyingKey(")?;
        hex::write(f, &self.compressed)?;
        write!(f, ")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::{Signature, VerifyingKey};

    // RFC 6979, appendix A.2.5: the key, and its signature of "sample" with SHA-256.
    const X: &str = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6";
    const Y: &str = "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    const R: &str = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
    const S: &str = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";

    fn array<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    fn key() -> P256VerifyingKey {
        P256VerifyingKey::from_uncompressed(&array(&format!("04{X}{Y}"))).unwrap()
    }

    #[test]
    fn a_p256_key_has_two_forms() {
        let compressed = array(&format!("03{X}"));
        assert_eq!(key().as_bytes(), &compressed);
        assert_eq!(P256VerifyingKey::from_bytes(&compressed).unwrap(), key());
        assert_eq!(key().to_uncompressed(), array(&format!("04{X}{Y}")));
    }

    #[test]
    fn what_is_no_point_in_that_form_is_refused() {
        let mut off_curve = array::<65>(&format!("04{X}{Y}"));
        off_curve[64] ^= 1;
        let refused = |bytes| P256VerifyingKey::from_uncompressed(bytes).unwrap_err();
        assert_eq!(refused(&off_curve), InvalidVerifyingKey::NotOnCurve);
        assert_eq!(refused(&[0; 65]), InvalidVerifyingKey::NotCanonical);
        let hybrid = array(&format!("07{X}{Y}"));
        assert_eq!(refused(&hybrid), InvalidVerifyingKey::NotCanonical);
        for (first, why) in
            [(0, InvalidVerifyingKey::NotCanonical), (4, InvalidVerifyingKey::NotCanonical)]
        {
            let mut bytes = *key().as_bytes();
            bytes[0] = first;
            assert_eq!(P256VerifyingKey::from_bytes(&bytes).unwrap_err(), why);
        }
        // x is not below p.
        let mut large = [0xff; 33];
        large[0] = 2;
        assert_eq!(
            P256VerifyingKey::from_bytes(&large).unwrap_err(),
            InvalidVerifyingKey::NotOnCurve
        );
    }

    /// The signature of the RFC has a high `s`: valid, and not of our making.
    #[test]
    fn both_signatures_are_valid_and_the_lower_one_is_strict() {
        let key = VerifyingKey::from(key());
        let high = Signature::from_p256_bytes(array(&format!("{R}{S}")));
        key.verify(b"sample", &high).unwrap();
        assert!(key.verify_strict(b"sample", &high).is_err());
        let low = high.to_low_s().unwrap();
        assert_ne!(low, high);
        key.verify_strict(b"sample", &low).unwrap();
        assert_eq!(low.to_low_s().unwrap(), low);
        assert!(key.verify(b"sampled", &high).is_err());
        let as_ed25519 = Signature::from_ed25519_bytes(*high.as_bytes());
        assert!(key.verify(b"sample", &as_ed25519).is_err());
        // r or s of zero.
        assert!(key.verify(b"sample", &Signature::from_p256_bytes([0; 64])).is_err());
        assert!(Signature::from_p256_bytes([0; 64]).to_low_s().is_err());
    }
}
