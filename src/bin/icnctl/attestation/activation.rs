//! `icnctl attestation activate`, `verify --secret --answer` and `endorse`: that an attestation key is in a
//! TPM is shown by a secret that only that TPM can tell, once.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use icn_identity::Error;
use icn_identity::attestation::{Activated, Activation, ActivationAnswer, AttestationError};
use icn_identity::file::take_secret;
use serde_json::json;

use super::judged::{Judged, NotValid, refused};
use super::{check_vacant, read, report, write};
use crate::args::attestation::{ActivateArgs, DAY, EndorseArgs};
use crate::context::Context;
use crate::error::CliError;
use crate::output::{self, date, one_line};

pub(super) fn activate(context: &Context, args: &ActivateArgs) -> Result<ExitCode, CliError> {
    check_vacant(Some(&args.secret))?;
    check_vacant(args.output.as_deref())?;
    let judged = Judged::read(&args.judged)?;
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
    write(&args.secret, &kept.to_secret_json())?;
    let Some(path) = &args.output else {
        output::print(&format!("{}\n", sent.to_json()))?;
        return Ok(ExitCode::SUCCESS);
    };
    write(path, &sent.to_json())?;
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

/// The secret is taken last, when nothing else can go wrong: it is gone then, whatever the answer is.
/// A file that is no secret, or that of another attestation, stays.
pub(super) fn finished(
    judged: &Judged<'_>,
    secret: &Path,
    answer: &Path,
) -> Result<Result<Activated, NotValid>, CliError> {
    let answer = ActivationAnswer::parse(&read(Some(answer), "the answer")?)?;
    if let Err(reason) = judged.check_did() {
        return Ok(Err(reason));
    }
    let now = SystemTime::now();
    // The same checks, with a secret that nobody needs.
    match judged.verifier.begin(&judged.attestation, judged.fresh(), now) {
        Ok(_) => {}
        Err(AttestationError::Refused(refusal)) => return Ok(Err(refused(Error::from(*refusal)))),
        Err(error) => return Err(error.into()),
    }
    let taken = take_secret(secret, |json| {
        let activation = Activation::from_secret_json(json)?;
        activation.check_attestation(&judged.attestation)?;
        Ok::<_, Error>(activation)
    });
    let activation = match taken {
        Ok(activation) => activation,
        Err(error @ Error::AttestationRefused(_)) => return Ok(Err(refused(error))),
        Err(error) => return Err(error.into()),
    };
    let finished =
        judged.verifier.finish(activation, &answer, &judged.attestation, judged.fresh(), now);
    Ok(finished.map_err(|refusal| refused(refusal.into())))
}

pub(super) fn endorse(context: &Context, args: &EndorseArgs) -> Result<ExitCode, CliError> {
    check_vacant(args.output.as_deref())?;
    let judged = Judged::read(&args.judged)?;
    // The key first: what it takes to open it must not cost the secret.
    let bundle = context.open(context.home()?.locate()?)?.bundle;
    let activated = match finished(&judged, &args.secret, &args.answer)? {
        Ok(activated) => activated,
        Err((error, help)) => return report::not_valid(context, &error, help.as_deref()),
    };
    if let Err((error, help)) = judged.check(activated.verdict()) {
        return report::not_valid(context, &error, help.as_deref());
    }
    let from = SystemTime::now();
    let until = from + Duration::from_secs(args.valid_for * DAY);
    let endorsement = context.waiting_for_device(|| activated.endorse(&bundle, from, until))?;
    let Some(path) = &args.output else {
        output::print(&format!("{}\n", endorsement.to_json()))?;
        return Ok(ExitCode::SUCCESS);
    };
    write(path, &endorsement.to_json())?;
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
