//! Passphrases and PINs that others provide: systemd's credentials, Kubernetes'
//! secrets, files of root.

use std::os::unix::fs::{chown, lchown, symlink};

use support::home::{Home, PASSPHRASE, Ran, run, write_private};

use super::owners::{NOBODY, Place, is_root, mode, refused};

/// A secret volume, as the kubelet makes it: the files in a directory named by
/// time, `..data` to it, and links through `..data`.
fn volume(place: &Place, file_mode: u32, group: u32) -> &'static str {
    let real = "secret/..2026_01_31_12_00_00.123456789";
    std::fs::create_dir_all(place.path(real)).unwrap();
    // The top of it is what every pod sees: drwxrwsrwt.
    mode(&place.path("secret"), 0o3777);
    chown(place.path("secret"), Some(0), Some(group)).unwrap();
    mode(&place.path(real), 0o2755);
    let file = place.path(real).join("passphrase");
    write_private(&file, PASSPHRASE);
    chown(&file, Some(0), Some(group)).unwrap();
    mode(&file, file_mode);
    symlink("..2026_01_31_12_00_00.123456789", place.path("secret/..data")).unwrap();
    symlink("..data/passphrase", place.path("secret/passphrase")).unwrap();
    "secret/passphrase"
}

#[test]
fn a_kubernetes_secret_is_taken_when_its_mode_is_set() {
    if !is_root() {
        return of_our_own_only();
    }
    let place = Place::new();
    place.init();
    // fsGroup 4711, defaultMode 0400: the kubelet makes 0440 of it.
    let file = volume(&place, 0o440, 4711);
    let path = place.path(file);
    let flag = ["--passphrase-file", path.to_str().unwrap(), "sign"];
    let taken = place.as_nobody("4711", &flag);
    assert_eq!(taken.code, 0, "{}", taken.err);
    // Without the group the kernel says no, and the error how to look at it.
    refused(&place.as_nobody("", &flag), &["cannot open", file, "Permission denied", "namei -l"]);
    // The default, 0644: everybody in the pod could read it.
    mode(&path, 0o644);
    refused(&place.as_nobody("4711", &flag), &[file, "its mode is 0644", "defaultMode: 0400"]);
    mode(&path, 0o460);
    refused(&place.as_nobody("4711", &flag), &["its mode is 0460"]);
    mode(&path, 0o440);
    // A new version: `..data` is turned to another directory.
    let real = place.path("secret/..2026_02_28_12_00_00.987654321");
    std::fs::create_dir(&real).unwrap();
    write_private(&real.join("passphrase"), "not the passphrase");
    chown(real.join("passphrase"), Some(0), Some(4711)).unwrap();
    mode(&real.join("passphrase"), 0o440);
    symlink(real.file_name().unwrap(), place.path("secret/..data_tmp")).unwrap();
    std::fs::rename(place.path("secret/..data_tmp"), place.path("secret/..data")).unwrap();
    assert_eq!(place.as_nobody("4711", &flag).code, 77);
}

#[test]
fn links_and_directories_of_strangers_are_not_followed_to_a_credential() {
    if !is_root() {
        return of_our_own_only();
    }
    let place = Place::new();
    place.init();
    let stranger = Some(65533);
    // In a sticky directory a stranger can put a link to any file of ours.
    let file = volume(&place, 0o440, NOBODY);
    assert_eq!(place.passphrase_from(file).code, 0);
    lchown(place.path("secret/..data"), stranger, None).unwrap();
    refused(&place.passphrase_from(file), &["..data is not safe", "symbolic link of user 65533"]);
    lchown(place.path("secret/..data"), Some(0), None).unwrap();
    // Or exchange what is in a directory of his, or of everybody.
    mode(&place.path("secret"), 0o777);
    refused(
        &place.passphrase_from(file),
        &["secret is not safe", "anybody can exchange", "chmod o-w"],
    );
    mode(&place.path("secret"), 0o755);
    chown(place.path("secret"), stranger, None).unwrap();
    refused(&place.passphrase_from(file), &["secret is not safe", "belongs to user 65533"]);
    chown(place.path("secret"), Some(0), None).unwrap();
    // A file of his.
    chown(place.path(file), stranger, Some(NOBODY)).unwrap();
    refused(&place.passphrase_from(file), &[file, "belongs to user 65533"]);
    chown(place.path(file), Some(0), Some(NOBODY)).unwrap();
    assert_eq!(place.passphrase_from(file).code, 0);
    // Links that go round end.
    symlink("round", place.path("home/round")).unwrap();
    lchown(place.path("home/round"), Some(NOBODY), None).unwrap();
    refused(&place.passphrase_from("home/round"), &["cannot read", "home/round", "symbolic links"]);
}

