//! `icnctl attestation challenge`, `create`, `verify` and `show`

mod answer;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use icn_identity::attestation::{
    Anchors, Attestation, AttestationError, Challenge, DeviceCertificates, Fresh, MAX_FILE_LEN,
    Verdict, Verifier,
};
use icn_identity::file::{Existing, NewFile};
use icn_identity::{Did, Error, ProvenanceKind};
use serde_json::json;

use self::answer::{Asked, answered};
use crate::args::attestation::{
    AttestationCommand, ChallengeArgs, CreateArgs, ShowArgs, VerifyArgs,
};
use crate::context::Context;
use crate::error::CliError;
use crate::help::Help as _;
use crate::input::Input;
use crate::new_file;
use crate::output::{self, date};
use crate::report::warn;

pub(crate) fn run(context: &Context, command: &AttestationCommand) -> Result<ExitCode, CliError> {
    match command {
        AttestationCommand::Challenge(args) => challenge(context, args)?,
        AttestationCommand::Create(args) => create(context, args)?,
        AttestationCommand::Verify(args) => return verify(context, args),
        AttestationCommand::Show(args) => show(context, args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn challenge(context: &Context, args: &ChallengeArgs) -> Result<(), CliError> {
    check_vacant(args.output.as_deref())?;
    let valid_for = Duration::from_secs(args.valid_for);
    let made = Challenge::fresh(&args.audience, valid_for, SystemTime::now())?;
    let Some(path) = &args.output else {
        return output::print(&format!("{}\n", made.to_json()));
    };
    write(path, &made.to_json())?;
    context.format.print(
        || json!({ "audience": made.audience(), "expires": date(made.expires_unix()), "file": path }),
        || {
            format!(
                "Keep {}, and send a copy: the answer is verified with what you have kept. It can be \
                 answered until {}.\n",
                path.display(),
                date(made.expires_unix())
            )
        },
    )
}

fn create(context: &Context, args: &CreateArgs) -> Result<(), CliError> {
    // Whatever is wrong is found before a PIN is sent.
    check_vacant(args.output.as_deref())?;
    let asked = match (&args.challenge, &args.audience) {
        (Some(path), _) => Asked::By(Challenge::parse(&read(Some(path), "the challenge")?)?),
        (None, audience) => Asked::Unasked { audience: audience.clone().unwrap_or_default() },
    };
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
    let made =
        answered(&asked, &did, certificates, SystemTime::now, open, |key, to, shown, at| {
            context.waiting_for_device(|| Attestation::create(key, to, shown, at))
        })?;
    let Some(path) = &args.output else {
        return output::print(&format!("{}\n", made.to_json()));
    };
    write(path, &made.to_json())?;
    context.format.print(
        || json!({ "did": made.did(), "audience": made.audience(), "file": path }),
        || {
            format!(
                "Send {} to {} alone: it has the serial number of the device in it.\n",
                path.display(),
                output::one_line(made.audience())
            )
        },
    )
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
        && context.config.identity.backend == icn_identity::backend::BackendKind::Pkcs11
    {
        let backend = icn_identity::backend::pkcs11::Pkcs11Backend::open(config)?;
        let found = context.waiting_for_device(|| backend.certificates())?;
        return Ok(DeviceCertificates::of_key(did.verifying_key(), &found)?);
    }
    let _ = (context, did);
    Err(AttestationError::NoCertificate.into())
}

fn certificates(leaf: &Path, chain: &[PathBuf]) -> Result<DeviceCertificates, CliError> {
    let leaf = read(Some(leaf), "the certificate")?;
    let chain: Vec<_> =
        chain.iter().map(|path| read(Some(path), "the chain")).collect::<Result<_, _>>()?;
    let issuers: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    Ok(DeviceCertificates::parse(&leaf, &issuers)?)
}

fn verify(context: &Context, args: &VerifyArgs) -> Result<ExitCode, CliError> {
    let demanded = args.did.as_deref().map(Did::parse).transpose()?;
    let challenge = match &args.challenge {
        Some(path) => Some(Challenge::parse(&read(Some(path), "the challenge")?)?),
        None => None,
    };
    let mut verifier = Verifier::new(anchors(args.anchors.as_deref())?);
    for (class, firmware) in &args.firmware {
        verifier = verifier.firmware_at_least(*class, *firmware);
    }
    if args.allow_expired {
        verifier = verifier.allow_expired();
    }
    let attestation = Attestation::parse(&read(args.file.as_deref(), "the attestation")?)?;
    let fresh = match &challenge {
        Some(challenge) => Fresh::To(challenge),
        None => Fresh::within(
            args.audience.as_deref().unwrap_or_default(),
            Duration::from_secs(args.within.unwrap_or_default()),
        ),
    };
    let verdict = match verifier.verify(&attestation, fresh, SystemTime::now()) {
        Ok(verdict) => verdict,
        Err(refusal) => {
            let error = Error::from(refusal);
            return report::not_valid(
                context,
                &icn_identity::error::in_full(&error),
                error.on_the_command_line().as_deref(),
            );
        }
    };
    if let Some(demanded) = demanded
        && demanded != *verdict.did()
    {
        let error = format!("the attestation is that of {}, not of {demanded}", verdict.did());
        return report::not_valid(context, &error, Some("ask the owner of that DID for its own"));
    }
    if matches!(verdict, Verdict::DeviceHeld(_)) && !args.allow_imported {
        let help = "accept it with --allow-imported, or have the owner rotate to a key that was \
                    made in the device";
        let error = "the key was imported into its device: copies may exist";
        return report::not_valid(context, error, Some(help));
    }
    if args.did.is_none() {
        output::say(&format!(
            "warning: whose attestation it has to be was not said: whoever has such a device can make \
             one that is valid. Compare {} with the DID that you know, or give that with --did",
            verdict.did()
        ));
    }
    report::valid(context, &verdict)?;
    Ok(ExitCode::SUCCESS)
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

fn check_vacant(output: Option<&Path>) -> Result<(), CliError> {
    output.map_or(Ok(()), |path| new_file::check(path, Existing::Refuse))
}

/// A new file, for its owner: an attestation tells which device somebody has.
fn write(path: &Path, json: &str) -> Result<(), CliError> {
    let written = || {
        let mut file = NewFile::create(path)?;
        file.put(format!("{json}\n").as_bytes())?;
        file.keep(Existing::Refuse)
    };
    written().map_err(|error| new_file::failed(path, error))
}
