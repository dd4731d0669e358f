//! Tags of messages: an HMAC, so that a log shows no message, and whoever reads it cannot
//! try out which one it was.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256, Sha512};

use crate::bundle::IdentityBundle;
use crate::encoding::hex;
use crate::secret::{LockedBytes, leaving_no_trace_of_much};
use crate::signer::DidSigner;

/// What the key is for, so that it is no other key's.
const INFO: &[u8] = b"icn-identity/audit/v1";

/// The key of the tags: derived from the X25519 secret of an identity, which its payload
/// keeps and a renewal leaves as it is. So each process that has opened the identity
/// makes the same tags, also of one that was restored.
///
/// `Debug` shows nothing of it; it is in locked memory, and wiped when dropped.
pub struct AuditKey(LockedBytes);

impl AuditKey {
    /// That of an identity: HKDF-SHA-256 of its X25519 secret, without a salt, for
    /// `icn-identity/audit/v1`.
    #[must_use]
    pub fn of<S: DidSigner>(bundle: &IdentityBundle<S>) -> Self {
        let companions = bundle.companions();
        Self::derived(companions.x25519.as_bytes())
    }

    fn derived(secret: &[u8; 32]) -> Self {
        let key = LockedBytes::try_new(32, |key| {
            leaving_no_trace_of_much(|| Hkdf::<Sha256>::new(None, secret).expand(INFO, key))?;
            Ok::<_, hkdf::InvalidLength>(32)
        });
        // 32 bytes are not too many.
        Self(key.unwrap_or_else(|_| LockedBytes::copy_of(&[])))
    }

    /// The tag of a message: HMAC-SHA-256 of the SHA-512 of the message.
    ///
    /// Of the hash, since who has a message signed for a context may show its hash alone.
    #[must_use]
    pub fn tag(&self, message: &MessageHash) -> MessageTag {
        leaving_no_trace_of_much(|| match Hmac::<Sha256>::new_from_slice(&self.0) {
            Ok(mut hmac) => {
                hmac.update(&message.0);
                MessageTag(hmac.finalize().into_bytes().into())
            }
            // HMAC takes keys of every length.
            Err(_) => MessageTag([0; 32]),
        })
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditKey").finish_non_exhaustive()
    }
}

/// The SHA-512 of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageHash([u8; 64]);

impl MessageHash {
    /// Of a message that is at hand.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        Self(Sha512::digest(message).into())
    }

    /// As somebody else has made it.
    #[must_use]
    pub const fn from_sha512(hash: [u8; 64]) -> Self {
        Self(hash)
    }
}

/// What stands for a message in a line. Two lines have the same one if they are about the
/// same message; what message, is shown to the holder of the identity alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageTag([u8; 32]);

impl fmt::Display for MessageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Key, Software, Unlocked};

    /// By Python's hmac and hashlib: extract under 32 zero bytes, expand, then the tag.
    #[test]
    fn a_tag_is_the_hmac_of_the_hash_under_the_derived_key() {
        let key = AuditKey::derived(&[7; 32]);
        let tag = key.tag(&MessageHash::of(b"hello"));
        assert_eq!(tag.to_string(), TAG_OF_HELLO);
        assert_eq!(key.tag(&MessageHash::from_sha512(Sha512::digest(b"hello").into())), tag);
        assert_ne!(key.tag(&MessageHash::of(b"hellp")), tag);
        assert_ne!(AuditKey::derived(&[8; 32]).tag(&MessageHash::of(b"hello")), tag);
    }

    const TAG_OF_HELLO: &str = "33381e45bae5847a8b7ffc63197bf57218e858931499fc435b8b7c5b75a7dd9e";

    #[test]
    fn a_renewal_leaves_the_key_as_it_is_and_debug_shows_nothing() {
        let key = Key::<Software, Unlocked>::generate().unwrap();
        let bundle = IdentityBundle::issue(key).unwrap();
        let (before, hash) = (AuditKey::of(&bundle), MessageHash::of(b"x"));
        bundle.renew().unwrap();
        assert_eq!(AuditKey::of(&bundle).tag(&hash), before.tag(&hash));
        assert_eq!(format!("{before:?}"), "AuditKey { .. }");
    }
}