#[test]
fn a_file_that_root_gives_to_a_group_is_taken_and_one_of_ours_is_ours_alone() {
    if !is_root() {
        return of_our_own_only();
    }
    let place = Place::new();
    place.init();
    for (owner, file_mode, code) in [
        (0, 0o440, 0),
        (0, 0o640, 0),
        (0, 0o644, 1),
        (0, 0o660, 1),
        (NOBODY, 0o400, 0),
        (NOBODY, 0o600, 0),
        (NOBODY, 0o640, 1),
        (NOBODY, 0o604, 1),
    ] {
        chown(place.path("passphrase"), Some(owner), Some(NOBODY)).unwrap();
        mode(&place.path("passphrase"), file_mode);
        let ran = place.passphrase_from("passphrase");
        assert_eq!(ran.code, code, "{owner} {file_mode:o}: {}", ran.err);
        if code == 1 {
            // What is root's is left to root: a copy for the user.
            let advice = if owner == 0 { "sudo install -m 600 -o 65534" } else { "chmod 6" };
            refused(&ran, &["passphrase is not safe", "its mode is", advice]);
        }
    }
}

/// systemd's directory: 0500, the files 0400; or root's, and an access control
/// list, whose mask shows as the mode of the group.
#[test]
fn a_credential_of_systemd_is_taken_with_the_modes_that_systemd_gives() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let directory = home.beside("credentials");
    std::fs::create_dir(&directory).unwrap();
    let file = directory.join("passphrase");
    write_private(&file, PASSPHRASE);
    mode(&directory, 0o500);
    let sign = |provided: bool| -> Ran {
        let mut command = home.command(&["--passphrase-file", file.to_str().unwrap(), "sign"]);
        command.env_remove("ICN_PASSPHRASE");
        if provided {
            command.env("CREDENTIALS_DIRECTORY", &directory);
        }
        run(&mut command, b"hello")
    };
    for (file_mode, code) in [(0o400, 0), (0o440, 0), (0o444, 1), (0o460, 1)] {
        mode(&file, file_mode);
        let ran = sign(true);
        assert_eq!(ran.code, code, "{file_mode:o}: {}", ran.err);
    }
    if !is_root() {
        // The same file is held to our own rule when systemd did not make it.
        mode(&file, 0o440);
        refused(&sign(false), &["its mode is 0440", "chmod 600"]);
    }
    mode(&directory, 0o700);
}

/// What can be shown of it without being root.
fn of_our_own_only() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let dir = home.beside("..2026");
    std::fs::create_dir(&dir).unwrap();
    write_private(&dir.join("passphrase"), PASSPHRASE);
    symlink("..2026", home.beside("..data")).unwrap();
    symlink("..data/passphrase", home.beside("passphrase")).unwrap();
    let file = home.beside("passphrase");
    let flag = ["--passphrase-file", file.to_str().unwrap(), "sign"];
    home.ok(&flag, b"hello");
    mode(&file, 0o644);
    home.fails(&flag, b"hello", &["its mode is 0644", "defaultMode: 0400"]);
    mode(&file, 0o600);
    mode(&dir, 0o777);
    home.fails(&flag, b"hello", &["anybody can exchange", "chmod o-w"]);
}
