//! Checkpoints: what the log's last line was, signed by its DID.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use super::error::AuditError;
use super::line::{ChainId, Link};
use super::note;
use crate::clock;
use crate::did::Did;
use crate::encoding::{base64, hex};
use crate::signer::{DidSigner, sign_statement};
use crate::statement::PREFIX;

/// What the first line of a checkpoint begins with: no signer of this crate signs that for
/// others ([`crate::statement`]).
const ORIGIN: &str = "icn-identity/audit/v1/";

/// A line of a log, which says that this line was there, and so all before it.
///
/// Kept where the log is not, it shows later that no line up to it was changed, taken out
/// or cut off: [`verify()`](super::verify()) compares with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    did: Did,
    link: Link,
    at: String,
}

impl Checkpoint {
    pub(super) fn now(did: &Did, link: Link) -> Self {
        Self { did: did.clone(), link, at: clock::rfc3339_millis(SystemTime::now()) }
    }

    /// Whose log it is.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// The number of the line.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.link.seq
    }

    /// When it was made, in RFC 3339.
    #[must_use]
    pub fn at(&self) -> &str {
        &self.at
    }

    pub(super) const fn link(&self) -> Link {
        self.link
    }

    /// **Blocks** while a device signs. Signs it by the key of its DID.
    ///
    /// # Errors
    ///
    /// [`AuditError::NotSignedBy`] if the signer is of another DID; [`AuditError::Sign`].
    pub fn sign<S: DidSigner + ?Sized>(self, signer: &S) -> Result<SignedCheckpoint, AuditError> {
        let key = self.did.verifying_key();
        if signer.did() != &self.did || signer.verifying_key() != key {
            return Err(AuditError::NotSignedBy { did: self.did });
        }
        let text = self.text();
        let signature = sign_statement(signer, text.as_bytes()).map_err(AuditError::Sign)?;
        key.verify_strict(text.as_bytes(), &signature).map_err(AuditError::Signature)?;
        let signatures = note::signature_line(self.did.as_str(), key, &signature);
        Ok(SignedCheckpoint { text, signatures })
    }

    /// The text that is signed: the log, the line's number and its hash, and the time.
    fn text(&self) -> String {
        let Link { chain, seq, hash } = self.link;
        format!("{ORIGIN}{}/{chain}\n{seq}\n{}\n{}\n", self.did, base64::encode(&hash), self.at)
    }

    fn parse(text: &str) -> Result<Self, AuditError> {
        let problem = |problem| AuditError::NotACheckpoint { problem };
        let mut lines = text.lines();
        let origin = lines.next().and_then(|line| line.strip_prefix(ORIGIN));
        let origin = origin.ok_or(problem("its first line names no log"))?;
        let (did, chain) = origin.rsplit_once('/').ok_or(problem("its first line names no log"))?;
        let did = Did::parse(did).map_err(|_| problem("its first line names no DID"))?;
        let chain = hex::decode(chain).and_then(|chain| chain.try_into().ok());
        let chain = ChainId(chain.ok_or(problem("its first line names no log"))?);
        let seq = lines.next().and_then(|line| line.parse().ok());
        let seq = seq.ok_or(problem("its second line is not the number of a line"))?;
        let hash = lines.next().and_then(base64::decode).and_then(|hash| hash.try_into().ok());
        let hash = hash.ok_or(problem("its third line is not a SHA-256 in base64"))?;
        let at = lines.next().ok_or(problem("its time is missing"))?.to_owned();
        let read = Self { did, link: Link { chain, seq, hash }, at };
        // Each has one spelling.
        if read.text() != text {
            return Err(problem("it is not spelt as it was written"));
        }
        Ok(read)
    }
}

/// A checkpoint with its signature: a signed note (c2sp.org/signed-note), as `Display`
/// writes it. The key has the name of the DID.
///
/// ```text
/// icn-identity/audit/v1/did:icn:z…/9f3c5a…
/// 80001
/// CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
/// 2026-11-28T10:00:00.123Z
///
/// — did:icn:z… Az3grl…
/// ```
///
/// The lines are those of a checkpoint of a transparency log: which log, how long it is, its
/// hash. The hash is that of the last line, which names the one before, and so on: no
/// tree's. Ed25519 keys sign by type `0x01`, P-256 keys by `0x02`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    text: String,
    signatures: String,
}

impl SignedCheckpoint {
    /// What it says, if the DID has signed it. Signatures of others, as of witnesses, are
    /// ignored.
    ///
    /// # Errors
    ///
    /// [`AuditError::NotSignedBy`], [`AuditError::Signature`], or
    /// [`AuditError::NotACheckpoint`].
    pub fn verify(&self, did: &Did) -> Result<Checkpoint, AuditError> {
        let key = did.verifying_key();
        match note::verify(&self.text, &self.signatures, did.as_str(), key) {
            None => return Err(AuditError::NotSignedBy { did: did.clone() }),
            Some(signed) => signed.map_err(AuditError::Signature)?,
        }
        let checkpoint = Checkpoint::parse(&self.text)?;
        if checkpoint.did != *did {
            return Err(AuditError::NotSignedBy { did: did.clone() });
        }
        Ok(checkpoint)
    }

    /// The DID that it names, whoever signed it.
    #[cfg(all(
        any(test, fuzzing),
        feature = "attestation",
        feature = "audit",
        feature = "client",
        feature = "pkcs11",
        feature = "tpm"
    ))]
    pub(super) fn claimed_did(&self) -> Option<Did> {
        Checkpoint::parse(&self.text).ok().map(|checkpoint| checkpoint.did)
    }

    /// What programs for signed notes know the key by, as they take it: it has the name of
    /// the DID.
    #[must_use]
    pub fn verifier_key(did: &Did) -> String {
        note::verifier_key(did.as_str(), did.verifying_key())
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.text, self.signatures)
    }
}

impl FromStr for SignedCheckpoint {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        // A text of any program may begin so, and only one of ours is signed.
        let is_ours = text.as_bytes().starts_with(PREFIX) && text.starts_with(ORIGIN);
        let parts = note::split(text).filter(|_| is_ours);
        let problem = "it has no text with a signature below";
        let (text, signatures) = parts.ok_or(AuditError::NotACheckpoint { problem })?;
        Ok(Self { text: text.to_owned(), signatures: signatures.to_owned() })
    }
}
