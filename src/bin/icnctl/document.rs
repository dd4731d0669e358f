//! DID documents: `icnctl id show --format did-document`, and `icnctl id
//! verify-document` for those of peers.

use std::process::ExitCode;

use icn_identity::Did;
use icn_identity::did::DidDocument;
use serde_json::json;

use crate::args::VerifyDocumentArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::help::Help as _;
use crate::input::Input;
use crate::output::{self, date, one_line};

/// More than any document has, in bytes; what is longer is not read further.
const MAX_LEN: u64 = 64 * 1024;

/// Prints the document of this identity, verified.
pub(crate) fn show(context: &Context) -> Result<(), CliError> {
    let document = context.header()?.did_document()?.ok_or(CliError::NoDocument)?;
    output::print(&document.to_json()?)
}

pub(crate) fn verify(context: &Context, args: &VerifyDocumentArgs) -> Result<ExitCode, CliError> {
    let demanded = args.did.as_deref().map(Did::parse).transpose()?;
    let document = match DidDocument::parse(
        &Input::open(args.file.as_deref(), "the document")?.read_at_most(MAX_LEN)?,
    ) {
        Ok(document) => document,
        Err(error) if error.is_verdict() => {
            return not_valid(context, &error.to_string(), error.on_the_command_line().as_deref());
        }
        Err(error) => return Err(error.into()),
    };
    let (did, recipient) = (document.did(), document.age_recipient());
    if let Some(demanded) = demanded
        && demanded != *did
    {
        let error = format!("the DID document is that of {did}, not of {demanded}");
        return not_valid(context, &error, Some("ask the owner of that DID for its document"));
    }
    if args.did.is_none() {
        output::say(&format!(
            "warning: whose document it has to be was not said: anybody can make one that is valid. \
             Compare {did} with the DID that you know, or give that with --did"
        ));
    }
    context.format.print(
        || {
            json!({
                "valid": true,
                "did_was_named": args.did.is_some(),
                "did": did,
                "age_recipient": recipient,
                "x25519_multibase": document.x25519_multibase(),
                "created": date(document.created()),
            })
        },
        || format!("valid\n{did}\n{recipient}\n"),
    )?;
    Ok(ExitCode::SUCCESS)
}

fn not_valid(context: &Context, error: &str, help: Option<&str>) -> Result<ExitCode, CliError> {
    context.format.print(
        || json!({ "valid": false, "error": error, "help": help }),
        || format!("not valid: {}\n", one_line(error)),
    )?;
    Ok(ExitCode::from(1))
}
