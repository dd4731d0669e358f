//! `icnctl peer`: the book of peers that services on this machine use.

use std::fmt::Write as _;
use std::path::Path;

use icn_identity::error::KeystoreError;
use icn_identity::peer::{Followed, Peer, PeerBook, Removed};
use icn_identity::{Did, RotationChain};
use serde_json::{Value, json};

use crate::args::peer::{PeerArgs, PeerCommand};
use crate::context::Context;
use crate::error::CliError;
use crate::safe::one_line;
use crate::{output, rotation};

pub(crate) fn run(context: &Context, args: &PeerArgs) -> Result<(), CliError> {
    let directory = args.book.clone().unwrap_or_else(|| context.home.join("peers"));
    // Before anything is made.
    let did = match &args.command {
        PeerCommand::Allow { did, .. } | PeerCommand::Remove { did, .. } => Some(Did::parse(did)?),
        PeerCommand::List | PeerCommand::Follow { .. } => None,
    };
    if args.book.is_none() {
        check_home(context, &directory)?;
    }
    let book = PeerBook::open(directory)?;
    match (&args.command, did) {
        (PeerCommand::Allow { name, .. }, Some(did)) => allow(context, &book, &did, name),
        (PeerCommand::Remove { forget, .. }, Some(did)) => remove(context, &book, &did, *forget),
        (PeerCommand::Follow { files }, _) => {
            let mut statements = Vec::new();
            for file in files {
                statements.extend(RotationChain::statements_from_json(&rotation::read(file)?)?);
            }
            follow(context, &book, &RotationChain::verify(statements)?)
        }
        _ => list(context, &book),
    }
}

/// That the home is one: a book that is made where nobody looks for it lets nobody in.
fn check_home(context: &Context, directory: &Path) -> Result<(), CliError> {
    match context.store().header() {
        Err(KeystoreError::NoIdentity { .. })
            if !directory.exists() && !context.config_path.exists() =>
        {
            Err(CliError::NoBook { home: context.home.clone() })
        }
        Err(error @ (KeystoreError::Unsafe { .. } | KeystoreError::NotADirectory { .. })) => {
            // Of its files nothing is used.
            let is_of_directory = match &error {
                KeystoreError::Unsafe { path, .. } => context.home.starts_with(path),
                _ => true,
            };
            if is_of_directory { Err(error.into()) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

fn allow(context: &Context, book: &PeerBook, did: &Did, name: &str) -> Result<(), CliError> {
    let new = book.allow(did, name)?;
    context.format.print(
        || json!({ "did": did, "name": name, "new": new, "book": book.directory() }),
        || {
            let before = if new { "" } else { ", as before" };
            format!("{did} is accepted{before}, by the book in {}.\n", book.directory().display())
        },
    )
}

fn remove(context: &Context, book: &PeerBook, did: &Did, forget: bool) -> Result<(), CliError> {
    let removed = if forget { book.forget(did)? } else { book.remove(did)? };
    let Removed::Peer { did: present } = removed else {
        // A DID that was typed wrong must not look like one that is refused now.
        return Err(CliError::NoPeer { did: did.to_string() });
    };
    context.format.print(
        || json!({ "did": present, "given": did, "forgotten": forget }),
        || {
            let who = if present == *did {
                did.to_string()
            } else {
                format!("{did} has become {present}, which")
            };
            format!("{who} is refused from the next handshake on.\n")
        },
    )
}

fn follow(context: &Context, book: &PeerBook, chain: &RotationChain) -> Result<(), CliError> {
    let (moved, to) = match book.follow(chain)? {
        Followed::Moved { to } => (true, to),
        Followed::Nobody => return Err(CliError::NobodyFollowed),
        _ => (false, chain.current().clone()),
    };
    let accepted = book.contains(&to)?;
    context.format.print(
        || json!({ "did": to, "moved": moved, "accepted": accepted }),
        || match (moved, accepted) {
            (true, true) => format!("{to} is accepted in the place of its earlier DID.\n"),
            (false, true) => format!("{to} is accepted, as before. Its chain is kept.\n"),
            (_, false) => format!("{to} was removed, and is not accepted. Its chain is kept.\n"),
        },
    )
}

fn list(context: &Context, book: &PeerBook) -> Result<(), CliError> {
    let peers = book.list()?;
    if peers.is_empty() {
        // Not among the DIDs that a script reads.
        output::say(&format!(
            "nobody is in the book of peers in {}: `icnctl peer allow DID` lets somebody in",
            book.directory().display()
        ));
    }
    context.format.print(
        || peers.iter().map(as_json).collect(),
        || {
            let mut text = String::new();
            for peer in &peers {
                // A string takes everything.
                let _ = writeln!(text, "{}  {}", peer.did(), one_line(peer.name()));
                if let Some(chain) = peer.chain() {
                    let _ = writeln!(text, "    before: {}", before(chain).join(", "));
                }
            }
            text
        },
    )
}

fn as_json(peer: &Peer) -> Value {
    let before = peer.chain().map(before).unwrap_or_default();
    json!({ "did": peer.did(), "name": peer.name(), "before": before })
}

fn before(chain: &RotationChain) -> Vec<&str> {
    chain.dids().filter(|did| *did != chain.current()).map(Did::as_str).collect()
}
