//! `icnctl audit`

use std::path::Path;
use std::process::ExitCode;

use icn_identity::audit::{
    AuditError, Checkpoint, Entry, Event, SignedCheckpoint, tail as last_lines, verify,
};
use icn_identity::file::{Existing, NewFile};
use icn_identity::{Did, Error};
use serde_json::json;

use super::report;
use crate::args::audit::{AuditCommand, CheckpointArgs, TailArgs, VerifyArgs};
use crate::context::Context;
use crate::error::CliError;
use crate::{input, new_file, output};

pub(crate) fn run(context: &Context, command: &AuditCommand) -> Result<ExitCode, CliError> {
    match command {
        AuditCommand::Verify(args) => verified(context, args),
        AuditCommand::Tail(args) => tail(context, args).map(|()| ExitCode::SUCCESS),
        AuditCommand::Checkpoint(args) => checkpoint(context, args).map(|()| ExitCode::SUCCESS),
    }
}

fn verified(context: &Context, args: &VerifyArgs) -> Result<ExitCode, CliError> {
    let files = match &args.files[..] {
        [] => vec![context.audit_path()],
        files => files.to_vec(),
    };
    let found = match &args.checkpoint {
        Some(file) => {
            signed(context, args, file).and_then(|known| Ok(verify(&files, Some(&known))?))
        }
        None => verify(&files, None).map_err(CliError::from),
    };
    match found {
        Ok(verified) => {
            report::valid(context, &files, &verified, args.checkpoint.as_deref())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(CliError::Identity(Error::Audit(error))) if is_an_answer(&error) => {
            report::not_valid(context, &error)?;
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error),
    }
}

/// That it is not as it was written; any other error says that this could not be told.
const fn is_an_answer(error: &AuditError) -> bool {
    use AuditError::{Broken, NotSignedBy, Signature};
    matches!(error, Broken { .. } | NotSignedBy { .. } | Signature(_))
}

/// What a checkpoint says, if it is signed by the DID whose log it is to be.
fn signed(context: &Context, args: &VerifyArgs, file: &Path) -> Result<Checkpoint, CliError> {
    let did = match (&args.did, &context.config.identity.did) {
        (Some(did), _) => Did::parse(did)?,
        (None, Some(pinned)) => pinned.clone(),
        (None, None) => context.header()?.did().clone(),
    };
    let text = input::read_all(Some(file), "the checkpoint")?;
    let problem = "it is not UTF-8";
    let text = String::from_utf8(text).map_err(|_| AuditError::NotACheckpoint { problem })?;
    Ok(text.parse::<SignedCheckpoint>()?.verify(&did)?)
}

fn tail(context: &Context, args: &TailArgs) -> Result<(), CliError> {
    let path = args.file.clone().unwrap_or_else(|| context.audit_path());
    let records = last_lines(&path, args.lines)?;
    context.format.print(
        || records.iter().map(report::as_json).collect(),
        || records.iter().map(report::as_text).collect(),
    )
}

/// The log as far as it goes now, signed: what it vouches for was verified before.
fn checkpoint(context: &Context, args: &CheckpointArgs) -> Result<(), CliError> {
    let output = args.output.as_deref().filter(|path| *path != Path::new("-"));
    if let Some(path) = output {
        new_file::check(path, Existing::Refuse)?;
    }
    let home = context.home()?;
    let identity = home.locate()?;
    let audit = context.audit()?;
    // What is not there is said so.
    verify(&[context.audit_path()], None)?;
    let Some(log) = audit.log() else { return Ok(()) };
    let opened = audit.after(Event::Unlock, context.open(identity))?;
    audit.before(Entry::allowed(Event::Checkpoint))?;
    let signed = context.waiting_for_device(|| log.checkpoint()?.sign(&opened.bundle));
    let signed = audit.after(Event::Checkpoint, signed.map_err(CliError::from))?;
    let (text, did) = (signed.to_string(), opened.bundle.did().clone());
    let checkpoint = signed.verify(&did)?;
    match output {
        Some(path) => write(path, text.as_bytes())?,
        None if context.format == output::Format::Text => return output::print(&text),
        None => {}
    }
    context.format.print(
        || {
            json!({
                "did": did,
                "seq": checkpoint.seq(),
                "at": checkpoint.at(),
                "checkpoint": text,
                "verifier_key": SignedCheckpoint::verifier_key(&did),
            })
        },
        || {
            let path = output.unwrap_or(Path::new("-")).display();
            format!(
                "Line {} and all before it are vouched for in {path}.\nKeep it where nobody can \
                 change it who can change the log.\n",
                checkpoint.seq()
            )
        },
    )
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let written = || {
        let mut file = NewFile::create(path)?;
        file.put(bytes)?;
        file.keep(Existing::Refuse)
    };
    written().map_err(|error| new_file::failed(path, error))
}
