//! What a call waits for, for programs that say it to a person.
//!
//! ```
//! use icn_identity::waiting::{self, Wait};
//!
//! // From the thread that waits: quick, and without calling this library.
//! waiting::observe(|wait| match wait {
//!     Some(wait) => println!("waiting for {wait}"),
//!     None => println!("done"),
//! });
//! ```

use std::fmt;
use std::sync::OnceLock;

/// Something that takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wait {
    /// scrypt with `N = 2^log_n`, for a passphrase or a PIN.
    Scrypt {
        /// log2 of its work.
        log_n: u8,
    },
    /// Another process or thread that uses the same files.
    Lock,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scrypt { log_n } => {
                let mib = 1_u64.checked_shl(u32::from(*log_n).saturating_sub(10)).unwrap_or(0);
                write!(f, "scrypt (work 2^{log_n}, {mib} MiB of memory)")
            }
            Self::Lock => f.write_str("another process that uses the same files"),
        }
    }
}

type Observer = Box<dyn Fn(Option<Wait>) + Send + Sync>;

static OBSERVER: OnceLock<Observer> = OnceLock::new();

/// Has a function called when a wait begins, and with `None` when it has ended: by the
/// thread that waits, for the whole process. The first observer stays; whether it is
/// this one is told.
pub fn observe(observer: impl Fn(Option<Wait>) + Send + Sync + 'static) -> bool {
    OBSERVER.set(Box::new(observer)).is_ok()
}

/// Does something that is waited for.
#[cfg(feature = "keystore")]
pub(crate) fn during<T>(wait: Wait, work: impl FnOnce() -> T) -> T {
    let _ended = Ended;
    tell(Some(wait));
    work()
}

#[cfg(feature = "keystore")]
struct Ended;

#[cfg(feature = "keystore")]
impl Drop for Ended {
    fn drop(&mut self) {
        tell(None);
    }
}

#[cfg(feature = "keystore")]
fn tell(wait: Option<Wait>) {
    if let Some(observer) = OBSERVER.get() {
        observer(wait);
    }
}
