//! `icnctl id rotation create`, `show` and `verify`

mod report;

use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use icn_identity::audit::Event;
use icn_identity::file::{Existing, NewFile};
use icn_identity::keystore::{Earlier, Handover};
use icn_identity::migrate::Migration;
use icn_identity::rotation::{
    KeyCommitment, MAX_FILE_LEN, RotationError, RotationReason, RotationStatement, RotationTerms,
};
use icn_identity::{Did, Error, RotationChain};

use self::report::Report;
use crate::args::rotation::{CreateArgs, RotationCommand, ShowArgs, VerifyArgs};
use crate::audit;
use crate::context::Context;
use crate::error::CliError;
use crate::input::Input;
use crate::new_file;
use crate::safe::word;

pub(crate) fn run(context: &Context, command: &RotationCommand) -> Result<ExitCode, CliError> {
    match command {
        RotationCommand::Create(args) => create(context, args)?,
        RotationCommand::Show(args) => show(context, args)?,
        RotationCommand::Verify(args) => return verify(context, args),
    }
    Ok(ExitCode::SUCCESS)
}

fn create(context: &Context, args: &CreateArgs) -> Result<(), CliError> {
    Migration::check_none(&context.store())?;
    // Before anything else is looked at.
    if !args.output.as_deref().is_some_and(is_a_chain) {
        check_vacant(args.output.as_deref())?;
    }
    let next = args.commit_next.as_deref().map(Did::parse).transpose()?;
    let next = next.map(|next| KeyCommitment::to(next.verifying_key()));
    let old = context.as_old();
    let new = context.successor(
        &args.successor,
        args.successor_passphrase_file.as_deref(),
        args.successor_pin_file.as_deref(),
    )?;
    let _alone = new.keep_icnd_out()?;
    // Whatever is wrong with either is found before a credential is used.
    let (old_home, new_home) = (old.home()?, new.home()?);
    let new_identity = new_home.locate().map_err(|error| CliError::Successor {
        home: args.successor.clone(),
        source: Box::new(error.into()),
    })?;
    let old_identity = old_home.locate()?;
    let (old_did, new_did) = (old_identity.did(), new_identity.did());
    if old_did.verifying_key() == new_did.verifying_key() {
        return Err(RotationError::SameKey { did: old_did.clone() }.into());
    }
    let earlier = if args.again { Earlier::NeverGivenOut } else { Earlier::Binds };
    // So that nobody is asked for a credential in vain; it is checked again under the lock.
    let stated = match old.store().handed_over(old_did)? {
        Some(chain) if chain.current() == new_did => Some(chain),
        Some(chain) if earlier == Earlier::Binds => {
            let (did, to) = (old_did.clone(), chain.current().clone());
            let given_up = old.store().gave_up(&to);
            return Err(RotationError::HandedOver { did, to, given_up }.into());
        }
        _ => None,
    };
    check_output(args.output.as_deref(), stated.as_ref())?;
    let last = stated.as_ref().and_then(|chain| chain.statements().last());
    let terms = terms(args.reason.map(Into::into), next, last)?;
    if let Some(next) = &next
        && let Some(did) =
            [old_did, new_did].into_iter().find(|did| next.is_to(did.verifying_key()))
    {
        return Err(RotationError::CommitmentToUsedKey { did: did.clone() }.into());
    }
    for identity in [&old_identity, &new_identity] {
        identity.check_opens()?;
    }
    old.check_files()?;
    new.check_files()?;
    let (of_old, of_new) = (old.source_of(&old_identity), new.source_of(&new_identity));
    let (old_ready, new_ready) = (old_identity.ask(of_old)?, new_identity.ask(of_new)?);
    // Nothing of the old identity is changed, but for the note.
    let mut handing_over = old_ready.prepare_handover(new_ready.did(), earlier)?;
    if args.carry_decryption_key {
        handing_over = handing_over.carrying_decryption_key();
    }
    if let Some(warning) = handing_over.rotation_chain().and_then(report::ahead) {
        crate::output::say(&format!("warning: {warning}"));
    }
    let committed = handing_over.rotation_chain().and_then(|chain| chain.commitment()).copied();
    // That of the old one has its line already.
    let handover = audit::during(&new, Event::Rotate, || {
        new_ready.take_over(handing_over, &terms).map_err(|error| match committed {
            Some(key) if is_broken(&error) => {
                CliError::OtherCommitted { key: key.to_string(), source: error }
            }
            _ => error.into(),
        })
    })?;
    if handover.stated_before {
        crate::output::say(
            "warning: this rotation was stated before: the statement is the old one, with the time \
             that it had",
        );
    }
    let Handover { chain, decrypts_for, .. } = handover;
    if !is_written(args.output.as_deref(), &chain)? {
        write(args.output.as_deref(), &chain)?;
    }
    let report = Report::new(&chain, None, SystemTime::now())?;
    context.format.print(
        || report.with_chain_and_keys(&chain, &decrypts_for),
        || {
            let files = old_files(&old, &new, &chain, &decrypts_for);
            let reason = chain.statements().last().map(RotationStatement::reason);
            format!("{}\n{}{files}", report.as_text(), what_now(&old, &new, args, reason))
        },
    )
}

