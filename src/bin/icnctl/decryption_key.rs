//! `icnctl id decryption-key`

use std::fmt::Write as _;
use std::time::UNIX_EPOCH;

use icn_identity::Did;
use icn_identity::bundle::RetiredDecryptionKey;
use icn_identity::migrate::Migration;
use serde_json::json;

use crate::args::DecryptionKeyCommand;
use crate::context::Context;
use crate::error::CliError;
use crate::output::date;

pub(crate) fn run(context: &Context, command: &DecryptionKeyCommand) -> Result<(), CliError> {
    match command {
        DecryptionKeyCommand::List => list(context),
        DecryptionKeyCommand::Remove { did } => remove(context, &Did::parse(did)?),
    }
}

fn list(context: &Context) -> Result<(), CliError> {
    let home = context.home()?;
    let bundle = context.open(home.locate()?)?.bundle;
    let retired = bundle.retired_decryption_keys();
    context.format.print(
        || {
            let retired: Vec<_> = retired
                .iter()
                .map(|key| json!({ "did": key.did(), "retired": retired_on(key) }))
                .collect();
            json!({
                "did": bundle.did(),
                "age_recipient": bundle.age_recipient(),
                "retired": retired,
            })
        },
        || {
            let mut text = format!(
                "{}  {}  present: encrypt to this one\n",
                bundle.did(),
                bundle.age_recipient()
            );
            for key in retired {
                let (did, on) = (key.did(), retired_on(key));
                let _ = writeln!(text, "{did}  retired {on}: opens old files, nothing else");
            }
            text
        },
    )
}

fn remove(context: &Context, did: &Did) -> Result<(), CliError> {
    Migration::check_none(&context.store())?;
    let home = context.home()?;
    let identity = home.locate()?;
    let source = context.source_of(&identity);
    identity.ask(source)?.remove_retired_decryption_keys(did)?;
    context.format.print(
        || json!({ "removed": did }),
        || {
            format!(
                "The decryption key of {did} is removed: what was encrypted to it does not open \
                 here any more.\nBackups made before still have it.\n"
            )
        },
    )
}

/// When its DID handed over.
pub(crate) fn retired_on(key: &RetiredDecryptionKey) -> String {
    date(key.retired_at().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}
