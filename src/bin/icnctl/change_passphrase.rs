//! `icnctl id change-passphrase`

use serde_json::json;

use crate::args::ChangePassphraseArgs;
use crate::context::Context;
use crate::error::CliError;

pub(crate) fn change(context: &Context, args: &ChangePassphraseArgs) -> Result<(), CliError> {
    let store = context.store();
    let header = store.header()?;
    store.check(&header, context.config.identity.backend, context.pinned())?;
    // Before anybody is asked for a secret.
    header.check_passphrase()?;
    let backend = context.backend()?;
    let given = context.credentials(backend.as_ref(), &header)?;
    let new = context.another_passphrase(
        "--new-passphrase-file",
        args.new_passphrase_file.as_deref(),
        "New passphrase: ",
    )?;
    let changed =
        store.change_passphrase(backend.as_ref(), context.pinned(), &given.credentials, &new);
    given.used(&store, changed)?;
    let work = context.config.identity.age.work_factor;
    context.format.print(
        || json!({ "did": header.did(), "scrypt_work_factor": work }),
        || {
            format!(
                "The passphrase of {} is changed (scrypt work 2^{work}).\n\
             Copies made before, like backups, still open with the old one.\n",
                header.did()
            )
        },
    )
}