const fn is_broken(error: &Error) -> bool {
    matches!(error, Error::Rotation(RotationError::CommitmentBroken { .. }))
}

/// What is asked for; where nothing is, and the rotation was stated before, what was stated.
fn terms(
    reason: Option<RotationReason>,
    next: Option<KeyCommitment>,
    stated: Option<&RotationStatement>,
) -> Result<RotationTerms, CliError> {
    let (reason, next) = match (reason, stated) {
        (Some(reason), _) => (reason, next),
        (None, Some(stated)) => (stated.reason(), next.or(stated.next_key().copied())),
        (None, None) => return Err(CliError::NoReason),
    };
    let mut terms = RotationTerms::new(reason);
    if let Some(next) = next {
        terms = terms.commit_to(next);
    }
    match stated {
        Some(stated) => stated.check_terms(&terms)?,
        None => terms.check_clock()?,
    }
    Ok(terms)
}

/// What becomes of what was encrypted to the old identity.
fn old_files(old: &Context, new: &Context, chain: &RotationChain, decrypts_for: &[Did]) -> String {
    let (from, to) = (old.home.display(), new.home.display());
    let successor = word(&new.home.to_string_lossy());
    let Some(did) = chain.steps().last().map(|step| step.statement().old().did().clone()) else {
        return String::new();
    };
    if decrypts_for.contains(&did) {
        return format!(
            "Files that were encrypted to {did} open with the successor too: its decryption key is \
             in {to} now, retired. Make a new backup of the successor before you destroy the old \
             identity: icnctl --home {successor} id backup --recipient age1… -o FILE\n"
        );
    }
    format!(
        "Files that were encrypted to {did} open only with {from}, or a backup of it: the successor \
         has not its decryption key. To let the successor open them, run this once more with \
         --carry-decryption-key. To keep the old key apart, keep a backup. Destroyed with the old \
         identity and its backups, nobody opens them again.\n"
    )
}

/// What a person has to do after a rotation.
fn what_now(
    old: &Context,
    new: &Context,
    args: &CreateArgs,
    reason: Option<RotationReason>,
) -> String {
    let successor = word(&new.home.to_string_lossy());
    let (old, new) = (old.home.display(), new.home.display());
    let publish = match &args.output {
        Some(path) => format!("Publish {}.", path.display()),
        None => format!("Publish it: icnctl --home {successor} id rotation show -o FILE"),
    };
    let then = match reason {
        Some(RotationReason::Compromised) => {
            "Stop every service that uses the old identity now, and tell peers by another way than \
             this chain: whoever has the old key can make a statement of their own."
        }
        _ => {
            "Let peers follow before the old identity is taken out of service, then destroy its \
             key: whoever has it can rotate it once more."
        }
    };
    format!(
        "The chain is stored in {new}; {old} is unchanged, but for a note that it has handed \
         over.\n{publish}\n{then}\nPeers should keep the \
         chain, and not only the DID: a commitment protects nobody who does not know it.\nDo not \
         rotate the old identity again: two statements of one key are a fork, and peers refuse \
         both.\n"
    )
}

