//! What is read here, for the table of formats.

use super::certificate::Certificate;
use super::{Anchors, Attestation, Challenge, DeviceCertificates, Verifier};

/// The file.
pub(crate) fn attestation(bytes: &[u8]) -> Option<Vec<u8>> {
    Attestation::parse(bytes).ok().map(|read| read.to_json().into_bytes())
}

/// The challenge.
pub(crate) fn challenge(bytes: &[u8]) -> Option<Vec<u8>> {
    Challenge::parse(bytes).ok().map(|read| read.to_json().into_bytes())
}

/// A device's certificate, with all that is read of it.
pub(crate) fn certificate(bytes: &[u8]) -> Option<Vec<u8>> {
    let read = Certificate::read(bytes, 0).ok()?;
    let _ = (read.check_authority(0), read.check_validity(0), read.check_critical());
    let _ = (read.check_algorithm(), read.check_signed_by(&read), read.issuer_name());
    Some(read.der().to_vec())
}

/// Certificates one after the other in DER: what is in front of the last is its issuer's.
pub(crate) fn chain(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut ders = Vec::new();
    let mut rest = bytes;
    while let [0x30, 0x82, high, low, ..] = rest {
        let length = 4 + usize::from(u16::from_be_bytes([*high, *low]));
        let (der, after) = rest.split_at_checked(length)?;
        ders.push(der.to_vec());
        rest = after;
    }
    let shown = DeviceCertificates::new(ders).ok().filter(|_| rest.is_empty())?;
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000);
    let _ = Verifier::new(Anchors::yubico()).examine(&shown, at);
    Some(shown.iter().collect::<Vec<_>>().concat())
}
