//! `icnctl attestation`

mod activation;
mod answer;
mod judged;
mod report;
#[cfg(feature = "tpm")]
mod tpm;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use icn_identity::attestation::{
    Activated, Anchors, Attestation, AttestationError, Challenge, DeviceCertificates, EvidenceKind,
    MAX_FILE_LEN, Verdict, Verifier,
};
use icn_identity::backend::BackendKind;
use icn_identity::file::{Existing, NewFile};
use icn_identity::{Did, Error, ProvenanceKind};
use serde_json::json;

use self::answer::{Asked, answered};
use self::judged::{Judged, NotValid};
#[cfg(feature = "tpm")]
pub(crate) use self::tpm::check_use;
#[cfg(feature = "tpm")]
use self::tpm::{answer as answer_by_tpm, create as create_by_tpm};
#[cfg(not(feature = "tpm"))]
use crate::args::attestation::AnswerArgs;
use crate::args::attestation::{
    AttestationCommand, ChallengeArgs, CreateArgs, ShowArgs, VerifyArgs,
};
use crate::context::Context;
use crate::error::CliError;
use crate::input::Input;
use crate::new_file;
use crate::output::{self, date};
use crate::report::warn;

pub(crate) fn run(context: &Context, command: &AttestationCommand) -> Result<ExitCode, CliError> {
    match command {
        AttestationCommand::Challenge(args) => challenge(context, args)?,
        AttestationCommand::Create(args) => create(context, args)?,
        AttestationCommand::Activate(args) => return activation::activate(context, args),
        AttestationCommand::Answer(args) => return answer_by_tpm(context, args),
        AttestationCommand::Endorse(args) => return activation::endorse(context, args),
        AttestationCommand::Verify(args) => return verify(context, args),
        AttestationCommand::Show(args) => show(context, args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn challenge(context: &Context, args: &ChallengeArgs) -> Result<(), CliError> {
    check_vacant(args.output.as_deref(), OUTPUT)?;
    let valid_for = Duration::from_secs(args.valid_for);
    let made = Challenge::fresh(&args.audience, valid_for, SystemTime::now())?;
    let Some(path) = &args.output else {
        return output::print(&format!("{}\n", made.to_json()));
    };
    write(path, OUTPUT, &made.to_json())?;
    context.format.print(
        || json!({ "audience": made.audience(), "expires": date(made.expires_unix()), "file": path }),
        || {
            format!(
                "Keep {}, and send a copy: the answer is verified with what you have kept. It has to be \
                 verified before {}; for a day give --valid-for 1d.\n",
                path.display(),
                date(made.expires_unix())
            )
        },
    )
}

fn create(context: &Context, args: &CreateArgs) -> Result<(), CliError> {
    // Whatever is wrong is found before a PIN is sent.
    check_vacant(args.output.as_deref(), OUTPUT)?;
    let asked = match (&args.challenge, &args.audience) {
        (Some(path), _) => Asked::By(Challenge::parse(&read(Some(path), "the challenge")?)?),
        (None, audience) => Asked::Unasked { audience: audience.clone().unwrap_or_default() },
    };
    if args.quote.is_some() && !is_of_tpm(context) {
        return Err(CliError::Quote { backend: context.config.identity.backend });
    }
    if args.certificate.is_some() && is_of_tpm(context) {
        return Err(CliError::CertificateOfTpm);
    }
    let made = match is_of_tpm(context) {
        true => create_by_tpm(context, args, &asked)?,
        false => create_by_certificates(context, args, &asked)?,
    };
    let Some(path) = &args.output else {
        return output::print(&format!("{}\n", made.to_json()));
    };
    write(path, OUTPUT, &made.to_json())?;
    context.format.print(
        || json!({ "did": made.did(), "audience": made.audience(), "file": path }),
        || {
            format!(
                "Send {} to {} alone: it {}.\n",
                path.display(),
                output::one_line(made.audience()),
                match made.kind() {
                    EvidenceKind::Tpm2Certify => "identifies the TPM",
                    _ => "has the serial number of the device in it",
                }
            )
        },
    )
}

fn is_of_tpm(context: &Context) -> bool {
    context.config.identity.backend == BackendKind::Tpm
}

/// A configuration with a TPM is refused before, by a program that was built without.
#[cfg(not(feature = "tpm"))]
fn create_by_tpm(_: &Context, _: &CreateArgs, _: &Asked) -> Result<Attestation, CliError> {
    Err(AttestationError::NoCertificate.into())
}

#[cfg(not(feature = "tpm"))]
fn answer_by_tpm(context: &Context, _: &AnswerArgs) -> Result<ExitCode, CliError> {
    Err(CliError::AnsweredByTpm { backend: context.config.identity.backend })
}

/// With the certificates that a device's own tool gave, or that a token shows.
fn create_by_certificates(
    context: &Context,
    args: &CreateArgs,
    asked: &Asked,
) -> Result<Attestation, CliError> {
    let given = args.certificate.as_deref();
    let given = given.map(|leaf| certificates(leaf, &args.chain)).transpose()?;
    let home = context.home()?;
    let identity = home.locate()?;
    let certificates = match given {
        Some(given) => given,
        None => on_token(context, identity.did())?,
    };
    let verifier = Verifier::new(anchors(args.anchors.as_deref())?);
    let examined = verifier.examine(&certificates, SystemTime::now());
    let did = identity.did().clone();
    let open = || {
        // Others may know more makers, and demand less.
        match examined {
            Err(refusal) => {
                warn(
                    "by what is known here, these certificates are refused",
                    &Error::from(refusal),
                );
            }
            Ok(found) if found.provenance() != ProvenanceKind::Hardware => output::say(
                "warning: by these certificates the key was imported into its device: who verifies has to \
                 accept that copies may exist",
            ),
            Ok(_) => {}
        }
        Ok(context.open(identity)?.bundle)
    };
    let made = answered(asked, &did, certificates, SystemTime::now, open, |key, to, shown, at| {
        context.waiting_for_device(|| Attestation::create(key, to, shown, at))
    })?;
    Ok(made)
}

/// Those that are known, and the operator's own.
fn anchors(directory: Option<&Path>) -> Result<Anchors, CliError> {
    let mut anchors = Anchors::yubico();
    directory.map_or(Ok(()), |directory| anchors.load(directory))?;
    Ok(anchors)
}

/// The certificates that the token shows of the identity's key.
fn on_token(context: &Context, did: &Did) -> Result<DeviceCertificates, CliError> {
    #[cfg(feature = "pkcs11")]
    if let Some(config) = &context.config.identity.pkcs11
        && context.config.identity.backend == BackendKind::Pkcs11
    {
        let backend = icn_identity::backend::pkcs11::Pkcs11Backend::open(config)?;
        let found = context.waiting_for_device(|| backend.certificates())?;
        return Ok(DeviceCertificates::of_key(did.verifying_key(), &found)?);
    }
    let _ = did;
    match context.config.identity.backend {
        BackendKind::Age => Err(CliError::NoDeviceVouches),
        _ => Err(AttestationError::NoCertificate.into()),
    }
}

fn certificates(leaf: &Path, chain: &[PathBuf]) -> Result<DeviceCertificates, CliError> {
    let leaf = read(Some(leaf), "the certificate")?;
    let chain: Vec<_> =
        chain.iter().map(|path| read(Some(path), "the chain")).collect::<Result<_, _>>()?;
    let issuers: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    Ok(DeviceCertificates::parse(&leaf, &issuers)?)
}

/// Those of issuers alone, in DER.
#[cfg(feature = "tpm")]
fn certificates_of(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, CliError> {
    let [first, others @ ..] = files else { return Ok(Vec::new()) };
    Ok(certificates(first, others)?.iter().map(<[u8]>::to_vec).collect())
}

fn verify(context: &Context, args: &VerifyArgs) -> Result<ExitCode, CliError> {
    let judged = Judged::read(&args.judged, &args.endorsed_by)?;
    let report = |verified: Result<Verdict, NotValid>| {
        let checked = verified.and_then(|verdict| judged.check(&verdict).map(|()| verdict));
        match checked {
            Ok(verdict) => {
                let told = report::valid(context, &verdict, &judged.attestation);
                told.map(|()| ExitCode::SUCCESS)
            }
            Err((error, help)) => report::not_valid(context, &error, help.as_deref()),
        }
    };
    match (&args.secret, &args.answer) {
        (Some(secret), Some(answer)) => {
            activation::with_finished(&judged, secret, answer, |finished| {
                report(finished.map(Activated::into_verdict))
            })
        }
        _ => report(judged.verify()),
    }
}

fn show(context: &Context, args: &ShowArgs) -> Result<(), CliError> {
    let attestation = Attestation::parse(&read(args.file.as_deref(), "the attestation")?)?;
    report::unverified(context, &attestation)
}

/// No more than a file can be, and one byte to tell that it is longer.
fn read(path: Option<&Path>, what: &'static str) -> Result<Vec<u8>, CliError> {
    let limit = u64::try_from(MAX_FILE_LEN).unwrap_or(u64::MAX).saturating_add(1);
    Input::open(path, what)?.read_at_most(limit)
}

/// The option that names a new file.
const OUTPUT: &str = "--output";

fn check_vacant(file: Option<&Path>, option: &'static str) -> Result<(), CliError> {
    let checked = file.map_or(Ok(()), |path| new_file::check(path, Existing::Refuse));
    checked.map_err(|error| named_by(option, error))
}

/// No file is ever replaced here.
fn named_by(option: &'static str, error: CliError) -> CliError {
    match error {
        CliError::OutputExists { path } => CliError::NewFileExists { path, option },
        error => error,
    }
}

/// A new file, for its owner: an attestation tells which device somebody has.
fn write(path: &Path, option: &'static str, json: &str) -> Result<(), CliError> {
    let written = || {
        let mut file = NewFile::create(path)?;
        file.put(json.as_bytes())?;
        file.put(b"\n")?;
        file.keep(Existing::Refuse)
    };
    written().map_err(|error| named_by(option, new_file::failed(path, error)))
}
