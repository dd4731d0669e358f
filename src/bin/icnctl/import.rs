//! `icnctl id import`

use icn_identity::audit::Event;
use icn_identity::backend::BackendKind;
use icn_identity::bundle::check_clock;
use icn_identity::keystore::{LegacyIdentity, LegacyOptions};
use serde_json::json;

use crate::args::ImportArgs;
use crate::audit;
use crate::context::Context;
use crate::credential::another_passphrase;
use crate::error::CliError;
use crate::output::one_line;

pub(crate) fn import(context: &Context, args: &ImportArgs) -> Result<(), CliError> {
    let backend = context.config.identity.backend;
    if backend != BackendKind::Age {
        return Err(CliError::ImportsSoftware { backend });
    }
    let mut home = context.home()?;
    // Before anybody is asked for a secret.
    home.store().check_import(&args.file)?;
    check_clock()?;
    let another = |file| another_passphrase("--new-passphrase-file", file, "New passphrase: ");
    let kept = args.new_passphrase_file.as_deref().map(|file| another(Some(file))).transpose()?;
    let prompt = format!("Passphrase of {}: ", args.file.display());
    let passphrase = context.passphrase(&prompt)?;
    let options =
        LegacyOptions::new(&context.config.identity.age).with_discarded_tls(args.discard_tls);
    let old = LegacyIdentity::read(&args.file, &passphrase, &options)?;
    let (format, kept_x25519) = (old.format(), old.has_x25519());
    let carried = old.carried().to_vec();
    let passphrase = match (kept, args.new_passphrase) {
        (Some(kept), _) => kept,
        (None, true) => another(None)?,
        (None, false) => passphrase,
    };
    let did = old.did().clone();
    let import = || Ok(home.import(old, &passphrase)?);
    let bundle = audit::making(context, Event::Import, Some(&did), import)?.bundle;
    context.format.print(
        || {
            json!({
                "did": bundle.did(),
                "imported": {
                    "file": args.file,
                    "format": format.as_str(),
                    "x25519": if kept_x25519 { "kept" } else { "new" },
                    "tls": "new",
                    "carried": carried,
                },
            })
        },
        || {
            let x25519 = if kept_x25519 { "kept" } else { "new, the file had none" };
            let carried =
                if carried.is_empty() { "nothing".into() } else { one_line(&carried.join(", ")) };
            format!(
                "{}\nImported from {format}; the key is in {}, under {} passphrase.\n\
                 X25519 key: {x25519}. TLS key, certificate and binding: new.\n\
                 Carried over beside them: {carried}.\n\
                 {} is untouched and still holds the key: try the new identity, back it up, then \
                 put the old file out of reach.\n",
                bundle.did(),
                context.home.display(),
                if args.new_passphrase || args.new_passphrase_file.is_some() {
                    "the new"
                } else {
                    "the same"
                },
                args.file.display(),
            )
        },
    )
}
