//! What the operator configured about logging in.

use super::info::TokenInfo;
use crate::config::Pkcs11Config;
use crate::evidence::DeviceIdentity;
use crate::secret::WithoutNote;

/// What the operator configured about logging in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    pub(super) allow_final_try: bool,
    pub(super) allow_unnoted_try: bool,
    /// Most sessions in the pool.
    pub(super) sessions: usize,
}

impl Policy {
    pub(super) fn of(config: &Pkcs11Config) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            allow_final_try: config.allow_final_try,
            allow_unnoted_try: config.allow_unnoted_try,
            sessions: config.sessions.map_or_else(cores, |sessions| sessions.get().into()),
        }
    }

    /// Whether a PIN may be sent to a token that says this of itself now, where no disk takes
    /// the note of it: a wrong one would be sent at each start, until the token says so.
    pub(super) fn without_note(self, token: &DeviceIdentity, info: &TokenInfo) -> WithoutNote {
        match (self.allow_unnoted_try, info.shows_none_counted(token)) {
            (true, _) => WithoutNote::MayBeSent,
            (false, true) => WithoutNote::DeviceCounts,
            (false, false) => WithoutNote::MayNot,
        }
    }
}
