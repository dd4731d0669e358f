//! A file that is used once.

use std::path::Path;
use std::{fs, io};

use zeroize::Zeroizing;

use super::{Lock, io_error, parent, read_private, sync_dir};
use crate::fault::KeystoreError;

/// **Blocks** on files. Reads a file that nobody else may read, and removes it, in one step: of
/// several threads and processes that take it, one has it. `read` makes a value of what is in it;
/// if it gives an error, the file stays. It is gone before the value is given out.
///
/// # Errors
///
/// That of `read`. [`KeystoreError::Io`] if it is not there, as where somebody else has taken it, or
/// cannot be removed: nothing is given out then. [`KeystoreError::Unsafe`] if others may read it, or
/// if it is no regular file with this one name: what a link leads to would be there once more.
pub fn take_secret<T, E: From<KeystoreError>>(
    path: &Path,
    read: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<T, E> {
    let directory = parent(path);
    let _lock = Lock::unswept(directory)?;
    let missing = || io_error("read", path)(io::ErrorKind::NotFound.into());
    let bytes = read_private(path)?.map(Zeroizing::new).ok_or_else(missing)?;
    let value = read(&bytes)?;
    // Whoever is without the lock, on a disk that has none, still removes it alone.
    fs::remove_file(path).map_err(io_error("remove", path))?;
    sync_dir(directory)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn take(path: &Path) -> Result<Vec<u8>, KeystoreError> {
        take_secret(path, |bytes| Ok(bytes.to_vec()))
    }

    fn secret(path: &Path) {
        fs::write(path, "once").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn what_is_no_such_secret_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.age");
        secret(&path);
        let refused =
            |_: &[u8]| Err::<(), _>(io_error("parse", &path)(io::ErrorKind::Other.into()));
        assert!(take_secret(&path, refused).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"once");
    }

    #[test]
    fn a_secret_is_not_taken_once_more_by_another_name() {
        let directory = tempfile::tempdir().unwrap();
        let [path, link, hard] = ["secret", "link", "hard"].map(|it| directory.path().join(it));
        secret(&path);
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(take(&link).is_err());
        fs::hard_link(&path, &hard).unwrap();
        assert!(take(&hard).is_err() && take(&path).is_err());
        assert!(path.exists() && link.is_symlink() && hard.exists());
        fs::remove_file(&hard).unwrap();
        assert_eq!(take(&path).unwrap(), b"once");
    }

    #[test]
    fn of_many_that_take_a_secret_one_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret.json");
        for _ in 0..20 {
            secret(&path);
            let taken = std::thread::scope(|scope| {
                let all: Vec<_> = (0..16).map(|_| scope.spawn(|| take(&path))).collect();
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
        assert!(matches!(take(&path), Err(KeystoreError::Unsafe { .. })));
        assert!(path.exists());
        assert!(matches!(
            take(directory.path().join("none").as_path()),
            Err(KeystoreError::Io { .. })
        ));
    }
}
