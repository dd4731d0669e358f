//! Why a TPM takes no commands, and what ends it.

use std::fmt;

/// Why a TPM takes no commands (TPM 2.0 Library, part 2, section 6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TpmState {
    /// Nobody has sent `TPM2_Startup` since it was switched on (`TPM_RC_INITIALIZE`).
    NotStarted,
    /// A self-test has failed (`TPM_RC_FAILURE`).
    Failure,
    /// Its firmware is being replaced (`TPM_RC_UPGRADE`).
    Upgrade,
    /// It wants to be reset first (`TPM_RC_REBOOT`).
    Reboot,
}

impl fmt::Display for TpmState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotStarted => "it was not started",
            Self::Failure => "its self-test has failed",
            Self::Upgrade => "its firmware is being replaced",
            Self::Reboot => "it has to be reset first",
        })
    }
}

impl TpmState {
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::NotStarted => {
                "start it, as the firmware does when the machine starts (of a simulator, by \
                 swtpm's flag startup-clear), or run: tpm2_startup -c"
            }
            Self::Failure => {
                "switch the machine off and on again; if it stays so (`tpm2_gettestresult`), the \
                 TPM is broken: restore from a backup on another machine, or hand over to another key"
            }
            Self::Upgrade => "finish the update of its firmware by the maker's tool",
            Self::Reboot => "restart the machine",
        }
    }
}
