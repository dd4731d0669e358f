//! DID documents: which keys a DID has, in a form that others read (W3C DID
//! Core v1.0, keys as Multikey of Controlled Identifiers v1.0).
//!
//! The X25519 key is not derived from the DID, so a document is worth what is
//! signed in it, and that is two things:
//!
//! - `proof`, a Data Integrity proof (`eddsa-jcs-2022`, for P-256
//!   `ecdsa-jcs-2019`), for everybody;
//! - `icnKeyAgreement`, a statement with a prefix of its own, for us. A client
//!   that may let the DID key sign bytes of its choice can forge the 64 bytes
//!   of any proof; a statement it cannot, as nothing that begins with
//!   [`crate::statement::PREFIX`] is signed for others.
//!
//! [`DidDocument`] demands both, and that nothing else is in the document:
//! everything in it follows from the DID and from what the statement vouches
//! for.

use std::fmt;
use std::time::SystemTime;

use serde_json::Value;

use super::Did;
use super::form::{Form, Vouching};
use super::proof;
use crate::algorithm::{BadSignature, Signature, X25519PublicKey};
use crate::clock;
use crate::encoding::{InvalidJson, objects};
use crate::kind::{ErrorKind, explain};
use crate::statement::{Purpose, Statement};

/// No document of ours is longer, in bytes.
const MAX_LEN: usize = 16 * 1024;
/// `x25519-pub` of the multicodec table, as a varint.
const X25519_PUB: [u8; 2] = [0xec, 0x01];

/// A signed DID document that was verified when it was made or read.
///
/// The statement's signed bytes: `icn-identity/encryption-key/v1` and a zero
/// byte, then the DID (preceded by its length as big-endian `u64`), the 32
/// bytes of the X25519 key, and the time as big-endian `u64`, Unix seconds.
///
/// A document does not expire and cannot be revoked: of two that verify, the
/// one with the later [`Self::created`] is the DID's latest word.
#[derive(Clone, PartialEq, Eq)]
pub struct DidDocument {
    did: Did,
    x25519_public: X25519PublicKey,
    created: u64,
    statement: [u8; 64],
    proof: [u8; 64],
}

impl DidDocument {
    /// Signs twice: the statement, then the proof.
    pub(crate) fn sign<E>(
        did: &Did,
        x25519_public: X25519PublicKey,
        at: SystemTime,
        mut sign: impl FnMut(&[u8]) -> Result<Signature, E>,
    ) -> Result<Self, NotSigned<E>> {
        let mut sign = |message: &[u8]| sign(message).map_err(NotSigned::Sign);
        let created = clock::unix(at);
        let statement = *sign(&statement(did, &x25519_public, created))?.as_bytes();
        let form = Form::new(did, &x25519_public, created, &statement);
        let options = form.options(date(created)?);
        let message = proof::hash_data(&options, &form).map_err(InvalidDocument::json)?;
        let proof = *sign(&message)?.as_bytes();
        let document = Self { did: did.clone(), x25519_public, created, statement, proof };
        // Ours or not: a document that does not verify is never given out.
        document.verify()?;
        Ok(document)
    }

    /// Reads and verifies a document, without asking anybody.
    ///
    /// # Errors
    ///
    /// [`InvalidDocument`] says what does not verify; see
    /// [`InvalidDocument::is_verdict`].
    pub fn parse(json: &[u8]) -> Result<Self, InvalidDocument> {
        if json.len() > MAX_LEN {
            return Err(InvalidDocument::TooLong);
        }
        Self::from_form(objects::from_slice(json).map_err(InvalidDocument::json)?)
    }

    /// As [`Self::parse`], from JSON that was read already.
    pub(crate) fn from_value(value: &Value) -> Result<Self, InvalidDocument> {
        Self::from_form(objects::from_value(value).map_err(InvalidDocument::json)?)
    }

    fn from_form(form: Form) -> Result<Self, InvalidDocument> {
        let vouching = form.icn_key_agreement.as_ref().ok_or(InvalidDocument::NoStatement)?;
        let Vouching { public_key_multibase, created, signature } = vouching;
        let x25519_public =
            decode_x25519(public_key_multibase).ok_or(InvalidDocument::EncryptionKey)?;
        let statement = proof::decode_signature(signature).ok_or(InvalidDocument::Statement)?;
        let value = form.proof.as_ref().ok_or(InvalidDocument::NoProof)?.proof_value.as_deref();
        let proof = value.and_then(proof::decode_signature).ok_or(InvalidDocument::Proof)?;
        let document =
            Self { did: form.id.clone(), x25519_public, created: *created, statement, proof };
        document.verify()?;
        // After the signatures, so that a forged one is called that.
        if document.form()? != form {
            return Err(InvalidDocument::More);
        }
        Ok(document)
    }

    /// Both signatures, over the document as it would be written.
    fn verify(&self) -> Result<(), InvalidDocument> {
        let key = self.did.verifying_key();
        let signed = statement(&self.did, &self.x25519_public, self.created);
        let signature = Signature::from_bytes(key.algorithm(), self.statement);
        key.verify_strict(&signed, &signature)
            .map_err(|BadSignature { .. }| InvalidDocument::Statement)?;
        match self.to_value()? {
            Value::Object(secured) if proof::verify(&secured, key) => Ok(()),
            _ => Err(InvalidDocument::Proof),
        }
    }

