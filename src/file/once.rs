//! A file that is used once.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use zeroize::Zeroizing;

use super::new::{rename_to_vacant, temporary_name};
use super::{io_error, not_safe, open_and_read_private, parent, sync_dir};
use crate::fault::KeystoreError;

/// **Blocks** on files. Reads the file as [`use_secret`] would, and leaves it: for who looks whether it
/// can be used, before something else is done that costs more.
///
/// # Errors
///
/// Those of `read`; [`KeystoreError::Io`] if it is not there, [`KeystoreError::Unsafe`] if others may
/// read it.
pub fn look_at_secret<T, E: From<KeystoreError>>(
    path: &Path,
    read: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<T, E> {
    let (_, bytes) = opened(path)?;
    read(&bytes)
}

fn opened(path: &Path) -> Result<(File, Zeroizing<Vec<u8>>), KeystoreError> {
    let missing = || io_error("read", path)(io::ErrorKind::NotFound.into());
    let (file, bytes) = open_and_read_private(path)?.ok_or_else(missing)?;
    Ok((file, Zeroizing::new(bytes)))
}

/// **Blocks** on files. Reads a file that nobody else may read, and uses it up: of several threads
/// and processes that do so, one has it. `read` makes a value of what is in it; if it gives an
/// error, the file stays. Then the file loses its name, and `act` is given the value; if that gives
/// an error, the file has its name again, and else it is removed. A process that ends in between
/// leaves it used up.
///
/// # Errors
///
/// Those of `read` and of `act`. [`KeystoreError::Io`] if it is not there, as where somebody else
/// uses it, or cannot be renamed or removed: `act` is not called before the file has lost its name.
/// [`KeystoreError::Unsafe`] if others may read it, or if it is no regular file with this one name:
/// what a link leads to would be there once more.
pub fn use_secret<A, T, E: From<KeystoreError>>(
    path: &Path,
    read: impl FnOnce(&[u8]) -> Result<A, E>,
    act: impl FnOnce(A) -> Result<T, E>,
) -> Result<T, E> {
    let (file, bytes) = opened(path)?;
    let value = read(&bytes)?;
    let taken = Taken::take(path, &file)?;
    let done = act(value)?;
    taken.remove()?;
    Ok(done)
}

/// A file that has another name until it is removed, or else given back.
struct Taken<'a> {
    path: &'a Path,
    aside: PathBuf,
    is_used: bool,
}

impl<'a> Taken<'a> {
    /// A rename has one winner, on every file system.
    fn take(path: &'a Path, file: &File) -> Result<Self, KeystoreError> {
        let aside = temporary_name(path)?;
        fs::rename(path, &aside).map_err(io_error("read", path))?;
        let taken = Self { path, aside, is_used: false };
        // The very file that was read: another may have come to its place, or a second name.
        let read = file.metadata().map_err(io_error("read", path))?;
        let renamed = fs::symlink_metadata(&taken.aside).map_err(io_error("read", path))?;
        let is_same = (read.dev(), read.ino()) == (renamed.dev(), renamed.ino());
        if !is_same || renamed.nlink() != 1 {
            return Err(not_safe(
                path,
                "another file, or a second name of it, came there meanwhile",
                "look at what is there, then try again",
            ));
        }
        sync_dir(parent(path))?;
        Ok(taken)
    }

    fn remove(mut self) -> Result<(), KeystoreError> {
        fs::remove_file(&self.aside).map_err(io_error("remove", self.path))?;
        self.is_used = true;
        sync_dir(parent(self.path))
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.is_used
            && let Err(error) = rename_to_vacant(&self.aside, self.path)
        {
            log::warn!("{} was left as {}: {error}", self.path.display(), self.aside.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn take(path: &Path) -> Result<Vec<u8>, KeystoreError> {
        use_secret(path, |bytes| Ok(bytes.to_vec()), Ok)
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
        assert!(use_secret(&path, refused, |()| -> Result<(), _> { panic!("used") }).is_err());
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
                // Whether it is used or given back, nobody else has it meanwhile.
                let all: Vec<_> = (0..16).map(|_| scope.spawn(|| take(&path))).collect();
                all.into_iter().map(|one| one.join().unwrap()).filter(Result::is_ok).count()
            });
            assert_eq!(taken, 1);
            assert!(!path.exists());
        }
    }

    /// As a result that cannot be written, on a full disk.
    #[test]
    fn a_secret_is_given_back_where_what_it_was_for_could_not_be_done() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret.json");
        secret(&path);
        let inode = fs::metadata(&path).unwrap().ino();
        let full = || io_error("write", &path)(io::ErrorKind::StorageFull.into());
        let failed = use_secret(
            &path,
            |bytes| Ok(bytes.to_vec()),
            |_| {
                assert!(!path.exists(), "nobody else has it meanwhile");
                assert!(matches!(take(&path), Err(KeystoreError::Io { .. })));
                Err::<(), _>(full())
            },
        );
        assert!(failed.is_err());
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
        // A new one that has come to its place meanwhile stays.
        let aside = use_secret(
            &path,
            |_| Ok(()),
            |()| {
                fs::write(&path, "new").unwrap();
                Err::<(), _>(full())
            },
        );
        assert!(aside.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
    }

    /// Between the reading and the taking.
    #[test]
    fn a_secret_that_was_exchanged_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let [path, other] = ["secret.json", "other"].map(|name| directory.path().join(name));
        secret(&path);
        secret(&other);
        let used = use_secret(
            &path,
            |_| fs::rename(&other, &path).map_err(io_error("rename", &path)),
            |()| -> Result<(), _> { panic!("used") },
        );
        assert!(matches!(used, Err(KeystoreError::Unsafe { .. })), "{used:?}");
        assert!(path.exists());
        let used = use_secret(
            &path,
            |_| fs::hard_link(&path, &other).map_err(io_error("link", &path)),
            |()| -> Result<(), _> { panic!("used") },
        );
        assert!(matches!(used, Err(KeystoreError::Unsafe { .. })), "{used:?}");
        assert!(path.exists() && other.exists());
    }

    /// A directory of several users, with a file of another's of any name.
    #[test]
    fn nothing_is_left_beside_a_secret_that_was_used() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret.json");
        secret(&path);
        take(&path).unwrap();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
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
