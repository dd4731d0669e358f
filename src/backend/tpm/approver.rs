//! The approver: a P-256 key that is kept off the node, and that a TPM knows
//! by its Name.

use std::fmt;
use std::path::Path;

use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use sha2::{Digest as _, Sha256};
use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::structures::{
    EccParameter, EccPoint, EccScheme, HashScheme, KeyDerivationFunctionScheme, Public,
    PublicBuilder, PublicEccParametersBuilder,
};
use tss_esapi::traits::Marshall as _;

use crate::algorithm::P256VerifyingKey;
use crate::encoding::text;
use crate::error::{DeviceError, KeystoreError, TpmError};
use crate::file;

/// The signing key of an approver. Belongs on another machine than the node.
pub struct ApproverKey(SigningKey);

impl ApproverKey {
    /// **Blocks** on files. Reads a PKCS#8 PEM file (`openssl genpkey -algorithm EC
    /// -pkeyopt ec_paramgen_curve:P-256`), which nobody else may read.
    ///
    /// # Errors
    ///
    /// If the file is not safe to use, or holds no such key.
    pub fn read(path: &Path) -> Result<Self, crate::Error> {
        let pem = match file::read_secret(path) {
            Ok(pem) => pem,
            // That others can read a public key is no matter.
            Err(error @ KeystoreError::Unsafe { .. }) => {
                let read = file::read_foreign(path, MAX_LEN).unwrap_or_default();
                return Err(match public_key(&String::from_utf8_lossy(&read)) {
                    Some(problem) => wrong(path, problem),
                    None => error.into(),
                });
            }
            Err(error) => return Err(error.into()),
        };
        let pem = text::after_mark(&pem).map_err(|_| wrong(path, "it is not UTF-8"))?;
        let pem = std::str::from_utf8(pem).map_err(|_| wrong(path, "it is not UTF-8"))?;
        let has = |label: &str| pem.contains(&format!("-----BEGIN {label}-----"));
        let problem = match public_key(pem) {
            Some(problem) => problem,
            None if has("ENCRYPTED PRIVATE KEY") => {
                "its private key is encrypted with a passphrase, and has to be without one"
            }
            None if has("EC PRIVATE KEY") => {
                "its private key is in an older form (SEC1), not in PKCS#8: `openssl pkcs8 -topk8 \
                 -nocrypt -in FILE -out NEW` converts it"
            }
            None => "it has no P-256 key in PKCS#8 PEM in it",
        };
        Ok(Self(SigningKey::from_pkcs8_pem(pem).map_err(|_| wrong(path, problem))?))
    }

    /// Its public key.
    #[must_use]
    pub fn verifying_key(&self) -> Option<P256VerifyingKey> {
        let point = self.0.verifying_key().to_sec1_point(true);
        P256VerifyingKey::from_bytes(point.as_bytes().try_into().ok()?).ok()
    }

    /// ECDSA over the SHA-256 of `message` (RFC 6979), 64 bytes.
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature: p256::ecdsa::Signature = self.0.sign(message);
        signature.normalize_s().to_bytes().into()
    }
}

impl fmt::Debug for ApproverKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApproverKey").field("public", &self.verifying_key()).finish_non_exhaustive()
    }
}

/// Reads an approver's public key: SubjectPublicKeyInfo in PEM. The file must
/// be one that nobody else can change.
pub(super) fn read_public(path: &Path) -> Result<P256VerifyingKey, crate::Error> {
    let private = "it has a private key in it, which belongs on the approver's machine";
    let none = "it has no P-256 public key in PEM in it";
    let missing = || file::io_error("read", path)(std::io::ErrorKind::NotFound.into());
    let pem = file::read_trusted(path)?.ok_or_else(missing)?;
    let problem = if pem.contains("PRIVATE KEY-----") { private } else { none };
    let wrong = || wrong(path, problem);
    let key = p256::PublicKey::from_public_key_pem(&pem).map_err(|_| wrong())?;
    let point = p256::ecdsa::VerifyingKey::from(key).to_sec1_point(true);
    let bytes = point.as_bytes().try_into().map_err(|_| wrong())?;
    P256VerifyingKey::from_bytes(bytes).map_err(|_| wrong())
}

/// No key in PEM is longer.
const MAX_LEN: u64 = 64 * 1024;

fn wrong(path: &Path, problem: &'static str) -> crate::Error {
    DeviceError::from(TpmError::ApproverKey { path: path.to_owned(), problem }).into()
}

/// What is wrong with a file that has a public key in it, and no private one.
fn public_key(text: &str) -> Option<&'static str> {
    let is_public = ["PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----", "ecdsa-sha2-"]
        .iter()
        .any(|mark| text.contains(mark));
    (is_public && !text.contains("PRIVATE KEY-----"))
        .then_some("it has a public key in it, and the private one signs")
}

/// The approver's key as a TPM is to load it.
pub(super) fn public(key: &P256VerifyingKey) -> Result<Public, tss_esapi::Error> {
    let point = key.to_uncompressed();
    let (x, y) = point.get(1..).unwrap_or_default().split_at(32);
    let point = EccPoint::new(EccParameter::try_from(x)?, EccParameter::try_from(y)?);
    let parameters = PublicEccParametersBuilder::new()
        .with_ecc_scheme(EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256)))
        .with_curve(EccCurve::NistP256)
        .with_is_signing_key(true)
        .with_key_derivation_function_scheme(KeyDerivationFunctionScheme::Null)
        .build()?;
    let attributes =
        ObjectAttributesBuilder::new().with_user_with_auth(true).with_sign_encrypt(true).build()?;
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Ecc)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_ecc_parameters(parameters)
        .with_ecc_unique_identifier(point)
        .build()
}

/// Its Name.
pub(super) fn name(key: &P256VerifyingKey) -> Option<Vec<u8>> {
    name_of(&public(key).and_then(|public| public.marshall()).ok()?)
}

/// The Name of an object: its name algorithm (SHA-256 in all of ours) and the
/// hash of its `TPMT_PUBLIC` (part 1, section 16).
pub(super) fn name_of(public: &[u8]) -> Option<Vec<u8>> {
    let algorithm = public.get(2..4)?;
    (algorithm == [0, 0x0b]).then(|| [algorithm, Sha256::digest(public).as_slice()].concat())
}