    /// The DID that the document is of.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// The X25519 public key (RFC 7748) that the DID key vouches for.
    #[must_use]
    pub const fn x25519_public_key(&self) -> X25519PublicKey {
        self.x25519_public
    }

    /// That key as an age recipient, `age1…`.
    #[must_use]
    pub fn age_recipient(&self) -> String {
        self.x25519_public.to_string()
    }

    /// That key as Multikey, `z6LS…`.
    #[must_use]
    pub fn x25519_multibase(&self) -> String {
        self.x25519_public.to_multibase()
    }

    /// When it was signed, Unix time, by the signer's own clock.
    #[must_use]
    pub const fn created(&self) -> u64 {
        self.created
    }

    /// The document as JSON, indented, with a newline at its end.
    ///
    /// # Errors
    ///
    /// [`InvalidDocument::Json`], which a document that was verified does not
    /// give.
    pub fn to_json(&self) -> Result<String, InvalidDocument> {
        let text = serde_json::to_string_pretty(&self.form()?).map_err(InvalidDocument::json)?;
        Ok(text + "\n")
    }

    pub(crate) fn to_value(&self) -> Result<Value, InvalidDocument> {
        serde_json::to_value(self.form()?).map_err(InvalidDocument::json)
    }

    fn form(&self) -> Result<Form, InvalidDocument> {
        let mut form = Form::new(&self.did, &self.x25519_public, self.created, &self.statement);
        let mut proof = form.options(date(self.created)?);
        proof.proof_value = Some(proof::encode_signature(&self.proof));
        form.proof = Some(proof);
        Ok(form)
    }
}

/// The bytes that are signed for the X25519 key.
fn statement(did: &Did, x25519_public: &X25519PublicKey, created: u64) -> Vec<u8> {
    Statement::new(Purpose::EncryptionKey)
        .field(did.as_str().as_bytes())
        .raw(x25519_public.as_bytes())
        .number(created)
        .into_bytes()
}

fn decode_x25519(multibase: &str) -> Option<X25519PublicKey> {
    // Much longer than any; decoding takes time that grows by the square.
    let text = multibase.strip_prefix('z').filter(|text| text.len() < 64)?;
    let bytes = bs58::decode(text).into_vec().ok()?;
    bytes.strip_prefix(&X25519_PUB)?.try_into().ok().map(X25519PublicKey::from_bytes)
}

fn date(unix: u64) -> Result<String, InvalidDocument> {
    clock::rfc3339(unix).ok_or(InvalidDocument::Time)
}

impl fmt::Debug for DidDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DidDocument")
            .field("did", &self.did)
            .field("x25519", &self.x25519_multibase())
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}

/// Why a document was not signed.
#[derive(Debug)]
pub(crate) enum NotSigned<E> {
    /// What the signer said.
    Sign(E),
    Invalid(InvalidDocument),
}

impl<E> From<InvalidDocument> for NotSigned<E> {
    fn from(error: InvalidDocument) -> Self {
        Self::Invalid(error)
    }
}

/// Why a DID document is not one that this crate believes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDocument {
    /// Longer than 16 KiB.
    #[error("the DID document is longer than 16 KiB")]
    TooLong,
    /// It is not JSON, or not of the form that this crate writes.
    #[error("this is no DID document of the form that this program knows")]
    Json(#[source] InvalidJson),
    /// The X25519 key is not one in Multikey encoding.
    #[error("the DID document's encryption key is not an X25519 key as Multikey")]
    EncryptionKey,
    /// The time is not one that can be written down.
    #[error("the DID document's time is past the year 9999")]
    Time,
    /// There is no statement by which the DID key vouches for the X25519 key.
    #[error("the DID document has no statement that its DID key signed for the encryption key")]
    NoStatement,
    /// The statement's signature does not verify.
    #[error("the statement for the encryption key was not signed by the DID's key")]
    Statement,
    /// There is no proof.
    #[error("the DID document has no proof")]
    NoProof,
    /// The proof does not verify.
    #[error("the DID document's proof was not made by the DID's key")]
    Proof,
    /// It says something that its statement does not vouch for.
    #[error("the DID document says more than its statement vouches for")]
    More,
    /// It is of another DID or key than what it came with.
    #[error("the DID document is not that of this {what}")]
    Mismatch {
        /// Of what it should be.
        what: &'static str,
    },
}

explain!(InvalidDocument);

impl InvalidDocument {
    fn json(error: serde_json::Error) -> Self {
        Self::Json(InvalidJson::new(error))
    }

    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::TooLong | Self::Json(_) | Self::Time => ErrorKind::InvalidInput,
            Self::EncryptionKey
            | Self::NoStatement
            | Self::Statement
            | Self::NoProof
            | Self::Proof
            | Self::More
            | Self::Mismatch { .. } => ErrorKind::Untrusted,
        }
    }

    /// Whether the document was understood and is not valid; otherwise it
    /// could not be told.
    #[must_use]
    pub const fn is_verdict(&self) -> bool {
        !matches!(self, Self::TooLong | Self::Json(_))
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::TooLong | Self::Json(_) => {
                "give it whole, as its owner wrote it (`DidDocument::to_json`)"
            }
            Self::Mismatch { .. } => {
                "restore the identity from a backup; do not give this document \
                 to others"
            }
            _ => {
                "do not encrypt to this key: ask the DID's owner for the document once more, over \
                 another channel"
            }
        };
        Some(help.to_owned())
    }
}

#[cfg(test)]
#[path = "document/tests.rs"]
mod tests;
