//! The attestation certificate of a YubiHSM 2 (Yubico's OID arc 1.3.6.1.4.1.41482.4).

use x509_parser::der_parser::oid;
use x509_parser::oid_registry::Oid;

use super::value::{bits, number, octets, text};
use super::{Claims, check_same_device, demanded};
use crate::attestation::certificate::Certificate;
use crate::attestation::{AttestationRefusal as Refusal, Firmware};
use crate::evidence::ProvenanceKind;

const FIRMWARE: Oid<'static> = oid!(1.3.6.1.4.1.41482.4.1);
const SERIAL: Oid<'static> = oid!(1.3.6.1.4.1.41482.4.2);
const ORIGIN: Oid<'static> = oid!(1.3.6.1.4.1.41482.4.3);
const DOMAINS: Oid<'static> = oid!(1.3.6.1.4.1.41482.4.4);
const CAPABILITIES: Oid<'static> = oid!(1.3.6.1.4.1.41482.4.5);
const OBJECT_ID: Oid<'static> = oid!(1.3.6.1.4.1.41482.4.6);
const LABEL: Oid<'static> = oid!(1.3.6.1.4.1.41482.4.9);

/// The longest label of an object, in bytes.
const MAX_LABEL: usize = 40;

/// The bits of the origin (`YH_ORIGIN_…` in yubihsm.h).
const GENERATED: u8 = 0x01;
const IMPORTED: u8 = 0x02;
const IMPORTED_WRAPPED: u8 = 0x10;

/// `exportable-under-wrap`: whoever has the wrap key takes the key out.
const EXPORTABLE: u64 = 1 << 16;
/// All capabilities that a key of firmware 2.4 can have, 0x00 to 0x2e in yubihsm.h. What came
/// later is of symmetric keys and of public wrap keys; one that is not known may be a way out.
const KNOWN: u64 = (1 << 0x2f) - 1;

pub(super) fn claims(leaf: &Certificate<'_>, issuer: &Certificate<'_>) -> Result<Claims, Refusal> {
    let firmware = |value: &[u8]| octets(value).map(Firmware::from_numbers);
    let [origin] = demanded(leaf, &ORIGIN, bits)?;
    let capabilities = u64::from_be_bytes(demanded(leaf, &CAPABILITIES, bits)?);
    let claims = Claims {
        serial: demanded(leaf, &SERIAL, number)?,
        firmware: demanded(leaf, &FIRMWARE, firmware)?,
        provenance: provenance(origin, capabilities)?,
    };
    // Nothing is decided by these; a certificate without them is not of the form that is known.
    demanded(leaf, &DOMAINS, bits::<2>)?;
    demanded(leaf, &OBJECT_ID, |value| number(value).and_then(|id| u16::try_from(id).ok()))?;
    demanded(leaf, &LABEL, |value| text(value, MAX_LABEL).map(drop))?;
    let serial = demanded(issuer, &SERIAL, number)?;
    check_same_device(&claims, Some(serial), demanded(issuer, &FIRMWARE, firmware)?)?;
    Ok(claims)
}

/// Made there is not enough: it must not be able to leave, either.
fn provenance(origin: u8, capabilities: u64) -> Result<ProvenanceKind, Refusal> {
    if capabilities & EXPORTABLE != 0 {
        return Err(Refusal::Exportable);
    }
    if capabilities & !KNOWN != 0 {
        return Err(Refusal::Capabilities { unknown: capabilities & !KNOWN });
    }
    let imported = origin & (IMPORTED | IMPORTED_WRAPPED) != 0;
    match origin {
        GENERATED => Ok(ProvenanceKind::Hardware),
        _ if origin & !(GENERATED | IMPORTED | IMPORTED_WRAPPED) != 0 || !imported => {
            Err(Refusal::Origin { origin })
        }
        _ => Ok(ProvenanceKind::DeviceHeld),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All 256 origins, and each capability.
    #[test]
    fn only_a_generated_key_that_cannot_be_exported_is_hardware() {
        for origin in 0..=u8::MAX {
            let found = provenance(origin, 0x80).ok();
            let expected = match origin {
                0x01 => Some(ProvenanceKind::Hardware),
                0x02 | 0x03 | 0x10 | 0x11 | 0x12 | 0x13 => Some(ProvenanceKind::DeviceHeld),
                _ => None,
            };
            assert_eq!(found, expected, "{origin:#04x}");
            assert!(matches!(provenance(origin, 0x80 | EXPORTABLE), Err(Refusal::Exportable)));
        }
        for bit in 0..64 {
            let found = provenance(GENERATED, 1 << bit);
            assert_eq!(found.is_ok(), bit < 47 && bit != 16, "{bit}");
        }
    }
}
