//! `icnctl id backup`

use std::fmt::Write as _;
use std::path::Path;

use icn_identity::Error;
use icn_identity::bundle::check_clock;
use icn_identity::error::BackupError;
use icn_identity::keystore::backup::{
    BackedUp, Backup, BackupRequest, RecoveryKeys, RecoveryRecipient,
};
use serde_json::json;

use crate::args::BackupArgs;
use crate::context::Context;
use crate::credential::recovery_passphrase;
use crate::error::CliError;
use crate::output::one_line;
use crate::safe::word;

pub(crate) fn backup(context: &Context, args: &BackupArgs) -> Result<(), CliError> {
    let home = context.home()?;
    let recipients: Result<Vec<RecoveryRecipient>, BackupError> =
        args.recipients.iter().map(|recipient| recipient.parse()).collect();
    let request = BackupRequest::new(recipients?)?.with_config(home.config_for_backup()?);
    let identity = home.locate()?;
    // Before anybody is asked for a secret.
    request.check(identity.header())?;
    if args.output == Path::new("-") {
        return Err(CliError::ToAFile);
    }
    BackedUp::check_vacant(&args.output)?;
    check_clock()?;
    let keys = match &args.verify_with {
        Some(path) => {
            let keys = recovery_keys(path, args.identity_passphrase_file.as_deref())?;
            request.check_opened_by(&keys).map_err(|error| match error {
                Error::Backup(BackupError::OtherKey) => {
                    CliError::KeyOfNoRecipient { path: path.clone() }
                }
                error => error.into(),
            })?;
            Some(keys)
        }
        None => None,
    };
    let source = context.source_of(&identity);
    let made = identity.ask(source)?.backup(&request)?;
    if let Some(keys) = &keys {
        Backup::open(&made.file, keys)?.is_of(&made.did)?;
    }
    // Reads back the very bytes.
    made.write(&args.output)?;
    print(context, args, &request, &made)
}

fn print(
    context: &Context,
    args: &BackupArgs,
    request: &BackupRequest,
    made: &BackedUp,
) -> Result<(), CliError> {
    let recipients: Vec<String> = request.recipients().iter().map(ToString::to_string).collect();
    let file = args.output.display().to_string();
    context.format.print(
        || {
            json!({
                "did": made.did,
                "file": file,
                "recipients": recipients,
                "contains": made.contains,
                "does_not_contain": made.does_not_contain,
                "decrypted_and_verified": args.verify_with.is_some(),
            })
        },
        || as_text(args, &recipients, made),
    )
}

fn as_text(args: &BackupArgs, recipients: &[String], made: &BackedUp) -> String {
    let file = args.output.display();
    let mut text = format!("{}\nbacked up to {file}\n\n", made.did);
    text.push_str(&in_words(&made.contains, &made.does_not_contain));
    let _ = writeln!(text, "\nOpened by the secret key of {}", recipients.join("\nor of "));
    let read = match &args.verify_with {
        Some(_) => "Decrypted, verified, and read back.",
        None => "Read back; whether it decrypts, the drill tells.",
    };
    let file = word(&args.output.to_string_lossy());
    let _ = writeln!(
        text,
        "{read}\nThe drill, where the recovery key is:\n  icnctl id restore {file} --identity-file \
         KEYFILE --did {} --check",
        made.did
    );
    text
}

/// Two lists for people.
pub(crate) fn in_words(contains: &[String], does_not_contain: &[String]) -> String {
    let mut text = String::new();
    for (title, list) in [("Inside:", contains), ("NOT inside:", does_not_contain)] {
        let _ = writeln!(text, "{title}");
        for item in list {
            let _ = writeln!(text, "  - {}", one_line(item));
        }
    }
    text
}

/// The recovery key; its passphrase is asked for if it has one.
pub(crate) fn recovery_keys(
    path: &Path,
    passphrase_file: Option<&Path>,
) -> Result<RecoveryKeys, CliError> {
    match RecoveryKeys::read(path) {
        Err(Error::Backup(BackupError::KeyFileLocked { .. })) => {
            let passphrase = recovery_passphrase(passphrase_file)?;
            Ok(RecoveryKeys::read_with_passphrase(path, &passphrase)?)
        }
        read => Ok(read?),
    }
}
