//! What to do when the system refuses to read or write a file.

use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::io::Errno;

/// The next step, with the commands for it.
pub(super) fn io_help(path: &Path, error: &io::Error) -> String {
    let file = quoted(path);
    let directory = quoted(match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    });
    if Errno::from_io_error(error) == Some(Errno::IO) {
        return format!(
            "the disk fails: copy what is there to another one now (cp -a {directory} …), then see \
             `dmesg`"
        );
    }
    if let Some(Errno::MFILE | Errno::NFILE) = Errno::from_io_error(error) {
        return "too many files are open (`ulimit -n` shows the limit): raise it, or close some"
            .into();
    }
    match error.kind() {
        ErrorKind::StorageFull => format!(
            "the disk is full: make room (`df -h {directory}` and `df -i {directory}` show it), \
             then try again; what was there before is kept"
        ),
        ErrorKind::QuotaExceeded => {
            "the disk quota is used up (`quota` shows it): make room, then try again; \
             what was there before is kept"
                .into()
        }
        ErrorKind::FileTooLarge => {
            "a limit on the size of files is too low (`ulimit -f` shows it): raise it, then try \
             again; what was there before is kept"
                .into()
        }
        ErrorKind::ReadOnlyFilesystem => format!(
            "the disk is read-only (`findmnt -T {directory}` shows it; `dmesg` whether it failed): \
             mount it for writing, then try again"
        ),
        _ if Errno::from_io_error(error) == Some(Errno::PERM) => format!(
            "run this as the owner of {file}; if that is you, see whether it is immutable \
             (`lsattr -d {file}`)"
        ),
        ErrorKind::PermissionDenied => format!(
            "run this as a user who may: `namei -l {file}` shows who owns and may enter what"
        ),
        ErrorKind::NotFound => format!("check the path: {file}"),
        ErrorKind::InvalidData => format!("put the right content into {file}"),
        ErrorKind::Unsupported => format!(
            "this file system cannot do it: keep the identity on a local disk, not in {directory}"
        ),
        _ => format!("look at it with `namei -l {file}`, then try again"),
    }
}

/// A path as a shell takes it.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@,=%".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_command_is_one_word() {
        for (path, shown) in [
            ("/var/lib/icn/identity.age", "/var/lib/icn/identity.age"),
            ("/home/o'hara/my keys", r"'/home/o'\''hara/my keys'"),
            ("/tmp/$(id);x", "'/tmp/$(id);x'"),
        ] {
            assert_eq!(quoted(Path::new(path)), shown);
        }
    }

    #[test]
    fn each_failure_of_a_disk_has_its_next_step() {
        for (errno, wanted) in [
            (Errno::NOSPC, "df -h /a"),
            (Errno::DQUOT, "quota"),
            (Errno::FBIG, "ulimit -f"),
            (Errno::ROFS, "findmnt -T /a"),
            (Errno::IO, "cp -a /a"),
            (Errno::ACCESS, "namei -l /a/b"),
            (Errno::PERM, "lsattr -d /a/b"),
            (Errno::NOENT, "check the path: /a/b"),
            (Errno::OPNOTSUPP, "local disk"),
            (Errno::MFILE, "ulimit -n"),
            (Errno::BUSY, "namei -l /a/b"),
        ] {
            let help = io_help(Path::new("/a/b"), &errno.into());
            assert!(help.contains(wanted), "{errno:?}: {help}");
        }
    }
}
