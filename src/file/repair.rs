//! The command that makes a file safe to use: which one it is depends on who runs
//! this program, and on the file system.

use std::fs;
use std::path::Path;

use crate::fault::quoted;

/// For a file or a directory that belongs to somebody else.
pub(super) fn owner(path: &Path, owner: u32, me: u32) -> String {
    if let Some(repair) = keeps_no_modes(path, me) {
        return repair;
    }
    if is_unmapped(owner) {
        return format!(
            "its owner is unknown here, as in a container without that user: run this where the \
             user is known; or, if it is to be yours, run outside: sudo chown {me} {}",
            quoted(path)
        );
    }
    if is_in_our_own(path, me) {
        return format!(
            "user {owner} may not enter its directory, which is yours: find out who has put {shown} \
             there, and who could change it; if it is to be yours as the others there, run: {sudo}chown \
             {me} {shown}",
            shown = quoted(path),
            sudo = if me == 0 { "" } else { "sudo " },
        );
    }
    let run_as = format!("run this as user {owner}, who owns it: sudo -u {}", user(owner));
    // Root could take it, and its owner would be locked out.
    if me == 0 {
        return format!("{run_as} …");
    }
    let shown = quoted(path);
    match owner {
        0 => format!("if it was made with sudo by mistake, run: sudo chown {me} {shown}"),
        _ => format!("{run_as} …; or, if it is to be yours, run: sudo chown {me} {shown}"),
    }
}

/// Whether it is a file in a directory that only we may enter: its owner could not use it.
fn is_in_our_own(path: &Path, me: u32) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let is_dir = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    let above = path.parent().and_then(|above| fs::metadata(above).ok());
    !is_dir && above.is_some_and(|above| above.uid() == me && above.mode() & 0o077 == 0)
}

/// For a file that is only read, as one with a passphrase: whoever is to use it can have
/// one of his own.
pub(super) fn credential(path: &Path, owner: u32, me: u32) -> String {
    let shown = quoted(path);
    let copy = match me {
        0 => format!("install -m 600 {shown} COPY"),
        _ => format!("sudo install -m 600 -o {me} {shown} COPY"),
    };
    match owner {
        0 => format!("give the user who runs this one of his own: {copy}"),
        _ if is_unmapped(owner) => format!(
            "its owner is unknown here, as in a container without that user; have one of your own: \
             {copy}"
        ),
        _ => format!(
            "have one of your own: {copy}; or, if the identity is theirs too, run this as user \
             {owner}: sudo -u {} …",
            user(owner)
        ),
    }
}

/// For a directory on the way to a file, whose owner can exchange what is in it.
pub(super) fn way(directory: &Path, owner: u32, me: u32) -> String {
    let shown = quoted(directory);
    if me == 0 {
        return format!(
            "run this as user {owner}: sudo -u {} …; or keep the file where only root can exchange \
             it",
            user(owner)
        );
    }
    format!(
        "keep the file where each directory above it belongs to you or to root; or, if {shown} is \
         nobody's home, run: sudo chown root {shown}"
    )
}

/// For a file or a directory that others may use too. `command` is what sets its mode.
pub(super) fn mode(path: &Path, me: u32, command: &str) -> String {
    keeps_no_modes(path, me).unwrap_or_else(|| format!("run: {command} {}", quoted(path)))
}

/// Whether an owner is none of this user namespace: what is shown in his place
/// (`nobody`) says nothing. The machine's root, nearly always.
pub(super) fn is_unmapped(owner: u32) -> bool {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    read("/proc/sys/kernel/overflowuid").trim() == owner.to_string()
        && !read("/proc/self/uid_map").lines().any(|line| {
            let numbers: Vec<u32> = line.split_whitespace().flat_map(str::parse).collect();
            let [first, _, count] = numbers[..] else { return false };
            owner.checked_sub(first).is_some_and(|offset| offset < count)
        })
}

/// What a shell takes for a user: a name where there is one.
fn user(id: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_in(&users, id).map_or_else(|| format!("'#{id}'"), str::to_owned)
}

