//! `icnctl id export`

use std::path::Path;

use icn_identity::backend::BackendKind;
use icn_identity::error::ExportError;
use icn_identity::keystore::{ExportTo, Header, check_export, export_secret};
use icn_identity::{DidKey, DidSignerExt as _, VerifyingKey};
use serde_json::json;

use crate::args::{ExportArgs, PublicKeyFormat};
use crate::context::Context;
use crate::credential::another_passphrase;
use crate::error::CliError;
use crate::output;

pub(crate) fn export(context: &Context, args: &ExportArgs) -> Result<(), CliError> {
    let header = context.header()?;
    match &args.output {
        Some(output) if args.secret => secret(context, args, &header, output),
        _ if args.ssh => ssh(context, &header),
        _ => public(context, args, &header),
    }
}

/// A line of `authorized_keys`, and one of `allowed_signers`: each in a file of its kind, the
/// other is passed over there, so that both may be in it.
fn ssh(context: &Context, header: &Header) -> Result<(), CliError> {
    let (did, key) = (header.did(), header.did().verifying_key().to_openssh());
    let (public, allowed) = (format!("{key} {did}"), format!("{did} {key}"));
    context.format.print(
        || {
            json!({
                "did": did,
                "algorithm": header.algorithm(),
                "ssh": { "public_key": public, "allowed_signers": allowed, "principal": did },
            })
        },
        || format!("{public}\n{allowed}\n"),
    )?;
    output::say(
        "note: whoever publishes one of these lines, in a repository or on an account, is linked to \
         this DID by it: the DID is made of the key, so the key alone says it, too",
    );
    Ok(())
}

fn public(context: &Context, args: &ExportArgs, header: &Header) -> Result<(), CliError> {
    context.format.print(
        || {
            json!({
                "did": header.did(),
                "algorithm": header.algorithm(),
                "public_key": output::public_key(header.did().verifying_key()),
            })
        },
        || match args.public_key {
            Some(format) => public_key(header.did().verifying_key(), format),
            None => format!("{}\n", header.did()),
        },
    )
}

/// In the one form that was asked for, with a newline at its end.
fn public_key(key: &VerifyingKey, format: PublicKeyFormat) -> String {
    let line = match format {
        PublicKeyFormat::Pem => return key.to_public_key_pem(),
        PublicKeyFormat::Jwk => key.to_jwk(),
        PublicKeyFormat::Multibase => key.to_multibase(),
        PublicKeyFormat::Openssh => key.to_openssh(),
        PublicKeyFormat::Hex => output::hex(key.as_bytes()),
    };
    format!("{line}\n")
}

fn secret(
    context: &Context,
    args: &ExportArgs,
    header: &Header,
    output: &Path,
) -> Result<(), CliError> {
    // The configuration says so: no device is asked, and nobody for its PIN.
    if header.backend() != BackendKind::Age {
        return Err(
            ExportError::NoSecret { provenance: header.claimed_evidence().provenance() }.into()
        );
    }
    check_export(output)?;
    let recipient = args.recipient.as_deref().map(ExportTo::recipient).transpose()?;
    let another =
        |file| another_passphrase("--export-passphrase-file", file, "Passphrase of the export: ");
    let kept =
        args.export_passphrase_file.as_deref().map(|file| another(Some(file))).transpose()?;
    let home = context.home()?;
    let identity = home.locate()?;
    let source = context.source_of(&identity);
    let opened = identity.unlock(source)?;
    let key = match opened.bundle.signer() {
        DidKey::Software(key) => key,
        key => return Err(ExportError::NoSecret { provenance: key.provenance() }.into()),
    };
    let (to, by) = match recipient {
        Some(recipient) => (recipient, args.recipient.as_deref()),
        None => {
            let passphrase = kept.map_or_else(|| another(None), Ok)?;
            (ExportTo::passphrase(passphrase), None)
        }
    };
    export_secret(key, &to, &context.config.identity.age, output)?;
    context.format.print(
        || {
            json!({
                "did": header.did(),
                "file": output,
                "format": "pkcs8-pem",
                "encryption": { "age": if by.is_some() { "recipient" } else { "passphrase" },
                                "recipient": by },
            })
        },
        || {
            format!(
                "{}\nThe private key is in {}, encrypted {}.\n\
             Whoever can decrypt it is this identity. `age -d {}{}` prints it as PKCS#8 PEM.\n",
                header.did(),
                output.display(),
                by.map_or("with the passphrase of the export".into(), |to| format!("to {to}")),
                if by.is_some() { "-i KEYFILE " } else { "" },
                output.display(),
            )
        },
    )
}
