//! What is told of an attestation: whose word it is, and never that something is secure.

use std::process::ExitCode;

use icn_identity::attestation::{
    Attestation, EkCertificate, EvidenceKind, PcrState, Root, TpmModel, Verdict,
};
use icn_identity::{Did, ProvenanceKind};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::CliError;
use crate::output::{date, hex, one_line};

pub(super) fn valid(
    context: &Context,
    verdict: &Verdict,
    attestation: &Attestation,
) -> Result<(), CliError> {
    let (did, device, root) = (verdict.did(), verdict.device(), verdict.root_certificate());
    // Whose word it is, is what the root says of itself, and nothing that is assumed of a device.
    let (by, sha256) = (root.subject(), hex(root.sha256()));
    let (provenance, made) = (verdict.provenance(), date(verdict.at_unix()));
    let (tpm, expired) = (device.tpm(), verdict.certificate_has_expired());
    // What was stated and not demanded is told as that, and never as a state that was checked.
    let pcrs = match (verdict.pcrs(), attestation.unverified_pcrs()) {
        (Some(checked), _) => Some((checked.clone(), true)),
        (None, Some(Ok(stated))) => Some((stated, false)),
        (None, _) => None,
    };
    context.format.print(
        || {
            json!({
                "valid": true,
                "did": did,
                "provenance": provenance,
                "attested_by": by,
                "joined_by": joined_in_json(verdict.root()),
                "root": { "subject": by, "sha256": sha256, "built_in": root.is_built_in() },
                "device": {
                    "class": device.class().as_str(),
                    "maker": device.maker(),
                    "model": tpm.map(TpmModel::model),
                    "certified_version": tpm.map(TpmModel::version),
                    "certificate_sha256": device.certificate_sha256().map(|it| hex(it)),
                    "serial": device.serial(),
                    "firmware": device.firmware().to_string(),
                },
                "pcrs": pcrs.as_ref().map(|(pcrs, compared)| in_json(pcrs, "compared", *compared)),
                "attested_at": made,
                "certificate_has_expired": expired,
            })
        },
        || {
            let what = match provenance {
                ProvenanceKind::Hardware => "made in the device, cannot leave it",
                _ => "imported into the device, cannot leave it; copies may exist",
            };
            let expired = match expired {
                true => "The key's own certificate has ended\n",
                false => "",
            };
            let pcrs = match &pcrs {
                Some((pcrs, true)) => format!("PCRs        {pcrs} (sha256), as in the policy\n"),
                Some((pcrs, false)) => {
                    format!("PCRs        {pcrs} (sha256) stated, and compared with nothing: --pcr-policy\n")
                }
                None => String::new(),
            };
            let serial = device.serial().map(|serial| format!(", serial {serial}"));
            let mark = serial.or_else(|| tpm.map(named)).unwrap_or_default();
            let joined = match verdict.root() {
                Root::Activated => "; AK activated by you".to_owned(),
                Root::Endorsed(did) => format!("; AK vouched for by {did}"),
                _ => String::new(),
            };
            let origin = match root.is_built_in() {
                true => "a root that is built in",
                false => "a root of your own, by --anchors",
            };
            format!(
                "valid\nDID         {did}\nProvenance  {provenance} ({what})\nDevice      {}{mark}, \
                 firmware {}\nAttested by {}, {origin}{joined}\nRoot        SHA-256 {sha256}\nAt          {made}, by \
                 the owner's clock\n{pcrs}{expired}",
                device.class().product(),
                device.firmware(),
                one_line(by)
            )
        },
    )
}

/// A state, and what was done with it.
fn in_json(pcrs: &PcrState, done: &str, value: bool) -> Value {
    let indices: Vec<u8> = pcrs.indices().collect();
    json!({ "bank": "sha256", "indices": indices, "digest": hex(pcrs.digest()), done: value })
}

