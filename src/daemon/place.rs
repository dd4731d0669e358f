//! The place of a socket: who makes one there is alone, and nobody puts something else in it.

use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::fault::KeystoreError;
use crate::file::appended::{Beside, beside};
use crate::file::io_error;

/// How long another process is waited for that makes a socket in the same place.
const PATIENCE: Duration = Duration::from_secs(5);

/// The lock of all who make a socket at one path, for as long as it is held: a file beside it,
/// which only its owner can open. It stays when the lock is freed.
#[derive(Debug)]
pub struct SocketPlace {
    _lock: Beside,
}

impl SocketPlace {
    /// **Blocks** for at most five seconds, while another process has it.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::Unsafe`] if others than the owner of this process and root can put
    /// something else in the place of the socket, or of the lock; `Io` if another process keeps
    /// it, or the directory cannot be written to.
    pub fn take(socket: &Path) -> Result<Self, KeystoreError> {
        let path = beside(socket, ".lock");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lock = Beside::open(&path)?;
            match lock.file().try_lock() {
                // Somebody may have removed it: then others have another one.
                Ok(()) if lock.is_in_place()? => return Ok(Self { _lock: lock }),
                Ok(()) | Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Ok(()) | Err(TryLockError::WouldBlock) => {
                    return Err(io_error("lock", &path)(io::ErrorKind::ResourceBusy.into()));
                }
                Err(TryLockError::Error(error)) => return Err(io_error("lock", &path)(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn one_has_the_place_of_a_socket_and_others_cannot_take_part() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("s");
        let place = SocketPlace::take(&socket).unwrap();
        let lock = directory.path().join("s.lock");
        assert_eq!(fs::metadata(&lock).unwrap().permissions().mode() & 0o777, 0o600);
        // Who holds the directory itself holds nothing.
        fs::File::open(directory.path()).unwrap().lock().unwrap();
        assert!(SocketPlace::take(&socket).is_err());
        SocketPlace::take(&directory.path().join("other")).unwrap();
        drop(place);
        SocketPlace::take(&socket).unwrap();
        // A link to a file that should not be touched.
        fs::remove_file(&lock).unwrap();
        std::os::unix::fs::symlink(directory.path().join("other.lock"), &lock).unwrap();
        assert!(matches!(SocketPlace::take(&socket), Err(KeystoreError::Unsafe { .. })));
    }

    #[test]
    fn a_socket_has_no_place_where_others_could_put_another_one() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("s");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(SocketPlace::take(&socket), Err(KeystoreError::Unsafe { .. })));
        // As in /tmp.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        SocketPlace::take(&socket).unwrap();
    }
}
