//! `icnctl attestation activate`, `verify --secret --answer` and `endorse`: that an attestation key is in a
//! TPM is shown by a secret that only that TPM can tell, once.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use icn_identity::Error;
use icn_identity::attestation::{
    Activated, Activation, ActivationAnswer, AttestationError, AttestationRefusal, TpmRefusal,
};
use icn_identity::error::KeystoreError;
use icn_identity::file::{look_at_secret, use_secret};
use serde_json::json;
use zeroize::Zeroizing;

use super::judged::{Judged, NotValid, refused};
use super::{OUTPUT, check_vacant, read, report, write};
use crate::args::attestation::{ActivateArgs, EndorseArgs};
use crate::context::Context;
use crate::error::CliError;
use crate::output::{self, date, one_line};

pub(super) fn activate(context: &Context, args: &ActivateArgs) -> Result<ExitCode, CliError> {
    check_vacant(Some(&args.secret), "--secret")?;
    check_vacant(args.output.as_deref(), OUTPUT)?;
    let judged = Judged::read(&args.judged, &[])?;
    if let Err((error, help)) = judged.check_did() {
        return report::not_valid(context, &error, help.as_deref());
    }
    let begun = judged.verifier.begin(&judged.attestation, judged.fresh(), SystemTime::now());
    let (kept, sent) = match begun {
        Ok(begun) => begun,
        Err(AttestationError::Refused(refusal)) => {
            let (error, help) = refused(Error::from(*refusal));
            return report::not_valid(context, &error, help.as_deref());
        }
        Err(error) => return Err(error.into()),
    };
    write(&args.secret, "--secret", &kept.to_secret_json())?;
    let Some(path) = &args.output else {
        output::print(&format!("{}\n", sent.to_json()))?;
        return Ok(ExitCode::SUCCESS);
    };
    write(path, OUTPUT, &sent.to_json())?;
    let secret = args.secret.display();
    context.format.print(
        || json!({ "did": judged.attestation.did(), "file": path, "secret": args.secret }),
        || {
            format!(
                "All but one thing is verified: that the attestation key is in the TPM with that \
                 certificate. Send {} to the peer, whose TPM answers it; keep {secret} to yourself, for one \
                 use with the answer.\n",
                path.display()
            )
        },
    )?;
    Ok(ExitCode::SUCCESS)
}

/// All that can be told without the secret's use: nothing has been done yet, and everything is still there.
pub(super) struct Ready {
    answer: ActivationAnswer,
    now: SystemTime,
}

impl Ready {
    pub(super) fn look(judged: &Judged<'_>, secret: &Path, answer: &Path) -> Result<Self, Stopped> {
        let answer = Zeroizing::new(read(Some(answer), "the answer")?);
        let answer = ActivationAnswer::parse(&answer).map_err(Error::from)?;
        judged.check_did().map_err(Stopped::NotValid)?;
        let now = SystemTime::now();
        // The same checks, with a secret that nobody needs.
        match judged.verifier.begin(&judged.attestation, judged.fresh(), now) {
            Ok(_) => {}
            Err(AttestationError::Refused(refusal)) => {
                return Err(Stopped::NotValid(refused(Error::from(*refusal))));
            }
            Err(error) => return Err(Error::from(error).into()),
        }
        look_at_secret(secret, |json| activation(judged, json).map(drop))?;
        Ok(Self { answer, now })
    }
}

fn activation(judged: &Judged<'_>, json: &[u8]) -> Result<Activation, Stopped> {
    let activation = Activation::from_secret_json(json).map_err(Error::from)?;
    let checked = activation.check_attestation(&judged.attestation);
    checked.map_err(|refusal| Stopped::NotValid(refused(refusal.into())))?;
    Ok(activation)
}

