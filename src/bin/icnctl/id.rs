//! `icnctl id init`

use std::fmt::Write as _;

use icn_identity::backend::{BackendKind, NewKey};
use icn_identity::error::DeviceError;
use icn_identity::{AlgorithmId, DidSignerExt as _, ProvenanceKind};

use crate::args::InitArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::output::one_line;
use crate::{adopt, pin_config, show};

pub(crate) fn init(context: &Context, args: &InitArgs) -> Result<(), CliError> {
    let context = configured(context, args)?;
    let store = context.store();
    // A pinned identity that has lost a file is put back, never replaced.
    if let Some(did) = context.pinned_for_new(&store)?
        && (store.header().is_err() || store.check_vacant().is_ok())
    {
        return Err(context.already_pinned(&store, did));
    }
    // Before anybody is asked for a secret.
    store.check_vacant()?;
    let algorithm = args.algorithm().unwrap_or_default();
    if context.config.identity.backend == BackendKind::Age && algorithm != AlgorithmId::Ed25519 {
        return Err(DeviceError::NoAlgorithm { backend: BackendKind::Age, algorithm }.into());
    }
    let method = args.did_method(algorithm)?;
    let backend = context.backend()?;
    let adopted = adopt::named(&context, args)?;
    let given = context.new_credentials(backend.as_ref())?;
    let label = context.config.identity.pkcs11.as_ref().and_then(|config| config.key_label.clone());
    let draft = match &adopted {
        Some((locator, did)) => {
            store.draft_around(backend.as_ref(), locator, did, &given.credentials)
        }
        None => {
            let request = NewKey::new(method).with_algorithm(algorithm).with_label(label);
            store.draft(backend.as_ref(), &request, &given.credentials)
        }
    };
    let draft = draft.map_err(CliError::from);
    let made = draft.and_then(|draft| pin_config::make(&context, draft, ""));
    let (bundle, header) = given.used(&store, made)?;
    context.format.print(
        || show::as_json(&header, &show::Device::JustMade),
        || {
            let place = match (bundle.signer().provenance(), header.locator()) {
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
            let mut text = format!("{}\nThe key is {place}.\n", bundle.did());
            let is_tpm = header.tpm().is_some();
            if let Some(warning) = show::assurance_warning(header.evidence().assurance, is_tpm) {
                let _ = writeln!(text, "{warning}");
            }
            text
        },
    )
}

/// The configuration with what the command line says on top.
fn configured(context: &Context, args: &InitArgs) -> Result<Context, CliError> {
    let mut config = context.config.clone();
    let identity = &mut config.identity;
    if let Some(backend) = args.backend {
        identity.backend = backend.into();
    }
    if context.key.is_some() && args.backend.is_none() {
        identity.backend = BackendKind::Pkcs11;
    }
    if identity.backend == BackendKind::Pkcs11 {
        let mut pkcs11 = context.pkcs11(args.module.as_deref())?;
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
        pin_config::in_toml(&pkcs11.module)?;
        identity.pkcs11 = Some(pkcs11);
    } else {
        let given = [
            ("--module", args.module.is_some()),
            ("--token", args.token.is_some()),
            ("--key-label", args.key_label.is_some()),
        ];
        if let Some((option, _)) = given.into_iter().find(|(_, given)| *given) {
            return Err(CliError::OptionForPkcs11 { option });
        }
    }
    if identity.backend == BackendKind::Tpm {
        let config = identity.tpm.take().unwrap_or_default();
        identity.tpm = Some(args.tpm.over(config)?);
    } else if let Some(option) = args.tpm.given() {
        return Err(CliError::OptionForTpm { option });
    }
    Ok(Context { config, ..context.clone() })
}
