//! A TPM's evidence, verified: what needs no anchor, then whose TPM it is.

use sha2::{Digest as _, Sha256};

use super::certificate::{check_ak, check_ek, check_is_for_ek};
use super::public::EndorsementKey;
use super::quote::check_quote;
use super::{Attest, rules, signature::Signature};
use crate::algorithm::VerifyingKey;
use crate::attestation::bytes::Name;
use crate::attestation::chain::Chain;
use crate::attestation::evidence::Parts;
use crate::attestation::{
    Anchors, AttestationRefusal, CertifiedKey, Device, DeviceClass, Firmware, PcrState, TpmField,
    TpmModel, TpmRefusal as Refusal,
};
use crate::evidence::ProvenanceKind;

/// What the TPM states, under an attestation key whose public part is one that only a TPM can have:
/// nothing says yet that a TPM has it.
pub(in crate::attestation) struct Statement {
    pub(in crate::attestation) key: VerifyingKey,
    ak: VerifyingKey,
    ak_name: Name,
    firmware: u64,
    /// The state that the same key stated, where that was shown.
    pcrs: Option<PcrState>,
}

/// The same, with the maker's certificate of the key that `class` says.
pub(in crate::attestation) struct Checked {
    pub(in crate::attestation) certified: CertifiedKey,
    pub(in crate::attestation) ak_name: Name,
    /// The SHA-256 of the first certificate.
    pub(in crate::attestation) certificate: [u8; 32],
    /// The state that the TPM stated, where that was shown.
    pub(in crate::attestation) pcrs: Option<PcrState>,
    /// Of the class `Tpm`: nothing joins the attestation key to it yet.
    pub(in crate::attestation) ek: Option<EndorsementKey>,
}

pub(in crate::attestation) fn check_statement(
    parts: &Parts,
    qualifying: &[u8; 32],
) -> Result<Statement, Refusal> {
    let (object, key) = rules::identity_key(&parts.pub_area.0)?;
    let (ak_public, ak) = rules::attestation_key(&parts.ak.0)?;
    let field = TpmField::CertInfo;
    let attest = Attest::read(&parts.cert_info.0, field)?;
    let signature = Signature::read(&parts.sig.0, TpmField::Sig)?;
    signature.check(&ak, &parts.cert_info.0, field)?;
    attest.check_certifies(&object.name(), field)?;
    if attest.extra_data != qualifying {
        return Err(Refusal::QualifyingData { field });
    }
    rules::check_hierarchy(&ak_public, &attest)?;
    let quote = parts.quote.as_ref().map(|quote| check_quote(quote, &attest, &ak));
    let (ak_name, firmware) = (ak_public.name(), attest.firmware);
    Ok(Statement { key, ak, ak_name, firmware, pcrs: quote.transpose()? })
}

/// What a TPM's maker says of it, before there is a statement: the way from the certificate of its
/// endorsement key to a root.
pub(in crate::attestation) fn examine_ek(
    shown: &[Vec<u8>],
    anchors: &Anchors,
    at: i64,
    forgives_expired_leaf: bool,
) -> Result<TpmModel, AttestationRefusal> {
    let chain = Chain::build(shown, anchors, DeviceClass::Tpm, at, forgives_expired_leaf)?;
    let leaf = chain.leaf().ok_or(AttestationRefusal::Malformed { place: 0 })?;
    Ok(check_is_for_ek(leaf)?.1)
}

pub(in crate::attestation) fn check_certificate(
    parts: &Parts,
    statement: Statement,
    anchors: &Anchors,
    at: i64,
    forgives_expired_leaf: bool,
) -> Result<Checked, AttestationRefusal> {
    let ek = match &parts.ek {
        Some(ek) => Some(rules::endorsement_key(&ek.0)?),
        // There is nothing that it could be about.
        None if parts.endorsement.is_some() => return Err(Refusal::UnusedEndorsement.into()),
        None => None,
    };
    let class = if ek.is_some() { DeviceClass::Tpm } else { DeviceClass::TpmAk };
    let shown: Vec<Vec<u8>> = parts.x5c.iter().map(|der| der.0.clone()).collect();
    let chain = Chain::build(&shown, anchors, class, at, forgives_expired_leaf)?;
    let (Some(leaf), Some(root)) = (chain.leaf(), chain.root()) else {
        return Err(AttestationRefusal::Malformed { place: 0 });
    };
    let model = match &ek {
        Some(ek) => check_ek(leaf, &ek.key.into())?,
        None => check_ak(leaf, &statement.ak)?,
    };
    let certificate = Sha256::digest(leaf.der()).into();
    let firmware = Firmware::of_tpm(statement.firmware);
    let certified = CertifiedKey {
        key: statement.key,
        provenance: ProvenanceKind::Hardware,
        device: Device::of_tpm(class, model, certificate, firmware),
        root: anchors.told_of(class, root),
        has_expired: chain.leaf_has_expired(),
    };
    let Statement { ak_name, pcrs, .. } = statement;
    Ok(Checked { certified, ak_name, certificate, pcrs, ek })
}
