//! What a device has answered to a PIN.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const ACCEPTED: u8 = 1;
const REFUSED: u8 = 2;

/// What was answered to a PIN and its copies, where somebody wants to know it. Noted
/// where the PIN is sent: what becomes of that elsewhere tells less.
#[derive(Clone, Default)]
pub(crate) struct PinAnswer(Option<Arc<AtomicU8>>);

impl PinAnswer {
    #[cfg(feature = "keystore")]
    pub(super) fn wanted() -> Self {
        Self(Some(Arc::default()))
    }

    pub(super) const fn of_nobody() -> Self {
        Self(None)
    }

    #[cfg_attr(
        not(any(feature = "pkcs11", feature = "tpm", test)),
        allow(dead_code, reason = "said by those backends")
    )]
    pub(crate) fn accepted(&self) {
        self.note(ACCEPTED);
    }

    /// Outweighs that it was accepted: for one key, or by one device.
    #[cfg_attr(
        not(any(feature = "pkcs11", feature = "tpm", test)),
        allow(dead_code, reason = "said by those backends")
    )]
    pub(crate) fn refused(&self) {
        self.note(REFUSED);
    }

    #[cfg_attr(
        not(any(feature = "pkcs11", feature = "tpm", test)),
        allow(dead_code, reason = "said by those backends")
    )]
    fn note(&self, answer: u8) {
        if let Some(noted) = &self.0 {
            noted.fetch_max(answer, Ordering::SeqCst);
        }
    }

    #[cfg(feature = "keystore")]
    pub(crate) fn was_accepted(&self) -> bool {
        self.is(ACCEPTED)
    }

    #[cfg(feature = "keystore")]
    pub(crate) fn was_refused(&self) -> bool {
        self.is(REFUSED)
    }

    #[cfg(feature = "keystore")]
    fn is(&self, answer: u8) -> bool {
        self.0.as_ref().is_some_and(|noted| noted.load(Ordering::SeqCst) == answer)
    }
}
