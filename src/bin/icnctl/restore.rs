//! `icnctl id restore`

mod on_tpm;

use std::fmt::Write as _;
use std::path::Path;

use icn_identity::audit::Event;
use icn_identity::backend::{BackendKind, Pkcs11Uri};
use icn_identity::bundle::check_clock;
use icn_identity::config::Config;
use icn_identity::error::{BackupError, DeviceError, OpenError, TpmError};
use icn_identity::home::{Home, Made};
use icn_identity::keystore::Pinned;
use icn_identity::keystore::backup::{BackedUp, Backup};
use icn_identity::{Did, Error};
use serde_json::json;

use self::on_tpm::OnTpm;
use crate::args::RestoreArgs;
use crate::audit;
use crate::backup::{in_words, recovery_keys};
use crate::context::{Context, check_module};
use crate::error::CliError;
use crate::output::one_line;
use crate::safe::word;
use crate::show;

/// Gives whether what was asked for can be had, as far as was looked.
pub(crate) fn restore(context: &Context, args: &RestoreArgs) -> Result<bool, CliError> {
    let restores = !args.check && !args.encryption_key_only;
    if restores {
        // Before anybody is asked for a secret.
        context.store().check_vacant()?;
        check_clock()?;
        context.check_files()?;
    }
    #[cfg(feature = "tpm")]
    let approval = args.approval.as_deref().map(crate::tpm::approval).transpose()?;
    #[cfg(not(feature = "tpm"))]
    if args.approval.is_some() {
        return Err(DeviceError::NoTpm.into());
    }
    let named = args.did.as_deref().map(Did::parse).transpose()?;
    Backup::check_file(&args.file)?;
    if let Some(output) = args.output.as_ref().filter(|_| args.encryption_key_only) {
        BackedUp::check_vacant(output)?;
    }
    let keys = recovery_keys(&args.identity_file, args.identity_passphrase_file.as_deref())?;
    let backup = Backup::read(&args.file, &keys)?;
    // What is pinned here is of this home, which a drill does not concern.
    let pinned = context.pinned_for_new()?.filter(|_| restores || named.is_none());
    for did in named.iter().chain(&pinned) {
        backup.is_of(did)?;
    }
    let expected = named.or(pinned);
    #[cfg(feature = "tpm")]
    let backup = match approval {
        Some(_) if backup.backend() != BackendKind::Tpm => {
            return Err(CliError::ApprovalOfNoTpm { backend: backup.backend() });
        }
        Some(approval) => backup.with_approval(&approval)?,
        None => backup,
    };
    if args.check {
        let on_tpm = OnTpm::of(context, &backup);
        report(context, &backup, &on_tpm, expected.is_some())?;
        return Ok(!on_tpm.is_bad());
    }
    let did = expected.ok_or_else(|| {
        let found = backup.did().clone();
        CliError::from(BackupError::NotNamed { found })
    })?;

    if let Some(output) = args.output.as_ref().filter(|_| args.encryption_key_only) {
        backup.write_encryption_key(&did, output)?;
        encryption_key_written(context, &did, output)?;
        return Ok(true);
    }

    let (context, config) = configured(context, &backup, args)?;
    let store = context.store();
    store.check(backup.header(), context.config.identity.backend, Pinned::To(&did))?;
    let config = config.as_deref();
    let restore = || match args.relocate {
        true => relocated(&context, backup, &did, config),
        false => put_back(&context, context.home()?, backup, &did, config),
    };
    let Made { header, .. } = audit::making(&context, Event::Restore, Some(&did), restore)?;
    context.format.print(|| show::as_json(&context, &header, &show::Device::JustMade), || format!(
            "{did}\nrestored to {}\nThe TLS certificate is a new one; the X25519 key is the one that \
             others know.\nThe TLS certificate of the old node stays valid until it ends. If others may have \
             its key, end it now: icnctl id renew --all-instances\n",
            context.home.display()
        ))?;
    Ok(true)
}

fn encryption_key_written(context: &Context, did: &Did, output: &Path) -> Result<(), CliError> {
    let (file, shown) = (output.display(), word(&output.to_string_lossy()));
    context.format.print(|| json!({ "did": did, "encryption_key": file.to_string() }), || format!(
            "The X25519 key of {did} is in {file}.\nIt opens what was encrypted to that identity: \
             age -d -i {shown} FILE\nNothing else was written, and nothing signs with it.\n"
        ))
}