/// Does what an activation is for, with what came out. The secret is used for that alone, when nothing
/// else can go wrong: it is gone then, whatever the answer is, and there again if `act` could not be done,
/// as where its result cannot be written. A file that is no secret, or that of another attestation, stays.
pub(super) fn with_finished<T>(
    judged: &Judged<'_>,
    secret: &Path,
    answer: &Path,
    act: impl Fn(Result<Activated, NotValid>) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let done = Ready::look(judged, secret, answer).and_then(|ready| {
        use_secret(
            secret,
            |json| activation(judged, json),
            |activation| {
                let (attestation, fresh) = (&judged.attestation, judged.fresh());
                let Ready { answer, now } = &ready;
                let finished = judged.verifier.finish(activation, answer, attestation, fresh, *now);
                Ok(act(finished.map_err(|refusal| refused(refusal.into())))?)
            },
        )
    });
    match done {
        Ok(done) => Ok(done),
        Err(Stopped::NotValid(reason)) => act(Err(reason)),
        Err(Stopped::Failed(error)) => Err(*error),
    }
}

/// Why a secret was not used.
pub(super) enum Stopped {
    NotValid(NotValid),
    Failed(Box<CliError>),
}

impl From<CliError> for Stopped {
    fn from(error: CliError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        CliError::from(error).into()
    }
}

/// What befell the secret's own file.
impl From<KeystoreError> for Stopped {
    fn from(error: KeystoreError) -> Self {
        match error {
            KeystoreError::Io { path, source, .. } if source.kind() == io::ErrorKind::NotFound => {
                CliError::NoSecret { path }.into()
            }
            error => CliError::from(error).into(),
        }
    }
}

pub(super) fn endorse(context: &Context, args: &EndorseArgs) -> Result<ExitCode, CliError> {
    check_vacant(args.output.as_deref(), OUTPUT)?;
    let judged = Judged::read(&args.judged, &[])?;
    let home = context.home()?;
    let located = home.locate()?;
    if located.did().verifying_key() == judged.attestation.did().verifying_key() {
        let refusal = TpmRefusal::OwnEndorsement { did: located.did().clone() };
        return Err(Error::from(AttestationRefusal::from(refusal)).into());
    }
    // What is wrong with files must not cost a try of a PIN ...
    match Ready::look(&judged, &args.secret, &args.answer) {
        Ok(_) => {}
        Err(Stopped::NotValid((error, help))) => {
            return report::not_valid(context, &error, help.as_deref());
        }
        Err(Stopped::Failed(error)) => return Err(*error),
    }
    // ... nor what it takes to open the key the secret.
    let bundle = context.open(located)?.bundle;
    let made = with_finished(&judged, &args.secret, &args.answer, |finished| {
        let checked = finished.and_then(|activated| {
            judged.check(activated.verdict())?;
            Ok(activated)
        });
        let activated = match checked {
            Ok(activated) => activated,
            Err((error, help)) => {
                return report::not_valid(context, &error, help.as_deref()).map(Err);
            }
        };
        let from = SystemTime::now();
        let until = from + Duration::from_secs(args.valid_for);
        let endorsement = context.waiting_for_device(|| activated.endorse(&bundle, from, until))?;
        match &args.output {
            None => output::print(&format!("{}\n", endorsement.to_json()))?,
            Some(path) => write(path, OUTPUT, &endorsement.to_json())?,
        }
        Ok(Ok(endorsement))
    });
    let (endorsement, path) = match (made?, &args.output) {
        (Ok(endorsement), Some(path)) => (endorsement, path),
        (Ok(_), None) => return Ok(ExitCode::SUCCESS),
        (Err(code), _) => return Ok(code),
    };
    let until = date(endorsement.until_unix());
    context.format.print(
        || {
            json!({
                "endorser": endorsement.endorser(), "did": judged.attestation.did(), "until": until, "file": path,
            })
        },
        || {
            format!(
                "{} vouches until {until} that this attestation key is in the TPM with that certificate. Send {} \
                 to the peer: who believes you verifies its attestations with --endorsed-by.\n",
                one_line(endorsement.endorser().as_str()),
                path.display()
            )
        },
    )?;
    Ok(ExitCode::SUCCESS)
}
