//! PINs that a token refused, remembered across processes.
//!
//! A service that its supervisor starts again and again would spend a token's
//! PIN tries, one with each start. So the *source* of a refused PIN (which
//! file, last changed when) is written to `refused.json`, never the PIN or
//! anything made of it; nothing is sent from that source until it changes, or
//! the operator says so.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::identity::IdentityStore;
use crate::clock;
use crate::error::KeystoreError;
use crate::file::{self, names};

/// More sources than any operator has; older refusals are dropped first.
const MOST: usize = 64;

/// Where a PIN came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialSource {
    /// A person, just now. Never remembered.
    Prompt,
    /// A file.
    File(PathBuf),
    /// An environment variable, by its name. It does not show whether it has
    /// changed.
    Variable(String),
}

impl CredentialSource {
    /// What tells this version of the source from a later one.
    ///
    /// A file is another one when it was written or replaced. Credentials that
    /// systemd makes anew with each start (`$CREDENTIALS_DIRECTORY`) go by
    /// their name.
    fn mark(&self) -> Option<Mark> {
        match self {
            Self::Prompt => None,
            Self::Variable(name) => Some(Mark::Variable { name: name.clone() }),
            Self::File(path) => {
                let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
                let made_anew = file::is_from_systemd(&path);
                let version = fs::metadata(&path).ok().filter(|_| !made_anew).map(|metadata| {
                    let changed = (metadata.ctime(), metadata.ctime_nsec());
                    format!(
                        "{}:{}:{}:{}.{:09}",
                        metadata.dev(),
                        metadata.ino(),
                        metadata.len(),
                        changed.0,
                        changed.1
                    )
                });
                Some(Mark::File { path, version })
            }
        }
    }
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prompt => f.write_str("the prompt"),
            Self::File(path) => path.display().fmt(f),
            Self::Variable(name) => write!(f, "${name}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "source", deny_unknown_fields)]
enum Mark {
    Variable { name: String },
    File { path: PathBuf, version: Option<String> },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    token: String,
    mark: Mark,
    /// Unix time.
    at: u64,
}

impl IdentityStore {
    /// Whether a token has refused what this source holds.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::RefusedBefore`] if it has, and the source has not
    /// changed since.
    pub fn check_source(
        &self,
        token: &str,
        source: &CredentialSource,
    ) -> Result<(), KeystoreError> {
        let Some(mark) = source.mark() else { return Ok(()) };
        let refused = self.refusals()?;
        match refused.iter().find(|refusal| refusal.token == token && refusal.mark == mark) {
            None => Ok(()),
            Some(refusal) => Err(KeystoreError::RefusedBefore {
                token: token.to_owned(),
                source_name: source.to_string(),
                at: refusal.at,
            }),
        }
    }

    /// Remembers that a token has refused what this source holds.
    ///
    /// # Errors
    ///
    /// If it cannot be written down: the next process will try it again.
    pub fn remember_refusal(
        &self,
        token: &str,
        source: &CredentialSource,
    ) -> Result<(), KeystoreError> {
        let Some(mark) = source.mark() else { return Ok(()) };
        let _lock = self.lock()?;
        let mut refused = self.refusals().unwrap_or_default();
        refused.retain(|refusal| refusal.token != token || refusal.mark != mark);
        refused.drain(..refused.len().saturating_sub(MOST - 1));
        refused.push(Refusal { token: token.to_owned(), mark, at: clock::now() });
        self.write_refusals(&refused)
    }

    /// Forgets every refusal by a token: it has accepted a PIN.
    ///
    /// # Errors
    ///
    /// If it cannot be written down.
    pub fn forget_refusals(&self, token: &str) -> Result<(), KeystoreError> {
        // Nearly always there is nothing to be forgotten.
        if self.refusals().unwrap_or_default().iter().all(|refusal| refusal.token != token) {
            return Ok(());
        }
        let _lock = self.lock()?;
        let mut refused = self.refusals().unwrap_or_default();
        let before = refused.len();
        refused.retain(|refusal| refusal.token != token);
        match (before == refused.len(), refused.is_empty()) {
            (true, _) => Ok(()),
            (false, true) => file::remove(&self.refusals_path()),
            (false, false) => self.write_refusals(&refused),
        }
    }

    fn refusals_path(&self) -> PathBuf {
        Path::new(self.home()).join(names::REFUSED)
    }

    fn refusals(&self) -> Result<Vec<Refusal>, KeystoreError> {
        let path = self.refusals_path();
        let Some(bytes) = file::read_private(&path)? else { return Ok(Vec::new()) };
        Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            // A damaged note must not lock anybody out.
            log::warn!("{} cannot be read and is left aside: {error}", path.display());
            Vec::new()
        }))
    }

    fn write_refusals(&self, refused: &[Refusal]) -> Result<(), KeystoreError> {
        let path = self.refusals_path();
        let text = serde_json::to_vec_pretty(refused).map_err(|source| KeystoreError::Header {
            path: path.clone(),
            source: source.into(),
        })?;
        file::write(&path, &text)
    }
}
