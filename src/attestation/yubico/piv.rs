//! The attestation certificate of a YubiKey's PIV application (Yubico's OID arc
//! 1.3.6.1.4.1.41482.3). A YubiKey issues one for generated keys alone, and no key leaves it.

use x509_parser::der_parser::oid;
use x509_parser::oid_registry::Oid;

use super::value::number;
use super::{Claims, check_same_device, demanded, optional};
use crate::attestation::certificate::Certificate;
use crate::attestation::{AttestationRefusal as Refusal, Firmware};
use crate::evidence::ProvenanceKind;

const FIRMWARE: Oid<'static> = oid!(1.3.6.1.4.1.41482.3.3);
const SERIAL: Oid<'static> = oid!(1.3.6.1.4.1.41482.3.7);
const POLICIES: Oid<'static> = oid!(1.3.6.1.4.1.41482.3.8);
const FORM_FACTOR: Oid<'static> = oid!(1.3.6.1.4.1.41482.3.9);

pub(super) fn claims(leaf: &Certificate<'_>, issuer: &Certificate<'_>) -> Result<Claims, Refusal> {
    // Three bytes as they are, without a tag.
    let firmware = |value: &[u8]| value.try_into().ok().map(Firmware::from_numbers);
    let claims = Claims {
        serial: demanded(leaf, &SERIAL, number)?,
        firmware: demanded(leaf, &FIRMWARE, firmware)?,
        provenance: ProvenanceKind::Hardware,
    };
    // Whether a PIN or a touch is asked for, and the shape of the key: of no weight here.
    optional(leaf, &POLICIES, |value| <[u8; 2]>::try_from(value).ok())?;
    optional(leaf, &FORM_FACTOR, |value| <[u8; 1]>::try_from(value).ok())?;
    // The certificate of the device (slot f9) has its firmware, and no serial number. By that
    // extension it is told from the maker's other authorities: its newer root is that of YubiKeys'
    // other applications and of YubiHSMs too. Each f9 that could be looked at has it: of 2018,
    // 5.4.3, and 5.4.3 FIPS. None of firmware 5.7.4 and later was to be had.
    let serial = optional(issuer, &SERIAL, number)?;
    check_same_device(&claims, serial, demanded(issuer, &FIRMWARE, firmware)?)?;
    Ok(claims)
}
