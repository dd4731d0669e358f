//! The public part of a TPM's key (`TPMT_PUBLIC`, TPM 2.0 Library, part 2, section 12.2.4), as
//! the TPM marshals it, and the Name of that.

use sha2::{Digest as _, Sha256};

use super::wire::{Reader, put_sized};
use crate::algorithm::{P256VerifyingKey, VerifyingKey};
use crate::attestation::bytes::Name;
use crate::attestation::tpm_algorithm::{
    AES, CFB, ECC, ECDAA, ECDSA, ECSCHNORR, KEYEDHASH, NULL, P256, SHA1, SHA256, SM2,
};
use crate::attestation::{TpmAlgorithm, TpmCurve, TpmField, TpmRefusal as Refusal};

/// The longest digest of a TPM: SHA-512.
const MAX_DIGEST: usize = 64;
/// A coordinate of the longest curve: P-521.
const MAX_COORDINATE: usize = 66;

/// The symmetric cipher of a storage key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Symmetric {
    pub(super) algorithm: u16,
    pub(super) bits: u16,
    pub(super) mode: u16,
}

impl Symmetric {
    pub(super) const AES_128_CFB: Self = Self { algorithm: AES, bits: 128, mode: CFB };
}

/// A scheme of signatures, or of the derivation of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scheme {
    pub(super) algorithm: u16,
    pub(super) hash: u16,
    /// Of ECDAA alone.
    count: Option<u16>,
}

impl Scheme {
    pub(super) const ECDSA_SHA256: Self = Self { algorithm: ECDSA, hash: SHA256, count: None };
}

/// A key on a curve. Only these are read: others are refused by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::attestation) struct Public {
    pub(super) name_algorithm: u16,
    pub(super) attributes: u32,
    pub(super) policy: Vec<u8>,
    pub(super) symmetric: Option<Symmetric>,
    pub(super) scheme: Option<Scheme>,
    pub(super) curve: u16,
    pub(super) kdf: Option<Scheme>,
    x: Vec<u8>,
    y: Vec<u8>,
}

impl Public {
    /// Reads one, and nothing after it. What is read is what would be written.
    pub(in crate::attestation) fn read(bytes: &[u8], field: TpmField) -> Result<Self, Refusal> {
        let mut reader = Reader::new(bytes);
        let read = match reader.u16() {
            Some(ECC) => Self::rest(reader),
            Some(KEYEDHASH) => return Err(Refusal::SealedData { field }),
            Some(found) => return Err(Refusal::KeyType { field, found: TpmAlgorithm(found) }),
            None => None,
        };
        read.ok_or(Refusal::Malformed { field })
    }

    fn rest(mut reader: Reader<'_>) -> Option<Self> {
        let name_algorithm = reader.u16()?;
        let attributes = reader.u32()?;
        let policy = reader.sized(MAX_DIGEST)?.to_vec();
        let symmetric = match reader.u16()? {
            NULL => None,
            algorithm => Some(Symmetric { algorithm, bits: reader.u16()?, mode: reader.u16()? }),
        };
        let scheme = match reader.u16()? {
            NULL => None,
            algorithm @ (ECDSA | SM2 | ECSCHNORR | 0x0019) => {
                Some(Scheme { algorithm, hash: reader.u16()?, count: None })
            }
            algorithm @ ECDAA => {
                Some(Scheme { algorithm, hash: reader.u16()?, count: Some(reader.u16()?) })
            }
            _ => return None,
        };
        let curve = reader.u16()?;
        let kdf = match reader.u16()? {
            NULL => None,
            algorithm => Some(Scheme { algorithm, hash: reader.u16()?, count: None }),
        };
        let x = reader.sized(MAX_COORDINATE)?.to_vec();
        let y = reader.sized(MAX_COORDINATE)?.to_vec();
        reader.end()?;
        Some(Self { name_algorithm, attributes, policy, symmetric, scheme, curve, kdf, x, y })
    }

