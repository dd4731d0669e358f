//! `icnctl sign`

use base64::{Engine as _, engine::general_purpose::STANDARD};
use icn_identity::statement;
use serde_json::json;

use crate::args::SignArgs;
use crate::context::{Context, read_message};
use crate::error::CliError;
use crate::pin_config;
use crate::report::warn;

pub(crate) fn sign(context: &Context, args: &SignArgs) -> Result<(), CliError> {
    let store = context.store();
    let header = store.header()?;
    let message = read_message(args.file.as_deref())?;
    if statement::is_reserved(&message) {
        return Err(CliError::Reserved);
    }
    pin_config::warn_if_not_pinned(context, &header);
    store.check(&header, context.config.identity.backend, context.pinned())?;
    let backend = context.backend()?;
    // Whatever can be refused without a credential is, before a person is asked
    // for one. (It is in any case before one is sent.)
    if context.asks_a_person(backend.kind()) {
        store.find(backend.as_ref(), &header)?;
    }
    let given = context.credentials(backend.as_ref(), &header)?;
    let opened = store.open(backend.as_ref(), context.pinned(), &given.credentials);
    let opened = given.used(&store, opened)?;
    if let Some(error) = &opened.renewal_failed {
        warn("the TLS certificate is due for renewal, which failed", error);
    }
    let signature = STANDARD.encode(opened.bundle.sign(&message)?.as_bytes());
    context.format.print(
        || {
            json!({
                "did": header.did(),
                "algorithm": header.algorithm(),
                "signature": signature,
            })
        },
        || format!("{signature}\n"),
    )
}
