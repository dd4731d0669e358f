//! `icnctl id renew`

use icn_identity::keystore::Located;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::context::Context;
use crate::error::CliError;
use crate::output::{date, hex};

pub(crate) fn renew(context: &Context) -> Result<(), CliError> {
    let backend = context.backend()?;
    let bundle = context.unlock(context.locate(backend.as_ref())?, Located::renew)?;
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
