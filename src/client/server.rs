//! Whether it is the daemon that listens at the socket.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::ClientError;
use super::answers::Challenged;
use super::connection::{Connection, Deadline, Lost};
use crate::daemon::verify_proof;
use crate::did::Did;
use crate::encoding::base64;
use crate::secret::fill_random;

/// Connects to a socket that belongs to `owner` or root, and so does who listens there.
pub(super) fn connected(
    path: &Path,
    owner: u32,
    deadline: &Deadline,
) -> Result<Connection, ClientError> {
    let failed = |source| ClientError::Connect { path: path.to_owned(), source };
    let found = fs::metadata(path).map_err(failed)?;
    if !found.file_type().is_socket() {
        return Err(ClientError::NotASocket { path: path.to_owned() });
    }
    check_owner("the socket", path, found.uid(), owner)?;
    let address = SocketAddrUnix::new(path).map_err(|error| failed(error.into()))?;
    let of_system = |error: rustix::io::Errno| match error {
        // Nobody accepts.
        rustix::io::Errno::AGAIN => deadline.is_over(),
        error => failed(error.into()),
    };
    let socket: OwnedFd =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(of_system)?;
    // The system does not go on by itself where there is a limit (signal(7)): whoever was stopped,
    // or has had a signal, has not connected.
    loop {
        set_socket_timeout(&socket, Timeout::Send, Some(deadline.left()?)).map_err(of_system)?;
        match connect(&socket, &address) {
            Err(rustix::io::Errno::INTR) => {}
            connected => break connected.map_err(of_system)?,
        }
    }
    // The one that listens: another socket may have taken the place meanwhile.
    let peer = socket_peercred(&socket).map_err(of_system)?;
    check_owner("the process behind", path, peer.uid.as_raw(), owner)?;
    Ok(Connection::new(UnixStream::from(socket)))
}

/// Root can do all that the owner can, and hands sockets on that it has opened for them.
fn check_owner(
    what: &'static str,
    path: &Path,
    found: u32,
    expected: u32,
) -> Result<(), ClientError> {
    if found == expected || found == 0 {
        return Ok(());
    }
    Err(ClientError::Owner { what, path: path.to_owned(), found, expected })
}

/// Has the daemon show, to this user, that it has the key of the DID.
pub(super) fn prove(
    connection: &mut Connection,
    did: &Did,
    deadline: &Deadline,
) -> Result<(), Lost> {
    let mut nonce = [0; 32];
    fill_random(&mut nonce).map_err(ClientError::from)?;
    let own = rustix::process::geteuid().as_raw();
    let request = format!(r#"{{"nonce":"{}"}}"#, base64::encode(&nonce));
    let answer =
        connection.exchange("POST", "/v1/challenge", Some(request.as_bytes()), deadline)?;
    let challenged: Challenged = answer.read()?;
    if challenged.did != did.as_str() {
        return Err(ClientError::OtherDid { expected: did.clone() }.into());
    }
    if challenged.uid != u64::from(own) {
        return Err(ClientError::OtherUser { seen: challenged.uid, own }.into());
    }
    let signature = challenged.signature.of(did);
    let is_proven =
        signature.is_some_and(|signature| verify_proof(did, &nonce, own, &signature).is_ok());
    if !is_proven {
        return Err(ClientError::NotProven { did: did.clone() }.into());
    }
    connection.is_proven = true;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_but_the_owner_and_root_is_believed() {
        let check = |found, expected| check_owner("the socket", Path::new("/s"), found, expected);
        for (found, expected, is_fine) in
            [(7, 7, true), (0, 7, true), (0, 0, true), (7, 0, false), (8, 7, false)]
        {
            assert_eq!(check(found, expected).is_ok(), is_fine, "{found} {expected}");
        }
    }
}
