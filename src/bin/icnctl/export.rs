//! `icnctl id export`

use std::path::{Path, PathBuf};

use icn_identity::backend::BackendKind;
use icn_identity::did::public_key_multibase;
use icn_identity::error::ExportError;
use icn_identity::keystore::{ExportTo, Header, check_export, export_secret};
use icn_identity::{DidKey, DidSignerExt as _, ProvenanceKind};
use serde_json::json;

use crate::args::Format;
use crate::context::Context;
use crate::error::CliError;
use crate::new_file::a_file;
use crate::show;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(crate) struct ExportArgs {
    /// Print the DID, which is public; needs no PIN or passphrase
    #[arg(long, group = "what")]
    pub(crate) did_only: bool,

    /// Write the private key of a software identity to a new file: PKCS#8 PEM, encrypted with age.
    /// `age -d FILE | openssl pkey -in /dev/stdin -text` reads it
    #[arg(long, group = "what", requires = "output")]
    pub(crate) secret: bool,

    /// The file, which must not exist (mode 0600)
    #[arg(
        short,
        long,
        value_name = "FILE",
        value_parser = a_file(),
        requires = "secret",
        conflicts_with = "did_only"
    )]
    pub(crate) output: Option<PathBuf>,

    /// Encrypt to this age recipient (age1…) [default: to a passphrase that is asked for]
    #[arg(long, value_name = "RECIPIENT", requires = "secret", conflicts_with = "did_only")]
    pub(crate) recipient: Option<String>,

    /// File whose content is the passphrase of the export (mode 0600)
    #[arg(long, value_name = "FILE", requires = "secret")]
    #[arg(conflicts_with_all = ["recipient", "did_only"])]
    pub(crate) export_passphrase_file: Option<PathBuf>,
}

pub(crate) fn export(context: &Context, args: &ExportArgs) -> Result<(), CliError> {
    let store = context.store();
    let header = store.header()?;
    store.check(&header, context.config.identity.backend, context.pinned())?;
    match &args.output {
        Some(output) if args.secret => secret(context, args, &header, output),
        _ => did(context, &header),
    }
}

fn did(context: &Context, header: &Header) -> Result<(), CliError> {
    match context.format {
        Format::Text => Context::print(&format!("{}\n", header.did())),
        Format::Json => {
            let key = header.did().verifying_key();
            Context::print_json(&json!({
                "did": header.did(),
                "algorithm": header.algorithm(),
                "public_key": {
                    "hex": show::hex(key.as_bytes()),
                    "multibase": public_key_multibase(key),
                },
            }))
        }
    }
}

fn secret(
    context: &Context,
    args: &ExportArgs,
    header: &Header,
    output: &Path,
) -> Result<(), CliError> {
    // The configuration says so: no device is asked, and nobody for its PIN.
    if header.backend() != BackendKind::Age {
        return Err(ExportError::NoSecret { provenance: provenance(header) }.into());
    }
    check_export(output)?;
    let recipient = args.recipient.as_deref().map(ExportTo::recipient).transpose()?;
    let backend = context.backend()?;
    let given = context.credentials(backend.as_ref(), header)?;
    let store = context.store();
    let opened = store.open(backend.as_ref(), context.pinned(), &given.credentials);
    let opened = given.used(&store, opened)?;
    let key = match opened.bundle.signer() {
        DidKey::Software(key) => key,
        key => return Err(ExportError::NoSecret { provenance: key.provenance() }.into()),
    };
    let (to, by) = match recipient {
        Some(recipient) => (recipient, args.recipient.as_deref()),
        None => {
            let passphrase = context.another_passphrase(
                "--export-passphrase-file",
                args.export_passphrase_file.as_deref(),
                "Passphrase of the export: ",
            )?;
            (ExportTo::passphrase(passphrase), None)
        }
    };
    export_secret(key, &to, &context.config.identity.age, output)?;
    match context.format {
        Format::Text => Context::print(&format!(
            "{}\nThe private key is in {}, encrypted {}.\n\
             Whoever can decrypt it is this identity. `age -d {}` prints it as PKCS#8 PEM.\n",
            header.did(),
            output.display(),
            by.map_or("with the passphrase of the export".into(), |to| format!("to {to}")),
            output.display(),
        )),
        Format::Json => Context::print_json(&json!({
            "did": header.did(),
            "file": output,
            "format": "pkcs8-pem",
            "encryption": { "age": if by.is_some() { "recipient" } else { "passphrase" },
                            "recipient": by },
        })),
    }
}

/// As the header tells it; only for the message.
fn provenance(header: &Header) -> ProvenanceKind {
    use ProvenanceKind as P;
    [P::TpmSealed, P::DeviceHeld, P::External]
        .into_iter()
        .find(|kind| kind.as_str() == header.evidence().provenance)
        .unwrap_or(P::Hardware)
}
