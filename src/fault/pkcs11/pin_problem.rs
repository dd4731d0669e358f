//! Why a token takes no PIN, or not this one.

use std::fmt;

/// What is in the way of a PIN, beside that it is wrong or locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PinProblem {
    /// The token has no user PIN yet.
    NotSet,
    /// The token wants another PIN to be set first.
    ToBeChanged,
    /// The PIN has expired.
    Expired,
    /// It is entered at the token, and one was given.
    HasPinPad,
    /// It is to be entered at the token, which has no PIN pad.
    NoPinPad,
    /// It has no characters.
    Empty,
    /// It is longer than 255 bytes.
    TooLong,
    /// It is not of the form that a YubiHSM takes.
    NotOfYubiHsm,
    /// Other code in this process is logged in, so that the PIN cannot be checked.
    OtherLogin,
    /// The security officer is logged in.
    OfficerIsIn,
}

impl fmt::Display for PinProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSet => "no user PIN has been set",
            Self::ToBeChanged => "the PIN must be changed first",
            Self::Expired => "the PIN has expired",
            Self::HasPinPad => "it has a PIN pad, and a PIN was given",
            Self::NoPinPad => "it has no PIN pad, and no PIN was given",
            Self::Empty => "the PIN is empty",
            Self::TooLong => "the PIN is longer than 255 bytes",
            Self::NotOfYubiHsm => {
                "a YubiHSM wants the id of an authentication key in four hex digits, and then its \
                 password of 8 to 64 characters, as in 0001password"
            }
            Self::OtherLogin => {
                "other code in this process is logged in, so the PIN cannot be checked"
            }
            Self::OfficerIsIn => "the security officer is logged in",
        })
    }
}

impl PinProblem {
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::NotSet => {
                "set a user PIN as security officer (`pkcs11-tool --module MODULE --token-label \
                 TOKEN --login --init-pin`)"
            }
            Self::ToBeChanged | Self::Expired => {
                "set another PIN (`pkcs11-tool --module MODULE --token-label TOKEN --login \
                 --change-pin`), then give that one"
            }
            Self::HasPinPad => "give no PIN here, and enter it at the token",
            Self::NoPinPad | Self::Empty | Self::TooLong => "give the PIN of the token",
            Self::NotOfYubiHsm => "give the id and the password, as in 0001password",
            Self::OtherLogin => "have that code log out, or open the identity in another process",
            Self::OfficerIsIn => "end the session of the security officer, then try again",
        }
    }
}