fn show(context: &Context, args: &ShowArgs) -> Result<(), CliError> {
    check_vacant(args.output.as_deref())?;
    let home = context.home()?;
    let opened = context.open(home.locate()?)?;
    let Some(chain) = opened.rotation_chain()? else {
        if args.output.is_some() {
            return Err(CliError::NoRotation { did: opened.bundle.did().to_string() });
        }
        return context.format.print(
            || report::none(opened.bundle.did()),
            || format!("{} has taken over from no other key.\n", opened.bundle.did()),
        );
    };
    write(args.output.as_deref(), &chain)?;
    let report = Report::new(&chain, None, SystemTime::now())?;
    context.format.print(|| report.with_chain(&chain), || report.as_text())
}

fn verify(context: &Context, args: &VerifyArgs) -> Result<ExitCode, CliError> {
    let from = args.from.as_deref().map(Did::parse).transpose()?;
    let expect = args.expect.as_deref().map(Did::parse).transpose()?;
    let files: Vec<_> = args.files.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    let known = args.known.as_deref().map(known).transpose()?;
    match verified(&files, from.as_ref(), known.as_ref()) {
        Ok((chain, report)) => {
            if let Some(expect) = expect.filter(|expect| expect != chain.current()) {
                let error = format!("the present DID is {}, not {expect}", chain.current());
                context
                    .format
                    .print(|| report.as_json(Some(&error)), || format!("not valid: {error}\n"))?;
                return Ok(ExitCode::from(1));
            }
            let text = || format!("valid\n{}", report.as_text());
            context.format.print(|| report.as_json(None), text)?;
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) if error.is_unreadable() => return Err(error.into()),
        Err(error) => {
            context.format.print(|| report::not_valid(&error), || report::not_valid_text(&error))?
        }
    }
    Ok(ExitCode::from(1))
}

fn verified(
    files: &[Vec<u8>],
    from: Option<&Did>,
    known: Option<&RotationChain>,
) -> Result<(RotationChain, Report), RotationError> {
    let mut statements = Vec::new();
    for file in files {
        statements.extend(RotationChain::statements_from_json(file)?);
    }
    let chain = RotationChain::verify(statements)?;
    if let Some(known) = known {
        chain.extends(known)?;
    }
    let report = Report::new(&chain, from, SystemTime::now())?.compared_with(known);
    Ok((chain, report))
}

/// The chain that was followed before: nothing can be told by one that is bad.
fn known(path: &Path) -> Result<RotationChain, CliError> {
    RotationChain::from_json(&read(path)?)
        .map_err(|source| CliError::KnownChain { path: path.to_owned(), source })
}

/// No more than a chain can be, and one byte to tell that it is longer.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let limit = u64::try_from(MAX_FILE_LEN).unwrap_or(u64::MAX).saturating_add(1);
    Input::open(Some(path), "the chain")?.read_at_most(limit)
}

/// Before anything is signed or opened: a file that is there has to be the one that an
/// earlier run, which was cut off later, has written.
fn check_output(output: Option<&Path>, stated: Option<&RotationChain>) -> Result<(), CliError> {
    match stated {
        Some(stated) if is_written(output, stated)? => Ok(()),
        _ => check_vacant(output),
    }
}

/// Whether it can be what an earlier run has written.
fn is_a_chain(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_file())
        && read(path).is_ok_and(|json| RotationChain::from_json(&json).is_ok())
}

/// Whether the file has this chain and nothing else, to the byte.
fn is_written(output: Option<&Path>, chain: &RotationChain) -> Result<bool, CliError> {
    match output {
        Some(path) if path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) => {
            Ok(read(path)? == content(chain))
        }
        _ => Ok(false),
    }
}

fn content(chain: &RotationChain) -> Vec<u8> {
    let mut text = chain.to_json();
    text.push(b'\n');
    text
}

/// Before anything is signed or opened.
fn check_vacant(output: Option<&Path>) -> Result<(), CliError> {
    output.map_or(Ok(()), |path| new_file::check(path, Existing::Refuse))
}

/// A new file, which everybody may read: a chain is public.
fn write(output: Option<&Path>, chain: &RotationChain) -> Result<(), CliError> {
    let Some(path) = output else { return Ok(()) };
    let text = content(chain);
    let written = || {
        let mut file = NewFile::create_public(path)?;
        file.put(&text)?;
        file.keep(Existing::Refuse)
    };
    written().map_err(|error| {
        let source = new_file::failed(path, error).into();
        CliError::ChainFile { source }
    })
}