fn name_in(users: &str, id: u32) -> Option<&str> {
    let id = id.to_string();
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, found) = (fields.next()?, fields.next()?, fields.next()?);
        (found == id && quoted(Path::new(name)) == name).then_some(name)
    })
}

/// Where neither chown nor chmod does anything.
fn keeps_no_modes(path: &Path, me: u32) -> Option<String> {
    use rustix::fs::StatVfsMountFlags;
    let is_read_only =
        rustix::fs::statvfs(path).is_ok_and(|fs| fs.f_flag.contains(StatVfsMountFlags::RDONLY));
    let kind = rustix::fs::statfs(path).ok().and_then(|fs| u32::try_from(fs.f_type).ok());
    advice(&quoted(path), me, kind.unwrap_or_default(), is_read_only)
}

/// Magic numbers of `statfs(2)`.
fn advice(shown: &str, me: u32, kind: u32, is_read_only: bool) -> Option<String> {
    let name = match kind {
        0x4d44 => Some("FAT"),
        0x2011_bab0 => Some("exFAT"),
        0x5346_544e | 0x7366_746e => Some("NTFS"),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => Some("SMB"),
        _ => None,
    };
    if let Some(name) = name {
        return Some(format!(
            "a {name} file system keeps no owners and modes: keep the file on another one, or \
             mount this one with the options uid={me},umask=077"
        ));
    }
    is_read_only.then(|| {
        format!(
            "{shown} is on a read-only file system (`findmnt -T {shown}` shows it): copy it to a \
             directory of your own, and run: chmod -R go= COPY"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repair_is_one_that_the_file_system_can_do() {
        for (kind, is_read_only, wanted) in [
            (0x4d44, false, "a FAT file system keeps no owners and modes"),
            (0x4d44, true, "uid=1000,umask=077"),
            (0x2011_bab0, false, "exFAT"),
            (0x7366_746e, false, "NTFS"),
            (0xfe53_4d42, false, "SMB"),
            (0xef53, true, "copy it to a directory of your own"),
        ] {
            let advice = advice("/x", 1000, kind, is_read_only).unwrap();
            assert!(advice.contains(wanted) && !advice.contains("run: chmod 600"), "{advice}");
        }
        // ext4, tmpfs, btrfs: what is said is the command.
        for kind in [0xef53, 0x0102_1994, 0x9123_683e] {
            assert_eq!(advice("/x", 1000, kind, false), None);
        }
    }

    #[test]
    fn root_is_told_to_run_as_the_owner_and_never_to_take_the_file() {
        let file = std::env::temp_dir();
        for advice in [owner(&file, 4711, 0), way(&file, 4711, 0)] {
            assert!(advice.contains("sudo -u '#4711'") && !advice.contains("chown"), "{advice}");
        }
        assert!(owner(&file, 4711, 1000).contains("chown 1000"));
        assert!(owner(&file, 0, 1000).contains("with sudo by mistake"));
        assert!(!owner(&file, 0, 1000).contains("sudo -u"));
    }

    /// Also root: the user who owns the file could not come to it.
    #[test]
    fn of_a_file_in_our_own_directory_nobody_is_told_to_run_as_its_owner() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("identity.age");
        fs::write(&file, "x").unwrap();
        let me = rustix::process::geteuid().as_raw();
        for (mode, ours) in [(0o700, true), (0o755, false), (0o710, false)] {
            fs::set_permissions(home.path(), fs::Permissions::from_mode(mode)).unwrap();
            let advice = owner(&file, 4711, me);
            assert_eq!(advice.contains("sudo -u"), !ours, "{advice}");
            assert_eq!(advice.contains("may not enter"), ours, "{advice}");
        }
        // The home itself is another's: that is who is to run this.
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let below = home.path().join("home");
        fs::create_dir(&below).unwrap();
        assert!(owner(&below, 4711, me).contains("sudo -u"));
    }

    #[test]
    fn a_user_is_shown_by_name_where_a_shell_takes_it() {
        let users = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n\
                     $(id):x:1001:1001::/:/bin/sh\nbroken\n";
        assert_eq!(name_in(users, 1000), Some("alice"));
        assert_eq!(name_in(users, 1001), None);
        assert_eq!(name_in(users, 1002), None);
    }
}
