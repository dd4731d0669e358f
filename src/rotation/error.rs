//! Why a rotation is not stated, or not believed.

use super::{
    Fork, KeyCommitment, MAX_STATEMENTS, RotationReason, RotationRole, RotationTerms, VERSION,
};
use crate::clock::rfc3339;
use crate::did::Did;
use crate::encoding::InvalidJson;
use crate::fault::SignError;
use crate::kind::{ErrorKind, explain};

/// Why a rotation could not be stated, or why statements are no chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotationError {
    /// It is not JSON of the format.
    #[error("this is no rotation statement, or no array of them")]
    Format(#[source] InvalidJson),
    /// Longer than anything valid.
    #[error("the rotation statements are longer than {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The chain is full.
    #[error("a chain has at most {MAX_STATEMENTS} statements")]
    TooMany,
    /// A statement of a version that this crate does not know.
    #[error("a rotation statement has version {found}; this program reads version {VERSION}")]
    Version {
        /// The version found.
        found: u64,
    },
    /// A field has a value that none can have, is missing or is one too many.
    #[error("the field `{what}` of a rotation statement cannot be as it is")]
    OutOfRange {
        /// Which field.
        what: &'static str,
    },
    /// A statement made by this clock would have a time that cannot be true.
    #[error("the clock is not set: it says {now} seconds after 1970, which is before 2026")]
    ClockNotSet {
        /// What it says, Unix seconds.
        now: u64,
    },
    /// Old and new key are the same.
    #[error("{did} cannot be rotated to its own key")]
    SameKey {
        /// The old DID.
        did: Did,
    },
    /// One of the two signatures does not verify.
    #[error("statement {sequence} was not signed by its {role} key, that of {did}")]
    Signature {
        /// The number of the statement.
        sequence: u64,
        /// Which signature.
        role: RotationRole,
        /// Whose it should be.
        did: Did,
    },
    /// There is no statement.
    #[error("there is no rotation statement")]
    Empty,
    /// One key was rotated in different ways.
    #[error("the chain forks: {0}")]
    Fork(Box<Fork>),
    /// A statement is missing.
    #[error("statement {sequence} is missing")]
    Missing {
        /// Its number.
        sequence: u64,
    },
    /// Statements of two chains.
    #[error("there are two statements {sequence}, of {one} and of {other}: they are no one chain")]
    Unrelated {
        /// The number that both have.
        sequence: u64,
        /// The old DID of one.
        one: Did,
        /// The old DID of the other.
        other: Did,
    },
    /// A statement names another predecessor by its hash.
    #[error("statement {sequence} does not follow the one before it: it names another hash")]
    Previous {
        /// Its number.
        sequence: u64,
    },
    /// A statement does not start where the chain has got to.
    #[error("statement {sequence} must rotate {expected}, not {found}")]
    Link {
        /// Its number.
        sequence: u64,
        /// The DID in which the chain ends before it.
        expected: Did,
        /// The DID that it starts from.
        found: Did,
    },
    /// A statement is earlier than the one before it.
    #[error("statement {sequence} is {by} seconds earlier than the one before it")]
    Time {
        /// Its number.
        sequence: u64,
        /// By how many seconds.
        by: u64,
    },
    /// A key comes twice.
    #[error("statement {sequence} rotates to {did}, whose key was there before")]
    KeyTwice {
        /// Its number.
        sequence: u64,
        /// The DID that it rotates to.
        did: Did,
    },
    /// Another key was committed to. Such a rotation is never valid.
    #[error("statement {sequence} rotates to {did}, and its old key had committed to another key")]
    CommitmentBroken {
        /// Its number.
        sequence: u64,
        /// The DID that it rotates to.
        did: Did,
    },
    /// A commitment that could never be honoured.
    #[error("the key of {did} cannot be committed to: it has been used")]
    CommitmentToUsedKey {
        /// Its DID.
        did: Did,
    },
    /// The chain says nothing about this DID.
    #[error("{did} is not in the chain")]
    NotInChain {
        /// The DID.
        did: Did,
    },
    /// The chain has this DID, and is not the one that was followed to it, nor
    /// one that goes on from there.
    #[error("the chain is another than the one that was followed to {did}")]
    NotAContinuation {
        /// The DID that was followed to.
        did: Did,
    },
    /// A signer's DID is not that of the key it shows.
    #[error("the signer's DID {did} is not that of the key it shows")]
    DidIsNotItsKey {
        /// What the signer calls itself.
        did: Did,
    },
    /// A key did not sign.
    #[error("the {role} key could not sign the rotation")]
    Sign {
        /// Which.
        role: RotationRole,
        /// Why.
        #[source]
        source: SignError,
    },
    /// The chain is about another identity than the one it is stored in.
    #[error("the chain ends in {found}, and this identity is {expected}")]
    NotThisIdentity {
        /// The identity.
        expected: Did,
        /// Where the chain ends.
        found: Did,
    },
    /// The identity has stated a rotation already.
    #[error(
        "{did} has handed over to {to} already{}",
        if *given_up { ", which was given up since" } else { "" }
    )]
    HandedOver {
        /// The identity.
        did: Did,
        /// Its successor.
        to: Did,
        /// That one was given up since: the move to it was rolled back.
        given_up: bool,
    },
    /// The identity has stated this rotation before, on other terms.
    #[error(
        "{did} has stated before, on {}, that it hands over to {to}, on other terms: {reason}, {}; \
         asked for now: {}, {}",
        rfc3339(*time).unwrap_or_default(),
        commitment_in_words(next_key.as_ref()),
        asked.reason(),
        commitment_in_words(asked.next_key())
    )]
    StatedBefore {
        /// The identity.
        did: Did,
        /// Its successor.
        to: Did,
        /// The reason that was stated.
        reason: RotationReason,
        /// The commitment that was stated.
        next_key: Option<KeyCommitment>,
        /// When, in Unix seconds.
        time: u64,
        /// What is asked for now.
        asked: Box<RotationTerms>,
    },
    /// The identity has a chain already.
    #[error("{did} has taken over from another key already")]
    AlreadyStored {
        /// The identity.
        did: Did,
    },
}

