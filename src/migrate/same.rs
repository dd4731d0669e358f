//! What is under way is not taken for something else that is asked of its device.

use std::fmt::Display;

use super::renamed;
use super::request::MigrationRequest;
use crate::backend::BackendKind;
use crate::error::{Error, MigrationError};
use crate::home::Home;
use crate::keystore::{Header, Journal, MigrationState};

/// By what is configured of the new identity, once it is made. What is not said is as it is.
pub(super) fn check_device(
    journal: &Journal,
    home: &Home,
    request: &MigrationRequest,
) -> Result<(), Error> {
    let asked = &request.to.identity;
    let ways = journal.state.ways_out();
    let same = |what, found: &dyn Display, asked: &dyn Display| -> Result<(), Error> {
        let (found, asked) = (found.to_string(), asked.to_string());
        match found == asked {
            true => Ok(()),
            false => Err(MigrationError::Other { what, found, asked, ways }.into()),
        }
    };
    let same_token = |found: &str| match asked.pkcs11.as_ref().and_then(|it| it.token.as_ref()) {
        Some(asked) if asked != found && !renamed::is_called(journal, home, asked)? => {
            same("the token", &found, asked)
        }
        _ => Ok(()),
    };
    if journal.state < MigrationState::Made {
        // What was begun there is removed there, and made anew.
        return match home.store().staging().noted_objects()? {
            Some(names) => same_token(&names.token),
            None => Ok(()),
        };
    }
    let found = match journal.state {
        MigrationState::Switched => Some(home.config().clone()),
        _ => home.store().staged_config()?,
    };
    let Some(found) = found.map(|config| config.identity) else { return Ok(()) };
    let header = match journal.state {
        MigrationState::Switched => home.header(),
        _ => home.store().staging().header().map_err(Error::from),
    };
    let header = header.ok();
    let key = header.as_ref().and_then(Header::locator);
    if let (Some(key), Some(asked)) = (key, &asked.pkcs11) {
        same_token(&key.token)?;
        if let Some(asked) = &asked.key_label {
            same("the key label", &key.label, asked)?;
        }
    }
    if let (BackendKind::Tpm, Some(found), Some(asked)) =
        (journal.to.backend, &found.tpm, &asked.tpm)
    {
        let yes = |value| if value { "yes" } else { "no" };
        same("the TPM", &found.device_path, &asked.device_path)?;
        let bound = [found, asked].map(|tpm| yes(tpm.platform_binding));
        same("the platform binding", &bound[0], &bound[1])?;
        if found.platform_binding {
            same("the PCRs", &found.pcr_indices, &asked.pcr_indices)?;
            same("the policy", &found.policy, &asked.policy)?;
        }
        let pin = [found, asked].map(|tpm| yes(tpm.pin));
        same("the PIN", &pin[0], &pin[1])?;
    }
    Ok(())
}
