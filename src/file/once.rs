//! A file that is used once.

use std::fs;
use std::path::Path;

use zeroize::Zeroizing;

use super::{Lock, io_error, parent, read_secret, sync_dir};
use crate::fault::KeystoreError;

/// **Blocks** on files. Reads a file that nobody else may read, and removes it, in one step: of
/// several threads and processes that take it, one has it. It is gone before what is in it is given
/// out, whatever becomes of that.
///
/// # Errors
///
/// [`KeystoreError::Io`] if it is not there, as where somebody else has taken it, or cannot be
/// removed: nothing is given out then. [`KeystoreError::Unsafe`] if others may read it.
pub fn take_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    let directory = parent(path);
    let _lock = Lock::unswept(directory)?;
    let bytes = read_secret(path)?;
    // Whoever is without the lock, on a disk that has none, still removes it alone.
    fs::remove_file(path).map_err(io_error("remove", path))?;
    sync_dir(directory)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn of_many_that_take_a_secret_one_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret.json");
        for _ in 0..20 {
            fs::write(&path, "once").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let taken = std::thread::scope(|scope| {
                let all: Vec<_> = (0..16).map(|_| scope.spawn(|| take_secret(&path))).collect();
                all.into_iter().map(|one| one.join().unwrap()).filter(Result::is_ok).count()
            });
            assert_eq!(taken, 1);
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_secret_that_others_may_read_is_neither_taken_nor_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret.json");
        fs::write(&path, "open").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(take_secret(&path), Err(KeystoreError::Unsafe { .. })));
        assert!(path.exists());
        assert!(matches!(
            take_secret(directory.path().join("none").as_path()),
            Err(KeystoreError::Io { .. })
        ));
    }
}
