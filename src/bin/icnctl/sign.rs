//! `icnctl sign`

use base64::{Engine as _, engine::general_purpose::STANDARD};
use icn_identity::audit::{AuditKey, Entry, Event};
use icn_identity::backend::BackendKind;
use icn_identity::error::SignError;
use icn_identity::signer::{ReadForContext, ReadMessage};
use icn_identity::{AlgorithmId, Did, DidSignerExt as _, Error, sshsig};
use serde_json::json;

use crate::args::SignArgs;
use crate::context::Context;
use crate::daemon::Daemon;
use crate::error::CliError;
use crate::input::Input;

/// What standard input is read for.
pub(crate) const MESSAGE: &str = "the message";

/// Read before anybody is asked for a secret, and hashed meanwhile if it can be.
enum Message {
    Bare(ReadMessage),
    ForContext(ReadForContext),
}

impl Message {
    fn read(
        input: &mut Input,
        context: Option<&str>,
        algorithm: AlgorithmId,
    ) -> Result<Self, CliError> {
        let read = match context {
            Some(context) => ReadForContext::read(context, &mut *input).map(Self::ForContext),
            None => {
                let length = input.check_whole(algorithm)?;
                ReadMessage::read_expecting(&mut *input, algorithm, length).map(Self::Bare)
            }
        };
        match input.named(read)? {
            Self::Bare(message) if message.is_reserved() => Err(CliError::Reserved),
            message => Ok(message),
        }
    }
}

pub(crate) fn sign(context: &Context, args: &SignArgs) -> Result<(), CliError> {
    match context.daemon()? {
        Some(daemon) => sign_by(context, &daemon, args),
        None => sign_here(context, args),
    }
}

fn sign_by(context: &Context, daemon: &Daemon, args: &SignArgs) -> Result<(), CliError> {
    let mut input = Input::open(args.file.as_deref(), MESSAGE)?;
    let signature = match &args.context {
        Some(name) => daemon.sign_for(name, &mut input)?.to_string(),
        None => STANDARD.encode(daemon.sign_raw(input)?.as_bytes()),
    };
    if context.config.identity.did.is_none() {
        context.warn_if_not_pinned(&context.unlimited_home()?, &context.header()?);
    }
    print(context, daemon.did(), &signature)
}

fn sign_here(context: &Context, args: &SignArgs) -> Result<(), CliError> {
    let home = context.home()?;
    let identity = home.locate()?;
    let audit = context.audit()?;
    let event = if args.context.is_some() { Event::Sign } else { Event::SignRaw };
    if args.context.as_ref().is_some_and(|context| !sshsig::is_context(context)) {
        return audit.refused(
            event,
            "invalid-context",
            Error::from(SignError::InvalidContext).into(),
        );
    }
    let mut input = Input::open(args.file.as_deref(), MESSAGE)?;
    if audit.is_written() {
        input = input.hashing();
    }
    let algorithm = identity.did().verifying_key().algorithm();
    let message = match Message::read(&mut input, args.context.as_deref(), algorithm) {
        Err(CliError::Reserved) => {
            return audit.refused(event, "reserved-message", CliError::Reserved);
        }
        message => message?,
    };
    if let (Message::Bare(message), BackendKind::Pkcs11) = (&message, identity.header().backend()) {
        message.check_room_for_module()?;
    }
    context.warn_if_not_pinned(&home, identity.header());
    let did = identity.header().did().clone();
    // Its key alone: what opens the files, and the other keys, are wiped.
    let bundle = audit.after(Event::Unlock, context.open(identity))?.bundle;
    if let Some((hash, length)) = input.hash() {
        let tag = AuditKey::of(&bundle).tag(&hash);
        let entry = Entry::allowed(event).with_message(tag).with_length(length);
        audit.before(match &args.context {
            Some(context) => entry.with_context(context),
            None => entry,
        })?;
    }
    let signer = bundle.into_signer();
    // An armored signature ends with its line.
    let signed = context.waiting_for_device(|| match &message {
        Message::ForContext(message) => signer.sign_read_for(message).map(|made| made.to_string()),
        Message::Bare(message) => {
            signer.sign_read(message).map(|made| STANDARD.encode(made.as_bytes()))
        }
    });
    let signature = audit.after(event, signed.map_err(CliError::from))?;
    print(context, &did, &signature)
}

fn print(context: &Context, did: &Did, signature: &str) -> Result<(), CliError> {
    context.format.print(
        || {
            json!({
                "did": did,
                "algorithm": did.verifying_key().algorithm(),
                "signature": signature,
            })
        },
        || format!("{}\n", signature.trim_end()),
    )
}
