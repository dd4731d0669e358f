//! Signers and homes for async code (feature `tokio`).
//!
//! A token takes milliseconds for a signature, scrypt a second, and a person at a
//! prompt as long as they like; no call into a device can be interrupted. Here that
//! work is done on threads of its own, a few for each signer, and never on the
//! runtime's:
//!
//! ```
//! use std::num::NonZeroUsize;
//!
//! use icn_identity::nonblocking::AsyncSigner;
//! use icn_identity::{Key, Software, Unlocked};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // With a token: as many threads as its pool has sessions (`sessions`).
//! let signer = AsyncSigner::new(Key::<Software, Unlocked>::generate()?, NonZeroUsize::MIN)?;
//! let signature = signer.sign_for("greetings@coop.example", "hello").await?;
//! signer.verifying_key().verify_for("greetings@coop.example", b"hello", &signature)?;
//! # Ok(())
//! # }
//! ```
//!
//! | | |
//! |---|---|
//! | more calls than threads | the later ones wait their turn, in the order in which they came, and hold nothing but their arguments |
//! | a future is dropped before its turn | nothing was begun, and nothing is |
//! | a future is dropped later | the work goes on to its end, keeps its thread until then, and its result is thrown away (a key that was opened is closed) |
//! | the work panics | the task that awaits panics as if it had called it; the thread goes on |
//! | the last clone is dropped | nobody waits: the threads end after what they are doing |
//!
//! Only `tokio::sync` is used: any executor will do.

#[cfg(feature = "keystore")]
mod home;
mod pool;
mod signer;

#[cfg(feature = "keystore")]
pub use self::home::AsyncHome;
pub use self::signer::AsyncSigner;
