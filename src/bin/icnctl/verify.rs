//! `icnctl verify`

use std::process::ExitCode;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use icn_identity::{Did, Signature};
use serde_json::json;

use crate::args::VerifyArgs;
use crate::context::{Context, read_message};
use crate::error::CliError;

pub(crate) fn verify(context: &Context, args: &VerifyArgs) -> Result<ExitCode, CliError> {
    let did = Did::parse(&args.did)?;
    let bytes = STANDARD.decode(&args.signature).ok().and_then(|bytes| bytes.try_into().ok());
    let algorithm = did.verifying_key().algorithm();
    let signature = Signature::from_bytes(algorithm, bytes.ok_or(CliError::SignatureEncoding)?);
    let message = read_message(args.file.as_deref())?;
    let valid = did.verifying_key().verify(&message, &signature).is_ok();
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
