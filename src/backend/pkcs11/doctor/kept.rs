//! Whether a token keeps a storage key: tried in both ways.

use cryptoki::error::RvError;
use serde::Serialize;

use super::super::failure::{answer, in_full_of_making};
use super::super::keep::ToKeep;
use super::super::keygen::Lifetime;
use super::super::object::Objects;
use super::super::storage::{NotKept, Way, was_lost, wrap_by};
use super::super::token::Token;
use super::cleaning::{LABEL, cleaned};
use super::options::ProbeOptions;
use crate::encoding::hex;
use crate::error::{DeviceError, Error, Pkcs11Error};
use crate::key::{Key, Software};
use crate::secret::LockedText;

/// Why what works within a session does not last.
pub(super) const WRITE_PROTECTED: &str = "the token is write-protected, so no key lasts on it";

/// Whether the token keeps a storage key, in the two ways that there are.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct StorageReport {
    /// By an AES key, with AES-GCM.
    pub aes_gcm: Kept,
    /// To a P-256 key, by ECDH.
    pub ecdh: Kept,
}

/// What came of one way to keep a storage key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "said")]
#[non_exhaustive]
pub enum Kept {
    /// What was encrypted was decrypted again.
    Works,
    /// The token does not list the mechanisms.
    NotListed,
    /// It lists them, and does not do it.
    Fails(String),
    /// It does not do it with a key that goes with its session, and the probe was not
    /// allowed a lasting one ([`ProbeOptions::with_lasting_key`]).
    NotInSession(String),
    /// No session was left to try it in.
    NoSession(String),
    /// A new key may take the place of one that is there: it was not tried.
    KeysInSlots,
}

impl StorageReport {
    /// Whether either way works.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        [&self.aes_gcm, &self.ecdh].contains(&&Kept::Works)
    }

    /// `AES-GCM: works; ECDH: not listed`
    pub(super) fn in_words(&self) -> String {
        format!("AES-GCM: {}; ECDH on P-256: {}", self.aes_gcm.in_words(), self.ecdh.in_words())
    }
}

impl Kept {
    fn in_words(&self) -> String {
        match self {
            Self::Works => "works".into(),
            Self::NotListed => "not listed".into(),
            Self::Fails(reason) => format!("listed, and fails: {reason}"),
            Self::NotInSession(reason) => {
                format!("not with a key that goes with its session: {reason}")
            }
            Self::NoSession(reason) => format!("no session was left to try it: {reason}"),
            Self::KeysInSlots => {
                "not tried, since its key may take the place of one that is there".into()
            }
        }
    }
}

pub(super) fn tried(
    token: &Token,
    allowed: bool,
    options: &ProbeOptions,
) -> Result<StorageReport, Error> {
    let one = |way| tried_by(token, way, allowed, options);
    Ok(StorageReport { aes_gcm: one(Way::AesGcm)?, ecdh: one(Way::Ecdh)? })
}

fn tried_by(token: &Token, way: Way, allowed: bool, options: &ProbeOptions) -> Result<Kept, Error> {
    if !way.is_listed(token)? {
        return Ok(Kept::NotListed);
    }
    if !allowed {
        return Ok(Kept::KeysInSlots);
    }
    // Nothing lasts there, whatever goes with a session.
    let write_protected = token.info()?.write_protected();
    Ok(match kept_for(token, way, options.lifetime())? {
        None if write_protected && !options.lasting_key => Kept::Fails(WRITE_PROTECTED.into()),
        None => Kept::Works,
        Some((Some(RvError::SessionCount), refused)) => Kept::NoSession(refused),
        Some((Some(RvError::TokenWriteProtected), refused)) => Kept::Fails(refused),
        Some((_, refused)) if write_protected || options.lasting_key => Kept::Fails(refused),
        Some((_, refused)) => Kept::NotInSession(refused),
    })
}

/// Why it does not work, and what the token has answered; `None` if it does.
fn kept_for(token: &Token, way: Way, lifetime: Lifetime) -> Result<Option<Refused>, Error> {
    // Whose it is does not matter: what is kept belongs to some DID.
    let key = Key::<Software, _>::generate()?;
    let storage_key = LockedText::from("a storage key of a probe, which opens nothing");
    // Opened to remove what was made, since a way has a session of its own.
    let session = match token.writing_session() {
        Ok(session) => session,
        Err(error) => return refusal(token, error.into()),
    };
    cleaned(Objects { token, session: &session }, |id| {
        let (label, did) = (LABEL, key.did());
        let keep = ToKeep { id, label, lifetime, did, storage_key: &storage_key };
        match wrap_by(token, way, keep) {
            Ok(_) => Ok(None),
            Err(NotKept::Refused(error)) => Ok(Some(said(&error))),
            // What is left is named when it cannot be removed here either.
            Err(NotKept::Failed(DeviceError::Pkcs11(Pkcs11Error::LeftBehind {
                id: left,
                source,
                ..
            }))) if left == hex::encode(id) => Ok(Some(said(source.as_ref()))),
            Err(NotKept::Failed(error)) => Err(error.into()),
        }
    })
}

fn refusal(token: &Token, error: DeviceError) -> Result<Option<Refused>, Error> {
    if was_lost(token, &error) {
        return Err(error.into());
    }
    Ok(Some(said(&error)))
}

/// The answer of the token, and the whole of what went wrong.
type Refused = (Option<RvError>, String);

fn said(error: &(dyn std::error::Error + 'static)) -> Refused {
    (answer(error).copied(), in_full_of_making(error))
}
