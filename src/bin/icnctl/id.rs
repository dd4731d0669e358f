//! `icnctl id init`

use std::fmt::Write as _;

use icn_identity::audit::Event;
use icn_identity::backend::{BackendKind, Locator, NewKey, Pkcs11Locator};
use icn_identity::bundle::check_clock;
use icn_identity::home::{Home, Made};
use icn_identity::keystore::{Header, Storage};
use icn_identity::{DidSignerExt as _, ProvenanceKind};

use crate::adopt::Named;
use crate::args::{Backend, DeviceArgs, InitArgs};
use crate::context::{Context, check_module};
use crate::error::{Asking, CliError};
use crate::output::{self, one_line};
use crate::{adopt, audit, show};

pub(crate) fn init(context: &Context, args: &InitArgs) -> Result<(), CliError> {
    let context = configured(context, args.backend, &args.device, Asking::Init)?;
    let args = &args.device;
    let mut home = context.home()?;
    // Before anybody is asked for a secret. Around the key of the DID that is pinned an
    // identity may be made anew: which key that is shows the token.
    match context.names_a_key() {
        true => {
            home.store().check_vacant()?;
            check_clock()?;
        }
        false => home.check_vacant()?,
    }
    let algorithm = args.algorithm().unwrap_or_default();
    home.check_algorithm(algorithm)?;
    let method = args.did_method(algorithm)?;
    let adopted = adopt::named(&context, args)?;
    if let Named::Shown(locator, _) = &adopted {
        // Among several tokens it is the one that shows the key.
        home = on_its_token(&context, locator)?;
    } else if matches!(adopted, Named::NoKey) && context.key.is_some() {
        output::say(
            "--key names a token and no key (`id` or `object`): a new key is made on that token",
        );
    }
    let source = context.source(home.wants_for_new()?.pin());
    let known = match &adopted {
        Named::Shown(_, did) => Some(did.clone()),
        _ => None,
    };
    let make = || {
        Ok(match adopted {
            Named::Shown(locator, did) => home.adopt(&Locator::Pkcs11(locator), &did, source)?,
            #[cfg(feature = "pkcs11")]
            Named::Hidden => adopt::hidden(&mut home, args, source)?,
            Named::NoKey => home.create(&NewKey::new(method).with_algorithm(algorithm), source)?,
        })
    };
    let made = audit::making(&context, Event::Init, known.as_ref(), make)?;
    let provenance = made.bundle.signer().provenance();
    let header = recorded(&mut home, made);
    let attestable = show::Attestable::of(&context, &header);
    context.format.print(
        || {
            let mut shown = show::as_json(&context, &header, &show::Device::JustMade);
            if let (Some(fields), Some(told)) = (shown.as_object_mut(), attestable.as_json()) {
                fields.insert("attestation".into(), told);
            }
            shown
        },
        || {
            let place = match (provenance, header.locator()) {
                (_, Some(locator)) => {
                    format!("in token {} ({locator})", one_line(&locator.token))
                }
                (ProvenanceKind::Software, None) => {
                    format!("in {}, under your passphrase", context.home.display())
                }
                (ProvenanceKind::TpmSealed, None) => {
                    "sealed to the TPM, and in memory while it signs".into()
                }
                (_, None) => "in the TPM, and never leaves it".into(),
            };
            let mut text = format!("{}\nThe key is {place}.\n", header.did());
            if let Some(until) = header.in_file_until() {
                let _ = writeln!(text, "It was {}.", show::in_file_until(until));
            } else if provenance == ProvenanceKind::DeviceHeld {
                text.push_str("It is not shown to be born there: there may be copies.\n");
            }
            if header.locator().is_some() && matches!(header.storage(), Storage::Passphrase {}) {
                text.push_str(
                    "The token keeps no storage key: each command wants your passphrase beside \
                     the PIN.\n",
                );
            }
            let is_tpm = header.tpm().is_some();
            if let Some(warning) =
                show::assurance_warning(header.claimed_evidence().assurance(), is_tpm)
            {
                let _ = writeln!(text, "{warning}");
            }
            text.push_str(&attestable.as_text());
            text
        },
    )
}

/// Within a login a token shows more: whether it shows the key is recorded now.
fn recorded(home: &mut Home, made: Made) -> Header {
    let header = made.header.clone();
    home.record_shown_of(made).unwrap_or_else(|error| {
        log::warn!("that the token shows the key could not be recorded: {error}");
        header
    })
}

/// The home, with its configuration narrowed to the token where a key was found.
fn on_its_token(context: &Context, locator: &Pkcs11Locator) -> Result<Home, CliError> {
    let mut context = context.clone();
    if let Some(token) = &mut context.config.identity.pkcs11 {
        token.token = Some(locator.token.clone());
        token.serial = Some(locator.serial.clone());
    }
    context.home()
}

/// The configuration with what the command line says on top.
pub(crate) fn configured(
    context: &Context,
    backend: Option<Backend>,
    args: &DeviceArgs,
    asking: Asking,
) -> Result<Context, CliError> {
    let mut config = context.config.clone();
    let identity = &mut config.identity;
    if let Some(backend) = backend {
        identity.backend = backend.into();
    }
    if context.key.is_some() && backend.is_none() {
        identity.backend = BackendKind::Pkcs11;
    }
    if identity.backend == BackendKind::Pkcs11 {
        let mut pkcs11 = context.pkcs11(args.module.as_deref()).map_err(|error| match error {
            CliError::NoModule { .. } => CliError::NoModule { asking },
            error => error,
        })?;
        if let Some(key) = &context.key {
            // What it names goes before what is configured.
            pkcs11.token = pkcs11.token.filter(|_| key.token().is_none());
            pkcs11.serial = pkcs11.serial.filter(|_| key.serial().is_none());
        }
        if let Some(token) = &args.token {
            if pkcs11.token.as_ref().is_some_and(|configured| configured != token) {
                // Another token has another serial number.
                pkcs11.serial = None;
            }
            pkcs11 = pkcs11.with_token(token);
        }
        if args.key_label.is_some() {
            pkcs11.key_label.clone_from(&args.key_label);
        }
        check_module(&pkcs11.module)?;
        identity.pkcs11 = Some(pkcs11);
    } else {
        let given = [
            ("--module", args.module.is_some()),
            ("--token", args.token.is_some()),
            ("--key-label", args.key_label.is_some()),
        ];
        if let Some((option, _)) = given.into_iter().find(|(_, given)| *given) {
            return Err(CliError::OptionForPkcs11 { option, asking });
        }
    }
    if identity.backend == BackendKind::Tpm {
        let config = identity.tpm.take().unwrap_or_default();
        identity.tpm = Some(args.tpm.over(config)?);
    } else if let Some(option) = args.tpm.given() {
        return Err(CliError::OptionForTpm { option, asking });
    }
    Ok(Context { config, ..context.clone() })
}
