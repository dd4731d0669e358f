//! Who is at the other end of a connection, by what the kernel says.

use std::io;

use icn_identity::audit::Requester;
use tokio::net::UnixStream;

/// A process that has connected.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// For the audit log alone.
    pub(crate) requester: Requester,
}

impl Peer {
    pub(crate) fn of(stream: &UnixStream) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        let (uid, gid) = (credentials.uid(), credentials.gid());
        let pid = credentials.pid().and_then(|pid| u32::try_from(pid).ok()).unwrap_or_default();
        Ok(Self { uid, gid, requester: Requester::new(uid, gid, pid).with_process() })
    }
}
