//! What the operator configured about logging in.

use crate::config::Pkcs11Config;

/// What the operator configured about logging in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    pub(super) allow_final_try: bool,
    /// Most sessions in the pool.
    pub(super) sessions: usize,
}

impl Policy {
    pub(super) fn of(config: &Pkcs11Config) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            allow_final_try: config.allow_final_try,
            sessions: config.sessions.map_or_else(cores, |sessions| sessions.get().into()),
        }
    }
}
