//! Messages that are hashed while they are read, as long as they may be.
//!
//! ECDSA signs a hash, and so does every signature for a context: one buffer is enough.
//! Pure Ed25519 wants the message itself, twice: it is read into memory, up to
//! [`MAX_WHOLE`].

mod room;

use std::fmt;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

use self::room::Growing;
use super::{DidSigner, sign_statement};
use crate::algorithm::{AlgorithmId, BadSignature, Signature, VerifyingKey};
use crate::fault::SignError;
use crate::private;
use crate::sshsig::{self, Hash, SshSignature};
use crate::statement::is_reserved;

/// The longest message that is signed in memory: 1 GiB. Code that signs in this process
/// needs that much memory for it, PKCS#11 modules up to three times as much.
pub const MAX_WHOLE: u64 = 1 << 30;

/// What a module needs for its own work: 16 MiB.
const OF_ITS_OWN: usize = 16 * 1024 * 1024;

/// What is read at once.
const CHUNK: usize = 64 * 1024;

/// Bytes of a message by which it is told from a statement of this crate, and more.
const BEGINNING: usize = 64;

/// A message that was read, to be signed or verified as [`DidSigner::sign`] does it.
pub struct ReadMessage(Message);

enum Message {
    Whole(Vec<u8>),
    Sha256 { digest: [u8; 32], is_reserved: bool },
}

impl ReadMessage {
    /// **Blocks** on what is read. Reads a message for a key of this algorithm: for
    /// P-256 it is hashed meanwhile, for Ed25519 it is read into memory.
    ///
    /// # Errors
    ///
    /// [`SignError::Unread`]; and of a message that is read into memory
    /// [`SignError::TooLong`], as soon as more than [`MAX_WHOLE`] has come, and
    /// [`SignError::NoMemory`].
    pub fn read(message: impl Read, algorithm: AlgorithmId) -> Result<Self, SignError> {
        Self::read_expecting(message, algorithm, None)
    }

    /// **Blocks** on what is read. As [`Self::read`], of a message that has so many bytes, as
    /// a file says: only for them is memory asked for.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn read_expecting(
        message: impl Read,
        algorithm: AlgorithmId,
        length: Option<u64>,
    ) -> Result<Self, SignError> {
        match algorithm {
            AlgorithmId::Ed25519 => Self::whole_expecting(message, length),
            AlgorithmId::P256 => {
                let mut beginning = Vec::with_capacity(BEGINNING);
                let digest = hashed::<Sha256>(message, &mut beginning)?;
                let is_reserved = is_reserved(&beginning);
                Ok(Self(Message::Sha256 { digest: digest.into(), is_reserved }))
            }
        }
    }

    /// **Blocks** on what is read. Reads a message into memory, for any signer.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn whole(message: impl Read) -> Result<Self, SignError> {
        Self::whole_expecting(message, None)
    }

    fn whole_expecting(mut message: impl Read, length: Option<u64>) -> Result<Self, SignError> {
        let expected = length.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        let mut whole = Growing::new(MAX_WHOLE, expected);
        loop {
            let place = whole.place()?;
            match message.read(place) {
                Ok(0) => return Ok(Self(Message::Whole(whole.into_bytes()))),
                Ok(length) => whole.has(length),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(SignError::Unread(error)),
            }
        }
    }

    /// Whether no signer of this crate signs it: see [`is_reserved`].
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        match &self.0 {
            Message::Whole(message) => is_reserved(message),
            Message::Sha256 { is_reserved, .. } => *is_reserved,
        }
    }

    /// Whether a PKCS#11 module would have the memory that it may need to sign it: before
    /// anybody is asked for a PIN.
    ///
    /// # Errors
    ///
    /// [`SignError::NoMemoryForModule`].
    #[doc(hidden)]
    pub fn check_room_for_module(&self) -> Result<(), SignError> {
        match &self.0 {
            Message::Whole(message) => room_for_module(message.len()),
            Message::Sha256 { .. } => Ok(()),
        }
    }

    pub(super) fn sign_by<S: DidSigner + ?Sized>(
        &self,
        signer: &S,
    ) -> Result<Signature, SignError> {
        match &self.0 {
            Message::Whole(message) => signer.sign(message),
            _ if self.is_reserved() => Err(SignError::Reserved),
            Message::Sha256 { digest, .. } => signer
                .__sign_sha256(digest, private::Token::new())
                .unwrap_or(Err(SignError::WantsMessage)),
        }
    }
}

/// Shorter messages are signed without a question: they cost a module little.
#[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "asked by that backend"))]
pub(crate) const LARGE: usize = 1024 * 1024;

