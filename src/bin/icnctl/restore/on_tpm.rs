//! Whether a backup opens on its TPM now, where that TPM is here.

#[cfg(feature = "tpm")]
use std::fmt::Write as _;

#[cfg(feature = "tpm")]
use icn_identity::backend::BackendKind;
#[cfg(feature = "tpm")]
use icn_identity::backend::tpm::{TpmBackend, TpmCheck};
#[cfg(feature = "tpm")]
use icn_identity::config::Config;
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
    NotHere(icn_identity::Error),
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
        let is_other = context.store().header().is_ok_and(|here| backup.is_other_seal_of(&here));
        let tpm = TpmBackend::open(&context.home, &config.identity.tpm.unwrap_or_default());
        match tpm.map_err(icn_identity::Error::from).and_then(|tpm| backup.check_on(&tpm)) {
            Ok(check) => Self::Asked { check, is_other },
            Err(error) => Self::NotHere(error),
        }
    }

    #[cfg(not(feature = "tpm"))]
    pub(super) fn of(_: &Context, _: &Backup) -> Self {
        Self::NotAsked
    }

    /// Whether it does not restore here now, or only with a PIN of the past.
    pub(super) fn is_stale(&self) -> bool {
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
            Self::NotHere(error) => json!({ "error": error.to_string() }),
            #[cfg(feature = "tpm")]
            Self::Asked { check, is_other } => json!({
                "stale": self.is_stale(),
                "opens": check.opens,
                "objects": check.objects,
                "tries_left": check.tries_left,
                "sealed_otherwise": is_other,
            }),
        }
    }

    /// After the device was named.
    pub(super) fn as_text(&self) -> String {
        match self {
            Self::NotAsked => ". That device was not asked.\n".to_owned(),
            #[cfg(feature = "tpm")]
            Self::NotHere(error) => format!(". It is not here: {error}.\n"),
            #[cfg(feature = "tpm")]
            Self::Asked { check, is_other } => asked(check, *is_other),
        }
    }
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
    if is_other || check.objects.iter().any(|object| !object.opens) {
        text.push_str("try: make a new backup while the identity opens: icnctl id backup\n");
    }
    text
}
