//! An attestation, and what is demanded of it: the same for whoever verifies, activates or endorses.

use std::path::Path;
use std::time::{Duration, SystemTime};

use icn_identity::attestation::{
    Attestation, AttestationError, Challenge, Fresh, PcrState, Verdict, Verifier,
};
use icn_identity::backend::{InvalidPcrs, PcrValues};
use icn_identity::{Did, Error};

use super::{anchors, read};
use crate::args::attestation::JudgedArgs;
use crate::error::CliError;
use crate::help::Help as _;
use crate::output;

pub(super) struct Judged<'a> {
    args: &'a JudgedArgs,
    pub(super) verifier: Verifier,
    pub(super) attestation: Attestation,
    challenge: Option<Challenge>,
    demanded: Option<Did>,
}

/// Why it is not valid, and what to try.
pub(super) type NotValid = (String, Option<String>);

impl<'a> Judged<'a> {
    /// Reads all of it. Whatever is wrong here could not be told.
    pub(super) fn read(args: &'a JudgedArgs, endorsed_by: &[String]) -> Result<Self, CliError> {
        let demanded = args.did.as_deref().map(Did::parse).transpose()?;
        let challenge = match &args.challenge {
            Some(path) => Some(Challenge::parse(&read(Some(path), "the challenge")?)?),
            None => None,
        };
        let mut verifier = Verifier::new(anchors(args.anchors.as_deref())?);
        for (class, firmware) in &args.firmware {
            verifier = verifier.firmware_at_least(*class, *firmware);
        }
        for endorser in endorsed_by {
            verifier = verifier.endorsed_by(Did::parse(endorser)?);
        }
        if let Some(path) = &args.pcr_policy {
            verifier = verifier.pcr_policy(pcr_policy(path)?);
        }
        if args.allow_expired {
            verifier = verifier.allow_expired();
        }
        let attestation = Attestation::parse(&read(args.file.as_deref(), "the attestation")?)?;
        Ok(Self { args, verifier, attestation, challenge, demanded })
    }

    pub(super) fn fresh(&self) -> Fresh<'_> {
        match &self.challenge {
            Some(challenge) => Fresh::To(challenge),
            None => Fresh::within(
                self.args.audience.as_deref().unwrap_or_default(),
                Duration::from_secs(self.args.within.unwrap_or_default()),
            ),
        }
    }

    pub(super) fn verify(&self) -> Result<Verdict, NotValid> {
        self.verifier
            .verify(&self.attestation, self.fresh(), SystemTime::now())
            .map_err(|refusal| refused(refusal.into()))
    }

    /// What is demanded beside: whose it is, and that no copies may exist.
    pub(super) fn check(&self, verdict: &Verdict) -> Result<(), NotValid> {
        self.check_did()?;
        if matches!(verdict, Verdict::DeviceHeld(_)) && !self.args.allow_imported {
            let help = "accept it with --allow-imported, or have the owner rotate to a key that was \
                        made in the device";
            let error = "the key was imported into its device: copies may exist";
            return Err((error.into(), Some(help.into())));
        }
        if self.demanded.is_none() {
            output::say(&format!(
                "warning: whose attestation it has to be was not said: whoever has such a device can make \
                 one that is valid. Compare {} with the DID that you know, or give that with --did",
                verdict.did()
            ));
        }
        Ok(())
    }

    pub(super) fn check_did(&self) -> Result<(), NotValid> {
        let found = self.attestation.did();
        match &self.demanded {
            Some(demanded) if demanded != found => {
                let error = format!("the attestation is that of {found}, not of {demanded}");
                Err((error, Some("ask the owner of that DID for its own".into())))
            }
            _ => Ok(()),
        }
    }
}

fn pcr_policy(path: &Path) -> Result<PcrState, CliError> {
    let text = String::from_utf8(read(Some(path), "the PCR policy")?)
        .map_err(|_| AttestationError::Pcrs(InvalidPcrs::Bank))?;
    let state = PcrState::parse(&text)?;
    let unmeasured = unmeasured(&text);
    if !unmeasured.is_empty() {
        output::say(&format!(
            "note: PCRs {} of the policy are zero: nothing has measured into them",
            unmeasured.join(",")
        ));
    }
    Ok(state)
}

/// The registers whose value is the one that they start with.
fn unmeasured(policy: &str) -> Vec<String> {
    let values = PcrValues::parse(policy).map(|read| read.values).unwrap_or_default();
    let zero = values.into_iter().filter(|(_, value)| value.bytes().all(|digit| digit == b'0'));
    zero.map(|(index, _)| index.to_string()).collect()
}

pub(super) fn refused(error: Error) -> NotValid {
    (icn_identity::error::in_full(&error), error.on_the_command_line())
}
