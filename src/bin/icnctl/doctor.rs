//! `icnctl backend doctor`

#[cfg(feature = "pkcs11")]
mod pkcs11;
#[cfg(feature = "tpm")]
mod tpm;
#[cfg(any(feature = "pkcs11", feature = "tpm"))]
mod verdicts;

use icn_identity::backend::BackendKind;

use crate::args::{DoctorArgs, ShowArgs};
use crate::context::Context;
use crate::error::{Asking, CliError};
use crate::show;

/// Prints the report; whether an identity works here.
pub(crate) fn doctor(context: &Context, args: &DoctorArgs) -> Result<bool, CliError> {
    let backend = match (args.backend, &args.device, &args.module) {
        (Some(backend), ..) => backend.into(),
        (None, Some(_), _) => BackendKind::Tpm,
        (None, None, Some(_)) => BackendKind::Pkcs11,
        (None, None, None) => match context.config.identity.backend {
            BackendKind::Tpm => BackendKind::Tpm,
            // A home without a device: its files are all that there is to be looked at.
            BackendKind::Age if !args.probes() && context.store().header().is_ok() => {
                return show::show(context, &ShowArgs { check: true, valid_for: 0 });
            }
            // Without one, what is missing is said there.
            _ => BackendKind::Pkcs11,
        },
    };
    check_options(context, args, backend)?;
    match backend {
        #[cfg(feature = "pkcs11")]
        BackendKind::Pkcs11 => pkcs11::doctor(context, args),
        #[cfg(not(feature = "pkcs11"))]
        BackendKind::Pkcs11 => Err(icn_identity::error::DeviceError::NoPkcs11.into()),
        #[cfg(feature = "tpm")]
        BackendKind::Tpm => tpm::doctor(context, args),
        #[cfg(not(feature = "tpm"))]
        BackendKind::Tpm => Err(icn_identity::error::DeviceError::NoTpm.into()),
        _ => Err(CliError::NoDevice),
    }
}

/// That none is of another backend than the one that is looked at.
fn check_options(
    context: &Context,
    args: &DoctorArgs,
    backend: BackendKind,
) -> Result<(), CliError> {
    let asking = Asking::Doctor;
    let of_token = [
        ("--module", args.module.is_some()),
        ("--token", args.token.is_some()),
        ("--key", context.key.is_some()),
        ("--probe-with-lasting-key", args.probe_with_lasting_key),
    ];
    let of_token = of_token.into_iter().find(|(_, given)| *given);
    match (backend, of_token) {
        (BackendKind::Tpm, Some((option, _))) => Err(CliError::OptionForPkcs11 { option, asking }),
        (BackendKind::Pkcs11, _) if args.device.is_some() => {
            Err(CliError::OptionForTpm { option: "--device", asking })
        }
        _ => Ok(()),
    }
}
