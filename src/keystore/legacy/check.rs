//! What must belong together in an older file.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::bytes::Value;
use super::fields::Fields;
use super::{LegacyFormat, not_its_key};
use crate::algorithm::{Signature, VerifyingKey};
use crate::did::{Did, DidMethod};
use crate::error::{FieldProblem, LegacyError};
use crate::key::{Key, Software, Unlocked};
use crate::secret::{SigningSeed, X25519Seed};

pub(super) const TLS: [&str; 3] = ["tls_cert_der", "tls_key_der", "tls_binding_sig"];
pub(super) const X25519: [&str; 2] = ["x25519_secret", "x25519_public"];

/// 32 secret bytes, read on the stack into `use_bytes` and wiped.
fn secret<T>(value: &Value<'_>, use_bytes: impl FnOnce(&[u8; 32]) -> T) -> Result<T, LegacyError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    value.bytes_into(bytes.as_mut_slice())?;
    Ok(use_bytes(&bytes))
}

/// The Ed25519 key of the file: secret, public key and DID.
pub(super) fn key(
    fields: &mut Fields<'_>,
    format: LegacyFormat,
) -> Result<Key<Software, Unlocked>, LegacyError> {
    let seed = secret(&fields.take("secret_bytes", format)?, SigningSeed::from_bytes)?;
    let public = fields.take("public_bytes", format)?.array::<32>()?;
    if public != *seed.verifying_key().as_bytes() {
        return Err(not_its_key("public_bytes", "secret_bytes"));
    }
    let named = fields.take("did", format)?.text()?;
    let key = VerifyingKey::from(seed.verifying_key());
    match Did::parse(&named) {
        Ok(did) if *did.verifying_key() == key => Ok(Key::from_signing_seed(seed, did.method())),
        _ => Err(LegacyError::WrongDid {
            named: named.chars().take(128).collect(),
            key: Did::fitting(DidMethod::default(), &key),
        }),
    }
}

/// The old binding: Ed25519 over SHA-256 of the certificate, with nothing
/// before it.
///
/// Certificate and signature are carried along; they are public, and peers may
/// have stored them. The TLS key is not: it is replaced, and as long as it
/// exists, whoever has it can pose as this node to peers that trust the old
/// certificate.
pub(super) fn tls(
    fields: &mut Fields<'_>,
    format: LegacyFormat,
    key: &VerifyingKey,
) -> Result<(), LegacyError> {
    fields.take("tls_key_der", format)?.bytes()?;
    let certificate = fields.want("tls_cert_der", format)?.bytes()?;
    let signature = fields.want("tls_binding_sig", format)?.array::<64>()?;
    let signature = Signature::from_ed25519_bytes(signature);
    key.verify_strict(&Sha256::digest(&*certificate), &signature).map_err(|_| LegacyError::Binding)
}

pub(super) fn x25519(
    fields: &mut Fields<'_>,
    format: LegacyFormat,
) -> Result<X25519Seed, LegacyError> {
    let seed = secret(&fields.take("x25519_secret", format)?, X25519Seed::from_bytes)?;
    let public = fields.take("x25519_public", format)?.array::<32>()?;
    if public == *seed.public_key().as_bytes() {
        Ok(seed)
    } else {
        Err(not_its_key("x25519_public", "x25519_secret"))
    }
}

/// The pairs of every key bundle, as far as both halves are there. The bundles
/// are carried along as they are, the revoked and expired ones too: whoever
/// reads one later must not find a public key that is somebody else's.
pub(super) fn keybundles(fields: &Fields<'_>) -> Result<(), LegacyError> {
    fields.number("current_keybundle_version")?;
    let Some(bundles) = fields.peek("keybundles") else { return Ok(()) };
    for bundle in bundles.objects()? {
        keybundle(bundle.get().as_bytes())?;
    }
    Ok(())
}

fn keybundle(json: &[u8]) -> Result<(), LegacyError> {
    let problem = FieldProblem::NotObjects;
    let bundle = Fields::parse(json).map_err(|error| match error {
        LegacyError::Json { .. } => LegacyError::Field { field: "keybundles", problem },
        error => error,
    })?;
    let pair = |private, public| Some((bundle.peek(private)?, bundle.peek(public)?));
    if let Some((private, public)) = pair("classical_secret", "classical_public") {
        let seed = secret(&private, SigningSeed::from_bytes)?;
        if public.array::<32>()? != *seed.verifying_key().as_bytes() {
            return Err(not_its_key("classical_public", "classical_secret"));
        }
    }
    if let Some((private, public)) = pair("bundle_x25519_secret", "bundle_x25519_public") {
        let seed = secret(&private, X25519Seed::from_bytes)?;
        if public.array::<32>()? != *seed.public_key().as_bytes() {
            return Err(not_its_key("bundle_x25519_public", "bundle_x25519_secret"));
        }
    }
    Ok(())
}
