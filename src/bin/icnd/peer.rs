//! Who is at the other end of a connection, by what the kernel says.

use std::io;
use std::sync::OnceLock;

use icn_identity::audit::Requester;
use tokio::net::UnixStream;

/// A process that has connected.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pid: u32,
    requester: OnceLock<Requester>,
}

impl Peer {
    pub(crate) fn of(stream: &UnixStream) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        let (uid, gid) = (credentials.uid(), credentials.gid());
        let pid = credentials.pid().and_then(|pid| u32::try_from(pid).ok()).unwrap_or_default();
        Ok(Self { uid, gid, pid, requester: OnceLock::new() })
    }

    /// For the audit log alone. Its program and unit are read when the first line is written:
    /// whoever only connects costs nothing.
    pub(crate) fn requester(&self) -> &Requester {
        let read = || Requester::new(self.uid, self.gid, self.pid).with_process();
        self.requester.get_or_init(read)
    }
}
