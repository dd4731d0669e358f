//! `icnctl sign`

use base64::{Engine as _, engine::general_purpose::STANDARD};
use icn_identity::error::SignError;
use icn_identity::{DidSigner as _, Error, sshsig, statement};
use serde_json::json;

use crate::args::SignArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::input;

/// What standard input is read for.
pub(crate) const MESSAGE: &str = "the message";

pub(crate) fn sign(context: &Context, args: &SignArgs) -> Result<(), CliError> {
    let home = context.home()?;
    let identity = home.locate()?;
    let message = input::read_all(args.file.as_deref(), MESSAGE)?;
    match &args.context {
        Some(context) if !sshsig::is_context(context) => {
            return Err(Error::from(SignError::InvalidContext).into());
        }
        None if statement::is_reserved(&message) => return Err(CliError::Reserved),
        _ => {}
    }
    context.warn_if_not_pinned(&home, identity.header());
    let (did, algorithm) =
        (identity.header().did().clone(), identity.header().algorithm().to_owned());
    // Its key alone: what opens the files, and the other keys, are wiped.
    let signer = context.open(identity)?.bundle.into_signer();
    // An armored signature ends with its line.
    let signature = match &args.context {
        Some(context) => signer.sign_for(context, &message)?.to_string(),
        None => STANDARD.encode(signer.sign(&message)?.as_bytes()),
    };
    context.format.print(
        || {
            json!({
                "did": did,
                "algorithm": algorithm,
                "signature": signature,
            })
        },
        || format!("{}\n", signature.trim_end()),
    )
}
