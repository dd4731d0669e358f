//! Whether a backup opens on its TPM now, where that TPM is here.

#[cfg(feature = "tpm")]
use std::fmt::Write as _;

#[cfg(feature = "tpm")]
use icn_identity::backend::BackendKind;
#[cfg(feature = "tpm")]
use icn_identity::backend::tpm::{TpmBackend, TpmCheck};
#[cfg(feature = "tpm")]
use icn_identity::config::Config;
#[cfg(feature = "tpm")]
use icn_identity::error::{DeviceError, TpmError};
#[cfg(feature = "tpm")]
use icn_identity::keystore::Header;
use icn_identity::keystore::backup::Backup;
use serde_json::Value;
#[cfg(feature = "tpm")]
use serde_json::json;

use crate::context::Context;

pub(super) enum OnTpm {
    /// The key is in no TPM, or nothing says where that is.
    NotAsked,
    /// It is not here, or another one is.
    #[cfg(feature = "tpm")]
    NotHere {
        error: icn_identity::Error,
        /// The one that was asked is not the backup's: no TPM, or another one, may be
        /// where the recovery key is.
        is_other: bool,
        /// This home is that of the backup's identity.
        is_home: bool,
    },
    #[cfg(feature = "tpm")]
    Asked {
        check: TpmCheck,
        /// The identity that is in the home is sealed otherwise.
        is_other: bool,
    },
}

impl OnTpm {
    /// No PIN is used for it.
    #[cfg(feature = "tpm")]
    pub(super) fn of(context: &Context, backup: &Backup) -> Self {
        let config = match context.config_path.exists() {
            true => Some(context.config.clone()),
            false => backup.config().and_then(|config| Config::parse(config).ok()),
        };
        let config = config.filter(|config| config.identity.backend == BackendKind::Tpm);
        let (Some(config), BackendKind::Tpm) = (config, backup.backend()) else {
            return Self::NotAsked;
        };
        let here = context.store().header().ok();
        let is_other = here.as_ref().is_some_and(|here| backup.is_other_seal_of(here));
        let tpm = TpmBackend::open(&context.home, &config.identity.tpm.unwrap_or_default());
        match tpm.map_err(icn_identity::Error::from).and_then(|tpm| backup.check_on(&tpm)) {
            Ok(check) => Self::Asked { check, is_other },
            Err(error) => {
                let pinned = context.config.identity.did.as_ref();
                let mut dids = here.iter().map(Header::did).chain(pinned);
                let is_home = dids.any(|did| did == backup.did());
                Self::NotHere { is_other: is_another(&error), is_home, error }
            }
        }
    }

    #[cfg(not(feature = "tpm"))]
    pub(super) fn of(_: &Context, _: &Backup) -> Self {
        Self::NotAsked
    }

    /// Whether something is wrong: it does not restore here now where it should, or
    /// only with a PIN of the past.
    pub(super) fn is_bad(&self) -> bool {
        match self {
            #[cfg(feature = "tpm")]
            Self::NotHere { is_other: true, is_home: true, .. } => true,
            #[cfg(feature = "tpm")]
            Self::Asked { check, .. } if !check.opens => true,
            _ => self.is_stale(),
        }
    }

    /// Whether a newer backup would restore better.
    fn is_stale(&self) -> bool {
        match self {
            #[cfg(feature = "tpm")]
            Self::Asked { check, is_other } => {
                *is_other || check.objects.iter().any(|object| !object.opens)
            }
            _ => false,
        }
    }

    pub(super) fn as_json(&self) -> Value {
        match self {
            Self::NotAsked => Value::Null,
            #[cfg(feature = "tpm")]
            Self::NotHere { error, is_other, is_home } => json!({
                "error": error.to_string(),
                // Nothing is known of one that was not asked.
                "opens": is_other.then_some(false),
                "is_home_of_identity": is_home,
            }),
            #[cfg(feature = "tpm")]
            Self::Asked { check, is_other } => json!({
                "stale": self.is_stale(),
                "opens": check.opens,
                "objects": check.objects,
                "tries_left": check.tries_left,
                "locked": check.locked,
                "sealed_otherwise": is_other,
            }),
        }
    }

    /// What an approver would be asked, so that the backup opens now.
    pub(super) fn request(&self) -> Value {
        match self {
            #[cfg(feature = "tpm")]
            Self::Asked { check, .. } => json!(check.request),
            _ => Value::Null,
        }
    }

