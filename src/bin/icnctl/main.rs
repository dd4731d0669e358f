//! `icnctl`: makes an identity, shows it, signs and verifies.

mod adopt;
mod args;
mod context;
mod credential;
#[cfg(feature = "pkcs11")]
mod doctor;
mod error;
mod id;
mod pin_config;
#[cfg(feature = "pkcs11")]
mod relocate;
mod show;
mod sign;
mod verify;
mod warnings;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, BackendCommand, Command, DoctorArgs, IdCommand};
use context::Context;

/// `EX_NOPERM`: a PIN or passphrase was refused. For systemd's
/// `RestartPreventExitStatus=77`, so that no restart spends another try.
const WRONG_CREDENTIAL: u8 = 77;

fn main() -> ExitCode {
    // Secrets are kept out of dumps page by page; this covers the rest.
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    warnings::install();

    let args = Args::parse();
    let verifies = matches!(args.command, Command::Verify(_));
    match run(args) {
        Ok(code) => code,
        Err(error) => {
            error.report();
            ExitCode::from(match &error {
                error if error.is_wrong_credential() => WRONG_CREDENTIAL,
                // `verify` keeps 1 for "not valid".
                _ if verifies => 2,
                _ => 1,
            })
        }
    }
}

fn run(args: Args) -> Result<ExitCode, error::CliError> {
    let context = Context::new(&args)?;
    match args.command {
        Command::Id { command: IdCommand::Init(init) } => id::init(&context, &init)?,
        Command::Id { command: IdCommand::Show } => show::show(&context)?,
        #[cfg(feature = "pkcs11")]
        Command::Id { command: IdCommand::Relocate(relocate) } => {
            relocate::relocate(&context, &relocate)?;
        }
        #[cfg(not(feature = "pkcs11"))]
        Command::Id { command: IdCommand::Relocate(_) } => {
            return Err(icn_identity::error::DeviceError::NoPkcs11.into());
        }
        Command::Backend { command: BackendCommand::Doctor(doctor) } => {
            return Ok(if doctor_says_yes(&context, &doctor)? {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Command::Sign(sign) => sign::sign(&context, &sign)?,
        Command::Verify(verify) => return verify::verify(&context, &verify),
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "pkcs11")]
fn doctor_says_yes(context: &Context, args: &DoctorArgs) -> Result<bool, error::CliError> {
    doctor::doctor(context, args)
}

#[cfg(not(feature = "pkcs11"))]
fn doctor_says_yes(_: &Context, _: &DoctorArgs) -> Result<bool, error::CliError> {
    Err(icn_identity::error::DeviceError::NoPkcs11.into())
}
