//! `icnctl verify`

use std::path::Path;
use std::process::ExitCode;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use icn_identity::error::SignError;
use icn_identity::signer::{ReadForContext, ReadMessage};
use icn_identity::{Did, Error, Signature, SshSignature};
use serde_json::json;

use crate::args::VerifyArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::input::{self, Input};
use crate::sign::MESSAGE;

pub(crate) fn verify(context: &Context, args: &VerifyArgs) -> Result<ExitCode, CliError> {
    let did = Did::parse(&args.did)?;
    let key = did.verifying_key();
    let mut message = Input::open(args.file.as_deref(), MESSAGE)?;
    let valid = match (&args.context, &args.signature_file) {
        (Some(context), Some(file)) => {
            let signature = in_file(file)?
                .parse()
                .map_err(|source| CliError::SshSignature { path: file.clone(), source })?;
            let read = ReadForContext::read_to_verify(context, &mut message, &signature);
            match message.named(read) {
                Ok(read) => key.verify_read_for(&read, &signature).is_ok(),
                // Nobody signs for such a context.
                Err(CliError::Identity(Error::Sign(SignError::InvalidContext))) => false,
                Err(error) => return Err(error),
            }
        }
        (_, file) => {
            let given = match file {
                Some(file) => in_file(file)?,
                None => args.signature.clone().unwrap_or_default(),
            };
            if let (Some(path), Ok(_)) = (file, given.parse::<SshSignature>()) {
                return Err(CliError::SignatureForContext { path: path.clone() });
            }
            if file.is_none() && given.trim_start().starts_with("-----BEGIN SSH SIGNATURE") {
                return Err(CliError::SshSignatureGiven);
            }
            // `base64` breaks the line.
            let given: String = given.split_ascii_whitespace().collect();
            let bytes = STANDARD.decode(given).ok().and_then(|bytes| bytes.try_into().ok());
            let bytes = bytes.ok_or(CliError::SignatureEncoding)?;
            let length = message.check_whole(key.algorithm())?;
            let read = ReadMessage::read_expecting(&mut message, key.algorithm(), length);
            let signature = Signature::from_bytes(key.algorithm(), bytes);
            key.verify_read(&message.named(read)?, &signature).is_ok()
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

fn in_file(path: &Path) -> Result<String, CliError> {
    let bytes = input::read_all(Some(path), "the signature")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
