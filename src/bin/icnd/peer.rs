//! Who is at the other end of a connection, by what the kernel says.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

use icn_identity::audit::Requester;
use rustix::net::sockopt::socket_peercred;

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
        let credentials = socket_peercred(stream)?;
        let (uid, gid) = (credentials.uid.as_raw(), credentials.gid.as_raw());
        let pid = u32::try_from(credentials.pid.as_raw_pid()).unwrap_or_default();
        Ok(Self { uid, gid, pid, requester: OnceLock::new() })
    }

    /// For the audit log alone. Its program and unit are read when the first line is written:
    /// whoever only connects costs nothing.
    pub(crate) fn requester(&self) -> &Requester {
        let read = || Requester::new(self.uid, self.gid, self.pid).with_process();
        self.requester.get_or_init(read)
    }
}
