//! `icnctl decrypt`

use std::io::{BufWriter, Write as _};
use std::path::Path;

use icn_identity::audit::{Entry, Event};
use icn_identity::bundle::{DecryptError, EncryptedFile};
use icn_identity::file::Existing;

use crate::args::DecryptArgs;
use crate::context::Context;
use crate::decryption_key::retired_on;
use crate::error::CliError;
use crate::input::Input;
use crate::new_file;
use crate::standard::Output;

pub(crate) fn decrypt(context: &Context, args: &DecryptArgs) -> Result<(), CliError> {
    let home = context.home()?;
    let identity = home.locate()?;
    let existing = if args.force { Existing::Replace } else { Existing::Refuse };
    let output = args.output.as_deref().filter(|path| *path != Path::new("-"));
    if let Some(path) = output {
        new_file::check(path, existing)?;
    }
    // Whatever can be refused without a credential is, before a person is asked
    // for one.
    let file = EncryptedFile::read(Input::open(args.file.as_deref(), "the file to decrypt")?)?;
    let audit = context.audit()?;
    let opened = audit.after(Event::Unlock, context.open(identity))?;
    audit.before(Entry::allowed(Event::Decrypt))?;
    let plaintext = opened.bundle.decrypt(file).map_err(CliError::from);
    let plaintext = audit.after(Event::Decrypt, plaintext)?;
    if let Some(key) = plaintext.retired_key() {
        crate::output::say(&format!(
            "note: this file was encrypted to {}, which was retired on {}; its retired key has opened \
             it. Ask the sender to encrypt to {}",
            key.did(),
            retired_on(key),
            opened.bundle.age_recipient()
        ));
    }
    // The key is not needed any more.
    drop(opened);
    match output {
        Some(path) => match plaintext.save(path, existing) {
            Ok(_) => Ok(()),
            Err(DecryptError::NotSaved(error)) => Err(new_file::failed(path, *error)),
            Err(error) => {
                Err(CliError::NotDecrypted { path: path.to_owned(), source: error.into() })
            }
        },
        None => {
            let mut out = BufWriter::new(Output::open()?);
            plaintext.copy_to(&mut out).map_err(|error| match error {
                DecryptError::Output(source) => CliError::Output { source },
                error => CliError::PartlyDecrypted { source: error.into() },
            })?;
            out.flush().map_err(|source| CliError::Output { source })
        }
    }
}
