//! What a daemon and its clients have in common: the problems that it answers with, the
//! challenge by which it shows whose it is, what a client asks for, and, for the daemon, who
//! may have what done.
//!
//! Nothing here opens a socket: the program `icnd` does.

mod challenge;
#[cfg(feature = "audit")]
mod place;
#[cfg(feature = "keystore")]
mod policy;
mod problem;
#[cfg(feature = "keystore")]
mod rate;
mod request;
mod reserved;

pub use self::challenge::{prove, verify_key, verify_proof};
#[cfg(feature = "audit")]
pub use self::place::SocketPlace;
#[cfg(feature = "keystore")]
pub use self::policy::{Call, Client, Denied, Policy};
pub use self::problem::ProblemCode;
pub use self::request::{
    InvalidRequest, InvalidValue, SignRequest, TlsRequest, ToSign, UnlockRequest, parse_challenge,
    parse_decrypt, parse_lock, parse_sign_raw,
};
pub use self::reserved::{ReservedForm, reserved_form};
