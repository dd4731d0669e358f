//! `icnctl id change-passphrase`

use serde_json::json;

use crate::args::ChangePassphraseArgs;
use crate::context::Context;
use crate::credential::another_passphrase;
use crate::error::CliError;
use icn_identity::migrate::Migration;

pub(crate) fn change(context: &Context, args: &ChangePassphraseArgs) -> Result<(), CliError> {
    Migration::check_none(&context.store())?;
    let home = context.home()?;
    let identity = home.locate()?;
    // Before anybody is asked for a secret.
    identity.header().check_passphrase()?;
    let did = identity.header().did().clone();
    let another = |file| another_passphrase("--new-passphrase-file", file, "New passphrase: ");
    let kept = args.new_passphrase_file.as_deref().map(|file| another(Some(file))).transpose()?;
    let source = context.source_of(&identity);
    let ready = identity.ask(source)?;
    let new = match kept {
        Some(new) => new,
        None => {
            ready.check_passphrase()?;
            another(None)?
        }
    };
    ready.change_passphrase(&new)?;
    let work = context.config.identity.age.work_factor;
    context.format.print(
        || json!({ "did": did, "scrypt_work_factor": work }),
        || {
            format!(
                "The passphrase of {} is changed (scrypt work 2^{work}).\n\
             Copies made before, like backups, still open with the old one.\n",
                did
            )
        },
    )
}
