//! `icnctl decrypt`

use std::io::{BufWriter, Write as _};
use std::path::Path;

use icn_identity::audit::{AuditKey, Entry, Event, MessageHash};
use icn_identity::bundle::{DecryptError, EncryptedFile, Plaintext};
use icn_identity::file::Existing;
use icn_identity::home::LockedIdentity;

use crate::args::DecryptArgs;
use crate::context::Context;
use crate::daemon::Daemon;
use crate::decryption_key::retired_on;
use crate::error::CliError;
use crate::input::Input;
use crate::new_file;
use crate::output::say;
use crate::standard::Output;

/// Who opens the file.
enum By<'h> {
    Daemon(Daemon),
    Here(Box<LockedIdentity<'h>>),
}

pub(crate) fn decrypt(context: &Context, args: &DecryptArgs) -> Result<(), CliError> {
    let home;
    let by = match context.daemon()? {
        Some(daemon) => By::Daemon(daemon),
        None => {
            home = context.home()?;
            By::Here(home.locate()?.into())
        }
    };
    let existing = if args.force { Existing::Replace } else { Existing::Refuse };
    let output = args.output.as_deref().filter(|path| *path != Path::new("-"));
    if let Some(path) = output {
        new_file::check(path, existing)?;
    }
    // Whatever can be refused without a credential is, before a person is asked
    // for one.
    let file = EncryptedFile::read(Input::open(args.file.as_deref(), "the file to decrypt")?)?;
    let plaintext = match by {
        By::Daemon(daemon) => opened_by(&daemon, file)?,
        By::Here(identity) => opened_here(context, *identity, file)?,
    };
    // The key is not needed any more.
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

fn opened_by(daemon: &Daemon, file: EncryptedFile<Input>) -> Result<Plaintext<Input>, CliError> {
    let key = daemon.file_key(&file)?;
    if let Some(did) = key.retired() {
        say(&format!(
            "note: this file was encrypted to {did}, which has handed over to this identity; its retired \
             key has opened it. Ask the sender to encrypt to the recipient that `icnctl id show` prints"
        ));
    }
    Ok(file.decrypt_with(key.expose_secret())?)
}

fn opened_here(
    context: &Context,
    identity: LockedIdentity<'_>,
    file: EncryptedFile<Input>,
) -> Result<Plaintext<Input>, CliError> {
    let audit = context.audit()?;
    let opened = audit.after(Event::Unlock, context.open(identity))?;
    let header = file.header().as_bytes();
    let tag = AuditKey::of(&opened.bundle).tag(&MessageHash::of(header));
    let length = u64::try_from(header.len()).unwrap_or(u64::MAX);
    audit.before(Entry::allowed(Event::Decrypt).with_message(tag).with_length(length))?;
    let plaintext = opened.bundle.decrypt(file).map_err(CliError::from);
    let plaintext = audit.after(Event::Decrypt, plaintext)?;
    if let Some(key) = plaintext.retired_key() {
        say(&format!(
            "note: this file was encrypted to {}, which was retired on {}; its retired key has opened \
             it. Ask the sender to encrypt to {}",
            key.did(),
            retired_on(key),
            opened.bundle.age_recipient()
        ));
    }
    Ok(plaintext)
}