/// As the certificate of its key names it.
fn named(tpm: &TpmModel) -> String {
    format!(
        ", {} {}, certified with version {}",
        one_line(tpm.manufacturer()),
        one_line(tpm.model()),
        one_line(tpm.version())
    )
}

/// Whose word joins the key to the maker.
fn joined_in_json(root: &Root) -> Value {
    match root {
        Root::Activated => json!("activation"),
        Root::Endorsed(did) => json!({ "endorsement": did }),
        _ => json!("maker"),
    }
}

pub(super) fn not_valid(
    context: &Context,
    error: &str,
    help: Option<&str>,
) -> Result<ExitCode, CliError> {
    context.format.print(
        || json!({ "valid": false, "error": error, "help": help }),
        || {
            let help = help.map_or(String::new(), |help| format!("  try: {}\n", one_line(help)));
            format!("not valid: {}\n{help}", one_line(error))
        },
    )?;
    Ok(ExitCode::from(1))
}

pub(super) fn unverified(context: &Context, attestation: &Attestation) -> Result<(), CliError> {
    let certificates = attestation.certificates().count();
    let of_tpm = TpmShown::of(attestation);
    let created = date(attestation.created_unix());
    let pcrs = attestation.unverified_pcrs();
    context.format.print(
        || {
            json!({
                "verified": false,
                "did": attestation.did(),
                "audience": attestation.audience(),
                "nonce": hex(attestation.nonce()),
                "created": created,
                "evidence": attestation.kind().as_str(),
                "certificates": certificates,
                "tpm": of_tpm.as_ref().map(TpmShown::in_json),
                "pcrs": match &pcrs {
                    None => Value::Null,
                    Some(Ok(pcrs)) => in_json(pcrs, "verified", false),
                    Some(Err(refusal)) => json!({ "error": refusal.to_string() }),
                },
            })
        },
        || {
            let pcrs = match &pcrs {
                None => String::new(),
                Some(Ok(pcrs)) => {
                    format!("PCRs        {pcrs} (sha256), digest {}\n", hex(pcrs.digest()))
                }
                Some(Err(refusal)) => format!("PCRs        unreadable: {refusal}\n"),
            };
            format!(
                "Not verified. The file says:\nDID         {}\nAudience    {}\nNonce       {}\n\
                 Created     {created}\nEvidence    {}, {certificates} certificate{}\n{}{pcrs}",
                attestation.did(),
                one_line(attestation.audience()),
                hex(attestation.nonce()),
                attestation.kind(),
                if certificates == 1 { "" } else { "s" },
                of_tpm.as_ref().map(TpmShown::in_text).unwrap_or_default(),
            )
        },
    )
}

/// What an attestation by a TPM says of that, not verified.
struct TpmShown<'a> {
    model: Option<TpmModel>,
    issuer: String,
    endorser: Option<&'a Did>,
}

impl<'a> TpmShown<'a> {
    fn of(attestation: &'a Attestation) -> Option<Self> {
        if attestation.kind() != EvidenceKind::Tpm2Certify {
            return None;
        }
        let certificates = attestation.certificates();
        let first = EkCertificate::from_nv(certificates.iter().next()?).ok()?;
        let (model, issuer) = (first.model().cloned(), first.issuer());
        Some(Self { model, issuer, endorser: attestation.unverified_endorser() })
    }

    fn in_json(&self) -> Value {
        json!({
            "maker": self.model.as_ref().map(TpmModel::manufacturer),
            "model": self.model.as_ref().map(TpmModel::model),
            "certified_version": self.model.as_ref().map(TpmModel::version),
            "issuer": self.issuer,
            "endorser": self.endorser,
        })
    }

    fn in_text(&self) -> String {
        let named = self.model.as_ref().map(named).unwrap_or_default();
        let endorser = self.endorser.map_or_else(|| "nobody".to_owned(), Did::to_string);
        format!(
            "Device      TPM{named}\nIssuer      {}\nVouched for {}\n",
            one_line(&self.issuer),
            one_line(&endorser)
        )
    }
}