fn commitment_in_words(next_key: Option<&KeyCommitment>) -> String {
    match next_key {
        Some(key) => format!("with a commitment to the key whose SHA-256 is {key}"),
        None => "without a commitment to a next key".to_owned(),
    }
}

explain!(RotationError);

impl RotationError {
    pub(crate) fn json(error: serde_json::Error) -> Self {
        Self::Format(InvalidJson::new(error))
    }

    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Format(_)
            | Self::TooLong { .. }
            | Self::TooMany
            | Self::OutOfRange { .. }
            | Self::SameKey { .. }
            | Self::Empty
            | Self::CommitmentToUsedKey { .. } => ErrorKind::InvalidInput,
            Self::Version { .. } => ErrorKind::Unsupported,
            Self::Signature { .. }
            | Self::Fork(_)
            | Self::Missing { .. }
            | Self::Unrelated { .. }
            | Self::Previous { .. }
            | Self::Link { .. }
            | Self::Time { .. }
            | Self::KeyTwice { .. }
            | Self::CommitmentBroken { .. }
            | Self::NotAContinuation { .. } => ErrorKind::Untrusted,
            Self::NotInChain { .. }
            | Self::DidIsNotItsKey { .. }
            | Self::NotThisIdentity { .. } => ErrorKind::OtherIdentity,
            Self::Sign { source, .. } => source.kind(),
            Self::ClockNotSet { .. } => ErrorKind::Clock,
            Self::HandedOver { .. } | Self::StatedBefore { .. } | Self::AlreadyStored { .. } => {
                ErrorKind::AlreadyExists
            }
        }
    }

    /// Whether the statements could not be read at all, so that nothing can be
    /// said about their being valid.
    #[must_use]
    pub const fn is_unreadable(&self) -> bool {
        matches!(self, Self::Format(_) | Self::TooLong { .. } | Self::Version { .. })
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Format(_) | Self::TooLong { .. } => {
                "give a chain as `RotationChain::to_json` writes it"
            }
            Self::Version { found } if *found > VERSION => "update this program",
            Self::Signature { .. } | Self::Previous { .. } | Self::Link { .. } => {
                "do not follow it: it was changed; get the chain from its owner again"
            }
            Self::Fork(_) => {
                "follow neither: somebody else has, or had, the old key, or its owner rotated it \
                 twice; ask the owner by another way which DID to pin"
            }
            Self::CommitmentBroken { .. } => {
                "do not follow it: the new key must be the one committed to, and a rotation to \
                 another is a thief's; the owner has that key, and can rotate to it"
            }
            Self::Missing { .. } => "give the whole chain, from its first statement on",
            Self::Unrelated { .. } => "verify the chain of one identity at a time",
            Self::SameKey { .. } | Self::KeyTwice { .. } => {
                "make a new identity with a key of its own, and name it as the successor"
            }
            Self::CommitmentToUsedKey { .. } => "commit to a key that was never used",
            Self::Time { .. } => {
                "do not follow it: this program signs no such statement, whatever its clock says"
            }
            Self::NotInChain { .. } => {
                "keep the DID that you have: this chain is no reason to trust another"
            }
            Self::NotAContinuation { .. } => {
                "do not follow it: statements were left out or put in another's place; get the \
                 whole chain from its owner, and if it is this one, ask by another way"
            }
            Self::HandedOver { given_up: true, .. } => {
                "whoever has followed to that one has to be told to pin this DID again: a second \
                 statement of its key would be a fork for them. Only if that statement was never \
                 given to anybody, make another (`Earlier::NeverGivenOut`)"
            }
            Self::HandedOver { .. } => {
                "a second statement of its key would be a fork, and peers refuse both: rotate the \
                 successor instead. Only if that statement was never given to anybody, make another \
                 (`Earlier::NeverGivenOut`)"
            }
            Self::ClockNotSet { .. } => "set the clock, then try again",
            Self::StatedBefore { .. } => {
                "a statement that was signed cannot be changed: hand over on the terms that were \
                 stated, or rotate the successor"
            }
            Self::AlreadyStored { .. } => {
                "`Opened::rotation_chain` gives its chain; a new key has one predecessor"
            }
            Self::NotThisIdentity { .. } => "store the chain in the identity that it ends in",
            Self::TooMany => "make a new identity, and tell its DID to peers by another way",
            Self::Sign { source, .. } => return source.help(),
            Self::Version { .. } => "get the chain from its owner again: there is no such version",
            Self::OutOfRange { .. } => {
                "get the chain from its owner again; to make one, check the clock"
            }
            Self::Empty => "give a chain of at least one statement",
            Self::DidIsNotItsKey { .. } => {
                "correct the signer: its `did()` has to be that of its `verifying_key()`"
            }
        };
        Some(help.to_owned())
    }
}