    /// As the TPM marshals it.
    pub(in crate::attestation) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let put = |bytes: &mut Vec<u8>, number: u16| bytes.extend(number.to_be_bytes());
        put(&mut bytes, ECC);
        put(&mut bytes, self.name_algorithm);
        bytes.extend(self.attributes.to_be_bytes());
        put_sized(&mut bytes, &self.policy);
        match self.symmetric {
            None => put(&mut bytes, NULL),
            Some(Symmetric { algorithm, bits, mode }) => {
                [algorithm, bits, mode].into_iter().for_each(|number| put(&mut bytes, number));
            }
        }
        let put_scheme = |bytes: &mut Vec<u8>, scheme: Option<Scheme>| match scheme {
            None => put(bytes, NULL),
            Some(Scheme { algorithm, hash, count }) => {
                put(bytes, algorithm);
                put(bytes, hash);
                count.into_iter().for_each(|count| put(bytes, count));
            }
        };
        put_scheme(&mut bytes, self.scheme);
        put(&mut bytes, self.curve);
        put_scheme(&mut bytes, self.kdf);
        put_sized(&mut bytes, &self.x);
        put_sized(&mut bytes, &self.y);
        bytes
    }

    /// Its Name, which the TPM certifies: of the very bytes.
    pub(in crate::attestation) fn name(&self) -> Name {
        name_of(&self.to_bytes())
    }

    /// The key, on P-256 and with SHA-256 for its Name; others are refused by name.
    pub(in crate::attestation) fn p256(
        &self,
        field: TpmField,
    ) -> Result<P256VerifyingKey, Refusal> {
        match self.name_algorithm {
            SHA256 => {}
            SHA1 => return Err(Refusal::Sha1 { field }),
            found => return Err(Refusal::NameAlgorithm { field, found: TpmAlgorithm(found) }),
        }
        if self.curve != P256 {
            return Err(Refusal::Curve { field, found: TpmCurve(self.curve) });
        }
        let coordinate = |from: &[u8]| {
            let mut to = [0; 32];
            // Some TPMs leave zeros in front away.
            let before = to.len().checked_sub(from.len())?;
            to.split_at_mut(before).1.copy_from_slice(from);
            Some(to)
        };
        let point = || {
            let (x, y) = (coordinate(&self.x)?, coordinate(&self.y)?);
            <[u8; 65]>::try_from([&[4][..], &x, &y].concat()).ok()
        };
        let point = point().ok_or(Refusal::Point { field })?;
        P256VerifyingKey::from_uncompressed(&point).map_err(|_| Refusal::Point { field })
    }

    /// The same, as the key of a DID.
    pub(in crate::attestation) fn verifying_key(
        &self,
        field: TpmField,
    ) -> Result<VerifyingKey, Refusal> {
        self.p256(field).map(VerifyingKey::from)
    }
}

/// A key to encrypt for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::attestation) struct EndorsementKey {
    pub(in crate::attestation) key: P256VerifyingKey,
    /// Its first coordinate, as long as the TPM marshals it: of that the TPM derives keys (part 1,
    /// section 11.4.10.3), and some leave zeros in front away.
    pub(super) x: Vec<u8>,
}

impl Public {
    pub(super) fn endorsement_key(&self, field: TpmField) -> Result<EndorsementKey, Refusal> {
        Ok(EndorsementKey { key: self.p256(field)?, x: self.x.clone() })
    }
}

/// The Name of marshalled bytes.
fn name_of(public: &[u8]) -> Name {
    with_sha256(&Sha256::digest(public).into())
}

/// The qualified name of a primary key: what is above it is its hierarchy (part 1, section 16,
/// and part 2, section 12.2.6).
pub(super) fn qualified_name_of_primary(hierarchy: u32, name: &Name) -> Name {
    let hash = Sha256::new().chain_update(hierarchy.to_be_bytes()).chain_update(name);
    with_sha256(&hash.finalize().into())
}

fn with_sha256(digest: &[u8; 32]) -> Name {
    let mut name = [0; 34];
    let (algorithm, rest) = name.split_at_mut(2);
    algorithm.copy_from_slice(&SHA256.to_be_bytes());
    rest.copy_from_slice(digest);
    name
}
