//! How a daemon is connected to, where it is not as usual.

use std::path::PathBuf;
use std::time::Duration;

use super::RemoteIdentity;
use crate::client::ClientError;
use crate::did::Did;

/// A daemon answers within 10 seconds.
const TIMEOUT: Duration = Duration::from_secs(11);

/// How a daemon is connected to, where it is not as usual.
///
/// ```no_run
/// use std::time::Duration;
///
/// use icn_identity::Did;
/// use icn_identity::client::RemoteOptions;
///
/// let did = Did::parse("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK")?;
/// let identity = RemoteOptions::new("/run/icnd/icnd.sock", did)
///     .owned_by(998) // the user that the daemon runs as
///     .with_timeout(Duration::from_secs(3))
///     .connect()?;
/// # Ok::<(), icn_identity::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct RemoteOptions {
    pub(super) path: PathBuf,
    pub(super) did: Did,
    pub(super) owner: u32,
    pub(super) timeout: Duration,
}

impl RemoteOptions {
    /// The daemon at a socket, which has to have the key of this DID. The socket and the
    /// daemon belong to the user of this process, or to root.
    pub fn new(socket: impl Into<PathBuf>, did: Did) -> Self {
        let owner = rustix::process::geteuid().as_raw();
        Self { path: socket.into(), did, owner, timeout: TIMEOUT }
    }

    /// The socket and the daemon belong to this user (a number), or to root.
    pub const fn owned_by(mut self, uid: u32) -> Self {
        self.owner = uid;
        self
    }

    /// How long a call may take, with all that belongs to it (11 seconds as a rule, one more
    /// than a daemon takes).
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// **Blocks** on the daemon. Connects, and has the daemon show that it has the key.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if it is not there, is of somebody else, or does not show it; also if
    /// it is locked ([`Self::unconnected`] connects later).
    pub fn connect(self) -> Result<RemoteIdentity, ClientError> {
        let identity = self.unconnected();
        identity.check()?;
        Ok(identity)
    }

    /// Connects at the first call: for a daemon that may be locked, or is started later.
    #[must_use]
    pub fn unconnected(self) -> RemoteIdentity {
        RemoteIdentity::new(self)
    }
}