/// The configuration that is here; without one, that of the backup, and its
/// text. Which library is loaded is never a backup's to say.
fn configured(
    context: &Context,
    backup: &Backup,
    args: &RestoreArgs,
) -> Result<(Context, Option<String>), CliError> {
    let mut context = context.clone();
    let mut text = None;
    if !context.config_path.exists()
        && let Some(config) = backup.config()
    {
        let config = match backup.backend() {
            BackendKind::Pkcs11 => {
                let module = args.module.as_deref().ok_or_else(|| CliError::ModuleNotNamed {
                    was: module_of(config).unwrap_or_else(|| "not said".into()),
                })?;
                check_module(module)?;
                Config::edit(config, |config| {
                    if let Some(pkcs11) = &mut config.identity.pkcs11 {
                        module.clone_into(&mut pkcs11.module);
                        pkcs11.key = pkcs11.key.take().map(Pkcs11Uri::without_module_path);
                    }
                })?
            }
            _ => config.to_owned(),
        };
        context.config = Config::parse(&config)?;
        text = Some(config);
    } else if args.module.is_some() {
        let pkcs11 = context.pkcs11(args.module.as_deref())?;
        check_module(&pkcs11.module)?;
        context.config.identity.pkcs11 = Some(pkcs11);
    }
    Ok((context, text))
}

/// The module that the configuration in a backup names.
fn module_of(config: &str) -> Option<String> {
    let pkcs11 = Config::parse(config).ok()?.identity.pkcs11?;
    Some(pkcs11.module.display().to_string())
}

fn put_back(
    context: &Context,
    mut home: Home,
    backup: Backup,
    did: &Did,
    config: Option<&str>,
) -> Result<Made, CliError> {
    let wants = home.wants_for_restored(&backup).map_err(not_approved)?;
    let source = context.source(wants.pin());
    home.restore(backup, did, config, source).map_err(not_approved)
}

/// There is no identity yet that an approval could be installed for.
fn not_approved(error: Error) -> CliError {
    let cause = match &error {
        Error::Device(error) | Error::Open(OpenError::Device(error)) => error,
        _ => return error.into(),
    };
    match cause {
        DeviceError::Tpm(TpmError::PcrMismatch { authorized: true, .. }) => {
            CliError::NotApproved(error)
        }
        _ => error.into(),
    }
}

/// With the key, and the configuration, on the token that has the key now.
#[cfg(feature = "pkcs11")]
fn relocated(
    context: &Context,
    backup: Backup,
    did: &Did,
    config: Option<&str>,
) -> Result<Made, CliError> {
    if backup.backend() != BackendKind::Pkcs11 {
        let (command, backend) = ("--relocate", backup.backend());
        return Err(CliError::OnlyForTokens { command, backend });
    }
    match crate::relocate::search(context, did, None) {
        Ok((moved, locator)) => {
            let home = moved.home()?.moved_to(locator.clone());
            put_back(&moved, home, backup.at(locator), did, config)
        }
        // It may be shown within a login.
        Err(error) => match crate::relocate::hiding(context, None, backup.header(), &error)? {
            Some((mut home, wanted)) => {
                let source = context.source(wanted.as_ref());
                Ok(home.restore_within_login(backup, did, config, source)?)
            }
            None => Err(explained(&backup, error)),
        },
    }
}

#[cfg(not(feature = "pkcs11"))]
fn relocated(_: &Context, _: Backup, _: &Did, _: Option<&str>) -> Result<Made, CliError> {
    Err(DeviceError::NoPkcs11.into())
}

#[cfg(feature = "pkcs11")]
fn explained(backup: &Backup, error: CliError) -> CliError {
    match error {
        CliError::Identity(error) => CliError::Identity(backup.explain(error)),
        error => error,
    }
}

fn report(
    context: &Context,
    backup: &Backup,
    on_tpm: &OnTpm,
    did_was_named: bool,
) -> Result<(), CliError> {
    context.format.print(
        || {
            json!({
                "did": backup.did(),
                "did_was_named": did_was_named,
                "created": backup.created(),
                "backend": backup.backend(),
                "device": backup.device(),
                "contains": backup.contains(),
                "does_not_contain": backup.does_not_contain(),
                "on_its_tpm": on_tpm.as_json(),
                // Where `tpm approve` looks for it.
                "request": on_tpm.request(),
            })
        },
        || report_text(backup, on_tpm, did_was_named),
    )
}

fn report_text(backup: &Backup, on_tpm: &OnTpm, did_was_named: bool) -> String {
    let mut text = format!(
        "{}\nThis backup of {} opens, and the DID's key has signed it. Nothing was written.\n\n{}",
        backup.did(),
        backup.created(),
        in_words(backup.contains(), backup.does_not_contain())
    );
    match backup.device() {
        None => text.push_str("\nThe identity can be restored from this file alone.\n"),
        Some(device) => {
            text.push_str("\nThe identity can be restored only where its key is: ");
            text.push_str(&one_line(&device));
            text.push_str(&on_tpm.as_text());
        }
    }
    if did_was_named {
        let _ = writeln!(text, "\nIt is the backup that was asked for, of\n{}", backup.did());
    } else {
        let _ = writeln!(
            text,
            "\nWhether this is the DID that you want was not checked: compare it with your own \
             records, or give it with --did.\n{}",
            backup.did()
        );
    }
    text
}
