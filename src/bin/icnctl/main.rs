//! `icnctl`: makes an identity, shows it, signs and verifies.

mod adopt;
mod args;
#[cfg(feature = "attestation")]
mod attestation;
mod audit;
mod backup;
mod change_passphrase;
mod config;
mod context;
mod credential;
mod daemon;
mod daemon_error;
mod decrypt;
mod decryption_key;
mod doctor;
mod document;
mod error;
mod export;
mod help;
mod here;
mod id;
mod import;
mod input;
#[path = "../icnd/instance.rs"]
mod instance;
mod migrate;
mod new_file;
mod output;
mod patience;
mod peer;
#[cfg(feature = "tpm")]
mod quiet;
#[cfg(feature = "pkcs11")]
mod relocate;
mod renew;
mod report;
mod restore;
mod rotation;
mod safe;
mod show;
mod sign;
mod standard;
mod terminal;
mod this_home;
#[cfg(feature = "tpm")]
mod tpm;
mod verify;
mod warnings;

use std::process::ExitCode;

use clap::Parser as _;

#[cfg(feature = "tpm")]
use args::TpmCommand;
use args::{Args, BackendCommand, Command, IdCommand};
use context::Context;

/// `EX_NOPERM`: a PIN or passphrase was refused. For systemd's
/// `RestartPreventExitStatus=77`, so that no restart spends another try.
const WRONG_CREDENTIAL: u8 = 77;

fn main() -> ExitCode {
    #[cfg(feature = "tpm")]
    quiet::tss();
    // Secrets are kept out of dumps page by page; this covers the rest.
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    warnings::install();
    patience::install();

    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(wrong) if wrong.use_stderr() => wrong.exit(),
        // `--help` and `--version` are results as others are.
        Err(text) => {
            if let Err(error) = standard::check_output() {
                error.report();
                return ExitCode::FAILURE;
            }
            return yes(text.print().is_ok());
        }
    };
    here::remember(&args);
    let verifies = args.command.verifies();
    match run(args) {
        Ok(code) => code,
        Err(error) => {
            error.report();
            ExitCode::from(match &error {
                error if error.is_wrong_credential() => WRONG_CREDENTIAL,
                // These keep 1 for "not valid".
                error if verifies || error.is_wrong_usage() => 2,
                _ => 1,
            })
        }
    }
}

fn run(args: Args) -> Result<ExitCode, error::CliError> {
    // Before anything is done, or a PIN sent, of which nobody would see the result.
    if !matches!(&args.command, Command::Decrypt(decrypt) if decrypt.output.is_some()) {
        standard::check_output()?;
    }
    let context = Context::new(&args)?;
    let _alone = match args.command.changes_identity() {
        true => context.keep_icnd_out()?,
        false => None,
    };
    let done = match args.command.uses_key_once() {
        Some(event) => audit::during(&context, event, || work(&context, args)),
        None => work(&context, args),
    };
    done.map_err(|error| context.explain(error))
}

fn work(context: &Context, args: Args) -> Result<ExitCode, error::CliError> {
    match args.command {
        Command::Audit { command } => return audit::run(context, &command),
        #[cfg(feature = "attestation")]
        Command::Attestation { command } => return attestation::run(context, &command),
        Command::Id { command: IdCommand::Init(init) } => id::init(context, &init)?,
        Command::Id { command: IdCommand::Show(show) } if context.wants_document => {
            document::show(context)?;
            return Ok(yes(show::is_fine(context, &show)?));
        }
        Command::Id { command: IdCommand::Show(show) } => {
            return Ok(yes(show::show(context, &show)?));
        }
        Command::Id { command: IdCommand::Backup(backup) } => backup::backup(context, &backup)?,
        Command::Id { command: IdCommand::Restore(restore) } => {
            return Ok(yes(restore::restore(context, &restore)?));
        }
        Command::Id { command: IdCommand::VerifyDocument(verify) } => {
            return document::verify(context, &verify);
        }
        Command::Id { command: IdCommand::Import(import) } => import::import(context, &import)?,
        Command::Id { command: IdCommand::Export(export) } => export::export(context, &export)?,
        Command::Id { command: IdCommand::Rotation { command } } => {
            return rotation::run(context, &command);
        }
        Command::Id { command: IdCommand::DecryptionKey { command } } => {
            decryption_key::run(context, &command)?;
        }
        Command::Id { command: IdCommand::Migrate(args) } => migrate::migrate(context, &args)?,
        Command::Id { command: IdCommand::ProveStaged } => migrate::prove(context)?,
        Command::Id { command: IdCommand::Renew(args) } => renew::renew(context, &args)?,
        Command::Id { command: IdCommand::ChangePassphrase(change) } => {
            change_passphrase::change(context, &change)?;
        }
        #[cfg(feature = "pkcs11")]
        Command::Id { command: IdCommand::Relocate(relocate) } => {
            relocate::relocate(context, &relocate)?;
        }
        #[cfg(feature = "pkcs11")]
        Command::Id { command: IdCommand::WritePublicKey } => relocate::write_public_key(context)?,
        #[cfg(not(feature = "pkcs11"))]
        Command::Id { command: IdCommand::Relocate(_) | IdCommand::WritePublicKey } => {
            return Err(icn_identity::error::DeviceError::NoPkcs11.into());
        }
        #[cfg(feature = "tpm")]
        Command::Id { command: IdCommand::Reseal(reseal) } => tpm::reseal(context, &reseal)?,
        #[cfg(feature = "tpm")]
        Command::Tpm { command: TpmCommand::Check(check) } => {
            return Ok(yes(tpm::check(context, &check)?));
        }
        #[cfg(feature = "tpm")]
        Command::Tpm { command: TpmCommand::Approve(approve) } => tpm::approve(context, &approve)?,
        #[cfg(feature = "tpm")]
        Command::Tpm { command: TpmCommand::Install(install) } => tpm::install(context, &install)?,
        #[cfg(not(feature = "tpm"))]
        Command::Id { command: IdCommand::Reseal(_) } | Command::Tpm { .. } => {
            return Err(icn_identity::error::DeviceError::NoTpm.into());
        }
        Command::Backend { command: BackendCommand::Doctor(doctor) } => {
            return Ok(yes(doctor::doctor(context, &doctor)?));
        }
        Command::Config { command } => {
            let given = config::Given {
                home: args.home.is_some(),
                config: args.config.is_some(),
                pin_file: args.pin_file.is_some(),
            };
            return config::run(context, &command, given);
        }
        Command::Peer(args) => peer::run(context, &args)?,
        Command::Sign(sign) => sign::sign(context, &sign)?,
        Command::Verify(verify) => return verify::verify(context, &verify),
        Command::Decrypt(decrypt) => decrypt::decrypt(context, &decrypt)?,
        Command::Lock => daemon::lock(context)?,
        Command::Unlock => daemon::unlock(context)?,
        Command::Status => daemon::status(context)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn yes(yes: bool) -> ExitCode {
    if yes { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
