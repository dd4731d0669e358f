//! `icnctl attestation create` and `answer`, by the configured TPM.

use std::process::ExitCode;
use std::time::SystemTime;

use icn_identity::Error;
use icn_identity::attestation::{
    ActivationAnswer, ActivationRequest, Attestation, AttestationError, AttestationRefusal,
    DeviceCertificates, EkCertificate, Endorsement, TpmEvidence, Verifier,
};
use icn_identity::backend::BackendKind;
use icn_identity::backend::tpm::{TpmBackend, TpmStatements};
use icn_identity::error::{DeviceError, TpmError};
use serde_json::json;
use zeroize::Zeroizing;

use super::answer::Asked;
use super::{OUTPUT, anchors, certificates_of, check_vacant, read, write};
use crate::args::attestation::{AnswerArgs, CreateArgs};
use crate::context::Context;
use crate::error::CliError;
use crate::output;
use crate::report::warn;

/// The TPM states first, and has nothing loaded when the key is opened to sign: it may have room for
/// three objects, of which a daemon has one. Both take the PIN, which is asked for once.
pub(super) fn create(
    context: &Context,
    args: &CreateArgs,
    asked: &Asked,
) -> Result<Attestation, CliError> {
    let endorsement = match &args.endorsement {
        Some(path) => Some(Endorsement::parse(&read(Some(path), "the endorsement")?)?),
        None => None,
    };
    let issuers = certificates_of(&args.chain)?;
    let verifier = match args.anchors.as_deref() {
        Some(directory) => Some(Verifier::new(anchors(Some(directory))?)),
        None => None,
    };
    let home = context.home()?;
    let identity = home.locate()?;
    let did = identity.did().clone();
    let now = SystemTime::now();
    let locator = identity.header().device_locator();
    let locator = locator.ok_or(Error::from(DeviceError::Tpm(TpmError::NotAttestable)))?;
    TpmBackend::check_attestable_key(&locator, &did)?;
    Attestation::check_tpm(&did, &asked.challenge(now)?, now)?;
    let tpm = context.tpm()?;
    let held = context.waiting_for_device(|| tpm.check_attestable())?;
    // Whatever would be refused is said before a PIN is used.
    let shown = held.with_issuers(issuers.iter().cloned())?;
    if let Some(endorsement) = &endorsement {
        let certificate = shown.iter().next().unwrap_or_default();
        endorsement.check_certificate(certificate).map_err(AttestationError::from)?;
    }
    warn_of_refusal(&shown, verifier.as_ref());
    let source = context.source_of(&identity);
    let ready = identity.ask(source)?;
    let made = context.waiting_for_device(|| {
        ready.with(|located, credentials| {
            let now = SystemTime::now();
            let challenge = asked.challenge(now).map_err(Error::from)?;
            let state = |qualifying: &[u8; 32]| {
                let stated =
                    tpm.attest(&locator, &did, credentials, qualifying, args.quote.as_ref())?;
                let TpmStatements {
                    pub_area, cert_info, sig, ak, ek, mut certificates, quote, ..
                } = stated;
                certificates.extend(issuers.iter().cloned());
                let evidence =
                    TpmEvidence::new(pub_area, cert_info, sig, ak, Some(ek), certificates)?;
                let evidence = match quote {
                    Some(quote) => evidence.with_quote(quote.info, quote.sig),
                    None => evidence,
                };
                Ok(match endorsement {
                    Some(endorsement) => evidence.with_endorsement(endorsement),
                    None => evidence,
                })
            };
            let open = || Ok(located.open(credentials)?.bundle);
            Attestation::create_tpm::<_, Error>(&did, &challenge, now, state, open)
        })
    })?;
    Ok(made)
}

/// By everybody, or by who believes these makers. Others may know more of them, and demand less.
fn warn_of_refusal(shown: &DeviceCertificates, verifier: Option<&Verifier>) {
    if let Err(refusal) = check_use(shown) {
        warn("relying parties will refuse this attestation", &Error::from(refusal));
    } else if let Some(Err(refusal)) =
        verifier.map(|verifier| verifier.examine_tpm(shown, SystemTime::now()))
    {
        warn("by what is known here, these certificates are refused", &Error::from(refusal));
    }
}

/// Of the first, which a TPM has of its endorsement key.
pub(crate) fn check_use(shown: &DeviceCertificates) -> Result<(), AttestationRefusal> {
    let first = shown.iter().next().unwrap_or_default();
    EkCertificate::from_nv(first)?.check_use().map(drop)
}

pub(super) fn answer(context: &Context, args: &AnswerArgs) -> Result<ExitCode, CliError> {
    check_vacant(args.output.as_deref(), OUTPUT)?;
    let backend = context.config.identity.backend;
    if backend != BackendKind::Tpm {
        return Err(CliError::AnsweredByTpm { backend });
    }
    let asked = ActivationRequest::parse(&read(args.file.as_deref(), "the activation")?)?;
    let tpm = context.tpm()?;
    let (credential, secret) = (asked.credential_blob(), asked.encrypted_secret());
    let told = context.waiting_for_device(|| tpm.answer(credential, secret))?;
    let told = <[u8; 32]>::try_from(told.as_slice())
        .map_err(|_| AttestationError::Field { field: "credentialBlob" })?;
    let answer = ActivationAnswer::new(Zeroizing::new(told)).to_json();
    let Some(path) = &args.output else {
        output::print_secret(&answer)?;
        return Ok(ExitCode::SUCCESS);
    };
    write(path, OUTPUT, &answer)?;
    context.format.print(
        || json!({ "file": path }),
        || format!("Send {} back to who asked, and to nobody else.\n", path.display()),
    )?;
    Ok(ExitCode::SUCCESS)
}
