//! Why a peer is refused, one variant per reason.

use std::error::Error as StdError;

use super::book_error::BookError;
use super::sequence::of_store;
use crate::algorithm::{BadSignature, InvalidVerifyingKey};
use crate::binding::Instance;
use crate::did::{Did, InvalidDid};
use crate::kind::{ErrorKind, explain};

/// Why a peer's certificate is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// More certificates than one: there is nothing to chain to.
    #[error("the peer sent {count} certificates beside its own")]
    Intermediates {
        /// How many.
        count: usize,
    },
    /// Longer than any certificate of ours could be.
    #[error("the certificate has {length} bytes")]
    TooLarge {
        /// Its length.
        length: usize,
    },
    /// Not a DER certificate, or one with a part that cannot be read.
    #[error("the certificate cannot be read")]
    Malformed,
    /// Something follows the certificate.
    #[error("something follows the certificate")]
    TrailingBytes,
    /// Not X.509 version 3.
    #[error("the certificate is not of X.509 version 3")]
    Version,
    /// The TLS key is not an Ed25519 key.
    #[error("the certificate's key is not an Ed25519 key")]
    KeyAlgorithm,
    /// The TLS key is not acceptable.
    #[error("the certificate's key is not acceptable")]
    Key(#[source] InvalidVerifyingKey),
    /// Signed with something other than Ed25519, or it says so in one place.
    #[error("the certificate is not signed with Ed25519")]
    SignatureAlgorithm,
    /// Its own key did not sign it.
    #[error("the certificate was not signed by its own key")]
    SelfSignature(#[source] BadSignature),
    /// An extension is there twice.
    #[error("the certificate has the extension {oid} twice")]
    DuplicateExtension {
        /// Which one.
        oid: String,
    },
    /// A critical extension that is not known here.
    #[error("the certificate has the critical extension {oid}, which is not known here")]
    UnknownCriticalExtension {
        /// Which one.
        oid: String,
    },
    /// It may sign other certificates.
    #[error("the certificate is one of a certificate authority")]
    Authority,
    /// Its key usage does not say that it signs.
    #[error("the certificate's key usage is not digitalSignature")]
    KeyUsage,
    /// Not made for this side of a connection.
    #[error("the certificate's extended key usage does not have {role}")]
    ExtendedKeyUsage {
        /// `serverAuth` or `clientAuth`.
        role: &'static str,
    },
    /// Not exactly one URI among the subject alternative names, and nothing else.
    #[error("the certificate does not name exactly one URI")]
    Names,
    /// The URI is not a DID that this crate accepts.
    #[error("the certificate's URI is not an acceptable DID")]
    Did(#[source] InvalidDid),
    /// No binding: the certificate of something else, or of an old version.
    #[error("the certificate carries no binding")]
    NoBinding,
    /// A binding of the old form, which names no instance.
    #[error("the certificate's binding is of an older version: it names no instance")]
    NoInstance,
    /// The binding is marked critical, or cannot be read.
    #[error("the certificate's binding cannot be read")]
    MalformedBinding,
    /// A binding of another version.
    #[error("the certificate's binding has version {found}; this program reads version 1")]
    BindingVersion {
        /// Its version.
        found: u8,
    },
    /// The DID's key did not sign that it belongs to this TLS key, X25519 key,
    /// validity, sequence number, instance and epoch.
    #[error("the binding was not signed by the key of {did} for this certificate")]
    BindingSignature {
        /// The DID in the certificate.
        did: Did,
        /// Opaque on purpose.
        source: BadSignature,
    },
    /// The binding has ended.
    #[error("the binding of {did} ended {ago} seconds ago")]
    Expired {
        /// Whose.
        did: Did,
        /// How long ago.
        ago: u64,
    },
    /// The binding has not begun.
    #[error("the binding of {did} begins in {wait} seconds")]
    NotYetValid {
        /// Whose.
        did: Did,
        /// In how long.
        wait: u64,
    },
    /// Valid for longer than is accepted here.
    #[error("the binding of {did} is valid for {seconds} seconds, longer than the limit {limit}")]
    ValidForTooLong {
        /// Whose.
        did: Did,
        /// Its validity.
        seconds: u64,
        /// What is accepted.
        limit: u64,
    },
    /// Somebody else than expected.
    #[error("{did} is not expected here")]
    NotExpected {
        /// Who it is.
        did: Did,
    },
    /// The DID has begun a later epoch, which ended this binding.
    #[error("the binding of {did} is of epoch {shown}; epoch {highest} was seen before")]
    EarlierEpoch {
        /// Whose.
        did: Did,
        /// Its epoch.
        shown: u64,
        /// The latest that was seen.
        highest: u64,
    },
    /// A later binding of this DID and this instance was seen.
    #[error(
        "the binding of {did} has number {shown}; number {highest} of instance {instance} was \
         seen before"
    )]
    Superseded {
        /// Whose.
        did: Did,
        /// Which holder's.
        instance: Instance,
        /// Its sequence number.
        shown: u64,
        /// The highest that was seen.
        highest: u64,
    },
    /// Who is accepted cannot be told.
    #[error("the book of peers cannot be read")]
    Book(#[source] Box<BookError>),
    /// What was seen before cannot be told.
    #[error("the sequence numbers that were seen before cannot be read or written")]
    Sequences(#[source] Box<dyn StdError + Send + Sync>),
    /// The handshake was signed with something other than the certificate's key.
    #[error("the handshake was not signed by the certificate's key")]
    HandshakeSignature,
    /// TLS 1.2, which is not spoken here.
    #[error("the peer speaks TLS 1.2; this program speaks TLS 1.3")]
    Tls12,
}

explain!(Refusal);

impl Refusal {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Intermediates { .. }
            | Self::TooLarge { .. }
            | Self::Malformed
            | Self::TrailingBytes
            | Self::Version
            | Self::KeyAlgorithm
            | Self::Key(_)
            | Self::SignatureAlgorithm
            | Self::SelfSignature(_)
            | Self::DuplicateExtension { .. }
            | Self::UnknownCriticalExtension { .. }
            | Self::Authority
            | Self::KeyUsage
            | Self::ExtendedKeyUsage { .. }
            | Self::Names
            | Self::Did(_)
            | Self::NoBinding
            | Self::NoInstance
            | Self::MalformedBinding
            | Self::BindingSignature { .. }
            | Self::ValidForTooLong { .. }
            | Self::HandshakeSignature => ErrorKind::Untrusted,
            Self::BindingVersion { .. } | Self::Tls12 => ErrorKind::Unsupported,
            Self::Expired { .. } => ErrorKind::Expired,
            Self::NotYetValid { .. } => ErrorKind::Clock,
            Self::NotExpected { .. } => ErrorKind::OtherIdentity,
            Self::EarlierEpoch { .. } | Self::Superseded { .. } => ErrorKind::Superseded,
            Self::Book(error) => error.kind(),
            Self::Sequences(source) => of_store(&**source).map_or(ErrorKind::Io, BookError::kind),
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Expired { .. } => {
                "the peer has to renew its binding (opening its identity does so); if it did, \
                 check both clocks"
            }
            Self::NotYetValid { .. } => {
                "check both clocks; if the peer's was ahead when it renewed its binding, it has to \
                 renew it again"
            }
            Self::ValidForTooLong { .. } => {
                "the peer has to renew its binding for a shorter time, or raise the limit here"
            }
            Self::NotExpected { .. } => {
                "check which peer was meant; add its DID to those accepted here, if it is right"
            }
            Self::Superseded { .. } => {
                "the peer uses an old certificate: restart it, so that it uses the latest one of \
                 its identity; if that is refused as well, renew its binding, which makes a later \
                 one, and restart it; if it uses the latest one all the while, \
                 somebody else uses its old TLS key"
            }
            Self::EarlierEpoch { highest, .. } => {
                return Some(format!(
                    "the peer has ended its older bindings: each machine that holds its DID has to \
                     join epoch {highest} (`IdentityStore::join_epoch`), and its programs to restart; \
                     if none of them was left behind, somebody else uses an old TLS key of it"
                ));
            }
            Self::BindingSignature { .. } | Self::SelfSignature(_) | Self::HandshakeSignature => {
                "somebody may pose as this peer: do not accept it; a peer that is itself has to \
                 renew its binding"
            }
            Self::NoBinding | Self::NoInstance => {
                "the peer has to use the certificate of its identity bundle; one of an older \
                 version is renewed when the identity is opened"
            }
            Self::BindingVersion { .. } => "update this program",
            Self::Book(error) => return error.help(),
            Self::Sequences(source) if of_store(&**source).is_some() => {
                return of_store(&**source).and_then(BookError::help);
            }
            Self::Sequences(_) => "repair the store of sequence numbers: nobody is accepted until",
            Self::Tls12 => "the peer has to speak TLS 1.3",
            _ => "the peer has to use the certificate of its identity bundle, as it is",
        };
        Some(help.to_owned())
    }
}
