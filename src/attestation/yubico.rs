//! What the certificates of Yubico's devices say of a key.

mod piv;
mod value;
mod yubihsm;

use x509_parser::der_parser::oid;
use x509_parser::oid_registry::Oid;

use super::certificate::Certificate;
use super::chain::Chain;
use super::{
    Anchors, AttestationRefusal as Refusal, CertifiedKey, Device, DeviceClass, ExtensionProblem,
    Firmware,
};
use crate::algorithm::VerifyingKey;
use crate::evidence::ProvenanceKind;

/// Yubico's extensions in the certificates of a YubiHSM 2, and of a YubiKey's PIV application.
const YUBIHSM: Oid<'static> = oid!(1.3.6.1.4.1.41482.4);
const PIV: Oid<'static> = oid!(1.3.6.1.4.1.41482.3);

/// What a key's certificate says.
struct Claims {
    serial: u32,
    firmware: Firmware,
    provenance: ProvenanceKind,
}

/// Verifies the way to a root of the class that the key's certificate belongs to, and reads what
/// the device says.
pub(super) fn certified(
    shown: &[Vec<u8>],
    anchors: &Anchors,
    at: i64,
    forgives_expired_leaf: bool,
) -> Result<CertifiedKey, Refusal> {
    let leaf = shown.first().ok_or(Refusal::Malformed { place: 0 })?;
    let class = class_of(&Certificate::read(leaf, 0)?)?;
    let chain = Chain::build(shown, anchors, class, at, forgives_expired_leaf)?;
    let (Some(leaf), Some(issuer), Some(root)) = (chain.leaf(), chain.device(), chain.root())
    else {
        return Err(Refusal::Malformed { place: 0 });
    };
    let claims = match class {
        DeviceClass::YubiHsm => yubihsm::claims(leaf, issuer)?,
        DeviceClass::YubiKeyPiv => piv::claims(leaf, issuer)?,
        DeviceClass::Tpm | DeviceClass::TpmAk => return Err(Refusal::NotAnAttestation),
    };
    Ok(CertifiedKey {
        key: VerifyingKey::from_spki_der(leaf.spki()).map_err(Refusal::Key)?,
        provenance: claims.provenance,
        device: Device::new(class, claims.serial, claims.firmware),
        root: anchors.told_of(class, root),
        has_expired: chain.leaf_has_expired(),
    })
}

/// Whether a certificate says something of a key as a device of Yubico's does.
pub(super) fn is_attestation(certificate: &Certificate<'_>) -> bool {
    class_of(certificate).is_ok()
}

fn class_of(leaf: &Certificate<'_>) -> Result<DeviceClass, Refusal> {
    match (leaf.has_arc(&YUBIHSM), leaf.has_arc(&PIV)) {
        (true, false) => Ok(DeviceClass::YubiHsm),
        (false, true) => Ok(DeviceClass::YubiKeyPiv),
        (true, true) => Err(Refusal::TwoClasses),
        (false, false) => Err(Refusal::NotAnAttestation),
    }
}

/// The value of an extension that has to be there, read in its one encoding.
fn demanded<T>(
    certificate: &Certificate<'_>,
    oid: &Oid<'_>,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<T, Refusal> {
    optional(certificate, oid, read)?
        .ok_or_else(|| refused(certificate, oid, ExtensionProblem::Missing))
}

/// The same, of one that may be absent.
fn optional<T>(
    certificate: &Certificate<'_>,
    oid: &Oid<'_>,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    let Some(value) = certificate.extension(oid) else { return Ok(None) };
    match read(value) {
        Some(read) => Ok(Some(read)),
        None => Err(refused(certificate, oid, ExtensionProblem::Encoding)),
    }
}

fn refused(certificate: &Certificate<'_>, oid: &Oid<'_>, problem: ExtensionProblem) -> Refusal {
    Refusal::Extension { place: certificate.place(), oid: oid.to_id_string(), problem }
}

/// That the device's certificate, which the maker issued, speaks of the device of which the key's
/// speaks, which the device issued. Its firmware has to be in both: else it would be the word of
/// the device's key alone, and any other authority under the maker's root could issue.
fn check_same_device(
    claims: &Claims,
    serial: Option<u32>,
    firmware: Firmware,
) -> Result<(), Refusal> {
    if serial.is_some_and(|serial| serial != claims.serial) {
        return Err(Refusal::OtherDevice { what: "serial number" });
    }
    // Whoever took the key of an old device could write a new version into the key's
    // certificate, and not into the one above it.
    if firmware != claims.firmware {
        return Err(Refusal::OtherDevice { what: "firmware" });
    }
    Ok(())
}
