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
use crate::error::CliError;
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
