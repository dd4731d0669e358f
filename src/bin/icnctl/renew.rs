//! `icnctl id renew`

use std::fmt::Write as _;

use icn_identity::bundle::check_clock;
use icn_identity::migrate::Migration;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::args::RenewArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{date, hex};

pub(crate) fn renew(context: &Context, args: &RenewArgs) -> Result<(), CliError> {
    Migration::check_none_before_switch(&context.store())?;
    let home = context.home()?;
    let identity = home.locate()?;
    // Before anybody is asked for a secret.
    check_clock()?;
    if let Some(epoch) = args.epoch {
        identity.header().check_epoch(epoch)?;
    }
    let source = context.source_of(&identity);
    let ready = identity.ask(source)?;
    let bundle = match args.epoch {
        Some(epoch) => ready.join_epoch(epoch)?,
        None if args.all_instances => ready.renew_all_instances()?,
        None => ready.renew()?,
    };
    let binding = bundle.binding();
    let (not_before, not_after) = (date(binding.not_before()), date(binding.not_after()));
    context.format.print(
        || {
            json!({
                "did": bundle.did(),
                "tls": {
                    "sequence": binding.sequence(),
                    "instance": binding.instance(),
                    "epoch": binding.epoch(),
                    "certificate_sha256": hex(&Sha256::digest(bundle.certificate_der())),
                    "not_before": not_before,
                    "not_after": not_after,
                },
            })
        },
        || {
            let (number, epoch) = (binding.sequence(), binding.epoch());
            let mut text = format!(
                "The TLS key and certificate of {} are new: number {number}, valid until \
                 {not_after}.\nInstance {}, epoch {epoch}.\nPrograms that look for renewals \
                 (`renew_if_due`) use them soon; restart the others. Peers refuse the old certificate when they have seen the new one.\n",
                bundle.did(),
                binding.instance().map(ToString::to_string).unwrap_or_default(),
            );
            if args.all_instances {
                let _ = writeln!(
                    text,
                    "They then refuse every older certificate of this DID. On each other machine \
                     that holds it, run\n    icnctl id renew --epoch {epoch}"
                );
            }
            text
        },
    )
}
