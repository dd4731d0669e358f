//! `icnctl verify`

use std::process::ExitCode;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use icn_identity::{Did, Signature};
use serde_json::json;

use crate::args::VerifyArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::input::{self, Input};
use crate::sign::MESSAGE;

pub(crate) fn verify(context: &Context, args: &VerifyArgs) -> Result<ExitCode, CliError> {
    let did = Did::parse(&args.did)?;
    let key = did.verifying_key();
    let message = Input::open(args.file.as_deref(), MESSAGE)?;
    let valid = match (&args.context, &args.signature_file) {
        (Some(context), Some(file)) => {
            let text = String::from_utf8_lossy(&input::read_all(Some(file), "the signature")?)
                .into_owned();
            let signature = text
                .parse()
                .map_err(|source| CliError::SshSignature { path: file.clone(), source })?;
            key.verify_for(context, &message.read_all()?, &signature).is_ok()
        }
        _ => {
            let given = args.signature.as_deref().unwrap_or_default();
            // `base64` breaks the line.
            let given: String = given.split_ascii_whitespace().collect();
            let bytes = STANDARD.decode(given).ok().and_then(|bytes| bytes.try_into().ok());
            let bytes = bytes.ok_or(CliError::SignatureEncoding)?;
            key.verify(&message.read_all()?, &Signature::from_bytes(key.algorithm(), bytes)).is_ok()
        }
    };
    context.format.print(
        || match valid {
            true => json!({ "did": did, "valid": true }),
            false => json!({
                "did": did,
                "valid": false,
                "error": "the signature does not verify under this DID",
                "help": "compare DID, message and signature with what the signer gave",
            }),
        },
        || if valid { "valid\n".into() } else { "not valid\n".into() },
    )?;
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