    /// After the device was named.
    pub(super) fn as_text(&self) -> String {
        match self {
            Self::NotAsked => ". That device was not asked.\n".to_owned(),
            #[cfg(feature = "tpm")]
            Self::NotHere { error, is_other: false, .. } => {
                format!(". It is not here: {error}.\n")
            }
            #[cfg(feature = "tpm")]
            Self::NotHere { error, is_home, .. } if let_go(error) => {
                format!(". It is not here: {error}.\n{}", storage_key(*is_home))
            }
            #[cfg(feature = "tpm")]
            Self::NotHere { error, is_home: true, .. } => format!(
                ". It is not here: {error}.\nPROBLEM: this is the home of that identity, and its TPM \
                 CANNOT open it: the identity cannot be restored here. If the TPM was cleared, its \
                 keys are lost for good, and so is this identity.\ntry: tell peers by another way, \
                 and make another identity; if the TPM was exchanged, put the old one back\n"
            ),
            #[cfg(feature = "tpm")]
            Self::NotHere { error, .. } => format!(
                ". It is not here: {error}.\nThe TPM of this machine CANNOT open it. Where the backup \
                 is only kept, that is as it should be; on the node itself it says that the TPM \
                 was cleared, and that the identity is lost.\n"
            ),
            #[cfg(feature = "tpm")]
            Self::Asked { check, is_other } => asked(check, *is_other),
        }
    }
}

/// Whether a TPM was asked, and has not the storage key.
#[cfg(feature = "tpm")]
const fn is_another(error: &icn_identity::Error) -> bool {
    matches!(
        error,
        icn_identity::Error::Device(DeviceError::Tpm(
            TpmError::OtherTpm { .. }
                | TpmError::ParentChanged { .. }
                | TpmError::NoParent { .. }
                | TpmError::NotAParent { .. }
        ))
    )
}

/// Whether it is only the persistent storage key that is not at its handle: it is no loss,
/// as the same TPM makes the same key again.
#[cfg(feature = "tpm")]
const fn let_go(error: &icn_identity::Error) -> bool {
    matches!(
        error,
        icn_identity::Error::Device(DeviceError::Tpm(
            TpmError::ParentChanged { .. }
                | TpmError::NoParent { .. }
                | TpmError::NotAParent { .. }
        ))
    )
}

#[cfg(feature = "tpm")]
fn storage_key(is_home: bool) -> String {
    let what = match is_home {
        true => {
            "PROBLEM: this is the home of that identity, and it is not opened without that storage \
             key.\ntry: "
        }
        false => {
            "Where the backup is only kept, that is as it should be. On the node itself it is not \
             opened without that storage key: "
        }
    };
    format!(
        "{what}make the storage key at that handle again, by the commands that made it: the same TPM \
         makes the same key (tpm2_createprimary and tpm2_evictcontrol, docs/backends/tpm.md, \
         \"Set-up\"). Only if the TPM was cleared or exchanged, or the key was made elsewhere and \
         nobody has it, the identity is lost\n"
    )
}

#[cfg(feature = "tpm")]
fn asked(check: &TpmCheck, is_other: bool) -> String {
    let mut text = ". It was asked, without a PIN:\n".to_owned();
    let pin = match check.objects.iter().any(|object| object.wants_pin) {
        true => ", with the PIN that the identity had when the backup was made",
        false => "",
    };
    if check.objects.iter().all(|object| object.opens) {
        let _ =
            writeln!(text, "its PCRs are as this backup wants them, so it can be restored{pin}.");
        if !check.opens {
            let _ = writeln!(text, "But not now: {}.", crate::tpm::lock(check));
        }
    } else {
        text.push_str(
            "its PCRs are NOT as this backup wants them, and it cannot be restored now.\n",
        );
        let mut told = Vec::new();
        for difference in check.objects.iter().flat_map(|object| &object.differences) {
            if !told.contains(&difference) {
                told.push(difference);
                let _ = writeln!(text, "  {difference}");
            }
        }
    }
    if is_other {
        text.push_str(
            "The identity that is here is sealed otherwise (`icnctl id reseal` was run between): \
             the backup wants the PCR values and the PIN of then.\n",
        );
    }
    let is_closed = check.objects.iter().any(|object| !object.opens);
    if is_closed && check.request.is_some() {
        text.push_str(
            "try: have these values approved: icnctl --format json id restore FILE --identity-file \
             KEYFILE --check > request.json, then `icnctl tpm approve` on the approver's machine; \
             what that prints is for --approval here. Where the identity opens, make a new backup: \
             icnctl id backup --recipient age1… -o FILE\n",
        );
    } else if is_other || is_closed {
        text.push_str(
            "try: make a new backup while the identity opens: icnctl id backup --recipient age1… -o \
             FILE\n",
        );
    }
    text
}
