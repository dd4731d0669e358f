//! What makes an attestation an answer to somebody, now.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::bytes::Der;
use super::{AttestationError, MAX_AGE, MAX_FILE_LEN};
use crate::clock;
use crate::encoding::objects;
use crate::secret::fill_random;
use crate::sshsig::is_context;

const FORMAT: &str = "icn-attestation-challenge/v1";
const WHAT: &str = "a challenge";

/// 32 bytes that nobody knew before, for one audience, until a time.
///
/// The relying party makes it, keeps it, and sends a copy; what is verified is the answer to the
/// one that it **kept**. It may be used once: whoever accepts an answer forgets the challenge.
/// It is no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    pub(super) nonce: [u8; 32],
    pub(super) audience: String,
    pub(super) expires: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    format: String,
    audience: String,
    nonce: Der,
    expires: u64,
}

impl Challenge {
    /// A new one. The audience is who will verify the answer: a name that tells this relying
    /// party from others, like `treasury@coop.example` (1 to 1024 bytes of UTF-8, no control
    /// characters). An answer for one audience is none for another.
    ///
    /// # Errors
    ///
    /// [`AttestationError::Audience`], [`AttestationError::ValidFor`] if it is to be valid for longer
    /// than [`MAX_AGE`](super::MAX_AGE), [`AttestationError::Clock`] if the clock shows a time
    /// before this crate was made, [`AttestationError::NoRandomness`].
    pub fn fresh(
        audience: &str,
        valid_for: Duration,
        at: SystemTime,
    ) -> Result<Self, AttestationError> {
        check_audience(audience)?;
        if valid_for > MAX_AGE {
            let (seconds, limit) = (valid_for.as_secs(), MAX_AGE.as_secs());
            return Err(AttestationError::ValidFor { seconds, limit });
        }
        clock::check(at).map_err(|unix| AttestationError::Clock { unix })?;
        let mut nonce = [0; 32];
        fill_random(&mut nonce)?;
        let expires = clock::unix(at).saturating_add(valid_for.as_secs());
        Ok(Self { nonce, audience: audience.to_owned(), expires })
    }

    /// Reads a challenge as [`Self::to_json`] writes it.
    ///
    /// # Errors
    ///
    /// [`AttestationError::TooLong`], [`AttestationError::Json`], [`AttestationError::Format`],
    /// [`AttestationError::Field`], [`AttestationError::Audience`].
    pub fn parse(json: &[u8]) -> Result<Self, AttestationError> {
        if json.len() > MAX_FILE_LEN {
            return Err(AttestationError::TooLong { limit: MAX_FILE_LEN });
        }
        check_format(json, FORMAT, WHAT)?;
        let form: Form = objects::from_slice(json).map_err(AttestationError::json(WHAT))?;
        check_audience(&form.audience)?;
        let nonce = form.nonce.0.try_into();
        let nonce = nonce.map_err(|_| AttestationError::Field { field: "nonce" })?;
        Ok(Self { nonce, audience: form.audience, expires: form.expires })
    }

    /// The file that is sent: one JSON object in one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let form = Form {
            format: FORMAT.to_owned(),
            audience: self.audience.clone(),
            nonce: Der(self.nonce.to_vec()),
            expires: self.expires,
        };
        // Strings and a number: nothing here can fail.
        serde_json::to_string(&form).unwrap_or_default()
    }

    /// Whom the answer is for.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn nonce(&self) -> &[u8; 32] {
        &self.nonce
    }

    /// When it ends, in Unix seconds.
    #[must_use]
    pub const fn expires_unix(&self) -> u64 {
        self.expires
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge")
            .field("audience", &self.audience)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// What an attestation has to answer. There is no "whenever": a certificate of a device never
/// ends, and whoever has seen it can show it again.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Fresh<'a> {
    /// This challenge, which the relying party has made and kept.
    To(&'a Challenge),
    /// No challenge: made for this audience, by its own clock within this time before now, or
    /// after it where that clock is ahead: by as much, and by 5 minutes at most. So whoever saw
    /// it can show it again for twice the age, or for 5 minutes more.
    Within {
        /// Whom it has to be for.
        audience: &'a str,
        /// How old it may be; [`MAX_AGE`](super::MAX_AGE) at most, whatever is said here.
        age: Duration,
    },
}

impl<'a> Fresh<'a> {
    /// [`Self::Within`].
    #[must_use]
    pub const fn within(audience: &'a str, age: Duration) -> Self {
        Self::Within { audience, age }
    }
}

pub(super) fn check_audience(audience: &str) -> Result<(), AttestationError> {
    if is_context(audience) { Ok(()) } else { Err(AttestationError::Audience) }
}

/// The one field that is read before all others.
#[derive(Deserialize)]
struct Format {
    format: String,
}

pub(super) fn check_format(
    json: &[u8],
    expected: &'static str,
    what: &'static str,
) -> Result<(), AttestationError> {
    let Format { format } = objects::from_slice(json).map_err(AttestationError::json(what))?;
    if format == expected {
        return Ok(());
    }
    let found = format.chars().take(64).filter(|letter| !letter.is_control()).collect();
    Err(AttestationError::Format { expected, found })
}
