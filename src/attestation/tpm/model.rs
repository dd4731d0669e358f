//! Which TPM it is, as the certificate of its key names it.

use x509_parser::der_parser::oid;
use x509_parser::oid_registry::Oid;

use crate::attestation::certificate::Certificate;
use crate::attestation::{TpmModel, TpmRefusal as Refusal};
use crate::encoding::hex;
use crate::evidence::is_virtual_tpm;

const MANUFACTURER: Oid<'static> = oid!(2.23.133.2.1);
const MODEL: Oid<'static> = oid!(2.23.133.2.2);
const VERSION: Oid<'static> = oid!(2.23.133.2.3);

impl TpmModel {
    /// What a certificate names, whatever that is.
    pub(super) fn named(certificate: &Certificate<'_>) -> Option<Self> {
        let id = certificate.alternative(&MANUFACTURER)?;
        let number = hex::decode(&id.strip_prefix("id:")?.to_ascii_lowercase())?;
        let manufacturer = letters(number.try_into().ok()?);
        let model = certificate.alternative(&MODEL)?;
        Some(Self { manufacturer, model, version: certificate.alternative(&VERSION)? })
    }

    /// The same, where it is not one of the known makers of virtual TPMs: who runs the host of a virtual
    /// TPM has its keys. Nothing but the certificate is seen here, so a virtual TPM whose certificate
    /// names another maker is not recognised.
    pub(super) fn of(certificate: &Certificate<'_>) -> Result<Self, Refusal> {
        let found = Self::named(certificate).ok_or(Refusal::NoModel)?;
        if is_virtual_tpm(&found.manufacturer, &found.model) {
            let Self { manufacturer, model, .. } = found;
            return Err(Refusal::Virtual { manufacturer, model });
        }
        Ok(found)
    }
}

/// `id:53544D20` is `STM`.
fn letters(number: [u8; 4]) -> String {
    // swtpm gives IBM's number in another registry.
    if number == [0, 0, 0x10, 0x14] {
        return "IBM".to_owned();
    }
    let end = number.iter().rposition(|byte| !matches!(byte, 0 | b' ')).map_or(0, |last| last + 1);
    let letters = number.get(..end).and_then(|bytes| std::str::from_utf8(bytes).ok());
    match letters.filter(|text| !text.is_empty() && text.bytes().all(|it| it.is_ascii_graphic())) {
        Some(letters) => letters.to_owned(),
        None => hex::encode(&number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manufacturer_is_named_by_its_letters() {
        for (number, expected) in [
            (*b"STM ", "STM"),
            (*b"NTC\0", "NTC"),
            (*b"INTC", "INTC"),
            ([0, 0, 0x10, 0x14], "IBM"),
            ([0, 0, 0x10, 0x15], "00001015"),
            ([0; 4], "00000000"),
            (*b"A\nB ", "410a4220"),
        ] {
            assert_eq!(letters(number), expected);
        }
        for virtual_ in [*b"IBM\0", [0, 0, 0x10, 0x14], *b"MSFT", *b"GOOG", *b"AMZN", *b"VMW\0"] {
            assert!(is_virtual_tpm(&letters(virtual_), "x"), "{virtual_:?}");
        }
        assert!(!is_virtual_tpm(&letters(*b"STM "), "ST33HTPHAHB4"));
        assert!(is_virtual_tpm("STM", "swtpm"));
    }
}
