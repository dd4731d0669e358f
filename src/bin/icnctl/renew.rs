//! `icnctl id renew`

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::context::Context;
use crate::error::CliError;
use crate::output::{date, hex};

pub(crate) fn renew(context: &Context) -> Result<(), CliError> {
    let store = context.store();
    let header = store.header()?;
    store.check(&header, context.config.identity.backend, context.pinned())?;
    let backend = context.backend()?;
    // Before a person is asked for a secret.
    if context.asks_a_person(backend.kind()) {
        store.find(backend.as_ref(), &header)?;
    }
    let given = context.credentials(backend.as_ref(), &header)?;
    let renewed = store.renew(backend.as_ref(), context.pinned(), &given.credentials);
    let bundle = given.used(&store, renewed)?;
    let binding = bundle.binding();
    let (not_before, not_after) = (date(binding.not_before()), date(binding.not_after()));
    context.format.print(
        || {
            json!({
                "did": bundle.did(),
                "tls": {
                    "sequence": binding.sequence(),
                    "certificate_sha256": hex(&Sha256::digest(bundle.certificate_der())),
                    "not_before": not_before,
                    "not_after": not_after,
                },
            })
        },
        || {
            format!(
                "The TLS key and certificate of {} are new: number {}, valid until {not_after}.\n\
             Restart the programs that use this identity. Peers refuse the old certificate when \
             they have seen the new one.\n",
                bundle.did(),
                binding.sequence(),
            )
        },
    )
}
