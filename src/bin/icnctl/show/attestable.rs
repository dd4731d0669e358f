//! Whether the configured TPM can be attested, where the configuration asks for that.

use icn_identity::keystore::Header;
use serde_json::{Value, json};

use crate::context::Context;
use crate::output::one_line;

/// What is told; nothing where nobody asked (`attestation` under `[identity.tpm]`).
pub(crate) struct Attestable(Option<Told>);

struct Told {
    /// The certificates that the TPM holds of its maker's, by the type of the key.
    certificates: Vec<&'static str>,
    /// Why it cannot be, and what to try.
    problem: Option<(String, Option<String>)>,
    /// Why relying parties refuse what can be made.
    refused: Option<String>,
}

impl Attestable {
    /// Asks the TPM. No PIN is used.
    pub(crate) fn of(context: &Context, header: &Header) -> Self {
        let config = context.config.identity.tpm.as_ref();
        let asked = header.tpm().is_some() && config.is_some_and(|config| config.attestation);
        Self(asked.then(|| told(context, header)))
    }

    pub(crate) fn as_json(&self) -> Option<Value> {
        let Told { certificates, problem, refused } = self.0.as_ref()?;
        let (reason, help) = problem
            .as_ref()
            .map_or((None, None), |(reason, help)| (Some(reason.as_str()), help.as_deref()));
        Some(json!({
            "possible": problem.is_none(),
            "ek_certificates": certificates,
            "reason": reason,
            "help": help,
            "refused": refused,
        }))
    }

    pub(crate) fn as_text(&self) -> String {
        let Some(Told { certificates, problem, refused }) = &self.0 else { return String::new() };
        match (problem, refused) {
            (None, Some(refused)) => {
                format!(
                    "note: relying parties will refuse an attestation by this TPM: {}\n",
                    one_line(refused)
                )
            }
            (None, None) => {
                "The TPM can be attested: it holds its maker's certificate of a P-256 endorsement \
                     key. `icnctl attestation create --challenge FILE` does it.\n"
                    .to_owned()
            }
            (Some((reason, help)), _) => {
                let holds = match certificates.as_slice() {
                    [] => String::new(),
                    some => format!(" The TPM holds certificates of: {}.", some.join(", ")),
                };
                let help = help.as_ref().map(|help| format!("  try: {help}\n")).unwrap_or_default();
                format!("This key cannot be attested: {reason}.{holds}\n{help}")
            }
        }
    }
}

#[cfg(all(feature = "tpm", feature = "attestation"))]
fn told(context: &Context, header: &Header) -> Told {
    use icn_identity::Error;
    use icn_identity::backend::tpm::TpmBackend;

    use crate::attestation::check_use;
    use crate::error::CliError;
    use crate::help::Help as _;

    let problem = |error: Error| {
        let help = error.on_the_command_line();
        Some((icn_identity::error::in_full(&error), help))
    };
    let tpm = match context.tpm() {
        Ok(tpm) => tpm,
        Err(CliError::Identity(error)) => {
            return Told { certificates: Vec::new(), problem: problem(error), refused: None };
        }
        Err(error) => {
            let problem = Some((error.to_string(), None));
            return Told { certificates: Vec::new(), problem, refused: None };
        }
    };
    let certificates = tpm.ek_certificates().unwrap_or_default();
    let certificates = certificates.iter().map(|kind| kind.as_str()).collect();
    let key = || match header.device_locator() {
        Some(locator) => TpmBackend::check_attestable_key(&locator, header.did()),
        None => Ok(()),
    };
    match key().and_then(|()| tpm.check_attestable()) {
        Ok(held) => {
            let refused = check_use(&held).err();
            let refused = refused.map(|refusal| icn_identity::error::in_full(&refusal));
            Told { certificates, problem: None, refused }
        }
        Err(error) => Told { certificates, problem: problem(error), refused: None },
    }
}

/// Such a configuration is refused when it is read.
#[cfg(not(all(feature = "tpm", feature = "attestation")))]
const fn told(_: &Context, _: &Header) -> Told {
    Told { certificates: Vec::new(), problem: None, refused: None }
}
