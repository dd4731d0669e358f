//! What is read here, for the table of formats.

use super::bytes::Der;
use super::certificate::Certificate;
use super::evidence::Quote;
use super::{
    Activation, ActivationAnswer, ActivationRequest, Anchors, Attestation, Challenge,
    DeviceCertificates, EkCertificate, Endorsement, PcrState, TpmField, Verifier, tpm,
};

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

/// A TPM's public part.
pub(crate) fn tpm_public(bytes: &[u8]) -> Option<Vec<u8>> {
    tpm::Public::read(bytes, TpmField::Ak).ok().map(|read| read.to_bytes())
}

/// A TPM's statement.
pub(crate) fn tpm_statement(bytes: &[u8]) -> Option<Vec<u8>> {
    tpm::Attest::read(bytes, TpmField::CertInfo).ok().map(|read| read.to_bytes())
}

/// A TPM's statement of its PCRs.
pub(crate) fn tpm_quote(bytes: &[u8]) -> Option<Vec<u8>> {
    let quote = Quote { quoted: Der(bytes.to_vec()), sig: Der(Vec::new()) };
    let state = tpm::read_quote(&quote).ok()?;
    assert!(state.indices().next().is_some(), "of no register");
    tpm_statement(bytes)
}

/// A TPM's signature.
pub(crate) fn tpm_signature(bytes: &[u8]) -> Option<Vec<u8>> {
    tpm::Signature::read(bytes, TpmField::Sig).ok().map(|read| read.to_bytes())
}

/// What is demanded of a machine's state.
pub(crate) fn pcr_policy(bytes: &[u8]) -> Option<Vec<u8>> {
    let read = PcrState::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    // What it is compared with, as a TPM states it.
    assert!(
        read.check(PcrState::stated(read.indices().collect(), *read.digest()).as_ref()).is_ok()
    );
    Some(bytes.to_vec())
}

/// What an index of a TPM's NV has.
pub(crate) fn tpm_nv(bytes: &[u8]) -> Option<Vec<u8>> {
    EkCertificate::from_nv(bytes).ok().map(|read| read.der().to_vec())
}

/// The word of whoever has activated a TPM.
pub(crate) fn endorsement(bytes: &[u8]) -> Option<Vec<u8>> {
    Endorsement::parse(bytes).ok().map(|read| read.to_json().into_bytes())
}

/// What is sent to a TPM.
pub(crate) fn activation(bytes: &[u8]) -> Option<Vec<u8>> {
    ActivationRequest::parse(bytes).ok().map(|read| read.to_json().into_bytes())
}

/// What it tells.
pub(crate) fn answer(bytes: &[u8]) -> Option<Vec<u8>> {
    ActivationAnswer::parse(bytes).ok().map(|read| read.to_json().as_bytes().to_vec())
}

/// What is kept meanwhile.
pub(crate) fn secret(bytes: &[u8]) -> Option<Vec<u8>> {
    Activation::from_secret_json(bytes).ok().map(|read| read.to_secret_json().as_bytes().to_vec())
}