/// Whether a PKCS#11 module has room for what it may need beside a message: SoftHSM2 takes
/// two copies of it, and ends the process where it gets no memory for one.
#[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "asked by that backend"))]
pub(crate) fn room_for_module(length: usize) -> Result<(), SignError> {
    let bytes = length.saturating_mul(2).saturating_add(OF_ITS_OWN);
    if length < LARGE || room::is_there(bytes) {
        return Ok(());
    }
    Err(SignError::NoMemoryForModule { bytes: u64::try_from(bytes).unwrap_or(u64::MAX) })
}

/// A message that was read and hashed for one context, to be signed or verified as
/// [`DidSigner::sign_for`] does it.
pub struct ReadForContext {
    context: String,
    hash: Hash,
    digest: Vec<u8>,
}

impl ReadForContext {
    /// **Blocks** on what is read. Reads a message of any length, to be signed.
    ///
    /// # Errors
    ///
    /// [`SignError::InvalidContext`], or [`SignError::Unread`].
    pub fn read(context: &str, message: impl Read) -> Result<Self, SignError> {
        Self::by(Hash::Sha512, context, message)
    }

    /// **Blocks** on what is read. Reads a message of any length, to be compared with
    /// what was signed: the signature says by which hash.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn read_to_verify(
        context: &str,
        message: impl Read,
        signature: &SshSignature,
    ) -> Result<Self, SignError> {
        Self::by(signature.hash(), context, message)
    }

    /// Of a message that somebody else has hashed: by its SHA-512.
    ///
    /// # Errors
    ///
    /// [`SignError::InvalidContext`].
    pub fn from_sha512(context: &str, digest: &[u8; 64]) -> Result<Self, SignError> {
        if !sshsig::is_context(context) {
            return Err(SignError::InvalidContext);
        }
        Ok(Self { context: context.to_owned(), hash: Hash::Sha512, digest: digest.to_vec() })
    }

    fn by(hash: Hash, context: &str, message: impl Read) -> Result<Self, SignError> {
        if !sshsig::is_context(context) {
            return Err(SignError::InvalidContext);
        }
        let mut beginning = Vec::new();
        let digest = match hash {
            Hash::Sha256 => hashed::<Sha256>(message, &mut beginning)?.to_vec(),
            Hash::Sha512 => hashed::<sha2::Sha512>(message, &mut beginning)?.to_vec(),
        };
        Ok(Self { context: context.to_owned(), hash, digest })
    }

    pub(super) fn sign_by<S: DidSigner + ?Sized>(
        &self,
        signer: &S,
    ) -> Result<SshSignature, SignError> {
        if !signer.__takes_hashes(private::Token::new()) || self.hash != Hash::Sha512 {
            return Err(SignError::WantsMessage);
        }
        let signature = sign_statement(signer, &self.signed_bytes())?;
        Ok(SshSignature::new(*signer.verifying_key(), self.context.clone(), signature))
    }

    fn signed_bytes(&self) -> Vec<u8> {
        sshsig::bytes_of_hash(&self.context, self.hash, &self.digest)
    }
}

/// Reads to the end; `beginning` takes the first bytes, as far as it has room.
fn hashed<D: Digest>(
    mut message: impl Read,
    beginning: &mut Vec<u8>,
) -> Result<sha2::digest::Output<D>, SignError> {
    let (mut hash, mut chunk) = (D::new(), vec![0; CHUNK]);
    loop {
        match message.read(&mut chunk) {
            Ok(0) => return Ok(hash.finalize()),
            Ok(length) => {
                let read = chunk.get(..length).unwrap_or_default();
                hash.update(read);
                let room = beginning.capacity() - beginning.len();
                beginning.extend(read.iter().take(room));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(SignError::Unread(error)),
        }
    }
}

impl VerifyingKey {
    /// As [`Self::verify`], of a message that was read.
    ///
    /// # Errors
    ///
    /// As there; and if it was read for a key of another algorithm.
    pub fn verify_read(
        &self,
        message: &ReadMessage,
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        match &message.0 {
            Message::Whole(message) => self.verify(message, signature),
            Message::Sha256 { digest, .. } => self.verify_sha256(digest, signature),
        }
    }

    /// As [`Self::verify_for`], of a message that was read for a context.
    ///
    /// # Errors
    ///
    /// As there; and if it was read to be compared with another signature.
    pub fn verify_read_for(
        &self,
        message: &ReadForContext,
        signature: &SshSignature,
    ) -> Result<(), BadSignature> {
        if signature.hash() != message.hash {
            return Err(BadSignature::new());
        }
        signature.verify_bytes(self, &message.context, &message.signed_bytes())
    }
}

impl fmt::Debug for ReadMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadMessage").finish_non_exhaustive()
    }
}

impl fmt::Debug for ReadForContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadForContext").field("context", &self.context).finish_non_exhaustive()
    }
}
